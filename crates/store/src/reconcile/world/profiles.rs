//! Reads a record under its source's policy: the attribute with the address (DX5), and the mapping of the others (PE13).

use crate::engine::error::StoreError;
use rollcall_core::directory::PersonRecord;
use rollcall_core::policy::{Mapped, MappedAttribute, Policy};
use rollcall_scim::{TextPath, is_email};
use serde_json::Value as Json;

/// A record and the attributes it was read from.
pub(crate) struct ReadRecord {
    pub(crate) record: PersonRecord,
    pub(crate) attributes: Json,
    /// The reason why the policy cannot read it; it then has no address.
    pub(crate) unmapped: Option<String>,
}

/// True if this policy reads more of a record than the derived columns.
pub(crate) fn reads_attributes(policy: &Policy) -> bool {
    policy.email_attribute.is_some() || !policy.mapping.is_empty()
}

/// Reads the records under this policy. Mappings run on a blocking thread, because their duration depends on the
/// expression and the record.
pub(crate) async fn read_by(policy: &Policy, mut said: Vec<ReadRecord>) -> Result<Vec<ReadRecord>, StoreError> {
    if policy.mapping.is_empty() {
        read(policy, &mut said);
        return Ok(said);
    }
    let policy = policy.clone();
    let reading = tokio::task::spawn_blocking(move || {
        read(&policy, &mut said);
        said
    });
    reading.await.map_err(|e| StoreError::Unavailable(format!("the mapping was not run: {e}").into()))
}

fn read(policy: &Policy, said: &mut [ReadRecord]) {
    if let Some(path) = &policy.email_attribute {
        match TextPath::parse(path) {
            Ok(path) => said.iter_mut().for_each(|one| one.record.email = address(&path, &one.attributes)),
            Err(error) => said.iter_mut().for_each(|one| one.fail(format!("email_attribute: {error}"))),
        }
    }
    if policy.mapping.is_empty() {
        return;
    }
    let attributes: Vec<&Json> = said.iter().map(|one| &one.attributes).collect();
    match policy.mapping.of_records(&attributes) {
        Ok(mapped) => said.iter_mut().zip(mapped).for_each(|(one, mapped)| one.take(mapped)),
        Err(error) => said.iter_mut().for_each(|one| one.fail(error.clone())),
    }
}

/// An invalid address counts as none (LP12).
fn address(path: &TextPath, attributes: &Json) -> Option<String> {
    path.read(attributes.as_object()?).filter(|text| is_email(text)).map(str::to_owned)
}

impl ReadRecord {
    fn take(&mut self, mapped: Mapped) {
        for (attribute, value) in match mapped {
            Ok(values) => values,
            Err(error) => return self.fail(error),
        } {
            match attribute {
                MappedAttribute::Email => match value {
                    Some(text) if !is_email(&text) => {
                        return self.fail(format!("email: gives {text:?}, which is no email address"));
                    }
                    value => self.record.email = value,
                },
                MappedAttribute::DisplayName => self.record.display_name = value,
                MappedAttribute::GivenName => self.record.given_name = value,
                MappedAttribute::FamilyName => self.record.family_name = value,
            }
        }
    }

    fn fail(&mut self, error: String) {
        self.record.email = None;
        self.unmapped = Some(error);
    }
}

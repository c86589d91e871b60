//! Reads a record under its source's policy: the attribute with the address (DX5), and the mapping of the others (PE13).

use crate::engine::error::StoreError;
use rollcall_core::budget::{Budget, Spent};
use rollcall_core::clock::Clock;
use rollcall_core::directory::PersonRecord;
use rollcall_core::ids::TenantId;
use rollcall_core::policy::{Mapped, MappedAttribute, Policy, Unmapped};
use rollcall_scim::{TextPath, is_email};
use serde_json::Value as Json;
use std::time::Duration;

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

/// Longest time of the mappings of one chunk, or of one preview. A chunk that takes longer is read again in smaller parts.
const MAPPING_TIME: Duration = Duration::from_secs(1);

/// Reads the records under this policy. Mappings run on a blocking thread, because their duration depends on the
/// expression and the record; there they end when their time is over, and when nobody awaits them any more.
///
/// # Errors
/// [`StoreError::TooMuch`] when the mappings take too long.
pub(crate) async fn read_by(
    policy: &Policy,
    mut said: Vec<ReadRecord>,
    (tenant, clock): (TenantId, &Clock),
) -> Result<Vec<ReadRecord>, StoreError> {
    let budget = Budget::new(tenant, clock, MAPPING_TIME);
    if policy.mapping.is_empty() {
        // Only an expression takes from the budget.
        let _ = read(policy, &mut said, &budget);
        return Ok(said);
    }
    let policy = policy.clone();
    let _stop = budget.stop_on_drop();
    let reading = tokio::task::spawn_blocking(move || read(&policy, &mut said, &budget).map(|()| said));
    let read = reading.await.map_err(|e| StoreError::Unavailable(format!("the mapping was not run: {e}").into()))?;
    read.map_err(|_| {
        let time = MAPPING_TIME.as_secs();
        StoreError::TooMuch(format!(
            "the mapping takes longer than the {time} s that it may: preview fewer records at a time, or simplify the expressions"
        ))
    })
}

fn read(policy: &Policy, said: &mut [ReadRecord], budget: &Budget) -> Result<(), Spent> {
    if let Some(path) = &policy.email_attribute {
        match TextPath::parse(path) {
            Ok(path) => said.iter_mut().for_each(|one| one.record.email = address(&path, &one.attributes)),
            Err(error) => said.iter_mut().for_each(|one| one.fail(format!("email_attribute: {error}"))),
        }
    }
    if policy.mapping.is_empty() {
        return Ok(());
    }
    let attributes: Vec<&Json> = said.iter().map(|one| &one.attributes).collect();
    match policy.mapping.of_records(&attributes, budget) {
        Ok(mapped) => said.iter_mut().zip(mapped).for_each(|(one, mapped)| one.take(mapped)),
        Err(Unmapped::Invalid(error)) => said.iter_mut().for_each(|one| one.fail(error.clone())),
        Err(Unmapped::Spent(spent)) => return Err(spent),
    }
    Ok(())
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

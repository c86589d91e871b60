//! A preview of a mapping over existing records, before it is put in force (PE13).

use crate::access::tenants::check_policy;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::directory_users::{Column, Entity};
use crate::entity::sources;
use crate::reconcile::world::profiles::{ReadRecord, read_by};
use crate::scope::AdminScope;
use rollcall_core::clock::Clock;
use rollcall_core::directory::PersonRecord;
use rollcall_core::ids::{DirectoryUserId, SourceId, TenantId};
use rollcall_core::policy::{MappedAttribute, Mapping, Policy};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use serde_json::Value as Json;
use uuid::Uuid;

/// The error of a record that is read well and has no address.
const UNADDRESSED: &str = "the record has no usable address, and a person without one does not come in (no_email)";

/// Most records of a preview.
const PREVIEW_MAX: u32 = 20;

/// The records of a source to preview.
#[derive(Clone, Copy, Debug)]
pub enum PreviewOf {
    User(DirectoryUserId),
    /// The first records of the source.
    Sample(u32),
}

/// A reading to preview; what is left out is as the policy in force has it.
#[derive(Clone, Debug, Default)]
pub struct PreviewedReading {
    pub mapping: Option<Mapping>,
    /// `Some(None)`: the address is where SCIM has it.
    pub email_attribute: Option<Option<String>>,
}

/// One record under a mapping. A record with `error` would be skipped.
#[derive(Clone, Debug)]
pub struct PreviewedRecord {
    pub user_id: Uuid,
    pub user_name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub error: Option<String>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct RecordRow {
    id: Uuid,
    user_name: String,
    email: Option<String>,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    attributes: Json,
}

impl Store {
    /// Reads records as the source's policy would with this reading; nothing changes.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names an invalid expression or number of records.
    #[tracing::instrument(name = "store.mapping_preview.preview_mapping", skip_all)]
    pub async fn preview_mapping(
        &self,
        scope: &AdminScope,
        source: SourceId,
        of: PreviewOf,
        reading: PreviewedReading,
    ) -> Result<Vec<PreviewedRecord>, StoreError> {
        let in_force = self.policy(scope).await?.policy.of_source(source).map_err(StoreError::Invalid)?;
        let PreviewedReading { mapping, email_attribute } = reading;
        let mapping = mapping.unwrap_or_else(|| in_force.mapping.clone());
        let email_attribute = email_attribute.unwrap_or_else(|| in_force.email_attribute.clone());
        let policy = Policy { mapping, email_attribute, ..in_force };
        check_policy(&policy)?;
        let previewed = async {
            let tx = self.read(&scope.scope).await?;
            tx.source_row(source).await?;
            let mut rows = tx.records_of(source, of).await?;
            drop(tx);
            let said: Vec<ReadRecord> = rows.iter_mut().map(RecordRow::take_record).collect();
            let said = read_one_by_one(&policy, said, (scope.tenant(), &self.clock)).await?;
            Ok(rows.into_iter().zip(said).map(|(row, said)| row.previewed(said)).collect())
        };
        self.heavily(&scope.scope, HeavyKind::Preview, previewed).await
    }
}

impl Store {
    /// A sentence for each source of whose records some have no address under a new reading: a wrong one skips everybody who is new,
    /// and nothing else tells.
    pub(super) async fn check_addresses(&self, scope: &AdminScope, after: &Policy) -> Result<Vec<String>, StoreError> {
        let before = self.policy(scope).await?.policy;
        let tx = self.read(&scope.scope).await?;
        let sources = tx.find::<sources::Entity>().values::<Uuid>(sources::Column::Id).await?;
        drop(tx);
        let mut warnings = Vec::new();
        for source in sources.into_iter().map(SourceId::from) {
            let of = |policy: &Policy| policy.of_source(source).map_err(StoreError::Invalid);
            let (before, after) = (of(&before)?, of(after)?);
            if (&before.email_attribute, &before.mapping) == (&after.email_attribute, &after.mapping) {
                continue;
            }
            let reading =
                PreviewedReading { mapping: Some(after.mapping), email_attribute: Some(after.email_attribute) };
            let of = PreviewOf::Sample(PREVIEW_MAX);
            let read = match self.preview_mapping(scope, source, of, reading).await {
                Ok(read) => read,
                // The change itself does not wait for its warnings.
                Err(StoreError::Busy { .. }) => continue,
                Err(error) => return Err(error),
            };
            let without = read.iter().filter(|one| one.email.is_none()).count();
            if without > 0 {
                warnings.push(format!(
                    "{without} of {} records of source {source} that were looked at have no usable address under this `email_attribute` and \
                     `mapping`, and a person without one does not come in. See them with POST /api/v1/policy/mapping/preview",
                    read.len()
                ));
            }
        }
        Ok(warnings)
    }
}

/// Reads the records with each expression by itself, so that one that fails hides only its own attribute. The error is the
/// first one.
async fn read_one_by_one(
    policy: &Policy,
    said: Vec<ReadRecord>,
    of: (TenantId, &Clock),
) -> Result<Vec<ReadRecord>, StoreError> {
    let bare = Policy { mapping: Mapping::default(), ..policy.clone() };
    let mut read = read_by(&bare, said, of).await?;
    for mapping in policy.mapping.one_by_one() {
        let again = read.iter().map(|one| ReadRecord {
            record: one.record.clone(),
            attributes: one.attributes.clone(),
            unmapped: None,
        });
        let again =
            read_by(&Policy { mapping: mapping.clone(), email_attribute: None, ..bare.clone() }, again.collect(), of)
                .await?;
        for (one, again) in read.iter_mut().zip(again) {
            match again.unmapped {
                None => one.record = again.record,
                Some(error) => {
                    mapping.attributes().for_each(|attribute| clear(&mut one.record, attribute));
                    one.unmapped.get_or_insert(error);
                }
            }
        }
    }
    Ok(read)
}

fn clear(record: &mut PersonRecord, attribute: MappedAttribute) {
    match attribute {
        MappedAttribute::Email => record.email = None,
        MappedAttribute::DisplayName => record.display_name = None,
        MappedAttribute::GivenName => record.given_name = None,
        MappedAttribute::FamilyName => record.family_name = None,
    }
}

impl TenantTx {
    async fn records_of(&self, source: SourceId, of: PreviewOf) -> Result<Vec<RecordRow>, StoreError> {
        let (user, limit) = match of {
            PreviewOf::User(user) => (Some(user.0), 1),
            PreviewOf::Sample(count @ 1..=PREVIEW_MAX) => (None, count),
            PreviewOf::Sample(_) => return Err(StoreError::Invalid(format!("sample is 1 to {PREVIEW_MAX}"))),
        };
        let present = Column::SourceId.eq(source.0).and(Column::DeletedAt.is_null());
        let wanted = Condition::all().add(present).add_option(user.map(|user| Column::Id.eq(user)));
        let records = self.find::<Entity>().filter(wanted).ascending(Column::Id);
        let rows: Vec<RecordRow> = records.limit(limit.into()).all().await?;
        if user.is_some() && rows.is_empty() {
            return Err(StoreError::NotFound("user of this source"));
        }
        Ok(rows)
    }
}

impl RecordRow {
    fn take_record(&mut self) -> ReadRecord {
        let record = PersonRecord {
            email: self.email.take(),
            external_id: None,
            display_name: self.display_name.take(),
            given_name: self.given_name.take(),
            family_name: self.family_name.take(),
            active: true,
            was_active: true,
        };
        ReadRecord { record, attributes: self.attributes.take(), unmapped: None }
    }

    fn previewed(self, said: ReadRecord) -> PreviewedRecord {
        let record = said.record;
        let unaddressed = record.email.is_none().then(|| UNADDRESSED.to_owned());
        PreviewedRecord {
            user_id: self.id,
            user_name: self.user_name,
            email: record.email,
            display_name: record.display_name,
            given_name: record.given_name,
            family_name: record.family_name,
            error: said.unmapped.or(unaddressed),
        }
    }
}

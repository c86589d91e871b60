//! Directory records as rows, made from the entries of an upload.

use crate::agent::compare::Step;
use crate::directory::filter::folded::{Emails, folds};
use crate::directory::tombstone::digest_of;
use crate::engine::row_sets::{Columns, Type, time_text};
use chrono::{DateTime, Utc};
use rollcall_core::email::fold as name_key;
use rollcall_scim::{GroupResource, UserResource, fold};
use rollcall_snapshot::{Group, User};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

/// The resource of a person as SCIM would have written it.
pub(super) fn user_resource(user: &User) -> UserResource {
    let name = user.user_name.as_ref().or(user.email.as_ref()).unwrap_or(&user.id);
    let mut attributes = Map::new();
    attributes.insert("userName".into(), name.as_str().into());
    attributes.insert("externalId".into(), user.id.as_str().into());
    attributes.insert("active".into(), user.active.into());
    if let Some(display_name) = &user.display_name {
        attributes.insert("displayName".into(), display_name.as_str().into());
    }
    let parts = [("givenName", &user.given_name), ("familyName", &user.family_name)];
    let parts: Map<String, Json> =
        parts.into_iter().filter_map(|(key, part)| Some((key.to_owned(), part.as_deref()?.into()))).collect();
    if !parts.is_empty() {
        attributes.insert("name".into(), Json::Object(parts));
    }
    if let Some(email) = &user.email {
        attributes.insert("emails".into(), json!([{ "value": email, "type": "work", "primary": true }]));
    }
    UserResource::from_stored(attributes)
}

pub(super) fn group_resource(group: &Group) -> GroupResource {
    let attributes = [("displayName", &group.name), ("externalId", &group.id)];
    GroupResource::from_stored(
        attributes.map(|(key, value)| (key.to_owned(), value.as_str().into())).into_iter().collect(),
    )
}

/// A row of `directory_users`.
#[derive(Serialize)]
pub(super) struct UserRow {
    pub(super) tenant_id: Uuid,
    pub(super) id: Uuid,
    pub(super) source_id: Uuid,
    user_name: String,
    user_name_folded: String,
    external_id: Option<String>,
    email: Option<String>,
    email_folded: Option<String>,
    second_email_folded: Option<String>,
    more_emails: bool,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    active: bool,
    was_active: bool,
    attributes: Json,
    folded: Option<Json>,
    version: i64,
    #[serde(serialize_with = "time_text")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
}

pub(super) const USER_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("source_id", Type::Uuid),
    ("user_name", Type::Text),
    ("user_name_folded", Type::Text),
    ("external_id", Type::Text),
    ("email", Type::Text),
    ("email_folded", Type::Text),
    ("second_email_folded", Type::Text),
    ("more_emails", Type::Flag),
    ("display_name", Type::Text),
    ("given_name", Type::Text),
    ("family_name", Type::Text),
    ("active", Type::Flag),
    ("was_active", Type::Flag),
    ("attributes", Type::Json),
    ("folded", Type::Json),
    ("version", Type::Int),
    ("created_at", Type::Time),
    ("modified_at", Type::Time),
];
/// The columns of an update. `was_active` is set apart, because an update reads a column of this form as a condition.
pub(super) const USER_UPDATE_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("user_name", Type::Text),
    ("user_name_folded", Type::Text),
    ("external_id", Type::Text),
    ("email", Type::Text),
    ("email_folded", Type::Text),
    ("second_email_folded", Type::Text),
    ("more_emails", Type::Flag),
    ("display_name", Type::Text),
    ("given_name", Type::Text),
    ("family_name", Type::Text),
    ("active", Type::Flag),
    ("attributes", Type::Json),
    ("folded", Type::Json),
    ("version", Type::Int),
    ("modified_at", Type::Time),
];
/// The columns of a tombstone.
pub(super) const TOMBSTONE_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("user_name", Type::Text),
    ("user_name_folded", Type::Text),
    ("external_id", Type::Text),
    ("email", Type::Text),
    ("email_folded", Type::Text),
    ("second_email_folded", Type::Text),
    ("more_emails", Type::Flag),
    ("display_name", Type::Text),
    ("given_name", Type::Text),
    ("family_name", Type::Text),
    ("active", Type::Flag),
    ("attributes", Type::Json),
    ("folded", Type::Json),
    ("modified_at", Type::Time),
    ("deleted_at", Type::Time),
];

/// The instants and counts of a row beside its resource.
pub(super) struct Beside {
    pub(super) tenant: Uuid,
    pub(super) source: Uuid,
    pub(super) id: Uuid,
    pub(super) version: i64,
    pub(super) was_active: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) modified_at: DateTime<Utc>,
}

impl UserRow {
    /// The immutable id stands in the column that is unique: in a snapshot, two people may swap their user names, and each part is
    /// applied by itself.
    pub(super) fn new(resource: &UserResource, beside: &Beside) -> Self {
        let emails = Emails::of(resource);
        let text = |value: Option<&str>| value.map(str::to_owned);
        Self {
            tenant_id: beside.tenant,
            id: beside.id,
            source_id: beside.source,
            user_name: resource.user_name().to_owned(),
            user_name_folded: resource.external_id().unwrap_or_default().to_owned(),
            external_id: text(resource.external_id()),
            email: text(resource.email()),
            email_folded: emails.first,
            second_email_folded: emails.second,
            more_emails: emails.more,
            display_name: text(resource.display_name()),
            given_name: text(resource.given_name()),
            family_name: text(resource.family_name()),
            active: resource.active(),
            was_active: beside.was_active || resource.active(),
            attributes: Json::Object(resource.attributes().clone()),
            folded: folds(resource.attributes()),
            version: beside.version,
            created_at: beside.created_at,
            modified_at: beside.modified_at,
            deleted_at: None,
        }
    }

    /// The row of a deleted user, as `directory::tombstone` leaves it.
    pub(super) fn erased(resource: &UserResource, beside: &Beside) -> Self {
        let nobody = UserResource::from_stored(Map::new());
        let deleted = beside.modified_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false);
        Self {
            user_name: String::new(),
            user_name_folded: String::new(),
            external_id: resource.external_id().map(digest_of),
            active: false,
            deleted_at: Some(deleted),
            ..Self::new(&nobody, beside)
        }
    }
}

/// A row of `directory_groups`.
#[derive(Serialize)]
pub(super) struct GroupRow {
    tenant_id: Uuid,
    id: Uuid,
    source_id: Uuid,
    display_name: String,
    display_name_folded: String,
    name_key: String,
    external_id: Option<String>,
    attributes: Json,
    folded: Option<Json>,
    version: i64,
    #[serde(serialize_with = "time_text")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
}

pub(super) const GROUP_UPDATE_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("display_name", Type::Text),
    ("display_name_folded", Type::Text),
    ("name_key", Type::Text),
    ("attributes", Type::Json),
    ("folded", Type::Json),
    ("version", Type::Int),
    ("modified_at", Type::Time),
];
pub(super) const GROUP_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("source_id", Type::Uuid),
    ("display_name", Type::Text),
    ("display_name_folded", Type::Text),
    ("name_key", Type::Text),
    ("external_id", Type::Text),
    ("attributes", Type::Json),
    ("folded", Type::Json),
    ("version", Type::Int),
    ("created_at", Type::Time),
    ("modified_at", Type::Time),
];

impl GroupRow {
    pub(super) fn new(resource: &GroupResource, beside: &Beside) -> Self {
        let name = resource.display_name();
        Self {
            tenant_id: beside.tenant,
            id: beside.id,
            source_id: beside.source,
            display_name: name.to_owned(),
            display_name_folded: fold(name),
            name_key: name_key(name),
            external_id: resource.external_id().map(str::to_owned),
            attributes: Json::Object(resource.attributes().clone()),
            folded: folds(resource.attributes()),
            version: beside.version,
            created_at: beside.created_at,
            modified_at: beside.modified_at,
        }
    }
}

/// A row of `agent_records`.
#[derive(Serialize)]
pub(super) struct RecordRow {
    tenant_id: Uuid,
    source_id: Uuid,
    bucket: u16,
    external_id: String,
    digest: String,
    record_id: Uuid,
}

pub(super) const RECORD_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("source_id", Type::Uuid),
    ("bucket", Type::Int),
    ("external_id", Type::Text),
    ("digest", Type::Text),
    ("record_id", Type::Uuid),
];

impl RecordRow {
    /// The row of a created or changed record; none for one that is removed.
    pub(super) fn of(tenant: Uuid, source: Uuid, step: &Step, made: Uuid) -> Option<Self> {
        let (entry, record_id) = match step {
            Step::Create(entry) => (entry, made),
            Step::Change(record, entry) => (entry, *record),
            Step::Remove { .. } => return None,
        };
        let place = entry.place();
        let digest = rollcall_snapshot::bucket::hex(&entry.digest());
        Some(Self {
            tenant_id: tenant,
            source_id: source,
            bucket: place.bucket,
            external_id: place.id,
            digest,
            record_id,
        })
    }
}

/// A row of `agent_buckets`.
#[derive(Serialize)]
pub(super) struct BucketRow {
    pub(super) tenant_id: Uuid,
    pub(super) source_id: Uuid,
    pub(super) bucket: u16,
    pub(super) digest: String,
}

pub(super) const BUCKET_COLUMNS: Columns =
    &[("tenant_id", Type::Uuid), ("source_id", Type::Uuid), ("bucket", Type::Int), ("digest", Type::Text)];

/// A row of `directory_memberships`.
#[derive(Serialize, sea_orm::FromQueryResult, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct MembershipRow {
    pub(super) tenant_id: Uuid,
    pub(super) group_id: Uuid,
    pub(super) user_id: Uuid,
}

pub(super) const MEMBERSHIP_COLUMNS: Columns =
    &[("tenant_id", Type::Uuid), ("group_id", Type::Uuid), ("user_id", Type::Uuid)];

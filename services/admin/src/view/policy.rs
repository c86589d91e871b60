//! The policy on the wire. `core` reads and writes it; the shapes here describe it, and a test compares them.

use crate::view::closed;
use rollcall_core::policy as core;
use rollcall_store as store;
use serde::Serialize;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// The policy in force, and its version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionedPolicy {
    #[schema(value_type = Policy)]
    pub policy: core::Policy,
    pub version: i64,
    /// Entries of a scope that match no group of the source; there only where the request gave such a scope, so that an answer can be
    /// sent back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<String>,
}

impl From<store::VersionedPolicy> for VersionedPolicy {
    fn from(store::VersionedPolicy { policy, version, warnings }: store::VersionedPolicy) -> Self {
        Self { policy, version, warnings }
    }
}

/// The decisions of the organisation about its provisioning.
#[derive(ToSchema)]
pub struct Policy {
    /// New people in the directory become members.
    pub auto_provision: bool,
    /// People who left lose access automatically; when off, the plan lists the actions.
    pub auto_deprovision: bool,
    /// New people wait as `pending` until an admin approves them.
    pub approval: bool,
    /// An unmanaged member with a matching email becomes managed.
    pub adopt_existing: bool,
    pub onboarding: closed::Onboarding,
    /// For members whom the source disabled, or removed from its assignment without deleting the record.
    pub on_disabled: closed::OnDeleted,
    pub on_deleted: closed::OnDeleted,
    /// A suspension or removal by sync asks the product to wipe the member's devices.
    pub wipe_on_suspend: bool,
    pub over_limit: closed::OverLimit,
    /// Directory groups become sharing groups.
    pub group_sync: bool,
    /// The groups that are synced; null: all.
    pub group_scope: Option<GroupScope>,
    /// Only members of one of these groups come in; null: everybody.
    pub user_scope: Option<GroupScope>,
    /// For members who left the last group of the user scope.
    pub on_out_of_scope: closed::OnDeleted,
    pub put_without_members: closed::PutWithoutMembers,
    /// People who may lose access automatically.
    pub removal_limit: Limit,
    /// New members; null: any number.
    pub creation_limit: Option<Limit>,
    /// Changed profiles; null: any number.
    pub modification_limit: Option<Limit>,
    /// Members whom no sync and no rewind ever suspends or removes, 100 at most.
    pub protected_members: Vec<Uuid>,
    /// A source whose held removals exceed the removal limit by this factor is quarantined; null: never.
    pub quarantine_after: Option<u32>,
    /// Seats are bought automatically up to this number; null: never.
    pub seat_cap: Option<u32>,
    pub seat_order: closed::SeatOrder,
    /// New members and new people of a sharing group cause a request to the product for their keys at once.
    pub pre_create_sharing_keys: bool,
    /// The SCIM attribute that holds the address; null: the primary email, else the first, else a userName that is one.
    pub email_attribute: Option<String>,
    pub mapping: Mapping,
    /// Names that the source fills for a new member, and never changes again.
    pub local_attributes: Vec<closed::LocalAttribute>,
    /// Keys with other values for the records of one source, by its id; null takes a source's values away.
    pub sources: BTreeMap<String, Json>,
}

/// Groups by name, by the beginning of their name, or by external id.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupScope {
    #[schema(required = false)]
    pub names: Vec<String>,
    #[schema(required = false)]
    pub prefixes: Vec<String>,
    #[schema(required = false)]
    pub external_ids: Vec<String>,
}

/// So many people, or so many percent of the managed members, whichever is more, within so many hours.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    #[schema(required = false, default = 10)]
    pub count: u32,
    #[schema(required = false, default = 5, maximum = 100)]
    pub percent: u32,
    #[schema(required = false, default = 24, minimum = 1, maximum = 720)]
    pub window_hours: u32,
}

/// Expressions for attributes of a member that do not come from the attribute of the same name.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
}

/// Some keys of the policy.
pub enum PolicyChanges {}

impl PartialSchema for PolicyChanges {
    fn schema() -> RefOr<Schema> {
        match Policy::schema() {
            RefOr::T(Schema::Object(mut keys)) => {
                keys.required.clear();
                keys.description = Some("Some keys of the policy".to_owned());
                RefOr::T(Schema::Object(keys))
            }
            other => other,
        }
    }
}

impl ToSchema for PolicyChanges {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PolicyChanges")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Policy::schemas(schemas);
    }
}

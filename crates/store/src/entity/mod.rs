//! One sea-orm entity for each table, and queries over them that carry the tenant.
//!
//! An entity query starts at [`TenantTx::find`], [`TenantTx::insert`], [`TenantTx::update`] or [`TenantTx::delete`]; each adds
//! the tenant's condition or value, so none can be forgotten. `Entity::find().all(..)` does not compile: a transaction is not
//! a connection of sea-orm's ([`crate::engine::connection`]), so its executors have nothing to run on. A lint (`clippy.toml`)
//! refuses the entry points of sea-orm everywhere but here. Simple statements about one table are entity queries; set-based,
//! joined and measured ones stay SQL text (docs/decisions/0050-entities-for-simple-statements.md).
//!
//! [`TenantTx::find`]: crate::engine::transaction::TenantTx::find
//! [`TenantTx::insert`]: crate::engine::transaction::TenantTx::insert
//! [`TenantTx::update`]: crate::engine::transaction::TenantTx::update
//! [`TenantTx::delete`]: crate::engine::transaction::TenantTx::delete

pub(crate) mod audit_events;
pub(crate) mod credentials;
pub(crate) mod dialect_counts;
pub(crate) mod directory_changes;
pub(crate) mod directory_groups;
pub(crate) mod directory_memberships;
pub(crate) mod directory_users;
pub(crate) mod disputes;
pub(crate) mod domains;
mod find;
pub(crate) mod identities;
mod list;
mod literal;
pub(crate) mod logged_requests;
pub(crate) mod logout_tokens;
pub(crate) mod member_state;
pub(crate) mod members;
pub(crate) mod rejected_requests;
pub(crate) mod run_items;
pub(crate) mod runs;
pub(crate) mod sharing_group_members;
pub(crate) mod sharing_groups;
pub(crate) mod sign_in_connections;
pub(crate) mod sources;
pub(crate) mod tenant_leases;
pub(crate) mod tenants;
pub(crate) mod webhook_deliveries;
pub(crate) mod webhook_endpoints;
pub(crate) mod webhook_replays;
mod write;

pub(crate) use find::Find;
pub(crate) use list::{ListedEntity, RowList, first_position_sql};
pub(crate) use literal::LiteralComparison;
pub(crate) use write::Update;

use sea_orm::{DeriveRelation, EntityTrait, EnumIter, FromQueryResult};

/// Joins are SQL text, so no entity declares relations.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

/// A table whose every row belongs to a tenant.
pub(crate) trait TenantEntity: EntityTrait<Model = Self::Row, Relation = Relation> {
    /// A whole row.
    type Row: FromQueryResult;

    /// The column that holds the tenant's id.
    const TENANT: Self::Column;
}

/// A table that has exactly one row for each tenant, so that the tenant alone names the row.
pub(crate) trait OneRowEntity: TenantEntity {}

impl OneRowEntity for tenants::Entity {}
impl OneRowEntity for tenant_leases::Entity {}

#[cfg(test)]
mod tests;

//! The user scope (DX6): the database decides which records are in a group of their source's scope; and the members of a deleted
//! group are marked as changed.

use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, json_rows};
use crate::engine::transaction::TenantTx;
use crate::entity::{directory_memberships, sources};
use crate::log::changes::{Lane, Touched};
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_core::policy::GroupScope;
use rollcall_core::world::World;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Value;
use serde::Serialize;
use uuid::Uuid;

/// One entry of a source's scope, in the form that the database compares.
#[derive(Serialize)]
struct EntryRow<'a> {
    source_id: Uuid,
    kind: &'static str,
    text: std::borrow::Cow<'a, str>,
}

const ENTRIES: Columns = &[("source_id", Type::Uuid), ("kind", Type::Text), ("text", Type::Text)];

/// The scopes of a tenant's sources, as the parameter of [`TenantTx::in_scope`].
pub(crate) struct UserScopes {
    entries: Value,
    has_prefixes: bool,
}

impl UserScopes {
    /// The parameter, once per statement.
    pub(crate) fn parameter(&self) -> Value {
        self.entries.clone()
    }

    fn of(scopes: &[(Uuid, &GroupScope)]) -> Result<Self, StoreError> {
        let mut rows = Vec::new();
        for (source_id, scope) in scopes {
            let mut add = |kind, text| rows.push(EntryRow { source_id: *source_id, kind, text });
            scope.names.iter().for_each(|name| add("name", fold(name).into()));
            scope.prefixes.iter().for_each(|prefix| add("prefix", fold(prefix).into()));
            scope.external_ids.iter().for_each(|id| add("external_id", id.as_str().into()));
        }
        let has_prefixes = rows.iter().any(|row| row.kind == "prefix");
        Ok(Self { entries: json_rows(&rows)?, has_prefixes })
    }
}

/// Whether the policy of any source has a user scope.
pub(crate) fn any_user_scope(world: &World) -> bool {
    world.source_policies.values().chain([&world.policy]).any(|policy| policy.user_scope.is_some())
}

impl TenantTx {
    /// `None`, without a query, when no source of the tenant has a scope.
    pub(crate) async fn user_scopes(&self, world: &World) -> Result<Option<UserScopes>, StoreError> {
        if !any_user_scope(world) {
            return Ok(None);
        }
        let sources: Vec<Uuid> = self.find::<sources::Entity>().values(sources::Column::Id).await?;
        let scope = |source: &Uuid| Some((*source, world.policy_of((*source).into()).user_scope.as_ref()?));
        let scopes: Vec<(Uuid, &GroupScope)> = sources.iter().filter_map(scope).collect();
        UserScopes::of(&scopes).map(Some)
    }

    /// The condition that the record `u` is in the scope of its source; `parameter` is the number of
    /// [`UserScopes::parameter`]. It reads the groups of that person only.
    pub(crate) fn in_scope(&self, scopes: Option<&UserScopes>, parameter: u8) -> String {
        let Some(scopes) = scopes else { return "TRUE".to_owned() };
        let entries = self.tx.rows_of(parameter, ENTRIES);
        let prefixes = if scopes.has_prefixes {
            format!(
                " OR EXISTS (SELECT 1 FROM {entries} WHERE r.kind = 'prefix' AND r.source_id = sg.source_id \
                 AND substr(sg.name_key, 1, length(r.text)) = r.text)"
            )
        } else {
            String::new()
        };
        let join = self.tx.join();
        format!(
            "(u.source_id NOT IN (SELECT r.source_id FROM {entries}) OR EXISTS (SELECT 1 FROM directory_memberships sm \
             {join} directory_groups sg ON sg.tenant_id = sm.tenant_id AND sg.id = sm.group_id AND sg.deleted_at IS NULL \
             WHERE sm.tenant_id = u.tenant_id AND sm.user_id = u.id AND ( \
             (sg.source_id, sg.name_key) IN (SELECT r.source_id, r.text FROM {entries} WHERE r.kind = 'name') \
             OR (sg.source_id, sg.external_id) IN (SELECT r.source_id, r.text FROM {entries} WHERE r.kind = 'external_id')\
             {prefixes})))"
        )
    }

    /// Removes all members of a group that its source deletes. With a user scope each of them is marked as changed here, because
    /// the rows that name them are gone afterwards.
    pub(crate) async fn empty_group(
        &self,
        source: SourceId,
        id: DirectoryGroupId,
        scoped: bool,
    ) -> Result<(), StoreError> {
        use directory_memberships::{Column, Entity};
        let memberships = self.delete::<Entity>(Column::GroupId.eq(id.0));
        if !scoped {
            memberships.exec().await?;
            return Ok(());
        }
        let left = memberships.returning().await?;
        let touched = left.into_iter().map(|row| Touched::Membership(id, DirectoryUserId(row.user_id)));
        self.write_changes(Some(source), Lane::Bulk, touched).await
    }
}

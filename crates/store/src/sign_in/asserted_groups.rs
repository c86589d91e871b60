//! Groups that a sign-in asserts: the member joins sharing groups of these names, and leaves those that an earlier sign-in lent
//! (DS8, decision 0091). The rules are [`rollcall_core::sign_in_groups`]'s.

use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, TEXT, TextRow, Type, json_rows, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{sharing_group_members, sharing_groups};
use crate::log::audit_events::EventRow;
use crate::reconcile::apply::candidate::Identifier;
use crate::sign_in::connections::SignInConnection;
use chrono::{DateTime, Utc};
use rollcall_core::action::Why;
use rollcall_core::email::fold;
use rollcall_core::event::{Event, GroupMember, GroupName, GroupNamed, SharingKeys};
use rollcall_core::ids::{MemberId, SharingGroupId, SignInConnectionId};
use rollcall_core::policy::Policy;
use rollcall_core::sign_in_groups::{Fill, FoundGroup, GroupStep, steps};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, FromQueryResult};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The groups of a person, as the connection reads them.
pub(super) struct AssertedGroups {
    connection: SignInConnectionId,
    fill: Fill,
    names: BTreeMap<String, String>,
}

impl AssertedGroups {
    /// `None` where the person's groups are not known. A connection that fills none asserts none, so that what it lent before ends.
    pub(super) fn of(
        connection: &SignInConnection,
        claims: &Map<String, Json>,
        unanswered: bool,
    ) -> Result<Option<Self>, StoreError> {
        let (fill, names) = match connection.groups_from_sign_in()? {
            Some(setting) => (setting.fill, setting.asserted(claims, unanswered)),
            None => (Fill::Own, Some(BTreeMap::new())),
        };
        Ok(names.map(|names| Self { connection: connection.id.into(), fill, names }))
    }
}

/// The changes of a member's groups by a sign-in.
#[derive(Default)]
pub(super) struct GroupChanges {
    steps: Vec<GroupStep>,
    names: HashMap<SharingGroupId, String>,
    asks_for_keys: bool,
}

/// The changes for people, by the names of the groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupsTried {
    pub joins: Vec<String>,
    pub leaves: Vec<String>,
}

impl GroupChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn tried(&self) -> GroupsTried {
        let mut tried = GroupsTried::default();
        let name = |id: &SharingGroupId| self.names.get(id).cloned().unwrap_or_default();
        for step in &self.steps {
            match step {
                GroupStep::Create(name) => tried.joins.push(name.clone()),
                GroupStep::Join(id) => tried.joins.push(name(id)),
                GroupStep::Leave(id) => tried.leaves.push(name(id)),
                GroupStep::Keep(_) => {}
            }
        }
        tried
    }
}

#[derive(FromQueryResult)]
struct FoundRow {
    id: Uuid,
    name: String,
    name_folded: String,
    of_source: bool,
    inside: bool,
    lent: bool,
    wanted_by_source: bool,
}

#[derive(Serialize)]
struct LentRow {
    tenant_id: Uuid,
    group_id: Uuid,
    member_id: Uuid,
    #[serde(serialize_with = "time_text")]
    joined_at: DateTime<Utc>,
    by_sign_in: bool,
}

const LENT_ROW: Columns = &[
    ("tenant_id", Type::Uuid),
    ("group_id", Type::Uuid),
    ("member_id", Type::Uuid),
    ("joined_at", Type::Time),
    ("by_sign_in", Type::Flag),
];

const FOUND: &str = "SELECT g.id, g.name, g.name_folded, g.managed_by IS NOT NULL AS of_source, gm.member_id IS NOT NULL AS inside, \
    gm.by_sign_in IS NOT NULL AND gm.by_sign_in AS lent, EXISTS (SELECT 1 FROM directory_memberships dm \
    JOIN members m ON m.tenant_id = dm.tenant_id AND m.directory_user_id = dm.user_id AND m.id = $2 \
    WHERE dm.tenant_id = g.tenant_id AND dm.group_id = g.directory_group_id) AS wanted_by_source ";
static BY_NAME: Sql = Sql::tenant_rows(
    &[("rows", 3, TEXT)],
    &[
        FOUND,
        "FROM {rows} {join} sharing_groups g ON g.tenant_id = {tenant} AND g.name_folded = r.text AND g.removed_at IS NULL \
         LEFT JOIN sharing_group_members gm ON gm.tenant_id = g.tenant_id AND gm.group_id = g.id AND gm.member_id = $2",
    ],
);
static LENT: Sql = Sql::tenant(&[
    FOUND,
    "FROM sharing_group_members gm JOIN sharing_groups g ON g.tenant_id = gm.tenant_id AND g.id = gm.group_id \
     AND g.removed_at IS NULL WHERE gm.tenant_id = {tenant} AND gm.member_id = $2 AND gm.by_sign_in = TRUE",
]);

impl TenantTx {
    /// The changes that a sign-in makes to the groups of a member.
    pub(super) async fn group_changes(
        &self,
        member: MemberId,
        asserted: Option<&AssertedGroups>,
    ) -> Result<GroupChanges, StoreError> {
        let Some(asserted) = asserted else { return Ok(GroupChanges::default()) };
        let lent: Vec<FoundRow> = self.all(&LENT, [member.0.into()]).await?;
        if asserted.names.is_empty() && lent.is_empty() {
            return Ok(GroupChanges::default());
        }
        let policy: Policy = self.policy_in_force().await?;
        let in_scope = |(_, name): &(&String, &String)| policy.feeds_group(name, None);
        let names = asserted.names.iter().filter(in_scope);
        let names: BTreeMap<String, String> = names.map(|(folded, name)| (folded.clone(), name.clone())).collect();
        let rows: Vec<TextRow<'_>> = names.keys().map(|text| TextRow { text }).collect();
        let mut found: Vec<FoundRow> = self.all(&BY_NAME, [member.0.into(), json_rows(&rows)?]).await?;
        found.extend(lent.into_iter().filter(|row| !names.contains_key(&row.name_folded)));
        let known = found.iter().map(|row| (row.id.into(), row.name.clone())).collect();
        let found: Vec<FoundGroup> = found.into_iter().map(FoundRow::into_group).collect();
        let steps = steps(asserted.fill, &names, &found);
        Ok(GroupChanges { steps, names: known, asks_for_keys: policy.pre_create_sharing_keys })
    }

    /// Makes these changes. Plans that a worker has not applied are void already.
    pub(super) async fn settle_groups(
        &self,
        member: MemberId,
        connection: Option<&AssertedGroups>,
        changes: &GroupChanges,
    ) -> Result<(), StoreError> {
        let Some(asserted) = connection.filter(|_| !changes.is_empty()) else { return Ok(()) };
        let told = GroupMember { member_id: member, sign_in_connection_id: Some(asserted.connection) };
        let mut events: Vec<Event> = Vec::new();
        let mut made: Vec<String> = Vec::new();
        for step in &changes.steps {
            match step {
                GroupStep::Create(name) => {
                    let id = self.make_group(name).await?;
                    let after = GroupName { name: Some(name.clone()) };
                    events.push(Event::GroupCreated(id, GroupNamed { after }));
                    made.push(fold(name));
                    self.lend(id, member).await?;
                    events.push(Event::GroupMemberAdded(id, told));
                    events.extend(changes.keys(id, member));
                }
                GroupStep::Join(id) => {
                    self.lend(*id, member).await?;
                    events.push(Event::GroupMemberAdded(*id, told));
                    events.extend(changes.keys(*id, member));
                }
                GroupStep::Keep(id) => {
                    let update = self.update::<sharing_group_members::Entity>(in_group(*id, member));
                    update.set(sharing_group_members::Column::BySignIn, false).exec().await?;
                }
                GroupStep::Leave(id) => {
                    self.delete::<sharing_group_members::Entity>(in_group(*id, member)).exec().await?;
                    events.push(Event::GroupMemberRemoved(*id, told));
                }
            }
        }
        let row = |event: &Event| self.event_row(event, self.actor, self.request, None);
        self.write_events(&events.iter().map(row).collect::<Vec<EventRow>>()).await?;
        self.touch_candidates(made.into_iter().map(Identifier::Name)).await
    }

    async fn make_group(&self, name: &str) -> Result<SharingGroupId, StoreError> {
        let (id, now): (SharingGroupId, _) = (self.clock.new_id(), self.clock.now());
        let group = sharing_groups::ActiveModel {
            id: Set(id.0),
            name: Set(name.to_owned()),
            name_folded: Set(fold(name)),
            from_sign_in: Set(true),
            created_at: Set(now),
            modified_at: Set(now),
            ..Default::default()
        };
        self.insert(group).exec().await?;
        Ok(id)
    }

    /// Written as rows, because the table takes its positions from there.
    async fn lend(&self, group: SharingGroupId, member: MemberId) -> Result<(), StoreError> {
        let row = LentRow {
            tenant_id: self.tenant.0,
            group_id: group.0,
            member_id: member.0,
            joined_at: self.clock.now(),
            by_sign_in: true,
        };
        self.tx.insert_rows("sharing_group_members", LENT_ROW, &[row], "").await.map(drop)
    }
}

impl GroupChanges {
    fn keys(&self, group: SharingGroupId, member: MemberId) -> Option<Event> {
        let detail = SharingKeys { group_id: Some(group), why: Why::AssertedAtSignIn };
        self.asks_for_keys.then_some(Event::SharingKeysRequested(member, detail))
    }
}

impl FoundRow {
    fn into_group(self) -> FoundGroup {
        FoundGroup {
            id: self.id.into(),
            folded_name: self.name_folded,
            of_source: self.of_source,
            inside: self.inside,
            lent: self.lent,
            wanted_by_source: self.wanted_by_source,
        }
    }
}

fn in_group(group: SharingGroupId, member: MemberId) -> Condition {
    use sharing_group_members::Column;
    Condition::all().add(Column::GroupId.eq(group.0)).add(Column::MemberId.eq(member.0))
}

#[cfg(test)]
mod tests;

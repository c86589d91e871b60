//! Plays a verdict's items on the members and groups it names, in memory, and writes the outcome in bulk.

use super::rows::{
    GROUP_INSERT, GROUP_MEMBER, GroupChangeRow, GroupMemberRow, MEMBER_INSERT, MEMBER_UPDATE, MemberChangeRow,
    VacateRow, source_of,
};
use super::{actor_of, event, request_of};
use crate::audit::{EventRow, NewEvent};
use crate::error::StoreError;
use crate::scope::TenantTx;
use crate::sql::{Columns, Type, id_rows, json_rows};
use chrono::{DateTime, Utc};
use rollcall_core::audit::AuditKind;
use rollcall_core::email::fold;
use rollcall_core::guard::Verdict;
use rollcall_core::ids::{DirectoryUserId, MemberId, RunId, SharingGroupId};
use rollcall_core::plan::{Action, Item, Subject, World};
use rollcall_core::roster::{MemberState, MemberStatus, Profile, Role, WaitingFor};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// A directory record that got its member or group in this plan: its memberships are looked at next.
pub(super) struct NewLink {
    pub(super) id: Uuid,
    pub(super) request: Option<Uuid>,
}

/// What changed, before it is written.
pub(super) struct RosterChange<'t> {
    tx: &'t TenantTx,
    now: DateTime<Utc>,
    holding: HashSet<MemberId>,
    members: BTreeMap<MemberId, MemberState>,
    changed: HashSet<MemberId>,
    created: Vec<MemberState>,
    groups: Vec<GroupChangeRow>,
    renamed: Vec<GroupChangeRow>,
    removed_groups: Vec<Uuid>,
    group_names: HashMap<SharingGroupId, String>,
    /// Groups that a subject of this plan may take over, under the name they have now.
    spellings: HashMap<SharingGroupId, String>,
    added: Vec<GroupMemberRow>,
    left: Vec<GroupMemberRow>,
    events: Vec<EventRow>,
    pub(super) linked_users: Vec<NewLink>,
    pub(super) linked_groups: Vec<NewLink>,
    /// Addresses and names that somebody in dispute may have now.
    pub(super) freed: Vec<String>,
    pub(super) seats_used: i64,
    pub(super) managed: i64,
}

impl<'t> RosterChange<'t> {
    pub(super) fn new(tx: &'t TenantTx, world: &World, verdict: &Verdict) -> Self {
        let touched = world.users.iter().flat_map(|user| user.member.iter().chain(&user.returning));
        let known = world.holders.values().chain(touched).chain(world.waiting.iter().map(|(_, member)| member));
        let groups = world.groups.iter().filter_map(|group| group.sharing_group.as_ref());
        Self {
            tx,
            now: tx.clock.now(),
            holding: verdict.holding.clone(),
            members: known.map(|member| (member.id, member.clone())).collect(),
            changed: HashSet::new(),
            created: Vec::new(),
            groups: Vec::new(),
            renamed: Vec::new(),
            removed_groups: Vec::new(),
            group_names: groups.map(|group| (group.id, fold(&group.name))).collect(),
            spellings: world.group_names.values().map(|group| (group.id, group.name.clone())).collect(),
            added: Vec::new(),
            left: Vec::new(),
            events: Vec::new(),
            linked_users: Vec::new(),
            linked_groups: Vec::new(),
            freed: Vec::new(),
            seats_used: i64::from(world.standing.seats_used),
            managed: i64::from(world.standing.managed),
        }
    }

    /// Plays one item. Every arm that changes something records exactly one event.
    pub(super) fn perform(&mut self, item: &Item, run: RunId) -> Result<(), StoreError> {
        let news = match &item.action {
            Action::Provision { profile, status, waiting_for } => self.provision(item, profile, *status, *waiting_for),
            Action::Adopt { member, external_id } => {
                self.link(item, *member, external_id.clone(), AuditKind::MemberAdopted)?
            }
            Action::Relink { member, external_id } => {
                self.link(item, *member, external_id.clone(), AuditKind::MemberRelinked)?
            }
            Action::UpdateProfile { member, before, after } => self.update_profile(*member, before, after)?,
            Action::Suspend { member, from, release_seat } => self.suspend(*member, *from, *release_seat, item)?,
            Action::ReleaseSeat { member } => self.release_seat(*member)?,
            Action::Remove { member, from } => self.remove(*member, *from, item)?,
            Action::Restore { member, from, to } => self.restore(*member, *from, *to)?,
            Action::Waitlist { member } => self.waitlist(*member)?,
            Action::StopWaiting { member } => {
                self.member(*member)?.waiting_for = None;
                event(AuditKind::MemberStoppedWaiting, "member", member.0, json!({}))
            }
            Action::CreateGroup { name } => self.create_group(item, name),
            Action::AdoptGroup { group, name } => self.adopt_group(item, *group, name),
            Action::RenameGroup { group, before, after } => self.rename_group(item, *group, before, after),
            Action::RemoveGroup { group } => {
                self.removed_groups.push(group.0);
                self.freed.extend(self.group_names.get(group).cloned());
                event(AuditKind::GroupRemoved, "sharing_group", group.0, json!({ "why": item.why }))
            }
            Action::AddToGroup { group, member } => self.join(*group, *member, true),
            Action::RemoveFromGroup { group, member } => self.join(*group, *member, false),
        };
        self.events.push(self.tx.event_row(news, actor_of(item), request_of(item), Some(run)));
        Ok(())
    }

    fn member(&mut self, id: MemberId) -> Result<&mut MemberState, StoreError> {
        self.changed.insert(id);
        self.members
            .get_mut(&id)
            .ok_or_else(|| StoreError::Database(format!("the plan names {id} without having read it")))
    }

    fn provision(
        &mut self,
        item: &Item,
        profile: &Profile,
        status: MemberStatus,
        waiting_for: Option<WaitingFor>,
    ) -> NewEvent {
        let id: MemberId = self.tx.clock.new_id();
        let seated = matches!(status, MemberStatus::Invited | MemberStatus::Active);
        self.seats_used += i64::from(seated);
        self.managed += 1;
        self.link_user(item);
        self.created.push(MemberState {
            id,
            profile: profile.clone(),
            status,
            role: Role::Member,
            billing_contact: false,
            managed_by: source_of(item).map(Into::into),
            directory_user: directory_user(item),
            suspended_from: None,
            waiting_for,
            seated,
            held: false,
        });
        let kind = match (waiting_for, status) {
            (Some(WaitingFor::Seat), _) => AuditKind::MemberWaitlisted,
            (Some(WaitingFor::Approval), _) => AuditKind::MemberPending,
            (None, MemberStatus::Active) => AuditKind::MemberActivated,
            (None, MemberStatus::Suspended) => AuditKind::MemberSuspended,
            (None, _) => AuditKind::MemberInvited,
        };
        event(kind, "member", id.0, json!({ "after": profile, "why": item.why }))
    }

    fn link_user(&mut self, item: &Item) {
        if let Some(user) = directory_user(item) {
            self.linked_users.push(NewLink { id: user.0, request: request_of(item) });
        }
    }

    fn link(
        &mut self,
        item: &Item,
        id: MemberId,
        external_id: Option<String>,
        kind: AuditKind,
    ) -> Result<NewEvent, StoreError> {
        let (user, source) = (directory_user(item), source_of(item));
        let member = self.member(id)?;
        let counts = member.managed_by.is_none() && member.status != MemberStatus::Removed;
        let before = json!({ "directory_user_id": member.directory_user, "external_id": member.profile.external_id });
        member.directory_user = user;
        member.managed_by = source.map(Into::into);
        member.profile.external_id = external_id.clone().or(member.profile.external_id.take());
        self.managed += i64::from(counts);
        self.link_user(item);
        let after = json!({ "directory_user_id": user, "external_id": external_id, "managed_by": source });
        Ok(event(kind, "member", id.0, json!({ "before": before, "after": after, "why": item.why })))
    }

    fn update_profile(&mut self, id: MemberId, before: &Profile, after: &Profile) -> Result<NewEvent, StoreError> {
        self.member(id)?.profile = after.clone();
        if fold(&before.email) != fold(&after.email) {
            self.freed.push(fold(&before.email));
        }
        Ok(event(AuditKind::MemberUpdated, "member", id.0, json!({ "before": before, "after": after })))
    }

    fn suspend(
        &mut self,
        id: MemberId,
        from: MemberStatus,
        release_seat: bool,
        item: &Item,
    ) -> Result<NewEvent, StoreError> {
        let held = self.holding.contains(&id);
        let member = self.member(id)?;
        member.status = MemberStatus::Suspended;
        member.suspended_from = Some(from);
        member.waiting_for = None;
        member.held = held;
        let released = release_seat && member.seated;
        member.seated &= !release_seat;
        self.seats_used -= i64::from(released);
        let detail = json!({ "from": from, "why": item.why, "seat_released": released });
        Ok(event(AuditKind::MemberSuspended, "member", id.0, detail))
    }

    fn release_seat(&mut self, id: MemberId) -> Result<NewEvent, StoreError> {
        let member = self.member(id)?;
        let released = member.seated;
        (member.seated, member.held) = (false, false);
        self.seats_used -= i64::from(released);
        Ok(event(AuditKind::SeatReleased, "member", id.0, json!({})))
    }

    fn remove(&mut self, id: MemberId, from: MemberStatus, item: &Item) -> Result<NewEvent, StoreError> {
        let member = self.member(id)?;
        let released = member.seated;
        member.suspended_from = Some(member.suspended_from.unwrap_or(from));
        member.status = MemberStatus::Removed;
        (member.seated, member.held, member.waiting_for) = (false, false, None);
        let email = fold(&member.profile.email);
        self.freed.push(email);
        self.seats_used -= i64::from(released);
        self.managed -= 1;
        Ok(event(AuditKind::MemberRemoved, "member", id.0, json!({ "from": from, "why": item.why })))
    }

    fn restore(&mut self, id: MemberId, from: MemberStatus, to: MemberStatus) -> Result<NewEvent, StoreError> {
        let member = self.member(id)?;
        let takes_seat = !member.seated && matches!(to, MemberStatus::Invited | MemberStatus::Active);
        member.seated |= takes_seat;
        member.status = to;
        member.suspended_from = None;
        member.held = false;
        // Who was suspended while waiting for an approval waits for it again.
        member.waiting_for = (to == MemberStatus::Pending).then_some(WaitingFor::Approval);
        self.seats_used += i64::from(takes_seat);
        self.managed += i64::from(from == MemberStatus::Removed);
        let kind = match (from, to) {
            (MemberStatus::Pending, MemberStatus::Active) => AuditKind::MemberActivated,
            (MemberStatus::Pending, _) => AuditKind::MemberInvited,
            _ => AuditKind::MemberRestored,
        };
        Ok(event(kind, "member", id.0, json!({ "from": from, "to": to })))
    }

    fn waitlist(&mut self, id: MemberId) -> Result<NewEvent, StoreError> {
        let member = self.member(id)?;
        let returned = member.status == MemberStatus::Removed;
        member.status = MemberStatus::Suspended;
        member.waiting_for = Some(WaitingFor::Seat);
        self.managed += i64::from(returned);
        Ok(event(AuditKind::MemberWaitlisted, "member", id.0, json!({})))
    }

    fn group_row(&self, item: &Item, id: SharingGroupId, name: &str) -> GroupChangeRow {
        GroupChangeRow {
            tenant_id: self.tx.tenant.0,
            id: id.0,
            name: name.to_owned(),
            name_folded: fold(name),
            managed_by: source_of(item),
            directory_group_id: match item.subject {
                Subject::DirectoryGroup(group) => Some(group.0),
                _ => None,
            },
            modified_at: self.now,
            created_at: self.now,
        }
    }

    fn link_group(&mut self, item: &Item) {
        if let Subject::DirectoryGroup(group) = item.subject {
            self.linked_groups.push(NewLink { id: group.0, request: request_of(item) });
        }
    }

    fn create_group(&mut self, item: &Item, name: &str) -> NewEvent {
        let id: SharingGroupId = self.tx.clock.new_id();
        self.groups.push(self.group_row(item, id, name));
        self.link_group(item);
        event(AuditKind::GroupCreated, "sharing_group", id.0, json!({ "after": { "name": name } }))
    }

    fn adopt_group(&mut self, item: &Item, id: SharingGroupId, name: &str) -> NewEvent {
        self.renamed.push(self.group_row(item, id, name));
        self.link_group(item);
        // The names are the same when folded; a difference in case or spacing is reported (DS5).
        let before = self.spellings.get(&id);
        let differs = before.is_some_and(|before| before != name);
        let detail = json!({ "before": { "name": before }, "after": { "name": name }, "spelling_differs": differs });
        event(AuditKind::GroupAdopted, "sharing_group", id.0, detail)
    }

    fn rename_group(&mut self, item: &Item, id: SharingGroupId, before: &str, after: &str) -> NewEvent {
        self.renamed.push(self.group_row(item, id, after));
        if fold(before) != fold(after) {
            self.freed.push(fold(before));
        }
        event(AuditKind::GroupRenamed, "sharing_group", id.0, json!({ "before": before, "after": after }))
    }

    fn join(&mut self, group: SharingGroupId, member: MemberId, joins: bool) -> NewEvent {
        let row = GroupMemberRow { tenant_id: self.tx.tenant.0, group_id: group.0, member_id: member.0 };
        let kind = if joins { AuditKind::GroupMemberAdded } else { AuditKind::GroupMemberRemoved };
        if joins {
            self.added.push(row)
        } else {
            self.left.push(row)
        }
        event(kind, "sharing_group", group.0, json!({ "member_id": member }))
    }

    /// Writes everything; the number of statements does not depend on the number of items (up to 1,000 rows each).
    pub(super) async fn write(&self, tx: &TenantTx) -> Result<(), StoreError> {
        self.write_members(tx).await?;
        self.write_groups(tx).await?;
        tx.tx.insert_rows("sharing_group_members", GROUP_MEMBER, &self.added, "ON CONFLICT DO NOTHING").await?;
        if !self.left.is_empty() {
            let sql = format!(
                "DELETE FROM sharing_group_members WHERE tenant_id = $2 \
                 AND (tenant_id, group_id, member_id) IN (SELECT r.tenant_id, r.group_id, r.member_id FROM {})",
                tx.tx.rows(GROUP_MEMBER)
            );
            tx.tx.exec(&sql, [json_rows(&self.left)?, tx.tenant.0.into()]).await?;
        }
        tx.write_events(&self.events).await
    }

    async fn write_members(&self, tx: &TenantTx) -> Result<(), StoreError> {
        let changed: Vec<&MemberState> = self.members.values().filter(|m| self.changed.contains(&m.id)).collect();
        let moving = changed.iter().map(|member| (member.id.0, fold(&member.profile.email)));
        let new = self.created.iter().map(|member| fold(&member.profile.email));
        let wanted: HashMap<String, Option<Uuid>> =
            new.map(|email| (email, None)).chain(moving.map(|(id, email)| (email, Some(id)))).collect();
        // Only an address that this very plan gives to somebody else has to be laid aside first.
        let contested = self.freed.iter().any(|email| wanted.contains_key(email));
        if contested {
            vacate(tx, "members", "email_folded", changed.iter().map(|member| member.id.0)).await?;
        }
        let row = |member: &MemberState| MemberChangeRow::new(tx.tenant, member, self.now);
        let updates: Vec<MemberChangeRow> = changed.into_iter().map(row).collect();
        tx.tx.update_rows("members", MEMBER_UPDATE, &updates).await?;
        let inserts: Vec<MemberChangeRow> = self.created.iter().map(row).collect();
        tx.tx.insert_rows("members", MEMBER_INSERT, &inserts, "").await?;
        Ok(())
    }

    async fn write_groups(&self, tx: &TenantTx) -> Result<(), StoreError> {
        if !self.removed_groups.is_empty() {
            let gone = || id_rows(self.removed_groups.iter().copied());
            let sql = format!(
                "UPDATE sharing_groups SET removed_at = $3, modified_at = $3 WHERE tenant_id = $2 \
                 AND id IN (SELECT r.id FROM {})",
                tx.tx.rows(crate::sql::ID)
            );
            tx.tx.exec(&sql, [gone()?, tx.tenant.0.into(), self.now.into()]).await?;
            let sql = format!(
                "DELETE FROM sharing_group_members WHERE tenant_id = $2 AND group_id IN (SELECT r.id FROM {})",
                tx.tx.rows(crate::sql::ID)
            );
            tx.tx.exec(&sql, [gone()?, tx.tenant.0.into()]).await?;
        }
        if self.renamed.len() > 1 {
            vacate(tx, "sharing_groups", "name_folded", self.renamed.iter().map(|row| row.id)).await?;
        }
        const UPDATE: Columns = GROUP_INSERT.split_at(GROUP_INSERT.len() - 1).0;
        tx.tx.update_rows("sharing_groups", UPDATE, &self.renamed).await?;
        tx.tx.insert_rows("sharing_groups", GROUP_INSERT, &self.groups, "").await?;
        Ok(())
    }
}

fn directory_user(item: &Item) -> Option<DirectoryUserId> {
    match item.subject {
        Subject::DirectoryUser(user) => Some(user),
        _ => None,
    }
}

/// Lays the unique text of these rows aside within the transaction, so that they can take each other's.
async fn vacate(
    tx: &TenantTx,
    table: &str,
    column: &'static str,
    ids: impl Iterator<Item = Uuid>,
) -> Result<(), StoreError> {
    const ROWS: Columns = &[("tenant_id", Type::Uuid), ("id", Type::Uuid), ("folded", Type::Text)];
    // A space at the front: no folded text begins with one, so it meets nobody's.
    let row = |id: Uuid| VacateRow { tenant_id: tx.tenant.0, id, folded: format!(" {id}") };
    let rows: Vec<VacateRow> = ids.map(row).collect();
    let sql = format!(
        "UPDATE {table} SET {column} = r.folded FROM {} WHERE {table}.tenant_id = r.tenant_id AND {table}.id = r.id",
        tx.tx.rows(ROWS)
    );
    tx.tx.exec(&sql, [json_rows(&rows)?]).await?;
    Ok(())
}

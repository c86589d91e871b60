//! Plays a verdict's items on the members and groups it names, in memory, and writes the outcome in bulk.

mod groups;
mod keys;
mod write;

use super::candidate::Known;
use super::rows::{GroupChangeRow, GroupFactsRow, GroupMemberRow, source_of};
use super::{actor_of, event, request_of};
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::{EventRow, NewEvent};
use crate::reconcile::world::Names;
use chrono::{DateTime, Utc};
use rollcall_core::action::{Action, Item};
use rollcall_core::change::{Change, Facts, GroupFacts, Inside, MemberFacts, Subject, Target};
use rollcall_core::email::fold;
use rollcall_core::event::AuditKind;
use rollcall_core::guard::Verdict;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, RunId, SharingGroupId};
use rollcall_core::roster::{MemberState, MemberStatus, Profile, Role, WaitingFor};
use rollcall_core::world::World;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// A directory record that got its member or group in this plan: its memberships are looked at next.
pub(super) struct NewLink {
    pub(super) id: Uuid,
    pub(super) request: Option<Uuid>,
}

/// What an item did, as its run keeps it.
#[derive(Default)]
pub(super) struct Done {
    pub(super) target: Option<Target>,
    pub(super) who: Json,
    pub(super) change: Change,
}

impl Done {
    pub(super) fn member_id(&self) -> Option<Uuid> {
        match self.target? {
            Target::Member(member) | Target::Membership(_, member) => Some(member.0),
            Target::Group(_) => None,
        }
    }

    pub(super) fn group_id(&self) -> Option<Uuid> {
        match self.target? {
            Target::Group(group) | Target::Membership(group, _) => Some(group.0),
            Target::Member(_) => None,
        }
    }
}

/// What changed, before it is written.
pub(super) struct RosterChange<'t> {
    pub(super) tx: &'t TenantTx,
    pub(super) now: DateTime<Utc>,
    holding: HashSet<MemberId>,
    wipes: bool,
    /// Where the policy wants keys before anybody asks for them: who of the memberships can use them.
    makes_keys_for: Option<HashSet<MemberId>>,
    pub(super) members: BTreeMap<MemberId, MemberState>,
    /// Members that change, as they were planned from.
    changed: BTreeMap<MemberId, MemberState>,
    created: Vec<MemberState>,
    groups: Vec<GroupChangeRow>,
    renamed: Vec<GroupChangeRow>,
    removed_groups: Vec<Uuid>,
    /// Groups that an earlier state is given back to.
    pub(super) taken_back: Vec<GroupFactsRow>,
    pub(super) group_facts: HashMap<SharingGroupId, GroupFacts>,
    names: &'t Names,
    added: Vec<GroupMemberRow>,
    left: Vec<GroupMemberRow>,
    events: Vec<EventRow>,
    pub(super) linked_users: Vec<NewLink>,
    pub(super) linked_groups: Vec<NewLink>,
    /// Records that the group they had is taken over from: what was held about them is void.
    pub(super) left_records: Vec<DirectoryGroupId>,
    /// Addresses and names that somebody in dispute may have now.
    pub(super) freed: Vec<String>,
    pub(super) seats_used: i64,
    pub(super) managed: i64,
}

impl<'t> RosterChange<'t> {
    pub(super) fn new(tx: &'t TenantTx, (world, names): (&World, &'t Names), verdict: &Verdict) -> Self {
        let touched = world.users.iter().flat_map(|user| user.member.iter().chain(&user.returning));
        let known = world.holders.values().chain(touched).chain(world.waiting.iter().map(|(_, member)| member));
        let known = known.chain(world.rewind.members.values());
        let groups = world.groups.iter().filter_map(|group| group.sharing_group.as_ref());
        let groups = groups.chain(world.group_names.values()).map(|group| (group.id, GroupFacts::of(group)));
        let rewound = world.rewind.groups.iter().map(|(id, group)| (*id, group.clone()));
        Self {
            tx,
            now: tx.clock.now(),
            holding: verdict.holding.clone(),
            wipes: world.policy.wipe_on_suspend,
            makes_keys_for: keys::wanted_for(world),
            members: known.map(|member| (member.id, member.clone())).collect(),
            changed: BTreeMap::new(),
            created: Vec::new(),
            groups: Vec::new(),
            renamed: Vec::new(),
            removed_groups: Vec::new(),
            taken_back: Vec::new(),
            group_facts: groups.chain(rewound).collect(),
            names,
            added: Vec::new(),
            left: Vec::new(),
            events: Vec::new(),
            linked_users: Vec::new(),
            linked_groups: Vec::new(),
            left_records: Vec::new(),
            freed: Vec::new(),
            seats_used: i64::from(world.standing.seats_used),
            managed: i64::from(world.standing.managed),
        }
    }

    /// Plays one item, records its event, and answers what it changed.
    pub(super) fn perform(&mut self, item: &Item, run: RunId) -> Result<Done, StoreError> {
        let target = item.action.target();
        let before = target.map(|target| self.facts(target, &item.action)).transpose()?;
        let news = self.play(item)?;
        let made = if news.subject_kind == "member" {
            Target::Member(news.subject_id.into())
        } else {
            Target::Group(news.subject_id.into())
        };
        let kind = news.kind;
        self.events.push(self.tx.event_row(news, actor_of(item), request_of(item), Some(run)));
        let target = target.unwrap_or(made);
        self.ask_for_wipe(item, run);
        self.ask_for_keys(item, run, kind, target, before.as_ref());
        let change = match (&item.action, target) {
            (Action::Undo(step), _) => step.change.clone(),
            (action, Target::Membership(..)) => {
                let inside = matches!(action, Action::AddToGroup { .. });
                Change::between(&Inside { inside: !inside }, &Inside { inside })
            }
            (action, target) => Facts::change(before.as_ref(), &self.facts(target, action)?),
        };
        Ok(Done { target: Some(target), who: self.who(target), change })
    }

    /// Whoever loses access by sync may still have the product's data on their devices (DX16). Who was never active has none.
    fn ask_for_wipe(&mut self, item: &Item, run: RunId) {
        if let Action::Suspend { member, from: MemberStatus::Active, .. }
        | Action::Remove { member, from: MemberStatus::Active } = item.action
            && self.wipes
        {
            let news = event(AuditKind::DeviceWipeRequested, "member", member.0, json!({ "why": item.why }));
            self.events.push(self.tx.event_row(news, actor_of(item), request_of(item), Some(run)));
        }
    }

    /// What is recorded of a target as it is now.
    fn facts(&self, target: Target, action: &Action) -> Result<Facts, StoreError> {
        let unread = || StoreError::database(format!("the plan names {target:?} without having read it"));
        Ok(match target {
            Target::Member(id) => {
                let known = self.members.get(&id).or_else(|| self.created.iter().rfind(|member| member.id == id));
                Facts::Member(MemberFacts::of(known.ok_or_else(unread)?))
            }
            Target::Group(id) => Facts::Group(self.group_facts.get(&id).cloned().ok_or_else(unread)?),
            Target::Membership(..) => {
                Facts::Membership(Inside { inside: matches!(action, Action::RemoveFromGroup { .. }) })
            }
        })
    }

    /// What people call the target of an item, at this time.
    fn who(&self, target: Target) -> Json {
        let member = |id: MemberId| {
            let known = self.members.get(&id).or_else(|| self.created.iter().rfind(|member| member.id == id));
            let profile = known.map(|member| (member.profile.email.clone(), member.profile.display_name.clone()));
            profile.or_else(|| self.names.members.get(&id).cloned()).unwrap_or_default()
        };
        match target {
            Target::Member(id) => {
                let (email, display_name) = member(id);
                json!({ "email": email, "display_name": display_name })
            }
            Target::Group(id) => json!({ "name": self.group_facts.get(&id).map(|group| &group.name) }),
            Target::Membership(group, id) => {
                let (email, display_name) = member(id);
                json!({ "email": email, "display_name": display_name, "group": self.names.groups.get(&group) })
            }
        }
    }

    /// Every arm that changes something answers exactly one event.
    fn play(&mut self, item: &Item) -> Result<NewEvent, StoreError> {
        Ok(match &item.action {
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
            Action::RemoveGroup { group } => self.remove_group(item, *group),
            Action::AddToGroup { group, member } => self.join(*group, *member, true),
            Action::RemoveFromGroup { group, member } => self.join(*group, *member, false),
            Action::Undo(step) => self.undo(step)?,
        })
    }

    pub(super) fn member(&mut self, id: MemberId) -> Result<&mut MemberState, StoreError> {
        let unread = || StoreError::database(format!("the plan names {id} without having read it"));
        let member = self.members.get_mut(&id).ok_or_else(unread)?;
        self.changed.entry(id).or_insert_with(|| member.clone());
        Ok(member)
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
            approval: None,
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
        if member.status != MemberStatus::Pending {
            member.status = MemberStatus::Suspended;
        }
        member.waiting_for = Some(WaitingFor::Seat);
        self.managed += i64::from(returned);
        Ok(event(AuditKind::MemberWaitlisted, "member", id.0, json!({})))
    }

    /// How records of other sources may mean the people and groups that changed.
    pub(super) fn known_as(&self) -> impl Iterator<Item = Known> {
        let changed = self.changed.keys().filter_map(|id| self.members.get(id)).chain(&self.created);
        let people = changed.flat_map(|member| {
            let external_id = member.profile.external_id.clone().map(Known::ExternalId);
            external_id.into_iter().chain([Known::Address(fold(&member.profile.email))])
        });
        let groups = self.groups.iter().chain(&self.renamed).map(|group| Known::Name(group.name_folded.clone()));
        people.chain(groups)
    }
}

fn directory_user(item: &Item) -> Option<DirectoryUserId> {
    match item.subject {
        Subject::DirectoryUser(user) => Some(user),
        _ => None,
    }
}

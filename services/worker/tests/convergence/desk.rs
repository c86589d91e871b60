//! A tenant whose worker is the test itself: one turn at a time, so that it can be cut off anywhere and started again.

use crate::office::{found, pages};
use crate::unannounced::Unannounced;
use chrono::TimeDelta;
use rollcall_core::clock::Clock;
use rollcall_core::guard::review;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, RunId, SharingGroupId, TenantId};
use rollcall_core::plan::plan;
use rollcall_core::policy::Policy;
use rollcall_scim::{GroupResource, UserResource};
use rollcall_store::{
    AdminScope, AuditFilter, Lease, LeaseAnswer, Member, MemberChange, MemberFilter, NewTenant, Run, RunDecision,
    RunItem, RunSeen, SourceScope, Store, StoreError,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const LEASE: TimeDelta = TimeDelta::seconds(10);

pub(crate) struct Desk {
    /// Its clock is moved by the desk alone.
    pub(crate) store: Store,
    pub(crate) api: AdminScope,
    pub(crate) tenant: TenantId,
    source: SourceScope,
}

/// Status, the status that a restore brings back, display name, external id, and whether a source manages the member.
type Standing = (String, Option<String>, Option<String>, Option<String>, bool);

/// The visible roster, under names that are the same in every tenant. Removed members are left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// By email.
    members: BTreeMap<String, Standing>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Picture {
    /// The number of people in a group.
    pub(crate) fn people_of(&self, group: &str) -> usize {
        self.groups.get(group).map_or(0, BTreeSet::len)
    }
}

pub(crate) fn attributes(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

impl Desk {
    pub(crate) async fn open(store: &Store, name: &str, policy: Policy) -> Self {
        let mut store = store.clone();
        store.clock = Clock::manual(Clock::System.now());
        let owner_email = Some("owner@x.test".to_owned());
        let new = NewTenant { name: name.to_owned(), seats: 100, policy, owner_email };
        let (tenant, source, api) = found(&store, &new).await;
        Self { store, api, tenant, source }
    }

    /// The lease of a worker that begins its turn.
    pub(crate) async fn lease(&self) -> Lease {
        self.take_lease().await.expect("a lease")
    }

    async fn take_lease(&self) -> Result<Lease, StoreError> {
        // Advances the clock, so that the lease of a worker that was cut off expires.
        self.store.clock.advance(LEASE * 2);
        let holder: Uuid = self.store.clock.new_id();
        loop {
            match self.store.lease(self.tenant, holder, LEASE).await? {
                LeaseAnswer::Granted(lease) => return Ok(lease),
                // No other worker runs here, so this is the back-off after several cut-offs.
                LeaseAnswer::Busy { until } => self.store.clock.advance(until - self.store.clock.now()),
                LeaseAnswer::NoTenant => panic!("there is one"),
            }
        }
    }

    /// Works until no change is left, in chunks of this many changes.
    pub(crate) async fn work_in(&self, chunk: usize) -> Result<(), StoreError> {
        self.turn(chunk, None::<fn() -> std::future::Ready<()>>).await?;
        Ok(())
    }

    /// As [`work`](Self::work), with `meanwhile` between the worker's first read and its apply. Returns the number of
    /// chunks whose plan was void.
    pub(crate) async fn work_while(&self, meanwhile: impl AsyncFnOnce()) -> usize {
        self.turn(500, Some(meanwhile)).await.expect("a turn")
    }

    async fn turn(&self, chunk: usize, mut meanwhile: Option<impl AsyncFnOnce()>) -> Result<usize, StoreError> {
        let lease = self.take_lease().await?;
        let mut in_vain = 0;
        while let Some(chunk) = self.store.next_chunk(&lease, chunk).await? {
            let verdict = review(plan(&chunk.world), &chunk.world);
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile().await;
            }
            match self.store.apply(&lease, &chunk, verdict).await {
                Ok(_) => {}
                Err(StoreError::Moved) => in_vain += 1,
                Err(other) => return Err(other),
            }
        }
        self.store.release(&lease).await?;
        Ok(in_vain)
    }

    pub(crate) async fn work(&self) {
        self.work_in(500).await.expect("a turn");
    }

    pub(crate) async fn hire(&self, name: &str) -> DirectoryUserId {
        let user = json!({ "userName": name, "externalId": name, "active": true,
                           "emails": [{ "value": format!("{name}@x.test") }] });
        self.record(attributes(user)).await
    }

    pub(crate) async fn record(&self, user: Map<String, Value>) -> DirectoryUserId {
        let user = UserResource::from_stored(user);
        self.store.create_user(&self.source, user).await.expect("a record").unannounced().id
    }

    pub(crate) async fn set(&self, user: DirectoryUserId, changes: Value) {
        let edit = |user: &rollcall_store::DirectoryUser| {
            let mut changed = user.resource.attributes().clone();
            changed.extend(attributes(changes.clone()));
            Ok::<_, StoreError>(UserResource::from_stored(changed))
        };
        self.store.change_user(&self.source, user, edit).await.expect("a change").unannounced();
    }

    pub(crate) async fn fire(&self, user: DirectoryUserId) {
        self.store.delete_user(&self.source, user, None).await.expect("a deletion").unannounced();
    }

    pub(crate) async fn group(&self, name: &str, members: &[DirectoryUserId]) -> DirectoryGroupId {
        let group = GroupResource::from_stored(attributes(json!({ "displayName": name })));
        let group = self.store.create_group(&self.source, group, &[]).await.expect("a group").unannounced().id;
        let no_edit = None::<fn(&rollcall_store::DirectoryGroup) -> Result<GroupResource, StoreError>>;
        let add = MemberChange::Add(members.to_vec());
        self.store.change_group(&self.source, group, None, no_edit, &[add]).await.expect("a change").unannounced();
        group
    }

    pub(crate) async fn set_members(&self, group: DirectoryGroupId, members: &[DirectoryUserId]) {
        let no_edit = None::<fn(&rollcall_store::DirectoryGroup) -> Result<GroupResource, StoreError>>;
        let replace = MemberChange::Replace(members.to_vec());
        self.store.change_group(&self.source, group, None, no_edit, &[replace]).await.expect("a change").unannounced();
    }

    pub(crate) async fn delete_group(&self, group: DirectoryGroupId) {
        self.store.delete_group(&self.source, group, None).await.expect("a deletion").unannounced();
    }

    pub(crate) async fn runs(&self) -> Vec<Run> {
        pages(async |page| self.store.runs(&self.api, None, &page).await).await
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        self.store.run(&self.api, id).await.expect("a run")
    }

    pub(crate) async fn items(&self, id: RunId) -> Vec<RunItem> {
        pages(async |page| self.store.run_items(&self.api, id, &page).await).await
    }

    pub(crate) async fn decide(&self, id: RunId, decision: RunDecision) -> Result<(), StoreError> {
        let digest = self.run(id).await.digest;
        let seen = RunSeen { digest: &digest, note: None };
        self.store.decide_run(&self.api, id, seen, decision).await.map(Unannounced::unannounced)
    }

    /// Asks for a rewind and lets the worker plan it.
    pub(crate) async fn plan_rewind(&self, id: RunId, chunk: usize) -> RunId {
        let rewind = self.store.rewind_run(&self.api, id).await.expect("a rewind").unannounced();
        self.work_in(chunk).await.expect("a turn");
        assert_eq!(self.run(rewind).await.state, "planned");
        rewind
    }

    /// Rewinds a run.
    pub(crate) async fn rewind(&self, id: RunId, chunk: usize) -> RunId {
        let rewind = self.plan_rewind(id, chunk).await;
        self.decide(rewind, RunDecision::Approve).await.expect("an approval");
        self.work_in(chunk).await.expect("a turn");
        rewind
    }

    pub(crate) async fn members(&self) -> Vec<Member> {
        pages(async |page| self.store.members(&self.api, &MemberFilter::default(), &page).await).await
    }

    pub(crate) async fn picture(&self) -> Picture {
        let present = self.members().await.into_iter().filter(|member| member.status != "removed");
        let shown =
            |m: Member| (m.email, (m.status, m.suspended_from, m.display_name, m.external_id, m.managed_by.is_some()));
        let members = present.map(shown).collect();
        let mut groups = BTreeMap::new();
        for group in pages(async |page| self.store.groups(&self.api, &page).await).await {
            let id = SharingGroupId(group.id);
            let inside = pages(async |page| self.store.group_members(&self.api, id, &page).await).await;
            groups.insert(group.name, inside.into_iter().map(|member| member.email).collect());
        }
        Picture { members, groups }
    }

    /// Differs after every commit other than that of a lease.
    pub(crate) async fn done(&self) -> Vec<(Uuid, String, chrono::DateTime<chrono::Utc>)> {
        self.runs().await.into_iter().map(|run| (run.id, run.state, run.modified_at)).collect()
    }

    /// The number of events of each kind, and the outcome of every run: the same in every tenant.
    pub(crate) async fn told(&self) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        let filter = AuditFilter::default();
        for event in pages(async |page| self.store.audit_events(&self.api, &filter, &page).await).await {
            *told.entry(event.kind).or_default() += 1;
        }
        for run in self.runs().await {
            for item in self.items(run.id.into()).await {
                *told.entry(format!("{}: {} {}", run.state, item.decision, item.action)).or_default() += 1;
            }
        }
        told
    }
}

/// Members of every kind, a group, and a run that changes them in every way: people leave, are deleted, renamed,
/// swapped and added, one group goes and one comes.
pub(crate) struct Upheaval {
    users: Vec<DirectoryUserId>,
    group: DirectoryGroupId,
}

impl Upheaval {
    pub(crate) async fn prepare(desk: &Desk) -> Self {
        let mut users = Vec::new();
        for name in ["ann", "bob", "cy", "dee", "eve"] {
            users.push(desk.hire(name).await);
        }
        let group = desk.group("Design", &users[..3]).await;
        desk.work().await;
        Self { users, group }
    }

    pub(crate) async fn happen(&self, desk: &Desk) {
        let mail = |name: &str| json!({ "emails": [{ "value": format!("{name}@x.test") }] });
        desk.set(self.users[0], mail("bob")).await;
        desk.set(self.users[1], mail("ann")).await;
        desk.set(self.users[2], json!({ "active": false })).await;
        desk.fire(self.users[3]).await;
        desk.set(self.users[4], json!({ "displayName": "Eve" })).await;
        desk.hire("flo").await;
        desk.delete_group(self.group).await;
        desk.group("Sales", &self.users[..1]).await;
    }

    /// The run that made most of the changes.
    pub(crate) async fn run(desk: &Desk) -> RunId {
        let mut largest = None;
        for run in desk.runs().await.into_iter().skip(1) {
            let items = desk.items(run.id.into()).await.len();
            if largest.is_none_or(|(most, _)| items > most) {
                largest = Some((items, run.id));
            }
        }
        let (items, id) = largest.expect("a run");
        assert!(items >= 8, "everything happens in one run: {items}");
        id.into()
    }
}

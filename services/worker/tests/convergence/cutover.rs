//! A tenant moves from one source to another and back (docs/design.md#the-idea, PE7), on the real store with real
//! workers.

use crate::engine;
use crate::office::pages;
use crate::unannounced::Unannounced;
use chrono::TimeDelta;
use rollcall_core::directory::{PeopleAfter, SourceKind, SourceMode, SourceSettings};
use rollcall_core::guard::review;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SharingGroupId, SourceId, TenantId};
use rollcall_core::plan::plan;
use rollcall_core::policy::{Onboarding, OverLimit, Policy};
use rollcall_core::roster::Role;
use rollcall_core::run::RunState;
use rollcall_runtime::{Lane, Metrics, Queue};
use rollcall_scim::{GroupResource, UserResource};
use rollcall_store::{
    AdminScope, AuditFilter, DirectoryUser, Lease, LeaseAnswer, Member, MemberFilter, NewApiKey, NewSource, NewTenant,
    Promotion, RunItem, SourceScope, Store, StoreError, digest,
};
use rollcall_worker::{Worker, WorkerConfig};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(120);

/// A tenant with two sources, the first one live, the second one in simulation.
#[derive(Clone)]
pub(crate) struct Move {
    pub(crate) store: Store,
    queue: Queue,
    metrics: Metrics,
    pub(crate) tenant: TenantId,
    pub(crate) api: AdminScope,
    pub(crate) first: SourceScope,
    pub(crate) second: SourceScope,
    stop: CancellationToken,
}

/// The managed fields of a member or a group, and the fields that an admin sees.
pub(crate) type People = BTreeMap<Uuid, (String, String, Option<String>, Option<String>)>;
pub(crate) type Groups = BTreeMap<Uuid, (String, BTreeSet<Uuid>)>;

impl Move {
    pub(crate) async fn open(store: Store, policy: Policy) -> Self {
        Self::with_seats(store, policy, 5_000).await
    }

    pub(crate) async fn with_seats(store: Store, policy: Policy, seats: u32) -> Self {
        let new = NewTenant { name: "Acme".into(), seats, policy, owner_email: Some("owner@x.test".into()) };
        let (tenant, slug) = store.create_tenant(&new).await.expect("a tenant");
        let operator = store.operator_scope(&slug).await.expect("a scope");
        let key = store.create_api_key(&operator, &NewApiKey::of(Role::Owner, "test")).await.expect("a key");
        let mut scopes = Vec::new();
        for mode in [SourceMode::Live, SourceMode::Simulate] {
            let new = NewSource {
                kind: SourceKind::Scim,
                mode,
                name: "IdP",
                settings: SourceSettings::default(),
                token_expires_at: None,
            };
            let (_, token) = store.create_source(&operator, &new).await.expect("a source");
            let token = store.credential(&digest(&token.secret)).await.expect("a look-up").expect("a credential");
            scopes.push(SourceScope::of_token(&token).expect("a source"));
        }
        let key = store.credential(&digest(&key.secret)).await.expect("a look-up").expect("a credential");
        let api = AdminScope::of_key(&key).expect("a key");
        let metrics = Metrics::new().expect("metrics");
        let queue = Queue::in_process(metrics.clone());
        let stop = CancellationToken::new();
        Self { store, queue, metrics, tenant, api, first: scopes[0], second: scopes[1], stop }
    }

    pub(crate) fn federated() -> Policy {
        Policy { onboarding: Onboarding::Federated, ..Policy::default() }
    }

    pub(crate) fn work(&self) {
        let config = WorkerConfig {
            push_concurrency: 1,
            bulk_concurrency: 1,
            chunk_changes_max: 100,
            lease_ttl: Duration::from_secs(10),
            sweep_interval: Duration::from_millis(50),
            run_retention: Duration::from_secs(90 * 86_400),
        };
        let worker = Worker::new(self.store.clone(), self.queue.clone(), self.metrics.clone(), config);
        tokio::spawn(worker.run(self.stop.clone()));
    }

    pub(crate) async fn rest(&self) {
        let begun = Instant::now();
        self.queue.wake(self.tenant.0, Lane::Push);
        while self.store.due_tenants(None, 1_000).await.expect("an answer").contains(&self.tenant) {
            assert!(begun.elapsed() < PATIENCE, "the worker does not come to rest");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn take_lease(&self) -> Lease {
        match self.store.lease(self.tenant, Uuid::from_u128(7), TimeDelta::seconds(60)).await.expect("an answer") {
            LeaseAnswer::Granted(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    /// Reconciles until no change is left, for a tenant without workers.
    pub(crate) async fn settle(&self) {
        let lease = self.take_lease().await;
        while let Some(mut chunk) = self.store.next_chunk(&lease, 100).await.expect("a chunk") {
            for candidate in &mut chunk.candidates {
                candidate.plan = plan(&candidate.world);
            }
            let verdict = review(plan(&chunk.world), &chunk.world);
            self.store.apply(&lease, &chunk, verdict).await.expect("an application");
        }
        self.store.release(&lease).await.expect("a release");
    }

    pub(crate) async fn person(&self, source: &SourceScope, name: &str, external_id: &str) -> DirectoryUserId {
        self.person_at(source, name, external_id, &format!("{name}@x.test")).await
    }

    pub(crate) async fn person_at(
        &self,
        source: &SourceScope,
        name: &str,
        external_id: &str,
        email: &str,
    ) -> DirectoryUserId {
        let attributes = json!({ "userName": name, "externalId": external_id, "active": true, "displayName": name,
            "emails": [{ "value": email, "primary": true }] });
        let user = UserResource::from_stored(object(attributes));
        self.store.create_user(source, user).await.expect("a user").unannounced().id
    }

    pub(crate) async fn set(&self, source: &SourceScope, user: DirectoryUserId, attribute: &str, value: Value) {
        let edit = |user: &DirectoryUser| {
            let mut attributes = user.resource.attributes().clone();
            attributes.insert(attribute.into(), value.clone());
            Ok::<_, StoreError>(UserResource::from_stored(attributes))
        };
        self.store.change_user(source, user, edit).await.expect("a change").unannounced();
        self.queue.wake(self.tenant.0, Lane::Push);
    }

    pub(crate) async fn group(&self, source: &SourceScope, name: &str, users: &[DirectoryUserId]) -> DirectoryGroupId {
        let group = GroupResource::from_stored(object(json!({ "displayName": name })));
        self.store.create_group(source, group, users).await.expect("a group").unannounced().id
    }

    pub(crate) async fn preview(&self, source: &SourceScope) -> Promotion {
        self.store.promotion(&self.api, source.source()).await.expect("a preview")
    }

    pub(crate) async fn items(&self, source: &SourceScope) -> Vec<RunItem> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = self.store.promotion_items(&self.api, source.source(), 3, cursor.as_deref()).await;
            let page = page.expect("a page");
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return items;
            }
        }
    }

    /// Reads the preview and promotes by its digest; reads again when the digest is outdated, as an admin would.
    pub(crate) async fn promote(&self, source: &SourceScope) {
        let begun = Instant::now();
        loop {
            let digest = self.preview(source).await.digest;
            match self.store.promote(&self.api, source.source(), &digest).await {
                Ok(_) => return self.queue.wake(self.tenant.0, Lane::Push),
                Err(StoreError::Stale) => assert!(begun.elapsed() < PATIENCE, "the plan never holds still"),
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn members(&self) -> Vec<Member> {
        pages(async |page| self.store.members(&self.api, &MemberFilter::default(), &page).await).await
    }

    pub(crate) async fn people(&self) -> People {
        let row = |m: Member| (m.id, (m.email, m.status, m.display_name, m.external_id));
        self.members().await.into_iter().map(row).collect()
    }

    pub(crate) async fn groups(&self) -> Groups {
        let mut groups = Groups::new();
        for group in pages(async |page| self.store.groups(&self.api, &page).await).await {
            let id = SharingGroupId(group.id);
            let inside = pages(async |page| self.store.group_members(&self.api, id, &page).await).await;
            groups.insert(group.id, (group.name, inside.into_iter().map(|member| member.id).collect()));
        }
        groups
    }

    pub(crate) async fn events(&self) -> BTreeMap<String, usize> {
        let filter = AuditFilter::default();
        let events = pages(async |page| self.store.audit_events(&self.api, &filter, &page).await).await;
        let mut counts = BTreeMap::new();
        for event in events {
            *counts.entry(event.kind).or_default() += 1;
        }
        counts
    }

    pub(crate) async fn status(&self, name: &str) -> String {
        let member = self.members().await.into_iter().find(|member| member.email == format!("{name}@x.test"));
        member.unwrap_or_else(|| panic!("no member {name}")).status
    }
}

pub(crate) fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

#[test]
fn pe11_a_thousand_people_move_to_another_source_and_back_and_nothing_else_happens() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        office.work();
        for (source, prefix) in [(&office.first, "ad"), (&office.second, "okta")] {
            let mut users = Vec::new();
            for number in 0..1_000 {
                // Half of them share the anchor, the others only the address.
                let anchor = if number % 2 == 0 { format!("{number}") } else { format!("{prefix}-{number}") };
                users.push(office.person(source, &format!("p{number}"), &anchor).await);
            }
            for (number, group) in users.chunks(100).enumerate() {
                office.group(source, &format!("Team {number}"), group).await;
            }
            office.rest().await;
        }
        let (people, groups, events) = (office.people().await, office.groups().await, office.events().await);
        let identities = |people: &People| -> Vec<(Uuid, String, String)> {
            people.iter().map(|(id, (email, status, ..))| (*id, email.clone(), status.clone())).collect()
        };
        assert_eq!(people.len(), 1_001, "{engine}");
        let preview = office.preview(&office.second).await;
        assert_eq!(
            (preview.people.transferred, preview.people.new, preview.people.leaving),
            (1_000, 0, 0),
            "{preview:?}"
        );
        assert_eq!((preview.groups.same, preview.groups.created, preview.groups.removed), (10, 0, 0), "{preview:?}");
        assert_eq!((preview.memberships.added, preview.memberships.removed), (0, 0), "{preview:?}");
        assert_eq!(office.people().await, people, "a preview changes nothing");

        office.promote(&office.second).await;
        office.rest().await;
        assert_eq!(identities(&office.people().await), identities(&people), "{engine}: the same members");
        assert_eq!(office.groups().await, groups, "{engine}: the same groups");
        let mut expected = events.clone();
        for (kind, more) in [("member.relinked", 1_000), ("sharing_group.adopted", 10), ("source.promoted", 1)] {
            *expected.entry(kind.into()).or_default() += more;
        }
        *expected.entry("source.mode_changed".into()).or_default() += 2;
        assert_eq!(office.events().await, expected, "{engine}: links moved, and nothing else");

        office.promote(&office.first).await;
        office.rest().await;
        assert_eq!(office.people().await, people, "{engine}: and back");
        assert_eq!(office.groups().await, groups, "{engine}: and back");
        office.stop.cancel();
    });
}

#[test]
fn pe11_whom_the_new_source_lacks_leaves_under_the_removal_limit_and_comes_back_with_the_old_one() {
    engine::on_each_engine(async |store: Store, engine| {
        let policy = Policy { over_limit: OverLimit::Hold, ..Move::federated() };
        let office = Move::open(store, policy).await;
        office.work();
        let mut old = Vec::new();
        for number in 0..30 {
            old.push(office.person(&office.first, &format!("p{number}"), &format!("{number}")).await);
        }
        office.group(&office.first, "Everybody", &old).await;
        office.group(&office.first, "Old only", &old[..3]).await;
        office.rest().await;
        let (people, groups) = (office.people().await, office.groups().await);
        let mut new = Vec::new();
        for number in 12..31 {
            new.push(office.person(&office.second, &format!("p{number}"), &format!("{number}")).await);
        }
        office.group(&office.second, "everybody", &new[1..]).await;
        office.rest().await;

        let preview = office.preview(&office.second).await;
        assert_eq!(
            (preview.people.transferred, preview.people.new, preview.people.leaving),
            (18, 1, 12),
            "{preview:?}"
        );
        assert_eq!((preview.groups.same, preview.groups.renamed, preview.groups.removed), (0, 1, 1), "{preview:?}");
        assert_eq!((preview.memberships.added, preview.memberships.removed), (0, 1), "{preview:?}");
        assert_eq!((preview.removal_limit.allowed, preview.removal_limit.over), (10, 2), "{preview:?}");
        assert_eq!(preview.spelled_differently[0].before, "Everybody");
        assert_eq!(preview.spelled_differently[0].after, "everybody");
        let items = office.items(&office.second).await;
        let of = |action: &str| items.iter().filter(|item| item.action == action).count();
        assert_eq!((of("relink"), of("provision"), of("suspend"), of("remove_group")), (18, 1, 12, 1), "{items:#?}");
        assert_eq!((office.people().await, office.groups().await), (people.clone(), groups.clone()));

        office.promote(&office.second).await;
        office.rest().await;
        let after = office.members().await;
        let with = |status: &str| after.iter().filter(|member| member.status == status).count();
        assert_eq!((with("active"), with("suspended")), (1 + 19 + 2, 10), "{engine}: ten leave, two are held");
        let held = pages(async |page| office.store.runs(&office.api, Some(RunState::Held), &page).await).await;
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(held[0].source_id, Some(office.second.source().0), "decided by the new authority");

        let back = office.preview(&office.first).await;
        assert_eq!((back.people.transferred, back.people.restored, back.people.leaving), (30, 10, 1), "{back:?}");
        office.promote(&office.first).await;
        office.rest().await;
        let mut restored = office.people().await;
        restored.retain(|id, _| people.contains_key(id));
        assert_eq!(restored, people, "{engine}: all people are back as they were");
        // People of the other source alone would be removed too, but ten have left within a day already.
        assert_eq!(office.status("p30").await, "active", "{engine}");
        let held = pages(async |page| office.store.runs(&office.api, Some(RunState::Held), &page).await).await;
        let counts: Vec<&Value> = held.iter().map(|run| &run.counts).collect();
        assert_eq!(counts, [&json!({ "suspend": 1 })], "{engine}: {held:?}");
        let names: BTreeSet<String> = office.groups().await.into_values().map(|(name, _)| name).collect();
        assert_eq!(names, BTreeSet::from(["Everybody".to_owned(), "Old only".to_owned()]));
        office.stop.cancel();
    });
}

#[test]
fn pe11_a_worker_in_the_middle_of_a_chunk_does_not_write_over_the_flip() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        let ann = office.person(&office.first, "ann", "1").await;
        office.person(&office.second, "ann", "1").await;
        office.settle().await;
        // The old authority disables ann; a worker plans that and is cut off before it applies.
        office.set(&office.first, ann, "active", json!(false)).await;
        let paused = office.take_lease().await;
        let chunk = office.store.next_chunk(&paused, 100).await.expect("a chunk").expect("a change");
        let verdict = review(plan(&chunk.world), &chunk.world);
        assert_eq!(verdict.apply.len(), 1, "the suspension");
        let digest = office.preview(&office.second).await.digest;
        office.store.promote(&office.api, office.second.source(), &digest).await.expect("a promotion").unannounced();
        let late = office.store.apply(&paused, &chunk, verdict).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{engine}: {late:?}");
        assert_eq!(office.status("ann").await, "active", "{engine}");
        office.settle().await;
        assert_eq!(office.status("ann").await, "active", "{engine}: the new authority has ann");
        let back = office.preview(&office.first).await;
        assert_eq!(back.people.suspended, 1, "{engine}: what the former one said is in its own plan: {back:?}");
    });
}

#[test]
fn pe11_pushes_of_either_source_during_the_flip_are_neither_lost_nor_applied_twice() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        office.work();
        office.work();
        let mut users = BTreeMap::new();
        for source in [office.first, office.second] {
            for number in 0..8 {
                let id = office.person(&source, &format!("p{number}"), &format!("{number}")).await;
                users.insert((source.source().0, number), id);
            }
        }
        office.rest().await;
        let writers = [office.first, office.second].map(|source| {
            let (office, users) = (office.clone(), users.clone());
            tokio::spawn(async move {
                for round in 0..12 {
                    for number in 0..8 {
                        let name = format!("{} {round}", source.source());
                        office.set(&source, users[&(source.source().0, number)], "displayName", json!(name)).await;
                    }
                    tokio::time::sleep(Duration::from_millis(60)).await;
                }
            })
        });
        for source in [office.second, office.first, office.second] {
            office.promote(&source).await;
        }
        for writer in writers {
            writer.await.expect("a writer that ends");
        }
        office.rest().await;
        let last = format!("{} 11", office.second.source());
        let members = office.members().await;
        let managed: Vec<_> = members.iter().filter(|member| member.managed_by.is_some()).collect();
        assert_eq!(managed.len(), 8, "{engine}: {managed:#?}");
        for member in &managed {
            assert_eq!(member.display_name.as_ref(), Some(&last), "{engine}: the authority's last name");
            assert_eq!((member.status.as_str(), member.managed_by), ("active", Some(office.second.source().0)));
        }
        // Each update starts from the state that the one before left.
        let events =
            pages(async |page| office.store.audit_events(&office.api, &AuditFilter::default(), &page).await).await;
        let mut names: BTreeMap<Uuid, Value> = BTreeMap::new();
        for event in events.iter().filter(|event| event.kind == "member.updated") {
            let detail = event.detail.as_ref().expect("a detail").tree();
            let before = names.insert(event.subject_id, detail["after"]["display_name"].clone());
            assert_ne!(detail["before"], detail["after"], "{engine}: {event:?}");
            if let Some(before) = before {
                assert_eq!(detail["before"]["display_name"], before, "{engine}: {event:?}");
            }
        }
        // The plan of the other source would restore the former state.
        let back = office.preview(&office.first).await;
        assert_eq!((back.people.transferred, back.people.leaving, back.people.new), (8, 0, 0), "{engine}: {back:?}");
        assert_eq!(back.people.profile_changes, 8, "{engine}: {back:?}");
        office.stop.cancel();
    });
}

#[test]
fn dx3_the_plan_of_a_candidate_is_one_run_that_follows_what_both_sources_say() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        office.work();
        let ann = office.person(&office.second, "ann", "1").await;
        let bob = office.person(&office.second, "bob", "b").await;
        office.rest().await;
        let preview = office.preview(&office.second).await;
        assert_eq!((preview.people.new, preview.people.transferred), (2, 0), "{engine}: {preview:?}");
        // The authority has ann by address, and bob under an anchor of its own.
        office.person(&office.first, "ann", "1").await;
        office.person(&office.first, "bob", "other").await;
        office.rest().await;
        let preview = office.preview(&office.second).await;
        assert_eq!((preview.people.new, preview.people.transferred), (0, 2), "{engine}: {preview:?}");
        let reasons: BTreeSet<String> = office.items(&office.second).await.into_iter().map(|item| item.why).collect();
        assert_eq!(reasons, BTreeSet::from(["matched_by_email".to_owned(), "matched_by_external_id".to_owned()]));
        // A second record for ann is disputed, and she keeps her access.
        office.person_at(&office.second, "ann2", "1", "ann2@x.test").await;
        office.rest().await;
        office.set(&office.second, ann, "active", json!(false)).await;
        office.store.delete_user(&office.second, bob, None).await.expect("a deletion").unannounced();
        office.rest().await;
        let preview = office.preview(&office.second).await;
        assert_eq!((preview.people.leaving, preview.people.suspended), (1, 1), "{engine}: {preview:?}");
        assert_eq!(preview.disputed, 1, "{engine}: {preview:?}");
        let runs = pages(async |page| office.store.runs(&office.api, Some(RunState::Planned), &page).await).await;
        assert_eq!(runs.len(), 1, "{engine}: {runs:?}");
        let stale = office.store.promote(&office.api, office.second.source(), &"0".repeat(64)).await;
        assert!(matches!(stale, Err(StoreError::Stale)), "{engine}: {stale:?}");
        office.stop.cancel();
    });
}

#[test]
fn pe7_a_detached_source_leaves_its_people_or_takes_them_along() {
    engine::on_each_engine(async |store: Store, engine| {
        for people in [PeopleAfter::Keep, PeopleAfter::Remove] {
            let policy = Policy { over_limit: OverLimit::Hold, ..Move::federated() };
            let office = Move::open(store.clone(), policy).await;
            office.work();
            let mut users = Vec::new();
            for number in 0..12 {
                users.push(office.person(&office.first, &format!("p{number}"), &format!("{number}")).await);
            }
            office.group(&office.first, "Everybody", &users).await;
            office.rest().await;
            let (before, groups) = (office.people().await, office.groups().await);
            let first: SourceId = office.first.source();
            let plan = office.store.detachment(&office.api, first, people).await.expect("a plan");
            assert_eq!((plan.members, plan.groups), (12, 1), "{engine}: {plan:?}");
            let items =
                pages(async |page| office.store.detachment_items(&office.api, first, people, &page).await).await;
            assert!(items.len() >= 12, "{items:?}");
            assert_eq!(office.people().await, before, "a plan changes nothing");
            let stale = office.store.detach(&office.api, first, people, &"0".repeat(64)).await;
            assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
            office.store.detach(&office.api, first, people, &plan.digest).await.expect("a detachment").unannounced();
            office.rest().await;
            let source = office.store.source(&office.api, first).await.expect("a source");
            assert_eq!(source.mode, "off");
            let members = office.members().await;
            let with = |status: &str| members.iter().filter(|member| member.status == status).count();
            if people == PeopleAfter::Keep {
                assert_eq!((office.people().await, office.groups().await), (before, groups), "{engine}");
                assert!(members.iter().all(|member| member.managed_by.is_none()), "{engine}: {members:#?}");
            } else {
                assert_eq!((with("active"), with("suspended")), (3, 10), "{engine}: two are held, the owner stays");
                let held = pages(async |page| office.store.runs(&office.api, Some(RunState::Held), &page).await).await;
                assert_eq!(held.len(), 1, "{engine}: {held:?}");
                assert_eq!(held[0].held_reasons, json!(["group_wipe", "member_removal_over_limit"]));
                assert_eq!(office.groups().await.len(), 1, "{engine}: their group of twelve is held too");
                office
                    .store
                    .change_source(&office.api, first, SourceMode::Live.into())
                    .await
                    .expect("a switch")
                    .unannounced();
                office.rest().await;
                assert_eq!(office.people().await, before, "{engine}: attached again, all people are back");
                let inside = |groups: Groups| groups.into_values().collect::<Vec<_>>();
                assert_eq!(inside(office.groups().await), inside(groups), "{engine}: and their group");
            }
            office.stop.cancel();
        }
    });
}

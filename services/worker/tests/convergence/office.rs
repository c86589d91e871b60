//! A tenant with its workers: plays logs through the store's methods, waits until no change is left, and reads the
//! visible roster.

use crate::log::{ExpectedMember, Log, Write, first_email, first_name};
use crate::unannounced::Unannounced;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SharingGroupId, TenantId};
use rollcall_core::policy::{Limit, OnDeleted, Onboarding, Policy};
use rollcall_core::roster::Role;
use rollcall_runtime::{Lane, Metrics, Queue};
use rollcall_scim::{GroupResource, UserResource};
use rollcall_store::{
    AdminScope, DirectoryGroup, ListOrder, MemberChange, MemberFilter, NewApiKey, NewSource, NewTenant, Page,
    PageRequest, SourceScope, Store, StoreError, digest,
};
use rollcall_worker::{Worker, WorkerConfig};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const WRITERS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// Number of effective writes of each kind, which is the expected number of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed(pub(crate) BTreeMap<&'static str, usize>);

pub(crate) struct Roster {
    pub(crate) members: BTreeMap<String, ExpectedMember>,
    pub(crate) groups: BTreeMap<String, BTreeSet<String>>,
}

/// Current ids of the source's resources.
#[derive(Default)]
struct Ids {
    users: BTreeMap<usize, DirectoryUserId>,
    groups: BTreeMap<usize, DirectoryGroupId>,
}

#[derive(Clone)]
struct Writer {
    store: Store,
    queue: Queue,
    tenant: TenantId,
    source: SourceScope,
    ids: Arc<Mutex<Ids>>,
    changed: Arc<Mutex<Changed>>,
}

pub(crate) struct Office {
    pub(crate) store: Store,
    pub(crate) api: AdminScope,
    writer: Writer,
    stop: CancellationToken,
    workers: Vec<JoinHandle<()>>,
}

impl Office {
    /// A tenant without an open invitation (DX13 depends on when it was sent), with seats and limits that are never
    /// reached (the last seat depends on the order).
    pub(crate) async fn open(store: Store, workers: usize, seed: u64, name: &str) -> Self {
        let policy = Policy {
            onboarding: Onboarding::Federated,
            on_deleted: if seed.is_multiple_of(2) { OnDeleted::Remove } else { OnDeleted::Suspend },
            removal_limit: Limit { count: 10_000, ..Limit::default() },
            ..Policy::default()
        };
        let owner_email = Some("owner@x.test".to_owned());
        Self::open_tenant(store, workers, NewTenant { name: name.to_owned(), seats: 1_000, policy, owner_email }).await
    }

    pub(crate) async fn open_tenant(store: Store, workers: usize, new: NewTenant) -> Self {
        let (tenant, source, api) = found(&store, &new).await;
        let metrics = Metrics::new().expect("metrics");
        let queue = Queue::in_process(metrics.clone());
        let stop = CancellationToken::new();
        let config = WorkerConfig {
            push_concurrency: 2,
            bulk_concurrency: 2,
            chunk_changes_max: 7,
            lease_ttl: Duration::from_secs(2),
            sweep_interval: Duration::from_millis(200),
            run_retention: Duration::from_secs(90 * 86_400),
        };
        let work = |_| {
            let worker = Worker::new(store.clone(), queue.clone(), metrics.clone(), config.clone());
            tokio::spawn(worker.run(stop.clone()))
        };
        let workers = (0..workers).map(work).collect();
        let (ids, changed) = Default::default();
        let writer = Writer { store: store.clone(), queue, tenant, source, ids, changed };
        Self { store, api, writer, stop, workers }
    }

    pub(crate) async fn replay(&mut self, log: &Log, order: u64) -> Changed {
        for phase in 0..log.phases() {
            let writers = log.interleaved(phase, order, WRITERS).into_iter().map(|writes| {
                let writer = self.writer.clone();
                tokio::spawn(async move {
                    for write in writes {
                        writer.write(&write).await.unwrap_or_else(|error| panic!("{write:?}: {error}"));
                    }
                })
            });
            for writer in writers.collect::<Vec<_>>() {
                writer.await.expect("a writer that ends");
            }
            // A person who comes and goes between two chunks never becomes a member, so the first phase is reconciled
            // before anybody leaves.
            if phase == 0 {
                self.rest().await;
            }
        }
        self.rest().await;
        self.writer.changed.lock().expect("no panic").clone()
    }

    /// Waits until every change is consumed. Follow-ups are committed with their cause, so none is in flight.
    pub(crate) async fn rest(&self) {
        let begun = Instant::now();
        while self.store.due_tenants(None, 10).await.expect("an answer").contains(&self.writer.tenant) {
            assert!(begun.elapsed() < PATIENCE, "the worker does not come to rest");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.writer.tenant
    }

    /// May repeat, because a wake-up carries no facts.
    pub(crate) fn wake(&self) {
        self.writer.queue.wake(self.writer.tenant.0, Lane::Push);
    }

    /// The scope of the tenant's identity provider.
    pub(crate) fn source(&self) -> SourceScope {
        self.writer.source
    }

    /// Stops the workers and reads the roster.
    pub(crate) async fn close(&mut self) -> Roster {
        self.stop.cancel();
        for worker in self.workers.drain(..) {
            worker.await.expect("an orderly end");
        }
        let members = pages(async |page| self.store.members(&self.api, &MemberFilter::default(), &page).await).await;
        let managed = members.into_iter().filter_map(|member| Some((member.external_id.clone()?, member)));
        let present = Log::present();
        let member = |(label, member): (String, rollcall_store::Member)| {
            let status = if member.status == "removed" { "suspended".to_owned() } else { member.status };
            let profile = present.contains(&label).then_some((member.email, member.display_name));
            (label, ExpectedMember { status, profile })
        };
        let members = managed.map(member).collect();
        let mut groups = BTreeMap::new();
        for group in pages(async |page| self.store.groups(&self.api, &page).await).await {
            let id = SharingGroupId(group.id);
            let inside = pages(async |page| self.store.group_members(&self.api, id, &page).await).await;
            let labels = inside.into_iter().filter_map(|member| member.external_id);
            groups.insert(group.name, labels.filter(|label| present.contains(label)).collect());
        }
        Roster { members, groups }
    }
}

/// A tenant with a live source and an owner's key.
pub(crate) async fn found(store: &Store, new: &NewTenant) -> (TenantId, SourceScope, AdminScope) {
    let (tenant, slug) = store.create_tenant(new).await.expect("a tenant");
    let operator = store.operator_scope(&slug).await.expect("a scope");
    let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
    let new = NewSource { kind, mode, name: "IdP", settings: SourceSettings::default(), token_expires_at: None };
    let (_, token) = store.create_source(&operator, &new).await.expect("a source");
    let key = store.create_api_key(&operator, &NewApiKey::of(Role::Owner, "test")).await.expect("a key");
    let token = store.credential(&digest(&token.secret)).await.expect("a look-up").expect("a credential");
    let key = store.credential(&digest(&key.secret)).await.expect("a look-up").expect("a credential");
    (tenant, SourceScope::of_token(&token).expect("a source"), AdminScope::of_key(&key).expect("a key"))
}

/// All rows of a list. It is read from its end, where rows are shown as soon as they are committed.
pub(crate) async fn pages<T>(fetch: impl AsyncFn(PageRequest) -> Result<Page<T>, StoreError>) -> Vec<T> {
    let mut all = Vec::new();
    let mut request = PageRequest { order: ListOrder::Descending, ..PageRequest::first(200) };
    loop {
        let page = fetch(request).await.expect("a page");
        all.extend(page.items);
        request = request.after(page.next);
        if page.next.is_none() {
            all.reverse();
            return all;
        }
    }
}

impl Writer {
    fn user(&self, user: usize) -> DirectoryUserId {
        self.ids.lock().expect("no panic").users[&user]
    }

    fn group(&self, group: usize) -> DirectoryGroupId {
        self.ids.lock().expect("no panic").groups[&group]
    }

    async fn write(&self, write: &Write) -> Result<(), StoreError> {
        let (kind, changed) = self.perform(write).await?;
        if changed {
            *self.changed.lock().expect("no panic").0.entry(kind).or_default() += 1;
            self.queue.wake(self.tenant.0, Lane::Push);
        }
        Ok(())
    }

    /// Returns the kinds of the expected events, and whether the write changed something.
    async fn perform(&self, write: &Write) -> Result<(&'static str, bool), StoreError> {
        let (store, source) = (&self.store, &self.source);
        Ok(match write {
            Write::Create { user } => {
                let attributes = json!({
                    "userName": format!("user{user}"), "externalId": format!("u{user}"), "active": true,
                    "emails": [{ "value": first_email(*user), "primary": true }],
                });
                let created =
                    store.create_user(source, UserResource::from_stored(into_map(attributes))).await?.unannounced();
                self.ids.lock().expect("no panic").users.insert(*user, created.id);
                ("directory_user.created", true)
            }
            Write::CreateGroup { group } => {
                let attributes = json!({ "displayName": first_name(*group) });
                let created = store
                    .create_group(source, GroupResource::from_stored(into_map(attributes)), &[])
                    .await?
                    .unannounced();
                self.ids.lock().expect("no panic").groups.insert(*group, created.id);
                ("directory_group.created", true)
            }
            Write::Name { user, name } => self.edit(*user, "displayName", json!(name)).await?,
            Write::Mail { user, email } => {
                self.edit(*user, "emails", json!([{ "value": email, "primary": true }])).await?
            }
            Write::Active { user, active } => self.edit(*user, "active", json!(active)).await?,
            Write::Rename { group, name } => {
                let edit = |group: &DirectoryGroup| {
                    let mut attributes = group.resource.attributes().clone();
                    attributes.insert("displayName".into(), json!(name));
                    Ok::<_, StoreError>(GroupResource::from_stored(attributes))
                };
                let written =
                    store.change_group(source, self.group(*group), None, Some(edit), &[]).await?.unannounced();
                ("directory_group.updated", written.changed)
            }
            Write::Membership { group, user, inside: true } => {
                let change = MemberChange::Add(vec![self.user(*user)]);
                ("membership", self.change_members(*group, change).await?)
            }
            Write::Membership { group, user, inside: false } => {
                let change = MemberChange::Remove(vec![self.user(*user)]);
                ("membership", self.change_members(*group, change).await?)
            }
            Write::Replace { group, users } => {
                let change = MemberChange::Replace(users.iter().map(|user| self.user(*user)).collect());
                ("membership replaced", self.change_members(*group, change).await?)
            }
            Write::Delete { user } => {
                store.delete_user(source, self.user(*user), None).await?.unannounced();
                ("directory_user.deleted", true)
            }
            Write::DeleteGroup { group } => {
                store.delete_group(source, self.group(*group), None).await?.unannounced();
                ("directory_group.deleted", true)
            }
        })
    }

    async fn edit(&self, user: usize, attribute: &str, value: Value) -> Result<(&'static str, bool), StoreError> {
        let edit = |user: &rollcall_store::DirectoryUser| {
            let mut attributes = user.resource.attributes().clone();
            attributes.insert(attribute.into(), value.clone());
            Ok::<_, StoreError>(UserResource::from_stored(attributes))
        };
        let written = self.store.change_user(&self.source, self.user(user), edit).await?.unannounced();
        Ok(("directory_user.updated", written.changed))
    }

    async fn change_members(&self, group: usize, change: MemberChange) -> Result<bool, StoreError> {
        let no_edit = None::<fn(&DirectoryGroup) -> Result<GroupResource, StoreError>>;
        Ok(self
            .store
            .change_group(&self.source, self.group(group), None, no_edit, &[change])
            .await?
            .unannounced()
            .changed)
    }
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

impl Office {
    /// Every member's email and status by id, and every group with the ids of its members, as stored.
    pub(crate) async fn stored(&self) -> (BTreeMap<Uuid, (String, String)>, BTreeMap<Uuid, (String, BTreeSet<Uuid>)>) {
        let members = pages(async |page| self.store.members(&self.api, &MemberFilter::default(), &page).await).await;
        let members = members.into_iter().map(|member| (member.id, (member.email, member.status))).collect();
        let mut groups = BTreeMap::new();
        for group in pages(async |page| self.store.groups(&self.api, &page).await).await {
            let id = SharingGroupId(group.id);
            let inside = pages(async |page| self.store.group_members(&self.api, id, &page).await).await;
            groups.insert(group.id, (group.name, inside.into_iter().map(|member| member.id).collect()));
        }
        (members, groups)
    }
}

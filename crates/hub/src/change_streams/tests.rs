//! Streams over a database of their own (SQLite), looked at by hand instead of twice a second.

use super::*;
use crate::{CredentialUses, KnownSessions, SharedQuotaBook};
use rollcall_core::clock::Clock;
use rollcall_core::policy::Policy;
use rollcall_core::roster::Role;
use rollcall_runtime::{Cache, Queue};
use rollcall_store::{NewApiKey, NewTenant, Store, StoreConfig, Synchronous, WorkLimits};
use serde_json::{Map, json};
use uuid::Uuid;

/// No event is waited for longer than a test wants to know that there is none.
const AT_ONCE: Duration = Duration::ZERO;

struct Scene {
    hub: Hub,
    scope: AdminScope,
    file: std::path::PathBuf,
}

impl Scene {
    async fn new(streams: usize) -> Self {
        let id: Uuid = Clock::System.new_id();
        let file = std::env::temp_dir().join(format!("rollcall-streams-{}.db", id.simple()));
        let config = StoreConfig {
            url: format!("sqlite://{}", file.display()),
            max_connections: 2,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::ZERO,
            sqlite_synchronous: Synchronous::Normal,
            limits: WorkLimits::default(),
        };
        let store = Store::connect(&config, Clock::System).await.expect("a database");
        store.migrate().await.expect("the schema");
        let metrics = Metrics::new().expect("metrics");
        let hub = Hub {
            store,
            queue: Queue::in_process(metrics.clone()),
            cache: Cache::in_process(),
            metrics,
            uses: CredentialUses::default(),
            sessions: KnownSessions::default(),
            quotas: SharedQuotaBook::default(),
            streams: ChangeStreams::new(streams),
        };
        let scope = tenant(&hub, "One").await;
        Self { hub, scope, file }
    }

    async fn key(&self) -> CredentialId {
        let key = self.hub.store.create_api_key(&self.scope, &NewApiKey::of(Role::Admin, "")).await;
        key.expect("a key").id
    }

    async fn listen(&self, key: CredentialId, lists: &[ChangedList]) -> Result<Listener, NoStream> {
        let wanted = lists.iter().copied().collect();
        self.hub.listen(self.scope, ListenerKey::Credential(key), wanted, None).await
    }

    async fn change_policy(&self) {
        let now = self.hub.store.policy(&self.scope).await.expect("a policy").policy;
        let changes = Map::from_iter([("approval".to_owned(), json!(!now.approval))]);
        let changed = self.hub.store.change_policy(&self.scope, &changes, None, 0).await.expect("a change");
        self.hub.after_commit(changed).await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

async fn tenant(hub: &Hub, name: &str) -> AdminScope {
    let new = NewTenant { name: name.into(), seats: 9, policy: Policy::default(), owner_email: None };
    let (_, slug) = hub.store.create_tenant(&new).await.expect("a tenant");
    hub.store.operator_scope(&slug).await.expect("a scope")
}

fn lists(news: News) -> Vec<ChangedList> {
    match news {
        News::Changed(lists, _) => lists.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn changes_become_one_until_they_are_taken() {
    let scene = Scene::new(20).await;
    let key = scene.key().await;
    let mut all = scene.listen(key, ChangedList::ALL).await.expect("a stream");
    let mut members = scene.listen(key, &[ChangedList::Members]).await.expect("a stream");
    scene.change_policy().await;
    scene.hub.look_once().await;
    scene.change_policy().await;
    scene.hub.look_once().await;
    assert_eq!(lists(all.next(AT_ONCE).await), [ChangedList::Policy, ChangedList::AuditEvents]);
    assert_eq!(all.next(AT_ONCE).await, News::Nothing);
    assert_eq!(members.next(AT_ONCE).await, News::Nothing, "it wants to hear of members alone");
    scene.hub.look_once().await;
    assert_eq!(all.next(AT_ONCE).await, News::Nothing, "each change is told once");
}

#[tokio::test]
async fn another_tenant_hears_nothing() {
    let scene = Scene::new(20).await;
    let other = tenant(&scene.hub, "Two").await;
    let wanted: BTreeSet<ChangedList> = ChangedList::ALL.iter().copied().collect();
    let key = scene.hub.store.create_api_key(&other, &NewApiKey::of(Role::Admin, "")).await.expect("a key").id;
    let mut theirs = scene.hub.listen(other, ListenerKey::Credential(key), wanted, None).await.expect("a stream");
    scene.hub.look_once().await;
    scene.change_policy().await;
    scene.hub.look_once().await;
    assert_eq!(theirs.next(AT_ONCE).await, News::Nothing);
}

#[tokio::test]
async fn a_stream_goes_on_where_another_one_ended() {
    let scene = Scene::new(20).await;
    let key = scene.key().await;
    let first = scene.listen(key, ChangedList::ALL).await.expect("a stream");
    let since = first.begins;
    drop(first);
    scene.change_policy().await;
    let wanted: BTreeSet<ChangedList> = ChangedList::ALL.iter().copied().collect();
    let resumed = scene.hub.listen(scene.scope, ListenerKey::Credential(key), wanted, Some(since)).await;
    let told = lists(resumed.expect("a stream").next(AT_ONCE).await);
    assert_eq!(told, [ChangedList::Runs, ChangedList::Policy, ChangedList::AuditEvents]);
}

#[tokio::test]
async fn a_revoked_key_hears_no_more_and_others_do() {
    let scene = Scene::new(20).await;
    let (ended, stays) = (scene.key().await, scene.key().await);
    let mut first = scene.listen(ended, ChangedList::ALL).await.expect("a stream");
    let mut second = scene.listen(stays, &[ChangedList::ApiKeys]).await.expect("a stream");
    let revoked = scene.hub.store.revoke_api_key(&scene.scope, ended).await.expect("revoked");
    scene.hub.after_commit(revoked).await;
    scene.hub.look_once().await;
    assert_eq!(first.next(AT_ONCE).await, News::Ended(Ended::Credential));
    assert_eq!(lists(second.next(AT_ONCE).await), [ChangedList::ApiKeys]);
}

#[tokio::test]
async fn streams_are_bounded_for_a_key_a_tenant_and_the_process() {
    let scene = Scene::new(2 * SHARES * OF_CREDENTIAL_MAX).await;
    let key = scene.key().await;
    let mut open = Vec::new();
    for _ in 0..OF_CREDENTIAL_MAX {
        open.push(scene.listen(key, &[ChangedList::Runs]).await.expect("a stream"));
    }
    assert!(matches!(scene.listen(key, &[ChangedList::Runs]).await.err(), Some(NoStream::OfCredential)));
    let other = scene.key().await;
    for _ in 0..OF_CREDENTIAL_MAX {
        open.push(scene.listen(other, &[ChangedList::Runs]).await.expect("a stream"));
    }
    let third = scene.key().await;
    assert!(matches!(scene.listen(third, &[ChangedList::Runs]).await.err(), Some(NoStream::OfTenant)));
    open.pop();
    assert!(scene.listen(third, &[ChangedList::Runs]).await.is_ok(), "an ended stream makes room");
    open.clear();
    assert_eq!(scene.hub.streams.listeners().open, 0);
    let small = Scene::new(0).await;
    let key = small.key().await;
    assert!(matches!(small.listen(key, &[ChangedList::Runs]).await.err(), Some(NoStream::OfProcess)));
}

#[tokio::test]
async fn a_stop_ends_every_stream_and_lets_none_begin() {
    let scene = Scene::new(20).await;
    let key = scene.key().await;
    let mut listener = scene.listen(key, ChangedList::ALL).await.expect("a stream");
    scene.hub.streams.stop();
    assert_eq!(listener.next(Duration::from_secs(60)).await, News::Ended(Ended::Stopping));
    assert!(matches!(scene.listen(key, ChangedList::ALL).await.err(), Some(NoStream::Stopping)));
}

#[tokio::test]
async fn nobody_listens_where_nobody_can_be_seen() {
    let scene = Scene::new(20).await;
    let key = scene.key().await;
    let mut listener = scene.listen(key, ChangedList::ALL).await.expect("a stream");
    let long_ago = Instant::now().checked_sub(UNSEEN_MAX * 2).expect("the machine is up for longer");
    for watched in scene.hub.streams.listeners().of_tenant.values_mut() {
        watched.seen = long_ago;
    }
    scene.hub.streams.end_unseen();
    assert_eq!(listener.next(AT_ONCE).await, News::Ended(Ended::Unavailable));
}

//! A sweep over more due tenants than one look takes, on SQLite.

use super::*;
use crate::WorkerConfig;
use rollcall_core::clock::Clock;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::policy::Policy;
use rollcall_runtime::{Metrics, Queue};
use rollcall_scim::UserResource;
use rollcall_store::{NewSource, NewTenant, SourceScope, Store, StoreConfig, Synchronous, WorkLimits, digest};
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

const TENANTS: usize = 7;
/// Far longer than the sweep takes.
const A_WHILE: Duration = Duration::from_secs(3_600);

struct Scene {
    worker: Worker,
    sources: Vec<SourceScope>,
    file: PathBuf,
}

impl Scene {
    async fn new() -> Self {
        let file = std::env::temp_dir().join(format!("rollcall-sweep-{}.db", Clock::System.new_id::<Uuid>().simple()));
        let config = StoreConfig {
            url: format!("sqlite://{}", file.display()),
            max_connections: 4,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::ZERO,
            sqlite_synchronous: Synchronous::Normal,
            limits: WorkLimits::default(),
        };
        let store = Store::connect(&config, Clock::System).await.expect("a database");
        store.migrate().await.expect("the schema");
        let mut sources = Vec::new();
        for number in 0..TENANTS {
            sources.push(new_source(&store, number).await);
        }
        let metrics = Metrics::new().expect("metrics");
        let config = WorkerConfig {
            push_concurrency: 1,
            bulk_concurrency: 2,
            chunk_changes_max: 100,
            lease_ttl: Duration::from_secs(10),
            sweep_interval: A_WHILE,
            run_retention: A_WHILE,
        };
        let worker =
            Worker::new(store.without_statement_timeout(), Queue::in_process(metrics.clone()), metrics, config);
        Self { worker, sources, file }
    }

    /// A change in each tenant, and a wake-up for none.
    async fn change_all(&self, name: &str) {
        for source in &self.sources {
            let Value::Object(attributes) = json!({ "userName": format!("{name}@x.example"), "active": true }) else {
                unreachable!("an object")
            };
            let made = self.worker.store.create_user(source, UserResource::from_stored(attributes)).await;
            // The duties after the commit are left undone: the wake-up is lost.
            drop(made.expect("a user"));
        }
    }

    async fn due(&self) -> Vec<TenantId> {
        self.worker.store.due_tenants(None, 1_000).await.expect("an answer")
    }

    async fn end(self) {
        self.worker.store.close().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.file.display()));
        }
    }
}

async fn new_source(store: &Store, number: usize) -> SourceScope {
    let name = format!("Swept {number}");
    let tenant = NewTenant { name, seats: 10, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
    let scope = store.operator_scope(&slug).await.expect("a scope");
    let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
    let new = NewSource { kind, mode, name: "idp", settings: SourceSettings::default(), token_expires_at: None };
    let (_, secret) = store.create_source(&scope, &new).await.expect("a source");
    let credential = store.credential(&digest(&secret.secret)).await.expect("a look-up").expect("a credential");
    SourceScope::of_token(&credential).expect("a token")
}

#[tokio::test]
async fn rc22_d9_a_sweep_goes_on_until_it_has_been_everywhere() {
    let scene = Scene::new().await;
    let cancel = CancellationToken::new();
    // Two tenants a look, beginning with the first tenant, in the middle, and after the last one.
    for (round, place) in [None, Some(300_000), Some(999_999)].into_iter().enumerate() {
        scene.change_all(&format!("r{round}")).await;
        assert_eq!(scene.due().await.len(), TENANTS);
        let mut after = match place {
            None => None,
            Some(place) => scene.worker.store.tenant_at(place).await.expect("an answer"),
        };
        assert_eq!(after.is_some(), place.is_some());
        go_round(&scene.worker, &mut after, 2, &cancel).await.expect("a round");
        assert_eq!(scene.due().await, [], "from {place:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn rc22_d9_workers_begin_at_different_tenants_and_a_stopped_sweep_goes_on_where_it_was() {
    let scene = Scene::new().await;
    let due = async |after| scene.worker.store.due_tenants(after, 3).await.expect("an answer");
    scene.change_all("one").await;
    let (first, all) = (due(None).await, scene.due().await);
    let next = due(first.last().copied()).await;
    assert_eq!([first, next].concat(), all[..6], "looks follow each other");
    let places = [0, 500_000, 999_999];
    let mut begun = Vec::new();
    for place in places {
        begun.push(scene.worker.store.tenant_at(place).await.expect("an answer").expect("a tenant"));
    }
    assert_eq!(begun, [all[0], all[3], all[6]]);
    let stopped = CancellationToken::new();
    stopped.cancel();
    let mut after = Some(all[3]);
    go_round(&scene.worker, &mut after, 2, &stopped).await.expect("nothing");
    assert_eq!(after, Some(all[3]));
    scene.end().await;
}

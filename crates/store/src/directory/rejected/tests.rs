//! How long rejected requests are kept, and how many.

use super::*;
use crate::{Credential, NewApiKey, NewSource, NewTenant, StoreConfig, Synchronous, WorkLimits, digest};
use rollcall_core::clock::Clock;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::policy::Policy;
use rollcall_core::roster::Role;
use std::time::Duration;

/// A tenant with a source on SQLite, with a manual clock.
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) api: AdminScope,
    pub(crate) source: SourceScope,
    file: std::path::PathBuf,
}

async fn credential(store: &Store, secret: &str) -> Credential {
    store.credential(&digest(secret)).await.expect("a look-up").expect("a credential")
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let id: Uuid = Clock::System.new_id();
        let file = std::env::temp_dir().join(format!("rollcall-rejected-{}.db", id.simple()));
        let url = format!("sqlite://{}", file.display());
        let config = StoreConfig {
            url,
            max_connections: 2,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::ZERO,
            sqlite_synchronous: Synchronous::Normal,
            limits: WorkLimits::default(),
        };
        let clock = Clock::manual(DateTime::from_timestamp(1_790_000_000, 0).expect("in range"));
        let store = Store::connect(&config, clock).await.expect("a database");
        store.migrate().await.expect("the schema");
        let tenant = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
        let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
        let scope = store.operator_scope(&slug).await.expect("a scope");
        let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
        let new = NewSource { kind, mode, name: "", settings: SourceSettings::default(), token_expires_at: None };
        let (_, token) = store.create_source(&scope, &new).await.expect("a source");
        let key = store.create_api_key(&scope, &NewApiKey::of(Role::Owner, "")).await.expect("a key");
        let source = SourceScope::of_token(&credential(&store, &token.secret).await).expect("a token");
        let api = AdminScope::of_key(&credential(&store, &key.secret).await).expect("a key");
        Self { store, api, source, file }
    }

    fn rejected(&self, method: &str, path: &str) -> RejectedRequest {
        let at = self.store.clock.now();
        RejectedRequest {
            tenant_id: self.source.tenant().0,
            source_id: self.source.source().0,
            id: self.store.clock.new_id(),
            at,
            expires_at: at + REJECTED_KEPT,
            method: method.into(),
            path: path.into(),
            body_bytes: 0,
            body: None,
            status: 400,
            scim_type: None,
            detail: "not understood then".into(),
            replayed_at: None,
        }
    }

    async fn kept(&self) -> Vec<RejectedRequest> {
        let page = PageRequest::first(200);
        self.store.rejected_requests(&self.api, self.source.source(), &page).await.expect("a list").items
    }

    pub(crate) async fn end(self) {
        self.store.close().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.file.display()));
        }
    }
}

#[tokio::test]
async fn the_newest_hundred_of_a_source_are_kept_until_they_expire() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let some: Vec<_> = (0..50).map(|_| scene.rejected("GET", "/Users?count=ten")).collect();
        scene.store.keep_rejected(&some).await.expect("kept");
    }
    assert_eq!(scene.kept().await.len(), 100);
    scene.store.clock.advance(REJECTED_KEPT);
    assert!(scene.kept().await.is_empty());
    scene.store.prune_ledger().await.expect("pruned");
    scene.end().await;
}

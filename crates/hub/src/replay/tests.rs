//! Replays of requests that an earlier version rejected: rows as that version left them.

use super::*;
use crate::CredentialUses;
use crate::quota::SharedQuotaBook;
use chrono::TimeDelta;
use rollcall_core::clock::Clock;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::policy::Policy;
use rollcall_core::quota::{Quota, Quotas};
use rollcall_core::roster::Role;
use rollcall_runtime::{Cache, Metrics, Queue};
use rollcall_scim::UserResource;
use rollcall_store::{
    AuditFilter, Credential, NewApiKey, NewSource, NewTenant, PageRequest, REJECTED_KEPT, Store, StoreConfig,
    Synchronous, WorkLimits, digest,
};
use serde_json::json;
use std::time::Duration;

/// A tenant with a source on SQLite, with a manual clock.
struct Scene {
    hub: Hub,
    api: AdminScope,
    source: SourceScope,
    file: std::path::PathBuf,
}

async fn credential(store: &Store, secret: &str) -> Credential {
    store.credential(&digest(secret)).await.expect("a look-up").expect("a credential")
}

impl Scene {
    async fn new() -> Self {
        let id: Uuid = Clock::System.new_id();
        let file = std::env::temp_dir().join(format!("rollcall-replay-{}.db", id.simple()));
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
        let metrics = Metrics::new().expect("metrics");
        let queue = Queue::in_process(metrics.clone());
        Self {
            hub: Hub {
                store,
                queue,
                cache: Cache::in_process(),
                metrics,
                uses: CredentialUses::default(),
                sessions: crate::KnownSessions::default(),
                quotas: SharedQuotaBook::default(),
                streams: crate::ChangeStreams::default(),
            },
            api,
            source,
            file,
        }
    }

    fn rejected(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> RejectedRequest {
        let body = body.map(|body| body.to_string());
        let at = self.hub.store.clock.now();
        RejectedRequest {
            tenant_id: self.source.tenant().0,
            source_id: self.source.source().0,
            id: self.hub.store.clock.new_id(),
            at,
            expires_at: at + REJECTED_KEPT,
            method: method.into(),
            path: path.into(),
            body_bytes: i64::try_from(body.as_ref().map_or(0, String::len)).expect("short"),
            body,
            status: 400,
            scim_type: None,
            detail: "not understood then".into(),
            replayed_at: None,
        }
    }

    async fn replay(&self, rejected: &RejectedRequest) -> Result<Replayed, StoreError> {
        self.hub.replay_rejected(&self.api, self.source.source(), rejected.id, &Limits::default()).await
    }

    async fn kept(&self) -> Vec<RejectedRequest> {
        let page = PageRequest::first(200);
        self.hub.store.rejected_requests(&self.api, self.source.source(), &page).await.expect("a list").items
    }

    async fn end(self) {
        self.hub.store.close().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.file.display()));
        }
    }
}

/// A request that an earlier version rejected and this one accepts.
#[tokio::test]
async fn what_is_understood_by_now_is_done_once_and_in_the_admins_name() {
    let scene = Scene::new().await;
    let post = scene.rejected("POST", "/Users", Some(json!({ "userName": "ann@x.example" })));
    let search = scene.rejected("GET", "/Users?filter=userName+eq+%22ann%40x.example%22", None);
    scene.hub.store.keep_rejected(&[post.clone(), search.clone()]).await.expect("kept");
    let done = scene.replay(&post).await.expect("an outcome");
    assert!(matches!(done, Replayed::Done { status: 201, changed: true }), "{done:?}");
    let done = scene.replay(&search).await.expect("an outcome");
    assert!(matches!(done, Replayed::Done { status: 200, changed: false }), "{done:?}");
    assert!(matches!(scene.replay(&post).await, Err(StoreError::Conflict(_))), "it is not done twice");
    let page = PageRequest::first(200);
    let events = scene.hub.store.audit_events(&scene.api, &AuditFilter::default(), &page).await.expect("events").items;
    let made = events.iter().find(|event| event.kind == "directory_user.created").expect("an event");
    assert!(made.actor.starts_with("api_key:"), "{made:?}");
    scene.end().await;
}

#[tokio::test]
async fn two_who_replay_at_once_do_it_once() {
    let scene = Scene::new().await;
    let post = scene.rejected("POST", "/Groups", Some(json!({ "displayName": "Crew" })));
    scene.hub.store.keep_rejected(std::slice::from_ref(&post)).await.expect("kept");
    let (one, other) = tokio::join!(scene.replay(&post), scene.replay(&post));
    let done = |outcome: &Result<Replayed, StoreError>| matches!(outcome, Ok(Replayed::Done { status: 201, .. }));
    let late = |outcome: &Result<Replayed, StoreError>| matches!(outcome, Err(StoreError::Conflict(_)));
    assert!(done(&one) && late(&other) || late(&one) && done(&other), "{one:?}, {other:?}");
    scene.end().await;
}

#[tokio::test]
async fn s6_a_replay_does_not_pass_a_quota() {
    let mut scene = Scene::new().await;
    scene.hub.store = scene.hub.store.clone().with_quotas(Quotas { records: 0, ..Quotas::default() });
    let post = scene.rejected("POST", "/Users", Some(json!({ "userName": "ann@x.example" })));
    scene.hub.store.keep_rejected(std::slice::from_ref(&post)).await.expect("kept");
    let refused = scene.replay(&post).await;
    assert!(matches!(&refused, Err(StoreError::OverQuota(over)) if over.quota == Quota::Records), "{refused:?}");
    assert!(scene.kept().await[0].replayed_at.is_none(), "it may be replayed when there is room");
    scene.end().await;
}

#[tokio::test]
async fn what_is_refused_again_may_be_replayed_again() {
    let scene = Scene::new().await;
    let patch = scene.rejected("PATCH", &format!("/Users/{}", scene.hub.store.clock.new_id::<Uuid>()), Some(json!({})));
    scene.hub.store.keep_rejected(std::slice::from_ref(&patch)).await.expect("kept");
    for _ in 0..2 {
        let refused = scene.replay(&patch).await.expect("an outcome");
        assert!(matches!(refused, Replayed::Refused(_)), "{refused:?}");
        assert!(scene.kept().await[0].replayed_at.is_none());
    }
    scene.end().await;
}

#[tokio::test]
async fn what_was_said_later_stays() {
    let scene = Scene::new().await;
    let user = UserResource::from_json(json!({ "userName": "ann@x.example" }), &mut Quirks::new());
    let user = scene.hub.store.create_user(&scene.source, user.expect("a user")).await.expect("a user");
    let user = scene.hub.after_commit(user).await;
    let path = format!("/Users/{}", user.id);
    let patch = json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] });
    let early = scene.rejected("PATCH", &path, Some(patch.clone()));
    scene.hub.store.clock.advance(TimeDelta::seconds(5));
    let edit = json!({ "userName": "ann@x.example", "title": "later" });
    let edit = UserResource::from_json(edit, &mut Quirks::new()).expect("a user");
    let changed = scene.hub.store.change_user::<StoreError, _>(&scene.source, user.id, |_| Ok(edit.clone())).await;
    scene.hub.after_commit(changed.expect("a change")).await;
    scene.hub.store.clock.advance(TimeDelta::seconds(5));
    let late = scene.rejected("PATCH", &path, Some(patch));
    scene.hub.store.keep_rejected(&[early.clone(), late.clone()]).await.expect("kept");
    assert!(matches!(scene.replay(&early).await, Err(StoreError::Conflict(_))));
    let done = scene.replay(&late).await.expect("an outcome");
    assert!(matches!(done, Replayed::Done { status: 200, changed: true }), "{done:?}");
    scene.end().await;
}

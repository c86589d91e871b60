//! Replays of requests that an earlier version rejected: rows as that version left them.

use super::*;
use crate::{AuditFilter, Credential, NewSource, NewTenant, StoreConfig, digest};
use rollcall_core::clock::Clock;
use rollcall_core::directory::{SourceKind, SourceMode};
use rollcall_core::policy::Policy;
use rollcall_core::roster::Role;
use serde_json::json;
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
        };
        let clock = Clock::manual(DateTime::from_timestamp(1_790_000_000, 0).expect("in range"));
        let store = Store::connect(&config, clock).await.expect("a database");
        store.migrate().await.expect("the schema");
        let tenant = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
        let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
        let scope = store.operator_scope(&slug).await.expect("a scope");
        let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
        let new = NewSource { kind, mode, name: "", users_only: false, token_expires_at: None };
        let (_, token) = store.create_source(&scope, &new).await.expect("a source");
        let key = store.create_api_key(&scope, Role::Owner, "").await.expect("a key");
        let source = SourceScope::of_token(&credential(&store, &token.secret).await).expect("a token");
        let api = AdminScope::of_key(&credential(&store, &key.secret).await).expect("a key");
        Self { store, api, source, file }
    }

    fn rejected(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> RejectedRequest {
        let body = body.map(|body| body.to_string());
        let at = self.store.clock.now();
        RejectedRequest {
            tenant_id: self.source.tenant().0,
            source_id: self.source.source().0,
            id: self.store.clock.new_id(),
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
        self.store.replay_rejected(&self.api, self.source.source(), rejected.id, &Limits::default()).await
    }

    async fn kept(&self) -> Vec<RejectedRequest> {
        let page = PageRequest::parse(Some(200), None).expect("a page");
        self.store.rejected_requests(&self.api, self.source.source(), &page).await.expect("a list").items
    }

    pub(crate) async fn end(self) {
        self.store.close().await;
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
    scene.store.keep_rejected(&[post.clone(), search.clone()]).await.expect("kept");
    let done = scene.replay(&post).await.expect("an outcome");
    assert!(matches!(done, Replayed::Done { status: 201, changed: true }), "{done:?}");
    let done = scene.replay(&search).await.expect("an outcome");
    assert!(matches!(done, Replayed::Done { status: 200, changed: false }), "{done:?}");
    assert!(matches!(scene.replay(&post).await, Err(StoreError::Conflict(_))), "it is not done twice");
    let page = PageRequest::parse(Some(200), None).expect("a page");
    let events = scene.store.audit_events(&scene.api, &AuditFilter::default(), &page).await.expect("events").items;
    let made = events.iter().find(|event| event.kind == "directory_user.created").expect("an event");
    assert!(made.actor.starts_with("api_key:"), "{made:?}");
    scene.end().await;
}

#[tokio::test]
async fn two_who_replay_at_once_do_it_once() {
    let scene = Scene::new().await;
    let post = scene.rejected("POST", "/Groups", Some(json!({ "displayName": "Crew" })));
    scene.store.keep_rejected(std::slice::from_ref(&post)).await.expect("kept");
    let (one, other) = tokio::join!(scene.replay(&post), scene.replay(&post));
    let done = |outcome: &Result<Replayed, StoreError>| matches!(outcome, Ok(Replayed::Done { status: 201, .. }));
    let late = |outcome: &Result<Replayed, StoreError>| matches!(outcome, Err(StoreError::Conflict(_)));
    assert!(done(&one) && late(&other) || late(&one) && done(&other), "{one:?}, {other:?}");
    scene.end().await;
}

#[tokio::test]
async fn what_is_refused_again_may_be_replayed_again() {
    let scene = Scene::new().await;
    let patch = scene.rejected("PATCH", &format!("/Users/{}", scene.store.clock.new_id::<Uuid>()), Some(json!({})));
    scene.store.keep_rejected(std::slice::from_ref(&patch)).await.expect("kept");
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
    let user = rollcall_scim::UserResource::from_json(json!({ "userName": "ann@x.example" }), &mut Quirks::new());
    let user = scene.store.create_user(&scene.source, user.expect("a user")).await.expect("a user");
    let path = format!("/Users/{}", user.id);
    let patch = json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] });
    let early = scene.rejected("PATCH", &path, Some(patch.clone()));
    scene.store.clock.advance(TimeDelta::seconds(5));
    let edit = json!({ "userName": "ann@x.example", "title": "later" });
    let edit = rollcall_scim::UserResource::from_json(edit, &mut Quirks::new()).expect("a user");
    scene.store.change_user::<StoreError, _>(&scene.source, user.id, |_| Ok(edit.clone())).await.expect("a change");
    scene.store.clock.advance(TimeDelta::seconds(5));
    let late = scene.rejected("PATCH", &path, Some(patch));
    scene.store.keep_rejected(&[early.clone(), late.clone()]).await.expect("kept");
    assert!(matches!(scene.replay(&early).await, Err(StoreError::Conflict(_))));
    let done = scene.replay(&late).await.expect("an outcome");
    assert!(matches!(done, Replayed::Done { status: 200, changed: true }), "{done:?}");
    scene.end().await;
}

#[tokio::test]
async fn the_newest_hundred_of_a_source_are_kept_until_they_expire() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let some: Vec<_> = (0..50).map(|_| scene.rejected("GET", "/Users?count=ten", None)).collect();
        scene.store.keep_rejected(&some).await.expect("kept");
    }
    assert_eq!(scene.kept().await.len(), 100);
    scene.store.clock.advance(REJECTED_KEPT);
    assert!(scene.kept().await.is_empty());
    scene.store.prune_ledger().await.expect("pruned");
    scene.end().await;
}

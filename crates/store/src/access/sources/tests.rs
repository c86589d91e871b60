//! Repeated and concurrent changes of tokens and modes.

use super::*;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::{AuditFilter, ListOrder, NewApiKey, NewSource, NewTenant, PageRequest, digest};
use rollcall_core::directory::{SourceKind, SourceSettings};
use rollcall_core::policy::Policy;
use rollcall_core::roster::Role;

/// A source, its token, and an admin.
struct Scene {
    api: AdminScope,
    source: SourceId,
    token: NewSecret,
}

async fn scene(store: &Store) -> Scene {
    let new = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
    let operator = store.operator_scope(&slug).await.expect("a scope");
    let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
    let new = NewSource { kind, mode, name: "", settings: SourceSettings::default(), token_expires_at: None };
    let (source, token) = store.create_source(&operator, &new).await.expect("a source");
    let key = store.create_api_key(&operator, &NewApiKey::of(Role::Owner, "")).await.expect("a key");
    let key = store.credential(&digest(&key.secret)).await.expect("a look-up").expect("a credential");
    Scene { api: AdminScope::of_key(&key).expect("a key"), source, token }
}

/// Newest first, where a list shows what was committed a moment ago.
fn newest() -> PageRequest {
    PageRequest { order: ListOrder::Descending, ..PageRequest::first(200) }
}

async fn events(store: &Store, api: &AdminScope, kind: &str) -> usize {
    let events = store.audit_events(api, &AuditFilter::default(), &newest()).await.expect("events").items;
    events.iter().filter(|event| event.kind == kind).count()
}

#[test]
fn a_revocation_said_again_answers_what_the_caches_are_to_forget_and_is_one_event() {
    on_each_engine(async |store, engine| {
        let Scene { api, source, token } = scene(&store).await;
        for _ in 0..2 {
            let told = store.revoke_source_token(&api, source, token.id).await.expect("a revocation");
            assert_eq!(told.credentials(), (&[][..], &[digest(&token.secret)][..]), "{engine}");
        }
        assert_eq!(events(&store, &api, "credential.revoked").await, 1, "{engine}");
        let unknown = store.clock.new_id();
        assert!(matches!(store.revoke_source_token(&api, source, unknown).await, Err(StoreError::NotFound(_))));
        let other = scene(&store).await;
        let foreign = store.revoke_source_token(&other.api, other.source, token.id).await;
        assert!(matches!(foreign, Err(StoreError::NotFound(_))), "{engine}");
    });
}

#[test]
fn a_mode_said_again_answers_what_the_caches_are_to_forget_and_is_one_event() {
    on_each_engine(async |store, engine| {
        let Scene { api, source, token } = scene(&store).await;
        for _ in 0..2 {
            let told = store.change_source(&api, source, SourceMode::Off.into()).await.expect("a switch");
            assert_eq!(told.credentials(), (&[digest(&token.secret)][..], &[][..]), "{engine}");
        }
        assert_eq!(events(&store, &api, "source.mode_changed").await, 1, "{engine}");
    });
}

#[test]
fn of_two_rotations_at_once_one_is_made() {
    on_each_engine(async |store, engine| {
        let now = store.clock.now();
        for overlaps in [[1, 86_400], [86_400, 1]] {
            let Scene { api, source, token } = scene(&store).await;
            let rotate = async |seconds| {
                store
                    .rotate_source_token(
                        &api,
                        source,
                        token.id,
                        TimeDelta::seconds(seconds),
                        RotatedExpiry::AsLongLived,
                    )
                    .await
            };
            let (one, other) = tokio::join!(rotate(overlaps[0]), rotate(overlaps[1]));
            // The later one waits for the row, and finds it replaced.
            let (overlap, made, refused) =
                if one.is_ok() { (overlaps[0], one, other) } else { (overlaps[1], other, one) };
            made.expect("one is made").unannounced();
            assert!(matches!(refused, Err(StoreError::Conflict(_))), "{engine}: {overlaps:?}");
            let tokens = store.source_tokens(&api, source, &newest()).await.expect("tokens").items;
            let old = tokens.iter().find(|one| one.id == token.id.0).expect("the old one");
            assert_eq!(old.expires_at, Some(now + TimeDelta::seconds(overlap)), "{engine}: {overlaps:?}");
            assert_eq!(tokens.len(), 2, "{engine}: {overlaps:?}");
        }
    });
}

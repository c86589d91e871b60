//! Tokens of clients: their number, their ends, and how they are forgotten.

use super::*;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::scope::{AdminScope, SourceScope};
use crate::secret::digest;
use crate::{NewOauthClient, NewSource, NewTenant, RotatedExpiry};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::ids::SourceId;
use rollcall_core::policy::Policy;

/// A client of a live source, and the operator.
struct Scene {
    operator: AdminScope,
    source: SourceId,
    client: OauthClient,
}

async fn scene(store: &Store) -> Scene {
    let new = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
    let operator = store.operator_scope(&slug).await.expect("a scope");
    let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
    let new = NewSource { kind, mode, name: "", settings: SourceSettings::default(), token_expires_at: None };
    let (source, _) = store.create_source(&operator, &new).await.expect("a source");
    let NewOauthClient { secret, .. } =
        store.create_oauth_client(&operator, source, "Entra", None).await.expect("a client");
    let client = store.oauth_client(&digest(&secret.secret)).await.expect("a look-up").expect("a client");
    Scene { operator, source, client }
}

async fn issue(store: &Store, client: &OauthClient) -> NewAccessToken {
    store.issue_access_token(client, "127.0.0.1").await.expect("a token").unannounced()
}

/// True if the token opens the source now.
async fn opens(store: &Store, token: &NewAccessToken, source: SourceId) -> bool {
    let found = store.credential(&digest(&token.token)).await.expect("a look-up");
    let scope = found.filter(|found| !found.expired(store.clock.now())).and_then(|found| SourceScope::of_token(&found));
    scope.is_some_and(|scope| scope.source() == source)
}

#[test]
fn one_token_too_many_ends_the_oldest() {
    on_each_engine(async |store, engine| {
        let Scene { source, client, .. } = scene(&store).await;
        let first = issue(&store, &client).await;
        let second = issue(&store, &client).await;
        for _ in 2..TOKENS_MAX {
            issue(&store, &client).await;
        }
        assert!(opens(&store, &first, source).await, "{engine}: {TOKENS_MAX} are allowed");
        let told = store.issue_access_token(&client, "127.0.0.1").await.expect("one more");
        assert_eq!(told.credentials(), (&[][..], &[digest(&first.token)][..]), "{engine}");
        assert!(!opens(&store, &first, source).await, "{engine}");
        assert!(opens(&store, &second, source).await, "{engine}");
    });
}

#[test]
fn ended_tokens_are_forgotten_but_for_the_latest() {
    on_each_engine(async |store, engine| {
        let Scene { client, .. } = scene(&store).await;
        for _ in 0..3 {
            issue(&store, &client).await;
            store.clock.advance(TimeDelta::seconds(1));
        }
        let tenants = async || store.tenants_with_ended_tokens(store.clock.now(), None).await.expect("tenants");
        assert!(tenants().await.is_empty(), "{engine}: they are in force");
        store.clock.advance(ACCESS_TOKEN_TIME);
        assert_eq!(tenants().await, [client.tenant()], "{engine}");
        assert!(!store.forget_access_tokens(client.tenant(), store.clock.now()).await.expect("a batch"), "{engine}");
        assert!(tenants().await.is_empty(), "{engine}: the latest stays and makes no work");
        let tx = store.read(&client.scope).await.expect("a transaction");
        let left = tx.find::<credentials::Entity>().filter(tokens_of(client.client));
        assert_eq!(left.values::<Uuid>(credentials::Column::Id).await.expect("rows").len(), 1, "{engine}");
    });
}

/// A client that is revoked while it asks for a token keeps none, whichever comes first.
#[test]
fn a_revocation_ends_the_token_that_is_made_beside_it() {
    on_each_engine(async |store, engine| {
        for _ in 0..10 {
            let Scene { operator, source, client } = scene(&store).await;
            let (issued, revoked) = tokio::join!(
                store.issue_access_token(&client, "127.0.0.1"),
                store.revoke_oauth_client(&operator, source, client.client)
            );
            revoked.expect("a revocation").unannounced();
            match issued {
                Ok(token) => assert!(!opens(&store, &token.unannounced(), source).await, "{engine}"),
                Err(error) => assert!(matches!(error, StoreError::NotFound(_)), "{engine}: {error}"),
            }
        }
    });
}

#[test]
fn a_rotation_shortens_the_tokens_of_the_old_secret() {
    on_each_engine(async |store, engine| {
        let Scene { operator, source, client } = scene(&store).await;
        let token = issue(&store, &client).await;
        let (overlap, expiry) = (TimeDelta::minutes(1), RotatedExpiry::AsLongLived);
        let rotated = store.rotate_oauth_client(&operator, source, client.client, overlap, expiry).await;
        let rotated = rotated.expect("a rotation");
        assert_eq!(rotated.credentials(), (&[digest(&token.token)][..], &[][..]), "{engine}");
        let secret = rotated.unannounced().secret.secret;
        let renewed = store.oauth_client(&digest(&secret)).await.expect("a look-up").expect("a client");
        assert_eq!(renewed.client, client.client, "{engine}: the client keeps its id");
        let later = issue(&store, &renewed).await;
        store.clock.advance(TimeDelta::minutes(2));
        assert!(!opens(&store, &token, source).await && opens(&store, &later, source).await, "{engine}");
        assert!(matches!(store.issue_access_token(&client, "").await, Err(StoreError::NotFound(_))), "{engine}");
    });
}

//! The lease of an endpoint: one worker has it, and loses it to an admin and to time; and its secret under other keys.

use super::HeldWebhook;
use crate::access::tenants::NewTenant;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sealing::SealingKeys;
use crate::outgoing::endpoints::{NewWebhook, WebhookChange, WebhookSecret};
use crate::outgoing::replays::Replay;
use crate::scope::AdminScope;
use chrono::TimeDelta;
use rollcall_core::event::WebhookKinds;
use rollcall_core::ids::WebhookId;
use rollcall_core::policy::Policy;
use rollcall_core::webhook::WebhookStatus;
use uuid::Uuid;

const TTL: TimeDelta = TimeDelta::seconds(60);

async fn scene(store: &Store) -> (AdminScope, WebhookId, String) {
    let owner = Some("boss@acme.example".to_owned());
    let tenant = NewTenant { name: "Acme".into(), seats: 5, policy: Policy::default(), owner_email: owner };
    let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
    let scope = store.operator_scope(&slug).await.expect("a scope");
    let new = NewWebhook { url: "https://hooks.example/", description: "", kinds: &WebhookKinds::ALL, after: None };
    let WebhookSecret { webhook, secret } = store.create_webhook(&scope, &new).await.expect("an endpoint");
    (scope, webhook.id.into(), secret)
}

async fn lease(store: &Store, scope: &AdminScope, id: WebhookId, ttl: TimeDelta) -> Option<HeldWebhook> {
    store.lease_webhook(scope.tenant(), id, Uuid::nil(), ttl).await.expect("an answer")
}

async fn note(store: &Store, held: &mut HeldWebhook) -> Result<(), StoreError> {
    let batch = store.webhook_batch(held, 10).await.expect("a batch");
    store.note_delivered(held, &batch, None, Vec::new(), TTL).await
}

#[test]
fn pe16_one_worker_has_an_endpoint_until_it_loses_it() {
    on_each_engine(async |store, engine| {
        let store = store.with_sealing(SealingKeys::new_key().expect("a key").parse().expect("keys"));
        let (scope, id, _) = scene(&store).await;
        let mut first = lease(&store, &scope, id, TTL).await.expect("it is free");
        assert!(lease(&store, &scope, id, TTL).await.is_none(), "{engine}: one has it");
        note(&store, &mut first).await.expect("it is held");
        store.release_webhook(&first, false).await.expect("given back");
        // The second one's time is over, and a third takes it.
        let mut second = lease(&store, &scope, id, -TTL).await.expect("it is free");
        let mut third = lease(&store, &scope, id, TTL).await.expect("its time is over");
        let lost = note(&store, &mut second).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)), "{engine}: {lost:?}");
        note(&store, &mut third).await.expect("it is held");
        // Each change by an admin takes it away.
        let paused = WebhookChange { status: Some(WebhookStatus::Paused), ..WebhookChange::default() };
        store.change_webhook(&scope, id, &paused).await.expect("paused");
        let lost = note(&store, &mut third).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)), "{engine}: {lost:?}");
        assert!(lease(&store, &scope, id, TTL).await.is_none(), "{engine}: it is paused");
        let active = WebhookChange { status: Some(WebhookStatus::Active), ..WebhookChange::default() };
        let before = store.change_webhook(&scope, id, &active).await.expect("active").after();
        let mut fourth = lease(&store, &scope, id, TTL).await.expect("it is free");
        store.replay_webhook(&scope, id, Replay::From(before)).await.expect("a replay");
        let lost = note(&store, &mut fourth).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)), "{engine}: the place that an admin set stays, {lost:?}");
    });
}

#[test]
fn pe16_a_secret_is_sealed_anew_and_opens_without_the_old_key() {
    on_each_engine(async |store, engine| {
        let [old, new] = [(); 2].map(|()| SealingKeys::new_key().expect("a key"));
        let keys = |text: &str| text.parse::<SealingKeys>().expect("keys");
        let before = store.clone().with_sealing(keys(&old));
        let (scope, id, _) = scene(&before).await;
        before.rotate_webhook(&scope, id, TimeDelta::hours(1)).await.expect("rotated");
        let secrets = before.open_webhook(&scope, id).await.expect("its key").secrets;
        assert_eq!(secrets.len(), 2, "{engine}");
        let both = store.clone().with_sealing(keys(&format!("{new} {old}")));
        assert!(both.sealed_webhooks().await.expect("a list").contains(&(scope.tenant(), id)), "{engine}");
        assert!(both.reseal_webhook(scope.tenant(), id).await.expect("sealed anew"), "{engine}");
        assert!(!both.reseal_webhook(scope.tenant(), id).await.expect("an answer"), "{engine}: it was done");
        let after = store.clone().with_sealing(keys(&new));
        assert_eq!(after.open_webhook(&scope, id).await.expect("its key").secrets, secrets, "{engine}");
        let refused = before.open_webhook(&scope, id).await.err().expect("the old key is over").to_string();
        assert!(refused.contains("sealing.keys"), "{engine}: {refused}");
        // A worker that lacks the key takes the endpoint, and says so to it.
        let held = lease(&before, &scope, id, TTL).await.expect("it is free");
        assert!(held.secrets.is_err(), "{engine}");
    });
}

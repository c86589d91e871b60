//! Secrets of connections: sealed for their row, opened by the keys of the process, and sealed anew.

use super::{CONNECTIONS_MAX, NewSignInConnection};
use crate::access::tenants::NewTenant;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::engine::error::StoreError;
use crate::engine::sealing::SealingKeys;
use rollcall_core::policy::Policy;

const SECRET: &str = "a secret of the client";

fn connection(client_id: &str) -> NewSignInConnection<'_> {
    NewSignInConnection { issuer: "https://idp.example", client_id, client_secret: Some(SECRET), email_trusted: false }
}

#[test]
fn a_secret_is_sealed_anew_and_opens_without_the_old_key() {
    on_each_engine(async |store, engine| {
        let [old, new] = [(); 2].map(|()| SealingKeys::new_key().expect("a key"));
        let keys = |text: &str| text.parse::<SealingKeys>().expect("keys");
        let tenant = NewTenant { name: "Acme".into(), seats: 5, policy: Policy::default(), owner_email: None };
        let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
        let scope = store.operator_scope(&slug).await.expect("a scope");
        let without = store.create_sign_in_connection(&scope, &connection("rollcall")).await;
        assert!(matches!(without, Err(StoreError::Conflict(_))), "{engine}: no key to seal with");
        let before = store.clone().with_sealing(keys(&old));
        let made = before.create_sign_in_connection(&scope, &connection("rollcall")).await.expect("a connection");
        assert!(made.has_secret && !format!("{made:?}").contains(SECRET), "{engine}");
        let (tenant, id) = (scope.tenant(), made.id.into());
        let both = store.clone().with_sealing(keys(&format!("{new} {old}")));
        assert_eq!(both.sealed_connections().await.expect("a list"), [(tenant, id)], "{engine}");
        assert!(both.reseal_connection(tenant, id).await.expect("sealed anew"), "{engine}");
        assert!(!both.reseal_connection(tenant, id).await.expect("an answer"), "{engine}: it was done");
        let after = store.clone().with_sealing(keys(&new));
        let opened = after.open_connection(tenant, id).await.expect("its key");
        assert_eq!(opened.client_secret.as_deref(), Some(SECRET), "{engine}");
        let refused = before.open_connection(tenant, id).await.err().expect("the old key is over").to_string();
        assert!(refused.contains("sealing.keys"), "{engine}: {refused}");
    });
}

#[test]
fn connections_are_few_and_each_is_one() {
    on_each_engine(async |store, engine| {
        let store = store.with_sealing(SealingKeys::new_key().expect("a key").parse().expect("keys"));
        let tenant = NewTenant { name: "Acme".into(), seats: 5, policy: Policy::default(), owner_email: None };
        let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
        let scope = store.operator_scope(&slug).await.expect("a scope");
        let make = async |client: &str| store.create_sign_in_connection(&scope, &connection(client)).await;
        let long = "x".repeat(1025);
        for client in ["", "a\u{0}b", &long] {
            assert!(matches!(make(client).await, Err(StoreError::Invalid(_))), "{engine}: {client:?}");
        }
        for number in 0..CONNECTIONS_MAX {
            make(&number.to_string()).await.expect("room");
        }
        for (client, why) in [("0", "already"), ("another", "delete one")] {
            let refused = make(client).await.expect_err("refused").to_string();
            assert!(refused.contains(why), "{engine}: {refused}");
            let before = store.check_new_sign_in_connection(&scope, &connection(client)).await.expect_err("refused");
            assert_eq!(before.to_string(), refused, "{engine}: the provider is not asked for it");
        }
    });
}

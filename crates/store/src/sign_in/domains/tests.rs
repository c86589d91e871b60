//! A proven domain survives a slip of its administrators for days, and no longer.

use super::{DOMAIN_GRACE, DOMAIN_RECHECK};
use crate::access::tenants::NewTenant;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::entity::audit_events;
use chrono::TimeDelta;
use rollcall_core::policy::Policy;

#[test]
fn a_domain_lapses_a_week_after_its_record_was_missed_first() {
    on_each_engine(async |store, engine| {
        let new = NewTenant { name: "Acme".into(), seats: 5, policy: Policy::default(), owner_email: None };
        let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
        let scope = store.operator_scope(&slug).await.expect("a scope");
        let id = store.add_domain(&scope, "acme.example").await.expect("a domain").id.into();
        let check = async |found| store.note_domain_check(&scope, id, found).await.expect("noted");
        assert!(check(false).await.verified_at.is_none(), "{engine}: nothing is proven without the record");
        let proven = check(true).await.verified_at;
        assert!(proven.is_some() && store.due_domains(9).await.expect("an answer").is_empty(), "{engine}");
        store.clock.advance(DOMAIN_RECHECK + TimeDelta::seconds(1));
        let due = store.due_domains(9).await.expect("an answer");
        assert_eq!(due.iter().map(|due| due.domain.as_str()).collect::<Vec<_>>(), ["acme.example"], "{engine}");
        store.note_domain_recheck(&due[0], false).await.expect("noted");
        assert!(store.due_domains(9).await.expect("an answer").is_empty(), "{engine}: it had its turn");
        let missed = store.domain(&scope, id).await.expect("the domain");
        assert_eq!((missed.verified_at, missed.missing_since), (proven, Some(store.clock.now())), "{engine}");
        store.clock.advance(DOMAIN_GRACE);
        assert_eq!(check(false).await.verified_at, proven, "{engine}: a week to the second");
        assert_eq!(check(true).await.missing_since, None, "{engine}: the record is back, and the week begins anew");
        check(false).await;
        store.clock.advance(DOMAIN_GRACE + TimeDelta::seconds(1));
        let lapsed = check(false).await;
        assert_eq!((lapsed.verified_at, lapsed.missing_since), (None, None), "{engine}");
        assert!(store.tenant_of_domain("acme.example").await.expect("an answer").is_none(), "{engine}");
        // Not by the list, which ends before the oldest transaction of other tests.
        let tx = store.read(&scope.scope).await.expect("a transaction");
        let log = tx.find::<audit_events::Entity>().ascending(audit_events::Column::Id);
        let kinds: Vec<String> = log.values(audit_events::Column::Kind).await.expect("the log");
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).filter(|kind| kind.starts_with("domain.")).collect();
        assert_eq!(kinds, ["domain.added", "domain.verified", "domain.lapsed"], "{engine}");
    });
}

#[test]
fn spellings_of_one_domain_are_one_and_what_is_none_is_refused() {
    for (given, spelled) in [
        ("ACME.example.", "acme.example"),
        (" a.b-c.example ", "a.b-c.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ] {
        assert_eq!(super::spelled(given).expect("a domain"), spelled);
    }
    let long = format!("{}.example", "a".repeat(64));
    for given in [
        "",
        ".",
        "localhost",
        "acme..example",
        "-a.example",
        "a-.example",
        "bücher.example",
        "10.0.0.1",
        "a b.example",
        "a.example/x",
        &long,
    ] {
        assert!(super::spelled(given).is_err(), "{given:?}");
    }
}

//! Lists while transactions are open, and after a restore.

use crate::directory::filter::tests::engines::on_each_engine;
use crate::engine::connect::Store;
use crate::{AdminScope, AuditFilter, ListOrder, NewTenant, PageRequest};
use rollcall_core::event::{Difference, Event, TenantNames};
use rollcall_core::policy::Policy;
use sea_orm::ConnectionTrait;
use std::time::{Duration, Instant};

async fn tenant(store: &Store) -> AdminScope {
    let new = NewTenant { name: "Lists".into(), seats: 9, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
    store.operator_scope(&slug).await.expect("a scope")
}

/// An event in a transaction that stays open.
async fn open_event(store: &Store, api: &AdminScope) -> crate::engine::transaction::TenantTx {
    let tx = store.write(&api.scope).await.expect("a transaction");
    let names = || TenantNames { name: "Lists".to_owned(), slug: "lists".to_owned() };
    let event = Event::TenantRenamed(api.scope.tenant, Difference { before: names(), after: names() });
    tx.tx.batch(vec![tx.event(&event).into()]).await.expect("written");
    tx
}

async fn listed(store: &Store, api: &AdminScope, order: ListOrder) -> usize {
    let page = PageRequest { order, ..PageRequest::first(200) };
    store.audit_events(api, &AuditFilter::default(), &page).await.expect("events").items.len()
}

/// Transactions of other tests may be open in the same cluster.
async fn until_listed(store: &Store, api: &AdminScope, wanted: usize) {
    let begun = Instant::now();
    while listed(store, api, ListOrder::Ascending).await != wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "not {wanted} events");
        tokio::task::yield_now().await;
    }
}

#[test]
fn f1_a_list_ends_before_the_oldest_open_transaction() {
    on_each_engine(async |store, engine| {
        let api = tenant(&store).await;
        let made = listed(&store, &api, ListOrder::Descending).await;
        until_listed(&store, &api, made).await;
        if engine == "SQLite" {
            // One writer at a time.
            open_event(&store, &api).await.commit().await.expect("committed");
            assert_eq!(listed(&store, &api, ListOrder::Ascending).await, made + 1);
            return;
        }
        let early = open_event(&store, &api).await;
        open_event(&store, &api).await.commit().await.expect("committed");
        assert_eq!(listed(&store, &api, ListOrder::Ascending).await, made, "an older transaction is open");
        assert_eq!(listed(&store, &api, ListOrder::Descending).await, made + 1, "from the end it is shown at once");
        let page = PageRequest::first(200);
        let seen = store.audit_events(&api, &AuditFilter::default(), &page).await.expect("events");
        early.commit().await.expect("committed");
        until_listed(&store, &api, made + 2).await;
        let page = page.after(seen.resume);
        let rest = store.audit_events(&api, &AuditFilter::default(), &page).await.expect("events").items;
        assert_eq!(rest.len(), 2, "both come after the cursor");
    });
}

#[test]
fn f1_a_restored_database_goes_on_after_its_last_rows() {
    on_each_engine(async |store, engine| {
        let api = tenant(&store).await;
        store.check_positions().await.expect("nothing is wrong");
        if engine == "SQLite" {
            return;
        }
        // As in a database whose rows were written by later transactions of another cluster.
        let far = 1_i64 << 50;
        let sql = format!("UPDATE audit_events SET position = {far}");
        store.schema_of_test().execute_unprepared(&sql).await.expect("an update");
        let made = listed(&store, &api, ListOrder::Descending).await;
        let refused = store.check_positions().await.expect_err("new rows would come first");
        assert!(refused.contains("rollcall migrate"), "{refused}");
        store.migrate().await.expect("migrated");
        store.check_positions().await.expect("nothing is wrong");
        until_listed(&store, &api, made).await;
        let page = PageRequest::first(200);
        let seen = store.audit_events(&api, &AuditFilter::default(), &page).await.expect("events");
        open_event(&store, &api).await.commit().await.expect("committed");
        until_listed(&store, &api, made + 1).await;
        let page = page.after(seen.resume);
        let new = store.audit_events(&api, &AuditFilter::default(), &page).await.expect("events").items;
        assert_eq!(new.len(), 1, "the new event comes after the restored ones");
        store.migrate().await.expect("migrated again");
        until_listed(&store, &api, made + 1).await;
    });
}

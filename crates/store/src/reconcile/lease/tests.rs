//! Grant, refusal and expiry of a tenant's lease.

use super::*;
use crate::NewTenant;
use crate::directory::filter::tests::engines::on_each_engine;
use rollcall_core::policy::Policy;

const TTL: TimeDelta = TimeDelta::seconds(10);

async fn tenant(store: &Store) -> TenantId {
    let new = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
    store.create_tenant(&new).await.expect("a tenant").0
}

async fn ask(store: &Store, tenant: TenantId, worker: u128) -> Result<Lease, TimeDelta> {
    match store.lease(tenant, Uuid::from_u128(worker), TTL).await.expect("an answer") {
        LeaseAnswer::Granted(lease) => Ok(lease),
        LeaseAnswer::Busy { until } => Err(until - store.clock.now()),
        LeaseAnswer::NoTenant => panic!("there is one"),
    }
}

#[test]
fn a_tenant_that_ends_its_workers_one_after_the_other_backs_off() {
    on_each_engine(async |store, engine| {
        let tenant = tenant(&store).await;
        let first = ask(&store, tenant, 1).await.expect("the lease");
        assert_eq!(ask(&store, tenant, 2).await.expect_err("it is taken"), TTL, "{engine}");
        store.clock.advance(TTL);
        ask(&store, tenant, 2).await.expect("one worker may die");
        store.clock.advance(TTL);
        assert_eq!(ask(&store, tenant, 3).await.expect_err("not two"), TimeDelta::seconds(2), "{engine}");
        assert_eq!(ask(&store, tenant, 4).await.expect_err("for nobody"), TimeDelta::seconds(2), "{engine}");
        store.clock.advance(TimeDelta::seconds(2));
        ask(&store, tenant, 4).await.expect("the back-off is over");
        store.clock.advance(TTL);
        assert_eq!(ask(&store, tenant, 5).await.expect_err("again"), TimeDelta::seconds(4), "{engine}");
        assert!(matches!(store.renew(&first).await, Err(StoreError::LeaseLost)), "{engine}");
    });
}

#[test]
fn a_turn_that_ends_well_forgets_who_went_away_and_a_stopped_plan_is_no_failure() {
    on_each_engine(async |store, engine| {
        let tenant = tenant(&store).await;
        for worker in [1, 3, 5] {
            ask(&store, tenant, worker).await.expect("the lease");
            store.clock.advance(TTL);
            let lease = ask(&store, tenant, worker + 1).await.unwrap_or_else(|wait| panic!("{engine}: {wait}"));
            store.release(&lease).await.expect("a release");
        }
        for worker in [1, 2, 3] {
            ask(&store, tenant, worker).await.unwrap_or_else(|wait| panic!("{engine}: {wait}"));
            let scope = TenantScope::new(tenant, Actor::System);
            let tx = store.write(&scope).await.expect("a transaction");
            tx.stop_the_planning().await.expect("a stop");
            tx.commit().await.expect("an end");
        }
    });
}

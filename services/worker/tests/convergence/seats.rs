//! DA8 under load: a hundred seats, a hundred and twenty people, eight workers, with the database sampled meanwhile.

use crate::engine::on_each_database;
use crate::office::{Office, pages};
use crate::situations::{hire, set};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use rollcall_core::ids::{DirectoryUserId, TenantId};
use rollcall_core::policy::{Onboarding, Policy};
use rollcall_store::{MemberFilter, NewTenant};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SEATS: u32 = 100;
const PEOPLE: usize = 120;
const WORKERS: usize = 8;
const SEEDS: [u64; 3] = [1, 2, 3];

async fn seats_taken(database: &DatabaseConnection, tenant: TenantId) -> i64 {
    let sql = "SELECT count(*) AS taken FROM members WHERE tenant_id = $1 AND seated = TRUE";
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, [tenant.0.into()]);
    let row = database.query_one_raw(statement).await.expect("an answer").expect("a row");
    row.try_get("", "taken").expect("a count")
}

/// The most seats seen taken, with a last sample after the end; and the number of samples so far.
async fn watch(url: &str, tenant: TenantId, stop: CancellationToken) -> (JoinHandle<i64>, watch::Receiver<usize>) {
    let database = Database::connect(url).await.expect("a database");
    let (looked, looks) = watch::channel(0);
    let watcher = tokio::spawn(async move {
        let mut most = 0;
        loop {
            let last = stop.is_cancelled();
            most = most.max(seats_taken(&database, tenant).await);
            looked.send_modify(|looks| *looks += 1);
            if last {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        database.close().await.expect("an end");
        most
    });
    (watcher, looks)
}

async fn active(office: &Office) -> BTreeSet<String> {
    let members = pages(async |page| office.store.members(&office.api, &MemberFilter::default(), &page).await).await;
    members.into_iter().filter(|member| member.status == "active").map(|member| member.email).collect()
}

/// The people in the order of their creation in the directory.
fn announced(seed: u64) -> Vec<String> {
    let mut names: Vec<String> = (0..PEOPLE).map(|number| format!("p{number:03}")).collect();
    names.shuffle(&mut StdRng::seed_from_u64(seed));
    names
}

fn emails(names: &[String]) -> BTreeSet<String> {
    names.iter().map(|name| format!("{name}@x.test")).collect()
}

#[test]
fn da8_a_hundred_seats_go_to_the_same_hundred_whoever_works_and_are_never_exceeded() {
    on_each_database(async |store, engine, url| {
        for seed in SEEDS {
            let policy = Policy { onboarding: Onboarding::Federated, ..Policy::default() };
            let new = NewTenant { name: format!("{engine} {seed}"), seats: SEATS, policy, owner_email: None };
            let mut office = Office::open_tenant(store.clone(), WORKERS, new).await;
            let stop = CancellationToken::new();
            let (watcher, mut looks) = watch(url, office.tenant(), stop.clone()).await;
            let names = announced(seed);
            let mut people: Vec<DirectoryUserId> = Vec::new();
            for name in &names {
                people.push(hire(&office, name, &format!("{name}@x.test"), None).await);
                // Twice, because doubled wake-ups change nothing.
                office.wake();
                office.wake();
                // Forces samples while the seats are given out, even on a busy machine.
                if people.len().is_multiple_of(10) {
                    looks.changed().await.expect("a watcher");
                }
            }
            office.rest().await;
            let mut expected = emails(&names[..100]);
            assert_eq!(active(&office).await, expected, "{engine}, seed {seed}");
            let leaver = usize::try_from(seed).expect("a small number") * 7;
            set(&office, people[leaver], json!({ "active": false })).await;
            office.wake();
            office.rest().await;
            expected.remove(&format!("{}@x.test", names[leaver]));
            expected.extend(emails(&names[100..101]));
            assert_eq!(active(&office).await, expected, "{engine}, seed {seed}: exactly the next");
            stop.cancel();
            let most = watcher.await.expect("a watcher that ends");
            office.close().await;
            assert_eq!(most, i64::from(SEATS), "{engine}, seed {seed}: all were taken, never more");
        }
    });
}

#[test]
fn pe3_eight_workers_buy_seats_up_to_the_cap_and_the_log_says_each() {
    on_each_database(async |store, engine, url| {
        let policy = Policy { onboarding: Onboarding::Federated, seat_cap: Some(35), ..Policy::default() };
        let new = NewTenant { name: engine.to_owned(), seats: 10, policy, owner_email: None };
        let mut office = Office::open_tenant(store, WORKERS, new).await;
        let stop = CancellationToken::new();
        let (watcher, _) = watch(url, office.tenant(), stop.clone()).await;
        let names: Vec<String> = announced(7)[..50].to_vec();
        for name in &names {
            hire(&office, name, &format!("{name}@x.test"), None).await;
            office.wake();
        }
        office.rest().await;
        assert_eq!(active(&office).await, emails(&names[..35]), "{engine}");
        stop.cancel();
        let most = watcher.await.expect("a watcher that ends");
        assert_eq!(most, 35, "{engine}");
        let all = rollcall_store::AuditFilter::default();
        let events = pages(async |page| office.store.audit_events(&office.api, &all, &page).await).await;
        let mut seats = 10;
        for event in events.into_iter().filter(|event| event.kind == "seats.grown") {
            let detail = event.detail.expect("a detail").tree();
            assert_eq!(detail["before"], seats, "{engine}: each growth goes on from the one before");
            seats = detail["after"].as_i64().expect("a number");
            assert!(event.run_id.is_some(), "{engine}: and names the run that it was for");
        }
        assert_eq!(seats, 35, "{engine}");
        office.close().await;
    });
}

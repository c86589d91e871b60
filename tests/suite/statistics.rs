//! The overview and the days of an organisation.

use reqwest::Method;
use serde_json::json;

use crate::deployment::Combination;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::roster::Roster;
use crate::verbs::{email, eventually, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        the_overview_counts_what_is_there,
        a_day_counts_members_seats_sign_ins_and_runs,
        a_worker_writes_the_day_of_every_tenant,
        statistics_of_too_many_days_are_refused,
    ]
}

const BOSS: &str = "boss@acme.example";

async fn the_overview_counts_what_is_there(hub: Hub) {
    let tenant = hub.tenant().seats(3).policy("onboarding", "federated").owner(BOSS).create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea", "cem", "dan"]).await;
    source.post("/Users", &with(person("eve"), json!({ "userName": "no address", "emails": null }))).await.expect(201);
    tenant.eventually("two are in and two wait", |members| members.with_status("pending").len() == 2).await;
    let cem = tenant.member(&email("cem")).await.unwrap().id;
    tenant.post(&format!("/api/v1/members/{cem}/block"), &json!({})).await.expect(200);
    let overview = eventually("nothing waits for a worker", async || {
        let overview = tenant.get("/api/v1/overview").await.expect(200);
        let rests =
            overview.at("/backlog/changes") == &json!(0) && overview.at("/attention/skipped_records") == &json!(1);
        if rests { Ok(overview) } else { Err(overview.describe()) }
    })
    .await;
    let members = json!({ "pending": 1, "invited": 0, "active": 3, "suspended": 1, "removed": 0, "blocked": 1 });
    assert_eq!(overview.at("/members"), &members);
    assert_eq!(overview.at("/seats"), &json!({ "bought": 3, "used": 3 }));
    assert_eq!(overview.at("/waitlist"), &json!(1));
    let attention = json!({ "held_runs": 0, "approvals": 0, "skipped_records": 1, "quarantined_sources": 0 });
    assert_eq!(overview.at("/attention"), &attention);
    assert_eq!(overview.at("/backlog/oldest_change_at"), &json!(null));
    assert_eq!((overview.at("/sources/0/id"), overview.at("/sources/0/mode")), (&json!(source.id), &json!("live")));
    let lag = overview.at("/sync_lag");
    assert!(lag["changes"].as_u64() >= Some(4) && lag["p50_ms"].as_i64() <= lag["p99_ms"].as_i64(), "{lag}");
    assert!(lag["max_ms"].as_i64().is_some_and(|max| (0..30_000).contains(&max)), "{lag}");
    let stranger = hub.tenant().create();
    let empty = stranger.get("/api/v1/overview").await.expect(200);
    assert_eq!((empty.at("/members/active"), empty.at("/sync_lag/changes")), (&json!(0), &json!(0)));
}

async fn a_day_counts_members_seats_sign_ins_and_runs(hub: Hub) {
    let tenant = hub.tenant().seats(9).policy("onboarding", "federated").owner(BOSS).create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
    source.deactivate(&ann).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    for _ in 0..2 {
        Person::sign_in(&tenant, BOSS).await;
    }
    let runs = tenant.runs().await.len();
    let told = tenant.get("/api/v1/statistics?days=1").await.expect(200);
    let today = &told.at("/days").as_array().unwrap()[0];
    let members = json!({ "pending": 0, "invited": 0, "active": 1, "suspended": 1, "removed": 0, "blocked": 0 });
    assert_eq!((&today["members"], &today["seats"]), (&members, &json!({ "bought": 9, "used": 1 })), "{today}");
    assert_eq!((&today["sign_ins"], &today["runs"]), (&json!(2), &json!(runs)), "{today}");
    let shown = tenant.get("/api/v1/audit-events?order=desc&limit=1").await.expect(200).text_at("/items/0/at");
    assert_eq!(today["day"], json!(shown[..10]), "UTC");
}

async fn a_worker_writes_the_day_of_every_tenant(hub: Hub) {
    let hub = hub.another().start().await;
    // One whose counts cannot be written, as nobody's could before; it is no other tenant's loss.
    let broken = hub.tenant().owner(BOSS).create();
    let fails = match hub.combination() {
        Combination::Sqlite => format!(
            "CREATE TRIGGER broken BEFORE INSERT ON tenant_days WHEN hex(NEW.tenant_id) = upper('{}') \
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
            broken.id.replace('-', "")
        ),
        Combination::Full => {
            // The worker may have written a row of it already.
            format!(
                "BEGIN; LOCK TABLE tenant_days; DELETE FROM tenant_days; \
                 ALTER TABLE tenant_days ADD CONSTRAINT broken CHECK (tenant_id <> '{}'); COMMIT",
                broken.id
            )
        }
    };
    let tenant = hub.tenant().owner(BOSS).create();
    hub.deployment().change(&fails).await;
    // The worker had its turn as it started.
    hub.stop();
    hub.deployment().change("UPDATE upkeep_turns SET begun_at = NULL").await;
    hub.start_again().await;
    let yesterday = match hub.combination() {
        Combination::Sqlite => "date('now', '-1 day')",
        Combination::Full => "to_char((now() AT TIME ZONE 'UTC') - interval '1 day', 'YYYY-MM-DD')",
    };
    let days = eventually("the day is written", async || {
        hub.deployment().change(&format!("UPDATE tenant_days SET day = {yesterday}")).await;
        let told = tenant.get("/api/v1/statistics?days=2").await.expect(200);
        let days = told.at("/days").as_array().unwrap().clone();
        if days.len() == 2 { Ok(days) } else { Err(told.describe()) }
    })
    .await;
    assert_eq!((&days[0]["members"]["active"], &days[0]["seats"]["used"]), (&json!(1), &json!(1)), "{days:?}");
    assert_eq!(tenant.get("/api/v1/statistics?days=1").await.expect(200).at("/days").as_array().map(Vec::len), Some(1));
}

async fn statistics_of_too_many_days_are_refused(hub: Hub) {
    let tenant = hub.tenant().create();
    for query in [
        "statistics?days=0",
        "statistics?days=367",
        "statistics?days=x",
        "statistics?since=2026-01-01T00:00:00Z",
        "overview?days=1",
    ] {
        tenant.get(&format!("/api/v1/{query}")).await.expect_problem(400);
    }
    tenant.send(Method::POST, "/api/v1/overview", Some(&json!({}))).await.expect_problem(405);
}

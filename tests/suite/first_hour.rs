//! docs/first-hour.md: from one command to an approved run, without a shell after it.

use rollcall_simulator::{Idp, Options};
use serde_json::json;

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::{Hub, Ran};
use crate::person::Person;
use crate::process::Process;
use crate::registry::{Case, cases};
use crate::verbs::eventually;

pub(crate) fn cases() -> Vec<Case> {
    let embedded = cases![ds1_an_owner_connects_an_identity_provider_in_the_browser, a_hub_with_tenants_makes_no_other];
    embedded.into_iter().map(|case| case.only_on(Combination::Sqlite)).collect()
}

const BOSS: &str = "boss@acme.example";

async fn ds1_an_owner_connects_an_identity_provider_in_the_browser(hub: Hub) {
    let deployment = hub.another().setting("ROLLCALL_METRICS_LISTEN", "").only_stored().await;
    let log = deployment.folder.join("everything.log");
    let up = ["up", "--listen", "127.0.0.1:0", "--owner", BOSS, "--organisation", "Acme & Söhne <b>"];
    let _up = Process::spawn(deployment.server(&up), &log).unwrap();
    let link = eventually("the link is printed", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let line = text.lines().find(|line| line.contains("/sign-in?link=rcl_"));
        line.map(|line| line.trim().to_owned()).ok_or(text)
    })
    .await;
    let (base, secret) = link.split_once("/sign-in?link=").unwrap();
    let page = hub.get(&link).await.expect(200);
    assert!(page.text.contains(BOSS) && page.text.contains("Acme &amp; Söhne &lt;b&gt;"), "{}", page.describe());
    let form = hub.http().post(format!("{base}/sign-in")).body(format!("link={secret}"));
    let form = form.header("content-type", "application/x-www-form-urlencoded").header("origin", base);
    let boss = Person::at(base.to_owned(), hub.http(), &Answer::of(form).await.expect(303));

    let source = boss.post("/api/v1/sources", &json!({ "name": "Okta" })).await.expect(201);
    assert_eq!(source.at("/mode"), "simulate", "nobody gets access before somebody looked: {}", source.describe());
    let (id, address, token) = (source.id(), source.text_at("/scim_url"), source.text_at("/token"));
    assert_eq!(address, format!("{base}/scim/v2/{id}"));
    let live = json!({ "mode": "live" });
    boss.send(reqwest::Method::PATCH, &format!("/api/v1/sources/{id}"), &live).await.expect(200);

    let mut options = Options::new(Idp::Okta, &address, &token);
    (options.users, options.leavers, options.leavers_return) = (40, Some(20), false);
    let report = rollcall_simulator::run(options, &mut std::io::sink()).await.unwrap();
    assert_eq!(report.defects().count(), 0, "{:?}", report.defects().map(ToString::to_string).collect::<Vec<_>>());
    let (run, digest) = eventually("a run is held", async || {
        let held = boss.get("/api/v1/runs?state=held").await.expect(200);
        let run = held.at("/items/0/id").as_str().map(str::to_owned);
        run.map(|run| (run, held.at("/items/0/digest").clone())).ok_or_else(|| held.describe())
    })
    .await;
    eventually("the run is approved", async || {
        // It may have grown since it was read.
        let now = boss.get(&format!("/api/v1/runs/{run}")).await.expect(200);
        let digest = if now.at("/digest").is_null() { digest.clone() } else { now.at("/digest").clone() };
        let answer = boss.post(&format!("/api/v1/runs/{run}/approve"), &json!({ "digest": digest })).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    let events = boss.get("/api/v1/audit-events?kind=run.approved").await.expect(200);
    assert_eq!(events.at("/items/0/actor_name"), BOSS, "{}", events.describe());
}

async fn a_hub_with_tenants_makes_no_other(hub: Hub) {
    let deployment = hub.another().setting("ROLLCALL_METRICS_LISTEN", "").only_stored().await;
    let log = deployment.folder.join("everything.log");
    let make = ["tenant", "create", "--name", "Acme", "--seats", "3"];
    Ran::new(&make, deployment.run(&make)).expect_success();
    let _up = Process::spawn(deployment.server(&["up", "--listen", "127.0.0.1:0", "--owner", BOSS]), &log).unwrap();
    eventually("the owner is told", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let said = "--owner made nothing, since the hub has tenants";
        if text.contains(said) && !text.contains("rcl_") { Ok(()) } else { Err(text) }
    })
    .await;
    let list = ["tenant", "list", "--json"];
    let listed = Ran::new(&list, deployment.run(&list)).expect_json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let wrong = ["up", "--listen", "127.0.0.1:0", "--owner", "nobody"];
    let ran = Ran::new(&wrong, deployment.run_for_a_while(&wrong)).expect_failure();
    assert!(ran.stderr.contains("is not an email address"), "{}", ran.stderr);
}

//! A dry run for one person, with a trace of each step (PE14).

use serde_json::{Value, json};

use crate::decisions::change_policy;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, USER, email, eventually, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        pe14_a_dry_run_tells_each_step_and_changes_nothing,
        pe14_a_dry_run_tells_what_would_be_written,
        pe14_a_run_on_demand_looks_at_the_person_again,
        pe14_wrong_requests_are_refused,
    ]
}

fn path(source: &ScimSource, user: &str) -> String {
    format!("/api/v1/sources/{}/users/{user}/reconcile", source.id)
}

async fn dry_run(tenant: &Tenant, source: &ScimSource, user: &str) -> Value {
    tenant.post(&path(source, user), &json!({ "dry_run": true })).await.expect(200).json
}

/// The step of this name.
fn step<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let steps = answer["steps"].as_array().unwrap_or_else(|| panic!("no steps: {answer}"));
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {answer}"))
}

fn actions(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap()).collect()
}

async fn pe14_a_dry_run_tells_each_step_and_changes_nothing(hub: Hub) {
    let tenant = hub.tenant().policy("auto_provision", "false").create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_held("provisioning_off").await;
    let before = tenant.everything(&source).await;
    let answer = dry_run(&tenant, &source, &ann).await;
    let said = step(&answer, "source");
    assert_eq!((&said["mode"], &said["record"]["email"]), (&json!("live"), &json!(email("ann"))));
    assert_eq!(step(&answer, "match")["matched"]["situation"], "unmatched");
    assert_eq!(actions(&step(&answer, "plan")["items"]), ["provision"]);
    let withheld = &step(&answer, "review")["withheld"];
    assert_eq!(withheld[0]["held_reason"], "provisioning_off", "{withheld}");
    assert_eq!(step(&answer, "apply")["items"], json!([]));
    assert_eq!(tenant.everything(&source).await, before, "a dry run changes nothing");
    change_policy(&tenant, "auto_provision", json!(true)).await.expect(200);
    tenant.eventually_status(&email("ann"), "invited").await;
    let answer = dry_run(&tenant, &source, &ann).await;
    assert_eq!(step(&answer, "match")["matched"]["situation"], "linked");
    assert_eq!(step(&answer, "plan")["items"], json!([]), "what was applied plans to nothing");
}

async fn pe14_a_dry_run_tells_what_would_be_written(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let ann = source.user("ann").await;
    let answer = dry_run(&tenant, &source, &ann).await;
    assert_eq!(step(&answer, "review")["withheld"][0]["held_reason"], "simulation", "{answer}");
    let body = json!({ "schemas": [USER], "userName": "nobody", "active": true });
    let nobody = source.post("/Users", &body).await.expect(201).id();
    let answer = dry_run(&tenant, &source, &nobody).await;
    assert_eq!(step(&answer, "plan")["disputed"][0]["dispute"], "no_email", "{answer}");
}

async fn pe14_a_run_on_demand_looks_at_the_person_again(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let body = json!({ "schemas": [USER], "userName": "nobody", "active": true });
    let nobody = source.post("/Users", &body).await.expect(201).id();
    let tries = async |wanted: i64| {
        eventually(&format!("tried {wanted} times"), async || {
            let records: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
            let found = records.iter().any(|record| record["tries"] == wanted);
            if found { Ok(()) } else { Err(format!("{records:?}")) }
        })
        .await;
    };
    tries(1).await;
    let answer = tenant.post(&path(&source, &nobody), &json!({ "dry_run": false })).await.expect(202);
    let request = answer.text_at("/request_id");
    tries(2).await;
    let events: Vec<Value> = tenant.list(&format!("/api/v1/audit-events?subject_id={nobody}")).await;
    let asked = events.iter().find(|event| event["kind"] == "reconcile.requested");
    assert_eq!(asked.map(|event| &event["cause"]["request_id"]), Some(&json!(request)), "{events:?}");
}

async fn pe14_wrong_requests_are_refused(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let other = tenant.new_source().argument("--mode").argument("off").create();
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let before = tenant.everything(&source).await;
    for body in [json!({}), json!([]), json!({ "dry_run": "perhaps" }), json!({ "dry_run": true, "really": true })] {
        tenant.post(&path(&source, &ann), &body).await.expect_problem(400);
    }
    let dry = json!({ "dry_run": true });
    tenant.post(&path(&source, &unknown_id().to_string()), &dry).await.expect_problem(404);
    tenant.post(&path(&other, &ann), &dry).await.expect_problem(404);
    let reader = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    reader.post(&path(&source, &ann), &dry).await.expect_problem(403);
    assert_eq!(tenant.everything(&source).await, before);
}

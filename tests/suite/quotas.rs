//! Quotas of a tenant: refused with the way out, raised by the operator, and never in the way of somebody who leaves (S6).

use rand::Rng;
use reqwest::Method;
use serde_json::json;

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, eventually, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        s6_records_stop_at_the_quota_and_people_can_still_leave,
        s6_bytes_stop_at_the_quota,
        s6_sources_and_keys_stop_at_the_quota,
    ]
}

async fn s6_records_stop_at_the_quota_and_people_can_still_leave(hub: Hub) {
    let small = hub.another().setting("ROLLCALL_QUOTAS_RECORDS", "3").start().await;
    let tenant = small.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    let refused = source.post("/Users", &person("dan")).await.expect_scim_error(403, None);
    let detail = refused.at("/detail").as_str().unwrap_or_default().to_owned();
    for said in ["records", "may keep 3", "rollcall tenant set-quota"] {
        assert!(detail.contains(said), "{said} is missing in {detail}");
    }
    source.post("/Groups", &json!({ "displayName": "Pilots" })).await.expect_scim_error(403, None);
    source.deactivate(&ids[0]).await.expect_success();
    source.delete(&format!("/Users/{}", ids[1])).await.expect(204);
    tenant.eventually_status(&email("ann"), "suspended").await;
    tenant.eventually_status(&email("bea"), "suspended").await;
    let set = ["tenant", "set-quota", "--tenant", &tenant.slug, "--records", "10"];
    let shown = small.json_command(&set);
    assert_eq!(shown["quotas"]["records"], json!({ "used": 3, "limit": 10 }), "{shown}");
    eventually("there is room again", async || match source.post("/Users", &person("dan")).await {
        answer if answer.status == 201 => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
    let shown = small.json_command(&["tenant", "show", "--tenant", &tenant.slug]);
    assert_eq!(shown["quotas"]["records"], json!({ "used": 4, "limit": 10 }), "{shown}");
}

async fn s6_bytes_stop_at_the_quota(hub: Hub) {
    let small = hub.another().setting("ROLLCALL_QUOTAS_BYTES", "60000").start().await;
    let tenant = small.tenant().create();
    let source = tenant.scim_source();
    // Random text, which no database compresses.
    let mut random = hub.randomness(&tenant.slug);
    let mut noise = || (0..32_000).map(|_| char::from(random.random_range(b'!'..b'~'))).collect::<String>();
    let [ann, bea] = ["ann", "bea"].map(|name| with(person(name), json!({ "title": noise() })));
    let ann = source.post("/Users", &ann).await.expect(201).id();
    source.post("/Users", &bea).await.expect_scim_error(403, None);
    let grow = json!({ "schemas": [], "userName": email("ann"), "title": noise(), "nickName": noise() });
    source.send(Method::PUT, &format!("/Users/{ann}"), &grow).await.expect_scim_error(403, None);
    source.deactivate(&ann).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
}

async fn s6_sources_and_keys_stop_at_the_quota(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    hub.run_command(&["tenant", "set-quota", "--tenant", &tenant.slug, "--sources", "1", "--keys", "2"])
        .expect_success();
    let more = ["source", "create", "--tenant", &tenant.slug, "--kind", "scim", "--mode", "simulate"];
    let ran = hub.run_command(&more).expect_failure();
    assert!(ran.stderr.contains("quota of sources") && ran.stderr.contains("set-quota"), "{}", ran.stderr);
    let ran = hub.run_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]).expect_failure();
    assert!(ran.stderr.contains("quota of keys"), "{}", ran.stderr);
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    let refused = tenant.post(&path, &json!({})).await.expect_problem(403);
    assert_eq!(refused.at("/code"), "over_quota", "{}", refused.describe());
    hub.run_command(&["tenant", "set-quota", "--tenant", &tenant.slug, "--reset"]).expect_success();
    tenant.post(&path, &json!({})).await.expect(201);
}

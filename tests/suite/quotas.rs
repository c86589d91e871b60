//! Quotas of a tenant: refused with the way out, raised by the operator, and never in the way of somebody who leaves (S6).

use futures_util::future::{join, join_all};
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
        s6_changes_stop_at_the_quota_and_people_can_still_leave,
        rc22_s6_many_writers_and_sources_share_one_quota,
        s6_sources_and_keys_stop_at_the_quota,
        s6_many_makers_of_keys_share_one_quota,
    ]
}

async fn s6_records_stop_at_the_quota_and_people_can_still_leave(hub: Hub) {
    let small = hub.another().setting("ROLLCALL_QUOTAS_RECORDS", "3").start().await;
    let tenant = small.tenant().create();
    let source = tenant.scim_source();
    let mut ids = Vec::new();
    for name in ["ann", "bea", "cem"] {
        // A record that is written while they are counted may count twice until the next count, five seconds later (decision 0072).
        let made = eventually("there is room", async || match source.post("/Users", &person(name)).await {
            answer if answer.status == 201 => Ok(answer.id()),
            answer => Err(answer.describe()),
        });
        ids.push(made.await);
    }
    let refused = source.post("/Users", &person("dan")).await.expect_scim_error(403, None);
    let detail = refused.at("/detail").as_str().unwrap_or_default().to_owned();
    for said in ["records", "may keep 3", "rollcall tenant set-quota"] {
        assert!(detail.contains(said), "{said} is missing in {detail}");
    }
    source.post("/Groups", &json!({ "displayName": "Pilots" })).await.expect_scim_error(403, None);
    tenant.eventually("all are in", |members| members.len() == ids.len()).await;
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
    // Not a way round: what ends access is small.
    let grow = json!({ "op": "replace", "value": { "active": false, "title": noise(), "nickName": noise() } });
    source.patch(&format!("/Users/{ann}"), vec![grow]).await.expect_scim_error(403, None);
}

async fn s6_changes_stop_at_the_quota_and_people_can_still_leave(hub: Hub) {
    let small = hub.another().setting("ROLLCALL_QUOTAS_CHANGES", "1").start().await;
    let tenant = small.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    // A worker reads the changes meanwhile, so the quota is used up now and then.
    let mut number = 0;
    let refused = eventually("a refusal", async || {
        number += 1;
        match source.post("/Users", &person(&format!("p{number}"))).await {
            answer if answer.status == 429 => Ok(answer),
            answer => Err(answer.describe()),
        }
    })
    .await;
    assert_eq!(refused.header("retry-after"), "30", "{}", refused.describe());
    assert!(refused.at("/detail").as_str().is_some_and(|detail| detail.contains("changes")), "{}", refused.describe());
    source.delete(&format!("/Users/{ann}")).await.expect(204);
    tenant.eventually_status(&email("ann"), "suspended").await;
}

const WRITERS: usize = 32;

async fn rc22_s6_many_writers_and_sources_share_one_quota(hub: Hub) {
    let small = hub.another().setting("ROLLCALL_QUOTAS_RECORDS", "20").start().await;
    let tenant = small.tenant().create();
    let mut sources = vec![tenant.scim_source()];
    for _ in 0..3 {
        sources.push(tenant.new_source().argument("--mode").argument("simulate").create());
    }
    let writers = (0..WRITERS).map(|writer| {
        let source = &sources[writer % sources.len()];
        async move {
            let names = [format!("a{writer}"), format!("b{writer}")];
            let post =
                |name: &String| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(name) });
            let operations: Vec<_> = names.iter().map(post).collect();
            let bulk = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
            let (body, third) = (json!({ "schemas": [bulk], "Operations": operations }), person(&format!("c{writer}")));
            let (one, two) = join(source.post("/Users", &third), source.post("/Bulk", &body)).await;
            let of_bulk = two.at("/Operations").as_array().cloned().unwrap_or_default();
            let made = of_bulk.iter().filter(|operation| operation["status"] == "201").count();
            for operation in &of_bulk {
                assert!(["201", "403"].contains(&operation["status"].as_str().unwrap_or_default()), "{operation}");
            }
            assert!([201, 403].contains(&one.status), "{}", one.describe());
            made + usize::from(one.status == 201)
        }
    });
    let made: usize = join_all(writers).await.iter().sum();
    let shown = small.json_command(&["tenant", "show", "--tenant", &tenant.slug]);
    assert!(made <= 20, "{made}");
    assert_eq!(shown["quotas"]["records"], json!({ "used": made, "limit": 20 }), "{shown}");
    // Writes in flight may be counted twice, so the last places are free some seconds later.
    for number in made..20 {
        let late = person(&format!("d{number}"));
        eventually("a free place", async || match sources[0].post("/Users", &late).await {
            answer if answer.status == 201 => Ok(()),
            answer => Err(answer.describe()),
        })
        .await;
    }
    sources[1].post("/Users", &person("last")).await.expect_scim_error(403, None);
}

async fn s6_many_makers_of_keys_share_one_quota(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    hub.run_command(&["tenant", "set-quota", "--tenant", &tenant.slug, "--keys", "7"]).expect_success();
    let tokens = format!("/api/v1/sources/{}/tokens", source.id);
    let rotate = format!("{tokens}/{}/rotate", source.token_id.as_deref().unwrap());
    let makers = (0..WRITERS).map(|maker| {
        let path = if maker % 2 == 0 { &tokens } else { &rotate };
        let tenant = &tenant;
        async move { tenant.post(path, &json!({})).await.status }
    });
    let made = join_all(makers).await.into_iter().filter(|status| *status == 201).count();
    let shown = hub.json_command(&["tenant", "show", "--tenant", &tenant.slug]);
    // The owner's key and the first token were there before.
    assert_eq!((made, &shown["quotas"]["keys"]), (5, &json!({ "used": 7, "limit": 7 })), "{shown}");
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

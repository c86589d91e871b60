//! Promotion and detachment: previewed first, then carried out by the digest of the plan.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, email, eventually, person, unknown_id, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dx3_a_candidate_is_planned_as_if_it_were_the_authority_and_nothing_changes,
        pe11_ds5_rc11_a_source_is_promoted_by_what_was_shown_and_the_way_back_is_the_same,
        ds2_a_source_is_not_made_live_while_another_manages_members,
        pe11_a_promotion_of_another_state_or_of_no_plan_is_refused,
        pe11_a_source_that_says_nothing_is_not_promoted,
        ds2_promotion_is_the_remedy_that_a_second_live_source_is_told,
        pe7_people_of_a_detached_source_stay_or_leave_as_shown,
        pe7_pe11_a_candidate_is_planned_anew_when_the_authority_is_detached,
        pe7_pe11_requests_that_cannot_be_understood_change_nothing,
        pe7_pe11_the_command_line_shows_and_does_the_same,
    ]
}

fn candidate(tenant: &Tenant) -> ScimSource {
    tenant.new_source().argument("--mode").argument("simulate").create()
}

/// A tenant whose authority has ann, bob and cem, and whose candidate has ann, bob and dan.
async fn two_sources(hub: &Hub) -> (Tenant, ScimSource, ScimSource) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let first = tenant.scim_source();
    let ids = first.users(&["ann", "bob", "cem"]).await;
    first.group("Night Shift", &[&ids[0], &ids[1]]).await;
    tenant.eventually_group("Night Shift", &[&email("ann"), &email("bob")]).await;
    tenant.eventually_status(&email("cem"), "active").await;
    let second = candidate(&tenant);
    let ann = second.post("/Users", &with(person("ann"), json!({ "externalId": "other-ann" }))).await.expect(201).id();
    let ids = second.users(&["bob", "dan"]).await;
    second.group("night  shift", &[&ann, &ids[0]]).await;
    (tenant, first, second)
}

/// The preview, once it shows the expected counts.
async fn preview(tenant: &Tenant, source: &ScimSource, path: &str, value: impl Into<Value>) -> Answer {
    let (url, value) = (format!("/api/v1/sources/{}/promotion", source.id), value.into());
    eventually("the preview is complete", async || {
        let answer = tenant.get(&url).await.expect(200);
        let complete = answer.at("/pending_changes") == &json!(0) && answer.at(path) == &value;
        if complete { Ok(answer) } else { Err(answer.describe()) }
    })
    .await
}

async fn promote(tenant: &Tenant, source: &ScimSource, digest: &str) -> Answer {
    tenant.post(&format!("/api/v1/sources/{}/promote", source.id), &json!({ "digest": digest })).await
}

async fn mode_of(tenant: &Tenant, source: &ScimSource) -> String {
    tenant.get(&format!("/api/v1/sources/{}", source.id)).await.expect(200).text_at("/mode")
}

async fn dx3_a_candidate_is_planned_as_if_it_were_the_authority_and_nothing_changes(hub: Hub) {
    let (tenant, _, second) = two_sources(&hub).await;
    let before = (tenant.members().await, tenant.groups().await);
    let shown = preview(&tenant, &second, "/groups/adopted", 1).await;
    for (path, count) in [
        ("/people/transferred", 2),
        ("/people/new", 1),
        ("/people/leaving", 1),
        ("/groups/same", 0),
        ("/groups/renamed", 1),
        ("/memberships/added", 0),
        ("/memberships/removed", 0),
        ("/disputed", 0),
    ] {
        assert_eq!(shown.at(path), count, "{path}: {}", shown.describe());
    }
    assert_eq!(shown.at("/spelled_differently/0/before"), "Night Shift", "{}", shown.describe());
    let items: Vec<Value> = tenant.list(&format!("/api/v1/sources/{}/promotion/items", second.id)).await;
    let whys = |action: &str| -> Vec<&str> {
        let of = items.iter().filter(|item| item["action"] == action);
        of.map(|item| item["why"].as_str().unwrap()).collect()
    };
    let mut relinked = whys("relink");
    relinked.sort_unstable();
    assert_eq!(relinked, ["matched_by_email", "matched_by_external_id"], "{items:#?}");
    assert_eq!((whys("provision").len(), whys("suspend").len(), whys("adopt_group").len()), (1, 1, 1), "{items:#?}");
    let paged = tenant.get(&format!("/api/v1/sources/{}/promotion/items?limit=1", second.id)).await.expect(200);
    assert!(paged.at("/next_cursor").is_string(), "{}", paged.describe());
    let planned: Vec<Value> = tenant.list("/api/v1/runs?state=planned").await;
    assert_eq!(planned.len(), 1, "one run, however many changes: {planned:#?}");
    assert_eq!((tenant.members().await, tenant.groups().await), before);
}

async fn pe11_ds5_rc11_a_source_is_promoted_by_what_was_shown_and_the_way_back_is_the_same(hub: Hub) {
    let (tenant, first, second) = two_sources(&hub).await;
    let before = tenant.members().await;
    let group = tenant.groups().await[0].clone();
    let shown = preview(&tenant, &second, "/people/transferred", 2).await;
    let promoted = promote(&tenant, &second, &shown.text_at("/digest")).await.expect(200);
    assert_eq!(promoted.at("/mode"), "live", "{}", promoted.describe());
    assert_eq!(mode_of(&tenant, &first).await, "simulate", "it keeps its records, and the way back");
    tenant.eventually_status(&email("cem"), "suspended").await;
    tenant.eventually_status(&email("dan"), "active").await;
    let after = tenant.eventually_group("night  shift", &[&email("ann"), &email("bob")]).await;
    assert_eq!(after.id, group.id, "the same group under its new spelling (DS5)");
    for name in ["ann", "bob"] {
        let was = before.iter().find(|member| member.email == email(name)).unwrap();
        let is = tenant.member(&email(name)).await.unwrap();
        assert_eq!((&is.id, is.status.as_str()), (&was.id, "active"), "the same member");
        assert_eq!(is.managed_by.as_deref(), Some(second.id.as_str()));
        assert_eq!(tenant.kinds_about(&is.id).await.iter().filter(|kind| *kind == "member.relinked").count(), 1);
    }
    // Changes of the former authority have no effect now, and those of the new one have.
    let events: Vec<Value> = tenant.list(&format!("/api/v1/audit-events?subject_id={}", second.id)).await;
    assert!(events.iter().any(|event| event["kind"] == "source.promoted"), "{events:#?}");
    let back = preview(&tenant, &first, "/people/transferred", 3).await;
    assert_eq!(
        (back.at("/people/restored"), back.at("/people/leaving")),
        (&json!(1), &json!(1)),
        "{}",
        back.describe()
    );
    promote(&tenant, &first, &back.text_at("/digest")).await.expect(200);
    tenant.eventually_status(&email("cem"), "active").await;
    tenant.eventually_status(&email("dan"), "suspended").await;
    tenant.eventually_group("Night Shift", &[&email("ann"), &email("bob")]).await;
    for was in before {
        let is = tenant.member(&was.email).await.unwrap();
        assert_eq!(is, was, "flipping back restores what the source manages");
    }
}

/// Off and live is no way to move people: the new source would decide about none of them, and its leavers would stay in.
async fn ds2_a_source_is_not_made_live_while_another_manages_members(hub: Hub) {
    let (tenant, first, second) = two_sources(&hub).await;
    let set = async |source: &ScimSource, mode: &str| {
        let path = format!("/api/v1/sources/{}", source.id);
        tenant.send(Method::PATCH, &path, Some(&json!({ "mode": mode }))).await
    };
    set(&first, "off").await.expect(200);
    let refused = set(&second, "live").await.expect_problem(409);
    for said in [first.id.as_str(), "promote this one"] {
        assert!(refused.text_at("/detail").contains(said), "{said}: {}", refused.describe());
    }
    tenant.post("/api/v1/sources", &json!({ "mode": "live" })).await.expect_problem(409);
    set(&first, "live").await.expect(200);
    let shown = preview(&tenant, &second, "/people/transferred", 2).await;
    promote(&tenant, &second, &shown.text_at("/digest")).await.expect(200);
    let ann =
        tenant.eventually_member(&email("ann"), |ann| ann.managed_by.as_deref() == Some(second.id.as_str())).await;
    assert_eq!(ann.status, "active");
    tenant.eventually_status(&email("cem"), "suspended").await;
    // A leaver is explained by the source that decides, not by the record of the one that was left.
    let cem = tenant.member(&email("cem")).await.unwrap();
    let told = tenant.get(&format!("/api/v1/members/{}/explain", cem.id)).await.expect(200);
    assert_eq!(told.at("/decided_by"), "source_record", "{}", told.describe());
    let gate = told.at("/gates/0").clone();
    assert_eq!(gate["evidence"]["source_id"], json!(second.id), "{gate}");
    assert!(gate["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("Assign")), "{gate}");
}

async fn pe11_a_promotion_of_another_state_or_of_no_plan_is_refused(hub: Hub) {
    let (tenant, first, second) = two_sources(&hub).await;
    let shown = preview(&tenant, &second, "/people/transferred", 2).await;
    let stale = promote(&tenant, &second, &"0".repeat(64)).await.expect_problem(409);
    assert_eq!(stale.at("/code"), "plan_stale", "{}", stale.describe());
    // A person joins who is not in the preview.
    first.user("eve").await;
    tenant.eventually_status(&email("eve"), "active").await;
    let stale = promote(&tenant, &second, &shown.text_at("/digest")).await.expect_problem(409);
    assert_eq!(stale.at("/code"), "plan_stale", "{}", stale.describe());
    let live = tenant.get(&format!("/api/v1/sources/{}/promotion", first.id)).await.expect_problem(409);
    assert!(live.text_at("/detail").contains("authority already"), "{}", live.describe());
    promote(&tenant, &first, &shown.text_at("/digest")).await.expect_problem(409);
    let off = tenant.new_source().argument("--mode").argument("off").create();
    let refused = promote(&tenant, &off, &shown.text_at("/digest")).await.expect_problem(409);
    assert!(refused.text_at("/detail").contains("simulate"), "the remedy: {}", refused.describe());
    let stranger = hub.tenant().create();
    for path in ["promotion", "promotion/items", "detachment?people=keep", "detachment/items?people=keep"] {
        stranger.get(&format!("/api/v1/sources/{}/{path}", second.id)).await.expect_problem(404);
    }
    promote(&stranger, &second, &shown.text_at("/digest")).await.expect_problem(404);
    assert_eq!((mode_of(&tenant, &first).await, mode_of(&tenant, &second).await), ("live".into(), "simulate".into()));
}

async fn pe11_a_source_that_says_nothing_is_not_promoted(hub: Hub) {
    let tenant = hub.tenant().create();
    tenant.scim_source().user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let empty = candidate(&tenant);
    let shown = preview(&tenant, &empty, "/people/leaving", 1).await;
    let warning = shown.text_at("/warnings/0");
    assert!(warning.contains("no active person"), "{}", shown.describe());
    let refused = promote(&tenant, &empty, &shown.text_at("/digest")).await.expect_problem(409);
    assert!(refused.text_at("/detail").contains("take access from everybody"), "{}", refused.describe());
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "invited");
}

async fn ds2_promotion_is_the_remedy_that_a_second_live_source_is_told(hub: Hub) {
    let (tenant, first, second) = two_sources(&hub).await;
    let url = format!("{}/api/v1/sources/{}", hub.people_url(), second.id);
    let request = hub.http().patch(url).bearer_auth(&tenant.key).json(&json!({ "mode": "live" }));
    let refused = Answer::of(request).await.expect_problem(409);
    let detail = refused.text_at("/detail");
    assert!(detail.contains(&first.id) && detail.contains("/promote"), "reason and remedy: {}", refused.describe());
}

async fn pe7_people_of_a_detached_source_stay_or_leave_as_shown(hub: Hub) {
    for (people, status) in [("keep", "active"), ("remove", "suspended")] {
        let (tenant, first, _) = two_sources(&hub).await;
        let shown = tenant.get(&format!("/api/v1/sources/{}/detachment?people={people}", first.id)).await.expect(200);
        assert_eq!((shown.at("/members"), shown.at("/groups")), (&json!(3), &json!(1)), "{}", shown.describe());
        let items: Vec<Value> =
            tenant.list(&format!("/api/v1/sources/{}/detachment/items?people={people}", first.id)).await;
        assert!(items.len() >= 3, "{items:#?}");
        let detach = async |digest: &str| {
            let body = json!({ "people": people, "digest": digest });
            tenant.post(&format!("/api/v1/sources/{}/detach", first.id), &body).await
        };
        let stale = detach("0").await.expect_problem(409);
        assert_eq!(stale.at("/code"), "plan_stale", "{}", stale.describe());
        let done = detach(&shown.text_at("/digest")).await.expect(200);
        assert_eq!(done.at("/mode"), "off", "{}", done.describe());
        for name in ["ann", "bob", "cem"] {
            let member = tenant.eventually_status(&email(name), status).await;
            if people == "keep" {
                assert_eq!(member.managed_by, None, "unmanaged");
            }
        }
        eventually("the source refuses", async || match first.get("/Users").await {
            answer if answer.status == 403 => Ok(()),
            answer => Err(answer.describe()),
        })
        .await;
    }
}

/// The people and groups that a what-if plan took for the authority's own are nobody's after a detachment, so the plan is another
/// one: a promotion by the old one would leave groups behind.
async fn pe7_pe11_a_candidate_is_planned_anew_when_the_authority_is_detached(hub: Hub) {
    for people in ["keep", "remove"] {
        let (tenant, first, second) = two_sources(&hub).await;
        let before = preview(&tenant, &second, "/people/transferred", 2).await;
        let plan = format!("/api/v1/sources/{}/detachment?people={people}", first.id);
        let plan = tenant.get(&plan).await.expect(200).text_at("/digest");
        let detach = json!({ "people": people, "digest": plan });
        tenant.post(&format!("/api/v1/sources/{}/detach", first.id), &detach).await.expect(200);
        let stale = promote(&tenant, &second, &before.text_at("/digest")).await.expect_problem(409);
        assert_eq!(stale.at("/code"), "plan_stale", "{}", stale.describe());
        // The same candidate, made after the detachment, is planned in the same way.
        if people == "remove" {
            tenant.eventually_status(&email("ann"), "suspended").await;
        }
        let third = candidate(&tenant);
        third.post("/Users", &with(person("ann"), json!({ "externalId": "other-ann" }))).await.expect(201);
        third.users(&["bob", "dan"]).await;
        let after = eventually("the candidate is planned as one that is made now", async || {
            let shown = async |source: &ScimSource| {
                tenant.get(&format!("/api/v1/sources/{}/promotion", source.id)).await.expect(200)
            };
            let (old, new) = (shown(&second).await, shown(&third).await);
            let complete = [&old, &new].iter().all(|answer| answer.at("/pending_changes") == &json!(0));
            if complete && old.at("/people") == new.at("/people") {
                Ok(old)
            } else {
                Err(old.describe() + &new.describe())
            }
        })
        .await;
        promote(&tenant, &second, &after.text_at("/digest")).await.expect(200);
        for name in ["ann", "bob", "dan"] {
            tenant.eventually_status(&email(name), "active").await;
        }
    }
}

async fn pe7_pe11_requests_that_cannot_be_understood_change_nothing(hub: Hub) {
    let (tenant, first, second) = two_sources(&hub).await;
    preview(&tenant, &second, "/people/transferred", 2).await;
    let reader = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: reader["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    let before = tenant.everything(&first).await;
    let source = format!("/api/v1/sources/{}", second.id);
    for body in [json!({}), json!({ "digest": 7 }), json!({ "digest": "0", "force": true }), json!([]), json!("x")] {
        tenant.post(&format!("{source}/promote"), &body).await.expect_problem(400);
    }
    for body in [
        json!({}),
        json!({ "people": "keep" }),
        json!({ "digest": "0" }),
        json!({ "people": "sell", "digest": "0" }),
        json!({ "people": "keep", "digest": "0", "force": true }),
    ] {
        tenant.post(&format!("{source}/detach"), &body).await.expect_problem(400);
    }
    for query in ["", "?people=", "?people=sell", "?people=keep&limit=0", "?people=keep&cursor=x", "?people=keep&x=1"] {
        tenant.get(&format!("{source}/detachment{query}")).await.expect_problem(400);
        tenant.get(&format!("{source}/detachment/items{query}")).await.expect_problem(400);
    }
    for query in ["?limit=0", "?limit=201", "?cursor=nonsense", "?colour=red"] {
        tenant.get(&format!("{source}/promotion/items{query}")).await.expect_problem(400);
    }
    for id in [unknown_id().to_string(), "nonsense".into()] {
        for path in ["promotion", "promotion/items", "detachment?people=keep", "detachment/items?people=keep"] {
            tenant.get(&format!("/api/v1/sources/{id}/{path}")).await.expect_problem(404);
        }
        for path in ["promote", "detach"] {
            tenant.post(&format!("/api/v1/sources/{id}/{path}"), &json!({})).await.expect_problem(404);
        }
    }
    reader.get(&format!("{source}/promotion")).await.expect(200);
    for path in ["promote", "detach"] {
        reader.post(&format!("{source}/{path}"), &json!({ "digest": "0" })).await.expect_problem(403);
    }
    assert_eq!(tenant.everything(&first).await, before);
}

async fn pe7_pe11_the_command_line_shows_and_does_the_same(hub: Hub) {
    // A command is a process of its own. On SQLite its wake-ups reach no worker, and the sweep finds the change.
    let hub = hub.another().setting("ROLLCALL_WORKER_SWEEP_SECONDS", "1").start().await;
    let (tenant, first, second) = two_sources(&hub).await;
    let shown = preview(&tenant, &second, "/people/transferred", 2).await;
    let promote = ["source", "promote", "--tenant", &tenant.slug, "--source", &second.id];
    let said = hub.json_command(&promote);
    assert_eq!(said["digest"], *shown.at("/digest"), "{said}");
    let digest = said["digest"].as_str().unwrap();
    hub.json_command(&[&promote[..], &["--digest", digest]].concat());
    assert_eq!(mode_of(&tenant, &second).await, "live");
    tenant.eventually_status(&email("cem"), "suspended").await;
    let detach = ["source", "detach", "--tenant", &tenant.slug, "--source", &first.id, "--people", "keep"];
    let said = hub.json_command(&detach);
    assert_eq!(said["members"], 0, "its people are the other one's: {said}");
    hub.json_command(&[&detach[..], &["--digest", said["digest"].as_str().unwrap()]].concat());
    assert_eq!(mode_of(&tenant, &first).await, "off");
}

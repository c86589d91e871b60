//! Authentication and rate limits: tokens and keys that are revoked, expired, or of another tenant.

use reqwest::Method;
use serde_json::json;

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, email, eventually, operation, person};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_bad_token_is_a_scim_401,
        a_bad_key_is_a_problem_401,
        a_token_opens_one_source_and_no_api,
        f15_a_secret_of_another_form_is_told_what_it_lacks,
        a_revoked_token_is_refused_within_a_second,
        an_expired_token_is_refused,
        another_tenants_token_finds_nothing,
        another_tenants_key_finds_nothing,
        tenants_share_no_names,
        a_source_that_is_off_refuses_writes,
        too_many_requests_get_429_and_retry_after,
        a_good_token_at_a_wrong_address_costs_its_source_a_place,
        too_many_bad_tokens_do_not_slow_good_ones,
        too_many_api_requests_get_a_problem_429,
    ]
}

async fn a_bad_token_is_a_scim_401(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let before = tenant.everything(&source).await;
    let url = format!("{}/Users/{id}", source.base);
    let cut = &source.token[..source.token.len() - 1];
    let altered = format!("{cut}{}", if source.token.ends_with('a') { 'b' } else { 'a' });
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic YTpi",
        &format!("Bearer {cut}"),
        &format!("Bearer {altered}"),
        &source.token,
    ] {
        for method in [Method::GET, Method::DELETE] {
            let mut request = hub.http().request(method, &url);
            if !authorization.is_empty() {
                request = request.header("authorization", authorization);
            }
            let answer = Answer::of(request).await.expect_scim_error(401, None);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{authorization}: {:?}", answer.headers);
        }
    }
    assert_eq!(tenant.everything(&source).await, before);
}

async fn a_bad_key_is_a_problem_401(hub: Hub) {
    let tenant = hub.tenant().create();
    let url = format!("{}/api/v1/members", hub.people_url());
    for key in ["nonsense", &tenant.key[..tenant.key.len() - 1]] {
        Answer::of(hub.http().get(&url).bearer_auth(key)).await.expect_problem(401);
    }
    Answer::of(hub.http().get(&url)).await.expect_problem(401);
}

async fn f15_a_secret_of_another_form_is_told_what_it_lacks(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (members, users) = (format!("{}/api/v1/members", hub.people_url()), format!("{}/Users", source.base));
    let (token, key) = (&source.token, &tenant.key);
    for (url, header, told) in [
        (&members, format!("Bearer {token}"), "token of a source"),
        (&members, token.clone(), "form of an API key"),
        (&members, key.clone(), "form of an API key"),
        (&members, format!("Basic {key}"), "scheme"),
        (&members, format!("Bearer {}", &key[..20]), "form of an API key"),
        (&users, format!("Bearer {key}"), "this is an API key"),
        (&users, token.clone(), "form of a SCIM token"),
    ] {
        let refused = Answer::of(hub.http().get(url).header("authorization", &header)).await.expect(401);
        let detail = refused.text_at("/detail");
        assert!(detail.contains(told), "{told}: {detail}");
        assert!(!detail.contains(&token[4..]) && !detail.contains(&key[4..]), "a secret is shown");
    }
}

async fn a_token_opens_one_source_and_no_api(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let members = format!("{}/api/v1/members", hub.people_url());
    Answer::of(hub.http().get(members).bearer_auth(&source.token)).await.expect_problem(401);
    let users = format!("{}/Users", source.base);
    Answer::of(hub.http().get(users).bearer_auth(&tenant.key)).await.expect_scim_error(401, None);
}

async fn a_revoked_token_is_refused_within_a_second(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let token_id = source.token_id.clone().expect("`source create` names the token's id");
    hub.run_command(&["source", "revoke-token", "--tenant", &tenant.slug, "--token-id", &token_id]).expect_success();
    crate::verbs::within(std::time::Duration::from_secs(1), "the token is refused", async || {
        let answer = source.get("/Users").await;
        answer.check_scim_error(401, None)
    })
    .await;
    source.post("/Users", &person("bea")).await.expect_scim_error(401, None);
    tenant.eventually("only ann", |members| members.len() == 1 && members[0].email == email("ann")).await;
}

async fn an_expired_token_is_refused(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--token-expires-in").argument("2s").create();
    eventually("the token has expired", async || {
        let answer = source.get("/Users").await;
        answer.check_scim_error(401, None)
    })
    .await;
    source.post("/Users", &person("ann")).await.expect_scim_error(401, None);
    assert!(tenant.members().await.is_empty());
}

/// Two tenants with one user, group and member each.
async fn two_tenants(hub: &Hub) -> [(Tenant, ScimSource, String, String); 2] {
    let mut made = Vec::new();
    for _ in 0..2 {
        let tenant = hub.tenant().create();
        let source = tenant.scim_source();
        let user = source.user("ann").await;
        let group = source.group("Pilots", &[&user]).await;
        tenant.eventually_group("Pilots", &[&email("ann")]).await;
        made.push((tenant, source, user, group));
    }
    made.try_into().unwrap_or_else(|_| unreachable!())
}

async fn another_tenants_token_finds_nothing(hub: Hub) {
    let [(tenant, mine, user, group), (_, other, ..)] = two_tenants(&hub).await;
    let before = tenant.everything(&mine).await;
    // The right address with the wrong token, and the wrong address with the right id.
    let trespasser = ScimSource { token: other.token.clone(), ..mine.clone() };
    for source in [&trespasser, &other] {
        for path in [format!("/Users/{user}"), format!("/Groups/{group}")] {
            source.get(&path).await.expect_scim_error(404, None);
            source.put(&path, &person("bea")).await.expect_scim_error(404, None);
            source
                .patch(&path, vec![operation("replace", "displayName", json!("x"))])
                .await
                .expect_scim_error(404, None);
            source.delete(&path).await.expect_scim_error(404, None);
        }
    }
    trespasser.get("/Users").await.expect_scim_error(404, None);
    trespasser.post("/Users", &person("bea")).await.expect_scim_error(404, None);
    let add = vec![operation("add", "members", crate::verbs::members_value(&[&user]))];
    let own_group = other.group("Crew", &[]).await;
    other.patch(&format!("/Groups/{own_group}"), add).await.expect_scim_error(400, Some("invalidValue"));
    assert_eq!(tenant.everything(&mine).await, before);
}

async fn another_tenants_key_finds_nothing(hub: Hub) {
    let [(mine, source, ..), (other, ..)] = two_tenants(&hub).await;
    let before = mine.everything(&source).await;
    let member = mine.member(&email("ann")).await.unwrap();
    let group = mine.groups().await.remove(0);
    other.get(&format!("/api/v1/groups/{}/members", group.id)).await.expect_problem(404);
    other.post(&format!("/api/v1/members/{}/accept", member.id), &json!({})).await.expect_problem(404);
    assert!(
        other.list::<serde_json::Value>(&format!("/api/v1/audit-events?subject_id={}", member.id)).await.is_empty()
    );
    assert_eq!(mine.everything(&source).await, before);
}

async fn tenants_share_no_names(hub: Hub) {
    let [(mine, mine_source, ..), (other, other_source, ..)] = two_tenants(&hub).await;
    for (tenant, source) in [(&mine, &mine_source), (&other, &other_source)] {
        assert_eq!(tenant.members().await.len(), 1);
        assert_eq!(tenant.groups().await.len(), 1);
        assert_eq!(source.all("/Users").await.len(), 1);
    }
    assert_ne!(mine.member(&email("ann")).await.unwrap().id, other.member(&email("ann")).await.unwrap().id);
    let mine_events: Vec<String> = mine.events().await.into_iter().map(|event| event.id).collect();
    assert!(other.events().await.iter().all(|event| !mine_events.contains(&event.id)));
}

async fn a_source_that_is_off_refuses_writes(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--mode").argument("off").create();
    source.post("/Users", &person("ann")).await.expect_scim_error(403, None);
    assert!(tenant.members().await.is_empty());
}

async fn too_many_requests_get_429_and_retry_after(hub: Hub) {
    let slow = hub
        .another()
        .setting("ROLLCALL_INGEST_RATE_PER_SECOND", "1")
        .setting("ROLLCALL_INGEST_RATE_BURST", "5")
        .start()
        .await;
    let tenant = slow.tenant().create();
    let source = tenant.scim_source();
    let beside = tenant.new_source().argument("--mode").argument("simulate").create();
    let mut refused = None;
    for number in 0..40 {
        let answer = source.post("/Users", &person(&format!("p{number}"))).await;
        if answer.status == 429 {
            refused = Some(answer.expect_scim_error(429, None));
            break;
        }
        answer.expect(201);
    }
    let refused = refused.expect("40 requests at once pass 5 at once and 1 a second");
    let seconds: u64 =
        refused.header("retry-after").parse().unwrap_or_else(|_| panic!("no Retry-After: {:?}", refused.headers));
    assert!((1..=60).contains(&seconds), "Retry-After: {seconds}");
    beside.get("/Users").await.expect(200);
    eventually("the source is served again", async || match source.get("/Users").await {
        answer if answer.status == 200 => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
}

async fn a_good_token_at_a_wrong_address_costs_its_source_a_place(hub: Hub) {
    let slow = hub
        .another()
        .setting("ROLLCALL_INGEST_RATE_PER_SECOND", "0.01")
        .setting("ROLLCALL_INGEST_RATE_BURST", "5")
        .start()
        .await;
    let tenant = slow.tenant().create();
    let (mine, off) = (tenant.scim_source(), tenant.new_source().argument("--mode").argument("off").create());
    let astray = ScimSource { token: mine.token.clone(), ..off.clone() };
    for (source, status) in [(astray, 404), (off, 403)] {
        for _ in 0..5 {
            source.get("/Users").await.expect_scim_error(status, None);
        }
        source.get("/Users").await.expect_scim_error(429, None);
    }
}

async fn too_many_bad_tokens_do_not_slow_good_ones(hub: Hub) {
    let strict = hub
        .another()
        .setting("ROLLCALL_INGEST_FAILED_AUTH_PER_SECOND", "1")
        .setting("ROLLCALL_INGEST_FAILED_AUTH_BURST", "5")
        .start()
        .await;
    let tenant = strict.tenant().create();
    let source = tenant.scim_source();
    let mut refused = 0;
    for guess in 0..40 {
        // Some have the form of a token, and are looked up.
        let token = if guess % 2 == 0 { "nonsense".to_owned() } else { format!("rcs_{guess:043}") };
        let thief = ScimSource { token, ..source.clone() };
        match thief.get("/Users").await {
            answer if answer.status == 429 => {
                assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
                answer.expect_scim_error(429, None);
                refused += 1;
            }
            answer => drop(answer.expect_scim_error(401, None)),
        }
    }
    assert!(refused > 0, "40 guesses at once were all answered");
    for number in 0..10 {
        source.post("/Users", &person(&format!("p{number}"))).await.expect(201);
    }
}

async fn too_many_api_requests_get_a_problem_429(hub: Hub) {
    let slow = hub
        .another()
        .setting("ROLLCALL_ADMIN_RATE_PER_SECOND", "1")
        .setting("ROLLCALL_ADMIN_RATE_BURST", "5")
        .start()
        .await;
    let (tenant, beside) = (slow.tenant().create(), slow.tenant().create());
    let mut refused = None;
    for _ in 0..40 {
        let answer = tenant.get("/api/v1/members").await;
        if answer.status == 429 {
            refused = Some(answer.expect_problem(429));
            break;
        }
    }
    let refused = refused.expect("40 requests at once pass 5 at once and 1 a second");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|wait| wait >= 1), "{:?}", refused.headers);
    beside.get("/api/v1/members").await.expect(200);
}

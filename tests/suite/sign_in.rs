//! Signing in: links, recovery codes, sessions, and what ends them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::person::{CSRF, Person, new_link};
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, within};

pub(crate) fn cases() -> Vec<Case> {
    let everywhere = cases![
        a_link_signs_in_once_and_the_log_names_the_person,
        two_who_press_at_once_are_one,
        a_link_that_is_opened_is_not_used_up,
        another_sites_page_signs_nobody_in,
        a_session_writes_nothing_once_its_role_is_gone,
        a_new_link_ends_the_old_one,
        only_members_with_authority_sign_in,
        an_invited_admin_is_told_to_accept_first,
        an_auditor_reads_what_an_admin_reads_and_changes_nothing,
        a_session_writes_from_the_hubs_own_pages_alone,
        a_key_and_a_cookie_do_not_mix,
        sessions_are_listed_and_ended,
        a_further_session_ends_the_oldest,
        recovery_codes_sign_an_owner_in_once_each,
        an_owner_who_is_a_billing_contact_too_stays_signed_in,
        an_old_sign_in_makes_no_credentials,
        guesses_are_limited_by_address_and_holders_pass,
        a_session_ends_after_a_pause_and_after_a_day,
        a_leaver_is_signed_out_by_the_directory,
        rc22_no_session_reaches_another_tenant,
    ];
    let apart = cases![
        another_role_and_every_other_end_reach_all_processes,
        another_role_and_every_other_end_reach_all_processes_without_redis,
    ];
    everywhere.into_iter().chain(apart.into_iter().map(|case| case.only_on(Combination::Full).alone())).collect()
}

const BOSS: &str = "boss@acme.example";

fn owned(hub: &Hub) -> Tenant {
    hub.tenant().owner(BOSS).policy("onboarding", "federated").create()
}

async fn a_link_signs_in_once_and_the_log_names_the_person(hub: Hub) {
    let tenant = owned(&hub);
    let link = new_link(&tenant, BOSS);
    let answer = Person::present(&tenant, &link).await.expect(201);
    let cookie = answer.header("set-cookie");
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let boss = Person::of(&tenant, &answer);
    let session = boss.get("/api/v1/session").await.expect(200);
    assert_eq!((session.at("/member/email"), session.at("/role")), (&json!(BOSS), &json!("owner")));
    assert_eq!(session.at("/tenant/slug"), tenant.slug.as_str());
    assert!(!session.text.contains("rss_"), "the secret is the cookie's alone");

    let again = Person::present(&tenant, &link).await.expect_problem(401);
    assert!(again.text_at("/detail").contains("was used"), "{}", again.describe());

    let ann = json!({ "display_name": "Ada Boss" });
    let member = session.text_at("/member/id");
    boss.send(Method::PATCH, &format!("/api/v1/members/{member}"), &ann).await.expect(200);
    let events = tenant.get("/api/v1/audit-events?order=desc&limit=200").await.expect(200);
    let items = events.at("/items").as_array().cloned().unwrap_or_default();
    let of = |kind: &str| items.iter().find(|event| event["kind"] == kind).unwrap_or_else(|| panic!("{kind}")).clone();
    for kind in ["sign_in_link.used", "session.started", "member.updated"] {
        let event = of(kind);
        assert_eq!(event["actor"], format!("member:{member}"), "{event}");
        assert_eq!(event["actor_name"], "Ada Boss", "{event}");
    }
    assert_eq!(of("session.started")["detail"]["way"], "link");
    assert_eq!(of("sign_in_link.created")["actor"], "operator");
    assert!(!events.text.contains(&link) && !events.text.contains(&boss.cookie), "a secret is in the log");
}

async fn two_who_press_at_once_are_one(hub: Hub) {
    let tenant = owned(&hub);
    for _ in 0..10 {
        let link = new_link(&tenant, BOSS);
        let both = futures_util::future::join_all((0..4).map(|_| Person::present(&tenant, &link))).await;
        let signed_in = both.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(signed_in, 1, "{both:?}");
        assert!(both.iter().all(|answer| matches!(answer.status, 201 | 401)), "{both:?}");
    }
}

async fn press(tenant: &Tenant, link: &str, site: &str) -> Answer {
    let url = format!("{}/sign-in", tenant.hub.people_url());
    let form = format!("link={link}");
    let request = tenant.hub.http().post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    Answer::of(request.header("sec-fetch-site", site)).await
}

async fn a_link_that_is_opened_is_not_used_up(hub: Hub) {
    let tenant = owned(&hub);
    let link = new_link(&tenant, BOSS);
    let url = format!("{}/sign-in?link={link}", hub.people_url());
    for _ in 0..3 {
        let page = hub.get(&url).await.expect(200);
        assert!(page.content_type().starts_with("text/html") && page.text.contains(BOSS), "{}", page.describe());
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert!(page.header("set-cookie").is_empty() && !page.text.contains("<script"), "{}", page.describe());
    }
    let pressed = press(&tenant, &link, "same-origin").await.expect(303);
    let boss = Person::of(&tenant, &pressed);
    // The console, or the page below in a hub that was built without it.
    assert!(["/", "/sign-in"].contains(&pressed.header("location")), "{}", pressed.describe());
    boss.get(pressed.header("location")).await.expect(200);
    let landed = boss.get("/sign-in").await.expect(200);
    assert!(landed.text.contains("You are signed in") && landed.text.contains(BOSS), "{}", landed.describe());
    let used = hub.get(&url).await.expect(401);
    assert!(used.text.contains("was used") && !used.text.contains(BOSS), "{}", used.describe());
    let style = hub.get(&format!("{}/sign-in.css", hub.people_url())).await.expect(200);
    assert!(style.content_type().starts_with("text/css"), "{}", style.describe());
}

async fn another_sites_page_signs_nobody_in(hub: Hub) {
    let tenant = owned(&hub);
    let link = new_link(&tenant, BOSS);
    for site in ["cross-site", "same-site", "none"] {
        let refused = press(&tenant, &link, site).await.expect(403);
        assert!(refused.header("set-cookie").is_empty(), "{}", refused.describe());
    }
    press(&tenant, &link, "same-origin").await.expect(303);
    let empty = hub.get(&format!("{}/sign-in", hub.people_url())).await.expect(200);
    assert!(empty.text.contains("Recovery code") && !empty.text.contains(BOSS), "{}", empty.describe());
    for garbage in ["rcl_", "<script>alert(1)</script>", &format!("rcl_{}", "a".repeat(43))] {
        let page = hub.get(&format!("{}/sign-in?link={garbage}", hub.people_url())).await.expect(401);
        assert!(!page.text.contains("alert(1)"), "{}", page.describe());
    }
}

async fn a_new_link_ends_the_old_one(hub: Hub) {
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    let old = new_link(&tenant, BOSS);
    let member = boss.get("/api/v1/session").await.text_at("/member/id");
    let made = boss.post(&format!("/api/v1/members/{member}/sign-in-link"), &json!({})).await.expect(201);
    Person::present(&tenant, &old).await.expect_problem(401);
    let url = made.text_at("/url");
    let link = url.split_once("link=").unwrap_or_else(|| panic!("{url}")).1;
    Person::present(&tenant, link).await.expect(201);
    for seconds in [json!(0), json!(86_401), json!(-1), json!("soon")] {
        let body = json!({ "expires_in_seconds": seconds });
        boss.post(&format!("/api/v1/members/{member}/sign-in-link"), &body).await.expect_problem(400);
    }
}

pub(crate) async fn set_role(tenant: &Tenant, member: &str, change: &Value) {
    tenant.send(Method::PATCH, &format!("/api/v1/members/{member}"), Some(change)).await.expect(200);
}

async fn an_invited_admin_is_told_to_accept_first(hub: Hub) {
    let tenant = hub.tenant().create();
    tenant.scim_source().user("bea").await;
    let bea = tenant.eventually_status(&email("bea"), "invited").await;
    set_role(&tenant, &bea.id, &json!({ "role": "admin" })).await;
    let path = format!("/api/v1/members/{}/sign-in-link", bea.id);
    let refused = tenant.send(Method::POST, &path, Some(&json!({}))).await.expect_problem(409);
    assert!(refused.describe().contains("/api/v1/members/{id}/accept"), "{}", refused.describe());
    tenant.send(Method::POST, &format!("/api/v1/members/{}/accept", bea.id), None).await.expect(200);
    tenant.send(Method::POST, &path, Some(&json!({}))).await.expect(201);
}

async fn only_members_with_authority_sign_in(hub: Hub) {
    let tenant = owned(&hub);
    let source = tenant.scim_source();
    source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let link = ["sign-in-link", "--tenant", &tenant.slug, "--email", &email("ann")];
    let refused = hub.run_command(&link).expect_failure();
    assert!(refused.stderr.contains("only owners, admins, auditors and billing contacts"), "{}", refused.stderr);
    let nobody = ["sign-in-link", "--tenant", &tenant.slug, "--email", "nobody@acme.example"];
    let refused = hub.run_command(&nobody).expect_failure();
    assert!(refused.stderr.contains("nobody@acme.example"), "{}", refused.stderr);

    set_role(&tenant, &ann.id, &json!({ "billing_contact": true })).await;
    let contact = Person::sign_in(&tenant, &email("ann")).await;
    contact.get("/api/v1/members").await.expect(200);
    let patch = json!({ "role": "owner" });
    contact.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), &patch).await.expect_problem(403);
    contact.get("/api/v1/api-keys").await.expect_problem(403);

    set_role(&tenant, &ann.id, &json!({ "role": "admin" })).await;
    let admin = Person::sign_in(&tenant, &email("ann")).await;
    // Nobody makes a person or a key stronger than themselves.
    admin.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), &patch).await.expect_problem(403);
    admin.post("/api/v1/api-keys", &json!({ "role": "owner" })).await.expect_problem(403);
    admin.post("/api/v1/api-keys", &json!({ "role": "admin" })).await.expect(201);
    admin.post(&format!("/api/v1/members/{}/sign-in-link", ann.id), &json!({})).await.expect_problem(403);
}

/// An auditor sees what an admin sees, and nothing of it changes by them.
async fn an_auditor_reads_what_an_admin_reads_and_changes_nothing(hub: Hub) {
    let tenant = owned(&hub);
    let source = tenant.scim_source();
    source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    set_role(&tenant, &ann.id, &json!({ "role": "auditor" })).await;
    let auditor = Person::sign_in(&tenant, &email("ann")).await;
    let session = auditor.get("/api/v1/session").await.expect(200);
    assert_eq!(
        (session.text_at("/role").as_str(), session.at("/permissions")),
        ("auditor", &json!(["read", "access", "export"]))
    );
    let identities = format!("members/{}/identities", ann.id);
    for list in [
        "members",
        "groups",
        "runs",
        "audit-events",
        "request-log",
        "api-keys",
        "sign-in-connections",
        "domains",
        &identities,
    ] {
        auditor.get(&format!("/api/v1/{list}")).await.expect(200);
    }
    for export in ["members", "groups", "audit-events"] {
        let taken = auditor.get(&format!("/api/v1/exports/{export}?format=jsonl")).await.expect(200);
        assert!(export == "groups" || taken.text.contains(&ann.id), "{}", taken.describe());
    }
    let own = format!("/api/v1/members/{}", ann.id);
    for (method, path, body) in [
        (Method::PATCH, own.as_str(), json!({ "role": "admin" })),
        (Method::POST, "/api/v1/api-keys", json!({ "role": "auditor" })),
        (Method::POST, "/api/v1/api-keys", json!({ "role": "member" })),
        (Method::POST, "/api/v1/members/block", json!({ "member_ids": [ann.id] })),
        (Method::PATCH, "/api/v1/policy", json!({ "adopt_existing": false })),
        (Method::POST, "/api/v1/session/recovery-codes", json!({})),
    ] {
        auditor.send(method, path, &body).await.expect_problem(403);
    }
    // An admin makes a key for a program that checks; it makes no other.
    set_role(&tenant, &ann.id, &json!({ "role": "admin" })).await;
    let admin = Person::sign_in(&tenant, &email("ann")).await;
    let key = admin.post("/api/v1/api-keys", &json!({ "role": "auditor" })).await.expect(201).text_at("/key");
    let program = Tenant { key, ..tenant.clone() };
    program.get("/api/v1/api-keys").await.expect(200);
    program.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect_problem(403);
    let boss = tenant.member(BOSS).await.unwrap();
    let sign_in = program.post(&format!("/api/v1/members/{}/sign-in-link", boss.id), &json!({})).await;
    sign_in.expect_problem(403);
}

async fn a_session_writes_from_the_hubs_own_pages_alone(hub: Hub) {
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    let url = format!("{}/api/v1/api-keys", hub.people_url());
    let own = hub.people_url();
    let (csrf, other) = ((CSRF.0, CSRF.1), "https://evil.example");
    let refused: [&[(&str, &str)]; 6] = [
        &[],
        &[csrf],
        &[("origin", &own)],
        &[csrf, ("origin", other)],
        &[csrf, ("origin", "null")],
        &[csrf, ("sec-fetch-site", "cross-site"), ("origin", &own)],
    ];
    let send = async |headers: &[(&str, &str)]| {
        let request = hub.http().post(&url).header("cookie", &boss.cookie).json(&json!({ "role": "member" }));
        Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    for headers in refused {
        let answer = send(headers).await.expect_problem(403);
        assert!(answer.text_at("/detail").contains("X-Rollcall-CSRF"), "{}", answer.describe());
    }
    send(&[csrf, ("origin", &own)]).await.expect(201);
    send(&[csrf, ("sec-fetch-site", "same-origin")]).await.expect(201);
    let keys = boss.get("/api/v1/api-keys?order=desc").await.expect(200);
    let made = keys.at("/items").as_array().map_or(0, Vec::len);
    assert_eq!(made, 3, "the tenant's first key and two: {}", keys.describe());
}

async fn a_key_and_a_cookie_do_not_mix(hub: Hub) {
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    // With an Authorization header the request is the key's: a wrong one is refused, whoever is signed in.
    let request = boss.request(Method::GET, "/api/v1/session");
    Answer::of(request.header("authorization", "Bearer rck_wrong")).await.expect_problem(401);
    let by_key = Answer::of(boss.request(Method::GET, "/api/v1/session").bearer_auth(&tenant.key)).await.expect(200);
    assert!(by_key.at("/member").is_null() && by_key.at("/session").is_null(), "{}", by_key.describe());
    // A session's secret is no bearer token, and a key is no session.
    let secret = boss.cookie.trim_start_matches("__Host-rollcall=").to_owned();
    let url = format!("{}/api/v1/session", hub.people_url());
    Answer::of(hub.http().get(&url).bearer_auth(&secret)).await.expect_problem(401);
    for cookie in [&tenant.key, "rss_short", ""] {
        let request = hub.http().get(&url).header("cookie", format!("__Host-rollcall={cookie}"));
        Answer::of(request).await.expect_problem(401);
    }
}

async fn sessions_are_listed_and_ended(hub: Hub) {
    let tenant = owned(&hub);
    let source = tenant.scim_source();
    source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    set_role(&tenant, &ann.id, &json!({ "role": "admin" })).await;
    let (boss, other) = (Person::sign_in(&tenant, BOSS).await, Person::sign_in(&tenant, BOSS).await);
    let admin = Person::sign_in(&tenant, &email("ann")).await;
    let sessions = async |person: &Person| {
        let listed = person.get("/api/v1/sessions").await.expect(200);
        assert!(!listed.text.contains("rss_"), "{}", listed.describe());
        listed.at("/items").as_array().cloned().unwrap_or_default()
    };
    let (all, own) = (sessions(&boss).await, sessions(&admin).await);
    assert_eq!((all.len(), own.len()), (3, 1), "{all:#?} {own:#?}");
    assert_eq!((&own[0]["agent"], &own[0]["address"]), (&json!("Firefox on Linux"), &json!("127.0.0.1")));
    assert_eq!(all.iter().filter(|session| session["current"] == true).count(), 1, "{all:#?}");
    let session_of = |person: &Value| person["id"].as_str().unwrap_or_default().to_owned();
    // An admin ends no session of another.
    let foreign = all.iter().find(|session| session["member_id"] != ann.id.as_str()).map(session_of).unwrap();
    admin.send(Method::DELETE, &format!("/api/v1/sessions/{foreign}"), &json!({})).await.expect_problem(404);
    let of_admin = session_of(&own[0]);
    boss.send(Method::DELETE, &format!("/api/v1/sessions/{of_admin}"), &json!({})).await.expect(204);
    within(Duration::from_secs(1), "an ended session is refused", async || {
        let answer = admin.get("/api/v1/session").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    let out = boss.send(Method::DELETE, "/api/v1/session", &json!({})).await.expect(204);
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.describe());
    boss.get("/api/v1/session").await.expect_problem(401);
    other.get("/api/v1/session").await.expect(200);
    let kinds = tenant.kinds_about(&of_admin).await;
    assert_eq!(kinds, ["session.started", "session.ended"]);
}

async fn a_further_session_ends_the_oldest(hub: Hub) {
    let tenant = owned(&hub);
    let first = Person::sign_in(&tenant, BOSS).await;
    let mut last = first.clone();
    for _ in 0..20 {
        last = Person::sign_in(&tenant, BOSS).await;
    }
    let listed = last.get("/api/v1/sessions").await.expect(200);
    assert_eq!(listed.at("/items").as_array().map(Vec::len), Some(20), "{}", listed.describe());
    first.get("/api/v1/session").await.expect_problem(401);
}

async fn recovery_codes_sign_an_owner_in_once_each(hub: Hub) {
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    let codes = async || {
        let made = boss.post("/api/v1/session/recovery-codes", &json!({})).await.expect(201);
        let codes: Vec<String> = serde_json::from_value(made.at("/codes").clone()).unwrap();
        assert_eq!(codes.len(), 8, "{}", made.describe());
        codes
    };
    let old = codes().await;
    let new = codes().await;
    Person::present(&tenant, &old[0]).await.expect_problem(401);
    for code in &new[..2] {
        Person::present(&tenant, code).await.expect(201);
        Person::present(&tenant, code).await.expect_problem(401);
    }
    let told = boss.get("/api/v1/session").await.expect(200);
    assert_eq!(told.at("/recovery_codes_left"), &json!(6), "{}", told.describe());
    assert!(
        told.at("/session/fresh_until").as_str() > told.at("/session/authenticated_at").as_str(),
        "{}",
        told.describe()
    );
    // A key is nobody who could need a code.
    assert_eq!(tenant.get("/api/v1/session").await.expect(200).at("/recovery_codes_left"), &Value::Null);
    tenant.post("/api/v1/session/recovery-codes", &json!({})).await.expect_problem(400);
}

/// The duty of a billing contact changes nothing in an owner's authority.
async fn an_owner_who_is_a_billing_contact_too_stays_signed_in(hub: Hub) {
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    let codes = boss.post("/api/v1/session/recovery-codes", &json!({})).await.expect(201);
    let member = boss.get("/api/v1/session").await.expect(200).text_at("/member/id");
    let made = tenant.hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "admin"]);
    let admin = Tenant { key: made["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    for contact in [true, false, true] {
        let path = format!("/api/v1/members/{member}");
        let changed = admin.send(Method::PATCH, &path, Some(&json!({ "billing_contact": contact }))).await;
        // The duty of the only billing contact stays.
        assert!([200, 409].contains(&changed.status), "{}", changed.describe());
        let told = boss.get("/api/v1/session").await.expect(200);
        assert_eq!(told.at("/recovery_codes_left"), &json!(8), "{}", told.describe());
    }
    Person::present(&tenant, &codes.text_at("/codes/0")).await.expect(201);
    let started = tenant.get("/api/v1/audit-events?kind=session.started&order=desc&limit=1").await.expect(200);
    assert!(started.at("/items/0/cause/request_id").is_string(), "{}", started.describe());
}

/// Garbage of each kind is looked up a few times, and then refused before the database is asked.
async fn guesses_are_limited_by_address_and_holders_pass(hub: Hub) {
    let slow = [("ROLLCALL_INGEST_FAILED_AUTH_PER_SECOND", "0.01"), ("ROLLCALL_INGEST_FAILED_AUTH_BURST", "5")];
    let hub = slow.iter().fold(hub.another(), |hub, (key, value)| hub.setting(key, value)).start().await;
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    boss.get("/api/v1/session").await.expect(200);
    let url = format!("{}/api/v1/session", hub.people_url());
    let mut answers = Vec::new();
    for number in 0..12 {
        let secret = format!("{number:0>43}");
        let cookie = hub.http().get(&url).header("cookie", format!("__Host-rollcall=rss_{secret}"));
        answers.push(Answer::of(cookie).await.status);
        answers.push(Person::present(&tenant, &format!("rcl_{secret}")).await.status);
        let operator =
            hub.http().get(format!("{}/api/v1/tenants", hub.people_url())).bearer_auth(format!("rco_{secret}"));
        answers.push(Answer::of(operator).await.status);
    }
    assert!(answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
    assert!(answers[18..].iter().all(|status| *status == 429), "{answers:?}");
    boss.get("/api/v1/session").await.expect(200);
    boss.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect(201);
    // A guess at a time is looked up, so that a new holder behind the same proxy gets in.
    Person::sign_in(&tenant, BOSS).await;
}

/// Moves the sign-in of one session into the past.
pub(crate) async fn age_session(tenant: &Tenant, session: &str, minutes: u32) {
    let (when, id) = match tenant.hub.combination() {
        Combination::Sqlite => (
            format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', created_at, '-{minutes} minutes')"),
            format!("x'{}'", session.replace('-', "")),
        ),
        Combination::Full => (format!("created_at - interval '{minutes} minutes'"), format!("'{session}'")),
    };
    tenant.hub.deployment().change(&format!("UPDATE credentials SET created_at = {when} WHERE id = {id}")).await;
}

/// Moves a time of the sessions of one tenant into the past.
async fn age(tenant: &Tenant, column: &str, minutes: u32) {
    let sets = match tenant.hub.combination() {
        Combination::Sqlite => format!(
            "{column} = strftime('%Y-%m-%dT%H:%M:%f+00:00', {column}, '-{minutes} minutes') \
             WHERE tenant_id = x'{}' AND {column} IS NOT NULL",
            tenant.id.replace('-', "")
        ),
        Combination::Full => {
            format!("{column} = {column} - interval '{minutes} minutes' WHERE tenant_id = '{}'", tenant.id)
        }
    };
    tenant.hub.deployment().change(&format!("UPDATE credentials SET {sets} AND kind = 'session'")).await;
}

async fn an_old_sign_in_makes_no_credentials(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = owned(&hub);
    let boss = Person::sign_in(&tenant, BOSS).await;
    let key = json!({ "role": "member" });
    boss.post("/api/v1/api-keys", &key).await.expect(201);
    age(&tenant, "created_at", 11).await;
    within(Duration::from_secs(2), "the sign-in is stale", async || {
        let answer = boss.post("/api/v1/api-keys", &key).await;
        if answer.status == 403 && answer.text_at("/code") == "sign_in_again" { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    let member = boss.get("/api/v1/session").await.text_at("/member/id");
    let path = format!("/api/v1/members/{member}");
    let role = boss.send(Method::PATCH, &path, &json!({ "role": "owner" })).await.expect_problem(403);
    assert_eq!(role.text_at("/code"), "sign_in_again", "a person is made no stronger either");
    boss.send(Method::PATCH, &path, &json!({ "display_name": "Ada" })).await.expect(200);
    // A key that was made before may go on.
    tenant.post("/api/v1/api-keys", &key).await.expect(201);
}

async fn a_session_ends_after_a_pause_and_after_a_day(hub: Hub) {
    let hub = hub.another().start().await;
    for (column, minutes) in [("created_at", 31), ("expires_at", 12 * 60 + 1)] {
        let tenant = owned(&hub);
        // Its use is written seconds later, so that the sign-in is the last that the database knows.
        let boss = Person::sign_in(&tenant, BOSS).await;
        age(&tenant, column, minutes).await;
        within(Duration::from_secs(2), "the session has ended", async || {
            let answer = boss.get("/api/v1/session").await;
            if answer.status == 401 { Ok(()) } else { Err(answer.describe()) }
        })
        .await;
    }
}

/// Within the half second in which a process still answers a read, it allows no write.
async fn a_session_writes_nothing_once_its_role_is_gone(hub: Hub) {
    let tenant = owned(&hub);
    let source = tenant.scim_source();
    source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    for _ in 0..3 {
        set_role(&tenant, &ann.id, &json!({ "role": "admin" })).await;
        let admin = Person::sign_in(&tenant, &email("ann")).await;
        admin.post("/api/v1/api-keys", &json!({ "role": "admin" })).await.expect(201);
        set_role(&tenant, &ann.id, &json!({ "role": "member" })).await;
        admin.post("/api/v1/api-keys", &json!({ "role": "admin" })).await.expect_problem(401);
    }
}

/// A suspension by SCIM that an owner approves signs the admin out; the return of the admin does not sign in again.
async fn a_leaver_is_signed_out_by_the_directory(hub: Hub) {
    let tenant = owned(&hub);
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    set_role(&tenant, &ann.id, &json!({ "role": "admin" })).await;
    let admin = Person::sign_in(&tenant, &email("ann")).await;
    let unused = new_link(&tenant, &email("ann"));
    source.deactivate(&id).await.expect_success();
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    within(Duration::from_secs(1), "the leaver is signed out", async || {
        let answer = admin.get("/api/v1/session").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    Person::present(&tenant, &unused).await.expect_problem(401);
    source.activate(&id).await.expect_success();
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "active").await;
    admin.get("/api/v1/session").await.expect_problem(401);
    Person::present(&tenant, &unused).await.expect_problem(401);
}

async fn rc22_no_session_reaches_another_tenant(hub: Hub) {
    let (tenant, other) = (owned(&hub), owned(&hub));
    let boss = Person::sign_in(&tenant, BOSS).await;
    let stranger = Person::sign_in(&other, BOSS).await;
    let session = boss.get("/api/v1/session").await.expect(200);
    for (method, path) in [
        (Method::DELETE, format!("/api/v1/sessions/{}", session.text_at("/session/id"))),
        (Method::GET, format!("/api/v1/members/{}", session.text_at("/member/id"))),
        (Method::POST, format!("/api/v1/members/{}/sign-in-link", session.text_at("/member/id"))),
    ] {
        stranger.send(method, &path, &json!({})).await.expect_problem(404);
    }
    let listed = stranger.get("/api/v1/sessions").await.expect(200);
    assert!(!listed.text.contains(&session.text_at("/session/id")), "{}", listed.describe());
    boss.get("/api/v1/session").await.expect(200);
}

async fn another_role_and_every_other_end_reach_all_processes(hub: Hub) {
    sessions_end(hub.another().apart(1).start().await).await;
}

async fn another_role_and_every_other_end_reach_all_processes_without_redis(hub: Hub) {
    // Port 1 is closed: every look at Redis fails.
    sessions_end(hub.another().apart(1).setting("REDIS_URL", "redis://127.0.0.1:1").start().await).await;
}

async fn sessions_end(hub: Hub) {
    let second = hub.add_admin().await;
    let tenant = owned(&hub);
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let signed_in = async || {
        let here = Person::sign_in(&tenant, &email("ann")).await;
        let there = Person { base: second.clone(), ..here.clone() };
        here.get("/api/v1/session").await.expect(200);
        there.get("/api/v1/session").await.expect(200);
        (here, there)
    };
    for (before, after) in [("admin", "member"), ("owner", "admin")] {
        set_role(&tenant, &ann.id, &json!({ "role": before })).await;
        let (here, there) = signed_in().await;
        set_role(&tenant, &ann.id, &json!({ "role": after })).await;
        ends_everywhere(&here, &there).await;
        set_role(&tenant, &ann.id, &json!({ "role": before })).await;
        there.get("/api/v1/session").await.expect_problem(401);
    }
    let ((here, there), (other, _)) = (signed_in().await, signed_in().await);
    let id = here.get("/api/v1/session").await.expect(200).text_at("/session/id");
    other.send(Method::DELETE, &format!("/api/v1/sessions/{id}"), &json!({})).await.expect(204);
    ends_everywhere(&here, &there).await;
    let (here, there) = signed_in().await;
    source.deactivate(&user).await.expect_success();
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    ends_everywhere(&here, &there).await;
}

/// Within a second, on both processes.
async fn ends_everywhere(here: &Person, there: &Person) {
    within(Duration::from_secs(1), "the session has ended everywhere", async || {
        let answers = [here.get("/api/v1/session").await, there.get("/api/v1/session").await];
        if answers.iter().all(|answer| answer.status == 401) { Ok(()) } else { Err(format!("{answers:?}")) }
    })
    .await;
}

//! On-prem agents: keys, signed uploads, and the directory that comes of them.

use reqwest::Method;
use rollcall_snapshot::bucket::{hex, ranges_of};
use rollcall_snapshot::{Entry, SigningKey, Tree};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::agent_client::{
    Agent, MACHINE, changed, enrol, group, header, is_told, new_seed, part_of, parts_of, people, user,
};
use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually, unknown_id, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        da3_da5_a_snapshot_in_parts_becomes_members_and_groups,
        da4_the_first_upload_under_a_key_waits_for_the_fingerprint,
        da4_another_key_is_verified_again_and_takes_the_former_ones_place,
        da12_a_source_is_fed_by_one_key_and_a_revoked_one_by_none,
        da10_a_removal_over_the_limit_changes_nothing_and_may_be_allowed_once,
        dx3_a_simulated_upload_tells_its_plan_and_changes_nothing,
        rc6_only_buckets_that_differ_travel_and_the_end_is_that_of_a_full_upload,
        pe5_a_delta_begins_where_the_last_one_ended,
        rc5_names_and_addresses_move_between_people_in_one_upload,
        dx4_the_token_of_an_approved_enrolment_enrols_a_key_once,
        da9_a_source_of_people_takes_no_groups,
        lp4_a_hub_that_is_killed_goes_on_and_applies_nothing_twice,
    ]
}

pub(crate) fn new_tenant(hub: &Hub) -> Tenant {
    hub.tenant().policy("onboarding", "federated").create()
}

async fn events(tenant: &Tenant, kind: &str) -> Vec<Value> {
    tenant.list(&format!("/api/v1/audit-events?kind={kind}")).await
}

/// Waits until the log has as many events of this kind.
async fn eventually_events(tenant: &Tenant, kind: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} {kind}"), async || {
        let events = events(tenant, kind).await;
        if events.len() == count { Ok(events) } else { Err(format!("{} events", events.len())) }
    })
    .await
}

async fn da3_da5_a_snapshot_in_parts_becomes_members_and_groups(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let everybody = |rest: Vec<Entry>| {
        let mut entries = vec![group("g1", "Pilots"), group("g2", "Crew")];
        entries.extend(rest);
        entries
    };
    let first = everybody(vec![user("ann", &["g1", "g2"]), user("bob", &["g2"]), user("cid", &[])]);
    let answer = agent.sync(&first, json!({})).await;
    assert_eq!(answer.at("/counts/users_created"), 3, "{}", answer.describe());
    for name in ["ann", "bob", "cid"] {
        let member = tenant.eventually_status(&email(name), "active").await;
        assert_eq!(member.external_id.as_deref(), Some(format!("guid-{name}").as_str()));
    }
    tenant.eventually_group("Crew", &[&email("ann"), &email("bob")]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let applied = eventually_events(&tenant, "upload.applied", 1).await;
    assert_eq!(applied[0]["subject"]["id"], agent.source.as_str(), "{}", applied[0]);
    assert_eq!(agent.state().await.at("/sequence"), 1);

    // The same again changes nothing; then one leaves, one is disabled, one changes groups, and a group has another name.
    let again = agent.sync(&first, json!({})).await;
    assert_eq!((again.at("/counts/users_created"), again.at("/counts/users_changed")), (&json!(0), &json!(0)));
    let mut second = everybody(vec![user("ann", &["g2"]), changed(user("bob", &["g2"]), |bob| bob.active = false)]);
    second[0] = group("g1", "Aviators");
    let answer = agent.sync(&second, json!({})).await;
    assert_eq!(answer.at("/counts/leaving"), 2, "{}", answer.describe());
    tenant.eventually_status(&email("bob"), "suspended").await;
    tenant.eventually_status(&email("cid"), "suspended").await;
    tenant.eventually_group("Aviators", &[]).await;
    assert_eq!(events(&tenant, "directory_user.created").await.len(), 3);
    // A person who comes back keeps the member.
    let before = tenant.member(&email("cid")).await.unwrap().id;
    let mut third = second.clone();
    third.push(user("cid", &[]));
    agent.sync(&third, json!({})).await;
    assert_eq!(tenant.eventually_status(&email("cid"), "active").await.id, before);

    let uploads = tenant.get(&format!("/api/v1/sources/{}/uploads", agent.source)).await.expect(200);
    let listed = uploads.at("/items").as_array().map_or(0, Vec::len);
    assert_eq!((listed, uploads.at("/items/0/code")), (4, &json!(200)), "{}", uploads.describe());
}

async fn da4_the_first_upload_under_a_key_waits_for_the_fingerprint(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::enrolled(&tenant).await;
    let id = agent.upload(&[user("ann", &[])], 1, json!({})).await;
    let kept = agent.get(&format!("/agent/v1/uploads/{id}")).await.expect(200);
    assert_eq!((kept.at("/code"), kept.at("/state")), (&json!(202), &json!("unverified")), "{}", kept.describe());
    let keys = tenant.get(&format!("/api/v1/sources/{}/agent-keys", agent.source)).await.expect(200);
    assert_eq!((keys.at("/items/0/state"), keys.at("/items/0/name")), (&json!("pending"), &json!("dc1")));
    assert_eq!(keys.text_at("/items/0/fingerprint"), agent.fingerprint);
    agent.verify("SHA256:another").await.expect_problem(409);
    // A later one under the same key takes its place.
    let later = agent.upload(&[user("ann", &[]), user("bob", &[])], 2, json!({})).await;
    let former = agent.get(&format!("/agent/v1/uploads/{id}")).await.expect(200);
    assert_eq!((former.at("/state"), former.at("/reason")), (&json!("abandoned"), &json!("superseded")));
    assert!(tenant.member(&email("ann")).await.is_none(), "nothing is applied before an admin has compared");

    agent.verify(&agent.fingerprint).await.expect(200);
    assert_eq!(agent.outcome(later).await.at("/code"), 200);
    tenant.eventually_status(&email("ann"), "active").await;
    tenant.eventually_status(&email("bob"), "active").await;
    assert_eq!(
        eventually_events(&tenant, "agent_key.verified", 1).await[0]["detail"]["fingerprint"],
        agent.fingerprint.as_str()
    );
    let event = &eventually_events(&tenant, "agent_key.added", 1).await[0];
    assert!(event["actor"].as_str().is_some_and(|actor| actor.starts_with("source:")), "{event}");
}

async fn da4_another_key_is_verified_again_and_takes_the_former_ones_place(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let next = SigningKey::of_seed(&new_seed());
    let mut body =
        json!({ "public_key": next.public().to_text(), "proof": next.proof("something else"), "machine": MACHINE });
    is_told(&agent.post("/agent/v1/keys", &body).await, 400, "key_not_proven");
    body["proof"] = next.proof(&agent.key_id).into();
    let added = agent.post("/agent/v1/keys", &body).await.expect(201);
    is_told(&agent.post("/agent/v1/keys", &body).await, 409, "conflict");
    let (key_id, fingerprint) = (added.text_at("/key_id"), added.text_at("/fingerprint"));
    let rotated = Agent { tenant: tenant.clone(), source: agent.source.clone(), key: next, key_id, fingerprint };
    // Until then the former key feeds the source, and an upload under the next one is kept.
    agent.sync(&[user("ann", &[])], json!({})).await;
    let kept = rotated.upload(&[user("ann", &[]), user("bob", &[])], 1, json!({})).await;
    assert_eq!(rotated.get(&format!("/agent/v1/uploads/{kept}")).await.at("/state"), "unverified");
    rotated.verify(&rotated.fingerprint).await.expect(200);
    assert_eq!(rotated.outcome(kept).await.at("/code"), 200);
    tenant.eventually_status(&email("bob"), "active").await;
    is_told(&agent.get("/agent/v1/state").await, 403, "key_revoked");
    rotated.state().await;
}

async fn da12_a_source_is_fed_by_one_key_and_a_revoked_one_by_none(hub: Hub) {
    let tenant = new_tenant(&hub);
    let first = Agent::verified(&tenant).await;
    first.sync(&[user("ann", &[])], json!({})).await;
    let path = format!("/api/v1/sources/{}/install-tokens", first.source);
    let token = tenant.post(&path, &json!({ "expires_in_seconds": 600 })).await.expect(201).text_at("/token");
    tenant.post(&path, &json!({ "expires_in_seconds": 90_000 })).await.expect_problem(400);
    let second = Agent::enrolled_at(&tenant, &first.source, &token).await;
    is_told(&enrol(&tenant, &token, &second.key).await, 401, "token_unknown");
    // A second agent on the source waits, and once it is let in the first one is out.
    let kept = second.upload(&people(3, &[]), 1, json!({})).await;
    first.sync(&[user("ann", &[]), user("bob", &[])], json!({})).await;
    second.verify(&second.fingerprint).await.expect(200);
    let moved = second.outcome(kept).await;
    assert_eq!(
        (moved.at("/code"), moved.at("/reason")),
        (&json!(409), &json!("sequence_moved")),
        "{}",
        moved.describe()
    );
    is_told(&first.get("/agent/v1/state").await, 403, "key_revoked");

    // A key that came to another machine uploads nothing.
    let terms = second.terms(&[user("ann", &[])], json!({ "machine": "another" })).await;
    is_told(&second.post("/agent/v1/uploads", &terms).await, 403, "another_machine");
    let open = second.terms(&people(1, &[]), json!({})).await;
    second.post("/agent/v1/uploads", &open).await.expect(201);
    let revoke = format!("/api/v1/sources/{}/agent-keys/{}", second.source, second.key_id);
    tenant.send(Method::DELETE, &revoke, None).await.expect(204);
    is_told(&second.get("/agent/v1/state").await, 403, "key_revoked");
    second.verify(&second.fingerprint).await.expect_problem(409);
    let uploads = tenant.get(&format!("/api/v1/sources/{}/uploads", second.source)).await.expect(200);
    assert_eq!(uploads.at("/items/0/reason"), "key_revoked", "{}", uploads.describe());
    tenant.eventually_status(&email("bob"), "active").await;
}

async fn da10_a_removal_over_the_limit_changes_nothing_and_may_be_allowed_once(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    agent.sync(&people(30, &[]), json!({})).await;
    tenant.eventually("all are members", |members| members.iter().filter(|m| m.status == "active").count() == 30).await;
    let refused = agent.is_refused(&people(15, &[]), json!({}), 400, "member_removal_over_limit").await;
    assert!(refused.text_at("/message").contains("15 people would leave, and 10 may"), "{}", refused.describe());
    agent.is_refused(&people(15, &[]), json!({ "removalLimit": 14 }), 400, "member_removal_over_limit").await;
    agent.is_refused(&[], json!({}), 400, "empty_snapshot").await;
    agent.is_refused(&[], json!({ "removalLimit": 1_000 }), 400, "empty_snapshot").await;
    assert_eq!(events(&tenant, "directory_user.deleted").await.len(), 0);
    assert!(tenant.members().await.iter().all(|member| member.status == "active"));
    eventually_events(&tenant, "upload.refused", 4).await;

    let allowed = agent.sync(&people(15, &[]), json!({ "removalLimit": 15 })).await;
    assert_eq!(allowed.at("/held_reasons"), &json!([]), "{}", allowed.describe());
    tenant
        .eventually("half of them left", |members| members.iter().filter(|m| m.status == "active").count() == 15)
        .await;
    // It was once: the window is used up for others.
    agent.sync(&people(5, &[]), json!({})).await;
    agent.is_refused(&people(4, &[]), json!({}), 400, "member_removal_over_limit").await;
}

async fn dx3_a_simulated_upload_tells_its_plan_and_changes_nothing(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    agent.sync(&[user("ann", &[]), user("bob", &[])], json!({})).await;
    let before = agent.state().await.text_at("/root");
    let other = [group("g1", "Pilots"), user("ann", &["g1"]), user("cid", &[])];
    let answer = agent.sync(&other, json!({ "simulate": true })).await;
    let mut plan: Vec<String> = answer
        .at("/plan")
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{} {}", step["action"].as_str().unwrap(), step["external_id"].as_str().unwrap()))
        .collect();
    plan.sort();
    let wanted = ["change_user guid-ann", "create_group g1", "create_user guid-cid", "remove_user guid-bob"];
    assert_eq!(plan, wanted, "{}", answer.describe());
    let state = agent.state().await;
    assert_eq!((state.text_at("/root"), state.at("/sequence")), (before, &json!(1)));
    assert!(tenant.member(&email("cid")).await.is_none());
}

/// The tree of entries, as an agent works it out.
fn tree_of(entries: &[Entry]) -> Tree {
    let mut buckets: BTreeMap<u16, BTreeMap<String, [u8; 16]>> = BTreeMap::new();
    for entry in entries {
        let place = entry.place();
        buckets.entry(place.bucket).or_default().insert(place.id, entry.digest());
    }
    let mut tree = Tree::default();
    for (bucket, entries) in buckets {
        tree.set(bucket, rollcall_snapshot::bucket::bucket_digest(entries.values()));
    }
    tree
}

async fn rc6_only_buckets_that_differ_travel_and_the_end_is_that_of_a_full_upload(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let mut entries = people(200, &["g1"]);
    entries.push(group("g1", "Everybody"));
    agent.sync(&entries, json!({})).await;
    let state = agent.state().await;
    assert_eq!(state.text_at("/root"), hex(&tree_of(&entries).root()), "an unchanged directory is one question");

    // One changes, one goes, one comes.
    entries[7] = changed(entries[7].clone(), |user| user.family_name = Some("Other".to_owned()));
    entries.remove(11);
    entries.push(user("new", &["g1"]));
    let tree = tree_of(&entries);
    let theirs: Vec<String> = serde_json::from_value(state.at("/nodes").clone()).unwrap();
    let nodes: Vec<String> = (0..128_u16)
        .zip(tree.nodes())
        .filter(|(node, own)| theirs[usize::from(*node)] != hex(own))
        .map(|(node, _)| node.to_string())
        .collect();
    assert!((1..=3).contains(&nodes.len()), "{nodes:?}");
    let below = agent.get(&format!("/agent/v1/state/nodes?nodes={}", nodes.join(","))).await.expect(200);
    let mut buckets = Vec::new();
    for node in below.at("/nodes").as_array().unwrap() {
        let number = u16::try_from(node["node"].as_u64().unwrap()).unwrap();
        let theirs: Vec<String> = serde_json::from_value(node["buckets"].clone()).unwrap();
        let own = tree.below(number).iter().map(|bucket| hex(bucket));
        let differ = (number * 64..).zip(own.zip(theirs)).filter(|(_, (own, theirs))| own != theirs);
        buckets.extend(differ.map(|(bucket, _)| bucket));
    }
    assert_eq!(buckets.len(), 3);
    let of_these: Vec<Entry> =
        entries.iter().filter(|entry| buckets.contains(&entry.place().bucket)).cloned().collect();
    let answer = agent.sync(&of_these, json!({ "covers": ranges_of(buckets) })).await;
    let counts =
        ["users_created", "users_changed", "users_removed"].map(|count| answer.at(&format!("/counts/{count}")).clone());
    assert_eq!(counts, [json!(1), json!(1), json!(1)], "{}", answer.describe());
    assert_eq!(agent.state().await.text_at("/root"), hex(&tree.root()));
    // A full upload of the same finds nothing to do.
    let full = agent.sync(&entries, json!({})).await;
    assert_eq!((full.at("/counts/users_created"), full.at("/counts/users_removed")), (&json!(0), &json!(0)));
    tenant.eventually_status(&email("new"), "active").await;
    tenant.eventually_status(&email("p11"), "suspended").await;
}

async fn pe5_a_delta_begins_where_the_last_one_ended(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let first = [group("g1", "Pilots"), user("ann", &["g1"]), user("bob", &["g1"])];
    agent.sync(&first, json!({ "to_cursor": "usn 7" })).await;
    let delta = |from: &str, to: &str| json!({ "kind": "delta", "from_cursor": from, "to_cursor": to });
    let changes = [Entry::GoneUser("guid-bob".to_owned()), user("cid", &["g1"])];
    agent.sync(&changes, delta("usn 7", "usn 9")).await;
    tenant.eventually_status(&email("bob"), "suspended").await;
    // A suspended member is let back into the groups with the account.
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bob"), &email("cid")]).await;
    let whole = [group("g1", "Pilots"), user("ann", &["g1"]), user("cid", &["g1"])];
    assert_eq!(agent.state().await.text_at("/root"), hex(&tree_of(&whole).root()), "as a full upload would leave it");
    assert_eq!(agent.state().await.at("/cursor"), "usn 9");
    // The same delta again, and one from elsewhere.
    let terms = agent.terms(&changes, delta("usn 7", "usn 9")).await;
    is_told(&agent.post("/agent/v1/uploads", &terms).await, 409, "cursor_moved");
    let terms = agent.terms(&changes, json!({ "kind": "delta", "from_cursor": "usn 9" })).await;
    agent.post("/agent/v1/uploads", &terms).await.expect(400);
    // Somebody who is gone already is no error, and a group that goes leaves its people.
    let gone = [Entry::GoneGroup("g1".to_owned()), Entry::GoneUser("guid-bob".to_owned())];
    agent.sync(&gone, delta("usn 9", "usn 10")).await;
    agent.is_refused(&[user("dan", &["g1"])], delta("usn 10", "usn 11"), 400, "unknown_group").await;
    agent.is_refused(&[Entry::GoneUser("guid-ann".to_owned())], json!({}), 400, "gone_in_snapshot").await;
}

async fn rc5_names_and_addresses_move_between_people_in_one_upload(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    agent.sync(&people(40, &[]), json!({})).await;
    let member = tenant.eventually_status(&email("p0"), "active").await.id;
    // Everybody takes the name and address of the next one; one transaction holds not all of them.
    let moved: Vec<Entry> = (0..40)
        .map(|number| {
            let next = format!("p{}", (number + 1) % 40);
            changed(user(&format!("p{number}"), &[]), |user| {
                user.user_name = Some(next.clone());
                user.email = Some(email(&next));
            })
        })
        .collect();
    agent.sync(&moved, json!({})).await;
    let there = tenant.eventually_member(&email("p1"), |found| found.id == member).await;
    assert_eq!(there.external_id.as_deref(), Some("guid-p0"));
    assert_eq!(tenant.members().await.len(), 40);
}

async fn dx4_the_token_of_an_approved_enrolment_enrols_a_key_once(hub: Hub) {
    let tenant = new_tenant(&hub);
    let made = hub.json_command(&["source", "create", "--tenant", &tenant.slug, "--kind", "agent"]);
    let (source, token) = (made["source_id"].as_str().unwrap(), made["install_token"].as_str().unwrap());
    let agent = Agent::enrolled_at(&tenant, source, token).await;
    let key = SigningKey::of_seed(&new_seed());
    is_told(&enrol(&tenant, token, &key).await, 401, "token_unknown");
    is_told(&enrol(&tenant, "rci_nonsense", &key).await, 401, "no_token");
    is_told(&enrol(&tenant, &format!("rcs_{}", "a".repeat(43)), &key).await, 401, "no_token");
    // A body that was not made for this token is refused, and the token is not used up.
    let path = format!("/api/v1/sources/{source}/install-tokens");
    let token = tenant.post(&path, &json!({})).await.expect(201).text_at("/token");
    let body = json!({ "public_key": key.public().to_text(), "proof": key.proof("another"), "machine": MACHINE });
    let url = format!("{}/agent/v1/enrolment", hub.machines_url());
    is_told(&Answer::of(hub.http().post(&url).bearer_auth(&token).json(&body)).await, 400, "key_not_proven");
    is_told(&enrol(&tenant, &token, &agent.key).await, 409, "conflict");
    enrol(&tenant, &token, &key).await.expect(201);
}

async fn da9_a_source_of_people_takes_no_groups(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let path = format!("/api/v1/sources/{}", agent.source);
    tenant.send(Method::PATCH, &path, Some(&json!({ "users_only": true }))).await.expect(200);
    assert_eq!(agent.state().await.at("/users_only"), true);
    agent.is_refused(&[group("g1", "Pilots"), user("ann", &["g1"])], json!({}), 400, "groups_not_taken").await;
    agent.sync(&[user("ann", &[])], json!({})).await;
    tenant.eventually_status(&email("ann"), "active").await;
}

async fn lp4_a_hub_that_is_killed_goes_on_and_applies_nothing_twice(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().seats(5_000).policy("onboarding", "federated").create();
    let agent = Agent::verified(&tenant).await;
    let mut entries = people(2_500, &["g1"]);
    entries.push(group("g1", "Everybody"));
    let id = agent.upload(&entries, 2, json!({})).await;
    eventually("some are there", async || {
        let members = tenant.get("/api/v1/overview").await;
        if members.status == 200 { Ok(()) } else { Err(members.describe()) }
    })
    .await;
    hub.crash_worker().await;
    let answer = agent.outcome(id).await;
    assert_eq!(answer.at("/code"), 200, "{}", answer.describe());
    assert_eq!(agent.state().await.at("/sequence"), 1);
    let created = tenant.get("/api/v1/audit-events?kind=directory_user.created&limit=1&order=desc").await.expect(200);
    assert!(created.at("/items/0").is_object());
    let root = agent.state().await.text_at("/root");
    assert_eq!(root, hex(&tree_of(&entries).root()));
    eventually("all are members", async || {
        let members = tenant.members().await;
        let active = members.iter().filter(|member| member.status == "active").count();
        if active == 2_500 { Ok(()) } else { Err(format!("{active} of {}", members.len())) }
    })
    .await;
    let events = events(&tenant, "directory_user.created").await;
    assert_eq!(events.len(), 2_500, "each once");
}

/// The parts that the refusals share.
pub(crate) fn one_part(terms: &Value, entries: &[Entry]) -> Vec<u8> {
    let id = terms["id"].as_str().unwrap().parse().unwrap();
    parts_of(id, entries, &rollcall_snapshot::bucket::ALL.to_vec(), 1).remove(0)
}

pub(crate) fn begun(terms: &Value) -> uuid::Uuid {
    terms["id"].as_str().unwrap().parse().unwrap()
}

pub(crate) fn foreign_part(number: u32) -> Vec<u8> {
    part_of(header(unknown_id(), number, rollcall_snapshot::bucket::ALL.to_vec()), &[])
}

pub(crate) fn terms_with(terms: &Value, changes: Value) -> Value {
    with(terms.clone(), changes)
}

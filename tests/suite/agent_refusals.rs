//! Attacks on uploads of agents, and mistakes in them: each is refused with its own word, and changes nothing.

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use rollcall_snapshot::bucket::ALL;
use rollcall_snapshot::{Entry, SigningKey, User};
use serde_json::json;
use std::io::Write;

use crate::agent_client::{
    Agent, Unsigned, changed, compressed, group, header, is_told, manifest_of, new_seed, now, part_of, parts_of,
    people, user,
};
use crate::agents::{begun, foreign_part, new_tenant, one_part, terms_with};
use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::unknown_id;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc22_a_request_that_is_replayed_altered_or_not_signed_is_refused,
        rc22_no_agent_reaches_the_uploads_of_another_tenant,
        rc22_parts_that_are_missing_doubled_foreign_or_altered_are_refused,
        rc22_bombs_and_long_lines_are_refused_in_bounded_memory,
        rc22_uploads_that_nobody_completes_fill_no_disk,
        da3_each_mistake_of_an_upload_has_its_own_answer,
        da3_a_source_that_is_off_takes_no_upload,
        da12_uploads_of_one_source_do_not_mix,
        lp10_nothing_but_the_listed_fields_travels,
    ]
}

const UPLOADS: &str = "/agent/v1/uploads";

async fn rc22_a_request_that_is_replayed_altered_or_not_signed_is_refused(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let terms = agent.terms(&people(1, &[]), json!({})).await;
    let body = terms.to_string().into_bytes();
    let post = || Unsigned::new(Method::POST, UPLOADS, body.clone());

    let unsigned = hub.http().post(format!("{}{UPLOADS}", hub.machines_url())).body(body.clone());
    is_told(&Answer::of(unsigned).await, 401, "not_signed");
    let halfway = agent.signed(&post()).header("signature", "sig1=:AAAA:");
    is_told(&Answer::of(halfway).await, 401, "not_signed");
    // Another body, path, query or method than was signed.
    let altered = agent.signed(&post()).body(terms_with(&terms, json!({ "users": 0 })).to_string());
    is_told(&Answer::of(altered).await, 400, "content_digest_wrong");
    let moved = Unsigned { path: "/agent/v1/keys", ..post() };
    let mut request = agent.signed(&moved).build().unwrap();
    request.url_mut().set_path(UPLOADS);
    is_told(&send(&hub, request).await, 401, "signature_wrong");
    let mut request = agent.signed(&Unsigned::new(Method::GET, "/agent/v1/state", Vec::new())).build().unwrap();
    request.url_mut().set_query(Some("a=b"));
    is_told(&send(&hub, request).await, 401, "signature_wrong");
    let mut request = agent.signed(&post()).build().unwrap();
    *request.method_mut() = Method::GET;
    assert!(send(&hub, request).await.status >= 400);
    // Another key under this key's id.
    let path = format!("/api/v1/sources/{}/install-tokens", agent.source);
    let token = tenant.post(&path, &json!({})).await.expect(201).text_at("/token");
    let mut forger = Agent::enrolled_at(&tenant, &agent.source, &token).await;
    forger.key_id.clone_from(&agent.key_id);
    is_told(&forger.post(UPLOADS, &terms).await, 401, "signature_wrong");
    forger.key_id = unknown_id().to_string();
    is_told(&forger.post(UPLOADS, &terms).await, 401, "key_unknown");
    // Too old, too long, from the future.
    let now = now();
    for (created, expires) in [(now - 900, now - 600), (now, now + 3_600), (now + 900, now + 960), (now, now)] {
        is_told(
            &Answer::of(agent.signed(&Unsigned { created, expires, ..post() })).await,
            401,
            "signature_out_of_time",
        );
    }
    // The same request twice, and the same nonce for another one.
    let first = post();
    let request = agent.signed(&first);
    let again = request.try_clone().unwrap();
    Answer::of(request).await.expect(201);
    is_told(&Answer::of(again).await, 409, "nonce_used");
    let id = begun(&terms);
    let path = format!("{UPLOADS}/{id}");
    let other = Unsigned { nonce: first.nonce.clone(), ..Unsigned::new(Method::DELETE, &path, Vec::new()) };
    is_told(&Answer::of(agent.signed(&other)).await, 409, "nonce_used");
    // A repetition with a signature of its own is the same upload.
    assert_eq!(agent.post(UPLOADS, &terms).await.expect(201).id(), id.to_string());
    is_told(&agent.post(UPLOADS, &terms_with(&terms, json!({ "users": 7 }))).await, 409, "id_taken");
    // A compressed body would be another than was signed.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&body).unwrap();
    let zipped = agent.signed(&Unsigned { body: gzip.finish().unwrap(), ..post() }).header("content-encoding", "gzip");
    assert_eq!(Answer::of(zipped).await.status, 415);
    assert!(tenant.members().await.is_empty());
}

async fn send(hub: &Hub, request: reqwest::Request) -> Answer {
    Answer::of(reqwest::RequestBuilder::from_parts(hub.http().clone(), request)).await
}

async fn rc22_no_agent_reaches_the_uploads_of_another_tenant(hub: Hub) {
    let (tenant, other) = (new_tenant(&hub), new_tenant(&hub));
    let (agent, stranger) = (Agent::verified(&tenant).await, Agent::verified(&other).await);
    let entries = people(2, &[]);
    let terms = agent.terms(&entries, json!({})).await;
    agent.post(UPLOADS, &terms).await.expect(201);
    let (id, part) = (begun(&terms), one_part(&terms, &entries));
    is_told(&stranger.put(id, 1, &part).await, 404, "not_found");
    is_told(&stranger.get(&format!("{UPLOADS}/{id}")).await, 404, "not_found");
    is_told(&stranger.get(&format!("{UPLOADS}/{id}/parts")).await, 404, "not_found");
    is_told(&stranger.commit(id, std::slice::from_ref(&part)).await, 404, "not_found");
    is_told(&stranger.send(Method::DELETE, &format!("{UPLOADS}/{id}"), Vec::new()).await, 404, "not_found");
    // The same id in another tenant is another upload.
    stranger.post(UPLOADS, &terms).await.expect(201);
    // Neither is a key of another tenant verified, nor a source of another one asked.
    let foreign = format!("/api/v1/sources/{}/agent-keys/{}/verify", agent.source, stranger.key_id);
    tenant.post(&foreign, &json!({ "fingerprint": stranger.fingerprint })).await.expect_problem(404);
    for path in ["agent-keys", "uploads"] {
        other.get(&format!("/api/v1/sources/{}/{path}", agent.source)).await.expect_problem(404);
    }
    other.post(&format!("/api/v1/sources/{}/install-tokens", agent.source), &json!({})).await.expect_problem(404);
    // A second agent of the same source has uploads of its own.
    let token = tenant.post(&format!("/api/v1/sources/{}/install-tokens", agent.source), &json!({})).await.expect(201);
    let second = Agent::enrolled_at(&tenant, &agent.source, &token.text_at("/token")).await;
    is_told(&second.put(id, 1, &part).await, 404, "not_found");
    is_told(&second.post(UPLOADS, &terms).await, 409, "id_taken");
}

async fn rc22_parts_that_are_missing_doubled_foreign_or_altered_are_refused(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let entries = people(20, &[]);
    let terms = agent.terms(&entries, json!({})).await;
    agent.post(UPLOADS, &terms).await.expect(201);
    let id = begun(&terms);
    let parts = parts_of(id, &entries, &ALL.to_vec(), 3);
    agent.put(id, 1, &parts[0]).await.expect(200);
    assert_eq!(agent.put(id, 1, &parts[0]).await.expect(200).at("/message"), "the part was here before");
    is_told(&agent.put(id, 1, &part_of(header(id, 1, ALL.to_vec()), &[])).await, 409, "part_differs");
    is_told(&agent.put(id, 2, &parts[0]).await, 409, "part_foreign");
    is_told(&agent.put(id, 2, &foreign_part(2)).await, 409, "part_foreign");
    agent.put(id, 0, &parts[0]).await.expect(400);
    agent.put(id, 3, &parts[2]).await.expect(200);
    let missing = agent.commit(id, &parts).await;
    is_told(&missing, 409, "parts_missing");
    assert!(missing.text_at("/message").contains(": 2;"), "{}", missing.describe());
    // An agent that resumes sees what is there.
    assert_eq!(agent.get(&format!("{UPLOADS}/{id}/parts")).await.expect(200).at("/numbers"), &json!([1, 3]));
    agent.put(id, 2, &parts[1]).await.expect(200);
    is_told(&agent.commit(id, &[parts[0].clone(), parts[2].clone(), parts[1].clone()]).await, 409, "manifest_differs");
    is_told(&agent.commit(id, &parts[..2]).await, 409, "manifest_differs");
    let body = json!({ "parts": 3, "manifest": "nonsense" });
    agent.post(&format!("{UPLOADS}/{id}/commit"), &body).await.expect(400);
    agent.commit(id, &parts).await.expect(202);
    agent.commit(id, &parts).await.expect(202);
    assert_eq!(agent.outcome(id).await.at("/code"), 200);
    is_told(&agent.put(id, 4, &part_of(header(id, 4, ALL.to_vec()), &[])).await, 409, "upload_ended");

    // Parts that cover too little, or the same twice.
    for (covers, reason, code) in [
        ([vec![[0, 5_000]], vec![[5_002, 8_191]]], "not_covered", 400),
        ([vec![[0, 5_000]], vec![[5_000, 8_191]]], "part_doubled", 400),
    ] {
        let terms = agent.terms(&[], json!({})).await;
        agent.post(UPLOADS, &terms).await.expect(201);
        let id = begun(&terms);
        let parts: Vec<Vec<u8>> =
            (1..).zip(covers).map(|(number, covers)| part_of(header(id, number, covers), &[])).collect();
        for (number, part) in parts.iter().enumerate() {
            agent.put(id, number + 1, part).await.expect(200);
        }
        agent.commit(id, &parts).await.expect(202);
        let outcome = agent.outcome(id).await;
        assert_eq!(
            (outcome.at("/code"), outcome.at("/reason")),
            (&json!(code), &json!(reason)),
            "{}",
            outcome.describe()
        );
    }
    assert_eq!(tenant.members().await.len(), 20, "nothing of it was applied");
}

async fn rc22_bombs_and_long_lines_are_refused_in_bounded_memory(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let terms = agent.terms(&[], json!({})).await;
    agent.post(UPLOADS, &terms).await.expect(201);
    let id = begun(&terms);
    let first = format!("{{\"part\":{{\"format\":1,\"upload\":\"{id}\",\"number\":1,\"covers\":[[0,8191]]}}}}\n");
    let flawed = async |part: Vec<u8>, about: &str| {
        let answer = agent.put(id, 1, &part).await;
        is_told(&answer, 400, "part_flawed");
        assert!(answer.text_at("/message").contains(about), "{about}: {}", answer.describe());
    };
    // A gigabyte of nothing in some 30 KiB, as one line and as many.
    let mut bomb = zstd::stream::Encoder::new(Vec::new(), 19).unwrap();
    bomb.write_all(first.as_bytes()).unwrap();
    for _ in 0..256 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 64 << 10, "{} bytes", bomb.len());
    flawed(bomb, "bytes").await;
    let lines = "{\"group\":{\"id\":\"a\",\"name\":\"b\"}}\n".repeat(1 << 20);
    flawed(compressed(&format!("{first}{lines}")), "line 3 is out of order").await;
    flawed(
        compressed(&format!("{first}{{\"group\":{{\"id\":\"a\",\"name\":\"{}\"}}}}", "x".repeat(600 << 10))),
        "line 2 has more than",
    )
    .await;
    flawed(compressed("{\"group\":{\"id\":\"a\",\"name\":\"b\"}}"), "line 1").await;
    flawed(compressed(&format!("{first}{{\"user\":{{\"id\":\"a\"}}}}")), "line 2").await;
    flawed(compressed(&first.replace("\"format\":1", "\"format\":2")), "format 2").await;
    flawed(compressed(&first.replace("8191", "8192")), "covers").await;
    flawed(compressed(&format!("{first}\u{0}")), "line 2").await;
    flawed(first.clone().into_bytes(), "no zstd").await;
    flawed(Vec::new(), "zstd").await;
    let whole = compressed(&first);
    flawed(whole[..whole.len() - 1].to_vec(), "ends early").await;
    // Beyond the limit of a body.
    is_told(&agent.put(id, 1, &vec![0; (2 << 20) + 1]).await, 413, "too_large");
    assert_eq!(agent.get(&format!("{UPLOADS}/{id}")).await.at("/parts"), 0, "nothing of it was kept");
}

async fn rc22_uploads_that_nobody_completes_fill_no_disk(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_INGEST_AGENT_UPLOAD_BYTES_MAX", "1500").start().await;
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let entries = people(60, &[]);
    let terms = agent.terms(&entries, json!({})).await;
    agent.post(UPLOADS, &terms).await.expect(201);
    let parts = parts_of(begun(&terms), &entries, &ALL.to_vec(), 8);
    let mut refused = 0;
    for (number, part) in parts.iter().enumerate() {
        let answer = agent.put(begun(&terms), number + 1, part).await;
        if answer.status != 200 {
            is_told(&answer, 429, "storage_full");
            assert!(!answer.header("retry-after").is_empty());
            refused += 1;
        }
    }
    assert!(refused > 0, "1,500 bytes hold all parts");
    // The next upload takes the place of the one that stays open, and has its room.
    agent.sync(&people(3, &[]), json!({})).await;
    let former = agent.get(&format!("{UPLOADS}/{}", begun(&terms))).await.expect(200);
    assert_eq!((former.at("/state"), former.at("/reason")), (&json!("abandoned"), &json!("superseded")));
    // One that is given up gives its room back too.
    let terms = agent.terms(&people(3, &[]), json!({})).await;
    agent.post(UPLOADS, &terms).await.expect(201);
    agent.put(begun(&terms), 1, &one_part(&terms, &people(3, &[]))).await.expect(200);
    agent.send(Method::DELETE, &format!("{UPLOADS}/{}", begun(&terms)), Vec::new()).await.expect(204);
    is_told(&agent.commit(begun(&terms), &[one_part(&terms, &people(3, &[]))]).await, 409, "upload_ended");
    // A forgotten one ends by itself; keys that wait are few.
    for _ in 0..5 {
        let token =
            tenant.post(&format!("/api/v1/sources/{}/install-tokens", agent.source), &json!({})).await.expect(201);
        Agent::enrolled_at(&tenant, &agent.source, &token.text_at("/token")).await;
    }
    let token = tenant.post(&format!("/api/v1/sources/{}/install-tokens", agent.source), &json!({})).await.expect(201);
    let key = SigningKey::of_seed(&new_seed());
    is_told(&crate::agent_client::enrol(&tenant, &token.text_at("/token"), &key).await, 409, "conflict");
}

async fn da3_each_mistake_of_an_upload_has_its_own_answer(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let without = |name: &str| changed(user(name, &[]), |user| user.email = None);
    agent.is_refused(&[without("ann"), without("bob")], json!({}), 400, "no_user_with_email").await;
    agent.is_refused(&people(3, &[]), json!({ "users": 4 }), 400, "counts_differ").await;
    agent.is_refused(&people(3, &["nowhere"]), json!({}), 400, "unknown_group").await;
    let terms = agent.terms(&[], json!({})).await;
    for (changes, about) in [
        (json!({ "kind": "heap" }), "heap"),
        (json!({ "covers": [[5, 3]] }), "covers"),
        (json!({ "covers": [] }), "covers"),
        (json!({ "from_cursor": "x" }), "from_cursor"),
        (json!({ "kind": "delta", "to_cursor": "y".repeat(5_000) }), "cursor"),
        (json!({ "removal_limit": 3 }), "removal_limit"),
    ] {
        let answer = agent.post(UPLOADS, &terms_with(&terms, changes)).await.expect(400);
        assert!(answer.text_at("/message").contains(about), "{about}: {}", answer.describe());
    }
    is_told(&agent.post(UPLOADS, &terms_with(&terms, json!({ "sequence": 9 }))).await, 409, "sequence_moved");
    agent.get(&format!("{UPLOADS}/nonsense")).await.expect(404);
    agent.get("/agent/v1/state/nodes?nodes=128").await.expect(400);
    agent.get("/agent/v1/state/nodes?nodes=1,x").await.expect(400);
    // One person without an address is skipped and told, the others are members (DA2).
    agent.sync(&[without("ann"), user("bob", &[])], json!({})).await;
    tenant.eventually_status("bob@acme.example", "active").await;
    let skipped: Vec<serde_json::Value> = tenant.list("/api/v1/skipped-records").await;
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0]["dispute"], "no_email");
    // A small directory in one request.
    let entries = [user("bob", &[]), user("cid", &[])];
    let terms = agent.terms(&entries, json!({})).await;
    agent.whole(&terms, one_part(&terms, &entries)).await.expect(202);
    assert_eq!(agent.outcome(begun(&terms)).await.at("/code"), 200);
    agent.whole(&terms, one_part(&terms, &entries)).await.expect(202);
    let terms = agent.terms(&entries, json!({})).await;
    is_told(&agent.whole(&terms, foreign_part(1)).await, 409, "part_foreign");
    agent.whole(&json!({ "nonsense": 1 }), foreign_part(1)).await.expect(400);
}

async fn da3_a_source_that_is_off_takes_no_upload(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let path = format!("/api/v1/sources/{}", agent.source);
    tenant.send(Method::PATCH, &path, Some(&json!({ "mode": "off" }))).await.expect(200);
    let terms = agent.terms(&people(1, &[]), json!({})).await;
    is_told(&agent.post(UPLOADS, &terms).await, 403, "provisioning_off");
    assert_eq!(agent.state().await.at("/provisioning"), false);
    tenant.send(Method::PATCH, &path, Some(&json!({ "mode": "simulate" }))).await.expect(200);
    agent.sync(&people(2, &[]), json!({})).await;
    assert!(tenant.members().await.is_empty(), "a source in simulation changes nobody");
    tenant.send(Method::PATCH, &path, Some(&json!({ "mode": "live" }))).await.expect(200);
    tenant.eventually_status("p1@acme.example", "active").await;
}

async fn da12_uploads_of_one_source_do_not_mix(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    // Two processes with one key: the later one takes the place, the other one's parts are refused.
    let (one, two) = (agent.terms(&people(2, &[]), json!({})).await, agent.terms(&people(3, &[]), json!({})).await);
    agent.post(UPLOADS, &one).await.expect(201);
    agent.post(UPLOADS, &two).await.expect(201);
    is_told(&agent.put(begun(&one), 1, &one_part(&one, &people(2, &[]))).await, 409, "upload_ended");
    let part = one_part(&two, &people(3, &[]));
    agent.put(begun(&two), 1, &part).await.expect(200);
    assert!(manifest_of(std::slice::from_ref(&part)).len() == 64);
    agent.commit(begun(&two), std::slice::from_ref(&part)).await.expect(202);
    assert_eq!(agent.outcome(begun(&two)).await.at("/code"), 200);
    // The state read before the other upload is old now.
    let late = terms_with(&one, json!({ "id": unknown_id() }));
    is_told(&agent.post(UPLOADS, &late).await, 409, "sequence_moved");
    assert_eq!(tenant.members().await.len(), 3);
}

async fn lp10_nothing_but_the_listed_fields_travels(hub: Hub) {
    let tenant = new_tenant(&hub);
    let agent = Agent::verified(&tenant).await;
    let terms = agent.terms(&people(1, &[]), json!({})).await;
    agent.post(UPLOADS, &terms).await.expect(201);
    let id = begun(&terms);
    let first = json!({ "part": { "format": 1, "upload": id, "number": 1, "covers": [[0, 8191]] } });
    let person = json!({ "user": { "id": "guid-p0", "active": true, "employeeId": "77" } });
    let answer = agent.put(id, 1, &compressed(&format!("{first}\n{person}\n"))).await;
    is_told(&answer, 400, "part_flawed");
    assert!(!answer.text.contains("guid-p0"), "a message tells no data: {}", answer.describe());
    let fields: Vec<String> = match serde_json::to_value(user("ann", &["g1"])).unwrap() {
        serde_json::Value::Object(mut line) => {
            line.remove("user").unwrap().as_object().unwrap().keys().cloned().collect()
        }
        other => panic!("{other}"),
    };
    let listed = ["active", "display_name", "email", "family_name", "given_name", "groups", "id", "user_name"];
    assert_eq!(fields, listed);
    let Entry::User(User { id, .. }) = user("ann", &[]) else { panic!("a person") };
    assert!(serde_json::to_value(group(&id, "x")).unwrap()["group"].as_object().unwrap().len() == 2);
}

//! An on-prem agent as a test plays it: it makes a key, signs, and uploads entries in as many parts as a test wants.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use rollcall_snapshot::bucket::{ALL, hex};
use rollcall_snapshot::manifest::part_digest;
use rollcall_snapshot::{
    BUCKETS, Entry, Group, PartHeader, PartWriter, Ranges, SignedRequest, Signer, SigningKey, User, content_digest,
    manifest_digest,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::rest::Tenant;
use crate::verbs::{email, unknown_id};

pub(crate) const MACHINE: &str = "machine-of-the-tests";

/// A person who is in these groups.
pub(crate) fn user(name: &str, groups: &[&str]) -> Entry {
    let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    groups.sort();
    Entry::User(User {
        id: format!("guid-{name}"),
        user_name: Some(name.to_owned()),
        email: Some(email(name)),
        given_name: Some(name.to_owned()),
        family_name: Some("Example".to_owned()),
        display_name: Some(format!("{name} Example")),
        active: true,
        groups,
    })
}

pub(crate) fn people(count: usize, groups: &[&str]) -> Vec<Entry> {
    (0..count).map(|number| user(&format!("p{number}"), groups)).collect()
}

/// The same person with a change.
pub(crate) fn changed(entry: Entry, change: impl FnOnce(&mut User)) -> Entry {
    let Entry::User(mut user) = entry else { panic!("a person is to be changed") };
    change(&mut user);
    Entry::User(user)
}

pub(crate) fn group(id: &str, name: &str) -> Entry {
    Entry::Group(Group { id: id.to_owned(), name: name.to_owned() })
}

/// The parts of an upload, each with as many buckets.
pub(crate) fn parts_of(upload: Uuid, entries: &[Entry], covers: &Ranges, count: u16) -> Vec<Vec<u8>> {
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(Entry::place);
    let each = BUCKETS.div_ceil(count);
    let mut parts = Vec::new();
    for part in 0..count {
        let (first, last) = (part * each, ((part + 1) * each - 1).min(BUCKETS - 1));
        let cut =
            |[from, to]: &[u16; 2]| (first.max(*from) <= last.min(*to)).then(|| [first.max(*from), last.min(*to)]);
        let own: Ranges = covers.iter().filter_map(cut).collect();
        if own.is_empty() {
            continue;
        }
        let of_part = sorted.iter().filter(|entry| (first..=last).contains(&entry.place().bucket));
        let number = u32::try_from(parts.len()).unwrap() + 1;
        parts.push(part_of(header(upload, number, own), of_part));
    }
    parts
}

pub(crate) fn header(upload: Uuid, number: u32, covers: Ranges) -> PartHeader {
    PartHeader { format: 1, upload: upload.to_string(), number, covers }
}

pub(crate) fn part_of<'e>(header: PartHeader, entries: impl IntoIterator<Item = &'e Entry>) -> Vec<u8> {
    let mut writer = PartWriter::new(header).unwrap();
    entries.into_iter().for_each(|entry| writer.add(entry).unwrap());
    writer.finish().unwrap()
}

/// Any bytes as a part.
pub(crate) fn compressed(text: &str) -> Vec<u8> {
    zstd::stream::encode_all(text.as_bytes(), 3).unwrap()
}

pub(crate) fn manifest_of(parts: &[Vec<u8>]) -> String {
    let digests: Vec<_> = parts.iter().map(|part| (part_digest(part), part.len() as u64)).collect();
    hex(&manifest_digest(digests.iter().map(|(digest, bytes)| (digest, *bytes))))
}

pub(crate) fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub(crate) fn nonce() -> String {
    unknown_id().simple().to_string()
}

pub(crate) struct Agent {
    pub(crate) tenant: Tenant,
    pub(crate) source: String,
    pub(crate) key: SigningKey,
    pub(crate) key_id: String,
    pub(crate) fingerprint: String,
}

/// A request before it is signed.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: Vec<u8>,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) nonce: String,
}

impl<'a> Unsigned<'a> {
    pub(crate) fn new(method: Method, path: &'a str, body: Vec<u8>) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let created = now();
        Self { method, path, query, body, created, expires: created + 120, nonce: nonce() }
    }
}

pub(crate) fn new_seed() -> [u8; 32] {
    rand::Rng::random(&mut <rand::rngs::StdRng as rand::SeedableRng>::from_os_rng())
}

impl Agent {
    /// A source of agents, and an agent that enrolled its key, which nobody has verified.
    pub(crate) async fn enrolled(tenant: &Tenant) -> Self {
        let made = tenant.hub.json_command(&["source", "create", "--tenant", &tenant.slug, "--kind", "agent"]);
        let (source, token) = (made["source_id"].as_str().unwrap(), made["install_token"].as_str().unwrap());
        Self::enrolled_at(tenant, source, token).await
    }

    pub(crate) async fn enrolled_at(tenant: &Tenant, source: &str, token: &str) -> Self {
        let key = SigningKey::of_seed(&new_seed());
        let enrolled = enrol(tenant, token, &key).await.expect(201);
        assert_eq!(enrolled.at("/state"), "pending");
        let (key_id, fingerprint) = (enrolled.text_at("/key_id"), enrolled.text_at("/fingerprint"));
        assert_eq!(fingerprint, key.public().fingerprint());
        Self { tenant: tenant.clone(), source: source.to_owned(), key, key_id, fingerprint }
    }

    /// As [`enrolled`](Self::enrolled), with a key that an admin verified.
    pub(crate) async fn verified(tenant: &Tenant) -> Self {
        let agent = Self::enrolled(tenant).await;
        agent.verify(&agent.fingerprint).await.expect(200);
        agent
    }

    /// The agent that made this file of a key.
    pub(crate) fn of_file(tenant: &Tenant, source: &str, file: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix('='));
            line.unwrap_or_else(|| panic!("no {name} in {}", file.display())).trim().trim_matches('"').to_owned()
        };
        let seed = base64::engine::general_purpose::STANDARD.decode(value("seed")).unwrap();
        let key = SigningKey::of_seed(&seed.try_into().unwrap());
        let fingerprint = key.public().fingerprint();
        Self { tenant: tenant.clone(), source: source.to_owned(), key, key_id: value("key_id"), fingerprint }
    }

    pub(crate) async fn verify(&self, fingerprint: &str) -> Answer {
        let path = format!("/api/v1/sources/{}/agent-keys/{}/verify", self.source, self.key_id);
        self.tenant.post(&path, &json!({ "fingerprint": fingerprint })).await
    }

    /// The request with its signature.
    pub(crate) fn signed(&self, unsigned: &Unsigned<'_>) -> RequestBuilder {
        let base = self.tenant.hub.machines_url();
        let digest = content_digest(&unsigned.body);
        let request = SignedRequest {
            method: unsigned.method.as_str(),
            authority: base.trim_start_matches("http://"),
            path: unsigned.path,
            query: unsigned.query,
            content_digest: &digest,
        };
        let signer = Signer { key: &self.key, key_id: &self.key_id };
        let headers = signer.sign(&request, unsigned.created, unsigned.expires, &unsigned.nonce);
        let query = if unsigned.query.is_empty() { String::new() } else { format!("?{}", unsigned.query) };
        let url = format!("{base}{}{query}", unsigned.path);
        let request = self.tenant.hub.http().request(unsigned.method.clone(), url).body(unsigned.body.clone());
        let request = request.header("content-digest", digest).header("signature-input", headers.signature_input);
        request.header("signature", headers.signature)
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        Answer::of(self.signed(&Unsigned::new(method, path, body))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string().into_bytes()).await
    }

    pub(crate) async fn state(&self) -> Answer {
        self.get("/agent/v1/state").await.expect(200)
    }

    /// The terms of a snapshot of everything, with changes.
    pub(crate) async fn terms(&self, entries: &[Entry], changes: Value) -> Value {
        let groups = entries.iter().filter(|entry| matches!(entry, Entry::Group(_))).count();
        let users = entries.iter().filter(|entry| matches!(entry, Entry::User(_))).count();
        let sequence = self.state().await.at("/sequence").clone();
        let terms = json!({
            "id": unknown_id(), "machine": MACHINE, "kind": "snapshot", "users": users, "groups": groups, "sequence": sequence,
        });
        crate::verbs::with(terms, changes)
    }

    /// Uploads entries in parts and commits; returns the upload's id.
    pub(crate) async fn upload(&self, entries: &[Entry], count: u16, changes: Value) -> Uuid {
        let terms = self.terms(entries, changes).await;
        let id: Uuid = terms["id"].as_str().unwrap().parse().unwrap();
        let covers = serde_json::from_value(terms["covers"].clone()).unwrap_or_else(|_| ALL.to_vec());
        self.post("/agent/v1/uploads", &terms).await.expect(201);
        let parts = parts_of(id, entries, &covers, count);
        // In no order of their own.
        for (number, part) in parts.iter().enumerate().rev() {
            self.put(id, number + 1, part).await.expect(200);
        }
        self.commit(id, &parts).await.expect(202);
        id
    }

    pub(crate) async fn put(&self, id: Uuid, number: usize, part: &[u8]) -> Answer {
        self.send(Method::PUT, &format!("/agent/v1/uploads/{id}/parts/{number}"), part.to_vec()).await
    }

    pub(crate) async fn commit(&self, id: Uuid, parts: &[Vec<u8>]) -> Answer {
        let body = json!({ "parts": parts.len(), "manifest": manifest_of(parts) });
        self.post(&format!("/agent/v1/uploads/{id}/commit"), &body).await
    }

    pub(crate) async fn whole(&self, terms: &Value, part: Vec<u8>) -> Answer {
        let terms = URL_SAFE_NO_PAD.encode(terms.to_string());
        self.send(Method::POST, &format!("/agent/v1/uploads/whole?terms={terms}"), part).await
    }

    /// The upload, once it has ended and the roster has caught up.
    pub(crate) async fn outcome(&self, id: Uuid) -> Answer {
        for _ in 0..4 {
            let answer = self.get(&format!("/agent/v1/uploads/{id}?wait=20")).await.expect(200);
            if answer.at("/settled") == true {
                return answer;
            }
        }
        self.get(&format!("/agent/v1/uploads/{id}")).await
    }

    /// Uploads and waits for success.
    pub(crate) async fn sync(&self, entries: &[Entry], changes: Value) -> Answer {
        let id = self.upload(entries, 3, changes).await;
        let answer = self.outcome(id).await;
        assert_eq!((answer.at("/code"), answer.at("/message")), (&json!(200), &json!("OK")), "{}", answer.describe());
        answer
    }

    /// Uploads and waits for this refusal.
    pub(crate) async fn is_refused(&self, entries: &[Entry], changes: Value, code: u16, reason: &str) -> Answer {
        let id = self.upload(entries, 2, changes).await;
        let answer = self.outcome(id).await;
        assert_eq!((answer.at("/code"), answer.at("/reason")), (&json!(code), &json!(reason)), "{}", answer.describe());
        answer
    }
}

pub(crate) async fn enrol(tenant: &Tenant, token: &str, key: &SigningKey) -> Answer {
    let body = json!({
        "public_key": key.public().to_text(), "proof": key.proof(token), "name": "dc1", "machine": MACHINE, "program": "suite",
    });
    let url = format!("{}/agent/v1/enrolment", tenant.hub.machines_url());
    Answer::of(tenant.hub.http().post(url).bearer_auth(token).json(&body)).await
}

/// An answer of `/agent/v1` with this number and word.
#[track_caller]
pub(crate) fn is_told(answer: &Answer, code: u16, reason: &str) {
    let is_so = answer.status == code && answer.at("/code") == code && answer.at("/reason") == reason;
    let has_message = answer.at("/message").as_str().is_some_and(|message| !message.is_empty());
    assert!(is_so && has_message, "expected {code} {reason}: {}", answer.describe());
}

//! Owners and admins: what a source and the key of an admin cannot do to them, and what only an owner decides (S5).

use futures_util::future::join_all;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::random_input::number_of_cases;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Run;
use crate::verbs::{ScimSource, email, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        s5_an_account_is_not_taken_over_by_an_admin_key_and_a_token,
        s5_the_run_about_an_owner_is_the_owners_to_decide,
        s5_a_rewind_of_an_admin_is_the_owners_to_approve,
        s5_what_takes_accounts_over_is_the_owners_to_set,
        s5_no_random_sequence_changes_an_owner,
    ]
}

const BOSS: &str = "boss@acme.example";

/// The same tenant, by the key of an admin.
fn by_admin(tenant: &Tenant) -> Tenant {
    let made = tenant.hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "admin"]);
    Tenant { key: made["key"].as_str().unwrap().to_owned(), ..tenant.clone() }
}

async fn decide(tenant: &Tenant, run: &Run, decision: &str) -> crate::answer::Answer {
    tenant.post(&format!("/api/v1/runs/{}/{decision}", run.id), &json!({ "digest": run.digest })).await
}

fn addressed(name: &str, address: &str) -> Value {
    with(person(name), json!({ "emails": [{ "type": "work", "value": address, "primary": true }] }))
}

/// The attack that worked: a record with the owner's address is adopted, and then gets another address.
async fn s5_an_account_is_not_taken_over_by_an_admin_key_and_a_token(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let admin = by_admin(&tenant);
    let before = tenant.member(BOSS).await.unwrap();
    admin.post(&format!("/api/v1/sources/{}/tokens", source.id), &json!({})).await.expect_problem(403);
    let id = source.post("/Users", &addressed("mallory", BOSS)).await.expect(201).id();
    let run = tenant.eventually_held("privileged_member").await;
    assert_eq!(run.held_reasons, ["privileged_member"]);
    decide(&admin, &run, "approve").await.expect_problem(403);
    decide(&admin, &run, "reject").await.expect_problem(403);
    let path = format!("/api/v1/sources/{}/users/{id}/explain", source.id);
    let explained = tenant.get(&path).await.expect(200);
    let gates = explained.at("/gates").as_array().cloned().unwrap_or_default();
    let hold = gates.iter().find(|gate| gate["gate"] == "hold").cloned().unwrap_or_default();
    assert_eq!(hold["evidence"]["reason"], "privileged_member", "{}", explained.describe());
    assert!(hold["remedy"].as_str().is_some_and(|remedy| remedy.contains("owner")), "{hold}");
    let readdress = operation("replace", "emails[type eq \"work\"].value", json!(email("mallory")));
    source.patch(&format!("/Users/{id}"), vec![readdress]).await.expect_success();
    tenant.eventually_status(&email("mallory"), "active").await;
    assert_eq!(tenant.member(BOSS).await.unwrap(), before);
}

async fn s5_the_run_about_an_owner_is_the_owners_to_decide(hub: Hub) {
    let limit = r#"{"count": 0, "percent": 0}"#;
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").policy("removal_limit", limit).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    tenant.eventually_status(&email("bea"), "active").await;
    let role = json!({ "role": "admin" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    for id in &ids {
        source.deactivate(id).await.expect_success();
    }
    // Bea's seat is an admin's to decide, and waits for no owner.
    let admin = by_admin(&tenant);
    let limited = tenant.eventually_held("member_removal_over_limit").await;
    let privileged = tenant.eventually_held("privileged_member").await;
    assert_ne!(limited.id, privileged.id);
    decide(&admin, &limited, "approve").await.expect(200);
    decide(&admin, &privileged, "approve").await.expect_problem(403);
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "active");
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    // The way back gives a role back.
    source.activate(&ids[0]).await.expect_success();
    tenant.eventually_held("privileged_member").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "suspended");
    // Without the role it is nobody's decision.
    let role = json!({ "role": "member" });
    admin.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    tenant.eventually_status(&email("ann"), "active").await;
}

async fn s5_a_rewind_of_an_admin_is_the_owners_to_approve(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let run = tenant.runs().await.into_iter().find(|run| run.state == "applied").expect("the run that let Ann in");
    let role = json!({ "role": "admin" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    let admin = by_admin(&tenant);
    let rewind = admin.post(&format!("/api/v1/runs/{}/rewind", run.id), &json!({})).await.expect(202).id();
    let planned = crate::verbs::eventually("the rewind is planned", async || {
        let runs = tenant.runs().await;
        let planned = runs.iter().find(|run| run.id == rewind && run.state == "planned").cloned();
        planned.ok_or(format!("{runs:#?}"))
    })
    .await;
    decide(&admin, &planned, "approve").await.expect_problem(403);
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "active");
    decide(&tenant, &planned, "approve").await.expect(200);
    crate::verbs::eventually("Ann is out again", async || match tenant.member(&email("ann")).await {
        None => Ok(()),
        Some(ann) if ann.status == "removed" => Ok(()),
        ann => Err(format!("{ann:?}")),
    })
    .await;
}

async fn s5_what_takes_accounts_over_is_the_owners_to_set(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let admin = by_admin(&tenant);
    let boss = tenant.member(BOSS).await.unwrap().id;
    for (key, value) in [
        ("adopt_existing", json!(false)),
        ("email_attribute", json!("userName")),
        ("mapping", json!({ "email": "user.userName" })),
        ("protected_members", json!([boss])),
        ("sources", json!({ (source.id.clone()): { "mapping": { "email": "user.title" } } })),
    ] {
        let body = json!({ "policy": { (key): value } });
        let refused = admin.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.expect_problem(403);
        assert!(
            refused.at("/detail").as_str().is_some_and(|detail| detail.contains("owner")),
            "{}",
            refused.describe()
        );
        tenant.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.expect(200);
    }
    // Keys that are not the owner's, and the whole policy with the owner's part as it is.
    let body = json!({ "policy": { "approval": true } });
    admin.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.expect(200);
    let mut whole = admin.get("/api/v1/policy").await.expect(200).json;
    whole["policy"]["approval"] = json!(false);
    admin.send(Method::PUT, "/api/v1/policy", Some(&whole)).await.expect(200);
    let path = format!("/api/v1/sources/{}", source.id);
    admin.send(Method::PATCH, &path, Some(&json!({ "mode": "live" }))).await.expect_problem(403);
    admin.send(Method::PATCH, &path, Some(&json!({ "mode": "off" }))).await.expect(200);
    tenant.send(Method::PATCH, &path, Some(&json!({ "mode": "live" }))).await.expect(200);
}

const CLIENTS: usize = 4;
const STEPS: usize = 6;
/// Sequences of the usual run; `make fuzz` plays a thousand and more.
const USUAL_SEQUENCES: usize = 120;

/// An attacker with the key of an admin and the token of the live source.
struct Attacker {
    random: StdRng,
    admin: Tenant,
    source: ScimSource,
    ids: Vec<String>,
}

async fn s5_no_random_sequence_changes_an_owner(hub: Hub) {
    let fast = ["INGEST", "ADMIN"]
        .iter()
        .flat_map(|service| ["PER_SECOND", "BURST"].map(|what| format!("ROLLCALL_{service}_RATE_{what}")));
    let own = fast.fold(hub.another(), |hub, key| hub.setting(&key, "1000000")).start().await;
    let sequences = number_of_cases().min(10_000);
    let sequences = if sequences < 2_000 { USUAL_SEQUENCES } else { sequences.max(1_000) };
    let attacks = (0..CLIENTS).map(|_| attack(&own, sequences / CLIENTS));
    join_all(attacks).await;
}

async fn attack(hub: &Hub, sequences: usize) {
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bob", "cem"]).await;
    for name in ["ann", "bob", "cem"] {
        tenant.eventually_status(&email(name), "active").await;
    }
    // One owner whom no source manages, and one whom the attacked source does.
    let ann = tenant.member(&email("ann")).await.unwrap();
    let owner = json!({ "role": "owner" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&owner)).await.expect(200);
    let owners = [BOSS.to_owned(), email("ann")];
    let mut attacker = Attacker { random: hub.randomness(&tenant.slug), admin: by_admin(&tenant), source, ids };
    let live = json!({ "mode": "live" });
    let path = format!("/api/v1/sources/{}", attacker.source.id);
    for _ in 0..sequences {
        let mut played = Vec::new();
        for _ in 0..STEPS {
            played.push(attacker.step().await);
        }
        for address in &owners {
            let owner = tenant.member(address).await;
            let stays = owner.as_ref().is_some_and(|owner| (&*owner.role, &*owner.status) == ("owner", "active"));
            assert!(stays, "{address} became {owner:?} by {played:#?}");
        }
        // The attacker may stop the source; the attack goes on with a live one.
        tenant.send(Method::PATCH, &path, Some(&live)).await;
    }
    attacker.source.group("Marker", &[]).await;
    for address in &owners {
        let owner = tenant.member(address).await.unwrap_or_else(|| panic!("{address} is gone"));
        assert_eq!((owner.role.as_str(), owner.status.as_str()), ("owner", "active"), "{owner:?}");
    }
    let held =
        tenant.runs().await.iter().any(|run| run.held_reasons.iter().any(|reason| reason == "privileged_member"));
    assert!(held, "no sequence came near an owner");
}

impl Attacker {
    async fn step(&mut self) -> String {
        if self.random.random_bool(0.6) { self.by_token().await } else { self.by_key().await }
    }

    async fn by_token(&mut self) -> String {
        let addresses = [BOSS.to_owned(), email("ann"), email("mallory"), email("bob"), BOSS.to_uppercase()];
        let address = addresses.choose(&mut self.random).expect("one").clone();
        let id = self.ids.choose(&mut self.random).expect("one").clone();
        let path = format!("/Users/{id}");
        let replace = |path: &str, value: Value| vec![operation("replace", path, value)];
        let answer = match self.random.random_range(0..6) {
            0 => {
                let name = format!("m{}", self.random.random_range(0..1_000_000));
                let external = format!("ext-{}", ["ann", "bob", &name].choose(&mut self.random).expect("one"));
                let new = with(addressed(&name, &address), json!({ "externalId": external }));
                self.source.post("/Users", &new).await
            }
            1 => self.source.patch(&path, replace("emails[type eq \"work\"].value", json!(address))).await,
            2 => self.source.patch(&path, replace("userName", json!(address))).await,
            3 => self.source.patch(&path, replace("active", json!(self.random.random::<bool>()))).await,
            4 => self.source.patch(&path, replace("externalId", json!("ext-ann"))).await,
            _ => self.source.delete(&path).await,
        };
        if let (201, Some(id)) = (answer.status, answer.json["id"].as_str()) {
            self.ids.push(id.to_owned());
        }
        answer.describe()
    }

    async fn by_key(&mut self) -> String {
        let admin = self.admin.clone();
        let source = format!("/api/v1/sources/{}", self.source.id);
        match self.random.random_range(0..9) {
            0 | 1 => return self.decide().await,
            2 => {
                let runs = admin.runs().await;
                let Some(run) = runs.choose(&mut self.random) else { return String::new() };
                admin.post(&format!("/api/v1/runs/{}/rewind", run.id), &json!({})).await
            }
            3 => {
                let members = admin.members().await;
                let member = members.choose(&mut self.random).expect("an owner at least");
                let role = ["owner", "admin", "member"].choose(&mut self.random).expect("one");
                let path = format!("/api/v1/members/{}", member.id);
                admin.send(Method::PATCH, &path, Some(&json!({ "role": role }))).await
            }
            4 => {
                let key = ["adopt_existing", "approval", "auto_deprovision"].choose(&mut self.random).expect("one");
                let body = json!({ "policy": { (*key): self.random.random::<bool>() } });
                admin.send(Method::PATCH, "/api/v1/policy", Some(&body)).await
            }
            5 => {
                let word = ["remove", "suspend"].choose(&mut self.random).expect("one");
                let body = json!({ "policy": { "on_deleted": word, "on_disabled": word } });
                admin.send(Method::PATCH, "/api/v1/policy", Some(&body)).await
            }
            6 => {
                let mode = ["off", "simulate", "live"].choose(&mut self.random).expect("one");
                admin.send(Method::PATCH, &source, Some(&json!({ "mode": mode }))).await
            }
            7 => {
                let people = ["keep", "remove"].choose(&mut self.random).expect("one");
                let seen = admin.get(&format!("{source}/detachment?people={people}")).await;
                let body = json!({ "people": people, "digest": seen.at("/digest") });
                admin.post(&format!("{source}/detach"), &body).await
            }
            _ => {
                let seen = admin.get(&format!("{source}/promotion")).await;
                admin.post(&format!("{source}/promote"), &json!({ "digest": seen.at("/digest") })).await
            }
        }
        .describe()
    }

    async fn decide(&mut self) -> String {
        let open = |run: &&Run| matches!(run.state.as_str(), "held" | "planned");
        let runs = self.admin.runs().await;
        let open: Vec<&Run> = runs.iter().filter(open).collect();
        let Some(run) = open.choose(&mut self.random) else { return String::new() };
        let decision = ["approve", "approve", "reject"].choose(&mut self.random).expect("one");
        decide(&self.admin, run, decision).await.describe()
    }
}

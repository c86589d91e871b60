//! An attacker with the key of an admin and the token of the live source, who tries at random.

use futures_util::future::join_all;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Value, json};

use super::{BOSS, BULK, addressed, by_admin, decide};
use crate::hub::Hub;
use crate::random_input::number_of_cases;
use crate::rest::Tenant;
use crate::roster::Run;
use crate::verbs::{ScimSource, email, eventually, operation, patch, person, with};

const CLIENTS: usize = 4;
const STEPS: usize = 6;
/// Sequences of the usual run, and of `make fuzz`, which asks for this many random requests at least.
const USUAL_SEQUENCES: usize = 120;
const FUZZ_SEQUENCES: usize = 1_000;
const FUZZ: usize = 10_000;

/// An attacker with the key of an admin and the token of the live source.
struct Attacker {
    random: StdRng,
    admin: Tenant,
    source: ScimSource,
    ids: Vec<String>,
}

pub(super) async fn rc23_s5_no_random_sequence_changes_an_owner(hub: Hub) {
    let fast = ["INGEST", "ADMIN"]
        .iter()
        .flat_map(|service| ["PER_SECOND", "BURST"].map(|what| format!("ROLLCALL_{service}_RATE_{what}")));
    let own = fast.fold(hub.another(), |hub, key| hub.setting(&key, "1000000")).start().await;
    let sequences = if number_of_cases() < FUZZ { USUAL_SEQUENCES } else { FUZZ_SEQUENCES };
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
        attacker.revive(&tenant).await;
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
    /// The attacker may stop the source, or leave nobody in it; the attack goes on with a live one.
    async fn revive(&mut self, tenant: &Tenant) {
        let path = format!("/api/v1/sources/{}", self.source.id);
        let set = async |mode: &str| tenant.send(Method::PATCH, &path, Some(&json!({ "mode": mode }))).await;
        if set("live").await.status == 200 {
            return;
        }
        set("simulate").await.expect(200);
        let name = format!("r{}", self.ids.len());
        let id = eventually("somebody in the source", async || {
            let answer = self.source.post("/Users", &person(&name)).await;
            if answer.status == 201 { Ok(answer.id()) } else { Err(answer.describe()) }
        })
        .await;
        self.ids.push(id);
        set("live").await.expect(200);
    }

    async fn step(&mut self) -> String {
        if self.random.random_bool(0.6) { self.by_token().await } else { self.by_key().await }
    }

    async fn by_token(&mut self) -> String {
        let addresses = [BOSS.to_owned(), email("ann"), email("mallory"), email("bob"), BOSS.to_uppercase()];
        let address = addresses.choose(&mut self.random).expect("one").clone();
        let id = self.ids.choose(&mut self.random).expect("one").clone();
        let path = format!("/Users/{id}");
        let replace = |path: &str, value: Value| vec![operation("replace", path, value)];
        let answer = match self.random.random_range(0..8) {
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
            5 => {
                let name = ["ann", "bob", "mallory"].choose(&mut self.random).expect("one");
                let whole = json!({ "externalId": format!("ext-{name}"), "active": self.random.random::<bool>() });
                self.source.put(&path, &with(addressed(name, &address), whole)).await
            }
            6 => {
                let disable = patch(replace("active", json!(false)));
                let operations =
                    json!([{ "method": "PATCH", "path": path, "data": disable }, { "method": "DELETE", "path": path }]);
                self.source.post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).await
            }
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

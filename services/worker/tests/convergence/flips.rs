//! Flipping the authority to another source and back is the identity on the members that the first one manages
//! (docs/design.md#the-idea), for random directories of both, seeded so that a failure can be reproduced.

use crate::cutover::{Groups, Move, People};
use crate::engine;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::{Limit, OnDeleted, Policy};
use rollcall_store::{SourceScope, Store};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const WORLDS: u64 = 12;
const PEOPLE: usize = 8;
const GROUPS: [&str; 4] = ["Night Shift", "Design", "Sales", "Pilots"];

/// Fills one source with a part of the people and groups; its anchors, spelling, names and memberships are its own.
async fn say(office: &Move, source: &SourceScope, own: &str, random: &mut StdRng) {
    let mut users: Vec<DirectoryUserId> = Vec::new();
    for number in 0..PEOPLE {
        if random.random_bool(0.25) {
            continue;
        }
        let anchor = if random.random_bool(0.5) { format!("{number}") } else { format!("{own}-{number}") };
        let user = office.person(source, &format!("p{number}"), &anchor).await;
        if random.random_bool(0.3) {
            office.set(source, user, "displayName", json!(format!("{own} {number}"))).await;
        }
        users.push(user);
    }
    // Some are disabled after a worker saw them, some before.
    if random.random_bool(0.5) {
        office.settle().await;
    }
    for user in &users {
        if random.random_bool(0.2) {
            office.set(source, *user, "active", json!(false)).await;
        }
    }
    for name in GROUPS {
        if random.random_bool(0.3) {
            continue;
        }
        let name = if random.random_bool(0.5) { name.to_owned() } else { name.to_uppercase() };
        let count = random.random_range(0..=users.len());
        let inside: Vec<DirectoryUserId> = users.choose_multiple(random, count).copied().collect();
        office.group(source, &name, &inside).await;
    }
    office.settle().await;
}

/// Members and groups by member id; the id of a group is left out, because a group that returns has a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Picture {
    people: People,
    groups: BTreeMap<String, BTreeSet<Uuid>>,
}

impl Picture {
    async fn of(office: &Move) -> Self {
        let (people, groups): (People, Groups) = (office.people().await, office.groups().await);
        Self { people, groups: groups.into_values().collect() }
    }

    /// Keeps the people of an earlier picture.
    fn only(mut self, known: &People) -> Self {
        self.people.retain(|id, _| known.contains_key(id));
        self.groups.values_mut().for_each(|inside| inside.retain(|id| known.contains_key(id)));
        self
    }

    fn removed(&self) -> BTreeSet<Uuid> {
        let removed = self.people.iter().filter(|(_, (_, status, ..))| status == "removed");
        removed.map(|(id, _)| *id).collect()
    }

    /// A suspended member whom the other source lacks is removed, and stays removed while their own source has them
    /// disabled: no access either way, and no visible membership.
    fn without(mut self, removed: &BTreeSet<Uuid>) -> Self {
        for (id, (_, status, ..)) in &mut self.people {
            if removed.contains(id) && status == "suspended" {
                "removed".clone_into(status);
            }
        }
        self.groups.values_mut().for_each(|inside| inside.retain(|id| !removed.contains(id)));
        self
    }
}

#[test]
fn pe11_rc11_flipping_the_authority_and_back_is_the_identity_on_random_directories() {
    engine::on_each_engine(async |store: Store, engine| {
        for seed in 0..WORLDS {
            let random = &mut StdRng::seed_from_u64(seed);
            let on_deleted = if random.random_bool(0.5) { OnDeleted::Suspend } else { OnDeleted::Remove };
            let removal_limit = Limit { count: 10_000, ..Limit::default() };
            let office = Move::open(store.clone(), Policy { on_deleted, removal_limit, ..Move::federated() }).await;
            say(&office, &office.first, "ad", random).await;
            let before = Picture::of(&office).await;
            say(&office, &office.second, "okta", random).await;
            assert_eq!(Picture::of(&office).await, before, "{engine}, world {seed}: a plan changes nothing");
            for source in [office.second, office.first] {
                office.promote(&source).await;
                office.settle().await;
            }
            let after = Picture::of(&office).await.only(&before.people);
            let removed = after.removed();
            assert_eq!(after.without(&removed), before.without(&removed), "{engine}, world {seed}");
        }
    });
}

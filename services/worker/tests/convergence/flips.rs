//! Flipping the authority to another source and back is the identity on what the first one manages
//! (docs/design.md#the-idea), whatever the two say: random directories, seeded, so that a failure is found again.

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

/// One source's word about a part of the people and groups; anchors, spelling, names and memberships are its own.
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

/// Who is where, by the members' ids; a group that went and came back is the same but for its id.
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

    /// The people of an earlier picture.
    fn only(mut self, known: &People) -> Self {
        self.people.retain(|id, _| known.contains_key(id));
        self.groups.values_mut().for_each(|inside| inside.retain(|id| known.contains_key(id)));
        self
    }

    fn removed(&self) -> BTreeSet<Uuid> {
        let removed = self.people.iter().filter(|(_, (_, status, ..))| status == "removed");
        removed.map(|(id, _)| *id).collect()
    }

    /// Who was suspended, and was removed because the other source does not have them, stays removed while their own source
    /// has them disabled: no access either way, and no place in a group to be seen in.
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

//! Scope of users (DX6) under concurrent writers and workers: exactly the people who end in a group of the scope are synced,
//! whatever people and group names did meanwhile. So no change mark is lost.

use crate::engine;
use crate::log::{ExpectedMember, Log};
use crate::office::{Office, Roster};
use rollcall_core::policy::{GroupScope, Limit, OnDeleted, Onboarding, Policy};
use rollcall_store::{NewTenant, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Two groups swap the first name, one is renamed to the second, and the third is deleted.
const SCOPE: [&str; 3] = ["group  0", "Renamed 2", "Group 4"];

const LOGS: [u64; 3] = [1, 2, 3];
const REPLAYS: [(usize, u64); 3] = [(1, 21), (4, 22), (4, 23)];

fn policy(seed: u64) -> Policy {
    let names = SCOPE.map(str::to_owned).to_vec();
    Policy {
        onboarding: Onboarding::Federated,
        user_scope: Some(GroupScope { names, ..GroupScope::default() }),
        on_out_of_scope: if seed.is_multiple_of(2) { OnDeleted::Remove } else { OnDeleted::Suspend },
        removal_limit: Limit { count: 10_000, ..Limit::default() },
        ..Policy::default()
    }
}

/// People who are active at the source and in a group of the scope.
fn expected(log: &Log) -> BTreeMap<String, ExpectedMember> {
    let groups = log.expected_groups();
    let in_scope = |label: &String| ["Group 0", "Renamed 2"].iter().any(|name| groups[*name].contains(label));
    let active = log.expected_members().into_iter().filter(|(_, member)| member.status == "active");
    active.filter(|(label, _)| in_scope(label)).collect()
}

fn check(roster: &Roster, log: &Log, replay: &str) {
    let inside: BTreeMap<String, ExpectedMember> =
        roster.members.clone().into_iter().filter(|(_, member)| member.status != "suspended").collect();
    assert_eq!(inside, expected(log), "{replay}");
    let of_those = |groups: BTreeMap<String, BTreeSet<String>>| -> BTreeMap<String, BTreeSet<String>> {
        let only = |people: BTreeSet<String>| people.into_iter().filter(|label| inside.contains_key(label)).collect();
        groups.into_iter().map(|(name, people)| (name, only(people))).collect()
    };
    assert_eq!(of_those(roster.groups.clone()), of_those(log.expected_groups()), "{replay}");
}

#[test]
fn dx6_any_order_and_any_number_of_workers_end_with_the_people_of_the_scope() {
    engine::on_each_engine(async |store: Store, engine| {
        for seed in LOGS {
            let log = Log::seeded(seed);
            assert!(expected(&log).len() > 2, "some are in scope");
            for (workers, order) in REPLAYS {
                let replay = format!("{engine}, log {seed}, {workers} workers, order {order}");
                let new = NewTenant { name: replay.clone(), seats: 1_000, policy: policy(seed), owner_email: None };
                let mut office = Office::open_tenant(store.clone(), workers, new).await;
                office.replay(&log, order).await;
                check(&office.close().await, &log, &replay);
            }
        }
    });
}

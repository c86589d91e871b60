//! The writes of an identity provider, in phases. Writes with one key keep their order and writes with different keys
//! commute, so every interleaving of a phase has the same result. The log knows the expected roster.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

const USERS: usize = 20;
const GROUPS: usize = 5;
/// Number of people and groups that swap their addresses or names.
const SWAPPING: usize = 2;
/// Number of people at the end who are deleted; the last two of them are hired again.
const LEAVING: usize = 5;
const REHIRED: usize = 2;
/// Number of people who are disabled right after their creation, seen by a worker or not.
const VISITORS: usize = 3;
/// Number of the group whose members are written as a whole.
const REPLACED: usize = 2;
const REPLACEABLE: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Create { user: usize },
    CreateGroup { group: usize },
    Name { user: usize, name: String },
    Mail { user: usize, email: String },
    Active { user: usize, active: bool },
    Rename { group: usize, name: String },
    Membership { group: usize, user: usize, inside: bool },
    Replace { group: usize, users: Vec<usize> },
    Delete { user: usize },
    DeleteGroup { group: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedMember {
    pub(crate) status: String,
    /// Address and name; not compared for a person who left, whose last changes may have come too late.
    pub(crate) profile: Option<(String, Option<String>)>,
}

/// Sequences of writes by key; each sequence keeps its order within a phase.
type Phase = Vec<Vec<Write>>;

pub(crate) struct Log {
    phases: Vec<Phase>,
}

pub(crate) fn first_email(user: usize) -> String {
    format!("u{user}@x.test")
}

pub(crate) fn first_name(group: usize) -> String {
    format!("Group {group}")
}

impl Log {
    pub(crate) fn seeded(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let create = (0..USERS).map(|user| vec![Write::Create { user }]);
        let create_groups = (0..GROUPS).map(|group| vec![Write::CreateGroup { group }]);
        let leave = (USERS - LEAVING..USERS).map(|user| vec![Write::Delete { user }]);
        let close = std::iter::once(vec![Write::DeleteGroup { group: GROUPS - 1 }]);
        let again = (USERS - REHIRED..USERS).map(|user| vec![Write::Create { user }]);
        let visit = |user| vec![Write::Create { user }, Write::Active { user, active: false }];
        let visitors = (USERS..USERS + VISITORS).map(visit);
        let phases = vec![
            create.chain(create_groups).collect(),
            changes(&mut rng),
            leave.chain(close).collect(),
            again.chain(visitors).collect(),
        ];
        Self { phases }
    }

    pub(crate) fn phases(&self) -> usize {
        self.phases.len()
    }

    /// One interleaving of a phase for this many writers, each key with one writer; a third of the writes come twice.
    pub(crate) fn interleaved(&self, phase: usize, order: u64, writers: usize) -> Vec<Vec<Write>> {
        let mut rng = StdRng::seed_from_u64(order);
        let mut left: Vec<(usize, std::collections::VecDeque<Write>)> = self.phases[phase]
            .iter()
            .map(|key| (rng.random_range(0..writers), key.iter().cloned().collect()))
            .collect();
        let mut by_writer = vec![Vec::new(); writers];
        while !left.is_empty() {
            let index = rng.random_range(0..left.len());
            let (writer, writes) = &mut left[index];
            match writes.pop_front() {
                Some(write) => {
                    let twice = repeats_harmlessly(&write) && rng.random_ratio(1, 3);
                    by_writer[*writer].extend(std::iter::repeat_n(write, 1 + usize::from(twice)));
                }
                None => drop(left.swap_remove(index)),
            }
        }
        by_writer
    }

    /// Members by the label of their person.
    pub(crate) fn expected_members(&self) -> BTreeMap<String, ExpectedMember> {
        (0..USERS + VISITORS).map(|user| (format!("u{user}"), self.expected_member(user))).collect()
    }

    fn expected_member(&self, user: usize) -> ExpectedMember {
        let (mut email, mut name, mut status) = (first_email(user), None, "active");
        for write in self.phases.iter().flatten().flatten() {
            match write {
                Write::Create { user: u } if *u == user => (email, name, status) = (first_email(user), None, "active"),
                Write::Mail { user: u, email: new } if *u == user => email.clone_from(new),
                Write::Name { user: u, name: new } if *u == user => name = Some(new.clone()),
                Write::Active { user: u, active } if *u == user => {
                    status = if *active { "active" } else { "suspended" }
                }
                Write::Delete { user: u } if *u == user => status = "gone",
                _ => {}
            }
        }
        let gone = status == "gone";
        let status = if gone { "suspended" } else { status }.to_owned();
        ExpectedMember { status, profile: (!gone).then_some((email, name)) }
    }

    /// Names of the groups, each with its people who are still in the directory.
    pub(crate) fn expected_groups(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut names: BTreeMap<usize, String> = BTreeMap::new();
        let mut inside: BTreeSet<(usize, usize)> = BTreeSet::new();
        for write in self.phases.iter().flatten().flatten() {
            match write {
                Write::CreateGroup { group } => drop(names.insert(*group, first_name(*group))),
                Write::Rename { group, name } => drop(names.insert(*group, name.clone())),
                Write::DeleteGroup { group } => drop(names.remove(group)),
                Write::Membership { group, user, inside: true } => drop(inside.insert((*group, *user))),
                Write::Membership { group, user, inside: false } => drop(inside.remove(&(*group, *user))),
                Write::Replace { group, users } => {
                    inside.retain(|(g, _)| g != group);
                    inside.extend(users.iter().map(|user| (*group, *user)));
                }
                Write::Delete { user } => inside.retain(|(_, u)| u != user),
                _ => {}
            }
        }
        let people = |group| inside.iter().filter(move |(g, _)| *g == group).map(|(_, user)| format!("u{user}"));
        names.into_iter().map(|(group, name)| (name, people(group).collect())).collect()
    }

    /// People in the directory at the end.
    pub(crate) fn present() -> BTreeSet<String> {
        let left = USERS - LEAVING..USERS - REHIRED;
        (0..USERS + VISITORS).filter(|user| !left.contains(user)).map(|user| format!("u{user}")).collect()
    }
}

/// True if a repetition changes nothing and is no error.
fn repeats_harmlessly(write: &Write) -> bool {
    !matches!(
        write,
        Write::Create { .. } | Write::CreateGroup { .. } | Write::Delete { .. } | Write::DeleteGroup { .. }
    )
}

fn changes(rng: &mut StdRng) -> Phase {
    let mut keys: Phase = Vec::new();
    for user in 0..USERS {
        let names = (0..rng.random_range(0..3)).map(|n| Write::Name { user, name: format!("User {user} the {n}.") });
        keys.push(names.collect());
        let states = (0..rng.random_range(0..4)).map(|_| Write::Active { user, active: rng.random() });
        keys.push(states.collect());
        if user < SWAPPING {
            keys.push(vec![Write::Mail { user, email: first_email(SWAPPING - 1 - user) }]);
        } else {
            let addresses =
                (0..rng.random_range(0..3)).map(|n| Write::Mail { user, email: format!("u{user}.{n}@x.test") });
            keys.push(addresses.collect());
        }
    }
    for group in 0..SWAPPING {
        keys.push(vec![Write::Rename { group, name: first_name(SWAPPING - 1 - group) }]);
    }
    keys.push((0..3).map(|n| Write::Rename { group: 3, name: format!("Renamed {n}") }).collect());
    let all_users: Vec<usize> = (0..USERS).collect();
    // Fewer than ten, because the guard holds a loss of ten people.
    let some = |rng: &mut StdRng| all_users[..REPLACEABLE].choose_multiple(rng, 6).copied().collect();
    keys.push((0..4).map(|_| Write::Replace { group: REPLACED, users: some(rng) }).collect());
    for group in (0..GROUPS).filter(|group| *group != REPLACED) {
        let mut users = all_users.clone();
        users.shuffle(rng);
        for user in users.into_iter().take(8) {
            let first: bool = rng.random();
            let steps = rng.random_range(1..4_usize);
            keys.push((0..steps).map(|n| Write::Membership { group, user, inside: first == (n % 2 == 0) }).collect());
        }
    }
    keys
}

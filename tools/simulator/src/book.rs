//! The identity provider's own directory: people, groups, and the part that the hub has accepted.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::names::{DEPARTMENTS, GUILDS};
use crate::options::{Idp, Options};
use crate::people::{Generator, Person};
use crate::report::{Expected, ExpectedGroup, ExpectedUser};

/// A group of the IdP that is pushed to the hub.
#[derive(Clone, Debug)]
pub(crate) struct Team {
    /// The IdP's immutable id.
    pub(crate) anchor: String,
    /// The IdP's present name.
    pub(crate) name: String,
    /// Indexes of people, in the IdP's present state.
    pub(crate) members: BTreeSet<usize>,
    /// The hub's id, once known.
    pub(crate) remote: Option<String>,
    /// The last name that the hub accepted.
    pub(crate) accepted_name: Option<String>,
    /// The members that the hub accepted.
    pub(crate) accepted_members: BTreeSet<usize>,
    pub(crate) deleted: bool,
    /// An earlier session pushed it, with its members.
    pub(crate) remembered: bool,
}

/// One change of one group's members.
#[derive(Clone, Debug)]
pub(crate) struct MemberStep {
    pub(crate) team: usize,
    pub(crate) add: Vec<usize>,
    pub(crate) remove: Vec<usize>,
    /// The group's first push: it has no members at the hub yet.
    pub(crate) first: bool,
}

#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) people: Vec<Person>,
    pub(crate) teams: Vec<Team>,
    /// Addresses of people whom a connection test made and deleted.
    pub(crate) test_users: Vec<String>,
}

impl Book {
    /// Fills the directory and returns the generator for later changes.
    pub(crate) fn generate(options: &Options) -> (Self, Generator) {
        let mut generator = Generator::new(options.idp, options.seed, &options.domain);
        let mut people: Vec<Person> = (0..options.users).map(|number| generator.person(number)).collect();
        give_managers(&mut people);
        if options.idp == Idp::JumpCloud {
            for (number, person) in people.iter_mut().enumerate() {
                person.profile.phone = Some(format!("tel:+1-555-{:03}-{:04}", number / 10_000 % 1000, number % 10_000));
            }
        }
        if options.idp == Idp::Ping && people.len() >= 20 {
            // Ping's "provision disabled users": a person who is inactive from the start.
            let middle = people.len() / 2;
            people[middle].profile.active = false;
        }
        let wished = options.groups.unwrap_or_else(|| (options.users / 12).clamp(2, 60));
        let teams = teams(&mut generator, &people, wished, options.seed);
        (Self { people, teams, test_users: Vec::new() }, generator)
    }

    /// The hub's id of a person, if it accepted them.
    pub(crate) fn user_id(&self, who: usize) -> Option<&str> {
        self.people[who].remote.as_deref()
    }

    /// The hub's id of a group, if it accepted it.
    pub(crate) fn group_id(&self, team: usize) -> Option<&str> {
        self.teams[team].remote.as_deref()
    }

    /// Indexes of a group's people whom the hub knows.
    pub(crate) fn known_members(&self, team: usize) -> Vec<usize> {
        self.teams[team].members.iter().copied().filter(|who| self.people[*who].remote.is_some()).collect()
    }

    /// The groups of a person at the IdP.
    pub(crate) fn teams_of(&self, who: usize) -> Vec<usize> {
        (0..self.teams.len())
            .filter(|team| !self.teams[*team].deleted && self.teams[*team].members.contains(&who))
            .collect()
    }

    /// The state that the IdP expects at the hub.
    pub(crate) fn expected(&self, idp: Idp) -> Expected {
        let sends_anchor = sends_anchor(idp);
        let users = self.people.iter().map(|person| {
            let profile = person.accepted.as_ref().unwrap_or(&person.profile);
            ExpectedUser {
                id: person.remote.clone(),
                external_id: sends_anchor.then(|| person.anchor.clone()),
                accepted: person.accepted.as_ref() == Some(&person.profile),
                deleted: person.deleted,
                ever_active: person.ever_active,
                profile: profile.clone(),
            }
        });
        let groups = self
            .teams
            .iter()
            .filter(|team| !team.deleted && team.remote.is_some())
            .map(|team| self.expected_group(team, idp));
        let deleted = self.teams.iter().filter(|team| team.deleted);
        Expected {
            users: users.collect(),
            groups: groups.collect(),
            deleted_groups: deleted.map(|team| team.name.clone()).collect(),
            deleted_test_users: self.test_users.clone(),
        }
    }

    fn expected_group(&self, team: &Team, idp: Idp) -> ExpectedGroup {
        // OneLogin removes leavers from their groups; the others leave them in.
        let stays = |who: &&usize| idp != Idp::OneLogin || self.people[**who].profile.active;
        let wanted = team.members.iter().filter(stays);
        let alive = team.accepted_members.iter().map(|who| &self.people[*who]).filter(|person| !person.deleted);
        let (ids, names) = alive
            .filter_map(|person| {
                let profile = person.accepted.as_ref()?;
                Some((person.remote.clone()?, profile.user_name.clone()))
            })
            .unzip();
        ExpectedGroup {
            id: team.remote.clone(),
            external_id: matches!(idp, Idp::Entra | Idp::EntraFlag).then(|| team.anchor.clone()),
            display_name: team.accepted_name.clone().unwrap_or_default(),
            member_ids: ids,
            member_user_names: names,
            accepted: team.accepted_name.as_ref() == Some(&team.name) && team.accepted_members.iter().eq(wanted),
        }
    }
}

/// True if this IdP sends its immutable id as `externalId` of people.
pub(crate) const fn sends_anchor(idp: Idp) -> bool {
    !matches!(idp, Idp::OneLogin | Idp::Ping)
}

/// The first person of a department leads it.
fn give_managers(people: &mut [Person]) {
    let mut heads: BTreeMap<String, usize> = BTreeMap::new();
    for (number, person) in people.iter_mut().enumerate() {
        match heads.get(&person.profile.department) {
            Some(head) => person.manager = Some(*head),
            None => {
                heads.insert(person.profile.department.clone(), number);
            }
        }
    }
}

/// A group of everybody, then the departments, then guilds across them.
fn teams(generator: &mut Generator, people: &[Person], wished: usize, seed: u64) -> Vec<Team> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x7ea5);
    (0..wished)
        .map(|number| {
            let (name, members): (String, BTreeSet<usize>) = if number == 0 {
                ("All staff".to_owned(), (0..people.len()).collect())
            } else if number <= DEPARTMENTS.len() {
                let department = DEPARTMENTS[number - 1];
                let members = (0..people.len()).filter(|who| people[*who].profile.department == department).collect();
                (format!("{department} team"), members)
            } else {
                let guild = number - 1 - DEPARTMENTS.len();
                let members = (0..people.len()).filter(|_| rng.random_bool(0.12)).collect();
                (guild_name(guild), members)
            };
            new_team(generator.anchor(), name, members)
        })
        .collect()
}

fn guild_name(number: usize) -> String {
    let name = GUILDS[number % GUILDS.len()];
    match number / GUILDS.len() {
        0 => name.to_owned(),
        again => format!("{name} {}", again + 1),
    }
}

pub(crate) fn new_team(anchor: String, name: String, members: BTreeSet<usize>) -> Team {
    Team {
        anchor,
        name,
        members,
        remote: None,
        accepted_name: None,
        accepted_members: BTreeSet::new(),
        deleted: false,
        remembered: false,
    }
}

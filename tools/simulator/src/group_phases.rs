//! The phases about groups: creation, membership, renaming, and a group that is created and deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use crate::book::{MemberStep, new_team};
use crate::conversation::Conversation;
use crate::lifecycle::Stage;
use crate::options::Phase;

/// Suffix of the renamed group, removed again in a later session.
pub(crate) const RENAMED: &str = " (umbenannt)";

impl<C: Conversation, W: Write> Stage<'_, C, W> {
    pub(crate) async fn groups(&mut self) {
        let teams: Vec<usize> = (0..self.session.book.teams.len())
            .filter(|team| {
                let team = &self.session.book.teams[*team];
                team.remote.is_none() && !(C::SKIPS_EMPTY_GROUPS && team.members.is_empty())
            })
            .collect();
        self.create_groups(Phase::Groups.name(), teams).await;
    }

    async fn create_groups(&mut self, name: &'static str, teams: Vec<usize>) {
        let taken = self
            .side_by_side(name, teams, |idp, talk, team| async move {
                let id = idp.provision_group(talk, team).await;
                let good = id.is_some();
                ((team, id), good)
            })
            .await;
        for (team, id) in taken {
            let team = &mut self.session.book.teams[team];
            if let Some(id) = id {
                team.remote = Some(id);
                team.accepted_name = Some(team.name.clone());
            }
        }
    }

    pub(crate) async fn memberships(&mut self) {
        let book = &self.session.book;
        let steps = (0..book.teams.len())
            .filter(|team| book.teams[*team].remote.is_some() && !book.teams[*team].remembered)
            .map(|team| MemberStep { team, add: book.known_members(team), remove: Vec::new(), first: true })
            .collect();
        self.change_members(Phase::Memberships.name(), steps).await;
    }

    /// Cuts the changes into requests, runs them, and records the accepted ones.
    async fn change_members(&mut self, name: &'static str, steps: Vec<MemberStep>) {
        let lanes = self.lanes(steps);
        let taken = self
            .side_by_side(name, lanes, |idp, talk, lane| async move {
                let mut taken = Vec::new();
                let mut good = true;
                for step in lane {
                    let accepted = idp.change_members(talk, &step).await;
                    good &= accepted;
                    if accepted {
                        taken.push(step);
                    }
                }
                (taken, good)
            })
            .await;
        for step in taken.into_iter().flatten() {
            let known: Vec<usize> =
                step.add.iter().copied().filter(|who| self.session.book.people[*who].remote.is_some()).collect();
            let team = &mut self.session.book.teams[step.team];
            team.accepted_members.extend(known);
            for who in &step.remove {
                team.accepted_members.remove(who);
            }
        }
    }

    /// Steps of one lane follow each other; lanes run concurrently.
    fn lanes(&self, steps: Vec<MemberStep>) -> Vec<Vec<MemberStep>> {
        let chaos = self.session.link.dice.as_ref().map(|dice| dice.chaos);
        let parallel = !self.idp.puts_groups() && chaos.is_some_and(|chaos| chaos.parallel_group_patches);
        let size = if parallel { Some(1) } else { self.idp.members_per_request() };
        let Some(size) = size else {
            return steps.into_iter().map(|step| vec![step]).collect();
        };
        let cut = steps.into_iter().map(|step| cut(step, size));
        if parallel {
            return cut.flatten().map(|step| vec![step]).collect();
        }
        if C::PERSON_BY_PERSON {
            return by_person(cut.flatten());
        }
        cut.collect()
    }

    pub(crate) async fn group_changes(&mut self) {
        let session = &mut *self.session;
        let mut steps = Vec::new();
        for change in &session.story.group_changes {
            let team = &mut session.book.teams[change.team];
            if team.remote.is_none() {
                continue;
            }
            // After an earlier session some are added or removed already.
            let add: Vec<usize> = change.add.iter().copied().filter(|who| team.members.insert(*who)).collect();
            let remove: Vec<usize> = change.remove.iter().copied().filter(|who| team.members.remove(who)).collect();
            if !add.is_empty() || !remove.is_empty() {
                steps.push(MemberStep { team: change.team, add, remove, first: false });
            }
        }
        self.change_members(Phase::GroupChanges.name(), steps).await;
        self.rename_group().await;
        self.pilot_group().await;
    }

    async fn rename_group(&mut self) {
        let book = &mut self.session.book;
        let renamed = self.session.story.group_renamed;
        let Some(team) = renamed.filter(|team| book.teams[*team].remote.is_some()) else {
            return;
        };
        let name = &mut book.teams[team].name;
        match name.strip_suffix(RENAMED) {
            Some(former) => *name = former.to_owned(),
            None => name.push_str(RENAMED),
        }
        let taken = self
            .side_by_side("group-rename", vec![team], |idp, talk, team| async move {
                let good = idp.rename_group(talk, team).await;
                (good, good)
            })
            .await;
        if taken == [true] {
            let team = &mut self.session.book.teams[team];
            team.accepted_name = Some(team.name.clone());
        }
    }

    /// A group that is pushed, filled and deleted again.
    async fn pilot_group(&mut self) {
        let anchor = self.session.generator.anchor();
        let name = format!("Pilot group {}", self.session.options.seed);
        let members: BTreeSet<usize> = self.session.story.pilot.clone();
        self.session.book.teams.push(new_team(anchor, name, members));
        let team = self.session.book.teams.len() - 1;
        self.create_groups("pilot-group", vec![team]).await;
        if self.session.book.teams[team].remote.is_none() {
            return;
        }
        let step = MemberStep { team, add: self.session.book.known_members(team), remove: Vec::new(), first: true };
        self.change_members("pilot-members", vec![step]).await;
        let deleted = self
            .side_by_side("pilot-delete", vec![team], |idp, talk, team| async move {
                let good = idp.delete_group(talk, team).await;
                (good, good)
            })
            .await;
        self.session.book.teams[team].deleted = deleted == [true];
    }

    /// OneLogin removes leavers from the groups first. `members` keeps the groups for a return.
    pub(crate) async fn leave_or_join_groups(&mut self, name: &'static str, people: &[usize], join: bool) {
        let book = &self.session.book;
        let mut steps = Vec::new();
        for who in people {
            for team in book.teams_of(*who) {
                if book.teams[team].remote.is_some() {
                    let (add, remove) = if join { (vec![*who], Vec::new()) } else { (Vec::new(), vec![*who]) };
                    steps.push(MemberStep { team, add, remove, first: false });
                }
            }
        }
        self.change_members(name, steps).await;
    }
}

/// One change as several requests of `size` people each.
fn cut(step: MemberStep, size: usize) -> Vec<MemberStep> {
    let part = |add: &[usize], remove: &[usize]| MemberStep {
        team: step.team,
        add: add.to_vec(),
        remove: remove.to_vec(),
        first: false,
    };
    let removals = step.remove.chunks(size).map(|chunk| part(&[], chunk));
    let additions = step.add.chunks(size).map(|chunk| part(chunk, &[]));
    removals.chain(additions).collect()
}

/// One lane per person: their groups one after the other, people concurrently.
fn by_person(steps: impl Iterator<Item = MemberStep>) -> Vec<Vec<MemberStep>> {
    let mut lanes: BTreeMap<usize, Vec<MemberStep>> = BTreeMap::new();
    for step in steps {
        let who = step.add.iter().chain(&step.remove).next().copied();
        lanes.entry(who.unwrap_or_default()).or_default().push(step);
    }
    lanes.into_values().collect()
}

//! The phases: each changes the IdP's directory first, then pushes the changes through the conversation.
//!
//! Independent subjects run concurrently, up to [`crate::Options::concurrency`]. Accepted changes are written back
//! afterwards, so that the [`Book`](crate::book::Book) always has the IdP's view.

use std::future::Future;
use std::io::Write;

use futures_util::stream::{self, StreamExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::conversation::Conversation;
use crate::options::Phase;
use crate::people::Profile;
use crate::progress::Progress;
use crate::session::Session;
use crate::talk::Talk;

/// A session with its dialect and its progress output.
pub(crate) struct Stage<'s, C: Conversation, W: Write> {
    pub(crate) session: &'s mut Session,
    pub(crate) idp: &'s C,
    pub(crate) out: &'s mut W,
}

impl<C: Conversation, W: Write> Stage<'_, C, W> {
    pub(crate) async fn play(&mut self, phase: Phase) {
        if phase != Phase::TestConnection {
            self.remember(phase).await;
        }
        match phase {
            Phase::TestConnection => self.test_connection().await,
            Phase::People => self.people().await,
            Phase::Groups => self.groups().await,
            Phase::Memberships => self.memberships().await,
            Phase::Rename => self.change_profiles(phase).await,
            Phase::EmailChange => self.change_profiles(phase).await,
            Phase::GroupChanges => self.group_changes().await,
            Phase::Deactivate => self.set_active(phase, self.session.story.leavers.clone(), false).await,
            Phase::Reactivate => self.set_active(phase, self.session.story.returners.clone(), true).await,
            Phase::Resync => self.resync().await,
            Phase::ReadBack => self.read_back().await,
            Phase::Delete => self.delete().await,
        }
    }

    /// Runs `job` over all `work` concurrently, and returns the outcomes in no particular order.
    pub(crate) async fn side_by_side<'j, J, T, F>(
        &'j mut self,
        name: &'static str,
        work: Vec<J>,
        job: impl Fn(&'j C, Talk<'j>, J) -> F,
    ) -> Vec<T>
    where
        F: Future<Output = (T, bool)>,
    {
        let session = &*self.session;
        let talk = Talk { link: &session.link, book: &session.book, idp: session.options.idp, adopting: None };
        let work = shuffled_when_reordering(work, session, name);
        session.link.ledger().open(name);
        let subjects = work.len();
        let label = format!("{} {name}", session.options.idp);
        let mut progress = Progress::begin(&mut *self.out, session.options.live_progress, label, subjects);
        let before = session.link.ledger().requests();
        let idp = self.idp;
        let mut running = stream::iter(work)
            .map(|subject| job(idp, talk, subject))
            .buffer_unordered(session.options.concurrency.max(1));
        let mut outcomes = Vec::with_capacity(subjects);
        while let Some((outcome, good)) = running.next().await {
            outcomes.push(outcome);
            progress.step(good, session.link.ledger().requests() - before);
        }
        let requests = session.link.ledger().requests() - before;
        session.link.ledger().close(subjects, progress.failed(), progress.seconds());
        progress.end(requests);
        outcomes
    }

    async fn test_connection(&mut self) {
        let passed = self
            .side_by_side(Phase::TestConnection.name(), vec![()], |idp, talk, ()| async move {
                let good = idp.test_connection(talk).await;
                (good, good)
            })
            .await;
        if passed == [true] {
            let test_user = self.idp.test_user().map(str::to_owned);
            self.session.book.test_users.extend(test_user);
        }
    }

    async fn people(&mut self) {
        let everybody: Vec<usize> = (0..self.session.book.people.len()).collect();
        let taken = self
            .side_by_side(Phase::People.name(), everybody, |idp, talk, who| async move {
                if talk.user_id(who).is_some() {
                    return ((who, None), idp.recheck_user(talk, who).await);
                }
                let id = idp.provision(talk, who).await;
                let good = id.is_some();
                ((who, id), good)
            })
            .await;
        for (who, id) in taken {
            let person = &mut self.session.book.people[who];
            if let Some(id) = id {
                person.remote = Some(id);
                person.accepted_by_hub();
            }
        }
        if C::LINKS_MANAGERS {
            self.managers().await;
        }
    }

    async fn managers(&mut self) {
        let managed: Vec<usize> = (0..self.session.book.people.len())
            .filter(|who| {
                let person = &self.session.book.people[*who];
                person.remote.is_some() && person.manager.is_some()
            })
            .collect();
        let linked = self
            .side_by_side("managers", managed, |idp, talk, who| async move {
                let good = idp.link_manager(talk, who).await;
                ((who, good), good)
            })
            .await;
        for (who, good) in linked {
            self.session.book.people[who].manager_accepted = good;
        }
    }

    async fn change_profiles(&mut self, phase: Phase) {
        let session = &mut *self.session;
        let people = match phase {
            Phase::Rename => session.story.renamed.clone(),
            _ => session.story.readdressed.clone(),
        };
        let mut changes: Vec<(usize, Profile)> = Vec::new();
        for who in people {
            let before = session.book.people[who].profile.clone();
            if session.book.people[who].remote.is_none() {
                continue;
            }
            session.book.people[who].profile = match phase {
                Phase::Rename => session.generator.renamed(&before),
                _ => session.generator.readdressed(&before),
            };
            changes.push((who, before));
        }
        let taken = self
            .side_by_side(phase.name(), changes, |idp, talk, (who, before)| async move {
                let good = idp.update_user(talk, who, &before).await;
                ((who, good), good)
            })
            .await;
        self.accept_profiles(taken);
    }

    fn accept_profiles(&mut self, taken: Vec<(usize, bool)>) {
        for (who, good) in taken {
            let person = &mut self.session.book.people[who];
            if good {
                person.accepted_by_hub();
            }
        }
    }

    async fn set_active(&mut self, phase: Phase, people: Vec<usize>, active: bool) {
        let book = &self.session.book;
        let people: Vec<usize> = people.into_iter().filter(|who| book.people[*who].remote.is_some()).collect();
        if C::LEAVES_GROUPS && !active {
            self.leave_or_join_groups("leave-groups", &people, false).await;
        }
        for who in &people {
            self.session.book.people[*who].profile.active = active;
        }
        let taken = self
            .side_by_side(phase.name(), people.clone(), |idp, talk, who| async move {
                let good = idp.push_active(talk, who).await;
                ((who, good), good)
            })
            .await;
        self.accept_profiles(taken);
        if C::LEAVES_GROUPS && active {
            self.leave_or_join_groups("join-groups", &people, true).await;
        }
    }

    async fn resync(&mut self) {
        let people = self.known_people();
        self.side_by_side(Phase::Resync.name(), people, |idp, talk, who| async move {
            ((), idp.recheck_user(talk, who).await)
        })
        .await;
        self.side_by_side("resync-tail", vec![()], |idp, talk, ()| async move { ((), idp.resync_tail(talk).await) })
            .await;
    }

    async fn read_back(&mut self) {
        let people = self.known_people();
        self.side_by_side("read-back", people, |_, talk, who| async move { ((), talk.read_back_user(who).await) })
            .await;
        let book = &self.session.book;
        let teams: Vec<usize> = (0..book.teams.len())
            .filter(|team| book.teams[*team].remote.is_some() && !book.teams[*team].deleted)
            .collect();
        self.side_by_side(
            "read-back-groups",
            teams,
            |_, talk, team| async move { ((), talk.read_back_group(team).await) },
        )
        .await;
    }

    async fn delete(&mut self) {
        let book = &self.session.book;
        let people: Vec<usize> = self
            .session
            .story
            .leavers
            .iter()
            .copied()
            .filter(|who| C::DELETES_USERS && !book.people[*who].profile.active && book.people[*who].remote.is_some())
            .collect();
        let deleted = self
            .side_by_side(Phase::Delete.name(), people, |idp, talk, who| async move {
                let good = idp.delete_user(talk, who).await;
                ((who, good), good)
            })
            .await;
        for (who, good) in deleted {
            self.session.book.people[who].deleted = good;
        }
    }

    fn known_people(&self) -> Vec<usize> {
        let people = &self.session.book.people;
        (0..people.len()).filter(|who| people[*who].remote.is_some() && !people[*who].deleted).collect()
    }
}

fn shuffled_when_reordering<J>(mut work: Vec<J>, session: &Session, name: &str) -> Vec<J> {
    let dice = session.link.dice.as_ref();
    if dice.is_some_and(|dice| dice.chaos.reorder) {
        let salt: u64 = name.bytes().map(u64::from).sum();
        work.shuffle(&mut StdRng::seed_from_u64(session.options.seed ^ salt));
    }
    work
}

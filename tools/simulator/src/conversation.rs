//! The parts of every identity provider's conversation, and the flows that most of them share.
//!
//! A dialect defines the form and the order of its requests; answers are checked here, once.

use std::future::Future;

use crate::book::MemberStep;
use crate::call::{Call, Dress};
use crate::check;
use crate::people::Profile;
use crate::report::Code;
use crate::talk::{Created, Found, Talk};

/// Alternations of look-up and create before the IdP reports the person as failed.
const ROUNDS: u32 = 4;

/// The conversation of one identity provider. `who` and `team` are indexes of the [`Book`].
///
/// Methods that write return whether the hub accepted it.
pub(crate) trait Conversation: Sync {
    /// Groups are looked up before they are created (Okta pushes them without a look-up).
    const FINDS_GROUPS_FIRST: bool = true;
    /// A leaver is removed from the groups first, and a returner added back afterwards.
    const LEAVES_GROUPS: bool = false;
    /// Membership is written person by person, not group by group.
    const PERSON_BY_PERSON: bool = false;
    /// People are deleted at some time.
    const DELETES_USERS: bool = true;
    /// Managers are sent in a pass of their own, after all people.
    const LINKS_MANAGERS: bool = false;
    /// Groups without members are not created.
    const SKIPS_EMPTY_GROUPS: bool = false;

    fn dress(&self) -> Dress;

    fn test_connection(&self, talk: Talk<'_>) -> impl Future<Output = bool> + Send;

    /// The address of the person whom the connection test creates and deletes.
    fn test_user(&self) -> Option<&str> {
        None
    }

    /// Look-ups by each matching attribute, best first.
    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call>;

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call;

    /// Updates the hub's copy, last known as `before`, to the IdP's present state.
    fn update_user(&self, talk: Talk<'_>, who: usize, before: &Profile) -> impl Future<Output = bool> + Send;

    /// Pushes the IdP's present `active`.
    fn push_active(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = bool> + Send;

    /// A second pass over people, where [`Conversation::LINKS_MANAGERS`]: the manager as a reference.
    fn link_manager(&self, _talk: Talk<'_>, _who: usize) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    fn find_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = Found> + Send;

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call;

    fn change_members(&self, talk: Talk<'_>, step: &MemberStep) -> impl Future<Output = bool> + Send;

    fn rename_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = bool> + Send;

    /// Groups are written whole by PUT, so one group's changes must follow each other.
    fn puts_groups(&self) -> bool {
        false
    }

    /// Most people of one membership request, with removals apart from additions; `None` for one request with
    /// everything.
    fn members_per_request(&self) -> Option<usize> {
        None
    }

    /// Requests at the end of the re-sync without a particular subject.
    fn resync_tail(&self, _talk: Talk<'_>) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    /// Looks up, then creates; an existing person is updated. Returns the hub's id, if there is one in the end.
    fn provision(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = Option<String>> + Send {
        async move {
            let mut call = self.create_user(talk, who);
            for _ in 0..ROUNDS {
                match talk.find_user(self.user_lookups(talk, who)).await {
                    Found::Unknown => return None,
                    Found::Nobody => {}
                    Found::One(resource) => {
                        let id = check::text(&resource, "id").to_owned();
                        let before = Profile::from_resource(&resource);
                        let adopting = Talk { adopting: Some((who, &id)), ..talk };
                        return self.update_user(adopting, who, &before).await.then_some(id);
                    }
                }
                call = self.create_user(talk, who);
                match talk.create_user(&call, who).await {
                    Created::Id(id) => return Some(id),
                    Created::Failed => return None,
                    Created::LookAgain => {}
                }
            }
            talk.link.found(Code::ConflictWithoutMatch, &call, 409, format!("{ROUNDS} rounds"));
            None
        }
    }

    fn provision_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = Option<String>> + Send {
        async move {
            let mut look = Self::FINDS_GROUPS_FIRST;
            let mut call = self.create_group(talk, team);
            for _ in 0..ROUNDS {
                if look {
                    match self.find_group(talk, team).await {
                        Found::Unknown => return None,
                        Found::Nobody => {}
                        Found::One(resource) => {
                            return Some(check::text(&resource, "id").to_owned());
                        }
                    }
                }
                call = self.create_group(talk, team);
                match talk.create_group(&call, team).await {
                    Created::Id(id) => return Some(id),
                    Created::Failed => return None,
                    Created::LookAgain => look = true,
                }
            }
            talk.link.found(Code::ConflictWithoutMatch, &call, 409, format!("{ROUNDS} rounds"));
            None
        }
    }

    /// In a re-sync: finds the person again, unchanged.
    fn recheck_user(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = bool> + Send {
        async move {
            let person = talk.person(who);
            if person.accepted.as_ref() != Some(&person.profile) {
                // The hub refused the last change of this person; that is a finding already, and no look-up can
                // succeed.
                return false;
            }
            let lookups = self.user_lookups(talk, who);
            let Some(call) = lookups.first().cloned() else {
                return true;
            };
            match talk.find_user(lookups).await {
                Found::One(resource) => talk.same_user(&call, who, &resource),
                Found::Nobody => {
                    talk.link.found(Code::LookupMissedResource, &call, 200, "totalResults 0");
                    false
                }
                Found::Unknown => false,
            }
        }
    }

    fn delete_user(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = bool> + Send {
        async move {
            match talk.user_id(who) {
                Some(id) => talk.delete("delete user", &format!("Users/{id}"), &talk.person(who).anchor).await,
                None => false,
            }
        }
    }

    fn delete_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = bool> + Send {
        async move {
            match talk.book.group_id(team) {
                Some(id) => talk.delete("delete group", &format!("Groups/{id}"), &talk.team(team).anchor).await,
                None => false,
            }
        }
    }
}

//! Announcements of changes, as wake-ups: what changed is read afterwards. Active Directory notifies and is asked by DirSync whether it was
//! about people; OpenLDAP keeps a search open (RFC 4533, refreshAndPersist). Other servers announce nothing.

use super::ber::{integer, items, number, octets, of_sequence, sequence, tagged};
use super::messages::{Message, message_of};
use super::session::{EVERYTHING, NO_ATTRIBUTE, Session, control_of};
use super::trouble::{Trouble, of_result};
use crate::config::{Config, Domain};
use crate::exit::Exit;
use crate::output::progress;
use crate::schedule::BackOff;
use crate::secret::password_of;
use futures_util::FutureExt;
use ldap3::controls::RawControl;
use ldap3::{Scope, SearchOptions};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const NOTIFICATION: &str = "1.2.840.113556.1.4.528";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const DIRSYNC: &str = "1.2.840.113556.1.4.841";
/// Values of links one by one, and only what the account may read: `LDAP_DIRSYNC_INCREMENTAL_VALUES | LDAP_DIRSYNC_OBJECT_SECURITY`.
const DIRSYNC_FLAGS: i64 = -0x7fff_ffff;
const DIRSYNC_BYTES: i64 = 1 << 20;
const DIRSYNC_FILTER: &str = "(|(&(objectClass=user)(!(objectClass=computer)))(objectClass=group)(objectClass=organizationalUnit)(objectClass=container))";
const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const REFRESH_AND_PERSIST: u8 = 3;
const ENUMERATED: u8 = 0x0a;
/// The sets of ids in a SyncInfo message (RFC 4533, 2.5).
const SYNC_ID_SET: u8 = 0xa3;
/// Pauses between two questions by DirSync. Samba notifies of a change by another process late.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Pauses between two proofs that a connection lives.
const PROVE_EVERY: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Listens to all domains until it is dropped.
pub(crate) struct Watch {
    changed: Arc<Notify>,
    _listeners: JoinSet<()>,
}

impl Watch {
    pub(crate) fn begin(config: &Config, path: &Path) -> Self {
        let changed = Arc::new(Notify::new());
        let mut listeners = JoinSet::new();
        for (number, domain) in config.directory.domains.iter().enumerate() {
            let listener = Listener {
                domain: domain.clone(),
                number,
                path: path.to_owned(),
                attributes: super::reading::attributes_of_people_and_groups(&config.attributes),
                changed: changed.clone(),
            };
            listeners.spawn(listener.listen());
        }
        Self { changed, _listeners: listeners }
    }

    /// Ends once something has changed since the last time.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

struct Listener {
    domain: Domain,
    number: usize,
    path: PathBuf,
    attributes: Vec<String>,
    changed: Arc<Notify>,
}

/// The end of a connection that listened.
enum End {
    Lost(Trouble),
    /// The server announces nothing.
    Silent,
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Lost(trouble)
    }
}

impl Listener {
    /// Goes from server to server while connections are lost.
    async fn listen(self) {
        let mut pauses = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
        for server in self.domain.servers.iter().cycle() {
            let listened = AssertUnwindSafe(self.listen_to(server, &mut pauses)).catch_unwind().await;
            match listened {
                Ok(Err(End::Silent)) => {
                    progress(format_args!("note: {server} announces no changes; the directory is read at intervals"));
                    return;
                }
                Ok(Err(End::Lost(trouble))) => {
                    progress(format_args!("note: {}; announcements are missed", trouble.message))
                }
                Ok(Ok(())) | Err(_) => progress(format_args!("note: {server} no longer announces changes")),
            }
            let Ok(pause) = pauses.pause() else { return };
            tokio::time::sleep(pause).await;
        }
    }

    async fn listen_to(&self, server: &str, pauses: &mut BackOff) -> Result<(), End> {
        let password = password_of(&self.domain, self.number, &self.path)
            .map_err(|failure| Trouble::final_one(failure.exit, failure.message))?;
        let session = Session::open(&self.domain, server, &password).await?;
        if session.root.is_active_directory {
            self.listen_to_active_directory(session, pauses).await
        } else if session.root.has_sync {
            self.listen_by_sync(session, pauses).await
        } else {
            Err(End::Silent)
        }
    }

    /// Changes that came while nobody listened are read now.
    fn is_listening(&self, server: &str, pauses: &mut BackOff) {
        progress(format_args!("{server}: changes are announced"));
        pauses.reset();
        self.changed.notify_one();
    }

    async fn listen_by_sync(&self, mut session: Session, pauses: &mut BackOff) -> Result<(), End> {
        let bases: BTreeSet<&String> = self.domain.user_bases.iter().chain(&self.domain.group_bases).collect();
        let cookie = state_of(&mut session).await?;
        let mut searches = JoinSet::new();
        for base in bases {
            let cookie = cookie.iter().map(|cookie| octets(cookie.as_bytes()));
            let value: Vec<Vec<u8>> = [tagged(ENUMERATED, &[REFRESH_AND_PERSIST])].into_iter().chain(cookie).collect();
            let control = RawControl { ctype: SYNC_REQUEST.to_owned(), crit: true, val: Some(sequence(&value)) };
            let (mut ldap, base, changed) = (session.ldap.clone(), base.clone(), self.changed.clone());
            searches.spawn(async move {
                ldap.with_controls(vec![control]);
                let begun = ldap.streaming_search(&base, Scope::Subtree, EVERYTHING, vec![NO_ATTRIBUTE]).await;
                let mut stream = begun?;
                while let Some(item) = stream.next().await? {
                    if message_of(item).is_some_and(|message| tells_a_change(&message)) {
                        changed.notify_one();
                    }
                }
                Ok::<_, ldap3::LdapError>(stream.finish().await)
            });
        }
        self.is_listening(&session.server, pauses);
        loop {
            tokio::select! {
                ended = searches.join_next() => return Err(end_of(ended, &session)),
                () = tokio::time::sleep(PROVE_EVERY) => drop(session.entry("", &[NO_ATTRIBUTE.to_owned()]).await?),
            }
        }
    }

    async fn listen_to_active_directory(&self, mut session: Session, pauses: &mut BackOff) -> Result<(), End> {
        let Some(context) = session.root.context.clone() else { return Err(End::Silent) };
        let control = RawControl { ctype: NOTIFICATION.to_owned(), crit: true, val: None };
        let mut ldap = session.ldap.clone();
        ldap.with_controls(vec![control]);
        let begun = ldap.streaming_search(&context, Scope::Subtree, EVERYTHING, vec!["objectGUID"]).await;
        let mut stream = begun.map_err(|error| session.failed(&error))?;
        let mut cookie = Vec::new();
        let has_dirsync = match self.ask(&mut session, &context, &mut cookie).await {
            Ok(_) => true,
            Err(trouble) => {
                progress(format_args!("note: {}; every notification is followed by a read", trouble.message));
                false
            }
        };
        if has_dirsync && !sees_deleted(&mut session, &context).await? {
            let why = "if something was deleted there, the account may not list CN=Deleted Objects, and deletions wait for the next read";
            progress(format_args!("note: {}: no deleted object is visible; {why}", session.server));
        }
        self.is_listening(&session.server, pauses);
        let mut told = false;
        loop {
            tokio::select! {
                item = stream.next() => match item.map_err(|error| session.failed(&error))? {
                    Some(_) if has_dirsync => told = true,
                    Some(_) => self.changed.notify_one(),
                    None => return Err(result_of(&stream.finish().await, &session)),
                },
                // Changes come in swarms; one question follows the first.
                () = tokio::time::sleep(if told { Duration::from_millis(100) } else { ASK_EVERY }) => {
                    told = false;
                    if !has_dirsync {
                        continue;
                    }
                    if self.ask(&mut session, &context, &mut cookie).await? {
                        self.changed.notify_one();
                    }
                }
            }
        }
    }

    /// Asks by DirSync whether people, groups or their places changed since the cookie, and moves it on.
    async fn ask(&self, session: &mut Session, context: &str, cookie: &mut Vec<u8>) -> Result<bool, Trouble> {
        let mut changed = false;
        loop {
            let value = sequence(&[integer(DIRSYNC_FLAGS), integer(DIRSYNC_BYTES), octets(cookie)]);
            let control = RawControl { ctype: DIRSYNC.to_owned(), crit: true, val: Some(value) };
            let asked = session.one_search(
                context,
                Scope::Subtree,
                DIRSYNC_FILTER,
                &self.attributes,
                vec![control],
                |message| {
                    changed |= matches!(message, Message::Entry(_));
                    Ok(())
                },
            );
            let done = asked.await?;
            if done.rc != 0 {
                return Err(of_result(&done, &session.server, "DirSync"));
            }
            let parts = control_of(&done, DIRSYNC).and_then(of_sequence).ok_or_else(|| session.unparsable())?;
            let [(_, more), _, (_, next)] = parts.as_slice() else { return Err(session.unparsable()) };
            let is_more = number(more).is_some_and(|more| more != 0) && *next != cookie.as_slice();
            *cookie = next.to_vec();
            if !is_more {
                return Ok(changed);
            }
        }
    }
}

/// True if the account sees anything that was deleted; its container alone may be visible to everybody.
async fn sees_deleted(session: &mut Session, context: &str) -> Result<bool, Trouble> {
    let control = RawControl { ctype: SHOW_DELETED.to_owned(), crit: true, val: None };
    let (name, nothing, mut is_there) = (format!("CN=Deleted Objects,{context}"), [NO_ATTRIBUTE.to_owned()], false);
    session.ldap.with_search_options(SearchOptions::new().sizelimit(1));
    let asked = session.one_search(&name, Scope::OneLevel, EVERYTHING, &nothing, vec![control], |message| {
        is_there |= matches!(message, Message::Entry(_));
        Ok(())
    });
    asked.await.map(|_| is_there)
}

/// The state of the server as a cookie, so that it does not send everything first. A server without one sends everything.
async fn state_of(session: &mut Session) -> Result<Option<String>, Trouble> {
    let Some(context) = session.root.context.clone() else { return Ok(None) };
    let entry = session.entry(&context, &["contextCSN".to_owned()]).await?;
    let states: Vec<String> = entry.iter().flat_map(|entry| entry.texts("contextCSN")).map(str::to_owned).collect();
    Ok((!states.is_empty()).then(|| format!("rid=000,csn={}", states.join(";"))))
}

/// True for entries, also those that are gone, and for sets of ids; false for cookies and the end of the refresh.
fn tells_a_change(message: &Message) -> bool {
    match message {
        Message::Entry(_) => true,
        Message::Referral(_) => false,
        Message::Intermediate(value) => {
            items(value).is_some_and(|items| items.iter().any(|(tag, _)| *tag == SYNC_ID_SET))
        }
    }
}

type Ended = Option<Result<Result<ldap3::LdapResult, ldap3::LdapError>, tokio::task::JoinError>>;

fn end_of(ended: Ended, session: &Session) -> End {
    match ended {
        Some(Ok(Ok(result))) => result_of(&result, session),
        Some(Ok(Err(error))) => End::Lost(session.failed(&error)),
        Some(Err(_)) => End::Lost(session.unparsable()),
        None => End::Silent,
    }
}

fn result_of(result: &ldap3::LdapResult, session: &Session) -> End {
    match result.rc {
        // unavailableCriticalExtension, unwillingToPerform
        12 | 53 => End::Silent,
        0 => End::Lost(Trouble::final_one(
            Exit::DirectoryAway,
            format!("{} ends the search for changes", session.server),
        )),
        _ => End::Lost(of_result(result, &session.server, "the search for changes")),
    }
}

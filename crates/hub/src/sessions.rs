//! The caller of a session. A session is looked up in the process or in the database, never in Redis: an entry there could bring a
//! session back that has ended. Each process believes an answer for half a second when a request reads, and not at all when it writes.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use rollcall_core::ids::CredentialId;
use rollcall_runtime::Caller;
use rollcall_store::{
    AdminScope, Committed, RECOVERY_CODE_PREFIX, SESSION_PREFIX, SIGN_IN_LINK_PREFIX, SecretDigest, Session,
    SignInClient, SignInLink, StartedSession, StoreError, digest, may_be_secret,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const BELIEVED: Duration = Duration::from_millis(500);
/// Sessions that a process remembers; beyond that all are looked up again.
const REMEMBERED: usize = 10_000;

/// The sessions that this process looked up lately. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct KnownSessions(Arc<Mutex<HashMap<SecretDigest, (Instant, Session)>>>);

impl KnownSessions {
    fn known(&self) -> MutexGuard<'_, HashMap<SecretDigest, (Instant, Session)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, digest: &SecretDigest) -> Option<Session> {
        self.known().get(digest).filter(|(at, _)| at.elapsed() < BELIEVED).map(|(_, session)| *session)
    }

    fn note(&self, digest: SecretDigest, session: Session) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.retain(|_, (at, _)| at.elapsed() < BELIEVED);
        }
        if known.len() < REMEMBERED {
            known.insert(digest, (Instant::now(), session));
        }
    }

    /// Believes nothing any more: some sessions have ended.
    pub(crate) fn forget_all(&self) {
        self.known().clear();
    }

    fn forget(&self, session: CredentialId) {
        self.known().retain(|_, (_, known)| known.id != session);
    }
}

/// A caller who signed in.
#[derive(Clone, Copy, Debug)]
pub struct SessionCaller {
    pub scope: AdminScope,
    pub session: Session,
}

impl Hub {
    /// The member of a session. A request takes one rate token of its session. A write is allowed by what the database says now, a
    /// read by what it said half a second ago at most.
    ///
    /// # Errors
    /// See [`CallerError`]. An unknown secret counts against the caller's address.
    pub async fn session_caller(
        &self,
        secret: &str,
        writes: bool,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<SessionCaller, CallerError> {
        let Some(session) = self.session_of(secret, writes, address).await? else {
            return Err(self.refuse(CallerError::Unknown, address, limits).await);
        };
        self.take_rate_token(&format!("session:{}", session.id), limits).await?;
        self.uses.note(session.tenant, session.id, self.store.clock.now());
        Ok(SessionCaller { scope: session.scope(), session })
    }

    async fn session_of(&self, secret: &str, writes: bool, address: &Caller) -> Result<Option<Session>, CallerError> {
        if !may_be_secret(secret, SESSION_PREFIX) {
            return Ok(None);
        }
        let digest = digest(secret);
        let known = self.sessions.get(&digest).filter(|known| !writes && known.expires_at > self.store.clock.now());
        if let Some(session) = known {
            return Ok(Some(session));
        }
        let found = self.guarded(&digest, address, async || self.store.session(&digest).await).await?;
        if let Some(session) = found {
            self.sessions.note(digest, session);
        }
        Ok(found)
    }

    /// The unused sign-in link or recovery code with this text.
    ///
    /// # Errors
    /// As [`session_caller`](Self::session_caller).
    pub async fn sign_in_link(
        &self,
        secret: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<SignInLink, CallerError> {
        let has_form = [SIGN_IN_LINK_PREFIX, RECOVERY_CODE_PREFIX].iter().any(|prefix| may_be_secret(secret, prefix));
        let digest = digest(secret);
        let link = match has_form {
            true => self.guarded(&digest, address, async || self.store.sign_in_link(&digest).await).await?,
            false => None,
        };
        match link {
            Some(link) => Ok(link),
            None => Err(self.refuse(CallerError::Unknown, address, limits).await),
        }
    }

    /// Signs a member in by a link, and uses it up.
    ///
    /// # Errors
    /// As [`sign_in_link`](Self::sign_in_link).
    pub async fn sign_in(
        &self,
        secret: &str,
        client: &SignInClient,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<StartedSession, CallerError> {
        let link = self.sign_in_link(secret, address, limits).await?;
        match self.store.sign_in(&link, client).await {
            Ok(started) => Ok(self.after_commit(started).await),
            // Used by somebody else since it was looked up, or the member lost the right to sign in.
            Err(StoreError::NotFound(_)) => Err(CallerError::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// Does the duties of a session's end; this process forgets it at once.
    pub async fn session_ended(&self, session: CredentialId, ended: Committed<()>) {
        self.after_commit(ended).await;
        self.sessions.forget(session);
    }
}

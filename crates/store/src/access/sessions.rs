//! Sessions: members who signed in. A session is a credential of its member, and is in force while the member is active in the role
//! of the sign-in: a suspension, a removal or another role ends it for good.

use crate::access::credentials::{ByProvider, NewCredential};
use crate::access::sign_in_links::SignInLink;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, members};
use crate::scope::{AdminScope, TenantScope};
use crate::secret::{NewSecret, SESSION_PREFIX, SecretDigest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::{
    Actor, Event, NoDetail, SessionEnd, SessionEnded, SessionStarted, SignInLinkUsed, SignInWay,
};
use rollcall_core::ids::{CredentialId, MemberId, RequestId, TenantId};
use rollcall_core::permission::Permissions;
use rollcall_core::roster::Role;
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use uuid::Uuid;

/// Longest life of a session, and its longest pause.
pub const SESSION_TIME: TimeDelta = TimeDelta::hours(12);
pub const SESSION_PAUSE: TimeDelta = TimeDelta::minutes(30);
/// Most sessions of one member; a further sign-in ends the oldest.
const SESSIONS_MAX: usize = 20;
/// Sessions of a list.
const LISTED: u64 = 1000;
/// Characters of the name of a client that are kept.
const AGENT_CHARACTERS_MAX: usize = 200;
/// Ended sessions and used links stay listed in the database for this time; the audit log keeps their events.
const KEPT: TimeDelta = TimeDelta::days(30);

const SESSION: &str = "session";

/// A session as its secret is looked up.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub tenant: TenantId,
    pub id: CredentialId,
    pub member: MemberId,
    pub role: Role,
    pub signed_in_at: DateTime<Utc>,
    /// When the person proved to be the one: at the sign-in, or earlier at a provider; `None` where the provider does not say.
    pub authenticated_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

impl Session {
    pub fn scope(&self) -> AdminScope {
        AdminScope::new(TenantScope::new(self.tenant, Actor::Member(self.member)), self.role, Permissions::all())
    }
}

/// The client of a sign-in.
#[derive(Clone, Debug, Default)]
pub struct SignInClient {
    pub address: String,
    /// Its `User-Agent`.
    pub agent: String,
    /// The request that signs in.
    pub request: Option<RequestId>,
}

impl SignInClient {
    /// The scope of the client's request.
    pub(crate) fn within(&self, scope: TenantScope) -> TenantScope {
        self.request.map_or(scope, |id| scope.for_request(id))
    }
}

/// A session that was just made, with its secret.
pub struct StartedSession {
    pub secret: String,
    pub session: Session,
}

/// A session for people.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
pub struct ListedSession {
    pub id: Uuid,
    pub member_id: Option<Uuid>,
    /// The name of its client.
    #[sea_orm(from_col = "name")]
    pub agent: String,
    pub address: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "members::Entity")]
struct Authority {
    role: String,
    billing_contact: bool,
}

impl Store {
    /// Signs the member of a link in, and uses the link up.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the link was used meanwhile, or its member may not sign in.
    #[tracing::instrument(name = "store.sessions.sign_in", skip_all)]
    pub async fn sign_in(
        &self,
        link: &SignInLink,
        client: &SignInClient,
    ) -> Result<Committed<StartedSession>, StoreError> {
        let scope = client.within(TenantScope::new(link.tenant(), Actor::Member(link.member())));
        let tx = self.write(&scope).await?;
        let session = tx.use_link(link, client).await?;
        tx.forget_ended().await?;
        let ended = tx.end_oldest_sessions(link.member()).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(session).revoking(ended))
    }

    /// The sessions in force, the latest first: of one member, or of all.
    #[tracing::instrument(name = "store.sessions.sessions", skip_all)]
    pub async fn sessions(
        &self,
        scope: &AdminScope,
        member: Option<MemberId>,
    ) -> Result<Vec<ListedSession>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let sessions = tx.find::<credentials::Entity>().filter(sessions_in_force(member, tx.clock.now()));
        sessions.descending(credentials::Column::Id).limit(LISTED).all().await
    }

    /// Ends a session: of this member, or of any.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none in force.
    #[tracing::instrument(name = "store.sessions.end_session", skip_all)]
    pub async fn end_session(
        &self,
        scope: &AdminScope,
        id: CredentialId,
        of: Option<MemberId>,
        why: SessionEnd,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let one = sessions_in_force(of, tx.clock.now()).add(credentials::Column::Id.eq(id.0));
        let ended = tx.end(one, why).await?;
        if ended.is_empty() {
            return Err(StoreError::NotFound("session"));
        }
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(ended))
    }
}

fn sessions_in_force(member: Option<MemberId>, now: DateTime<Utc>) -> Condition {
    use credentials::Column;
    let of = member.map(|member| Column::MemberId.eq(member.0));
    let session = Condition::all().add(Column::Kind.is(SESSION)).add(Column::RevokedAt.is_null());
    session.add(Column::ExpiresAt.gt(now)).add_option(of)
}

impl TenantTx {
    async fn use_link(&self, link: &SignInLink, client: &SignInClient) -> Result<StartedSession, StoreError> {
        use credentials::Column;
        let gone = || StoreError::NotFound("sign-in link in force");
        let unused = Column::Id.eq(link.id().0).and(Column::RevokedAt.is_null());
        let used = self.update::<credentials::Entity>(unused).set(Column::RevokedAt, self.clock.now());
        if used.exec().await? == 0 {
            return Err(gone());
        }
        let role = self.signs_in_as(link.member()).await?.ok_or_else(gone)?;
        let used = SignInLinkUsed { member_id: link.member(), way: link.way() };
        self.tx.batch(vec![self.event(&Event::SignInLinkUsed(link.id(), used)).into()]).await?;
        self.start_session(link.member(), role, link.way(), client, None).await
    }

    /// The role with which an active member signs in. The row lock keeps the role until the commit: a change of it in between would
    /// not see the new session, and a change back would bring it to life.
    pub(crate) async fn signs_in_as(&self, member: MemberId) -> Result<Option<Role>, StoreError> {
        use members::Column;
        let active = Column::Id.eq(member.0).and(Column::Status.is("active"));
        let found: Option<Authority> =
            self.find::<members::Entity>().filter(active).lock(LockType::NoKeyUpdate).one().await?;
        let Some(Authority { role, billing_contact }) = found else { return Ok(None) };
        let role: Role = role.parse().map_err(StoreError::database)?;
        Ok(role.signs_in_as(billing_contact))
    }

    pub(crate) async fn start_session(
        &self,
        member: MemberId,
        role: Role,
        way: SignInWay,
        client: &SignInClient,
        by: Option<ByProvider>,
    ) -> Result<StartedSession, StoreError> {
        let signed_in_at = self.clock.now();
        let authenticated_at = by.as_ref().map_or(Some(signed_in_at), |by| by.authenticated_at);
        let expires_at = signed_in_at + SESSION_TIME;
        let agent: String = client.agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARACTERS_MAX).collect();
        let new = NewCredential {
            kind: SESSION,
            prefix: SESSION_PREFIX,
            member: Some(member),
            role: Some(role),
            name: &agent,
            address: Some(&client.address),
            by,
            expires_at: Some(expires_at),
            ..Default::default()
        };
        let started = SessionStarted { member_id: member, way, role, address: client.address.clone() };
        let NewSecret { id, secret } = self.insert_credential(new, |id, _| Event::SessionStarted(id, started)).await?;
        let session = Session { tenant: self.tenant, id, member, role, signed_in_at, authenticated_at, expires_at };
        Ok(StartedSession { secret, session })
    }

    /// Ends everything with which these members could sign in or are signed in, because their role or status changed.
    pub(crate) async fn end_access(&self, members: &[Uuid]) -> Result<(), StoreError> {
        if members.is_empty() {
            return Ok(());
        }
        // Members with authority are few, also in a large change.
        let these = credentials::Column::MemberId.is_in(members.iter().copied());
        let in_force = Condition::all().add(these).add(credentials::Column::RevokedAt.is_null());
        self.end(in_force, SessionEnd::MemberChanged).await?;
        Ok(())
    }

    /// Ends a member's oldest sessions, if there are too many.
    pub(crate) async fn end_oldest_sessions(&self, member: MemberId) -> Result<Vec<SecretDigest>, StoreError> {
        let sessions = self.find::<credentials::Entity>().filter(sessions_in_force(Some(member), self.clock.now()));
        let ids: Vec<Uuid> = sessions.descending(credentials::Column::Id).values(credentials::Column::Id).await?;
        let mut ended = Vec::new();
        for id in ids.into_iter().skip(SESSIONS_MAX) {
            ended.extend(self.end(Condition::all().add(credentials::Column::Id.eq(id)), SessionEnd::Revoked).await?);
        }
        Ok(ended)
    }

    /// Revokes credentials of members, with an event for each.
    pub(crate) async fn end(&self, which: Condition, why: SessionEnd) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let ended = self.update::<Entity>(which).set(Column::RevokedAt, self.clock.now()).returning().await?;
        let mut events = Vec::new();
        for credential in &ended {
            let id = credential.id.into();
            let event = match credential.member_id.filter(|_| credential.kind == SESSION) {
                Some(member) => Event::SessionEnded(id, SessionEnded { member_id: member.into(), why }),
                None => Event::CredentialRevoked(id, NoDetail),
            };
            events.push(self.event(&event).into());
        }
        if !events.is_empty() {
            self.tx.batch(events).await?;
        }
        ended.into_iter().map(|credential| crate::secret::stored_digest(credential.digest)).collect()
    }

    /// Deletes sessions and links that ended long ago.
    pub(crate) async fn forget_ended(&self) -> Result<(), StoreError> {
        use credentials::{Column, Entity};
        let long_ago = self.clock.now() - KEPT;
        let ended = Condition::any().add(Column::RevokedAt.lt(long_ago)).add(Column::ExpiresAt.lt(long_ago));
        self.delete::<Entity>(Condition::all().add(Column::MemberId.is_not_null()).add(ended)).exec().await?;
        Ok(())
    }
}

//! Keys of agents (DA4, DA12). An agent makes its key itself and brings the public half with a token that serves once, or signed with
//! its former key. A key is `pending` until an admin compared its fingerprint; a source is fed by one `active` key, so two agents
//! never feed one source.

use crate::access::credentials::in_force;
use crate::agent::uploads::abandon_of_key;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::credentials;
use crate::scope::{AdminScope, AgentScope, EnrolmentScope, SourceScope, TenantScope};
use crate::secret::stored_digest;
use chrono::{DateTime, Utc};
use rollcall_core::directory::{SourceMode, SourceSettings};
use rollcall_core::event::{Actor, AgentKeyDetail, Event, NoDetail};
use rollcall_core::ids::{AgentKeyId, SourceId, TenantId};
use rollcall_core::upload::UploadRefusal;
use rollcall_snapshot::{Claims, PublicKey, SignedRequest, Unsigned, verify};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, FromQueryResult};
use uuid::Uuid;

/// Keys of a source that wait for an admin.
const PENDING_MAX: i64 = 5;
/// Keys of a list.
const LISTED_MAX: i64 = 200;
const NAME_CHARACTERS_MAX: usize = 100;

/// A key that an agent brings.
#[derive(Clone, Debug)]
pub struct NewAgentKey<'a> {
    pub public_key: PublicKey,
    /// The agent's own name for its machine.
    pub name: &'a str,
    /// A digest of machine and account, made by the agent.
    pub machine: &'a str,
    /// The agent's version.
    pub program: &'a str,
}

/// A key for admins.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AgentKey {
    pub id: Uuid,
    pub fingerprint: String,
    /// `pending`, `active`, `superseded` or `revoked`.
    pub state: String,
    pub name: String,
    pub program: String,
    pub created_at: DateTime<Utc>,
    pub verified_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The key that a signature names. It opens nothing until [`KnownAgentKey::opens`] has checked a signature.
#[derive(Clone, Debug, FromQueryResult)]
pub struct KnownAgentKey {
    tenant_id: Uuid,
    id: Uuid,
    source_id: Uuid,
    public_key: Vec<u8>,
    pub fingerprint: String,
    pub state: String,
    pub machine: String,
    mode: String,
    users_only: bool,
    plain_discovery: bool,
}

impl KnownAgentKey {
    pub fn tenant(&self) -> TenantId {
        self.tenant_id.into()
    }

    /// An admin revoked it, or another key took its place.
    pub fn has_ended(&self) -> bool {
        !matches!(self.state.as_str(), "pending" | "active")
    }

    pub fn source_is_off(&self) -> bool {
        self.mode == SourceMode::Off.as_str()
    }

    /// The scope of the holder of this key, who signed the request.
    ///
    /// # Errors
    /// [`Unsigned::Wrong`].
    pub fn opens(&self, claims: &Claims, request: &SignedRequest<'_>) -> Result<AgentScope, Unsigned> {
        let key = self.public_key.as_slice().try_into().map_err(|_| Unsigned::Wrong)?;
        verify(claims, request, &PublicKey(key))?;
        let source: SourceId = self.source_id.into();
        let settings = SourceSettings { users_only: self.users_only, plain_discovery: self.plain_discovery };
        let scope = SourceScope::new(TenantScope::new(self.tenant(), Actor::Source(source)), source, settings);
        Ok(AgentScope::new(scope, self.id.into(), self.state == "active"))
    }
}

const COLUMNS: &str = "SELECT id, fingerprint, state, name, program, created_at, verified_at, ended_at, last_used_at FROM agent_keys \
     WHERE tenant_id = {tenant} AND source_id = $2";
static KEYS: Sql = Sql::tenant(&[COLUMNS, " ORDER BY id DESC LIMIT $3"]);
static KEY: Sql = Sql::tenant(&[COLUMNS, " AND id = $3"]);
static PENDING: Sql = Sql::tenant(&[
    "SELECT count(*) AS count FROM agent_keys WHERE tenant_id = {tenant} AND source_id = $2 AND state = 'pending'",
]);
static INSERT: Sql = Sql::tenant(&[
    "INSERT INTO agent_keys (tenant_id, id, source_id, public_key, fingerprint, state, name, machine, program, created_at) \
     VALUES ({tenant}, $2, $3, $4, $5, 'pending', $6, $7, $8, $9)",
]);
static SUPERSEDE: Sql = Sql::tenant(&[
    "UPDATE agent_keys SET state = 'superseded', ended_at = $3 WHERE tenant_id = {tenant} AND source_id = $2 AND state = 'active'",
]);
static ACTIVATE: Sql = Sql::tenant(&[
    "UPDATE agent_keys SET state = 'active', verified_at = $3 WHERE tenant_id = {tenant} AND id = $2 AND state = 'pending'",
]);
static REVOKE: Sql =
    Sql::tenant(&["UPDATE agent_keys SET state = 'revoked', ended_at = $3 WHERE tenant_id = {tenant} AND id = $2 \
     AND state IN ('pending', 'active')"]);
/// The uploads that were kept for the admin's comparison.
static LET_IN: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET state = 'waiting', touched_at = $3 WHERE tenant_id = {tenant} AND key_id = $2 \
     AND state = 'unverified'",
]);

#[derive(FromQueryResult)]
struct CountRow {
    count: i64,
}

impl Store {
    /// Takes the key of an agent that holds a token, and uses the token up.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the token was used, or too many keys wait; [`StoreError::Taken`] for a key that was there before.
    #[tracing::instrument(name = "store.agent.enrol_agent", skip_all)]
    pub async fn enrol_agent(
        &self,
        scope: &EnrolmentScope,
        new: &NewAgentKey<'_>,
    ) -> Result<Committed<AgentKeyId>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        use credentials::{Column, Entity};
        let unused = Column::Id.eq(scope.token.0).and(in_force(tx.clock.now()));
        let used = tx.update::<Entity>(unused).set(Column::RevokedAt, tx.clock.now()).returning().await?;
        let Some(token) = used.into_iter().next() else {
            return Err(StoreError::Conflict("the token was used before: ask for another one".into()));
        };
        let key = tx.add_key(scope.source, new).await?;
        let used = Event::CredentialRevoked(scope.token, NoDetail);
        tx.tx.batch(vec![tx.event(&used).into()]).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(key).revoking(vec![stored_digest(token.digest)?]))
    }

    /// Takes the next key of an agent that is enrolled.
    ///
    /// # Errors
    /// As [`enrol_agent`](Self::enrol_agent), but for the token.
    #[tracing::instrument(name = "store.agent.next_agent_key", skip_all)]
    pub async fn next_agent_key(&self, scope: &AgentScope, new: &NewAgentKey<'_>) -> Result<AgentKeyId, StoreError> {
        let tx = self.write(scope.scope()).await?;
        let key = tx.add_key(scope.of_source().source(), new).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// The keys of a source, the newest first.
    #[tracing::instrument(name = "store.agent.agent_keys", skip_all)]
    pub async fn agent_keys(&self, scope: &AdminScope, source: SourceId) -> Result<Vec<AgentKey>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        tx.all(&KEYS, [source.0.into(), LISTED_MAX.into()]).await
    }

    /// Lets a key feed its source, once an admin has compared the fingerprint. The former key ends, and an upload that was kept for
    /// this goes on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for another fingerprint, and for a key that has ended.
    #[tracing::instrument(name = "store.agent.verify_agent_key", skip_all)]
    pub async fn verify_agent_key(
        &self,
        scope: &AdminScope,
        source: SourceId,
        key: AgentKeyId,
        fingerprint: &str,
    ) -> Result<AgentKey, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.take_turn().await?;
        let found = tx.key_row(source, key).await?;
        if found.fingerprint != fingerprint.trim() {
            let why = "the fingerprint is not that of this key: compare it with `rollcall-agent status` on the agent's machine, and \
                       revoke the key if it differs";
            return Err(StoreError::Conflict(why.into()));
        }
        match found.state.as_str() {
            "active" => return Ok(found),
            "pending" => {}
            _ => return Err(StoreError::Conflict("the key has ended: have the agent make another one".into())),
        }
        let now = tx.clock.now();
        tx.exec(&SUPERSEDE, [source.0.into(), now.into()]).await?;
        tx.exec(&ACTIVATE, [key.0.into(), now.into()]).await?;
        tx.exec(&LET_IN, [key.0.into(), now.into()]).await?;
        let event = Event::AgentKeyVerified(source, found.detail());
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        let found = tx.key_row(source, key).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Ends a key. Uploads of it that are not applied yet go.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.agent.revoke_agent_key", skip_all)]
    pub async fn revoke_agent_key(
        &self,
        scope: &AdminScope,
        source: SourceId,
        key: AgentKeyId,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let found = tx.key_row(source, key).await?;
        if tx.exec(&REVOKE, [key.0.into(), tx.clock.now().into()]).await? == 0 {
            return Ok(());
        }
        abandon_of_key(&tx, key, UploadRefusal::KeyRevoked).await?;
        let event = Event::AgentKeyRevoked(source, found.detail());
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }
}

impl AgentKey {
    fn detail(&self) -> AgentKeyDetail {
        AgentKeyDetail { key_id: self.id.into(), fingerprint: self.fingerprint.clone(), name: self.name.clone() }
    }
}

fn check_label(what: &str, text: &str) -> Result<(), StoreError> {
    if text.chars().count() > NAME_CHARACTERS_MAX || text.chars().any(char::is_control) {
        let why = format!("{what} has at most {NAME_CHARACTERS_MAX} characters, and no control characters");
        return Err(StoreError::Invalid(why));
    }
    Ok(())
}

impl TenantTx {
    async fn key_row(&self, source: SourceId, key: AgentKeyId) -> Result<AgentKey, StoreError> {
        let found: Option<AgentKey> = self.one(&KEY, [source.0.into(), key.0.into()]).await?;
        found.ok_or(StoreError::NotFound("key"))
    }

    async fn add_key(&self, source: SourceId, new: &NewAgentKey<'_>) -> Result<AgentKeyId, StoreError> {
        for (what, text) in [("name", new.name), ("machine", new.machine), ("program", new.program)] {
            check_label(what, text)?;
        }
        self.take_turn().await?;
        let waiting: Option<CountRow> = self.one(&PENDING, [source.0.into()]).await?;
        if waiting.is_some_and(|waiting| waiting.count >= PENDING_MAX) {
            let why = format!(
                "{PENDING_MAX} keys of the source wait for an admin: verify the right one and revoke the others"
            );
            return Err(StoreError::Conflict(why));
        }
        let id: AgentKeyId = self.clock.new_id();
        let fingerprint = new.public_key.fingerprint();
        let values = [
            id.0.into(),
            source.0.into(),
            new.public_key.0.to_vec().into(),
            fingerprint.clone().into(),
            new.name.into(),
            new.machine.into(),
            new.program.into(),
            self.clock.now().into(),
        ];
        self.exec(&INSERT, values).await.map_err(|error| error.or_taken("this key"))?;
        let event = Event::AgentKeyAdded(source, AgentKeyDetail { key_id: id, fingerprint, name: new.name.to_owned() });
        self.tx.batch(vec![self.event(&event).into()]).await?;
        Ok(id)
    }
}

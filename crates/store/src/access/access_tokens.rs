//! Access tokens: short-lived, of one OAuth client, and opening the client's source alone. They are looked up and cached as the tokens
//! of sources are. A client has a bounded number of them: one more ends the oldest.

use crate::access::credentials::{ACCESS_TOKEN, NewCredential, in_force};
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials};
use crate::scope::{OauthClient, TenantScope};
use crate::secret::{ACCESS_TOKEN_PREFIX, NewSecret, SecretDigest, stored_digest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::{AccessTokenEnd, AccessTokenIssued, AccessTokenRevoked, Actor, Event};
use rollcall_core::ids::{CredentialId, OauthClientId, TenantId};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

/// Life of a token.
pub const ACCESS_TOKEN_TIME: TimeDelta = TimeDelta::hours(1);
/// Most tokens of one client in force. Some providers ask for one with each request.
const TOKENS_MAX: usize = 50;
/// Tokens that one transaction forgets at most.
const FORGOTTEN_MAX: u64 = 1_000;

/// Tokens that ended before `$2`, but for the latest of each client: its last use is a part of the source's.
pub(crate) const FORGOTTEN: &str = "c.client_id IS NOT NULL AND c.kind = 'access_token' AND c.expires_at < $2 \
    AND EXISTS (SELECT 1 FROM credentials n WHERE n.tenant_id = c.tenant_id AND n.client_id = c.client_id \
    AND n.kind = 'access_token' AND n.id > c.id)";

static FORGET: Sql = Sql::tenant(&[
    "DELETE FROM credentials WHERE tenant_id = {tenant} AND id IN (SELECT c.id FROM credentials c \
     WHERE c.tenant_id = {tenant} AND ",
    FORGOTTEN,
    " LIMIT 1000)",
]);

/// A token that was just made. Its text exists only now.
pub struct NewAccessToken {
    pub id: CredentialId,
    pub token: String,
    pub expires_at: DateTime<Utc>,
    /// Seconds until then.
    pub expires_in: i64,
}

impl Store {
    /// Gives a client a token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the client has ended since its secret was looked up.
    #[tracing::instrument(name = "store.access_tokens.issue_access_token", skip_all)]
    pub async fn issue_access_token(
        &self,
        client: &OauthClient,
        address: &str,
    ) -> Result<Committed<NewAccessToken>, StoreError> {
        use credentials::{Column, Entity};
        let tx = self.write(&client.scope).await?;
        let now = tx.clock.now();
        // The row of the secret stays locked, so that a revocation waits and then finds the new token.
        let secret = Column::Id.eq(client.secret.0).and(in_force(now));
        let used = tx.update::<Entity>(secret).set(Column::LastUsedAt, now).returning().await?;
        let secret = used.into_iter().next().ok_or(StoreError::NotFound("OAuth client in force"))?;
        let end = now + ACCESS_TOKEN_TIME;
        let expires_at = secret.expires_at.filter(|sooner| *sooner < end).unwrap_or(end);
        let ended = tx.end_oldest_tokens(client.client).await?;
        let new = NewCredential {
            kind: ACCESS_TOKEN,
            prefix: ACCESS_TOKEN_PREFIX,
            source: Some(client.source),
            client: Some(client.client),
            name: &secret.name,
            expires_at: Some(expires_at),
            ..Default::default()
        };
        let (client_id, source_id, address) = (client.client, client.source, address.to_owned());
        let issued = AccessTokenIssued { client_id, source_id, expires_at, address };
        let NewSecret { id, secret } = tx.insert_credential(new, |id, _| Event::AccessTokenIssued(id, issued)).await?;
        tx.commit().await?;
        let expires_in = (expires_at - now).num_seconds();
        let token = NewAccessToken { id, token: secret, expires_at, expires_in };
        Ok(Committed::without_duties(token).revoking(ended))
    }

    /// Ends a token that its client gives back (RFC 7009). A token that is not the client's is nobody's here.
    #[tracing::instrument(name = "store.access_tokens.return_access_token", skip_all)]
    pub async fn return_access_token(
        &self,
        client: &OauthClient,
        digest: &SecretDigest,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&client.scope).await?;
        let given = tokens_of(client.client).add(credentials::Column::Digest.eq(digest.to_vec()));
        let ended = tx.end_tokens(given, AccessTokenEnd::GivenBack).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(ended))
    }

    /// Forgets tokens that ended before this instant, one batch; returns whether there are more.
    #[tracing::instrument(name = "store.access_tokens.forget_access_tokens", skip_all)]
    pub async fn forget_access_tokens(&self, tenant: TenantId, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let tx = self.write(&TenantScope::new(tenant, Actor::System)).await?;
        let forgotten = tx.exec(&FORGET, [before.into()]).await?;
        tx.commit().await?;
        Ok(forgotten == FORGOTTEN_MAX)
    }
}

/// The tokens of a client, ended ones too.
pub(super) fn tokens_of(client: OauthClientId) -> Condition {
    use credentials::Column;
    Condition::all().add(Column::ClientId.eq(client.0)).add(Column::Kind.is(ACCESS_TOKEN))
}

impl TenantTx {
    /// The tokens of a client whose end other processes may have missed.
    pub(super) async fn lately_ended_tokens(&self, client: OauthClientId) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let lately = tokens_of(client).add(Column::ExpiresAt.gt(self.clock.now()));
        self.find::<Entity>().filter(lately).values(Column::Digest).await?.into_iter().map(stored_digest).collect()
    }

    /// Makes room for one more token of a client.
    async fn end_oldest_tokens(&self, client: OauthClientId) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let live = tokens_of(client).add(in_force(self.clock.now()));
        let ids: Vec<Uuid> = self.find::<Entity>().filter(live).descending(Column::Id).values(Column::Id).await?;
        let Some(oldest) = ids.get(TOKENS_MAX - 1..).filter(|ids| !ids.is_empty()) else { return Ok(Vec::new()) };
        let oldest = tokens_of(client).add(Column::Id.is_in(oldest.iter().copied()));
        self.end_tokens(oldest, AccessTokenEnd::TooMany).await
    }

    /// Revokes those of these tokens that are in force, with an event for each.
    pub(super) async fn end_tokens(
        &self,
        which: Condition,
        why: AccessTokenEnd,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let now = self.clock.now();
        let ended = self.update::<Entity>(which.add(in_force(now))).set(Column::RevokedAt, now).returning().await?;
        let event = |token: &credentials::Model| {
            let detail = AccessTokenRevoked { client_id: token.client_id.map(Into::into), why };
            self.event(&Event::AccessTokenRevoked(token.id.into(), detail)).into()
        };
        let events: Vec<_> = ended.iter().map(event).collect();
        if !events.is_empty() {
            self.tx.batch(events).await?;
        }
        ended.into_iter().map(|token| stored_digest(token.digest)).collect()
    }
}

#[cfg(test)]
mod tests;

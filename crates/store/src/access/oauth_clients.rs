//! OAuth clients: identity providers that ask for short-lived tokens rather than keep one (RFC 6749 §4.4). A client is of one source.
//! Its secrets are credentials with the client's id, so that a rotation keeps the id.

use crate::access::access_tokens::tokens_of;
use crate::access::credentials::{NewCredential, OAUTH_CLIENT, RotatedExpiry, Superseded, in_force};
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, RowList, credentials};
use crate::scope::AdminScope;
use crate::secret::{CLIENT_SECRET_PREFIX, NewSecret, SecretDigest, stored_digest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::{AccessTokenEnd, CredentialRotated, Event, NoDetail, OauthClientCreated};
use rollcall_core::ids::{CredentialId, OauthClientId, SourceId};
use rollcall_core::quota::Quotas;
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use uuid::Uuid;

/// A secret of a client, without the secret itself. A client has one, and two while it is rotated.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
pub struct OauthSecret {
    pub id: Uuid,
    pub client_id: Option<Uuid>,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it last got a token.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A client that was just made.
pub struct NewOauthClient {
    pub client: OauthClientId,
    pub secret: NewSecret,
}

/// A rotation: the new secret, and the end of the old one.
pub struct RotatedOauthClient {
    pub secret: NewSecret,
    pub expires_at: Option<DateTime<Utc>>,
    pub old: CredentialId,
    pub old_expires_at: DateTime<Utc>,
}

fn of_source(source: SourceId) -> Condition {
    use credentials::Column;
    Condition::all().add(Column::SourceId.eq(source.0)).add(Column::Kind.is(OAUTH_CLIENT))
}

fn secrets_of(source: SourceId, client: OauthClientId) -> Condition {
    of_source(source).add(credentials::Column::ClientId.eq(client.0))
}

impl Store {
    /// Makes a client of a source, with its first secret.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for no SCIM source; [`StoreError::Conflict`] when the source has the maximum of tokens and clients.
    #[tracing::instrument(name = "store.oauth_clients.create_oauth_client", skip_all)]
    pub async fn create_oauth_client(
        &self,
        scope: &AdminScope,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewOauthClient, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let made = tx.create_client(source, name, expires_at, &self.quotas).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// The secrets of a source's clients, ended ones too.
    #[tracing::instrument(name = "store.oauth_clients.oauth_secrets", skip_all)]
    pub async fn oauth_secrets(
        &self,
        scope: &AdminScope,
        source: SourceId,
        page: &PageRequest,
    ) -> Result<Page<OauthSecret>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        let secrets = tx.find::<credentials::Entity>().filter(of_source(source));
        secrets.page(page, RowList::new("oauth clients").of(credentials::Column::SourceId, source.0)).await
    }

    /// Gives a client another secret. The old one, and the tokens that the client has, end after `overlap` at the latest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for no client in force.
    #[tracing::instrument(name = "store.oauth_clients.rotate_oauth_client", skip_all)]
    pub async fn rotate_oauth_client(
        &self,
        scope: &AdminScope,
        source: SourceId,
        client: OauthClientId,
        overlap: TimeDelta,
        expiry: RotatedExpiry,
    ) -> Result<Committed<RotatedOauthClient>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let superseded =
            tx.supersede(secrets_of(source, client), "OAuth client that is in force", overlap, expiry).await?;
        let Superseded { old, old_expires_at, expires_at } = superseded;
        tx.check_new_token(source, &old.name, expires_at, &self.quotas).await?;
        let digests = tx.shorten_tokens(client, old_expires_at).await?;
        let rotated = |replaced_by, _| {
            Event::OauthClientRotated(client, CredentialRotated { replaced_by, expires_at: old_expires_at })
        };
        let secret = tx.insert_credential(new_secret(source, client, &old.name, expires_at), rotated).await?;
        tx.commit().await?;
        let rotated = RotatedOauthClient { secret, expires_at, old: old.id.into(), old_expires_at };
        Ok(Committed::without_duties(rotated).changing(digests))
    }

    /// Ends a client: its secrets and its tokens. The caller then tells the cache; a repetition answers the same digests again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.oauth_clients.revoke_oauth_client", skip_all)]
    pub async fn revoke_oauth_client(
        &self,
        scope: &AdminScope,
        source: SourceId,
        client: OauthClientId,
    ) -> Result<Committed<()>, StoreError> {
        use credentials::{Column, Entity};
        let tx = self.write(&scope.scope).await?;
        let secrets = secrets_of(source, client);
        if !tx.find::<Entity>().filter(secrets.clone()).exists().await? {
            return Err(StoreError::NotFound("OAuth client"));
        }
        // The secrets first: who gets a token at the same time holds the row of the secret.
        let in_force = secrets.add(Column::RevokedAt.is_null());
        let revoked = tx.update::<Entity>(in_force).set(Column::RevokedAt, tx.clock.now()).exec().await?;
        if revoked > 0 {
            tx.tx.batch(vec![tx.event(&Event::OauthClientRevoked(client, NoDetail)).into()]).await?;
        }
        tx.end_tokens(tokens_of(client), AccessTokenEnd::ClientRevoked).await?;
        let digests = tx.lately_ended_tokens(client).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(digests))
    }
}

fn new_secret(
    source: SourceId,
    client: OauthClientId,
    name: &str,
    expires_at: Option<DateTime<Utc>>,
) -> NewCredential<'_> {
    let (kind, prefix) = (OAUTH_CLIENT, CLIENT_SECRET_PREFIX);
    NewCredential { kind, prefix, source: Some(source), client: Some(client), name, expires_at, ..Default::default() }
}

impl TenantTx {
    /// Makes a client of a source, with its first secret.
    pub(super) async fn create_client(
        &self,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
        quotas: &Quotas,
    ) -> Result<NewOauthClient, StoreError> {
        self.check_scim_source(source).await?;
        self.check_new_token(source, name, expires_at, quotas).await?;
        let client: OauthClientId = self.clock.new_id();
        let new = new_secret(source, client, name, expires_at);
        let created = |secret_id, _| {
            let detail = OauthClientCreated { source_id: source, name: name.to_owned(), secret_id, expires_at };
            Event::OauthClientCreated(client, detail)
        };
        let secret = self.insert_credential(new, created).await?;
        Ok(NewOauthClient { client, secret })
    }

    /// Lets the tokens of a client end no later than this.
    async fn shorten_tokens(&self, client: OauthClientId, end: DateTime<Utc>) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let longer = tokens_of(client).add(in_force(self.clock.now())).add(Column::ExpiresAt.gt(end));
        let tokens = self.update::<Entity>(longer).set(Column::ExpiresAt, end).returning().await?;
        tokens.into_iter().map(|token| stored_digest(token.digest)).collect()
    }
}

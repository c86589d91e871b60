//! Set-up links: somebody who runs an identity provider and has no account connects it to one source. A link shows that source's
//! address and whether the provider has called, and makes one token or OAuth client, once. It opens nothing else.

use crate::access::credentials::{NewCredential, SETUP_LINK, in_force};
use crate::access::oauth_clients::NewOauthClient;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, RowList, credentials};
use crate::scope::{AdminScope, TenantScope};
use crate::secret::{NewSecret, SETUP_LINK_PREFIX};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::{Actor, Event, SetupLinkCreated};
use rollcall_core::ids::{CredentialId, RequestId, SourceId, TenantId};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition, DerivePartialModel, FromQueryResult};
use uuid::Uuid;

/// Longest life of a link.
pub const SETUP_LINK_TIME_MAX: TimeDelta = TimeDelta::days(30);
/// Most links of a source in force.
const LINKS_MAX: usize = 10;

/// A link whose secret was presented, with what its page shows.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OpenSetupLink {
    tenant_id: Uuid,
    id: Uuid,
    source_id: Uuid,
    pub name: String,
    pub expires_at: DateTime<Utc>,
    pub tenant_name: String,
    pub source_name: String,
    /// `off`, `simulate` or `live`.
    pub mode: String,
    /// The first characters of the token, or of the client's secret, that was made with this link.
    pub token_prefix: Option<String>,
    pub token_made_at: Option<DateTime<Utc>>,
    /// The OAuth client that was made instead of a token.
    pub client_id: Option<Uuid>,
    pub token_revoked_at: Option<DateTime<Utc>>,
    /// The last call of the provider with any token of the source, to the minute.
    pub called_at: Option<DateTime<Utc>>,
}

impl OpenSetupLink {
    pub fn tenant(&self) -> TenantId {
        self.tenant_id.into()
    }

    pub fn id(&self) -> CredentialId {
        self.id.into()
    }

    pub fn source(&self) -> SourceId {
        self.source_id.into()
    }

    fn scope(&self, request: Option<RequestId>) -> TenantScope {
        let scope = TenantScope::new(self.tenant(), Actor::SetupLink(self.id()));
        request.map_or(scope, |id| scope.for_request(id))
    }
}

/// A link for admins, without its secret.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
pub struct SetupLink {
    pub id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last opened, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The token, or the secret of the OAuth client, that was made with it.
    #[sea_orm(from_col = "made_id")]
    pub token_id: Option<Uuid>,
}

/// A link that was just made. Its secret exists only now.
pub struct NewSetupLink {
    pub id: CredentialId,
    pub secret: String,
    pub expires_at: DateTime<Utc>,
}

fn links_of(source: SourceId) -> Condition {
    use credentials::Column;
    Condition::all().add(Column::SourceId.eq(source.0)).add(Column::Kind.is(SETUP_LINK))
}

impl Store {
    /// Makes a link for a SCIM source.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for no SCIM source; [`StoreError::Invalid`] for a life that is too long or none;
    /// [`StoreError::Conflict`] when the source has too many links.
    #[tracing::instrument(name = "store.setup_links.create_setup_link", skip_all)]
    pub async fn create_setup_link(
        &self,
        scope: &AdminScope,
        source: SourceId,
        name: &str,
        life: TimeDelta,
    ) -> Result<NewSetupLink, StoreError> {
        if life <= TimeDelta::zero() || life > SETUP_LINK_TIME_MAX {
            let days = SETUP_LINK_TIME_MAX.num_days();
            return Err(StoreError::Invalid(format!("a set-up link lasts more than nothing, and at most {days} days")));
        }
        let tx = self.write(&scope.scope).await?;
        tx.check_scim_source(source).await?;
        tx.check_name_and_end(name, None)?;
        // Callers of one tenant take turns, so that links are counted together.
        tx.take_turn().await?;
        let open = links_of(source).add(in_force(tx.clock.now()));
        let open: Vec<Uuid> = tx.find::<credentials::Entity>().filter(open).values(credentials::Column::Id).await?;
        if open.len() >= LINKS_MAX {
            let why =
                format!("the source has {LINKS_MAX} set-up links in force; revoke those that are no longer needed");
            return Err(StoreError::Conflict(why));
        }
        let expires_at = tx.clock.now() + life;
        let (kind, prefix) = (SETUP_LINK, SETUP_LINK_PREFIX);
        let new = NewCredential {
            kind,
            prefix,
            source: Some(source),
            name,
            expires_at: Some(expires_at),
            ..Default::default()
        };
        let created = SetupLinkCreated { source_id: source, name: name.to_owned(), expires_at };
        let made = tx.insert_credential(new, |id, _| Event::SetupLinkCreated(id, created)).await?;
        tx.commit().await?;
        let NewSecret { id, secret } = made;
        Ok(NewSetupLink { id, secret, expires_at })
    }

    /// The links of a source, ended ones too.
    #[tracing::instrument(name = "store.setup_links.setup_links", skip_all)]
    pub async fn setup_links(
        &self,
        scope: &AdminScope,
        source: SourceId,
        page: &PageRequest,
    ) -> Result<Page<SetupLink>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        let links = tx.find::<credentials::Entity>().filter(links_of(source));
        links.page(page, RowList::new("set-up links").of(credentials::Column::SourceId, source.0)).await
    }

    /// Ends a link; the token that was made with it works on. Each opening looks the link up, so this is effective at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.setup_links.revoke_setup_link", skip_all)]
    pub async fn revoke_setup_link(
        &self,
        scope: &AdminScope,
        source: SourceId,
        link: CredentialId,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let digest = tx.revoke(link, links_of(source)).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(vec![digest]))
    }

    /// Makes the one token of a link. The log names the link.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the link has ended or made something before; and as for any token.
    #[tracing::instrument(name = "store.setup_links.make_token_of_link", skip_all)]
    pub async fn make_token_of_link(
        &self,
        link: &OpenSetupLink,
        request: Option<RequestId>,
    ) -> Result<NewSecret, StoreError> {
        let tx = self.write(&link.scope(request)).await?;
        tx.check_new_token(link.source(), &link.name, None, &self.quotas).await?;
        let token = tx.create_source_token(link.source(), &link.name, None).await?;
        tx.enter_into_link(link, token.id).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Makes an OAuth client in the place of the one token of a link.
    ///
    /// # Errors
    /// As [`make_token_of_link`](Self::make_token_of_link).
    #[tracing::instrument(name = "store.setup_links.make_client_of_link", skip_all)]
    pub async fn make_client_of_link(
        &self,
        link: &OpenSetupLink,
        request: Option<RequestId>,
    ) -> Result<NewOauthClient, StoreError> {
        let tx = self.write(&link.scope(request)).await?;
        let made = tx.create_client(link.source(), &link.name, None, &self.quotas).await?;
        tx.enter_into_link(link, made.secret.id).await?;
        tx.commit().await?;
        Ok(made)
    }
}

impl TenantTx {
    /// Notes what was made with a link. When two press at once, one finds what the other made here, and its own is undone.
    async fn enter_into_link(&self, link: &OpenSetupLink, made: CredentialId) -> Result<(), StoreError> {
        use credentials::{Column, Entity};
        let unused = Column::Id.eq(link.id).and(in_force(self.clock.now())).and(Column::MadeId.is_null());
        if self.update::<Entity>(unused).set(Column::MadeId, made.0).exec().await? == 0 {
            let why = "this link has ended, or made its token before; ask the organisation for another link";
            return Err(StoreError::Conflict(why.into()));
        }
        Ok(())
    }
}

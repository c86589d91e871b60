//! Install tokens: with one of them an agent enrols itself where nobody can type a code. A token serves once, and for a day at most.

use crate::access::credentials::{AGENT_INSTALL, NewCredential};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, sources};
use crate::scope::AdminScope;
use crate::secret::{AGENT_INSTALL_PREFIX, NewSecret};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::SourceId;
use rollcall_core::quota::Quota;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::ExprTrait;

/// Longest life of an install token, and the life of one for which nothing was said.
pub const INSTALL_TIME_MAX: TimeDelta = TimeDelta::hours(24);

/// An install token that was just made. Its secret exists only now.
pub struct NewInstallToken {
    pub secret: NewSecret,
    pub expires_at: DateTime<Utc>,
}

impl Store {
    /// Makes another install token for a source of agents.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for another source; [`StoreError::Invalid`] for a life that is too long.
    #[tracing::instrument(name = "store.install_tokens.create_install_token", skip_all)]
    pub async fn create_install_token(
        &self,
        scope: &AdminScope,
        source: SourceId,
        life: TimeDelta,
    ) -> Result<NewInstallToken, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let of_agents = sources::Column::Id.eq(source.0).and(sources::Column::Kind.is("agent"));
        if !tx.find::<sources::Entity>().filter(of_agents).exists().await? {
            return Err(StoreError::NotFound("source of agents"));
        }
        tx.refuse_one_more(Quota::Keys, &self.quotas).await?;
        let expires_at = install_end(&tx, Some(tx.clock.now() + life))?;
        let (kind, prefix, source) = (AGENT_INSTALL, AGENT_INSTALL_PREFIX, Some(source));
        let new = NewCredential { kind, prefix, source, expires_at: Some(expires_at), ..Default::default() };
        let secret = tx.create_credential(new).await?;
        tx.commit().await?;
        Ok(NewInstallToken { secret, expires_at })
    }
}

/// The end of an install token.
pub(super) fn install_end(tx: &TenantTx, wanted: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, StoreError> {
    let (now, last) = (tx.clock.now(), tx.clock.now() + INSTALL_TIME_MAX);
    match wanted {
        None => Ok(last),
        Some(end) if end > now && end <= last => Ok(end),
        Some(_) => Err(StoreError::Invalid("an install token lasts more than nothing, and at most 24 hours".into())),
    }
}

//! A provider tells that a person signed out there: the sessions that the person started by it end.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::entity::{LiteralComparison, credentials, identities, logout_tokens};
use crate::scope::TenantScope;
use crate::secret::digest;
use crate::sign_in::connections::OpenConnection;
use chrono::{DateTime, Utc};
use rollcall_core::event::{Actor, SessionEnd};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use uuid::Uuid;

/// A logout that a checked token tells of.
#[derive(Clone, Copy, Debug)]
pub struct ProviderLogout<'a> {
    /// The token's own identifier.
    pub token: &'a str,
    /// From then on the token is refused for its age.
    pub ends: DateTime<Utc>,
    pub subject: Option<&'a str>,
    pub session: Option<&'a str>,
}

impl Store {
    /// Ends the sessions of a person, or the one that the provider names, and returns how many.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a token that was used.
    #[tracing::instrument(name = "store.sign_in.signed_out_at_provider", skip_all)]
    pub async fn signed_out_at_provider(
        &self,
        connection: &OpenConnection,
        logout: &ProviderLogout<'_>,
    ) -> Result<Committed<usize>, StoreError> {
        use credentials::Column;
        let tx = self.write(&TenantScope::new(connection.tenant, Actor::System)).await?;
        let now = tx.clock.now();
        tx.delete::<logout_tokens::Entity>(logout_tokens::Column::EndsAt.lt(now)).exec().await?;
        let used = logout_tokens::ActiveModel {
            id: Set(tx.clock.new_id()),
            digest: Set(digest(&format!("{}\n{}", connection.issuer, logout.token)).to_vec()),
            ends_at: Set(logout.ends),
            ..Default::default()
        };
        let inserted = tx.insert(used).exec().await;
        inserted.map_err(|error| match error {
            StoreError::Taken(_) => StoreError::Conflict("this logout token was used already".into()),
            error => error,
        })?;
        let mut sessions = Condition::all().add(Column::Kind.is("session")).add(Column::RevokedAt.is_null());
        if let Some(session) = logout.session {
            sessions = sessions.add(Column::ProviderSession.eq(session));
        }
        // A session's name is the provider's own, so its person has to be one of this issuer.
        let mut people = Condition::all().add(identities::Column::Issuer.eq(connection.issuer.as_str()));
        people = match logout.subject {
            Some(subject) => people.add(identities::Column::Subject.eq(subject)),
            None => {
                let named = tx.find::<credentials::Entity>().filter(sessions.clone());
                let named: Vec<Option<Uuid>> = named.values(Column::IdentityId).await?;
                people.add(identities::Column::Id.is_in(named.into_iter().flatten()))
            }
        };
        let people: Vec<Uuid> = tx.find::<identities::Entity>().filter(people).values(identities::Column::Id).await?;
        let ended = match people.is_empty() {
            true => Vec::new(),
            false => tx.end(sessions.add(Column::IdentityId.is_in(people)), SessionEnd::SignedOutAtProvider).await?,
        };
        tx.commit().await?;
        Ok(Committed::without_duties(ended.len()).revoking(ended))
    }
}

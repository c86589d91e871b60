//! Domains of a tenant. A DNS record proves that a domain is the tenant's; one domain is one tenant's.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::domains;
use crate::scope::{AdminScope, TenantScope};
use crate::secret::random_secret;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::{Actor, DomainName, Event};
use rollcall_core::ids::{DomainId, TenantId};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, ColumnTrait, DerivePartialModel};
use uuid::Uuid;

/// Most domains of a tenant.
const DOMAINS_MAX: usize = 100;
/// RFC 1035 §2.3.4.
const DOMAIN_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
/// The value of the record begins with this.
const CHALLENGE: &str = "rollcall-domain=";
/// A proven domain stays so for this time after its record is gone, so that a slip of the pen locks nobody out.
pub const DOMAIN_GRACE: TimeDelta = TimeDelta::days(7);
/// Time between two checks of a proven domain.
pub const DOMAIN_RECHECK: TimeDelta = TimeDelta::hours(24);

/// A domain as people see it.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "domains::Entity")]
pub struct Domain {
    pub id: Uuid,
    pub domain: String,
    /// The value of the DNS record.
    pub challenge: String,
    pub created_at: DateTime<Utc>,
    pub checked_at: Option<DateTime<Utc>>,
    pub verified_at: Option<DateTime<Utc>>,
    /// The first check that missed the record of a proven domain.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A domain whose record is due for a look.
#[derive(Clone, Debug)]
pub struct DueDomain {
    pub tenant: TenantId,
    pub id: DomainId,
    pub domain: String,
    pub challenge: String,
}

/// A domain in its one spelling: lower case, without a dot at the end.
fn spelled(domain: &str) -> Result<String, StoreError> {
    let spelled = domain.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    let labels: Vec<&str> = spelled.split('.').collect();
    let is_address = labels.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if spelled.len() > DOMAIN_BYTES_MAX || labels.len() < 2 || is_address || !labels.into_iter().all(is_label) {
        let takes =
            "a domain is a name such as acme.example; one with other letters is given in its ASCII form (xn--…)";
        return Err(StoreError::Invalid(takes.into()));
    }
    Ok(spelled)
}

impl Store {
    #[tracing::instrument(name = "store.sign_in.domains", skip_all)]
    pub async fn domains(&self, scope: &AdminScope) -> Result<Vec<Domain>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.find::<domains::Entity>().ascending(domains::Column::Domain).all().await
    }

    /// One domain.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.sign_in.domain", skip_all)]
    pub async fn domain(&self, scope: &AdminScope, id: DomainId) -> Result<Domain, StoreError> {
        self.read(&scope.scope).await?.domain(id).await
    }

    /// Adds a domain that is to be proven. Any tenant may add any domain: only its record makes it the tenant's.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for no domain; [`StoreError::Conflict`] for one too many, or one that is there.
    #[tracing::instrument(name = "store.sign_in.add_domain", skip_all)]
    pub async fn add_domain(&self, scope: &AdminScope, domain: &str) -> Result<Domain, StoreError> {
        let domain = spelled(domain)?;
        let tx = self.write(&scope.scope).await?;
        let names: Vec<String> = tx.find::<domains::Entity>().values(domains::Column::Domain).await?;
        if names.contains(&domain) {
            return Err(StoreError::Conflict(format!("{domain} is there already")));
        }
        if names.len() >= DOMAINS_MAX {
            return Err(StoreError::Conflict(format!("there are {DOMAINS_MAX} domains; remove one that is not used")));
        }
        let id: DomainId = tx.clock.new_id();
        let row = domains::ActiveModel {
            id: Set(id.0),
            domain: Set(domain.clone()),
            challenge: Set(random_secret(CHALLENGE)?),
            created_at: Set(tx.clock.now()),
            ..Default::default()
        };
        let event = Event::DomainAdded(id, DomainName { domain });
        let writes = vec![tx.insert(row).into(), tx.event(&event).into()];
        tx.tx.batch(writes).await.map_err(|error| error.or_taken("domain"))?;
        let made = tx.domain(id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Notes what a look at the domain's record found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] where the domain is another tenant's by now.
    #[tracing::instrument(name = "store.sign_in.note_domain_check", skip_all)]
    pub async fn note_domain_check(&self, scope: &AdminScope, id: DomainId, found: bool) -> Result<Domain, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.note_domain_check(id, found).await?;
        let after = tx.domain(id).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// The same by the hub itself.
    ///
    /// # Errors
    /// As [`note_domain_check`](Self::note_domain_check).
    #[tracing::instrument(name = "store.sign_in.note_domain_recheck", skip_all)]
    pub async fn note_domain_recheck(&self, due: &DueDomain, found: bool) -> Result<(), StoreError> {
        let tx = self.write(&TenantScope::new(due.tenant, Actor::System)).await?;
        tx.note_domain_check(due.id, found).await?;
        tx.commit().await
    }

    /// Removes a domain: its people are no longer recognised by their address. Those who signed in before still are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.sign_in.remove_domain", skip_all)]
    pub async fn remove_domain(&self, scope: &AdminScope, id: DomainId) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let gone = tx.delete::<domains::Entity>(domains::Column::Id.eq(id.0)).returning().await?;
        let gone = gone.into_iter().next().ok_or(StoreError::NotFound("domain"))?;
        let event = Event::DomainRemoved(id, DomainName { domain: gone.domain });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }
}

impl TenantTx {
    async fn domain(&self, id: DomainId) -> Result<Domain, StoreError> {
        let found = self.find::<domains::Entity>().filter(domains::Column::Id.eq(id.0)).one().await?;
        found.ok_or(StoreError::NotFound("domain"))
    }

    pub(super) async fn domain_is_proven(&self, domain: &str) -> Result<bool, StoreError> {
        let proven = domains::Column::Domain.eq(domain).and(domains::Column::VerifiedAt.is_not_null());
        self.find::<domains::Entity>().filter(proven).exists().await
    }

    async fn note_domain_check(&self, id: DomainId, found: bool) -> Result<(), StoreError> {
        use domains::{Column, Entity};
        let now = self.clock.now();
        let Domain { domain, verified_at, missing_since, .. } = self.domain(id).await?;
        let mut update = self.update::<Entity>(Column::Id.eq(id.0)).set(Column::CheckedAt, now);
        let (verified_at, missing_since, event) = match (found, verified_at) {
            (true, None) => (Some(now), None, Some(Event::DomainVerified(id, DomainName { domain }))),
            (true, verified) => (verified, None, None),
            (false, None) => (None, None, None),
            (false, Some(_)) if missing_since.is_some_and(|since| now - since > DOMAIN_GRACE) => {
                (None, None, Some(Event::DomainLapsed(id, DomainName { domain })))
            }
            (false, verified) => (verified, missing_since.or(Some(now)), None),
        };
        update = update.set(Column::VerifiedAt, verified_at).set(Column::MissingSince, missing_since);
        update.exec().await.map_err(|error| match error {
            StoreError::Taken(_) => StoreError::Conflict(OTHER_TENANT.into()),
            error => error,
        })?;
        if let Some(event) = event {
            self.tx.batch(vec![self.event(&event).into()]).await?;
        }
        Ok(())
    }
}

const OTHER_TENANT: &str = "the domain is proven to be another organisation's on this hub; it has to be removed there first: ask whoever \
     runs the hub";

#[cfg(test)]
mod tests;

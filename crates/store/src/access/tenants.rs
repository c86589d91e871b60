//! Tenants: made by the operator, with seats, a policy, and an owner who can administer it.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{members, tenant_leases, tenants};
use crate::log::changes::Touched;
use crate::scope::{AdminScope, OperatorScope, TenantScope};
use rollcall_core::email::fold;
use rollcall_core::event::{Actor, Difference, Event, MemberCreated, SeatsChanged, TenantCreated, TenantNames};
use rollcall_core::ids::{MemberId, TenantId};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{MemberStatus, Role};
use rollcall_core::{search, slug};
use rollcall_scim::TextPath;
use sea_orm::ActiveValue::Set;
use sea_orm::DerivePartialModel;
use uuid::Uuid;

const NAME_CHARACTERS_MAX: usize = 200;

/// Input for a new tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    pub name: String,
    pub seats: u32,
    pub policy: Policy,
    /// Becomes an active owner and billing contact, managed by no source.
    pub owner_email: Option<String>,
}

impl Store {
    /// Makes a tenant; its slug is derived from the name and made unique by a number.
    #[tracing::instrument(name = "store.tenants.create_tenant", skip_all)]
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<(TenantId, String), StoreError> {
        self.create_named(new, Actor::Operator).await
    }

    /// Makes a tenant for an operator, whom its log names; with this slug where one is given.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another tenant has the slug.
    #[tracing::instrument(name = "store.tenants.create_tenant_by", skip_all)]
    pub async fn create_tenant_by(
        &self,
        operator: &OperatorScope,
        new: &NewTenant,
        slug: Option<&str>,
    ) -> Result<TenantId, StoreError> {
        let Some(slug) = slug else { return Ok(self.create_named(new, operator.actor()).await?.0) };
        check_new(new)?;
        slug::check(slug).map_err(StoreError::Invalid)?;
        self.insert_tenant(slug, new, operator.actor()).await.map_err(|error| error.or_taken("the slug"))
    }

    async fn create_named(&self, new: &NewTenant, by: Actor) -> Result<(TenantId, String), StoreError> {
        check_new(new)?;
        let base = slug::suggested(&new.name);
        for attempt in 1..=100 {
            let slug = if attempt == 1 { base.clone() } else { format!("{base}-{attempt}") };
            match self.insert_tenant(&slug, new, by).await {
                Err(StoreError::Taken(_)) => {}
                other => return other.map(|id| (id, slug)),
            }
        }
        Err(StoreError::Invalid(format!("a hundred tenants are called `{base}`; choose another name")))
    }

    /// Makes a tenant with this slug.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another tenant has it.
    #[tracing::instrument(name = "store.tenants.create_tenant_with_slug", skip_all)]
    pub async fn create_tenant_with_slug(&self, new: &NewTenant, slug: &str) -> Result<TenantId, StoreError> {
        check_new(new)?;
        slug::check(slug).map_err(StoreError::Invalid)?;
        self.insert_tenant(slug, new, Actor::Operator).await.map_err(|error| error.or_taken("the slug"))
    }

    async fn insert_tenant(&self, slug: &str, new: &NewTenant, by: Actor) -> Result<TenantId, StoreError> {
        let id: TenantId = self.clock.new_id();
        let tx = self.write(&TenantScope::new(id, by)).await?;
        let policy = serde_json::to_value(&new.policy).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let tenant = tenants::ActiveModel {
            slug: Set(slug.into()),
            name: Set(new.name.clone()),
            seats: Set(new.seats.into()),
            policy: Set(policy),
            created_at: Set(tx.clock.now()),
            ..Default::default()
        };
        tx.as_system(tx.insert(tenant).exec()).await?;
        let seats_used = Set(new.owner_email.is_some().into());
        tx.insert(tenant_leases::ActiveModel { seats_used, ..Default::default() }).exec().await?;
        let (name, policy) = (new.name.clone(), new.policy.clone());
        let created = TenantCreated { name, slug: slug.to_owned(), seats: new.seats, policy };
        tx.tx.batch(vec![tx.event(&Event::TenantCreated(id, Box::new(created))).into()]).await?;
        if let Some(email) = &new.owner_email {
            insert_owner(&tx, email).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// A scope for the operator's command line.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown slug.
    #[tracing::instrument(name = "store.tenants.operator_scope", skip_all)]
    pub async fn operator_scope(&self, slug: &str) -> Result<AdminScope, StoreError> {
        let tenant = self.tenant_by_slug(slug).await?.ok_or(StoreError::NotFound("tenant"))?;
        Ok(AdminScope::of_operator(tenant))
    }

    #[tracing::instrument(name = "store.tenants.tenant_names", skip_all)]
    pub async fn tenant_names(&self, scope: &AdminScope) -> Result<TenantName, StoreError> {
        let tenant = self.read(&scope.scope).await?.find::<tenants::Entity>().one().await?;
        tenant.ok_or(StoreError::NotFound("tenant"))
    }

    /// Sets the number of seats; the worker then admits members from the waitlist. Fewer seats than are in use remove nobody
    /// and let nobody in, so they are set only when `below_use` says that this is meant.
    #[tracing::instrument(name = "store.tenants.set_seats", skip_all)]
    pub async fn set_seats(
        &self,
        scope: &AdminScope,
        seats: u32,
        below_use: bool,
    ) -> Result<Committed<SeatsSet>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        // A plan that gives away a seat returned here is void.
        tx.stop_the_planning().await?;
        let used: Option<i64> = tx.find::<tenant_leases::Entity>().value(tenant_leases::Column::SeatsUsed).await?;
        let used = used.ok_or(StoreError::NotFound("tenant"))?;
        if used > i64::from(seats) && !below_use {
            return Ok(Committed::without_duties(SeatsSet::Refused { used }));
        }
        tx.as_system(tx.update_own::<tenants::Entity>().set(tenants::Column::Seats, i64::from(seats)).exec()).await?;
        let event = Event::TenantSeatsChanged(tx.tenant, SeatsChanged { seats });
        tx.tx.batch(vec![tx.change(None, Touched::Tenant).into(), tx.event(&event).into()]).await?;
        tx.commit_and_wake(SeatsSet::Set { used }).await
    }

    /// Gives a tenant another name, and another slug where one is given. Ids, tokens and addresses stay.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another tenant has the slug.
    #[tracing::instrument(name = "store.tenants.rename_tenant", skip_all)]
    pub async fn rename_tenant(
        &self,
        scope: &AdminScope,
        name: &str,
        new_slug: Option<&str>,
    ) -> Result<String, StoreError> {
        check_name(name)?;
        new_slug.map_or(Ok(()), slug::check).map_err(StoreError::Invalid)?;
        let tx = self.write(&scope.scope).await?;
        let before: Option<TenantName> = tx.find::<tenants::Entity>().one().await?;
        let before = before.ok_or(StoreError::NotFound("tenant"))?;
        let slug = new_slug.unwrap_or(&before.slug).to_owned();
        if (before.name.as_str(), &before.slug) == (name, &slug) {
            return Ok(slug);
        }
        let renamed = tx.update_own::<tenants::Entity>().set(tenants::Column::Name, name);
        let written = tx.as_system(renamed.set(tenants::Column::Slug, slug.as_str()).exec()).await;
        written.map_err(|error| error.or_taken("the slug"))?;
        let before = TenantNames { name: before.name, slug: before.slug };
        let after = TenantNames { name: name.to_owned(), slug: slug.clone() };
        let event = Event::TenantRenamed(tx.tenant, Difference { before, after });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await?;
        Ok(slug)
    }
}

/// The outcome of [`Store::set_seats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatsSet {
    Set {
        used: i64,
    },
    /// More seats are in use than were asked for, and nothing was changed.
    Refused {
        used: i64,
    },
}

/// The names of a tenant.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "tenants::Entity")]
pub struct TenantName {
    pub id: Uuid,
    pub name: String,
    pub slug: String,
}

async fn insert_owner(tx: &TenantTx, email: &str) -> Result<(), StoreError> {
    let id: MemberId = tx.clock.new_id();
    let now = tx.clock.now();
    let owner = members::ActiveModel {
        id: Set(id.0),
        email: Set(email.into()),
        email_folded: Set(fold(email)),
        search_text: Set(search::text(email, [])),
        status: Set(MemberStatus::Active.as_str().into()),
        role: Set(Role::Owner.as_str().into()),
        billing_contact: Set(true),
        seated: Set(true),
        held: Set(false),
        created_at: Set(now),
        modified_at: Set(now),
        ..Default::default()
    };
    let detail = MemberCreated { email: email.to_owned(), role: Role::Owner, billing_contact: true, by: None };
    tx.tx.batch(vec![tx.insert(owner).into(), tx.event(&Event::MemberCreated(id, detail)).into()]).await
}

fn check_new(new: &NewTenant) -> Result<(), StoreError> {
    if new.owner_email.is_some() && new.seats == 0 {
        return Err(StoreError::Invalid("seats is 0, and the owner takes one: give 1 or more".into()));
    }
    check_name(&new.name)?;
    check_policy(&new.policy)?;
    if let Some(source) = new.policy.sources.keys().next() {
        return Err(StoreError::Invalid(format!("sources.{source}: a new tenant has no source yet")));
    }
    if !new.policy.protected_members.is_empty() {
        return Err(StoreError::Invalid("protected_members: a new tenant has no members yet".into()));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), StoreError> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(StoreError::Invalid(format!("a tenant's name has 1 to {NAME_CHARACTERS_MAX} characters")));
    }
    Ok(())
}

/// Checks a policy, and that its paths name attributes of SCIM users, which the domain cannot check alone.
///
/// # Errors
/// [`StoreError::Invalid`] names the key and the problem.
pub(crate) fn check_policy(policy: &Policy) -> Result<(), StoreError> {
    policy.validate().map_err(StoreError::Invalid)?;
    for own in policy.by_source().map_err(StoreError::Invalid)?.values().chain([policy]) {
        if let Some(path) = &own.email_attribute {
            TextPath::parse(path).map_err(|e| StoreError::Invalid(format!("email_attribute: {}", e.detail)))?;
        }
    }
    Ok(())
}

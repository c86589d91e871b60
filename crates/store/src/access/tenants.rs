//! Tenants: made by the operator, with seats, a policy, and an owner who can administer it.

use crate::admin::policy::check_policy;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{members, tenant_leases, tenants};
use crate::log::changes::Touched;
use crate::scope::AdminScope;
use rollcall_core::email::fold;
use rollcall_core::event::{Event, MemberCreated, SeatsChanged, TenantCreated};
use rollcall_core::ids::{MemberId, TenantId};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{MemberStatus, Role};
use sea_orm::ActiveValue::Set;

/// A tenant about to be made.
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
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<(TenantId, String), StoreError> {
        let id: TenantId = self.clock.new_id();
        let base = slug_of(&new.name)?;
        check_policy(&new.policy)?;
        if let Some(source) = new.policy.sources.keys().next() {
            return Err(StoreError::Invalid(format!("sources.{source}: a new tenant has no source yet")));
        }
        if !new.policy.protected_members.is_empty() {
            return Err(StoreError::Invalid("protected_members: a new tenant has no members yet".into()));
        }
        for attempt in 1..=100 {
            let slug = if attempt == 1 { base.clone() } else { format!("{base}-{attempt}") };
            match self.insert_tenant(id, &slug, new).await {
                Err(StoreError::Taken(_)) => {}
                other => return other.map(|()| (id, slug)),
            }
        }
        Err(StoreError::Invalid(format!("a hundred tenants are called `{base}`; choose another name")))
    }

    async fn insert_tenant(&self, id: TenantId, slug: &str, new: &NewTenant) -> Result<(), StoreError> {
        let tx = self.write(&AdminScope::of_operator(id).scope).await?;
        let policy = serde_json::to_value(&new.policy).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let tenant = tenants::ActiveModel {
            slug: Set(slug.into()),
            name: Set(new.name.clone()),
            seats: Set(new.seats.into()),
            policy: Set(policy),
            created_at: Set(tx.clock.now()),
            ..Default::default()
        };
        tx.insert(tenant).exec().await?;
        let seats_used = Set(new.owner_email.is_some().into());
        tx.insert(tenant_leases::ActiveModel { seats_used, ..Default::default() }).exec().await?;
        let (name, policy) = (new.name.clone(), new.policy.clone());
        let created = TenantCreated { name, slug: slug.to_owned(), seats: new.seats, policy };
        tx.tx.batch(vec![tx.event(&Event::TenantCreated(id, Box::new(created))).into()]).await?;
        if let Some(email) = &new.owner_email {
            insert_owner(&tx, email).await?;
        }
        tx.commit().await
    }

    /// A scope for the operator's command line.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown slug.
    pub async fn operator_scope(&self, slug: &str) -> Result<AdminScope, StoreError> {
        let tenant = self.tenant_by_slug(slug).await?.ok_or(StoreError::NotFound("tenant"))?;
        Ok(AdminScope::of_operator(tenant))
    }

    /// Sets the number of seats; the worker then admits members from the waitlist.
    pub async fn set_seats(&self, scope: &AdminScope, seats: u32) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        // A plan that gives away a seat returned here is void.
        tx.stop_the_planning().await?;
        tx.update_own::<tenants::Entity>().set(tenants::Column::Seats, i64::from(seats)).exec().await?;
        let event = Event::TenantSeatsChanged(tx.tenant, SeatsChanged { seats });
        tx.tx.batch(vec![tx.change(None, Touched::Tenant).into(), tx.event(&event).into()]).await?;
        tx.commit().await
    }
}

async fn insert_owner(tx: &TenantTx, email: &str) -> Result<(), StoreError> {
    let id: MemberId = tx.clock.new_id();
    let now = tx.clock.now();
    let owner = members::ActiveModel {
        id: Set(id.0),
        email: Set(email.into()),
        email_folded: Set(fold(email)),
        status: Set(MemberStatus::Active.as_str().into()),
        role: Set(Role::Owner.as_str().into()),
        billing_contact: Set(true),
        seated: Set(true),
        held: Set(false),
        created_at: Set(now),
        modified_at: Set(now),
        ..Default::default()
    };
    let detail = MemberCreated { email: email.to_owned(), role: Role::Owner, billing_contact: true };
    tx.tx.batch(vec![tx.insert(owner).into(), tx.event(&Event::MemberCreated(id, detail)).into()]).await
}

/// Lower-case ASCII letters, digits and single dashes, 1 to 40 of them.
fn slug_of(name: &str) -> Result<String, StoreError> {
    let dashed: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(40).collect();
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(StoreError::Invalid("a tenant's name has 1 to 200 characters".into()));
    }
    Ok(if slug.is_empty() { "tenant".into() } else { slug })
}

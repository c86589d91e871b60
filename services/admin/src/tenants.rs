//! `/api/v1/tenants`: the organisations of a hosted service, for its operator.

use crate::answer::{Answer, one, read, snapshot};
use crate::auth::OperatorAuth;
use crate::body::body;
use crate::error::AdminError;
use crate::query::query;
use crate::sign_in_links::shown;
use crate::view::List;
use crate::view::policy::PolicyChanges;
use crate::view::tenants as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use rollcall_core::policy::Policy;
use rollcall_store::{AdminScope, NewTenant, PageRequest, SeatsSet};
use rollcall_web::Body;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

/// Life of the first link of an owner.
const FIRST_LINK: TimeDelta = TimeDelta::hours(24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    limit: Option<u64>,
    /// The slug of the last tenant of the page before.
    #[serde(default)]
    cursor: String,
    #[expect(dead_code, reason = "the answer reads it")]
    fields: Option<IgnoredAny>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = CreateTenantRequest)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    /// Made of the name when it is left out.
    slug: Option<String>,
    seats: u32,
    /// The address of an active owner and billing contact.
    owner_email: Option<String>,
    /// Keys of the policy that differ from the defaults.
    #[serde(default)]
    #[schema(value_type = PolicyChanges)]
    policy: Map<String, Json>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeTenantRequest)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    slug: Option<String>,
    seats: Option<u32>,
    /// Sets fewer seats than are in use: nobody is removed, and nobody new comes in.
    #[serde(default)]
    below_use: bool,
}

#[utoipa::path(
    get, path = "/api/v1/tenants", tag = "tenants", operation_id = "tenants_tenants", summary = "Tenants, by slug",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<view::Tenant>)),
)]
pub(crate) async fn tenants(request: HttpRequest, auth: OperatorAuth) -> Answer {
    let After { limit, cursor, .. } = query(&request)?;
    let limit = PageRequest::limit_of(limit)?;
    let mut found = auth.admin.hub.store.tenants_after(&auth.operator, &cursor, limit + 1).await?;
    let more = u64::try_from(found.len()).is_ok_and(|found| found > limit);
    if more {
        found.pop();
    }
    let next = found.last().filter(|_| more).map(|last| last.slug.clone());
    snapshot::<view::Tenant>(&request, found, next)
}

#[utoipa::path(
    post, path = "/api/v1/tenants", tag = "tenants", operation_id = "tenants_create_tenant", summary = "Makes a tenant, and a link for its owner",
    request_body = New,
    responses((status = 201, body = view::NewTenant)),
)]
pub(crate) async fn create_tenant(request: HttpRequest, auth: OperatorAuth, payload: Body) -> Answer {
    auth.require_fresh()?;
    let New { name, slug, seats, owner_email, policy } = body(payload).await?;
    if let Some(owner) = &owner_email
        && !rollcall_scim::is_email(owner)
    {
        return Err(AdminError::BadRequest("owner_email is an email address".into()));
    }
    let policy = Policy::default().with_changes(&policy).map_err(AdminError::BadRequest)?;
    let new = NewTenant { name, seats, policy, owner_email: owner_email.clone() };
    let store = &auth.admin.hub.store;
    let id = store.create_tenant_by(&auth.operator, &new, slug.as_deref()).await?;
    let scope = store.tenant_of_operator(&auth.operator, &id.to_string()).await?;
    let sign_in_link = match owner_email {
        None => None,
        Some(owner) => {
            let owner = store.member_by_email(&scope, &owner).await?;
            let made = store.create_sign_in_link(&scope, owner, FIRST_LINK).await?;
            Some(shown(&request, &auth.admin, auth.admin.hub.after_commit(made).await))
        }
    };
    let tenant = store.tenant_summary(&scope).await?.into();
    Ok(HttpResponse::Created().json(view::NewTenant { tenant, sign_in_link }))
}

#[utoipa::path(
    get, path = "/api/v1/tenants/{id}", tag = "tenants", operation_id = "tenants_tenant", summary = "A tenant, by id or slug",
    params(("id" = String, Path)),
    responses((status = 200, body = view::Tenant)),
)]
pub(crate) async fn tenant(request: HttpRequest, auth: OperatorAuth) -> Answer {
    let scope = named(&request, &auth).await?;
    read::<view::Tenant>(&request, auth.admin.hub.store.tenant_summary(&scope).await?)
}

#[utoipa::path(
    patch, path = "/api/v1/tenants/{id}", tag = "tenants", operation_id = "tenants_change_tenant", summary = "Changes a tenant's name, slug or seats",
    params(("id" = String, Path)),
    request_body = Change,
    responses((status = 200, body = view::Tenant)),
)]
pub(crate) async fn change_tenant(request: HttpRequest, auth: OperatorAuth, payload: Body) -> Answer {
    let scope = named(&request, &auth).await?;
    let Change { name, slug, seats, below_use } = body(payload).await?;
    let store = &auth.admin.hub.store;
    if name.is_some() || slug.is_some() {
        let name = match name {
            Some(name) => name,
            None => store.tenant_names(&scope).await?.name,
        };
        store.rename_tenant(&scope, &name, slug.as_deref()).await?;
    }
    if let Some(seats) = seats {
        let set = store.set_seats(&scope, seats, below_use).await?;
        if let SeatsSet::Refused { used } = auth.admin.hub.after_commit(set).await {
            return Err(AdminError::BadRequest(format!(
                "{used} seats are in use: give as many, or `below_use`: true, which removes nobody and lets nobody new in"
            )));
        }
    }
    one::<view::Tenant>(store.tenant_summary(&scope).await?)
}

/// The tenant in the path.
async fn named(request: &HttpRequest, auth: &OperatorAuth) -> Result<AdminScope, AdminError> {
    let name = request.match_info().get("id").unwrap_or_default();
    Ok(auth.admin.hub.store.tenant_of_operator(&auth.operator, name).await?)
}

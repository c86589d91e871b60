//! `/api/v1/domains`: the domains of the organisation, each proven by a DNS record.

use crate::answer::{Answer, one, snapshot};
use crate::auth::ApiAuth;
use crate::body::{body, no_body};
use crate::path::id_in_path;
use crate::query::only_fields;
use crate::view::List;
use crate::view::domains as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::DomainId;
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = AddDomainRequest)]
#[serde(deny_unknown_fields)]
struct NewDomain {
    domain: String,
}

#[utoipa::path(
    get, path = "/api/v1/domains", tag = "sign-in", operation_id = "domains_domains", summary = "Domains, with the record that proves each",
    responses((status = 200, body = List<view::Domain>)),
)]
pub(crate) async fn domains(request: HttpRequest, auth: ApiAuth) -> Answer {
    only_fields(&request)?;
    snapshot::<view::Domain>(&request, auth.admin.hub.store.domains(&auth.scope).await?, None)
}

#[utoipa::path(
    post, path = "/api/v1/domains", tag = "sign-in", operation_id = "domains_add_domain", summary = "Adds a domain that is to be proven",
    request_body = NewDomain,
    responses((status = 201, body = view::Domain)),
)]
pub(crate) async fn add_domain(auth: ApiAuth, payload: Body) -> Answer {
    let NewDomain { domain } = body(payload).await?;
    let made = auth.admin.hub.store.add_domain(&auth.scope, &domain).await?;
    Ok(HttpResponse::Created().json(view::Domain::from(made)))
}

/// Looks for the record now. It is looked for again every day.
#[utoipa::path(
    post, path = "/api/v1/domains/{id}/check", tag = "sign-in", operation_id = "domains_check_domain", summary = "Looks for the DNS record of a domain",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Domain)),
)]
pub(crate) async fn check_domain(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: DomainId = id_in_path(&request, "domain")?;
    no_body(payload).await?;
    let domain = auth.admin.hub.store.domain(&auth.scope, id).await?;
    let (domain, proof) = auth.admin.sign_ins.check_domain(&auth.scope, &domain).await?;
    one::<view::Domain>(view::Domain::checked(domain, proof))
}

#[utoipa::path(
    delete, path = "/api/v1/domains/{id}", tag = "sign-in", operation_id = "domains_remove_domain", summary = "Removes a domain",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn remove_domain(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: DomainId = id_in_path(&request, "domain")?;
    auth.admin.hub.store.remove_domain(&auth.scope, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

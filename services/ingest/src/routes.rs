//! The endpoint tables of this service. Every endpoint of SCIM requires a token of the source in its path; the others are those at which
//! an OAuth client gets one, and those of agents.

use crate::Ingest;
use crate::agent::error::AgentError;
use crate::agent::{keys, state, uploads};
use crate::ledger;
use crate::oauth::{self, OauthError};
use crate::scim::error::IngestError;
use crate::scim::{bulk, discovery, groups, search, users, write};
use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, web};
use rollcall_scim::ScimError;
use rollcall_web::{Endpoint, RouteLabel, endpoints, resource, same_paths};

/// Everything under `/scim/v2/{source_id}`, methods of one path next to each other.
pub fn endpoints() -> Vec<Endpoint> {
    let endpoints = endpoints![
        "scim";
        GET "/scim/v2/{source_id}/ServiceProviderConfig" => discovery::service_provider_config,
        GET "/scim/v2/{source_id}/ResourceTypes" => discovery::resource_types,
        GET "/scim/v2/{source_id}/ResourceTypes/{name}" => discovery::resource_type,
        GET "/scim/v2/{source_id}/Schemas" => discovery::schemas,
        GET "/scim/v2/{source_id}/Schemas/{urn}" => discovery::schema,
        GET "/scim/v2/{source_id}/Users" => users::list,
        POST "/scim/v2/{source_id}/Users" => write::user,
        POST "/scim/v2/{source_id}/Users/.search" => users::search,
        GET "/scim/v2/{source_id}/Users/{id}" => users::get,
        PUT "/scim/v2/{source_id}/Users/{id}" => write::user,
        PATCH "/scim/v2/{source_id}/Users/{id}" => write::user,
        DELETE "/scim/v2/{source_id}/Users/{id}" => write::user,
        GET "/scim/v2/{source_id}/Groups" => groups::list,
        POST "/scim/v2/{source_id}/Groups" => write::group,
        POST "/scim/v2/{source_id}/Groups/.search" => groups::search,
        GET "/scim/v2/{source_id}/Groups/{id}" => groups::get,
        PUT "/scim/v2/{source_id}/Groups/{id}" => write::group,
        PATCH "/scim/v2/{source_id}/Groups/{id}" => write::group,
        DELETE "/scim/v2/{source_id}/Groups/{id}" => write::group,
        GET "/scim/v2/{source_id}" => search::list,
        POST "/scim/v2/{source_id}/.search" => search::search,
        POST "/scim/v2/{source_id}/Bulk" => bulk::run,
        GET "/scim/v2/{source_id}/Me" => discovery::me,
        POST "/scim/v2/{source_id}/Me" => discovery::me,
        PUT "/scim/v2/{source_id}/Me" => discovery::me,
        PATCH "/scim/v2/{source_id}/Me" => discovery::me,
        DELETE "/scim/v2/{source_id}/Me" => discovery::me,
    ];
    endpoints.into_iter().map(Endpoint::with_head).collect()
}

/// The endpoints at which an OAuth client gets a token for its source, and gives it back.
pub fn oauth_endpoints() -> Vec<Endpoint> {
    endpoints![
        "oauth";
        POST "/oauth/token" => oauth::token,
        POST "/oauth/revoke" => oauth::revoke,
        POST "/oauth/device_authorization" => oauth::device::begin,
        GET "/.well-known/oauth-authorization-server" => oauth::metadata,
        GET "/oauth/openapi.json" => oauth::document,
    ]
}

/// The endpoints of agents: the enrolment asks for a token that serves once, the others for a signature.
pub fn agent_endpoints() -> Vec<Endpoint> {
    endpoints![
        "agent";
        POST "/agent/v1/enrolment" => keys::enrol,
        POST "/agent/v1/keys" => keys::next,
        GET "/agent/v1/state" => state::state,
        GET "/agent/v1/state/nodes" => state::nodes,
        POST "/agent/v1/uploads" => uploads::begin,
        POST "/agent/v1/uploads/whole" => uploads::whole,
        GET "/agent/v1/uploads/{id}" => uploads::outcome,
        DELETE "/agent/v1/uploads/{id}" => uploads::give_up,
        GET "/agent/v1/uploads/{id}/parts" => uploads::part_numbers,
        PUT "/agent/v1/uploads/{id}/parts/{number}" => uploads::put_part,
        POST "/agent/v1/uploads/{id}/commit" => uploads::commit,
    ]
}

/// The start of every path. As a scope of its own it is compared once for each request, and not once for each path of the
/// table.
const BASE: &str = "/scim/v2/{source_id}";

/// Registers the service.
pub fn configure(ingest: Ingest) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(ingest));
        let label = RouteLabel::unknown("scim");
        let mut scope = web::scope(BASE).app_data(label).default_service(web::to(unknown_path));
        let endpoints = endpoints();
        for same_path in same_paths(&endpoints) {
            let path = &same_path[0].path[BASE.len()..];
            scope = scope.service(observed(path, same_path));
        }
        // Some clients write paths in lower case (SCIMReferenceCode's own collection does). These come last, so that no other
        // client's request is compared with them.
        for same_path in same_paths(&endpoints) {
            let path = &same_path[0].path[BASE.len()..];
            let lower = path.replace("/Users", "/users").replace("/Groups", "/groups");
            if lower != path {
                scope = scope.service(observed(&lower, same_path));
            }
        }
        for same_path in same_paths(&oauth_endpoints()) {
            app.service(resource(same_path[0].path, same_path, OauthError::from));
        }
        for same_path in same_paths(&agent_endpoints()) {
            app.service(resource(same_path[0].path, same_path, AgentError::from));
        }
        let elsewhere = web::scope("/scim").app_data(label).default_service(web::to(unknown_path));
        app.service(scope).service(elsewhere);
    }
}

/// All methods of one path, with the ledger around them.
fn observed(path: &str, endpoints: &[Endpoint]) -> impl HttpServiceFactory + use<> {
    resource(path, endpoints, IngestError::from).wrap(from_fn(ledger::observe))
}

async fn unknown_path(request: HttpRequest) -> Result<String, IngestError> {
    let detail = format!("there is no SCIM endpoint at {}; the base address is /scim/v2/{{source_id}}", request.path());
    Err(ScimError::not_found(detail).into())
}

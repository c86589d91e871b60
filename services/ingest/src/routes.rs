//! The routes of this service, as one table: the router is built from it, and so is the test that walks it.

use crate::Ingest;
use crate::ledger;
use crate::scim::error::IngestError;
use crate::scim::{bulk, discovery, groups, search, users};
use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, Route, guard, web};
use rollcall_runtime::RoutePattern;
use rollcall_scim::ScimError;

/// One method on one path; every one of them wants a SCIM token of the source in the path.
pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    route: fn() -> Route,
}

macro_rules! endpoints {
    ($($method:ident $path:literal => $handler:path),+ $(,)?) => {
        vec![$(Endpoint { method: Method::$method, path: $path, route: || by(Method::$method).to($handler) }),+]
    };
}

/// What answers GET answers HEAD too, without the body (RFC 9110 §9.3.2).
fn by(method: Method) -> Route {
    if method == Method::GET {
        web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
    } else {
        web::method(method)
    }
}

/// Everything under `/scim/v2/{source_id}`, methods of one path next to each other.
pub fn endpoints() -> Vec<Endpoint> {
    endpoints![
        GET "/scim/v2/{source_id}/ServiceProviderConfig" => discovery::service_provider_config,
        GET "/scim/v2/{source_id}/ResourceTypes" => discovery::resource_types,
        GET "/scim/v2/{source_id}/ResourceTypes/{name}" => discovery::resource_type,
        GET "/scim/v2/{source_id}/Schemas" => discovery::schemas,
        GET "/scim/v2/{source_id}/Schemas/{urn}" => discovery::schema,
        GET "/scim/v2/{source_id}/Users" => users::list,
        POST "/scim/v2/{source_id}/Users" => users::write,
        POST "/scim/v2/{source_id}/Users/.search" => users::search,
        GET "/scim/v2/{source_id}/Users/{id}" => users::get,
        PUT "/scim/v2/{source_id}/Users/{id}" => users::write,
        PATCH "/scim/v2/{source_id}/Users/{id}" => users::write,
        DELETE "/scim/v2/{source_id}/Users/{id}" => users::write,
        GET "/scim/v2/{source_id}/Groups" => groups::list,
        POST "/scim/v2/{source_id}/Groups" => groups::write,
        POST "/scim/v2/{source_id}/Groups/.search" => groups::search,
        GET "/scim/v2/{source_id}/Groups/{id}" => groups::get,
        PUT "/scim/v2/{source_id}/Groups/{id}" => groups::write,
        PATCH "/scim/v2/{source_id}/Groups/{id}" => groups::write,
        DELETE "/scim/v2/{source_id}/Groups/{id}" => groups::write,
        GET "/scim/v2/{source_id}" => search::list,
        POST "/scim/v2/{source_id}/.search" => search::search,
        POST "/scim/v2/{source_id}/Bulk" => bulk::run,
        GET "/scim/v2/{source_id}/Me" => discovery::me,
        POST "/scim/v2/{source_id}/Me" => discovery::me,
        PUT "/scim/v2/{source_id}/Me" => discovery::me,
        PATCH "/scim/v2/{source_id}/Me" => discovery::me,
        DELETE "/scim/v2/{source_id}/Me" => discovery::me,
    ]
}

/// What every path begins with. A scope of its own: the router then compares the source once, and not for each path.
const BASE: &str = "/scim/v2/{source_id}";

/// Registers the service.
pub fn configure(ingest: Ingest) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(ingest));
        let mut scope = web::scope(BASE).default_service(web::to(unknown_path));
        let endpoints = endpoints();
        for same_path in endpoints.chunk_by(|one, other| one.path == other.path) {
            let path = &same_path[0].path[BASE.len()..];
            scope = scope.service(resource(path, same_path));
        }
        // Some clients write paths small (SCIMReferenceCode's own collection does): last, so that others do not pay for it.
        for same_path in endpoints.chunk_by(|one, other| one.path == other.path) {
            let path = &same_path[0].path[BASE.len()..];
            let small = path.replace("/Users", "/users").replace("/Groups", "/groups");
            if small != path {
                scope = scope.service(resource(&small, same_path));
            }
        }
        app.service(scope).service(web::scope("/scim").default_service(web::to(unknown_path)));
    }
}

/// All methods of one path; another one is refused with their names.
fn resource(path: &str, endpoints: &[Endpoint]) -> impl HttpServiceFactory + use<> {
    let mut allowed: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allowed = allowed.join(", ");
    let routes = endpoints.iter().fold(web::resource(path), |resource, endpoint| resource.route((endpoint.route)()));
    routes
        .app_data(RoutePattern(endpoints[0].path))
        .default_service(web::to(move || refuse_method(allowed.clone())))
        .wrap(from_fn(ledger::observe))
}

async fn refuse_method(allowed: String) -> Result<String, IngestError> {
    Err(IngestError::MethodNotAllowed { allowed })
}

async fn unknown_path(request: HttpRequest) -> Result<String, IngestError> {
    let detail = format!("there is no SCIM endpoint at {}; the base address is /scim/v2/{{source_id}}", request.path());
    Err(ScimError::not_found(detail).into())
}

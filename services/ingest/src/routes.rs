//! The routes of this service, as one table: the router is built from it, and so is the test that walks it.

use crate::Ingest;
use crate::error::IngestError;
use crate::ledger;
use crate::scim::{bulk, discovery, everything, groups, users};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, Route, web};
use rollcall_scim::ScimError;

/// One method on one path; every one of them wants a SCIM token of the source in the path.
pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    route: fn() -> Route,
}

macro_rules! endpoints {
    ($($method:ident $path:literal => $handler:path),+ $(,)?) => {
        vec![$(Endpoint { method: Method::$method, path: $path, route: || web::method(Method::$method).to($handler) }),+]
    };
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
        POST "/scim/v2/{source_id}/.search" => everything::search,
        POST "/scim/v2/{source_id}/Bulk" => bulk::run,
        GET "/scim/v2/{source_id}/Me" => discovery::me,
        POST "/scim/v2/{source_id}/Me" => discovery::me,
        PUT "/scim/v2/{source_id}/Me" => discovery::me,
        PATCH "/scim/v2/{source_id}/Me" => discovery::me,
        DELETE "/scim/v2/{source_id}/Me" => discovery::me,
    ]
}

/// Registers the service.
pub fn configure(ingest: Ingest) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(ingest));
        let mut endpoints = endpoints().into_iter().peekable();
        while let Some(first) = endpoints.next() {
            let mut resource = web::resource(first.path).route((first.route)());
            let mut allowed = vec![first.method.to_string()];
            while let Some(next) = endpoints.next_if(|next| next.path == first.path) {
                resource = resource.route((next.route)());
                allowed.push(next.method.to_string());
            }
            let allowed = allowed.join(", ");
            let resource = resource.default_service(web::to(move || refuse_method(allowed.clone())));
            app.service(resource.wrap(from_fn(ledger::observe)));
        }
        app.service(web::scope("/scim").default_service(web::to(unknown_path)));
    }
}

async fn refuse_method(allowed: String) -> Result<String, IngestError> {
    Err(IngestError::MethodNotAllowed { allowed })
}

async fn unknown_path(request: HttpRequest) -> Result<String, IngestError> {
    let detail = format!("there is no SCIM endpoint at {}; the base address is /scim/v2/{{source_id}}", request.path());
    Err(ScimError::not_found(detail).into())
}

//! The routes of this service, as one table: the router is built from it, and so is the test that walks it.

use crate::Admin;
use crate::error::AdminError;
use crate::{decisions, dialect, resources, sources};
use actix_web::http::Method;
use actix_web::{HttpRequest, Route, web};

/// One method on one path; every one of them wants an API key.
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

/// Everything under `/api/v1`, methods of one path next to each other.
pub fn endpoints() -> Vec<Endpoint> {
    endpoints![
        GET "/api/v1/members" => resources::members,
        GET "/api/v1/members/{id}" => resources::member,
        POST "/api/v1/members/{id}/accept" => resources::accept_invitation,
        GET "/api/v1/groups" => resources::groups,
        GET "/api/v1/groups/{id}/members" => resources::group_members,
        GET "/api/v1/runs" => resources::runs,
        GET "/api/v1/runs/{id}" => resources::run,
        GET "/api/v1/runs/{id}/items" => resources::run_items,
        POST "/api/v1/runs/{id}/approve" => decisions::approve_run,
        POST "/api/v1/runs/{id}/reject" => decisions::reject_run,
        GET "/api/v1/policy" => decisions::policy,
        PUT "/api/v1/policy" => decisions::set_policy,
        GET "/api/v1/skipped-records" => decisions::skipped_records,
        POST "/api/v1/skipped-records/{id}/retry" => decisions::retry_record,
        GET "/api/v1/sources" => sources::sources,
        GET "/api/v1/sources/{id}" => sources::source,
        PATCH "/api/v1/sources/{id}" => sources::change_source,
        GET "/api/v1/sources/{id}/tokens" => sources::tokens,
        POST "/api/v1/sources/{id}/tokens" => sources::create_token,
        POST "/api/v1/sources/{id}/tokens/{token_id}/rotate" => sources::rotate_token,
        DELETE "/api/v1/sources/{id}/tokens/{token_id}" => sources::revoke_token,
        GET "/api/v1/sources/{id}/dialect" => dialect::dialect,
        GET "/api/v1/sources/{id}/rejected" => dialect::rejected,
        POST "/api/v1/sources/{id}/rejected/{rejected_id}/replay" => dialect::replay,
        GET "/api/v1/audit-events" => resources::audit_events,
    ]
}

/// Registers the service.
pub fn configure(admin: Admin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(admin));
        let mut endpoints = endpoints().into_iter().peekable();
        while let Some(first) = endpoints.next() {
            let mut resource = web::resource(first.path).route((first.route)());
            let mut allowed = vec![first.method.to_string()];
            while let Some(next) = endpoints.next_if(|next| next.path == first.path) {
                resource = resource.route((next.route)());
                allowed.push(next.method.to_string());
            }
            let allowed = allowed.join(", ");
            app.service(resource.default_service(web::to(move || refuse_method(allowed.clone()))));
        }
        app.service(web::scope("/api").default_service(web::to(unknown_path)));
    }
}

async fn refuse_method(allowed: String) -> Result<String, AdminError> {
    Err(AdminError::MethodNotAllowed { allowed })
}

async fn unknown_path(request: HttpRequest) -> Result<String, AdminError> {
    Err(AdminError::NotFound(format!("there is nothing at {}", request.path())))
}

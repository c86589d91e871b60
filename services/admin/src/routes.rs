//! The routes of this service, as one table: the router is built from it, and so is the test that walks it.

use crate::Admin;
use crate::error::AdminError;
use crate::{
    approval, cutover, decisions, dialect, explain, mapping, members, on_demand, remediation, resources, sources,
};
use actix_web::http::Method;
use actix_web::{HttpRequest, Route, web};
use rollcall_runtime::RoutePattern;

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
        POST "/api/v1/members/approve" => approval::approve_many,
        POST "/api/v1/members/decline" => approval::decline_many,
        GET "/api/v1/members/{id}" => resources::member,
        PATCH "/api/v1/members/{id}" => members::change_member,
        POST "/api/v1/members/{id}/accept" => resources::accept_invitation,
        POST "/api/v1/members/{id}/approve" => approval::approve,
        POST "/api/v1/members/{id}/decline" => approval::decline,
        GET "/api/v1/members/{id}/explain" => explain::member,
        GET "/api/v1/explain" => explain::somebody,
        GET "/api/v1/groups" => resources::groups,
        DELETE "/api/v1/groups/{id}" => decisions::delete_group,
        GET "/api/v1/groups/{id}/members" => resources::group_members,
        GET "/api/v1/runs" => resources::runs,
        GET "/api/v1/runs/{id}" => resources::run,
        GET "/api/v1/runs/{id}/items" => resources::run_items,
        GET "/api/v1/runs/{id}/compare" => resources::compare_runs,
        POST "/api/v1/runs/{id}/approve" => decisions::approve_run,
        POST "/api/v1/runs/{id}/reject" => decisions::reject_run,
        POST "/api/v1/runs/{id}/rewind" => decisions::rewind_run,
        GET "/api/v1/policy" => decisions::policy,
        PUT "/api/v1/policy" => decisions::set_policy,
        PATCH "/api/v1/policy" => decisions::change_policy,
        POST "/api/v1/policy/mapping/preview" => mapping::preview_mapping,
        GET "/api/v1/skipped-records" => remediation::skipped_records,
        POST "/api/v1/skipped-records/{id}/retry" => remediation::retry,
        POST "/api/v1/skipped-records/{id}/ignore" => remediation::ignore,
        GET "/api/v1/sources" => sources::sources,
        GET "/api/v1/sources/{id}" => sources::source,
        PATCH "/api/v1/sources/{id}" => sources::change_source,
        POST "/api/v1/sources/{id}/release" => sources::release_source,
        GET "/api/v1/sources/{id}/promotion" => cutover::promotion,
        GET "/api/v1/sources/{id}/promotion/items" => cutover::promotion_items,
        POST "/api/v1/sources/{id}/promote" => cutover::promote,
        GET "/api/v1/sources/{id}/detachment" => cutover::detachment,
        GET "/api/v1/sources/{id}/detachment/items" => cutover::detachment_items,
        POST "/api/v1/sources/{id}/detach" => cutover::detach,
        GET "/api/v1/sources/{id}/tokens" => sources::tokens,
        POST "/api/v1/sources/{id}/tokens" => sources::create_token,
        POST "/api/v1/sources/{id}/tokens/{token_id}/rotate" => sources::rotate_token,
        DELETE "/api/v1/sources/{id}/tokens/{token_id}" => sources::revoke_token,
        GET "/api/v1/sources/{id}/dialect" => dialect::dialect,
        GET "/api/v1/sources/{id}/rejected" => dialect::rejected,
        POST "/api/v1/sources/{id}/rejected/{rejected_id}/replay" => dialect::replay,
        GET "/api/v1/sources/{id}/users/{user_id}/explain" => explain::record,
        POST "/api/v1/sources/{id}/users/{user_id}/reconcile" => on_demand::reconcile,
        GET "/api/v1/audit-events" => resources::audit_events,
        GET "/api/v1/request-log" => resources::request_log,
    ]
}

/// Registers the service.
pub fn configure(admin: Admin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(admin));
        let mut endpoints = endpoints().into_iter().peekable();
        while let Some(first) = endpoints.next() {
            let mut resource = web::resource(first.path).app_data(RoutePattern(first.path)).route((first.route)());
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

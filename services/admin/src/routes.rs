//! The endpoint table of this service. Every endpoint requires an API key.

use crate::Admin;
use crate::error::AdminError;
use crate::{
    audit_events, detachment, dialect, explain, groups, mapping, members, policy, promotion, reconcile, rejected,
    request_log, runs, skipped_records, sources, tokens,
};
use actix_web::{HttpRequest, web};
use rollcall_web::{Endpoint, RouteLabel, endpoints, resource, same_paths};

/// Everything under `/api/v1`, methods of one path next to each other.
pub fn endpoints() -> Vec<Endpoint> {
    endpoints!["admin";
        GET "/api/v1/members" => members::members,
        POST "/api/v1/members/approve" => members::approve_many,
        POST "/api/v1/members/decline" => members::decline_many,
        GET "/api/v1/members/{id}" => members::member,
        PATCH "/api/v1/members/{id}" => members::change_member,
        POST "/api/v1/members/{id}/accept" => members::accept_invitation,
        POST "/api/v1/members/{id}/approve" => members::approve,
        POST "/api/v1/members/{id}/decline" => members::decline,
        GET "/api/v1/members/{id}/explain" => explain::member,
        GET "/api/v1/explain" => explain::somebody,
        GET "/api/v1/groups" => groups::groups,
        DELETE "/api/v1/groups/{id}" => groups::delete_group,
        GET "/api/v1/groups/{id}/members" => groups::group_members,
        GET "/api/v1/runs" => runs::runs,
        GET "/api/v1/runs/{id}" => runs::run,
        GET "/api/v1/runs/{id}/items" => runs::run_items,
        GET "/api/v1/runs/{id}/compare" => runs::compare_runs,
        POST "/api/v1/runs/{id}/approve" => runs::approve_run,
        POST "/api/v1/runs/{id}/reject" => runs::reject_run,
        POST "/api/v1/runs/{id}/rewind" => runs::rewind_run,
        GET "/api/v1/policy" => policy::policy,
        PUT "/api/v1/policy" => policy::set_policy,
        PATCH "/api/v1/policy" => policy::change_policy,
        POST "/api/v1/policy/mapping/preview" => mapping::preview_mapping,
        GET "/api/v1/skipped-records" => skipped_records::skipped_records,
        POST "/api/v1/skipped-records/{id}/retry" => skipped_records::retry,
        POST "/api/v1/skipped-records/{id}/ignore" => skipped_records::ignore,
        GET "/api/v1/sources" => sources::sources,
        GET "/api/v1/sources/{id}" => sources::source,
        PATCH "/api/v1/sources/{id}" => sources::change_source,
        POST "/api/v1/sources/{id}/release" => sources::release_source,
        POST "/api/v1/sources/{id}/rewind" => runs::rewind_source,
        GET "/api/v1/sources/{id}/promotion" => promotion::promotion,
        GET "/api/v1/sources/{id}/promotion/items" => promotion::promotion_items,
        POST "/api/v1/sources/{id}/promote" => promotion::promote,
        GET "/api/v1/sources/{id}/detachment" => detachment::detachment,
        GET "/api/v1/sources/{id}/detachment/items" => detachment::detachment_items,
        POST "/api/v1/sources/{id}/detach" => detachment::detach,
        GET "/api/v1/sources/{id}/tokens" => tokens::tokens,
        POST "/api/v1/sources/{id}/tokens" => tokens::create_token,
        POST "/api/v1/sources/{id}/tokens/{token_id}/rotate" => tokens::rotate_token,
        DELETE "/api/v1/sources/{id}/tokens/{token_id}" => tokens::revoke_token,
        GET "/api/v1/sources/{id}/dialect" => dialect::dialect,
        GET "/api/v1/sources/{id}/rejected" => rejected::rejected,
        POST "/api/v1/sources/{id}/rejected/{rejected_id}/replay" => rejected::replay,
        GET "/api/v1/sources/{id}/users/{user_id}/explain" => explain::record,
        POST "/api/v1/sources/{id}/users/{user_id}/reconcile" => reconcile::reconcile,
        GET "/api/v1/audit-events" => audit_events::audit_events,
        GET "/api/v1/request-log" => request_log::request_log,
    ]
}

/// Registers the service.
pub fn configure(admin: Admin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(admin));
        for same_path in same_paths(&endpoints()) {
            app.service(resource(same_path[0].path, same_path, AdminError::from));
        }
        let elsewhere = web::scope("/api").app_data(RouteLabel::unknown("admin"));
        app.service(elsewhere.default_service(web::to(unknown_path)));
    }
}

async fn unknown_path(request: HttpRequest) -> Result<String, AdminError> {
    Err(AdminError::NotFound(format!("there is nothing at {}", request.path())))
}

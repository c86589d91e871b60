//! The endpoint table of this service. Every endpoint requires an API key of at least the role in the table; authentication
//! reads it from there.

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
        GET "/api/v1/members" by Member => members::members,
        POST "/api/v1/members/approve" by Admin => members::approve_many,
        POST "/api/v1/members/decline" by Admin => members::decline_many,
        GET "/api/v1/members/{id}" by Member => members::member,
        PATCH "/api/v1/members/{id}" by Admin => members::change_member,
        POST "/api/v1/members/{id}/accept" by Admin => members::accept_invitation,
        POST "/api/v1/members/{id}/approve" by Admin => members::approve,
        POST "/api/v1/members/{id}/decline" by Admin => members::decline,
        GET "/api/v1/members/{id}/explain" by Member => explain::member,
        GET "/api/v1/explain" by Member => explain::somebody,
        GET "/api/v1/groups" by Member => groups::groups,
        DELETE "/api/v1/groups/{id}" by Admin => groups::delete_group,
        GET "/api/v1/groups/{id}/members" by Member => groups::group_members,
        GET "/api/v1/runs" by Member => runs::runs,
        GET "/api/v1/runs/{id}" by Member => runs::run,
        GET "/api/v1/runs/{id}/items" by Member => runs::run_items,
        GET "/api/v1/runs/{id}/compare" by Member => runs::compare_runs,
        POST "/api/v1/runs/{id}/approve" by Admin => runs::approve_run,
        POST "/api/v1/runs/{id}/reject" by Admin => runs::reject_run,
        POST "/api/v1/runs/{id}/rewind" by Admin => runs::rewind_run,
        GET "/api/v1/policy" by Member => policy::policy,
        PUT "/api/v1/policy" by Admin => policy::set_policy,
        PATCH "/api/v1/policy" by Admin => policy::change_policy,
        POST "/api/v1/policy/mapping/preview" by Admin => mapping::preview_mapping,
        GET "/api/v1/skipped-records" by Member => skipped_records::skipped_records,
        POST "/api/v1/skipped-records/{id}/retry" by Admin => skipped_records::retry,
        POST "/api/v1/skipped-records/{id}/ignore" by Admin => skipped_records::ignore,
        GET "/api/v1/sources" by Member => sources::sources,
        GET "/api/v1/sources/{id}" by Member => sources::source,
        PATCH "/api/v1/sources/{id}" by Admin => sources::change_source,
        POST "/api/v1/sources/{id}/release" by Admin => sources::release_source,
        POST "/api/v1/sources/{id}/rewind" by Admin => runs::rewind_source,
        GET "/api/v1/sources/{id}/promotion" by Member => promotion::promotion,
        GET "/api/v1/sources/{id}/promotion/items" by Member => promotion::promotion_items,
        POST "/api/v1/sources/{id}/promote" by Owner => promotion::promote,
        GET "/api/v1/sources/{id}/detachment" by Member => detachment::detachment,
        GET "/api/v1/sources/{id}/detachment/items" by Member => detachment::detachment_items,
        POST "/api/v1/sources/{id}/detach" by Owner => detachment::detach,
        GET "/api/v1/sources/{id}/tokens" by Member => tokens::tokens,
        POST "/api/v1/sources/{id}/tokens" by Owner => tokens::create_token,
        POST "/api/v1/sources/{id}/tokens/{token_id}/rotate" by Owner => tokens::rotate_token,
        DELETE "/api/v1/sources/{id}/tokens/{token_id}" by Admin => tokens::revoke_token,
        GET "/api/v1/sources/{id}/dialect" by Member => dialect::dialect,
        GET "/api/v1/sources/{id}/rejected" by Member => rejected::rejected,
        POST "/api/v1/sources/{id}/rejected/{rejected_id}/replay" by Admin => rejected::replay,
        GET "/api/v1/sources/{id}/users/{user_id}/explain" by Member => explain::record,
        POST "/api/v1/sources/{id}/users/{user_id}/reconcile" by Admin => reconcile::reconcile,
        GET "/api/v1/audit-events" by Member => audit_events::audit_events,
        GET "/api/v1/request-log" by Member => request_log::request_log,
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

//! The endpoint table of this service: the least role, the permission and the age of the sign-in that each endpoint asks for;
//! authentication reads them from there.

use crate::Admin;
use crate::error::AdminError;
use crate::{
    activate_page, agents, api_keys, audit_events, changes, console, cors, detachment, dialect, domains, etag, events,
    explain, exports, groups, idempotency, identities, invitations, mapping, member_blocks, members, oauth_clients,
    openapi, openapi_page, operator_pages, operators, policy, promotion, provider_pages, reconcile, rejected,
    request_log, runs, session, sessions, setup_links, setup_page, sign_in_connections, sign_in_links, sign_in_page,
    skipped_records, sources, statistics, tenants, tokens, webhooks,
};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, web};
use rollcall_web::{Endpoint, RouteLabel, endpoints, resource, same_paths};

/// Everything under `/api/v1`, the console, and the pages of sign-in and set-up links; methods of one path next to each other.
#[expect(clippy::too_many_lines, reason = "it is one table")]
pub fn endpoints() -> Vec<Endpoint> {
    endpoints!["admin";
        GET "/api/v1/tenants" for operator => tenants::tenants,
        POST "/api/v1/tenants" for operator => tenants::create_tenant,
        GET "/api/v1/tenants/{id}" for operator => tenants::tenant,
        PATCH "/api/v1/tenants/{id}" for operator => tenants::change_tenant,
        GET "/api/v1/operators" for operator => operators::operators,
        DELETE "/api/v1/operators/{id}" for operator => operators::revoke,
        GET "/api/v1/operator-session" for operator => operators::session,
        DELETE "/api/v1/operator-session" for operator => operators::sign_out,
        GET "/api/v1/session" by Member may Read => session::session,
        POST "/api/v1/session" => session::sign_in,
        DELETE "/api/v1/session" by Member may Read => session::sign_out,
        POST "/api/v1/session/recovery-codes" by Owner may Access fresh => session::recovery_codes,
        GET "/api/v1/sessions" by Member may Read => sessions::sessions,
        DELETE "/api/v1/sessions/{id}" by Member may Read => sessions::end_session,
        GET "/api/v1/api-keys" by Auditor may Access => api_keys::api_keys,
        POST "/api/v1/api-keys" by Admin may Access fresh => api_keys::create_api_key,
        POST "/api/v1/api-keys/{id}/rotate" by Admin may Access fresh => api_keys::rotate_api_key,
        DELETE "/api/v1/api-keys/{id}" by Admin may Access => api_keys::revoke_api_key,
        GET "/api/v1/sign-in-connections" by Auditor may Access => sign_in_connections::connections,
        POST "/api/v1/sign-in-connections" by Owner may Access fresh => sign_in_connections::create_connection,
        GET "/api/v1/sign-in-connections/{id}" by Auditor may Access => sign_in_connections::connection,
        PATCH "/api/v1/sign-in-connections/{id}" by Owner may Access fresh => sign_in_connections::change_connection,
        DELETE "/api/v1/sign-in-connections/{id}" by Owner may Access fresh => sign_in_connections::delete_connection,
        POST "/api/v1/sign-in-connections/{id}/test" by Owner may Access preview => sign_in_connections::test_connection,
        GET "/api/v1/domains" by Auditor may Access => domains::domains,
        POST "/api/v1/domains" by Owner may Access fresh => domains::add_domain,
        DELETE "/api/v1/domains/{id}" by Owner may Access fresh => domains::remove_domain,
        POST "/api/v1/domains/{id}/check" by Owner may Access => domains::check_domain,
        GET "/api/v1/members" by Member may Read => members::members,
        POST "/api/v1/members" by Admin may Members => invitations::invite,
        POST "/api/v1/members/invite" by Admin may Members => invitations::invite_many,
        POST "/api/v1/members/invite-again" by Admin may Members => invitations::invite_many_again,
        POST "/api/v1/members/remove" by Admin may Members => invitations::remove_many,
        POST "/api/v1/members/approve" by Admin may Members => members::approve_many,
        POST "/api/v1/members/decline" by Admin may Members => members::decline_many,
        POST "/api/v1/members/block" by Admin may Members => member_blocks::block_many,
        POST "/api/v1/members/unblock" by Admin may Members => member_blocks::unblock_many,
        GET "/api/v1/members/{id}" by Member may Read => members::member,
        PATCH "/api/v1/members/{id}" by Admin may Members => members::change_member,
        DELETE "/api/v1/members/{id}" by Admin may Members => invitations::remove,
        POST "/api/v1/members/{id}/invite-again" by Admin may Members => invitations::invite_again,
        POST "/api/v1/members/{id}/accept" by Admin may Members => members::accept_invitation,
        POST "/api/v1/members/{id}/approve" by Admin may Members => members::approve,
        POST "/api/v1/members/{id}/decline" by Admin may Members => members::decline,
        POST "/api/v1/members/{id}/block" by Admin may Members => member_blocks::block,
        POST "/api/v1/members/{id}/unblock" by Admin may Members => member_blocks::unblock,
        POST "/api/v1/members/{id}/sign-in-link" by Owner may Access fresh => sign_in_links::create_sign_in_link,
        GET "/api/v1/members/{id}/identities" by Auditor may Access => identities::identities,
        DELETE "/api/v1/members/{id}/identities" by Owner may Access fresh => identities::release_identities,
        GET "/api/v1/members/{id}/explain" by Member may Read => explain::member,
        GET "/api/v1/explain" by Member may Read => explain::somebody,
        GET "/api/v1/groups" by Member may Read => groups::groups,
        GET "/api/v1/groups/{id}" by Member may Read => groups::group,
        DELETE "/api/v1/groups/{id}" by Admin may Members => groups::delete_group,
        GET "/api/v1/groups/{id}/members" by Member may Read => groups::group_members,
        GET "/api/v1/runs" by Member may Read => runs::runs,
        GET "/api/v1/runs/{id}" by Member may Read => runs::run,
        GET "/api/v1/runs/{id}/items" by Member may Read => runs::run_items,
        GET "/api/v1/runs/{id}/compare" by Member may Read => runs::compare_runs,
        POST "/api/v1/runs/{id}/approve" by Admin may Runs fresh => runs::approve_run,
        POST "/api/v1/runs/{id}/reject" by Admin may Runs => runs::reject_run,
        POST "/api/v1/runs/{id}/rewind" by Admin may Runs => runs::rewind_run,
        GET "/api/v1/policy" by Member may Read => policy::policy,
        PUT "/api/v1/policy" by Admin may Policy => policy::set_policy,
        PATCH "/api/v1/policy" by Admin may Policy => policy::change_policy,
        POST "/api/v1/policy/mapping/preview" by Auditor may Read preview => mapping::preview_mapping,
        GET "/api/v1/skipped-records" by Member may Read => skipped_records::skipped_records,
        POST "/api/v1/skipped-records/{id}/retry" by Admin may Runs => skipped_records::retry,
        POST "/api/v1/skipped-records/{id}/ignore" by Admin may Runs => skipped_records::ignore,
        GET "/api/v1/sources" by Member may Read => sources::sources,
        POST "/api/v1/sources" by Owner may Sources fresh => sources::create_source,
        GET "/api/v1/sources/{id}" by Member may Read => sources::source,
        PATCH "/api/v1/sources/{id}" by Admin may Sources => sources::change_source,
        POST "/api/v1/sources/{id}/release" by Admin may Sources => sources::release_source,
        POST "/api/v1/sources/{id}/rewind" by Admin may Runs => runs::rewind_source,
        GET "/api/v1/sources/{id}/promotion" by Member may Read => promotion::promotion,
        GET "/api/v1/sources/{id}/promotion/items" by Member may Read => promotion::promotion_items,
        POST "/api/v1/sources/{id}/promote" by Owner may Sources fresh => promotion::promote,
        GET "/api/v1/sources/{id}/detachment" by Member may Read => detachment::detachment,
        GET "/api/v1/sources/{id}/detachment/items" by Member may Read => detachment::detachment_items,
        POST "/api/v1/sources/{id}/detach" by Owner may Sources fresh => detachment::detach,
        GET "/api/v1/sources/{id}/tokens" by Member may Read => tokens::tokens,
        POST "/api/v1/sources/{id}/tokens" by Owner may Sources fresh => tokens::create_token,
        POST "/api/v1/sources/{id}/tokens/{token_id}/rotate" by Owner may Sources fresh => tokens::rotate_token,
        DELETE "/api/v1/sources/{id}/tokens/{token_id}" by Admin may Sources => tokens::revoke_token,
        GET "/api/v1/sources/{id}/dialect" by Member may Read => dialect::dialect,
        GET "/api/v1/sources/{id}/oauth-clients" by Member may Read => oauth_clients::oauth_clients,
        POST "/api/v1/sources/{id}/oauth-clients" by Owner may Sources fresh => oauth_clients::create_oauth_client,
        POST "/api/v1/sources/{id}/oauth-clients/{client_id}/rotate" by Owner may Sources fresh => oauth_clients::rotate_oauth_client,
        DELETE "/api/v1/sources/{id}/oauth-clients/{client_id}" by Admin may Sources => oauth_clients::revoke_oauth_client,
        GET "/api/v1/sources/{id}/setup-links" by Member may Read => setup_links::setup_links,
        POST "/api/v1/sources/{id}/setup-links" by Owner may Sources fresh => setup_links::create_setup_link,
        DELETE "/api/v1/sources/{id}/setup-links/{link_id}" by Admin may Sources => setup_links::revoke_setup_link,
        GET "/api/v1/sources/{id}/agent-keys" by Member may Read => agents::keys,
        POST "/api/v1/sources/{id}/agent-keys/{key_id}/verify" by Admin may Sources fresh => agents::verify_key,
        DELETE "/api/v1/sources/{id}/agent-keys/{key_id}" by Admin may Sources => agents::revoke_key,
        GET "/api/v1/sources/{id}/uploads" by Member may Read => agents::uploads,
        POST "/api/v1/sources/{id}/install-tokens" by Owner may Sources fresh => agents::create_install_token,
        GET "/api/v1/sources/{id}/rejected" by Member may Read => rejected::rejected,
        POST "/api/v1/sources/{id}/rejected/{rejected_id}/replay" by Admin may Runs => rejected::replay,
        GET "/api/v1/sources/{id}/users/{user_id}/explain" by Member may Read => explain::record,
        POST "/api/v1/sources/{id}/users/{user_id}/reconcile" by Admin may Runs => reconcile::reconcile,
        GET "/api/v1/audit-events" by Member may Read => audit_events::audit_events,
        GET "/api/v1/request-log" by Member may Read => request_log::request_log,
        GET "/api/v1/events" by Member may Read => events::events,
        GET "/api/v1/operator-events" for operator => events::events_of_all,
        GET "/api/v1/webhooks" by Auditor may Access => webhooks::webhooks,
        POST "/api/v1/webhooks" by Owner may Access fresh => webhooks::create_webhook,
        GET "/api/v1/webhooks/{id}" by Auditor may Access => webhooks::webhook,
        PATCH "/api/v1/webhooks/{id}" by Owner may Access fresh => webhooks::change_webhook,
        DELETE "/api/v1/webhooks/{id}" by Owner may Access => webhooks::delete_webhook,
        POST "/api/v1/webhooks/{id}/pause" by Admin may Access => webhooks::pause_webhook,
        POST "/api/v1/webhooks/{id}/resume" by Admin may Access => webhooks::resume_webhook,
        POST "/api/v1/webhooks/{id}/rotate" by Owner may Access fresh => webhooks::rotate_webhook,
        POST "/api/v1/webhooks/{id}/test" by Admin may Access => webhooks::test_webhook,
        GET "/api/v1/webhooks/{id}/deliveries" by Auditor may Access => webhooks::deliveries,
        POST "/api/v1/webhooks/{id}/replay" by Admin may Access => webhooks::replay_webhook,
        GET "/api/v1/changes" by Member may Read => changes::changes,
        GET "/api/v1/overview" by Member may Read => statistics::overview,
        GET "/api/v1/statistics" by Member may Read => statistics::statistics,
        GET "/api/v1/exports/members" by Auditor may Export => exports::export_members,
        GET "/api/v1/exports/groups" by Auditor may Export => exports::export_groups,
        GET "/api/v1/exports/audit-events" by Auditor may Export fresh => exports::export_audit_events,
        GET "/api/v1/exports/roster" by Auditor may Export => exports::export_roster,
        GET "/api/openapi.json" => openapi::json,
        GET "/api/docs" => openapi_page::page,
        GET "/api/docs.css" => openapi_page::style,
        GET "/" => console::page,
        GET "/t/{page:.*}" => console::page,
        GET "/assets/{file}" => console::asset,
        GET "/sign-in" => sign_in_page::page,
        POST "/sign-in" => sign_in_page::sign_in,
        POST "/sign-in/provider" => provider_pages::begin,
        GET "/sign-in/operator" => operator_pages::page,
        POST "/sign-in/operator" => operator_pages::begin,
        GET "/sign-in/operator/callback" => operator_pages::callback,
        POST "/sign-out/operator" => operator_pages::sign_out,
        GET "/sign-in/callback/{tenant_id}" => provider_pages::callback,
        POST "/sign-in/logout/{tenant_id}" => provider_pages::backchannel_logout,
        POST "/sign-out" => provider_pages::sign_out,
        GET "/activate" => activate_page::page,
        POST "/activate" => activate_page::decide,
        GET "/set-up" => setup_page::page,
        POST "/set-up/token" => setup_page::make_token,
        POST "/set-up/oauth-client" => setup_page::make_client,
        GET "/sign-in.css" => sign_in_page::style,
    ]
}

/// Registers the service.
pub fn configure(admin: Admin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(admin));
        for same_path in same_paths(&endpoints()) {
            app.service(
                resource(same_path[0].path, same_path, AdminError::from)
                    .wrap(from_fn(idempotency::once))
                    .wrap(from_fn(etag::tagged))
                    .wrap(from_fn(cors::answered)),
            );
        }
        let elsewhere = web::scope("/api").app_data(RouteLabel::unknown("admin"));
        app.service(elsewhere.default_service(web::to(unknown_path)));
    }
}

async fn unknown_path(request: HttpRequest) -> Result<String, AdminError> {
    Err(AdminError::NotFound(format!("there is nothing at {}", request.path())))
}

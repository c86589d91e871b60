//! `/api/openapi.json`: the REST API described by OpenAPI 3.1, from the handlers, their bodies and the endpoint table.

mod examples;
mod parameters;

use crate::etag;
use crate::idempotency::SECRETS;
use crate::routes::endpoints;
use actix_web::HttpResponse;
use actix_web::http::Method;
use rollcall_web::{Demand, Endpoint};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, InfoBuilder, Object, OpenApi, PathItem, Ref, RefOr, Required, Response,
    ResponseBuilder, SecurityRequirement, Type,
};
use utoipa::{OpenApi as _, ToSchema};

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        crate::tenants::tenants,
        crate::tenants::create_tenant,
        crate::tenants::tenant,
        crate::tenants::change_tenant,
        crate::operators::operators,
        crate::operators::revoke,
        crate::operators::session,
        crate::operators::sign_out,
        crate::session::session,
        crate::session::sign_in,
        crate::session::sign_out,
        crate::session::recovery_codes,
        crate::sessions::sessions,
        crate::sessions::end_session,
        crate::sign_in_links::create_sign_in_link,
        crate::sign_in_connections::connections,
        crate::sign_in_connections::create_connection,
        crate::sign_in_connections::connection,
        crate::sign_in_connections::change_connection,
        crate::sign_in_connections::delete_connection,
        crate::sign_in_connections::test_connection,
        crate::domains::domains,
        crate::domains::add_domain,
        crate::domains::check_domain,
        crate::domains::remove_domain,
        crate::identities::identities,
        crate::identities::release_identities,
        crate::api_keys::api_keys,
        crate::api_keys::create_api_key,
        crate::api_keys::rotate_api_key,
        crate::api_keys::revoke_api_key,
        crate::members::members,
        crate::members::approve_many,
        crate::members::decline_many,
        crate::members::member,
        crate::members::change_member,
        crate::members::accept_invitation,
        crate::members::approve,
        crate::members::decline,
        crate::invitations::invite,
        crate::invitations::invite_many,
        crate::invitations::invite_again,
        crate::invitations::invite_many_again,
        crate::invitations::remove,
        crate::invitations::remove_many,
        crate::member_blocks::block,
        crate::member_blocks::unblock,
        crate::member_blocks::block_many,
        crate::member_blocks::unblock_many,
        crate::explain::member,
        crate::explain::somebody,
        crate::explain::record,
        crate::groups::groups,
        crate::groups::group,
        crate::groups::group_members,
        crate::groups::delete_group,
        crate::runs::runs,
        crate::runs::run,
        crate::runs::run_items,
        crate::runs::compare_runs,
        crate::runs::approve_run,
        crate::runs::reject_run,
        crate::runs::rewind_run,
        crate::runs::rewind_source,
        crate::policy::policy,
        crate::policy::set_policy,
        crate::policy::change_policy,
        crate::mapping::preview_mapping,
        crate::skipped_records::skipped_records,
        crate::skipped_records::retry,
        crate::skipped_records::ignore,
        crate::sources::sources,
        crate::sources::create_source,
        crate::sources::source,
        crate::sources::change_source,
        crate::sources::release_source,
        crate::promotion::promotion,
        crate::promotion::promotion_items,
        crate::promotion::promote,
        crate::detachment::detachment,
        crate::detachment::detachment_items,
        crate::detachment::detach,
        crate::tokens::tokens,
        crate::tokens::create_token,
        crate::tokens::rotate_token,
        crate::tokens::revoke_token,
        crate::oauth_clients::oauth_clients,
        crate::oauth_clients::create_oauth_client,
        crate::oauth_clients::rotate_oauth_client,
        crate::oauth_clients::revoke_oauth_client,
        crate::setup_links::setup_links,
        crate::setup_links::create_setup_link,
        crate::setup_links::revoke_setup_link,
        crate::agents::keys,
        crate::agents::verify_key,
        crate::agents::revoke_key,
        crate::agents::uploads,
        crate::agents::create_install_token,
        crate::dialect::dialect,
        crate::rejected::rejected,
        crate::rejected::replay,
        crate::reconcile::reconcile,
        crate::audit_events::audit_events,
        crate::request_log::request_log,
        crate::changes::changes,
        crate::events::events,
        crate::events::events_of_all,
        crate::webhooks::webhooks,
        crate::webhooks::create_webhook,
        crate::webhooks::webhook,
        crate::webhooks::change_webhook,
        crate::webhooks::delete_webhook,
        crate::webhooks::pause_webhook,
        crate::webhooks::resume_webhook,
        crate::webhooks::rotate_webhook,
        crate::webhooks::test_webhook,
        crate::webhooks::deliveries,
        crate::webhooks::replay_webhook,
        crate::statistics::overview,
        crate::statistics::statistics,
        crate::exports::export_members,
        crate::exports::export_groups,
        crate::exports::export_audit_events,
        crate::exports::roster::export_roster
    ),
    components(schemas(Problem, crate::view::changes::Changed)),
    tags(
        (name = "tenants", description = "The organisations of a hosted service, for its operator"),
        (name = "sign-in", description = "Identity providers by which people sign in, and proven domains"),
        (name = "session", description = "Signing in, sessions, links and recovery codes"),
        (name = "keys", description = "API keys of programs"),
        (name = "members", description = "The roster"),
        (name = "groups", description = "Sharing groups"),
        (name = "runs", description = "Runs, their items, and records that were skipped"),
        (name = "policy", description = "What the organisation wants"),
        (name = "sources", description = "Identity providers, their tokens and their requests"),
        (name = "audit", description = "What happened, and what changes now"),
        (name = "events", description = "What products hear of: feeds and webhooks"),
        (name = "statistics", description = "At a glance, and over time"),
        (name = "exports", description = "Whole lists as files"),
    )
)]
struct Described;

/// A failure (RFC 9457).
#[derive(Serialize, ToSchema)]
struct Problem {
    r#type: String,
    title: String,
    status: u16,
    #[schema(value_type = crate::view::closed::ProblemCode)]
    code: String,
    /// A sentence for people.
    detail: String,
}

/// Failures that any call may answer, with the schema `Problem`.
const FAILURES: &[(&str, &str)] = &[
    ("400", "A parameter or the body is not understood; the detail names it"),
    ("401", "No credential, or one that is unknown or has ended"),
    ("403", "The role, the permission or the age of the sign-in does not suffice"),
    ("404", "Nothing of this organisation has this id"),
    ("409", "The state does not allow it, or another change came first"),
    ("429", "Too many requests; `Retry-After` says when to try again"),
    ("500", "An error of the hub, logged under the request's id"),
    ("503", "The hub is short of something; `Retry-After` says when to try again"),
];

/// Failures of calls that may change something, or have a body.
const FAILURES_OF_WRITES: &[(&str, &str)] = &[
    ("408", "The body came too slowly"),
    ("413", "The body is too large"),
    ("415", "The body is compressed in an unknown way"),
];

/// Failures of single calls.
const FAILURES_OF_ONE: &[(&str, &str, &str, &str)] = &[
    ("POST", "/api/v1/sign-in-connections", "502", "The identity provider does not answer now"),
    ("POST", "/api/v1/sign-in-connections/{id}/test", "502", "The identity provider does not answer now"),
    ("GET", "/api/v1/events", "410", "The place is too old or of another history: read the roster whole"),
    ("POST", "/api/v1/webhooks", "410", "`after` is too old or of another history: read the roster whole"),
    (
        "POST",
        "/api/v1/webhooks/{id}/replay",
        "410",
        "The place is too old or of another history: read the roster whole",
    ),
    ("GET", "/api/v1/operator-events", "410", "The place is too old or of another history: read the rosters whole"),
    ("POST", "/api/v1/domains/{id}/check", "502", "No name server answers now"),
];

const INTRODUCTION: &str = "The REST API of one organisation. A caller sends a key as `Authorization: Bearer rck_…`, or the cookie of a \
    session; a write with the cookie also needs `X-Rollcall-CSRF` and the hub's own origin. An operator's key names the organisation in `Rollcall-Tenant`. A POST with an `Idempotency-Key` runs once. The names beside a \
    scheme of security are the least role and the permission. docs/api.md tells the rest.";

static DOCUMENT: LazyLock<Json> = LazyLock::new(|| {
    let mut json = serde_json::to_value(document()).unwrap_or_default();
    parameters::describe(&mut json, &endpoints());
    tell_repetitions(&mut json);
    examples::add(&mut json);
    json
});
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

pub(crate) async fn json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(openapi_document())
}

/// The OpenAPI document as JSON.
pub fn openapi_document() -> &'static str {
    &TEXT
}

/// The whole document.
pub(crate) fn described() -> &'static Json {
    &DOCUMENT
}

/// The calls that take parameters in the query.
static WITH_QUERY: LazyLock<BTreeSet<(String, String)>> = LazyLock::new(|| {
    let mut with = BTreeSet::new();
    for (path, item) in described()["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            if parameters.into_iter().any(|parameter| parameter["in"] == "query") {
                with.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    with
});

/// Whether a call takes parameters in the query.
pub(crate) fn takes_query(method: &Method, path: &str) -> bool {
    WITH_QUERY.contains(&(method.as_str().to_owned(), path.to_owned()))
}

/// The document as far as the handlers and the endpoint table tell it.
fn document() -> OpenApi {
    let mut document = Described::openapi();
    document.info =
        InfoBuilder::new().title("Rollcall").version(env!("CARGO_PKG_VERSION")).description(Some(INTRODUCTION)).build();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rck_…").build();
    components.add_security_scheme("key", SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-rollcall"));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    let operator = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rco_…").build();
    components.add_security_scheme("operator", SecurityScheme::Http(operator));
    let table: BTreeMap<(String, &str), Endpoint> = endpoints()
        .into_iter()
        .map(|endpoint| ((endpoint.method.as_str().to_owned(), endpoint.path), endpoint))
        .collect();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(endpoint) = table.get(&(method.to_owned(), path.as_str())) {
                describe(operation, endpoint);
            }
        }
    }
    document
}

/// A repetition of a POST with an `Idempotency-Key` has null in the place of a secret, so the document allows it.
fn tell_repetitions(document: &mut Json) {
    let posts = endpoints().into_iter().filter(parameters::takes_idempotency_key);
    for endpoint in posts {
        for status in ["200", "201"] {
            let at = ["paths", endpoint.path, "post", "responses", status, "content", "application/json", "schema"];
            let pointer: String =
                at.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect();
            let Some(schema) = document.pointer(&pointer).cloned() else { continue };
            let parts = [&schema].into_iter().chain(schema["allOf"].as_array().into_iter().flatten());
            let named: Vec<String> =
                parts.filter_map(|part| part["$ref"].as_str()?.strip_prefix('#').map(ToOwned::to_owned)).collect();
            for place in named.into_iter().chain([pointer]) {
                for secret in SECRETS {
                    if let Some(kind) = document.pointer_mut(&format!("{place}/properties/{secret}/type"))
                        && kind.is_string()
                    {
                        *kind = json!([kind.take(), "null"]);
                    }
                }
            }
        }
    }
}

/// The operations of a path, by method.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)]
        .into_iter()
        .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// Adds what every call has: who may make it, and how it fails.
fn describe(operation: &mut Operation, endpoint: &Endpoint) {
    // The names beside a scheme that is not OAuth are roles and the like (OpenAPI 3.1, Security Requirement Object).
    let by = |schemes: &[&str], needed: &[&str]| {
        let scheme = |scheme: &&str| SecurityRequirement::new(*scheme, needed.to_vec());
        Some(schemes.iter().map(scheme).collect::<Vec<_>>())
    };
    operation.description = Some(match endpoint.demand {
        Some(Demand { least_role, permission, fresh, previews: _ }) => {
            let fresh = if fresh { " A session must have signed in within the last ten minutes." } else { "" };
            operation.security = by(&["key", "session", "operator"], &[least_role.as_str(), permission.as_str()]);
            format!("Least role: `{least_role}`. Permission: `{permission}`.{fresh}")
        }
        None if endpoint.by_operator => {
            operation.security = by(&["operator"], &[]);
            "Takes the key of an operator, or the session of one.".to_owned()
        }
        None => "Takes no credential.".to_owned(),
    });
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "Done".to_owned();
        }
    }
    if etag::is_versioned(endpoint.path) {
        describe_version(operation, &endpoint.method);
    }
    let reads = endpoint.method == Method::GET;
    let of_writes = FAILURES_OF_WRITES.iter().filter(|_| !reads);
    let of_repetition = Some(&("422", "The `Idempotency-Key` was used for another request"));
    let of_repetition = of_repetition.filter(|_| parameters::takes_idempotency_key(endpoint));
    let of_one = FAILURES_OF_ONE
        .iter()
        .filter(|(method, path, ..)| endpoint.method.as_str() == *method && endpoint.path == *path);
    let of_one: Vec<(&str, &str)> = of_one.map(|(_, _, status, why)| (*status, *why)).collect();
    for (status, why) in FAILURES.iter().chain(of_writes).chain(of_repetition).chain(&of_one) {
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| failure(why).into());
    }
}

/// A failure as an answer.
fn failure(why: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(why).content("application/problem+json", content).build()
}

/// Adds the header of the version: that of the answer, or that of a write which expects it.
fn describe_version(operation: &mut Operation, method: &Method) {
    let text = || Object::with_type(Type::String);
    if *method == Method::GET {
        if let Some(RefOr::T(read)) = operation.responses.responses.get_mut("200") {
            let tag = HeaderBuilder::new()
                .schema(Some(text()))
                .description(Some("The version that is shown, for `If-Match`"));
            read.headers.insert("ETag".to_owned(), tag.build().into());
        }
        return;
    }
    let expects = ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The `ETag` that was read: 412 when there is another version now"))
        .schema(Some(text()));
    operation.parameters.get_or_insert_default().push(expects.build().into());
    let outdated = failure("It is not in the version that `If-Match` names: read it again");
    operation.responses.responses.insert("412".to_owned(), outdated.into());
}

#[cfg(test)]
mod tests;

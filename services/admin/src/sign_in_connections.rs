//! `/api/v1/sign-in-connections`: the identity providers by which people sign in. A connection is tried before it is used.

use crate::answer::{Answer, one, read};
use crate::auth::ApiAuth;
use crate::body::{body, no_body, present};
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::view::closed;
use crate::view::sign_in_connections as view;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_core::ids::SignInConnectionId;
use rollcall_core::role_rules::RoleRule;
use rollcall_core::sign_in::ConnectionUse;
use rollcall_core::sign_in_groups::GroupsFromSignIn;
use rollcall_hub::SIGN_IN_TIME;
use rollcall_store::{NewSignInConnection, SignInConnectionChange};
use rollcall_web::{Body, begun_sign_in_cookie};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = CreateSignInConnectionRequest)]
#[serde(deny_unknown_fields)]
struct NewConnection {
    /// As the provider's `.well-known/openid-configuration` names it.
    issuer: String,
    client_id: String,
    /// Left out for a public client, which PKCE alone protects.
    client_secret: Option<String>,
    /// The provider gives addresses of its own only, so they count although it does not say that they are verified.
    #[serde(default)]
    email_trusted: bool,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeSignInConnectionRequest)]
#[serde(deny_unknown_fields)]
struct Change {
    client_secret: Option<String>,
    email_trusted: Option<bool>,
    /// `off`, `offered` or `required`. A connection that is offered takes the place of the one in use.
    #[serde(rename = "use")]
    #[schema(value_type = Option<closed::ConnectionUse>)]
    usage: Option<ConnectionUse>,
    /// In the place of the present ones; 50 at most.
    role_rules: Option<Vec<view::RoleRule>>,
    creates_members: Option<bool>,
    /// Sign-ins fill sharing groups; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<view::GroupsFromSignIn>)]
    groups_from_sign_in: Option<Option<view::GroupsFromSignIn>>,
}

#[utoipa::path(
    get, path = "/api/v1/sign-in-connections", tag = "sign-in", operation_id = "sign_in_connections_connections", summary = "Identity providers, and the addresses that they have to know",
    responses((status = 200, body = view::SignInConnections)),
)]
pub(crate) async fn connections(request: HttpRequest, auth: ApiAuth) -> Answer {
    let rows = auth.admin.hub.store.sign_in_connections(&auth.scope).await?;
    one::<view::SignInConnections>(view::SignInConnections::new(&auth.admin.base(&request), auth.scope.tenant(), rows)?)
}

/// Connects a provider, which has to answer. Nobody signs in by it yet.
#[utoipa::path(
    post, path = "/api/v1/sign-in-connections", tag = "sign-in", operation_id = "sign_in_connections_create_connection", summary = "Connects an identity provider",
    request_body = NewConnection,
    responses((status = 201, body = view::SignInConnection)),
)]
pub(crate) async fn create_connection(auth: ApiAuth, payload: Body) -> Answer {
    let NewConnection { issuer, client_id, client_secret, email_trusted } = body(payload).await?;
    let client_secret = client_secret.as_deref();
    let new = NewSignInConnection { issuer: &issuer, client_id: &client_id, client_secret, email_trusted };
    auth.admin.hub.store.check_new_sign_in_connection(&auth.scope, &new).await?;
    auth.admin.sign_ins.providers.check(&issuer).await.map_err(AdminError::provider)?;
    let made = auth.admin.hub.store.create_sign_in_connection(&auth.scope, &new).await?;
    Ok(HttpResponse::Created().json(view::SignInConnection::try_from(made)?))
}

#[utoipa::path(
    get, path = "/api/v1/sign-in-connections/{id}", tag = "sign-in", operation_id = "sign_in_connections_connection", summary = "One identity provider, with its last trial",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::SignInConnection)),
)]
pub(crate) async fn connection(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "sign-in connection")?;
    let found = auth.admin.hub.store.sign_in_connection(&auth.scope, id).await?;
    read::<view::SignInConnection>(&request, view::SignInConnection::try_from(found)?)
}

#[utoipa::path(
    patch, path = "/api/v1/sign-in-connections/{id}", tag = "sign-in", operation_id = "sign_in_connections_change_connection", summary = "Changes a connection, or its use",
    params(("id" = Uuid, Path)),
    request_body = Change,
    responses((status = 200, body = view::SignInConnection)),
)]
pub(crate) async fn change_connection(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SignInConnectionId = id_in_path(&request, "sign-in connection")?;
    auth.admin.hub.store.sign_in_connection(&auth.scope, id).await?;
    let Change { client_secret, email_trusted, usage, role_rules, creates_members, groups_from_sign_in } =
        body(payload).await?;
    let role_rules: Option<Vec<RoleRule>> = role_rules.map(|rules| rules.into_iter().map(Into::into).collect());
    let groups: Option<Option<GroupsFromSignIn>> = groups_from_sign_in.map(|setting| setting.map(Into::into));
    let change = SignInConnectionChange {
        client_secret: client_secret.as_deref(),
        email_trusted,
        usage,
        role_rules: role_rules.as_deref(),
        creates_members,
        groups_from_sign_in: groups.as_ref().map(Option::as_ref),
    };
    let session = auth.session.map(|session| session.id);
    let changed = auth.admin.hub.store.change_sign_in_connection(&auth.scope, id, &change, session).await?;
    one::<view::SignInConnection>(view::SignInConnection::try_from(auth.admin.hub.after_commit(changed).await)?)
}

#[utoipa::path(
    delete, path = "/api/v1/sign-in-connections/{id}", tag = "sign-in", operation_id = "sign_in_connections_delete_connection", summary = "Deletes a connection that is off",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn delete_connection(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "sign-in connection")?;
    auth.admin.hub.store.delete_sign_in_connection(&auth.scope, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Begins a trial. The answer gives the caller's browser a cookie, and an address to open; the trial's result is shown there, and
/// in the connection.
#[utoipa::path(
    post, path = "/api/v1/sign-in-connections/{id}/test", tag = "sign-in", operation_id = "sign_in_connections_test_connection", summary = "Tries a connection by a sign-in of the caller",
    params(("id" = Uuid, Path)),
    responses((status = 201, body = view::BegunTest)),
)]
pub(crate) async fn test_connection(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SignInConnectionId = id_in_path(&request, "sign-in connection")?;
    auth.admin.hub.store.sign_in_connection(&auth.scope, id).await?;
    no_body(payload).await?;
    let begun = auth.admin.sign_ins.begin_test(&auth.scope, id, &auth.admin.base(&request)).await?;
    let cookie = begun_sign_in_cookie(URL_SAFE_NO_PAD.encode(&begun.state), SIGN_IN_TIME.num_seconds());
    Ok(HttpResponse::Created().cookie(cookie).json(view::BegunTest { url: begun.url }))
}

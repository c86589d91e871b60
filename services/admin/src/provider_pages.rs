//! The pages around a sign-in by an identity provider: to the provider, back from it, and out. They work without scripts.

use crate::Admin;
use crate::error::AdminError;
use crate::html;
use crate::session::{client_of, is_from_other_site};
use crate::sign_in_page::{after_sign_in, form, refused, shown};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use html_escape::encode_safe;
use rollcall_core::event::SessionEnd;
use rollcall_core::ids::TenantId;
use rollcall_hub::{Finished, Return, SIGN_IN_TIME, SessionCaller, SignInError};
use rollcall_store::SESSION_TIME;
use rollcall_web::{
    Body, begun_sign_in, begun_sign_in_cookie, ended_begun_sign_in_cookie, ended_session_cookie, known_caller, peer,
    session_cookie, session_secret,
};
use serde::Deserialize;
use serde_json::Value as Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    email: String,
}

#[derive(Deserialize)]
struct Logout {
    logout_token: String,
}

/// Sends the browser to the provider of the address.
pub(crate) async fn begin(request: HttpRequest, admin: web::Data<Admin>, payload: Body) -> HttpResponse {
    begun(&request, &admin, payload).await.unwrap_or_else(|error| refused(&error))
}

async fn begun(request: &HttpRequest, admin: &Admin, payload: Body) -> Result<HttpResponse, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only a page of this hub signs in"));
    }
    admin.sign_ins.take_turn(&peer(request), &admin.limits).await?;
    let Address { email } = form(payload, "email").await?;
    let begun = admin.sign_ins.begin(&email, &admin.base(request)).await?;
    let state = URL_SAFE_NO_PAD.encode(&begun.state);
    let mut answer = onward("Sign in", &begun.url);
    add_cookie(&mut answer, &begun_sign_in_cookie(state, SIGN_IN_TIME.num_seconds()));
    Ok(answer)
}

/// A page that leads to another site. A redirect would not do: browsers hold the answer to a form to `form-action` too.
pub(crate) fn onward(title: &str, url: &str) -> HttpResponse {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let (host, url) = (encode_safe(&host).into_owned(), encode_safe(url).into_owned());
    let text = format!(
        "<h1>{title}</h1>\n<p>Your identity provider asks you now.</p>\n<p><a href=\"{url}\">Continue to {host}</a></p>"
    );
    html::answer(
        StatusCode::OK,
        html::page_that_leads("Rollcall", "/sign-in.css", &url, &format!("<main>\n{text}\n</main>")),
    )
}

pub(crate) fn add_cookie(answer: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) {
    if let Err(error) = answer.add_cookie(cookie) {
        tracing::error!(%error, "a cookie cannot be sent");
    }
}

/// The browser is back from the provider.
pub(crate) async fn callback(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    let mut answer = finished(&request, &admin).await.unwrap_or_else(|error| refused(&error));
    // The state is for one return, also for one that was refused.
    add_cookie(&mut answer, &ended_begun_sign_in_cookie());
    answer
}

async fn finished(request: &HttpRequest, admin: &Admin) -> Result<HttpResponse, AdminError> {
    admin.sign_ins.take_turn(&peer(request), &admin.limits).await?;
    // Providers send parameters that the hub does not know, such as `session_state`.
    let returned = web::Query::<Return>::from_query(request.query_string());
    let returned = returned
        .map_err(|_| AdminError::BadRequest("the identity provider's answer cannot be read".into()))?
        .into_inner();
    let tenant = tenant_in_path(request)?;
    let sealed = begun_sign_in(request).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(SignInError::Stale)?;
    let tester = match session_secret(request) {
        Some(secret) => admin.hub.session_caller(&secret, true, &peer(request), &admin.limits).await.ok(),
        None => None,
    };
    let tester = tester.map(|SessionCaller { scope, .. }| scope);
    let (base, client) = (admin.base(request), client_of(request));
    let finished = admin.sign_ins.finish(tenant, &sealed, &returned, &base, &client, tester.as_ref()).await?;
    match finished {
        Finished::SignedIn(started) => {
            known_caller(request, started.session.tenant, started.session.id);
            let cookie = session_cookie(started.secret, SESSION_TIME.num_seconds());
            Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((header::LOCATION, after_sign_in())).finish())
        }
        Finished::Tested { accepted, report } => Ok(shown(StatusCode::OK, &trial(accepted, &report))),
    }
}

fn tenant_in_path(request: &HttpRequest) -> Result<TenantId, AdminError> {
    let tenant = request.match_info().get("tenant_id").and_then(|id| id.parse().ok());
    tenant.ok_or_else(|| AdminError::NotFound("there is no such organisation".into()))
}

/// The result of a trial, claim by claim.
fn trial(accepted: bool, report: &Json) -> String {
    let text = |name: &str| report.get(name).and_then(Json::as_str).unwrap_or_default();
    let outcome = match accepted {
        true => {
            format!("<h1>The connection works</h1>\n<p>You would be signed in as {}.</p>", encode_safe(text("role")))
        }
        false => format!("<h1>The connection does not sign you in yet</h1>\n<p>{}</p>", html::sentence(text("why"))),
    };
    let row = |(name, value): (&String, &Json)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", encode_safe(name), encode_safe(&value))
    };
    let claims: String = report.get("claims").and_then(Json::as_object).into_iter().flatten().map(row).collect();
    let claims = match claims.is_empty() {
        true => String::new(),
        false => format!("<table><caption>The provider says</caption>\n<tbody>\n{claims}</tbody></table>"),
    };
    format!("{outcome}\n{claims}\n<p class=\"note\">You can close this page.</p>")
}

/// The button that signs out: here, and at the provider by which the person signed in.
pub(crate) async fn sign_out(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    match signed_out(&request, &admin).await {
        Ok(mut answer) => {
            add_cookie(&mut answer, &ended_session_cookie());
            answer
        }
        Err(error) => refused(&error),
    }
}

async fn signed_out(request: &HttpRequest, admin: &Admin) -> Result<HttpResponse, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only a page of this hub signs out"));
    }
    let here = || HttpResponse::SeeOther().insert_header((header::LOCATION, "/sign-in")).finish();
    let Some(secret) = session_secret(request) else { return Ok(here()) };
    let Ok(caller) = admin.hub.session_caller(&secret, true, &peer(request), &admin.limits).await else {
        return Ok(here());
    };
    let SessionCaller { scope, session } = caller;
    let back = format!("{}/sign-in", admin.base(request).trim_end_matches('/'));
    // First, since the provider may take its time, and the browser may go meanwhile.
    let ended = admin.hub.store.end_session(&scope, session.id, None, SessionEnd::SignedOut).await?;
    admin.hub.session_ended(session.id, ended).await;
    let provider = admin.sign_ins.logout_url(&scope, session.id, &back).await?;
    Ok(provider.map_or_else(here, |url| onward("Sign out", &url)))
}

/// The provider tells that a person signed out (OpenID Connect Back-Channel Logout 1.0 §2.8).
pub(crate) async fn backchannel_logout(
    request: HttpRequest,
    admin: web::Data<Admin>,
    payload: Body,
) -> Result<HttpResponse, AdminError> {
    admin.sign_ins.take_turn(&peer(&request), &admin.limits).await?;
    let tenant = tenant_in_path(&request)?;
    let Logout { logout_token } = form(payload, "logout_token").await?;
    let ended = admin.sign_ins.logout(tenant, &logout_token).await.map_err(|error| match error {
        // A provider reads the status alone: 400 for a token that is not accepted.
        SignInError::NoProvider | SignInError::Store(rollcall_store::StoreError::Conflict(_)) => {
            AdminError::BadRequest(error.to_string())
        }
        error => error.into(),
    })?;
    tracing::info!(%tenant, ended, "signed out at the provider");
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

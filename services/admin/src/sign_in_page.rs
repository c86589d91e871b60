//! The page that a sign-in link opens. Opening it uses nothing up, since mail filters open links too: only the button signs in.
//! It works without scripts, and loads nothing but its own style sheet.

use crate::Admin;
use crate::console;
use crate::error::AdminError;
use crate::html;
use crate::query::query;
use crate::session::{link_refused, signed_in};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use html_escape::encode_safe;
use rollcall_hub::CallerError;
use rollcall_store::SESSION_TIME;
use rollcall_web::{Body, peer, session_cookie, session_secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A logout token with its keys' signature has some kilobytes.
const FORM_BYTES_MAX: usize = 16 * 1024;
const STYLE: &str = include_str!("sign_in_page.css");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    #[serde(default)]
    link: String,
}

pub(crate) async fn page(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    match asked(&request, &admin).await {
        Ok(text) => shown(StatusCode::OK, &text),
        Err(error) => refused(&error),
    }
}

async fn asked(request: &HttpRequest, admin: &Admin) -> Result<String, AdminError> {
    let Link { link } = query(request)?;
    if link.is_empty() {
        return without_link(request, admin).await;
    }
    let found = admin.hub.sign_in_link(&link, &peer(request), &admin.limits).await.map_err(link_refused)?;
    let (tenant, email, link) = (encode_safe(&found.tenant_name), encode_safe(&found.email), encode_safe(&link));
    Ok(format!(
        "<h1>Sign in to {tenant}</h1>\n<p>You sign in as <strong>{email}</strong>. This link works once.</p>\n\
         <form method=\"post\" action=\"/sign-in\"><input type=\"hidden\" name=\"link\" value=\"{link}\">\
         <button>Sign in</button></form>\n<p class=\"note\">If you did not ask for it, close this page and tell an owner of {tenant}.</p>"
    ))
}

/// Tells a visitor with a session who is signed in; others may present a recovery code.
async fn without_link(request: &HttpRequest, admin: &Admin) -> Result<String, AdminError> {
    let present = "<form method=\"post\" action=\"/sign-in/provider\"><label for=\"email\">Work email</label>\
        <input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" required autofocus placeholder=\"you@your-company.example\">\
        <button>Continue</button></form>\n\
        <details><summary>Sign in with a link or a recovery code</summary>\n\
        <p>Open the link that you were given, or present a recovery code.</p>\n<form method=\"post\" action=\"/sign-in\"><label for=\"link\">Recovery code</label>\
        <input id=\"link\" name=\"link\" autocomplete=\"off\" spellcheck=\"false\" required placeholder=\"rcr_…\">\
        <button>Sign in</button></form></details>";
    let first = || Ok(format!("<h1>Sign in</h1>\n{present}"));
    let Some(secret) = session_secret(request) else { return first() };
    let caller = match admin.hub.session_caller(&secret, false, &peer(request), &admin.limits).await {
        Ok(caller) => caller,
        Err(CallerError::Unknown) => return first(),
        Err(error) => return Err(error.into()),
    };
    let tenant = admin.hub.store.tenant_names(&caller.scope).await?;
    let member = admin.hub.store.member(&caller.scope, caller.session.member).await?;
    let name = member.display_name.as_deref().unwrap_or(&member.email);
    Ok(format!(
        "<h1>You are signed in</h1>\n<p><strong>{}</strong>, {} of {}, until {} UTC.</p>\n\
         <form method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>\n\
         {}<p class=\"note\"><a href=\"/api/docs\">What you can do with the REST API</a></p>\n\
         <p class=\"note\">Approvals, roles and keys take a sign-in of the last ten minutes: sign in again here.</p>\n{present}",
        encode_safe(name),
        caller.session.role,
        encode_safe(&tenant.name),
        caller.session.expires_at.format("%H:%M"),
        if console::is_built() { "<p class=\"note\"><a href=\"/\">Open the console</a></p>\n" } else { "" },
    ))
}

/// The button of the page. The browser gets its session, and goes on.
pub(crate) async fn sign_in(request: HttpRequest, admin: web::Data<Admin>, payload: Body) -> HttpResponse {
    match pressed(&request, &admin, payload).await {
        Ok(answer) => answer,
        Err(error) => refused(&error),
    }
}

async fn pressed(request: &HttpRequest, admin: &Admin, payload: Body) -> Result<HttpResponse, AdminError> {
    let Link { link } = form(payload, "link").await?;
    let started = signed_in(request, admin, &link).await?;
    let cookie = session_cookie(started.secret, SESSION_TIME.num_seconds());
    let mut answer = HttpResponse::SeeOther();
    answer.cookie(cookie).insert_header((header::LOCATION, after_sign_in()));
    Ok(answer.finish())
}

/// The address after a sign-in: the console, which goes on to the page that was asked for.
pub(crate) fn after_sign_in() -> &'static str {
    if console::is_built() { "/" } else { "/sign-in" }
}

/// The fields of a form with one field.
pub(crate) async fn form<T: DeserializeOwned>(payload: Body, field: &str) -> Result<T, AdminError> {
    let form = payload.read(FORM_BYTES_MAX).await?;
    let text = String::from_utf8_lossy(&form);
    // Postgres refuses NUL even in a comparison.
    if text.contains("%00") || text.contains('\0') {
        return Err(AdminError::BadRequest(format!("{field} holds no NUL (U+0000)")));
    }
    let fields = web::Query::<T>::from_query(&text);
    Ok(fields.map_err(|_| AdminError::BadRequest(format!("the form has one field, {field}")))?.into_inner())
}

pub(crate) async fn style() -> HttpResponse {
    html::style(STYLE)
}

pub(crate) fn refused(error: &AdminError) -> HttpResponse {
    let text = format!("<h1>This does not sign you in</h1>\n<p>{}</p>", html::sentence(&error.to_string()));
    shown(error.status_code(), &text)
}

pub(crate) fn shown(status: StatusCode, text: &str) -> HttpResponse {
    html::answer(status, html::page("Rollcall", "/sign-in.css", &format!("<main>\n{text}\n</main>")))
}

/// As [`shown`], with room for more than a form.
pub(crate) fn shown_wide(status: StatusCode, text: &str) -> HttpResponse {
    html::answer(status, html::page("Rollcall", "/sign-in.css", &format!("<main class=\"wide\">\n{text}\n</main>")))
}

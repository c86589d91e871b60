//! The pages on which operators of a hosted service sign in and out. They work without scripts.

use crate::Admin;
use crate::error::AdminError;
use crate::provider_pages::{add_cookie, onward};
use crate::session::{client_of, is_from_other_site};
use crate::sign_in_page::{refused, shown};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use html_escape::encode_safe;
use rollcall_hub::{CallerError, Return, SIGN_IN_TIME, SignInError};
use rollcall_store::SESSION_TIME;
use rollcall_web::{
    begun_sign_in, begun_sign_in_cookie, ended_begun_sign_in_cookie, ended_operator_session_cookie,
    operator_session_cookie, operator_session_secret, peer,
};

pub(crate) async fn page(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    match written(&request, &admin).await {
        Ok(text) => shown(StatusCode::OK, &text),
        Err(error) => refused(&error),
    }
}

async fn written(request: &HttpRequest, admin: &Admin) -> Result<String, AdminError> {
    if admin.operators.connection.is_none() {
        return Err(AdminError::NotFound(SignInError::NoOperators.to_string()));
    }
    let ask = "<h1>Sign in as an operator</h1>\n<p>For the people who run this service.</p>\n\
        <form method=\"post\" action=\"/sign-in/operator\"><button>Continue</button></form>";
    let Some(secret) = operator_session_secret(request) else { return Ok(ask.to_owned()) };
    let session = match admin.operators.caller(&secret, &peer(request), &admin.limits).await {
        Ok(session) => session,
        Err(CallerError::Unknown) => return Ok(ask.to_owned()),
        Err(error) => return Err(error.into()),
    };
    let name = session.name.or(session.email).unwrap_or_else(|| session.operator_id.to_string());
    Ok(format!(
        "<h1>You are signed in</h1>\n<p><strong>{}</strong>, an operator, until {} UTC.</p>\n\
         <form method=\"post\" action=\"/sign-out/operator\"><button>Sign out</button></form>",
        encode_safe(&name),
        session.expires_at.format("%H:%M"),
    ))
}

/// Sends the browser to the operators' provider.
pub(crate) async fn begin(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    begun(&request, &admin).await.unwrap_or_else(|error| refused(&error))
}

async fn begun(request: &HttpRequest, admin: &Admin) -> Result<HttpResponse, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only a page of this hub signs in"));
    }
    admin.sign_ins.take_turn(&peer(request), &admin.limits).await?;
    let begun = admin.operators.begin(&admin.base(request)).await?;
    let mut answer = onward("Sign in", &begun.url);
    let state = URL_SAFE_NO_PAD.encode(&begun.state);
    add_cookie(&mut answer, &begun_sign_in_cookie(state, SIGN_IN_TIME.num_seconds()));
    Ok(answer)
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
    let returned = web::Query::<Return>::from_query(request.query_string());
    let returned = returned
        .map_err(|_| AdminError::BadRequest("the identity provider's answer cannot be read".into()))?
        .into_inner();
    let sealed = begun_sign_in(request).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(SignInError::Stale)?;
    let client = client_of(request);
    let started = admin.operators.finish(&sealed, &returned, &admin.base(request), &client).await?;
    let cookie = operator_session_cookie(started.secret, SESSION_TIME.num_seconds());
    let onward = (header::LOCATION, "/sign-in/operator");
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header(onward).finish())
}

/// The button that signs out.
pub(crate) async fn sign_out(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    match signed_out(&request, &admin).await {
        Ok(mut answer) => {
            add_cookie(&mut answer, &ended_operator_session_cookie());
            answer
        }
        Err(error) => refused(&error),
    }
}

async fn signed_out(request: &HttpRequest, admin: &Admin) -> Result<HttpResponse, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only a page of this hub signs out"));
    }
    if let Some(secret) = operator_session_secret(request)
        && let Ok(session) = admin.operators.caller(&secret, &peer(request), &admin.limits).await
    {
        admin.hub.store.end_operator_session(session.credential()).await?;
    }
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/sign-in/operator")).finish())
}

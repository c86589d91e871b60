//! `/activate`: an owner types the code that an agent shows, sees what asks, and lets it in as one source, or refuses it (RFC 8628 §3.3).
//! It works without scripts.

use crate::Admin;
use crate::error::AdminError;
use crate::html;
use crate::query::query;
use crate::session::is_from_other_site;
use crate::sign_in_page::{form, shown};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use chrono::TimeDelta;
use html_escape::encode_safe;
use rollcall_core::ids::SourceId;
use rollcall_core::roster::Role;
use rollcall_core::user_code;
use rollcall_hub::{CallerError, SessionCaller};
use rollcall_store::{AgentSource, WaitingDevice};
use rollcall_web::{Body, Refusal, known_caller, peer, request_id, session_secret};
use serde::Deserialize;

/// Age of a sign-in that counts as fresh, as for every call that makes a credential.
const FRESH: TimeDelta = TimeDelta::minutes(10);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    user_code: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Decided {
    user_code: String,
    /// The source that the agent is to feed.
    source: String,
    /// `approve` or `deny`.
    decision: String,
}

pub(crate) async fn page(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    answered(asked(&request, &admin).await)
}

pub(crate) async fn decide(request: HttpRequest, admin: web::Data<Admin>, payload: Body) -> HttpResponse {
    answered(decided(&request, &admin, payload).await)
}

fn answered(written: Result<String, AdminError>) -> HttpResponse {
    match written {
        Ok(text) => shown(StatusCode::OK, &text),
        Err(error) => {
            let text = format!("<h1>This lets no agent in</h1>\n<p>{}</p>", html::sentence(&error.to_string()));
            shown(error.status_code(), &text)
        }
    }
}

async fn asked(request: &HttpRequest, admin: &Admin) -> Result<String, AdminError> {
    let Asked { user_code: typed } = query(request)?;
    let caller = owner(request, admin).await?;
    if typed.is_empty() {
        return Ok("<h1>Let an agent in</h1>\n<form method=\"get\" action=\"/activate\">\
            <label for=\"user_code\">The code that the agent shows</label>\
            <input id=\"user_code\" name=\"user_code\" autocomplete=\"off\" required autofocus placeholder=\"ABCD-EFGH\">\
            <button>Continue</button></form>"
            .to_owned());
    }
    let device = waiting(request, admin, &typed).await?;
    let sources = admin.hub.store.agent_sources(&caller.scope).await?;
    let tenant = admin.hub.store.tenant_names(&caller.scope).await?;
    Ok(question(&tenant.name, &user_code::typed(&typed).unwrap_or_default(), &device, &sources))
}

fn question(tenant: &str, code: &str, device: &WaitingDevice, sources: &[AgentSource]) -> String {
    let name = match device.device_name.as_str() {
        "" => "An agent that names no machine".to_owned(),
        name => format!("An agent on <strong>{}</strong>", encode_safe(name)),
    };
    let head = format!(
        "<h1>Let this agent in?</h1>\n<p>{name} asks to feed the members of <strong>{}</strong>. It asked at {} UTC from the address \
         {}, and shows the code <code>{}</code>.</p>\n\
         <p class=\"note\">Go on only if you started it yourself a moment ago and see this code on its screen.</p>",
        encode_safe(tenant),
        device.created_at.format("%H:%M"),
        encode_safe(&device.address),
        user_code::shown(code),
    );
    let hidden = |decision: &str| {
        format!(
            "<input type=\"hidden\" name=\"user_code\" value=\"{code}\">\
             <input type=\"hidden\" name=\"decision\" value=\"{decision}\">"
        )
    };
    let approve = match sources {
        [] => "<p>No source is fed by agents yet: have the operator make one (<code>rollcall source create --kind agent</code>).</p>"
            .to_owned(),
        _ => {
            let option = |source: &AgentSource| {
                let name = if source.name.is_empty() { source.id.to_string() } else { source.name.clone() };
                format!("<option value=\"{}\">{}</option>", source.id, encode_safe(&name))
            };
            let options: String = sources.iter().map(option).collect();
            format!(
                "<form method=\"post\" action=\"/activate\">{}<label for=\"source\">It feeds the source</label>\
                 <select id=\"source\" name=\"source\">{options}</select><button>Let it in</button></form>",
                hidden("approve")
            )
        }
    };
    format!(
        "{head}\n{approve}\n<form method=\"post\" action=\"/activate\">{}<button>Refuse it</button></form>",
        hidden("deny")
    )
}

async fn decided(request: &HttpRequest, admin: &Admin, payload: Body) -> Result<String, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only a page of this hub lets an agent in"));
    }
    let Decided { user_code: typed, source, decision } = form(payload, "user_code").await?;
    let caller = owner(request, admin).await?;
    let device = waiting(request, admin, &typed).await?;
    let source: Option<SourceId> = match decision.as_str() {
        "deny" => None,
        "approve" => {
            Some(source.parse().map_err(|_| AdminError::BadRequest("choose the source that the agent feeds".into()))?)
        }
        _ => return Err(AdminError::BadRequest("decision is approve or deny".into())),
    };
    let scope = request_id(request).map_or(caller.scope, |id| caller.scope.for_request(id));
    admin.hub.store.decide_enrolment(&scope, &device, source).await?;
    Ok(match source {
        Some(_) => {
            "<h1>The agent is let in</h1>\n<p>It goes on by itself within some seconds. You can close this page.</p>"
        }
        None => "<h1>The agent is refused</h1>\n<p>You can close this page.</p>",
    }
    .to_owned())
}

/// The owner who is signed in, freshly: an enrolment makes a credential of a source, as a token is one.
async fn owner(request: &HttpRequest, admin: &Admin) -> Result<SessionCaller, AdminError> {
    let Some(secret) = session_secret(request) else { return Err(Refusal::Unauthorized(SIGN_IN).into()) };
    let caller = admin.hub.session_caller(&secret, true, &peer(request), &admin.limits).await;
    let caller = caller.map_err(|error| match error {
        CallerError::Unknown => Refusal::Unauthorized(SIGN_IN).into(),
        error => AdminError::from(error),
    })?;
    known_caller(request, caller.session.tenant, caller.session.id);
    if !caller.scope.role().is_at_least(Role::Owner) {
        return Err(AdminError::Forbidden("an owner lets agents in: ask one to type the code"));
    }
    match caller.session.authenticated_at {
        None => Err(AdminError::ProviderSaysNoTime),
        Some(at) if admin.hub.store.clock.now() - at > FRESH => Err(AdminError::SignInAgain),
        Some(_) => Ok(caller),
    }
}

const SIGN_IN: &str = "sign in first (/sign-in), then open this page again";

async fn waiting(request: &HttpRequest, admin: &Admin, typed: &str) -> Result<WaitingDevice, AdminError> {
    let device = admin.hub.waiting_agent(typed, &peer(request), &admin.limits).await;
    device.map_err(|error| match error {
        CallerError::Unknown => {
            AdminError::NotFound("no agent waits with this code: it was used, has ended, or is mistyped".into())
        }
        error => error.into(),
    })
}

//! The page that a set-up link opens: the address of one source, its token, the steps at the identity provider, and whether the provider
//! has called. Opening it changes nothing, since mail filters open links too: only a button makes the token, or an OAuth client instead.
//! It works without scripts.

use crate::Admin;
use crate::error::AdminError;
use crate::html;
use crate::query::query;
use crate::session::is_from_other_site;
use crate::setup_guides::{GUIDES, Guide, guide};
use crate::sign_in_page::{form, shown_wide};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use chrono::{DateTime, Utc};
use html_escape::encode_safe;
use rollcall_hub::CallerError;
use rollcall_store::{NewOauthClient, OpenSetupLink};
use rollcall_web::{Body, Refusal, known_caller, peer, request_id};
use serde::Deserialize;
use std::fmt::Write;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    link: String,
    provider: String,
}

pub(crate) async fn page(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    answered(read(&request, &admin).await)
}

async fn read(request: &HttpRequest, admin: &Admin) -> Result<String, AdminError> {
    let asked: Asked = query(request)?;
    let link = opened(request, admin, &asked).await?;
    Ok(Page { link: &link, asked: &asked, base: &admin.base(request), made: None }.written())
}

/// The button: makes the token, and shows it this once.
pub(crate) async fn make_token(request: HttpRequest, admin: web::Data<Admin>, payload: Body) -> HttpResponse {
    answered(pressed(&request, &admin, payload, Wanted::Token).await)
}

/// The other button: makes an OAuth client instead.
pub(crate) async fn make_client(request: HttpRequest, admin: web::Data<Admin>, payload: Body) -> HttpResponse {
    answered(pressed(&request, &admin, payload, Wanted::Client).await)
}

enum Wanted {
    Token,
    Client,
}

async fn pressed(request: &HttpRequest, admin: &Admin, payload: Body, wanted: Wanted) -> Result<String, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only the set-up page of this hub makes a token"));
    }
    let asked: Asked = form(payload, "link").await?;
    let link = opened(request, admin, &asked).await?;
    let (store, id) = (&admin.hub.store, request_id(request));
    let made = match wanted {
        Wanted::Token => Made::Token(store.make_token_of_link(&link, id).await?.secret),
        Wanted::Client => {
            let NewOauthClient { client, secret } = store.make_client_of_link(&link, id).await?;
            Made::Client { id: client.to_string(), secret: secret.secret }
        }
    };
    Ok(Page { link: &link, asked: &asked, base: &admin.base(request), made: Some(made) }.written())
}

fn answered(written: Result<String, AdminError>) -> HttpResponse {
    match written {
        Ok(text) => shown_wide(StatusCode::OK, &text),
        Err(error) => {
            let text = format!("<h1>This sets nothing up</h1>\n<p>{}</p>", html::sentence(&error.to_string()));
            shown_wide(error.status_code(), &text)
        }
    }
}

/// The link that the request names; why there is none is nobody's business.
async fn opened(request: &HttpRequest, admin: &Admin, asked: &Asked) -> Result<OpenSetupLink, AdminError> {
    let link = admin.hub.setup_link(asked.link.trim(), &peer(request), &admin.limits).await;
    let link = link.map_err(|error| match error {
        CallerError::Unknown => Refusal::Unauthorized(UNKNOWN).into(),
        error => AdminError::from(error),
    })?;
    known_caller(request, link.tenant(), link.id());
    Ok(link)
}

const UNKNOWN: &str = "the link is unknown, was revoked or has ended; ask the organisation for a new one";

/// The page of one link.
struct Page<'a> {
    link: &'a OpenSetupLink,
    asked: &'a Asked,
    base: &'a str,
    made: Option<Made>,
}

/// The secret that was made a moment ago.
enum Made {
    Token(String),
    Client { id: String, secret: String },
}

impl Page<'_> {
    fn address(&self) -> String {
        format!("{}/scim/v2/{}", self.base.trim_end_matches('/'), self.link.source())
    }

    fn written(&self) -> String {
        let tenant = encode_safe(&self.link.tenant_name);
        let source = match self.link.source_name.as_str() {
            "" => String::new(),
            name => format!(" ({})", encode_safe(name)),
        };
        format!(
            "<h1>Connect your identity provider to {tenant}</h1>\n\
             <p>This page is for whoever runs the identity provider of {tenant}{source}. It needs no account, opens nothing else, \
             and works until {}.</p>\n{}\
             <h2>1. SCIM address</h2>\n<p class=\"value\"><code>{}</code></p>\n\
             <h2>2. Token</h2>\n{}\n<h2>3. At your identity provider</h2>\n{}\n<h2>4. Has it called?</h2>\n{}",
            moment(self.link.expires_at),
            self.of_mode(),
            encode_safe(&self.address()),
            self.of_token(),
            self.of_provider(),
            self.of_calls(),
        )
    }

    fn of_mode(&self) -> &'static str {
        match self.link.mode.as_str() {
            "off" => {
                "<p class=\"note\">Provisioning is switched off at present: calls are refused until an owner switches it on.</p>\n"
            }
            "simulate" => {
                "<p class=\"note\">Provisioning is a trial at present: people who arrive are recorded, and nobody gets or loses access \
                 until an owner makes it live.</p>\n"
            }
            _ => "",
        }
    }

    fn of_token(&self) -> String {
        match &self.made {
            Some(made) => format!("<p>Copy it now: it is not shown again.</p>\n{}", self.shown(made)),
            None => self.before().unwrap_or_else(|| self.buttons()),
        }
    }

    fn shown(&self, made: &Made) -> String {
        let value = |text: &str| format!("<p class=\"value\"><code>{}</code></p>", encode_safe(text));
        match made {
            Made::Token(token) => value(token),
            Made::Client { id, secret } => format!(
                "<p>Client id</p>\n{}\n<p>Client secret</p>\n{}\n<p>Token endpoint</p>\n{}\n\
                 <p class=\"note\">Where the steps below say token, choose OAuth 2.0 with client credentials and enter these three.</p>",
                value(id),
                value(secret),
                value(&format!("{}/oauth/token", self.base.trim_end_matches('/'))),
            ),
        }
    }

    /// The token or client that was made with this link earlier.
    fn before(&self) -> Option<String> {
        let (prefix, made_at) = (self.link.token_prefix.as_ref()?, self.link.token_made_at?);
        let what = match self.link.client_id {
            Some(id) => format!("OAuth client <code>{id}</code>, with the secret"),
            None => "token".to_owned(),
        };
        let revoked = self.link.token_revoked_at.map(|at| format!(", and revoked on {}", moment(at)));
        Some(format!(
            "<p>The {what} <code>{}…</code> was made with this link on {}{}. It is not shown again: if it is lost, ask {} for another \
             link.</p>",
            encode_safe(prefix),
            moment(made_at),
            revoked.unwrap_or_default(),
            encode_safe(&self.link.tenant_name),
        ))
    }

    fn buttons(&self) -> String {
        let button = |action: &str, text: &str| {
            format!(
                "<form method=\"post\" action=\"/set-up/{action}\"><input type=\"hidden\" name=\"link\" value=\"{}\">\
                 <input type=\"hidden\" name=\"provider\" value=\"{}\"><button>{text}</button></form>",
                encode_safe(&self.asked.link),
                self.provider().map(|guide| guide.key).unwrap_or_default(),
            )
        };
        format!(
            "<p>It is shown once. Make it when you are ready to paste it.</p>\n{}\n\
             <details><summary>My provider wants an OAuth 2.0 client instead of a token</summary>\n{}</details>",
            button("token", "Make the token"),
            button("oauth-client", "Make the OAuth client"),
        )
    }

    /// The chosen provider's steps, below the choice.
    fn of_provider(&self) -> String {
        let chosen = self.provider();
        let mut text = String::from("<nav>");
        for guide in GUIDES {
            let mark = if chosen.is_some_and(|chosen| chosen.key == guide.key) { " aria-current=\"true\"" } else { "" };
            let _ = write!(text, "<a href=\"{}\"{mark}>{}</a> ", self.to(Some(guide)), guide.name);
        }
        text.push_str("</nav>\n");
        match chosen {
            None => text.push_str("<p>Choose yours to read the steps.</p>"),
            Some(guide) => text.push_str(&guide.written(&self.address(), self.token())),
        }
        text
    }

    fn token(&self) -> Option<&str> {
        match &self.made {
            Some(Made::Token(token)) => Some(token),
            _ => None,
        }
    }

    fn provider(&self) -> Option<&'static Guide> {
        guide(&self.asked.provider)
    }

    fn to(&self, provider: Option<&Guide>) -> String {
        let chosen = provider.map(|guide| format!("&amp;provider={}", guide.key)).unwrap_or_default();
        format!("/set-up?link={}{chosen}", encode_safe(self.asked.link.trim()))
    }

    fn of_calls(&self) -> String {
        let again = format!("<a href=\"{}\">Look again</a>", self.to(self.provider()));
        match self.link.called_at {
            Some(at) => format!("<p>Yes, last on {}. {again}</p>", moment(at)),
            None => format!("<p>Not yet. A call is seen here some seconds after it came. {again}</p>"),
        }
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

//! A person with a browser: the cookie of a session, and the headers that a browser sends.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::rest::Tenant;

/// The header that pages of the hub send with a write.
pub(crate) const CSRF: (&str, &str) = ("x-rollcall-csrf", "1");

/// A member who signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) http: Client,
    /// Base URL of the process that answers.
    pub(crate) base: String,
    pub(crate) cookie: String,
}

impl Person {
    /// A signed-in member, by a link of the operator.
    pub(crate) async fn sign_in(tenant: &Tenant, email: &str) -> Self {
        let answer = Self::present(tenant, &new_link(tenant, email)).await.expect(201);
        Self::of(tenant, &answer)
    }

    /// Presents the secret of a link.
    pub(crate) async fn present(tenant: &Tenant, link: &str) -> Answer {
        let url = format!("{}/api/v1/session", tenant.hub.people_url());
        Answer::of(tenant.hub.http().post(url).header("user-agent", "Firefox on Linux").json(&json!({ "link": link })))
            .await
    }

    /// The session that an answer gives to the browser.
    pub(crate) fn of(tenant: &Tenant, answer: &Answer) -> Self {
        Self::at(tenant.hub.people_url(), tenant.hub.http(), answer)
    }

    /// As [`of`](Self::of), for any hub.
    pub(crate) fn at(base: String, http: &Client, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        assert!(cookie.starts_with("__Host-rollcall=rss_"), "{}", answer.describe());
        Self { http: http.clone(), base, cookie }
    }

    /// A request as a page of the hub sends it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method.clone(), format!("{}{path}", self.base));
        let request = request.header("cookie", &self.cookie).header("sec-fetch-site", "same-origin");
        if method == Method::GET { request } else { request.header(CSRF.0, CSRF.1) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(method, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }
}

/// The secret of a new link, which the operator makes.
pub(crate) fn new_link(tenant: &Tenant, email: &str) -> String {
    let made = tenant.hub.json_command(&["sign-in-link", "--tenant", &tenant.slug, "--email", email]);
    let url = made["url"].as_str().unwrap_or_else(|| panic!("no url in {made}")).to_owned();
    url.split_once("/sign-in?link=").unwrap_or_else(|| panic!("{url}")).1.to_owned()
}

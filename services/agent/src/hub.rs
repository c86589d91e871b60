//! The hub as the agent calls it: every request signed, repeated with pauses while the hub or the network is away.

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::identity::{Identity, random};
use crate::output::progress;
use reqwest::{Method, Response};
use rollcall_core::clock::Clock;
use rollcall_snapshot::bucket::hex;
use rollcall_snapshot::{SignedRequest, Signer, content_digest};
use serde_json::Value as Json;
use std::time::Duration;

/// Tries of one request.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Life of a signature, in seconds.
const SIGNATURE_SECONDS: i64 = 240;
const CONNECT_TIME: Duration = Duration::from_secs(10);
const REQUEST_TIME: Duration = Duration::from_secs(120);

/// The connection to a hub.
pub(crate) struct Hub {
    client: reqwest::Client,
    base: String,
    authority: String,
}

/// An answer of the hub.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Json,
}

impl Answer {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_default()
    }

    /// The failure that a refusal is.
    pub(crate) fn failure(&self) -> Failure {
        let reason = self.text("reason").to_owned();
        let message = match self.text("message") {
            "" => format!("the hub answers {}", self.status),
            message => message.to_owned(),
        };
        let code = self.json["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(self.status);
        let exit = exit_of(code, &reason);
        Failure { exit, message: format!("{}.", message.trim_end_matches('.')), told: Some((code, reason)) }
    }

    fn is_of_moment(&self) -> bool {
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
    }
}

pub(crate) fn exit_of(code: u16, reason: &str) -> Exit {
    match (code, reason) {
        (_, "member_removal_over_limit") => Exit::RemovalOverLimit,
        (_, "provisioning_off") => Exit::ProvisioningOff,
        (_, "another_machine") => Exit::OtherMachine,
        (_, "signature_out_of_time") => Exit::Clock,
        (_, "key_revoked" | "key_unknown" | "token_unknown" | "no_token") | (401, _) => Exit::NotAuthorized,
        (202, _) => Exit::Unfinished,
        (429 | 500.., _) => Exit::HubFailed,
        _ => Exit::Refused,
    }
}

/// A request.
struct Call<'c> {
    method: Method,
    path: &'c str,
    query: &'c str,
    body: Vec<u8>,
}

impl Hub {
    pub(crate) fn of(config: &Config) -> Result<Self, Failure> {
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME)
            .timeout(REQUEST_TIME)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(crate::sync::PROGRAM);
        if let Some(file) = &config.hub.ca_file {
            let failed = |why: String| Exit::Config.because(format!("hub.ca_file {}: {why}.", file.display()));
            let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
            client = client.tls_certs_only(certificates);
        }
        let client = client.build().map_err(|error| Exit::Internal.because(error.to_string()))?;
        let base = config.base().to_owned();
        let url = url::Url::parse(&base).map_err(|error| Exit::Config.because(error.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_lowercase();
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Ok(Self { client, base, authority })
    }

    /// Asks without a signature, with a token that serves once.
    pub(crate) async fn enrol(&self, token: &str, body: &Json) -> Result<Answer, Failure> {
        let url = format!("{}/agent/v1/enrolment", self.base);
        let sent = self.client.post(url).bearer_auth(token).body(body.to_string()).send().await;
        answer_of(sent).await
    }

    pub(crate) async fn get(&self, identity: &Identity, path: &str, query: &str) -> Result<Answer, Failure> {
        self.call(identity, &Call { method: Method::GET, path, query, body: Vec::new() }).await
    }

    pub(crate) async fn post(&self, identity: &Identity, path: &str, body: &Json) -> Result<Answer, Failure> {
        self.call(identity, &Call { method: Method::POST, path, query: "", body: body.to_string().into_bytes() }).await
    }

    pub(crate) async fn put(&self, identity: &Identity, path: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        self.call(identity, &Call { method: Method::PUT, path, query: "", body }).await
    }

    /// Repeats a call while the hub is away or busy; each try has a signature and a nonce of its own.
    async fn call(&self, identity: &Identity, call: &Call<'_>) -> Result<Answer, Failure> {
        let mut pause = FIRST_PAUSE;
        for tried in 1..=TRIES {
            let answer = self.once(identity, call).await;
            let why = match &answer {
                Ok(answer) if answer.is_of_moment() => answer.failure().message,
                Err(failure) if failure.exit == Exit::HubUnreachable => failure.message.clone(),
                _ => return answer,
            };
            if tried == TRIES {
                return answer;
            }
            // Agents that lost one hub together do not come back together.
            let [jitter] = random::<1>()?;
            let wait = pause + pause.mul_f64(f64::from(jitter) / 255.0);
            progress(format_args!("{why} Another try in {} s.", wait.as_secs_f64().ceil()));
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(Exit::HubUnreachable.because("no try was left."))
    }

    async fn once(&self, identity: &Identity, call: &Call<'_>) -> Result<Answer, Failure> {
        let Call { method, path, query, body } = call;
        let digest = content_digest(body);
        let signed =
            SignedRequest { method: method.as_str(), authority: &self.authority, path, query, content_digest: &digest };
        let created = Clock::System.now().timestamp();
        let nonce = hex(&random::<16>()?);
        let signer = Signer { key: &identity.key, key_id: &identity.key_id };
        let headers = signer.sign(&signed, created, created + SIGNATURE_SECONDS, &nonce);
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let request = self.client.request(method.clone(), format!("{}{path}{query}", self.base)).body(body.clone());
        let request = request.header("content-digest", digest).header("signature-input", headers.signature_input);
        answer_of(request.header("signature", headers.signature).send().await).await
    }
}

async fn answer_of(sent: Result<Response, reqwest::Error>) -> Result<Answer, Failure> {
    let failed = |error: reqwest::Error| Exit::HubUnreachable.because(format!("{}.", told(&error)));
    let response = sent.map_err(failed)?;
    let status = response.status().as_u16();
    let text = response.text().await.map_err(failed)?;
    let json = serde_json::from_str(&text).unwrap_or(Json::Null);
    if json.is_null() && status < 500 && status != 204 {
        let why = format!("the address answers {status}, and not as a hub does; check hub.url.");
        return Err(Exit::Config.because(why));
    }
    Ok(Answer { status, json })
}

/// An error with its causes, which name the certificate or the refused connection.
fn told(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

//! A provider on loopback that says whatever a test wants.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rollcall_sign_in::{Attempt, Claims, Failure, GuardedClient, LogoutToken, ProviderAnswer, Providers, Registration};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const CLIENT: &str = "rollcall";
const SECRET: &str = "a secret of the client";
pub(crate) const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The time in these tests, for provider and hub.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

/// The provider's behaviour.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) issuer: String,
    /// The number of the key that signs, and those that are listed.
    pub(crate) signs: u8,
    pub(crate) listed: Vec<u8>,
    /// Replaces the head of the token; its `alg` decides how it is signed.
    pub(crate) head: Value,
    /// Claims that replace the right ones; null takes one away.
    pub(crate) claims: Value,
    /// Members that replace those of the discovery document.
    pub(crate) document: Value,
    pub(crate) userinfo: Value,
    /// The answer of the token endpoint when it refuses.
    pub(crate) refusal: Option<Value>,
    pub(crate) nonce: String,
    /// Requests of each path.
    pub(crate) asked: BTreeMap<String, u32>,
    /// The form of the last exchange.
    pub(crate) form: String,
}

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) providers: Providers,
    pub(crate) registration: Registration,
}

fn key(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).expect("32 bytes are a seed")
}

fn jwk(number: u8) -> Value {
    let x = BASE64.encode(key(number).public_key().as_ref());
    json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": format!("key-{number}"), "x": x })
}

/// A token with this head, signed as its `alg` says.
fn token(head: &Value, claims: &Value, signs: u8) -> String {
    let part = |json: &Value| BASE64.encode(json.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let signature = match head["alg"].as_str() {
        Some("none") => Vec::new(),
        Some("HS256") => {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes()).as_ref().to_vec()
        }
        _ => key(signs).sign(signed.as_bytes()).as_ref().to_vec(),
    };
    format!("{signed}.{}", BASE64.encode(signature))
}

/// The claims with these in the place of others.
fn with(mut claims: Value, others: &Value) -> Value {
    for (name, value) in others.as_object().into_iter().flatten() {
        match value {
            Value::Null => claims.as_object_mut().map(|claims| claims.remove(name)),
            value => claims.as_object_mut().map(|claims| claims.insert(name.clone(), value.clone())),
        };
    }
    claims
}

impl Script {
    fn answer(&mut self, path: &str, body: &str) -> (u16, Value) {
        *self.asked.entry(path.to_owned()).or_default() += 1;
        let issuer = &self.issuer;
        match path {
            "/.well-known/openid-configuration" => {
                let document = json!({
                    "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
                    "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
                    "userinfo_endpoint": format!("{issuer}/me"), "response_types_supported": ["code"],
                    "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
                    "end_session_endpoint": format!("{issuer}/out"),
                });
                (200, with(document, &self.document))
            }
            "/jwks" => (200, json!({ "keys": self.listed.iter().copied().map(jwk).collect::<Vec<_>>() })),
            "/me" => (200, self.userinfo.clone()),
            "/token" => {
                body.clone_into(&mut self.form);
                if let Some(refusal) = &self.refusal {
                    return (400, refusal.clone());
                }
                let seconds = now().timestamp();
                let claims = json!({
                    "iss": issuer, "sub": "ann", "aud": CLIENT, "exp": seconds + 300, "iat": seconds, "nonce": self.nonce,
                    "email": "ann@acme.example", "email_verified": true,
                });
                let head = with(json!({ "alg": "EdDSA", "kid": format!("key-{}", self.signs) }), &self.head);
                let id_token = token(&head, &with(claims, &self.claims), self.signs);
                (
                    200,
                    json!({ "access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": id_token }),
                )
            }
            _ => (404, json!({})),
        }
    }
}

/// Answers one request of a connection.
async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut request = Vec::new();
    let (head, length) = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.expect("a request");
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            break (head.to_owned(), length.map_or(0, |(_, length)| length.parse().expect("a number")));
        }
        assert!(read > 0, "the client has gone");
    };
    while request.len() < head.len() + 4 + length {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.expect("a body");
        request.extend_from_slice(&part[..read]);
    }
    let body = String::from_utf8_lossy(&request[head.len() + 4..]).into_owned();
    let path = head.split(' ').nth(1).expect("a path").to_owned();
    let (status, json) = script.lock().expect("nobody panicked").answer(&path, &body);
    let json = json.to_string();
    let answer = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    );
    stream.write_all(answer.as_bytes()).await.expect("an answer");
}

impl Provider {
    pub(crate) async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Script {
            issuer: issuer.clone(),
            signs: 1,
            listed: vec![1],
            head: json!({}),
            claims: json!({}),
            document: json!({}),
            userinfo: json!({}),
            refusal: None,
            nonce: String::new(),
            asked: BTreeMap::new(),
            form: String::new(),
        };
        let script = Arc::new(Mutex::new(script));
        let served = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        let registration = Registration {
            issuer,
            client_id: CLIENT.into(),
            client_secret: Some(SECRET.into()),
            redirect_uri: "http://hub.example/sign-in/callback/1".into(),
            claims: Vec::new(),
        };
        Self { script, providers: Providers::new(GuardedClient::new(true)), registration }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("nobody panicked"));
    }

    pub(crate) fn asked(&self, path: &str) -> u32 {
        self.script.lock().expect("nobody panicked").asked.get(path).copied().unwrap_or_default()
    }

    pub(crate) async fn begin(&self) -> Attempt {
        let begun = self.providers.begin(&self.registration, None).await.expect("a provider");
        self.set(|script| begun.attempt.nonce.clone_into(&mut script.nonce));
        begun.attempt
    }

    pub(crate) async fn finish(&self, answer: &ProviderAnswer, now: DateTime<Utc>) -> Result<Claims, Failure> {
        let attempt = self.begin().await;
        self.providers.finish(&self.registration, &attempt, answer, now).await
    }

    pub(crate) async fn sign_in(&self) -> Result<Claims, Failure> {
        self.finish(&ProviderAnswer { code: "code".into(), issuer: None }, now()).await
    }

    pub(crate) async fn with_claims(&self, claims: Value) -> Result<Claims, Failure> {
        self.set(|script| script.claims = claims);
        self.sign_in().await
    }

    pub(crate) async fn logout(&self, head: &Value, claims: &Value, signs: u8) -> Result<LogoutToken, Failure> {
        let seconds = now().timestamp();
        let right = json!({
            "iss": self.registration.issuer, "aud": CLIENT, "iat": seconds, "exp": seconds + 120, "jti": "once", "sub": "ann", "sid": "s1",
            "events": { LOGOUT: {} },
        });
        let head = with(json!({ "alg": "EdDSA", "kid": format!("key-{signs}"), "typ": "logout+jwt" }), head);
        let token = token(&head, &with(right, claims), signs);
        self.providers.logout_token(&self.registration, &token, now()).await
    }
}

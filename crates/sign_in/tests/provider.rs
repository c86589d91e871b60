//! Sign-ins against a provider of this file that says whatever a test wants: what a right one says is accepted, and each untrue
//! answer is refused. Real providers are in `tests/clients`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rollcall_sign_in::{Attempt, Claims, Failure, GuardedClient, LogoutToken, ProviderAnswer, Providers, Registration};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENT: &str = "rollcall";
const SECRET: &str = "a secret of the client";
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The provider's behaviour.
#[derive(Clone)]
struct Script {
    issuer: String,
    /// The number of the key that signs, and those that are listed.
    signs: u8,
    listed: Vec<u8>,
    /// Replaces the head of the token; its `alg` decides how it is signed.
    head: Value,
    /// Claims that replace the right ones; null takes one away.
    claims: Value,
    /// Members that replace those of the discovery document.
    document: Value,
    userinfo: Value,
    /// The answer of the token endpoint when it refuses.
    refusal: Option<Value>,
    nonce: String,
    /// Requests of each path.
    asked: BTreeMap<String, u32>,
    /// The form of the last exchange.
    form: String,
}

#[derive(Clone)]
struct Provider {
    script: Arc<Mutex<Script>>,
    providers: Providers,
    registration: Registration,
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
                let now = Utc::now().timestamp();
                let claims = json!({
                    "iss": issuer, "sub": "ann", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": self.nonce,
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
    async fn start() -> Self {
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
        };
        Self { script, providers: Providers::new(GuardedClient::new(true).expect("a client")), registration }
    }

    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("nobody panicked"));
    }

    fn asked(&self, path: &str) -> u32 {
        self.script.lock().expect("nobody panicked").asked.get(path).copied().unwrap_or_default()
    }

    async fn begin(&self) -> Attempt {
        let begun = self.providers.begin(&self.registration, None).await.expect("a provider");
        self.set(|script| begun.attempt.nonce.clone_into(&mut script.nonce));
        begun.attempt
    }

    async fn finish(&self, answer: &ProviderAnswer, now: DateTime<Utc>) -> Result<Claims, Failure> {
        let attempt = self.begin().await;
        self.providers.finish(&self.registration, &attempt, answer, now).await
    }

    async fn sign_in(&self) -> Result<Claims, Failure> {
        self.finish(&ProviderAnswer { code: "code".into(), issuer: None }, Utc::now()).await
    }

    async fn with_claims(&self, claims: Value) -> Result<Claims, Failure> {
        self.set(|script| script.claims = claims);
        self.sign_in().await
    }

    async fn logout(&self, head: &Value, claims: &Value, signs: u8) -> Result<LogoutToken, Failure> {
        let now = Utc::now().timestamp();
        let right = json!({
            "iss": self.registration.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "once", "sub": "ann", "sid": "s1",
            "events": { LOGOUT: {} },
        });
        let head = with(json!({ "alg": "EdDSA", "kid": format!("key-{signs}"), "typ": "logout+jwt" }), head);
        let token = token(&head, &with(right, claims), signs);
        self.providers.logout_token(&self.registration, &token, Utc::now()).await
    }
}

#[tokio::test]
async fn a_right_answer_is_accepted_and_the_exchange_proves_the_browser() {
    let provider = Provider::start().await;
    let begun = provider.providers.begin(&provider.registration, Some("ann@acme.example")).await.expect("a provider");
    for part in [
        "response_type=code",
        "scope=openid+profile+email",
        "code_challenge_method=S256",
        "login_hint=ann%40acme.example",
    ] {
        assert!(begun.url.contains(part), "{part} in {}", begun.url);
    }
    assert!(!begun.url.contains(&begun.attempt.verifier), "the verifier stays here");
    provider.set(|script| begun.attempt.nonce.clone_into(&mut script.nonce));
    let answer = ProviderAnswer { code: "the code".into(), issuer: Some(provider.registration.issuer.clone()) };
    let claims =
        provider.providers.finish(&provider.registration, &begun.attempt, &answer, Utc::now()).await.expect("claims");
    assert_eq!(
        (claims.subject(), claims.text("email"), claims.email_verified()),
        ("ann", Some("ann@acme.example"), Some(true))
    );
    let form = provider.script.lock().expect("nobody panicked").form.clone();
    assert!(
        form.contains("code=the+code") && form.contains(&format!("code_verifier={}", begun.attempt.verifier)),
        "{form}"
    );
}

#[tokio::test]
async fn spellings_that_the_specification_allows_are_read() {
    let provider = Provider::start().await;
    let now = Utc::now().timestamp();
    for claims in [
        json!({ "auth_time": now as f64 + 0.25 }),
        json!({ "auth_time": 0 }),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": CLIENT, "azp": CLIENT }),
        json!({ "email_verified": "true" }),
        json!({ "exp": now - 30 }), // the clocks differ by less than a minute
        json!({ "iat": now + 30 }),
        json!({ "groups": ["a", "b"], "sid": "s1", "unknown": { "deep": [1] } }),
    ] {
        let signed_in = provider.with_claims(claims.clone()).await;
        signed_in.unwrap_or_else(|refused| panic!("{claims}: {refused}"));
    }
}

#[tokio::test]
async fn untrue_tokens_are_refused_with_the_reason() {
    let provider = Provider::start().await;
    let now = Utc::now().timestamp();
    for (claims, reason) in [
        (json!({ "nonce": "another" }), "nonce"),
        (json!({ "nonce": null }), "nonce"),
        (json!({ "iss": "https://evil.example" }), "issuer"),
        (json!({ "aud": "another" }), "audience"),
        (json!({ "aud": ["another"] }), "audience"),
        (json!({ "aud": [CLIENT, "another"] }), "audience"),
        (json!({ "aud": CLIENT, "azp": "another" }), "azp"),
        (json!({ "exp": now - 120 }), "ended"),
        (json!({ "iat": now + 600 }), "future"),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "at_hash"),
    ] {
        let refused = provider.with_claims(claims.clone()).await.expect_err(&claims.to_string());
        assert!(refused.to_string().to_lowercase().contains(reason), "{claims}: {refused}");
    }
    provider.set(|script| script.claims = json!({}));
    for head in [json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({ "alg": "RS256" })] {
        provider.set(|script| script.head = head.clone());
        let refused = provider.sign_in().await.expect_err(&head.to_string());
        assert!(matches!(refused, Failure::NotBelieved(_)), "{head}: {refused}");
    }
}

#[tokio::test]
async fn clocks_that_differ_by_minutes_are_told() {
    let provider = Provider::start().await;
    let answer = ProviderAnswer { code: "code".into(), issuer: None };
    for (skew, reason) in [(10, "ended"), (-10, "future")] {
        let refused = provider.finish(&answer, Utc::now() + TimeDelta::minutes(skew)).await.expect_err("another time");
        assert!(refused.to_string().contains(reason) && refused.to_string().contains("clocks"), "{refused}");
    }
}

#[tokio::test]
async fn a_rotated_key_is_fetched_once_and_an_unknown_one_is_refused() {
    let provider = Provider::start().await;
    provider.sign_in().await.expect("the first key");
    assert_eq!(provider.asked("/jwks"), 1);
    provider.set(|script| (script.signs, script.listed) = (2, vec![1, 2]));
    // A provider was asked a moment ago: keys are not fetched again for every token that names another.
    provider.sign_in().await.expect_err("within the pause");
    assert_eq!(provider.asked("/jwks"), 1);
    let later = Providers::new(GuardedClient::new(true).expect("a client"));
    let later = Provider { providers: later, ..provider.clone() };
    later.sign_in().await.expect("the new key");
    provider.set(|script| script.signs = 3);
    let refused = later.sign_in().await.expect_err("a key that nobody lists");
    assert!(refused.to_string().contains("does not list"), "{refused}");
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused_before_its_code_is_spent() {
    let provider = Provider::start().await;
    let answer = |issuer: Option<&str>| ProviderAnswer { code: "code".into(), issuer: issuer.map(Into::into) };
    provider.finish(&answer(Some("https://evil.example")), Utc::now()).await.expect_err("a mix-up");
    assert_eq!(provider.asked("/token"), 0);
    let careful = Provider::start().await;
    careful.set(|script| script.document = json!({ "authorization_response_iss_parameter_supported": true }));
    careful.finish(&answer(None), Utc::now()).await.expect_err("it always names itself");
    assert_eq!(careful.asked("/token"), 0);
    careful.finish(&answer(Some(&careful.registration.issuer)), Utc::now()).await.expect("its own name");
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_told_with_a_remedy() {
    let provider = Provider::start().await;
    for (code, remedy) in [
        ("invalid_grant", "start the sign-in again"),
        ("invalid_client", "client_secret"),
        ("odd_error", "its own log"),
    ] {
        provider.set(|script| script.refusal = Some(json!({ "error": code, "error_description": "because\u{7}" })));
        let refused = provider.sign_in().await.expect_err("refused").to_string();
        assert!(refused.contains(code) && refused.contains("(because)") && refused.contains(remedy), "{refused}");
    }
}

#[tokio::test]
async fn an_address_that_only_userinfo_has_is_read_for_the_same_person_alone() {
    let provider = Provider::start().await;
    provider
        .set(|script| script.userinfo = json!({ "sub": "ann", "email": "ann@acme.example", "email_verified": true }));
    let claims = provider.with_claims(json!({ "email": null, "email_verified": null })).await.expect("claims");
    assert_eq!((claims.text("email"), claims.email_verified()), (Some("ann@acme.example"), Some(true)));
    provider
        .set(|script| script.userinfo = json!({ "sub": "eve", "email": "eve@acme.example", "email_verified": true }));
    let claims = provider.sign_in().await.expect("claims");
    assert_eq!(claims.text("email"), None, "userinfo of somebody else");
}

#[tokio::test]
async fn documents_that_are_none_are_told() {
    let provider = Provider::start().await;
    provider.set(|script| script.document = json!({ "issuer": "https://evil.example" }));
    let told = provider.providers.facts(&provider.registration.issuer).await.expect_err("another issuer").to_string();
    assert!(told.contains("evil.example"), "{told}");
    let issuer = format!("{}/nowhere", provider.registration.issuer);
    let told = provider.providers.facts(&issuer).await.expect_err("a 404").to_string();
    assert!(told.contains("404") && told.contains(".well-known"), "{told}");
    for issuer in ["", "nonsense", "https://idp.example/?tenant=1", "https://idp.example/#1"] {
        assert!(matches!(provider.providers.facts(issuer).await, Err(Failure::Address(_))), "{issuer:?}");
    }
}

#[tokio::test]
async fn a_logout_token_counts_for_this_client_with_an_event_and_without_a_nonce() {
    let provider = Provider::start().await;
    let now = Utc::now().timestamp();
    let nothing = json!({});
    let token = provider.logout(&nothing, &nothing, 1).await.expect("a right token");
    assert_eq!(
        (token.subject.as_deref(), token.session.as_deref(), token.id.as_str()),
        (Some("ann"), Some("s1"), "once")
    );
    for claims in
        [json!({ "sub": null }), json!({ "sid": null }), json!({ "exp": null }), json!({ "aud": [CLIENT, "other"] })]
    {
        provider.logout(&nothing, &claims, 1).await.unwrap_or_else(|refused| panic!("{claims}: {refused}"));
    }
    provider.logout(&json!({ "typ": "JWT" }), &nothing, 1).await.expect("an older provider's type");
    for claims in [
        json!({ "sub": null, "sid": null }),
        json!({ "nonce": "n" }),
        json!({ "events": null }),
        json!({ "events": {} }),
        json!({ "events": { LOGOUT: "yes" } }),
        json!({ "iss": "https://evil.example" }),
        json!({ "aud": "other" }),
        json!({ "jti": null }),
        json!({ "iat": null }),
        json!({ "iat": now - 600, "exp": null }),
        json!({ "iat": now - 600, "exp": now + 600 }),
        json!({ "exp": now - 120 }),
        json!({ "iat": now + 600 }),
    ] {
        provider.logout(&nothing, &claims, 1).await.expect_err(&claims.to_string());
    }
    for head in
        [json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({ "typ": "at+jwt" }), json!({ "crit": ["x"] })]
    {
        provider.logout(&head, &nothing, 1).await.expect_err(&head.to_string());
    }
    provider.logout(&nothing, &nothing, 9).await.expect_err("a key that the provider does not list");
}

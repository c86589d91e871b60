//! Sign-ins against a provider of these tests: what a right one says is accepted, and each untrue answer is refused. Real providers
//! are in `tests/providers`.

mod script;

use chrono::TimeDelta;
use rollcall_sign_in::{Failure, GuardedClient, ProviderAnswer, Providers};
use script::{CLIENT, LOGOUT, Provider, now};
use serde_json::json;

#[tokio::test]
async fn a_right_answer_is_accepted_and_the_exchange_proves_the_browser() {
    let provider = Provider::start().await;
    let begun = provider.providers.begin(&provider.registration, Some("ann@acme.example")).await.expect("a provider");
    for part in [
        "response_type=code",
        "scope=openid+profile+email",
        "code_challenge_method=S256",
        "max_age=600",
        "login_hint=ann%40acme.example",
    ] {
        assert!(begun.url.contains(part), "{part} in {}", begun.url);
    }
    assert!(!begun.url.contains(&begun.attempt.verifier), "the verifier stays here");
    provider.set(|script| begun.attempt.nonce.clone_into(&mut script.nonce));
    let answer = ProviderAnswer { code: "the code".into(), issuer: Some(provider.registration.issuer.clone()) };
    let claims =
        provider.providers.finish(&provider.registration, &begun.attempt, &answer, now()).await.expect("claims");
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
    let seconds = now().timestamp();
    for claims in [
        json!({ "auth_time": seconds as f64 + 0.25 }),
        json!({ "auth_time": 0 }),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": CLIENT, "azp": CLIENT }),
        json!({ "email_verified": "true" }),
        json!({ "exp": seconds - 30 }), // the clocks differ by less than a minute
        json!({ "iat": seconds + 30 }),
        json!({ "groups": ["a", "b"], "sid": "s1", "unknown": { "deep": [1] } }),
    ] {
        let signed_in = provider.with_claims(claims.clone()).await;
        signed_in.unwrap_or_else(|refused| panic!("{claims}: {refused}"));
    }
}

#[tokio::test]
async fn untrue_tokens_are_refused_with_the_reason() {
    let provider = Provider::start().await;
    let seconds = now().timestamp();
    for (claims, reason) in [
        (json!({ "nonce": "another" }), "nonce"),
        (json!({ "nonce": null }), "nonce"),
        (json!({ "iss": "https://evil.example" }), "issuer"),
        (json!({ "aud": "another" }), "audience"),
        (json!({ "aud": ["another"] }), "audience"),
        (json!({ "aud": [CLIENT, "another"] }), "audience"),
        (json!({ "aud": CLIENT, "azp": "another" }), "azp"),
        (json!({ "exp": seconds - 120 }), "ended"),
        (json!({ "iat": seconds + 600 }), "future"),
        (json!({ "name": "Ann\u{0}" }), "nul"),
        (json!({ "address": { "lines": ["\u{0}"] } }), "nul"),
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
        let refused = provider.finish(&answer, now() + TimeDelta::minutes(skew)).await.expect_err("another time");
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
    let later = Providers::new(GuardedClient::new(true));
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
    provider.finish(&answer(Some("https://evil.example")), now()).await.expect_err("a mix-up");
    assert_eq!(provider.asked("/token"), 0);
    let careful = Provider::start().await;
    careful.set(|script| script.document = json!({ "authorization_response_iss_parameter_supported": true }));
    careful.finish(&answer(None), now()).await.expect_err("it always names itself");
    assert_eq!(careful.asked("/token"), 0);
    careful.finish(&answer(Some(&careful.registration.issuer)), now()).await.expect("its own name");
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

/// Okta and Canaille send groups for a scope of that name; Entra refuses a sign-in that asks for it.
#[tokio::test]
async fn groups_are_asked_for_where_rules_read_claims_and_the_provider_knows_the_scope() {
    for (document, claims, asks) in [
        (json!({ "scopes_supported": ["openid", "groups"] }), vec!["groups".to_owned()], true),
        (json!({ "scopes_supported": ["openid", "groups"] }), Vec::new(), false),
        (json!({ "scopes_supported": ["openid"] }), vec!["groups".to_owned()], false),
        (json!({}), vec!["groups".to_owned()], false),
    ] {
        let mut provider = Provider::start().await;
        provider.registration.claims = claims;
        provider.set(|script| script.document = document.clone());
        let begun = provider.providers.begin(&provider.registration, None).await.expect("a provider");
        assert_eq!(begun.url.contains("scope=openid+profile+email+groups"), asks, "{document}: {}", begun.url);
    }
}

#[tokio::test]
async fn claims_of_rules_that_the_token_has_not_are_asked_for() {
    let mut provider = Provider::start().await;
    provider.set(|script| script.userinfo = json!({ "sub": "ann", "groups": ["admins"] }));
    let claims = provider.sign_in().await.expect("claims");
    assert_eq!((claims.all().get("groups"), provider.asked("/me")), (None, 0), "no rule reads them");
    provider.registration.claims = vec!["groups".into()];
    let claims = provider.sign_in().await.expect("claims");
    assert_eq!(claims.all()["groups"], json!(["admins"]));
    assert!(!claims.is_unanswered());
    provider.set(|script| script.userinfo = json!({ "sub": "ann" }));
    assert!(!provider.sign_in().await.expect("claims").is_unanswered(), "the provider has none");
    provider.set(|script| script.userinfo = json!({ "error": "busy" }));
    assert!(provider.sign_in().await.expect("claims").is_unanswered());
    let asked = provider.asked("/me");
    let claims = provider.with_claims(json!({ "groups": [] })).await.expect("claims");
    assert!(!claims.is_unanswered() && provider.asked("/me") == asked, "the token has them");
}

#[tokio::test]
async fn documents_that_are_none_are_told() {
    let provider = Provider::start().await;
    provider.set(|script| script.document = json!({ "issuer": "https://evil.example" }));
    let told = provider.providers.check(&provider.registration.issuer).await.expect_err("another issuer").to_string();
    assert!(told.contains("evil.example"), "{told}");
    let issuer = format!("{}/nowhere", provider.registration.issuer);
    let told = provider.providers.check(&issuer).await.expect_err("a 404").to_string();
    assert!(told.contains("404") && told.contains(".well-known"), "{told}");
    for issuer in ["", "nonsense", "https://idp.example/?tenant=1", "https://idp.example/#1"] {
        assert!(matches!(provider.providers.check(issuer).await, Err(Failure::Address(_))), "{issuer:?}");
    }
}

#[tokio::test]
async fn a_logout_token_counts_for_this_client_with_an_event_and_without_a_nonce() {
    let provider = Provider::start().await;
    let seconds = now().timestamp();
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
        json!({ "iat": seconds - 600, "exp": null }),
        json!({ "iat": seconds - 600, "exp": seconds + 600 }),
        json!({ "exp": seconds - 120 }),
        json!({ "iat": seconds + 600 }),
        // The last times that a calendar has: nothing is added to them.
        json!({ "iat": 8_210_266_876_799_i64, "exp": null }),
        json!({ "iat": 1e300 }),
        json!({ "iat": -8_334_601_228_800_i64 }),
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

//! Test vectors, worked out by another program from docs/agent.md. The key is `test-key-ed25519` of RFC 9421, appendix B.1.4.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_snapshot::bucket::{bucket_digest, bucket_of, hex};
use rollcall_snapshot::manifest::part_digest;
use rollcall_snapshot::{
    Claims, Entry, Kind, PublicKey, SignedRequest, Signer, SigningKey, Tree, Unsigned, User, content_digest,
    manifest_digest, verify,
};

fn key() -> SigningKey {
    let seed = URL_SAFE_NO_PAD.decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU").expect("base64");
    SigningKey::of_seed(&seed.try_into().expect("32 bytes"))
}

const PUBLIC: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";
const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
const KEY_ID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";
const INPUT: &str = "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created=1618884473;expires=1618884533;\
    nonce=\"b3k2pp5k7z50gnwp\";keyid=\"0190163d-8694-739b-aea5-966c26f8ad91\";alg=\"ed25519\"";
const SIGNATURE: &str =
    "sig1=:w+gYdVB+6C7HIyzn0OtmP7Qic62fwbBVagOhAaDyJPTgN0r2OzNO1fGesllEP+BUxKFaIyYfEUmXxpL3gEwfBg==:";

fn request(digest: &str) -> SignedRequest<'_> {
    SignedRequest {
        method: "POST",
        authority: "example.com",
        path: "/agent/v1/uploads",
        query: "param=Value&Pet=dog",
        content_digest: digest,
    }
}

#[test]
fn da4_requests_are_signed_as_rfc_9421_says() {
    assert_eq!(content_digest(b"{\"hello\": \"world\"}"), DIGEST);
    let signer = Signer { key: &key(), key_id: KEY_ID };
    let headers = signer.sign(&request(DIGEST), 1_618_884_473, 1_618_884_533, "b3k2pp5k7z50gnwp");
    assert_eq!((headers.signature_input.as_str(), headers.signature.as_str()), (INPUT, SIGNATURE));
    let claims = Claims::of(INPUT, SIGNATURE).expect("claims");
    assert_eq!((claims.created, claims.expires), (1_618_884_473, 1_618_884_533));
    assert_eq!((claims.nonce.as_str(), claims.key_id.as_str()), ("b3k2pp5k7z50gnwp", KEY_ID));
    let public = PublicKey::of_text(PUBLIC).expect("a key");
    assert_eq!(verify(&claims, &request(DIGEST), &public), Ok(()));
    // Parameters may come in another order; they count as they came.
    let other = INPUT.replace("created=1618884473;expires=1618884533", "expires=1618884533;created=1618884473");
    let claims = Claims::of(&other, SIGNATURE).expect("claims");
    assert_eq!(verify(&claims, &request(DIGEST), &public), Err(Unsigned::Wrong));
}

#[test]
fn rc22_whatever_is_altered_is_found() {
    let public = PublicKey::of_text(PUBLIC).expect("a key");
    let claims = Claims::of(INPUT, SIGNATURE).expect("claims");
    let good = request(DIGEST);
    let empty = content_digest(b"");
    for altered in [
        SignedRequest { method: "PUT", ..good },
        SignedRequest { authority: "example.org", ..good },
        SignedRequest { path: "/agent/v1/keys", ..good },
        SignedRequest { query: "", ..good },
        SignedRequest { content_digest: &empty, ..good },
    ] {
        assert_eq!(verify(&claims, &altered, &public), Err(Unsigned::Wrong), "{altered:?}");
    }
    let other = SigningKey::of_seed(&[7; 32]).public();
    assert_eq!(verify(&claims, &good, &other), Err(Unsigned::Wrong));
    for (input, signature) in [
        ("", ""),
        (INPUT, "sig1=:AA:"),
        (INPUT, "sig1=w+gY"),
        (INPUT, &SIGNATURE.replace("sig1", "sig2")),
        (&INPUT.replace("sig1", "sig2"), SIGNATURE),
        (&INPUT.replace("\"@query\" ", ""), SIGNATURE),
        (&INPUT.replace("ed25519", "hmac-sha256"), SIGNATURE),
        (&INPUT.replace(";alg=\"ed25519\"", ""), SIGNATURE),
        (&INPUT.replace("b3k2pp5k7z50gnwp", "short"), SIGNATURE),
        (&INPUT.replace("b3k2pp5k7z50gnwp", "b3k2pp5k7z50gnw\\\""), SIGNATURE),
        (&INPUT.replace("1618884473", "-1618884473"), SIGNATURE),
        (&INPUT.replace("1618884473", "01618884473"), SIGNATURE),
        (&format!("{INPUT};created=1618884473"), SIGNATURE),
        (&format!("{INPUT};tag=\"x\""), SIGNATURE),
        (&format!("{INPUT}{}", " ".repeat(2_000)), SIGNATURE),
    ] {
        let read = Claims::of(input, signature).and_then(|claims| verify(&claims, &good, &public));
        assert!(read.is_err(), "{input} {signature}");
    }
}

#[test]
fn da4_fingerprints_and_proofs_are_those_of_the_document() {
    let key = key();
    assert_eq!(key.public().to_text(), PUBLIC);
    assert_eq!(key.public().fingerprint(), "SHA256:sWwtG+rRJiY5dk/bDuTTd0WZM2vUk0BM2ksRNsWfIGI");
    let proof = "9q-Tlc065Iw0EnTOBkCkRP-3YmHgK4KJ1rWfOFL_iEnlKkrIfO3MNDYRQQQP_qs73CUoXrLI2EQnPovLDKckCw";
    assert_eq!(key.proof("rci_token"), proof);
    assert!(key.public().is_proven("rci_token", proof));
    assert!(!key.public().is_proven("rci_other", proof) && !key.public().is_proven("rci_token", ""));
    assert!(!SigningKey::of_seed(&[1; 32]).public().is_proven("rci_token", proof));
    assert_eq!(PublicKey::of_text("AA"), None);
}

#[test]
fn rc6_digests_are_those_of_the_document() {
    let ann = Entry::User(User {
        id: "guid-ann".into(),
        user_name: None,
        email: Some("ann@acme.example".into()),
        given_name: None,
        family_name: None,
        display_name: None,
        active: true,
        groups: vec!["g1".into()],
    });
    assert_eq!(ann.line(), r#"{"user":{"id":"guid-ann","email":"ann@acme.example","active":true,"groups":["g1"]}}"#);
    assert_eq!(hex(&ann.digest()), "fa2f2d4ab89c13ed177661298d9a90ec");
    assert_eq!((bucket_of(Kind::User, "guid-ann"), bucket_of(Kind::Group, "g1")), (7_457, 3_939));
    let digest = bucket_digest(&[ann.digest()]);
    assert_eq!(hex(&digest), "dc51d2f5c394f9b9e32a97ad679064dc");
    let mut tree = Tree::default();
    assert_eq!(tree.root(), [0; 16]);
    tree.set(7_457, digest);
    tree.set(9_999, digest);
    assert_eq!(hex(&tree.nodes()[116]), "4c135a09c61240af16d99a340cd6c2e8");
    assert_eq!(hex(&tree.root()), "41234f58eebacf7658bad48deb72ed41");
    let manifest = manifest_digest([(&part_digest(b"part"), 4)]);
    assert_eq!(hex(&manifest), "830c84944c8de5099edd1988b9515e90478527ddbf43faaf00b94d21d88b8576");
}

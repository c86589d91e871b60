//! Signatures of requests: HTTP Message Signatures (RFC 9421) with Ed25519, and a content digest (RFC 9530).
//!
//! Every request covers, in this order, `"@method" "@authority" "@path" "@query" "content-digest"`, and names `created`, `expires`,
//! `nonce`, `keyid` and `alg="ed25519"`. One list of components keeps both ends short; a signature over another list is refused. The
//! parameters may come in any order, and count as they came.

use crate::key::{PublicKey, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The components that are covered.
const COMPONENTS: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
const LABEL: &str = "sig1";
/// Longest header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 1_024;
/// Lengths of a nonce, in characters.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;

/// The parts of a request that are signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'r> {
    pub method: &'r str,
    /// The host, and the port where it is not the scheme's own; in lower case.
    pub authority: &'r str,
    pub path: &'r str,
    /// Without `?`; empty for none.
    pub query: &'r str,
    /// The value of `Content-Digest`.
    pub content_digest: &'r str,
}

/// The values of the headers of a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    pub signature_input: String,
    pub signature: String,
}

/// The claims of a signature: true only once [`verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Seconds since 1970.
    pub created: i64,
    pub expires: i64,
    pub nonce: String,
    pub key_id: String,
    /// As they came, since they are part of what is signed.
    parameters: String,
    signature: Vec<u8>,
}

/// Why a request counts as not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    #[error("the request has no signature: it needs Signature-Input, Signature and Content-Digest (RFC 9421)")]
    Missing,
    #[error(
        "the signature is not understood: it is {LABEL} over {COMPONENTS} with created, expires, nonce, keyid and alg=\"ed25519\""
    )]
    Malformed,
    #[error("the signature is wrong: the request was altered, or signed with another key")]
    Wrong,
}

/// The value of `Content-Digest` for a body (RFC 9530).
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// Signs requests in the name of one key.
pub struct Signer<'k> {
    pub key: &'k SigningKey,
    pub key_id: &'k str,
}

impl Signer<'_> {
    /// Signs a request from `created` on until `expires`, in seconds since 1970; the nonce is used once.
    pub fn sign(&self, request: &SignedRequest<'_>, created: i64, expires: i64, nonce: &str) -> SignatureHeaders {
        let key_id = self.key_id;
        let parameters = format!(
            "{COMPONENTS};created={created};expires={expires};nonce=\"{nonce}\";keyid=\"{key_id}\";alg=\"ed25519\""
        );
        let signature = STANDARD.encode(self.key.sign(base(request, &parameters).as_bytes()));
        SignatureHeaders {
            signature_input: format!("{LABEL}={parameters}"),
            signature: format!("{LABEL}=:{signature}:"),
        }
    }
}

/// The signature base (RFC 9421 §2.5).
pub fn base(request: &SignedRequest<'_>, parameters: &str) -> String {
    let SignedRequest { method, authority, path, query, content_digest } = request;
    format!(
        "\"@method\": {method}\n\"@authority\": {authority}\n\"@path\": {path}\n\"@query\": ?{query}\n\
         \"content-digest\": {content_digest}\n\"@signature-params\": {parameters}"
    )
}

impl Claims {
    /// Reads the two headers.
    ///
    /// # Errors
    /// [`Unsigned::Malformed`].
    pub fn of(signature_input: &str, signature: &str) -> Result<Self, Unsigned> {
        Self::read(signature_input, signature).ok_or(Unsigned::Malformed)
    }

    fn read(signature_input: &str, signature: &str) -> Option<Self> {
        if signature_input.len() > HEADER_BYTES_MAX || signature.len() > HEADER_BYTES_MAX {
            return None;
        }
        let (label, parameters) = signature_input.trim().split_once('=')?;
        let (other, value) = signature.trim().split_once('=')?;
        if label != LABEL || other != LABEL {
            return None;
        }
        let signature = STANDARD.decode(value.strip_prefix(':')?.strip_suffix(':')?).ok()?;
        let rest = parameters.strip_prefix(COMPONENTS)?;
        let [mut created, mut expires, mut nonce, mut key_id, mut alg] = [const { None }; 5];
        for parameter in rest.strip_prefix(';')?.split(';') {
            let (name, value) = parameter.split_once('=')?;
            let slot = match name {
                "created" => &mut created,
                "expires" => &mut expires,
                "nonce" => &mut nonce,
                "keyid" => &mut key_id,
                "alg" => &mut alg,
                _ => return None,
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        let nonce = text(nonce?)?;
        if text(alg?)? != "ed25519" || !NONCE.contains(&nonce.len()) {
            return None;
        }
        Some(Self {
            created: seconds(created?)?,
            expires: seconds(expires?)?,
            nonce: nonce.to_owned(),
            key_id: text(key_id?)?.to_owned(),
            parameters: parameters.to_owned(),
            signature,
        })
    }
}

/// A string of letters, digits and `-_.` in quotation marks; none of them needs an escape.
fn text(value: &str) -> Option<&str> {
    let text = value.strip_prefix('"')?.strip_suffix('"')?;
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)).then_some(text)
}

/// Digits of an instant, without a sign and without zeros before them.
fn seconds(value: &str) -> Option<i64> {
    let is_number = value.len() <= 12 && !value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { value.parse().ok() } else { None }
}

/// Whether the claims are signed with this key for this request.
///
/// # Errors
/// [`Unsigned::Wrong`].
pub fn verify(claims: &Claims, request: &SignedRequest<'_>, key: &PublicKey) -> Result<(), Unsigned> {
    let base = base(request, &claims.parameters);
    if key.verifies(base.as_bytes(), &claims.signature) { Ok(()) } else { Err(Unsigned::Wrong) }
}

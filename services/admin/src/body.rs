//! Request bodies of admins: a JSON object of bounded size, without unknown keys and without NUL.

use crate::error::AdminError;
use crate::words::plainly;
use rollcall_web::Body;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use utoipa::ToSchema;

/// Largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest list of people, in bytes: a kilobyte for each of a thousand.
const LARGE_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest policy, in bytes: a group scope alone may have 128 kB, for the tenant and for each source.
const POLICY_BYTES_MAX: usize = 1024 * 1024;

/// Identifies the plan that the admin saw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) digest: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) async fn body<T: DeserializeOwned>(payload: Body) -> Result<T, AdminError> {
    parse(&payload.read(BODY_BYTES_MAX).await?)
}

/// As [`body`], with room for a thousand people.
pub(crate) async fn large_body<T: DeserializeOwned>(payload: Body) -> Result<T, AdminError> {
    parse(&payload.read(LARGE_BODY_BYTES_MAX).await?)
}

/// As [`body`], with room for the largest policy.
pub(crate) async fn policy_body<T: DeserializeOwned>(payload: Body) -> Result<T, AdminError> {
    parse(&payload.read(POLICY_BYTES_MAX).await?)
}

/// The UTF-8 byte order mark, which is no part of the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AdminError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let wrong = |e: serde_json::Error| AdminError::BadRequest(format!("the body: {e}"));
    // serde would read a list of a struct's fields as the struct.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(AdminError::BadRequest("the body is a JSON object".into()));
    }
    let json: Json = serde_json::from_slice(bytes).map_err(wrong)?;
    if holds_nul(&json) {
        return Err(AdminError::BadRequest("the body: no text holds NUL (U+0000)".into()));
    }
    // Parsed from the text, so that an error names the line.
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes)).map_err(|e| {
        let place = Some(e.path().to_string()).filter(|path| path != "." && !path.contains('?'));
        let place = place.map_or_else(|| "the body".to_owned(), |path| format!("`{path}` in the body"));
        AdminError::BadRequest(format!("{place}: {}", plainly(&e.inner().to_string())))
    })
}

/// Postgres refuses NUL in text.
fn holds_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(holds_nul),
        Json::Object(entries) => entries.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The body of a call without input: `{}` or no body. More input is refused, because it would have no effect.
pub(crate) async fn no_body(payload: Body) -> Result<(), AdminError> {
    let Nothing {} = body_or_default(payload).await?;
    Ok(())
}

/// As [`body`], with the defaults when there is no body.
pub(crate) async fn body_or_default<T: DeserializeOwned + Default>(payload: Body) -> Result<T, AdminError> {
    let bytes = payload.read(BODY_BYTES_MAX).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

/// Distinguishes a null key from a missing one.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<T>, D::Error> {
    T::deserialize(json).map(Some)
}

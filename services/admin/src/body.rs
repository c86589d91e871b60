//! What admins send: a JSON object of bounded size, in which nothing is unknown and no text holds a NUL.

use crate::error::AdminError;
use actix_web::web;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// Largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest policy, in bytes: a group scope alone may have 128 kB, of the tenant and of each source.
const POLICY_BYTES_MAX: usize = 1024 * 1024;

/// Names the plan that the admin saw.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) digest: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) async fn body<T: DeserializeOwned>(payload: web::Payload) -> Result<T, AdminError> {
    parse(&read(payload, BODY_BYTES_MAX).await?)
}

/// As [`body`], with room for the largest policy.
pub(crate) async fn policy_body<T: DeserializeOwned>(payload: web::Payload) -> Result<T, AdminError> {
    parse(&read(payload, POLICY_BYTES_MAX).await?)
}

async fn read(payload: web::Payload, bytes_max: usize) -> Result<web::Bytes, AdminError> {
    let bytes = payload.to_bytes_limited(bytes_max).await;
    let bytes = bytes.map_err(|_| AdminError::TooLarge { bytes_max })?;
    bytes.map_err(|e| AdminError::BadRequest(format!("the body could not be read: {e}")))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AdminError> {
    let wrong = |e: serde_json::Error| AdminError::BadRequest(format!("the body: {e}"));
    // A list of a struct's fields would be read as the struct.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(AdminError::BadRequest("the body is a JSON object".into()));
    }
    let json: Json = serde_json::from_slice(bytes).map_err(wrong)?;
    if holds_nul(&json) {
        return Err(AdminError::BadRequest("the body: no text holds NUL (U+0000)".into()));
    }
    // From the text, which knows the line of a mistake.
    serde_json::from_slice(bytes).map_err(wrong)
}

/// Postgres keeps no NUL in a text.
fn holds_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(holds_nul),
        Json::Object(entries) => entries.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// Of a call that takes nothing: `{}` or no body. Who sends more expects something that will not happen.
pub(crate) async fn no_body(payload: web::Payload) -> Result<(), AdminError> {
    let Nothing {} = body_or_default(payload).await?;
    Ok(())
}

/// As [`body`], but no body at all asks for the defaults.
pub(crate) async fn body_or_default<T: DeserializeOwned + Default>(payload: web::Payload) -> Result<T, AdminError> {
    let bytes = read(payload, BODY_BYTES_MAX).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

//! SCIM bodies: JSON of a bounded size, read only once the caller is known.

use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use rollcall_scim::{ScimError, parse_json};
use serde_json::Value;
use std::convert::Infallible;
use std::future::Ready;
use std::future::ready;

/// A body that was not read yet.
pub(crate) struct Body(rollcall_web::Body);

impl FromRequest for Body {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(rollcall_web::Body::from_request(request, payload).into_inner().map(Self))
    }
}

impl Body {
    /// # Errors
    /// 415 for another media type or encoding, 413 over the limit, 400 for a body that is no JSON.
    pub(crate) async fn json(self, auth: &SourceAuth) -> Result<Value, IngestError> {
        if !matches!(self.0.media_type().as_str(), "" | "application/scim+json" | "application/json") {
            let detail = "send application/scim+json or application/json";
            return Err(ScimError::unsupported_media_type(detail).into());
        }
        let bytes = self.0.read(auth.ingest.config.body_bytes_max).await?;
        let json = parse_json(&bytes);
        auth.noted.keep_body(bytes);
        Ok(json?)
    }
}

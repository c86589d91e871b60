//! Request bodies: decompressed, counted while they arrive, refused before they can fill the memory.

use crate::auth::SourceAuth;
use crate::error::IngestError;
use actix_web::dev::{Decompress, Payload};
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use rollcall_scim::{ScimError, parse_json};
use serde_json::Value;
use std::future::{Ready, ready};

/// A body that was not read yet: nothing is read for a caller who may not write.
pub(crate) struct Body {
    stream: Decompress<Payload>,
    content_type: Option<String>,
}

impl FromRequest for Body {
    type Error = IngestError;
    type Future = Ready<Result<Self, IngestError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        ready(Ok(Self { stream: Decompress::from_headers(payload.take(), request.headers()), content_type }))
    }
}

impl Body {
    /// # Errors
    /// 415 for another media type, 413 over the limit, 400 for what is no JSON.
    pub(crate) async fn json(mut self, auth: &SourceAuth) -> Result<Value, IngestError> {
        if !self.content_type.as_deref().is_none_or(is_json) {
            let detail = "send application/scim+json or application/json";
            return Err(ScimError::unsupported_media_type(detail).into());
        }
        let bytes_max = auth.ingest.config.body_bytes_max;
        let mut bytes = Vec::new();
        while let Some(chunk) = self.stream.next().await {
            let chunk = chunk.map_err(|e| ScimError::invalid_syntax(format!("the body could not be read: {e}")))?;
            if bytes.len() + chunk.len() > bytes_max {
                let detail = format!("the body is larger than {bytes_max} bytes");
                return Err(ScimError::too_large(detail).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        let json = parse_json(&bytes);
        auth.noted.keep_body(bytes);
        Ok(json?)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "" | "application/scim+json" | "application/json")
}

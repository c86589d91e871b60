//! SCIM bodies: JSON of a bounded size, read only after authentication.

use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use rollcall_scim::{ResourceKind, ScimError, parse_json, parse_unchecked, parse_write};
use rollcall_web::Refusal;
use serde_json::Value;
use std::convert::Infallible;
use std::future::Ready;
use std::future::ready;

/// An unread body.
pub(crate) struct Body(rollcall_web::Body);

impl FromRequest for Body {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(rollcall_web::Body::from_request(request, payload).into_inner().map(Self))
    }
}

impl Body {
    /// The body of a search.
    ///
    /// # Errors
    /// 415 for another media type or encoding, 413 over the limit, 400 for a body that is not JSON.
    pub(crate) async fn json(self, auth: &SourceAuth) -> Result<Value, IngestError> {
        let most = Most { bytes: auth.ingest.config.body_bytes_max, remedy: "" };
        self.read(auth, most, parse_json).await
    }

    /// The body of a bulk.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn bulk(self, auth: &SourceAuth) -> Result<Value, IngestError> {
        let most = Most { bytes: auth.ingest.config.body_bytes_max, remedy: "; send fewer operations at a time" };
        self.read(auth, most, parse_unchecked).await
    }

    /// The body of a write; `base` is the address of the source's endpoints, which a group names with each member.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn write(self, auth: &SourceAuth, kind: ResourceKind, base: &str) -> Result<Value, IngestError> {
        let config = &auth.ingest.config;
        let most = match kind {
            ResourceKind::User => Most { bytes: config.body_bytes_max, remedy: "" },
            ResourceKind::Group => Most {
                bytes: config.body_bytes_max.max(config.limits.group_bytes(base)),
                remedy: "; add and remove the members of a larger group by PATCH, in parts",
            },
        };
        self.read(auth, most, |bytes| parse_write(kind, bytes)).await
    }

    async fn read(
        self,
        auth: &SourceAuth,
        most: Most,
        parse: impl FnOnce(&[u8]) -> Result<Value, ScimError>,
    ) -> Result<Value, IngestError> {
        if !matches!(self.0.media_type().as_str(), "" | "application/scim+json" | "application/json") {
            let detail = "send application/scim+json or application/json";
            return Err(ScimError::unsupported_media_type(detail).into());
        }
        let bytes = self.0.read(most.bytes).await.map_err(|refusal| most.explain(refusal))?;
        let json = parse(&bytes);
        auth.noted.keep_body(bytes);
        Ok(json?)
    }
}

/// How large a body may be, and the remedy for one that is larger.
struct Most {
    bytes: usize,
    remedy: &'static str,
}

impl Most {
    fn explain(&self, refusal: Refusal) -> IngestError {
        match refusal {
            Refusal::BodyTooLarge { .. } => ScimError::too_large(format!("{refusal}{}", self.remedy)).into(),
            refusal => refusal.into(),
        }
    }
}

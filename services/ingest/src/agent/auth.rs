//! Authentication by signature. A handler that takes an [`AgentAuth`] cannot run without one; the body is compared with its signed
//! digest when it is read.

use super::BODY_BYTES_MAX;
use super::error::AgentError;
use crate::Ingest;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::upload::UploadRefusal;
use rollcall_hub::AgentCaller;
use rollcall_snapshot::{SignatureHeaders, SignedRequest, content_digest};
use rollcall_store::AgentScope;
use rollcall_web::{Body, known_caller, origin, peer, request_id};
use serde::de::DeserializeOwned;

/// An agent that signed the request with a key in force, within the rate limit of its source.
pub(crate) struct AgentAuth {
    pub(crate) ingest: web::Data<Ingest>,
    pub(crate) scope: AgentScope,
    pub(crate) caller: AgentCaller,
    content_digest: String,
}

impl AgentAuth {
    /// The body, as it was signed.
    pub(crate) async fn bytes(&self, body: Body, bytes_max: usize) -> Result<Vec<u8>, AgentError> {
        let bytes = body.read(bytes_max).await?;
        if content_digest(&bytes) != self.content_digest {
            return Err(AgentError::OtherBody);
        }
        Ok(bytes)
    }

    /// The body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, body: Body) -> Result<T, AgentError> {
        let bytes = self.bytes(body, BODY_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|error| AgentError::BadRequest(format!("the body: {error}")))
    }

    /// Refuses uploads to a source that is off (DA3), and those of a key that came to another machine or account (DA12).
    pub(crate) fn may_upload(&self, machine: &str) -> Result<(), AgentError> {
        if self.caller.key.source_is_off() {
            return Err(UploadRefusal::ProvisioningOff.into());
        }
        if self.caller.key.machine != machine { Err(AgentError::OtherMachine) } else { Ok(()) }
    }
}

impl FromRequest for AgentAuth {
    type Error = AgentError;
    type Future = LocalBoxFuture<'static, Result<Self, AgentError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let ingest = request.app_data::<web::Data<Ingest>>().cloned();
            let ingest = ingest.ok_or_else(|| AgentError::BadRequest("the service is not configured".into()))?;
            if request.headers().contains_key(header::CONTENT_ENCODING) {
                return Err(rollcall_web::Refusal::UnknownEncoding.into());
            }
            let content_digest = header(&request, "content-digest").unwrap_or_default().to_owned();
            let headers = header(&request, "signature-input").zip(header(&request, "signature"));
            let headers = headers.filter(|_| !content_digest.is_empty()).map(|(input, signature)| SignatureHeaders {
                signature_input: input.to_owned(),
                signature: signature.to_owned(),
            });
            let authority = authority(&origin(&request));
            let signed = SignedRequest {
                method: request.method().as_str(),
                authority: &authority,
                path: request.uri().path(),
                query: request.query_string(),
                content_digest: &content_digest,
            };
            let limits = &ingest.config.callers;
            let caller = ingest.hub.agent_caller(headers.as_ref(), &signed, &peer(&request), limits).await?;
            known_caller(
                &request,
                caller.scope.of_source().tenant(),
                rollcall_core::ids::CredentialId(caller.scope.key().0),
            );
            let scope = request_id(&request).map_or(caller.scope, |id| caller.scope.for_request(id));
            Ok(Self { ingest, scope, caller, content_digest })
        })
    }
}

/// A header that is there once; a second one would be another list than was signed.
fn header<'r>(request: &'r HttpRequest, name: &'static str) -> Option<&'r str> {
    let mut values = request.headers().get_all(HeaderName::from_static(name));
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The authority of an address as RFC 9421 §2.2.3 has it: in lower case, without the scheme's own port.
fn authority(origin: &str) -> String {
    let (scheme, host) = origin.split_once("://").unwrap_or(("", origin));
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    host.strip_suffix(own_port).unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_lower_case_without_the_schemes_own_port() {
        for (origin, wanted) in [
            ("http://Hub.Example:80", "hub.example"),
            ("https://hub.example:443", "hub.example"),
            ("https://hub.example:80", "hub.example:80"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(authority(origin), wanted, "{origin}");
        }
    }
}

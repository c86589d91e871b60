//! Request bodies: decompressed and counted while they arrive, refused before they can fill the memory.

use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use flate2::write::{GzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use rollcall_scim::{ScimError, parse_json};
use serde_json::Value;
use std::future::{Ready, ready};
use std::io::{Error, ErrorKind, Result as IoResult, Write};

/// A body that was not read yet: nothing is read for a caller who may not write.
pub(crate) struct Body {
    stream: Payload,
    content_type: Option<String>,
    content_encoding: Option<String>,
}

impl FromRequest for Body {
    type Error = IngestError;
    type Future = Ready<Result<Self, IngestError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let header = |name: HeaderName| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let (content_type, content_encoding) = (header(header::CONTENT_TYPE), header(header::CONTENT_ENCODING));
        ready(Ok(Self { stream: payload.take(), content_type, content_encoding }))
    }
}

impl Body {
    /// # Errors
    /// 415 for another media type or encoding, 413 over the limit, 400 for what is no JSON.
    pub(crate) async fn json(mut self, auth: &SourceAuth) -> Result<Value, IngestError> {
        if !self.content_type.as_deref().is_none_or(is_json) {
            let detail = "send application/scim+json or application/json";
            return Err(ScimError::unsupported_media_type(detail).into());
        }
        let mut inflow = Inflow::new(self.content_encoding.as_deref(), auth.ingest.config.body_bytes_max)?;
        while let Some(chunk) = self.stream.next().await {
            let chunk = chunk.map_err(|e| unreadable(&e.to_string()))?;
            inflow.take(&chunk)?;
        }
        let bytes = inflow.end()?;
        let json = parse_json(&bytes);
        auth.noted.keep_body(bytes);
        Ok(json?)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "" | "application/scim+json" | "application/json")
}

fn unreadable(why: &str) -> ScimError {
    ScimError::invalid_syntax(format!("the body could not be read: {why}"))
}

/// A body on its way from its encoding into memory.
enum Inflow {
    Plain(Bounded),
    Gzip(GzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
}

impl Inflow {
    fn new(encoding: Option<&str>, bytes_max: usize) -> Result<Self, ScimError> {
        let bounded = Bounded { bytes: Vec::new(), bytes_max };
        match encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Ok(Self::Plain(bounded)),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip(GzDecoder::new(bounded))),
            Some("deflate") => Ok(Self::Deflate(ZlibDecoder::new(bounded))),
            Some(_) => Err(ScimError::unsupported_media_type("compress the body with gzip or not at all")),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), ScimError> {
        let taken = match self {
            Self::Plain(bounded) => bounded.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Deflate(decoder) => decoder.write_all(chunk),
        };
        taken.map_err(|error| self.refusal(&error))
    }

    fn end(mut self) -> Result<Vec<u8>, ScimError> {
        let ended = match &mut self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
        };
        ended.map_err(|error| self.refusal(&error))?;
        Ok(std::mem::take(&mut self.bounded_mut().bytes))
    }

    fn bounded_mut(&mut self) -> &mut Bounded {
        match self {
            Self::Plain(bounded) => bounded,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
        }
    }

    fn refusal(&mut self, error: &Error) -> ScimError {
        if error.kind() == ErrorKind::FileTooLarge {
            let bytes_max = self.bounded_mut().bytes_max;
            return ScimError::too_large(format!("the body is larger than {bytes_max} bytes"));
        }
        unreadable(&error.to_string())
    }
}

/// Memory that takes so much and no more. A decoder hands over what it inflated in pieces of 32 KiB, so what a few bytes stand
/// for is never there at once.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> IoResult<usize> {
        if piece.len() > self.bytes_max - self.bytes.len() {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

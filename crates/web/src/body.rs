//! Request bodies: decompressed and counted as they arrive, and refused as soon as they exceed the limit.

use crate::refusal::Refusal;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use flate2::write::{GzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{Error, ErrorKind, Result as IoResult, Write};

/// An unread body; a refused caller's body is never read.
pub struct Body {
    stream: Payload,
    content_type: Option<String>,
    content_encoding: Option<String>,
}

impl FromRequest for Body {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

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
    /// The media type without its parameters, in lower case; empty when the request names none.
    pub fn media_type(&self) -> String {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Reads the whole body, decompressed.
    ///
    /// # Errors
    /// For a body beyond `bytes_max`, decompressed or not, and for a truncated one or one of another encoding.
    pub async fn read(mut self, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let mut inflow = Inflow::new(self.content_encoding.as_deref(), bytes_max)?;
        while let Some(chunk) = self.stream.next().await {
            let chunk = chunk.map_err(|e| Refusal::UnreadableBody(e.to_string()))?;
            inflow.take(&chunk)?;
        }
        inflow.end()
    }
}

/// A body in decoding.
enum Inflow {
    Plain(Bounded),
    Gzip(GzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
}

impl Inflow {
    fn new(encoding: Option<&str>, bytes_max: usize) -> Result<Self, Refusal> {
        let bounded = Bounded { bytes: Vec::new(), bytes_max };
        match encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Ok(Self::Plain(bounded)),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip(GzDecoder::new(bounded))),
            Some("deflate") => Ok(Self::Deflate(ZlibDecoder::new(bounded))),
            Some(_) => Err(Refusal::UnknownEncoding),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let taken = match self {
            Self::Plain(bounded) => bounded.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Deflate(decoder) => decoder.write_all(chunk),
        };
        taken.map_err(|error| self.refusal(&error))
    }

    fn end(mut self) -> Result<Vec<u8>, Refusal> {
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

    fn refusal(&mut self, error: &Error) -> Refusal {
        if error.kind() == ErrorKind::FileTooLarge {
            return Refusal::BodyTooLarge { bytes_max: self.bounded_mut().bytes_max };
        }
        Refusal::UnreadableBody(error.to_string())
    }
}

/// A buffer with a limit. A decoder inflates in pieces of 32 KiB, so a small body that inflates to a large one is never in memory
/// as a whole.
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

//! Request bodies: decompressed and counted as they arrive, and refused as soon as they exceed the limit.

use crate::connection::{Connection, ConnectionLimits, Connections};
use crate::refusal::Refusal;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, web};
use flate2::write::{GzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{Error, ErrorKind, Result as IoResult, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// An unread body; a refused caller's body is never read.
pub struct Body {
    stream: Payload,
    content_type: Option<String>,
    content_encoding: Option<String>,
    /// Its deadlines, and the connection on which it comes; none in a unit test without a socket.
    on: Option<(Arc<Connection>, web::Data<Connections>)>,
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
        let on = Connection::of(request).cloned().zip(request.app_data::<web::Data<Connections>>().cloned());
        ready(Ok(Self { stream: payload.take(), content_type, content_encoding, on }))
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
    /// For a body beyond `bytes_max`, decompressed or not, for a truncated one or one of another encoding, and for one that comes
    /// too slowly.
    pub async fn read(mut self, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let Some((connection, connections)) = self.on.take() else {
            return inflow(&mut self.stream, self.content_encoding.as_deref(), bytes_max, None).await;
        };
        connection.awaits_body();
        let pace = Pace::begun(connections.limits());
        let read = inflow(&mut self.stream, self.content_encoding.as_deref(), bytes_max, Some(pace)).await;
        if read.is_ok() {
            connection.has_body();
        }
        read
    }
}

/// Pieces of an unread body that are looked at, of some 32 KiB each.
const PIECES_SKIPPED: usize = 4;

/// A body that nobody read, of a request that was refused. If it has come already, its connection can go on.
impl Drop for Body {
    fn drop(&mut self) {
        let Some((connection, _)) = self.on.take() else { return };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..PIECES_SKIPPED {
            match self.stream.poll_next_unpin(&mut context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) => return connection.has_body(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => return,
            }
        }
    }
}

/// The deadline of a body, which moves on while bytes come.
struct Pace {
    begun: Instant,
    longest: Duration,
    patience: Duration,
    bytes_per_second_min: u64,
}

impl Pace {
    fn begun(limits: &ConnectionLimits) -> Self {
        let ConnectionLimits { body, patience, bytes_per_second_min, .. } = *limits;
        Self { begun: Instant::now(), longest: body, patience, bytes_per_second_min }
    }

    /// The next piece, when it comes in time after `received` bytes.
    async fn next<T>(&self, received: u64, next: impl Future<Output = T>) -> Result<T, Refusal> {
        let earned = Duration::from_secs(received / self.bytes_per_second_min.max(1));
        let deadline = self.begun + self.longest.min(self.patience + earned);
        let late = Refusal::SlowBody { longest: self.longest, bytes_per_second_min: self.bytes_per_second_min };
        timeout_at(deadline, next).await.map_err(|_| late)
    }
}

async fn inflow(
    stream: &mut Payload,
    encoding: Option<&str>,
    bytes_max: usize,
    pace: Option<Pace>,
) -> Result<Vec<u8>, Refusal> {
    let mut inflow = Inflow::new(encoding, bytes_max)?;
    let mut received = 0_usize;
    loop {
        let next = match &pace {
            Some(pace) => pace.next(received as u64, stream.next()).await?,
            None => stream.next().await,
        };
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|e| Refusal::UnreadableBody(e.to_string()))?;
        received += chunk.len();
        // A compressed body may hold less than it is long, and never ends then.
        if received > bytes_max {
            return Err(Refusal::BodyTooLarge { bytes_max });
        }
        inflow.take(&chunk)?;
    }
    inflow.end()
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

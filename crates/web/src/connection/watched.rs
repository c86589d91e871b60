//! The stream of a connection with deadlines: for the head of each request, for the end of a refused one, and for a client that
//! does not read its answer. A stream that is overdue, or whose place is wanted, fails; its dispatcher then closes it.

use super::registry::{Connections, Place};
use super::{Connection, Phase};
use actix_web::rt::net::TcpStream;
use std::io::{Error, ErrorKind, Result as IoResult};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Time for a client to read the answer to a request whose body is not read any more.
const FAREWELL: Duration = Duration::from_secs(1);
/// Largest head of a request, in bytes: the longest filter, percent-encoded, and headers. The parser begins anew with each piece of a
/// head, so a large one that comes byte by byte costs time too.
const HEAD_BYTES_MAX: usize = 32 * 1024;

pub(super) struct Watched {
    io: TcpStream,
    place: Place,
    connections: Connections,
    /// Bytes that came since the head began, and how many of them the dispatcher has looked at without finding its end.
    head: Head,
    /// A client that does not read: since when, and the bytes that it took in this time.
    blocked: Option<(Instant, u64)>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The time at which the timer wakes this stream.
    armed: Option<Instant>,
}

#[derive(Default)]
struct Head {
    received: usize,
    looked_at: usize,
}

impl Watched {
    pub(super) fn new(io: TcpStream, place: Place, connections: Connections) -> Self {
        Self { io, place, connections, head: Head::default(), blocked: None, timer: None, armed: None }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.place.connection
    }

    /// Fails when a head is too large. The dispatcher reads all that is there before it looks for the end of the head, so bytes that
    /// came with the end, such as a body, are no part of what it has looked at.
    fn watch_head(&mut self, context: &mut Context<'_>) -> IoResult<()> {
        if self.place.connection.phase() != Phase::Head {
            return Ok(());
        }
        if self.head.looked_at > HEAD_BYTES_MAX {
            self.connections.closed("large_head");
            return Err(ErrorKind::InvalidData.into());
        }
        self.head.looked_at = self.head.received;
        if self.head.looked_at > HEAD_BYTES_MAX {
            // It looks now; this is the next look.
            context.waker().wake_by_ref();
        }
        Ok(())
    }

    /// Fails when the stream is overdue, else has the task woken when it would be.
    fn watch(&mut self, context: &mut Context<'_>) -> IoResult<()> {
        let limits = self.connections.limits();
        let connection = &self.place.connection;
        let of_phase = match connection.phase() {
            // actix-web answers the first head of a connection with 408 at its deadline; this is a moment later.
            Phase::Head => Some((connection.since() + limits.head + FAREWELL, "slow_head")),
            Phase::Refused => Some((connection.since() + FAREWELL, "unread_body")),
            _ => None,
        };
        let of_answer = self.blocked.map(|(since, _)| (since + limits.patience, "slow_reader"));
        let Some((due, reason)) = of_phase.into_iter().chain(of_answer).min() else { return Ok(()) };
        let now = Instant::now();
        if now < due {
            self.wake_at(context, now, due);
            return Ok(());
        }
        if reason == "slow_reader"
            && let Some((since, taken)) = &mut self.blocked
            && *taken >= limits.bytes_per_second_min.saturating_mul(limits.patience.as_secs())
        {
            (*since, *taken) = (now, 0);
            let next = now + limits.patience;
            self.wake_at(context, now, next);
            return Ok(());
        }
        self.connections.closed(reason);
        Err(ErrorKind::TimedOut.into())
    }

    /// A timer that is to fire earlier stays: it costs less to look again then than to set it for every request.
    fn wake_at(&mut self, context: &mut Context<'_>, now: Instant, due: Instant) {
        if self.armed.is_some_and(|armed| now < armed && armed <= due) {
            return;
        }
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(due.into());
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(due.into()))),
        };
        self.armed = Some(due);
        if timer.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<IoResult<()>> {
        let this = self.get_mut();
        let filled = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(())) => {
                let connection = &this.place.connection;
                let received = buffer.filled().len() - filled;
                if received > 0 && connection.phase() == Phase::Idle {
                    connection.enter(Phase::Head);
                    this.head = Head::default();
                }
                this.head.received += received;
                // A refused body may come faster than its reader looks at the clock.
                if connection.phase() == Phase::Refused {
                    this.watch(context)?;
                }
            }
            Poll::Pending => {
                let connection = &this.place.connection;
                connection.waker.register(context.waker());
                if connection.has_ended() {
                    return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
                }
                this.watch_head(context)?;
                this.watch(context)?;
            }
            Poll::Ready(Err(_)) => {}
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<IoResult<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        match &written {
            Poll::Ready(Ok(count)) => {
                if let Some((_, taken)) = &mut this.blocked {
                    *taken += *count as u64;
                }
            }
            Poll::Pending => {
                if this.place.connection.has_ended() {
                    return Poll::Ready(Err(Error::from(ErrorKind::ConnectionAborted)));
                }
                this.blocked.get_or_insert_with(|| (Instant::now(), 0));
                this.watch(context)?;
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    /// The dispatcher flushes once everything is written that it has; more of an answer may follow.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        let this = self.get_mut();
        if this.blocked.is_some() && this.place.connection.phase() != Phase::Answer {
            this.blocked = None;
        }
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

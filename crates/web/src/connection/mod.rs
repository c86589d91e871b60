//! Connections of clients: how many there are, how long each may take, and which one is closed when there are too many
//! (decision 0066). actix-web knows a deadline for the first head of a connection and a number beyond which it accepts nothing;
//! the rest is here.

mod listen;
mod registry;
mod watched;

pub use listen::{ServerLimits, listen};
pub use registry::{ConnectionLimits, Connections};

use actix_web::{HttpRequest, web};
use futures_util::task::AtomicWaker;
use rollcall_core::ids::{CredentialId, TenantId};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The present occupation of a connection. The order of the numbers has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// The head of a request is awaited, from its first byte on.
    Head = 0,
    /// Between two requests, or before the first.
    Idle = 1,
    /// A handler works.
    Handler = 2,
    /// The handler awaits the body.
    Body = 3,
    /// The answer is written.
    Answer = 4,
    /// The request was refused with its body unread: the client has a moment to read the answer.
    Refused = 5,
}

impl Phase {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Head,
            1 => Self::Idle,
            2 => Self::Handler,
            3 => Self::Body,
            4 => Self::Answer,
            _ => Self::Refused,
        }
    }
}

/// One connection, as its stream, its requests and the registry share it.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: Option<IpAddr>,
    /// It comes from a trusted proxy, and so carries requests of many callers.
    of_proxy: bool,
    began: Instant,
    phase: AtomicU8,
    /// Milliseconds from `began` to the begin of the phase.
    since: AtomicU64,
    /// A request on it had a valid credential, or it is a proxy's.
    known: AtomicBool,
    /// The tenant of the first valid credential on it.
    tenant: OnceLock<TenantId>,
    /// The request has a body that is not read to its end.
    body_unread: AtomicBool,
    /// The registry wants its place.
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Connection {
    fn new(peer: Option<IpAddr>, of_proxy: bool) -> Self {
        Self {
            peer,
            of_proxy,
            began: Instant::now(),
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU64::new(0),
            known: AtomicBool::new(of_proxy),
            tenant: OnceLock::new(),
            body_unread: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// The connection of a request; none in a unit test without a socket.
    pub(crate) fn of(request: &HttpRequest) -> Option<&Arc<Self>> {
        request.conn_data::<Arc<Self>>()
    }

    fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::Relaxed))
    }

    fn since(&self) -> Instant {
        self.began + std::time::Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    fn enter(&self, phase: Phase) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// A handler begins; `has_body` when the head announces a body.
    pub(crate) fn handles(&self, has_body: bool) {
        self.body_unread.store(has_body, Ordering::Relaxed);
        self.enter(Phase::Handler);
    }

    pub(crate) fn awaits_body(&self) {
        self.enter(Phase::Body);
    }

    pub(crate) fn has_body(&self) {
        self.body_unread.store(false, Ordering::Relaxed);
        self.enter(Phase::Handler);
    }

    /// The answer is known. True when its connection must be closed after it, because nobody will read the rest of the body.
    pub(crate) fn answers(&self) -> bool {
        let refused = self.body_unread.load(Ordering::Relaxed);
        self.enter(if refused { Phase::Refused } else { Phase::Answer });
        refused
    }

    /// The answer is written, or handed to the kernel.
    pub(crate) fn answered(&self) {
        if self.phase() == Phase::Answer {
            self.enter(Phase::Idle);
        }
    }

    /// True for the first tenant.
    fn know(&self, tenant: TenantId) -> bool {
        self.known.store(true, Ordering::Relaxed);
        self.tenant.get().is_none() && self.tenant.set(tenant).is_ok()
    }

    /// The tenant that holds it alone; a proxy's connection carries the requests of many.
    fn holder(&self) -> Option<TenantId> {
        self.tenant.get().copied().filter(|_| !self.of_proxy)
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// The caller of a request, once its credential is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownCaller {
    pub(crate) tenant: TenantId,
    pub(crate) credential: CredentialId,
}

/// Notes that the caller of a request has a valid credential of this tenant: its connection is kept when others must go, its answer
/// counts against this tenant's share, and the access log names the credential.
pub fn known_caller(request: &HttpRequest, tenant: TenantId, credential: CredentialId) {
    use actix_web::HttpMessage;
    if let Some(connection) = Connection::of(request)
        && let Some(connections) = request.app_data::<web::Data<Connections>>()
    {
        connections.know(connection, tenant);
    }
    request.extensions_mut().insert(KnownCaller { tenant, credential });
}

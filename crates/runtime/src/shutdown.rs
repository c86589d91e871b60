//! An orderly stop: the signal, and the flag that takes a process out of its load balancer before it drains.
//!
//! Order of a stop: `Readiness::set_stopping`, consumers stop (their token is cancelled), HTTP drains,
//! `Queue::shutdown`, `Telemetry::shutdown`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal: 128 + SIGINT, as a shell reports it.
const FORCED_EXIT_CODE: i32 = 130;

/// Returns a token that SIGTERM or SIGINT cancels. A second signal (Ctrl-C twice) ends the process at once with code
/// 130. Must be called on a tokio runtime.
pub fn on_signal() -> io::Result<CancellationToken> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    tokio::spawn(cancel_on_signal(terminate, interrupt, token.clone()));
    Ok(token)
}

async fn cancel_on_signal(mut terminate: Signal, mut interrupt: Signal, token: CancellationToken) {
    let name = next_signal(&mut terminate, &mut interrupt).await;
    tracing::info!(signal = name, "stopping; a second signal ends the process at once");
    token.cancel();
    let name = next_signal(&mut terminate, &mut interrupt).await;
    tracing::warn!(signal = name, "second signal: ending without draining");
    std::process::exit(FORCED_EXIT_CODE);
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Phase of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some parts are not up yet: `/readyz` answers 503.
    Starting,
    /// `/readyz` checks the dependencies.
    Ready,
    /// Draining: `/readyz` answers 503, later requests are still served.
    Stopping,
}

/// The flag behind `/readyz`, shared by all parts of a process. It never leaves [`Phase::Stopping`].
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    phase: Arc<AtomicU8>,
}

impl Readiness {
    /// Starts in [`Phase::Starting`].
    pub fn new() -> Self {
        Self::default()
    }

    /// All parts are up. No effect once the process is stopping.
    pub fn set_ready(&self) {
        // A failed exchange means "stopping already" or "ready already": both are kept.
        let _ = self.phase.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The process drains from here on.
    pub fn set_stopping(&self) {
        self.phase.store(2, Ordering::Release);
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Stopping,
        }
    }

    /// True in [`Phase::Ready`] only.
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopping_process_never_becomes_ready_again() {
        let readiness = Readiness::new();
        assert_eq!(readiness.phase(), Phase::Starting);
        readiness.clone().set_ready();
        assert!(readiness.is_ready(), "clones share the flag");
        readiness.set_stopping();
        readiness.set_ready();
        assert_eq!(readiness.phase(), Phase::Stopping);
    }
}

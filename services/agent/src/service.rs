//! `service`: stays, reads at once when the directory announces a change, at intervals in case that an announcement was lost, and daily
//! (LP1, DA6). Every read is a full one, so a deletion is believed from a complete read alone.

use crate::commands::{configured, tell, turn};
use crate::config::{Config, Kind};
use crate::directory::ldap::watch::Watch;
use crate::exit::{Exit, Failure};
use crate::one_at_a_time;
use crate::output::progress;
use crate::schedule::{BackOff, TimeOfDay};
use crate::sync::Wish;
use rollcall_core::clock::Clock;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Longest wait for the outcome of one upload.
const OUTCOME_WAIT: Duration = Duration::from_secs(600);
/// Changes come in swarms: a read begins this long after the first announcement.
const GATHER: Duration = Duration::from_millis(200);
/// OpenLDAP mends the members of its groups a moment after a rename or a deletion, and announces nothing.
const SETTLE: Duration = Duration::from_secs(5);
/// Reads take a twentieth of the time at most, unless changes are announced.
const SHARE: u32 = 20;

/// Serves until it is asked to end, or a failure lasts until somebody mends it.
pub(crate) async fn run(path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Exit::Internal.because(format!("signals cannot be heard: {error}."));
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let config = configured(path)?;
    let _serving = one_at_a_time::begin_service(path)?;
    tokio::select! {
        _ = terminated.recv() => progress("asked to end; an upload that was begun is taken up by the next run"),
        _ = interrupted.recv() => progress("interrupted"),
        failure = turns(path, &config) => return Err(failure),
    }
    Ok(())
}

/// Reads and uploads again and again; ends with a failure that lasts.
async fn turns(path: &Path, config: &Config) -> Failure {
    let watch = (config.directory.kind == Kind::Ldap).then(|| Watch::begin(config, path));
    let mut pauses = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut why = "the service begins";
    loop {
        progress(format_args!("the directory is read: {why}"));
        let begun = Instant::now();
        let wish = Wish { simulate: false, removal_limit: None, wait: OUTCOME_WAIT };
        let done = turn(path, config, wish).await;
        let took = begun.elapsed();
        let (wait, is_changed) = match &done {
            Ok((outcome, found)) => {
                tell(outcome, false);
                pauses.reset();
                (until_the_next(config, took, found.expires_next), outcome.run_id.is_some())
            }
            Err(failure) if is_lasting(failure.exit) => return failure.clone(),
            Err(failure) => {
                progress(format_args!("{failure} (exit code {} of run)", failure.exit.code()));
                // A refusal of the hub does not pass by itself, a silence does.
                let is_refusal = matches!(failure.exit, Exit::RemovalOverLimit | Exit::Refused | Exit::ProvisioningOff);
                let pause = if is_refusal { Ok(until_the_next(config, took, None)) } else { pauses.pause() };
                match pause {
                    Ok(pause) => (pause, false),
                    Err(failure) => return failure,
                }
            }
        };
        let settles = is_changed && why == "a change is announced" && watch.is_some();
        let wait = if settles { SETTLE } else { wait };
        why = tokio::select! {
            () = announced(watch.as_ref()) => "a change is announced",
            () = tokio::time::sleep(wait) => match &done {
                Ok(_) if settles => "once more after a change",
                Ok(_) => "it is time",
                Err(_) => "another try",
            },
        };
        // A directory that changes all the time is read half of the time at most.
        let rest = begun.elapsed().saturating_sub(took);
        tokio::time::sleep(GATHER.max(took.saturating_sub(rest))).await;
    }
}

async fn announced(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Failures that only a person ends; systemd does not start the service again after them.
fn is_lasting(exit: Exit) -> bool {
    matches!(exit, Exit::Config | Exit::NotAuthorized | Exit::OtherMachine)
}

/// The time to the next read without an announcement: daily, at intervals, and when an account ends.
fn until_the_next(config: &Config, took: Duration, expires_next: Option<i64>) -> Duration {
    let now = Clock::System.now();
    let daily = TimeOfDay::parse(&config.service.full_read_at).map(|at| at.until_next(now));
    let look = match config.service.look_every_minutes {
        0 => None,
        minutes => Some(Duration::from_secs(minutes.saturating_mul(60)).max(took * SHARE)),
    };
    let ends = expires_next.map(|at| Duration::from_secs(u64::try_from(at - now.timestamp()).unwrap_or(0) + 1));
    [daily, look, ends].into_iter().flatten().min().unwrap_or(LONGEST_PAUSE)
}

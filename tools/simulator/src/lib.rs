//! Plays provisioning conversations of real identity providers over HTTP against a running hub.
//!
//! Admins test a tenant with it, `rollcall demo` shows the product with it, and the black-box tests compare the hub's
//! roster with the identity provider's view ([`Report::expected`]). It is a client only: it implements SCIM as each IdP
//! writes it (DW4, DW5), independently of the hub's code.
//!
//! [`run`] plays the phases of [`Options::phases`] in order; a [`Session`] lets a caller inspect the hub in between.

mod book;
mod call;
mod chaos;
mod check;
mod client;
mod conversation;
mod earlier;
mod entra;
mod entra_recheck;
mod group_phases;
mod jumpcloud;
mod lifecycle;
mod names;
mod okta;
mod onelogin;
mod options;
mod people;
mod ping;
mod progress;
mod readback;
mod record;
mod report;
mod session;
mod story;
mod talk;
mod wire;

pub use chaos::Chaos;
pub use options::{Idp, Options, Phase, Retries};
pub use people::Profile;
pub use report::{Code, Expected, ExpectedGroup, ExpectedUser, Finding, PhaseReport, Report, RetryCounts, Severity};
pub use session::Session;

use std::io::Write;

/// Plays every phase of `options` and returns a report.
///
/// `progress` gets one line per phase, or one updating line when [`Options::live_progress`] is set. Requests that fail
/// are findings of the [`Report`], not errors.
///
/// # Errors
/// When nothing can be played: a base URL that is none, nothing that listens there, a token that is refused, no TLS provider
/// installed, a recording file that cannot be written.
pub async fn run<W: Write>(options: Options, progress: &mut W) -> anyhow::Result<Report> {
    let phases = options.phases.clone();
    let mut session = Session::new(options)?;
    for phase in phases {
        session.play(phase, progress).await?;
    }
    session.finish()
}

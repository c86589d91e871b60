//! `rollcall simulate-idp`: an identity provider's conversation against a hub, and what the provider thinks of it.

use crate::cli::SimulateArgs;
use anyhow::{Result, bail};
use rollcall_simulator::{Chaos, Options, Phase, Report};
use std::io::IsTerminal;

pub(crate) async fn run(args: SimulateArgs) -> Result<()> {
    let mut options = Options::new(args.idp, args.endpoint, args.token);
    options.users = args.users;
    options.groups = args.groups;
    options.seed = args.seed;
    options.concurrency = args.concurrency;
    options.phases = Phase::parse_list(&args.phases)?;
    options.record = args.record;
    options.chaos = args.chaos.then(Chaos::default);
    options.live_progress = std::io::stderr().is_terminal();
    let report = rollcall_simulator::run(options, &mut std::io::stderr()).await?;
    if args.output.json {
        println!("{}", serde_json::to_string(&report)?)
    } else {
        tell(&report)
    }
    let defects = report.defects().count();
    if defects > 0 {
        bail!("the hub departed from what {} expects in {defects} ways", report.idp)
    }
    Ok(())
}

/// The report in a few lines.
pub(crate) fn tell(report: &Report) {
    println!(
        "{}: {} requests, p50 {:.1} ms, p95 {:.1} ms; {} people active, {} inactive, {} groups",
        report.idp,
        report.requests,
        report.p50_ms,
        report.p95_ms,
        report.expected().active_users().count(),
        report.expected().inactive_users().count(),
        report.expected().groups.len(),
    );
    for finding in &report.findings {
        println!("  {:?} {} x{}: {}", finding.severity, finding.code.meaning(), finding.count, finding.detail);
    }
}

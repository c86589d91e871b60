//! `rollcall simulate-idp`: an identity provider's conversation against a hub, and the provider's report.

use crate::cli::SimulateArgs;
use crate::output::{Unwritten, line};
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
    if args.leave.is_some() {
        options.leavers = args.leave;
        options.leavers_return = false;
    }
    options.record = args.record;
    options.chaos = args.chaos.then(Chaos::default);
    options.live_progress = std::io::stderr().is_terminal();
    let report = rollcall_simulator::run(options, &mut std::io::stderr()).await?;
    if args.output.json {
        line(serde_json::to_string(&report)?)?;
    } else {
        tell(&report)?;
    }
    match report.defects().count() {
        0 => Ok(()),
        1 => bail!("the hub departed from what {} expects in one way", report.idp),
        defects => bail!("the hub departed from what {} expects in {defects} ways", report.idp),
    }
}

/// The report in a few lines.
pub(crate) fn tell(report: &Report) -> Result<(), Unwritten> {
    let expected = report.expected();
    line(format_args!(
        "{}: {}, p50 {:.1} ms, p95 {:.1} ms; {} active, {} inactive, {}",
        report.idp,
        counted(report.requests, "request", "requests"),
        report.p50_ms,
        report.p95_ms,
        counted(expected.active_users().count() as u64, "person", "people"),
        expected.inactive_users().count(),
        counted(expected.groups.len() as u64, "group", "groups"),
    ))?;
    for finding in &report.findings {
        let (severity, meaning) = (finding.severity.name(), finding.code.meaning());
        let times = counted(finding.count, "time", "times");
        line(format_args!("  {severity}, {times}, in {}: {meaning}: {}", finding.step, finding.detail))?;
    }
    Ok(())
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

//! A report as tables for people: rates and costs, then every floor and goal as a ratio of medians, then the rest.

use std::{collections::BTreeSet, fmt};

use crate::{
    goals::{self, Against, verdict},
    latency::{Latency, Spread},
    limits::Limit,
    reconcile::describe,
    report::{Measured, Report, Resting, SyncRun},
    statements::Conversation,
    tenant::CursorEnds,
};

impl Report {
    fn rates_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nRates, units/s (s1: pairs, s6: users), median of rounds; CPU ms per unit: own process / with its services / spent after the answer"
        )?;
        writeln!(
            f,
            "{:<9}{:>4} {:<10}{:>9} {:>17}  {:<15} {:<15} {:<15}{:>22}{:>9}{:>7}{:>7}",
            "scenario",
            "c",
            "who",
            "median",
            "min-max",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "CPU ms/unit",
            "tool ms",
            "MiB",
            "errors"
        )?;
        let keys: BTreeSet<(&str, usize)> =
            self.cells.iter().map(|cell| (cell.scenario.as_str(), cell.concurrency)).collect();
        for (scenario, concurrency) in keys {
            for contender in ["postgres", "embedded", "jackson"] {
                self.rate_row(f, scenario, concurrency, contender)?;
            }
            for limit in [Limit::WriteTransaction, Limit::SelectUser, Limit::ListPage, Limit::SqliteCommit] {
                if let Some(spread) = self.limit(scenario, concurrency, limit) {
                    let range = format!("{:.0}-{:.0}", spread.min, spread.max);
                    let (median, name) = (spread.median, limit.name());
                    writeln!(f, "{scenario:<9}{concurrency:>4} {:<10}{median:>9.0} {range:>17}  {name}", "limit")?;
                }
            }
        }
        Ok(())
    }

    fn rate_row(&self, f: &mut fmt::Formatter<'_>, scenario: &str, concurrency: usize, contender: &str) -> fmt::Result {
        let group = self.group(scenario, concurrency, contender);
        let Some(spread) = self.rate(scenario, concurrency, contender) else {
            return Ok(());
        };
        let median = |value: &dyn Fn(&Measured) -> f64| {
            Spread::of(group.iter().map(|one| value(one))).map_or(0.0, |spread| spread.median)
        };
        let latency = |pick: fn(&Latency) -> f64| {
            let steps = group[0].cell.latency.keys();
            let of_step =
                steps.map(|step| format!("{:.1}", median(&|one| one.cell.latency.get(step).map_or(0.0, pick))));
            of_step.collect::<Vec<_>>().join("+")
        };
        let own = median(&|one| one.cpu_ms_per_unit.get(contender).copied().unwrap_or(0.0));
        let cpu = format!("{own:.2} / {:.2} / {:.2}", median(&Measured::cpu), median(&|one| one.cpu_ms_afterwards));
        let errors: u64 = group.iter().map(|one| one.cell.error_count()).sum();
        let range = format!("{:.0}-{:.0}", spread.min, spread.max);
        writeln!(
            f,
            "{scenario:<9}{concurrency:>4} {contender:<10}{:>9.0} {range:>17}  {:<15} {:<15} {:<15}{cpu:>22}{:>9.3}{:>7.0}{errors:>7}",
            spread.median,
            latency(|l| l.p50),
            latency(|l| l.p95),
            latency(|l| l.p99),
            median(&|one| one.cell.tool_cpu_ms_per_request),
            group.iter().map(|one| one.peak_mib).fold(0.0, f64::max),
        )
    }

    fn verdicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nFloors and goals at c={}, ratios of medians", self.judged_at)?;
        for goal in goals::RATES {
            let ours = self.rate(goal.scenario, self.judged_at, goal.contender);
            let (theirs, name) = match goal.against {
                Against::Jackson => (self.rate(goal.scenario, self.judged_at, "jackson"), "jackson"),
                Against::Limit(limit) => (self.limit(goal.scenario, self.judged_at, limit), limit.name()),
            };
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let ratio = ours.median / theirs.median.max(1e-9);
                verdict_line(
                    f,
                    &format!("{} {} / {name}", goal.scenario, goal.contender),
                    ratio,
                    goal.floor,
                    goal.goal,
                )?;
            }
        }
        for (scenario, floor) in goals::CPU {
            let cpu = |contender| {
                let group = self.group(scenario, self.judged_at, contender);
                Spread::of(group.iter().map(|one| one.cpu() + one.cpu_ms_afterwards)).map(|spread| spread.median)
            };
            if let (Some(ours), Some(theirs)) = (cpu("postgres"), cpu("jackson")) {
                verdict_line(
                    f,
                    &format!("{scenario} CPU per unit, jackson / postgres"),
                    theirs / ours.max(1e-9),
                    floor,
                    floor,
                )?;
            }
        }
        let sync = |who: &str| Spread::of(self.syncs_of(who).map(|run| run.result.seconds));
        if let (Some(ours), Some(theirs)) = (sync("postgres"), sync("jackson")) {
            verdict_line(
                f,
                "s7 seconds, jackson / postgres",
                theirs.median / ours.median.max(1e-9),
                goals::SYNC.0,
                goals::SYNC.1,
            )?;
        }
        if let Some(rate) = self.relay {
            verdict_line(f, "wake-ups confirmed by RabbitMQ /s", rate, goals::RELAY.0, goals::RELAY.1)?;
        }
        self.size_verdicts(f)
    }

    /// The full syncs of the usual size, which come first.
    fn syncs_of<'r>(&'r self, who: &'r str) -> impl Iterator<Item = &'r SyncRun> {
        let people = self.syncs.first().map_or(0, |run| run.people);
        self.syncs.iter().filter(move |run| run.contender == who && run.people == people)
    }

    /// The same work in a larger tenant, and memory: "at most" lines.
    fn size_verdicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for contender in ["postgres", "embedded"] {
            for (scenario, limit) in
                [("s2", goals::LARGE_READ_RATIO), ("s3", goals::LARGE_READ_RATIO), ("s5", goals::LARGE_GROUP_RATIO)]
            {
                let of_scenario = |cell: &&str| cell.starts_with(&format!("{scenario}@"));
                let mut names: Vec<&str> =
                    self.cells.iter().map(|cell| cell.scenario.as_str()).filter(of_scenario).collect();
                names.sort_unstable();
                names.dedup();
                if let [small, large] = names.as_slice()
                    && let (Some(slower), Some(base)) = (self.p50(large, contender), self.p50(small, contender))
                {
                    let what = format!("{large} p50 / {small} p50, {contender}");
                    at_most_line(f, &what, slower / base.max(1e-9), limit)?;
                }
            }
            if let Some(CursorEnds { first, last }) = self.cursors.get(contender) {
                let what = format!("last page / first by cursor, {contender}");
                at_most_line(f, &what, last.p50 / first.p50.max(1e-9), goals::LAST_PAGE_RATIO)?;
            }
        }
        if let [small, .., large] = self.visibility.as_slice() {
            let what = format!("push visible, {} / {} members", large.members, small.members);
            at_most_line(f, &what, large.visible.p50 / small.visible.p50.max(1e-9), goals::VISIBILITY_RATIO)?;
            if let (Some(large), Some(small)) = (large.reconcile_ms, small.reconcile_ms) {
                at_most_line(f, "  reconcile itself", large / small.max(1e-9), goals::VISIBILITY_RATIO)?;
            }
        }
        for contender in ["postgres", "embedded"] {
            let peak =
                self.cells.iter().filter(|cell| cell.contender == contender).map(|cell| cell.peak_mib).reduce(f64::max);
            if let Some(peak) = peak {
                at_most_line(
                    f,
                    &format!("peak MiB, {contender} (goal {:.0})", goals::PEAK_MIB.1),
                    peak,
                    goals::PEAK_MIB.0,
                )?;
            }
        }
        Ok(())
    }

    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nMemory at rest, MiB")?;
        for resting in &self.at_rest {
            let Resting { contender, memory } = resting;
            writeln!(f, "  {contender:<10} resident {:.0} (peak since start {:.0})", memory.resident, memory.peak)?;
        }
        writeln!(f, "\nFilled by POST at c=16")?;
        for filled in &self.filled {
            let group =
                filled.group_seconds.map(|seconds| format!(", large group in {seconds:.1} s")).unwrap_or_default();
            let drained =
                filled.drained.map_or("not idle in time".into(), |seconds| format!("idle {seconds:.1} s later"));
            writeln!(
                f,
                "  {:<10} {:>7} people at {:.0}/s{group}; {drained}",
                filled.contender, filled.people, filled.rate
            )?;
        }
        for (contender, listing) in &self.listings {
            let yes_or_no = |right| if right { "yes" } else { "NO" };
            writeln!(
                f,
                "s6 {contender}: every user on exactly one page: {}; totalResults right: {}",
                yes_or_no(listing.each_user_once),
                yes_or_no(listing.total_right)
            )?;
        }
        for run in &self.syncs {
            writeln!(f, "{}", run.line())?;
        }
        for visibility in &self.visibility {
            writeln!(f, "push to roster, {}", describe(visibility))?;
        }
        for (request, conversation) in &self.statements {
            let Conversation { round_trips, afterwards, statements } = conversation;
            writeln!(
                f,
                "\n{request}: {round_trips} round trips to PostgreSQL until the answer, {afterwards} behind it; {} statements",
                statements.len()
            )?;
            for statement in statements {
                let shown: String = statement.chars().take(160).collect();
                writeln!(f, "    {shown}")?;
            }
        }
        Ok(())
    }
}

fn verdict_line(f: &mut fmt::Formatter<'_>, what: &str, ratio: f64, floor: f64, goal: f64) -> fmt::Result {
    writeln!(f, "  {what:<44}{ratio:>8.2}   floor {floor:>5.2}  goal {goal:>5.2}   {}", verdict(ratio, floor, goal))
}

fn at_most_line(f: &mut fmt::Formatter<'_>, what: &str, value: f64, limit: f64) -> fmt::Result {
    let verdict = if value <= limit { "met" } else { "ABOVE" };
    writeln!(f, "  {what:<44}{value:>8.2}   at most {limit:>5.2}             {verdict}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Rollcall bench {}; one flush to disk p50 {:.2} ms, p95 {:.2} ms",
            self.label, self.flush.p50, self.flush.p95
        )?;
        self.rates_table(f)?;
        self.verdicts(f)?;
        self.rest(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::load::Cell;

    fn measured(contender: &str, rate: f64) -> Measured {
        Measured {
            scenario: "s1".into(),
            concurrency: 16,
            contender: contender.into(),
            cpu_ms_per_unit: BTreeMap::from([(contender.to_owned(), 1.0)]),
            cpu_ms_afterwards: 0.5,
            drained: Some(0.0),
            peak_mib: 80.0,
            cell: Cell { rate, seconds: 1.0, ..Cell::default() },
        }
    }

    #[test]
    fn ratios_are_of_medians_and_judged() {
        let mut report = Report { judged_at: 16, ..Report::default() };
        report.cells = [("postgres", 900.0), ("postgres", 800.0), ("postgres", 100.0), ("jackson", 100.0)]
            .map(|(contender, rate)| measured(contender, rate))
            .into();
        let text = report.to_string();
        let line = text.lines().find(|line| line.contains("s1 postgres / jackson")).unwrap();
        assert!(line.contains(" 8.00 ") && line.ends_with("goal met"), "{line}");
        assert!(text.contains("s1 CPU per unit") && text.contains("BELOW FLOOR"));
    }

    #[test]
    fn a_report_survives_its_file() {
        let mut report = Report::default();
        report.cells.push(measured("embedded", 1.0));
        let json = serde_json::to_string(&report).unwrap();
        let back: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(back.to_string(), report.to_string());
    }
}

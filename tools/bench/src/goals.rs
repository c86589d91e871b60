//! The floors and goals of the benchmark (bench/README.md), as ratios to a limit or peer of the same run. Absolute
//! figures there belong to one machine and day; a floor that was stated as such is given here as its ratio to that
//! day's limit.

use crate::limits::Limit;

/// Divisor of a scenario's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// The npm peer, same run.
    Jackson,
    /// A limit of the machine, same run.
    Limit(Limit),
}

/// One line of the table of goals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) scenario: &'static str,
    pub(crate) contender: &'static str,
    pub(crate) against: Against,
    pub(crate) floor: f64,
    pub(crate) goal: f64,
}

const fn goal(scenario: &'static str, contender: &'static str, against: Against, floor: f64, goal: f64) -> Goal {
    Goal { scenario, contender, against, floor, goal }
}

/// That day's pgbench write transactions a second at c=16; absolute floors are divided by it.
const REFERENCE_TRANSACTIONS: f64 = 3138.0;

/// SELECTs a second. The reference's 19,900 were measured with the simple protocol; the scripts here use prepared statements
/// as the hub does, which gave 1.65 times as many when both were measured in turn.
const REFERENCE_SELECTS: f64 = 33_000.0;

/// Rates at the judged concurrency (16).
pub(crate) const RATES: [Goal; 13] = [
    goal("s1", "postgres", Against::Jackson, 5.0, 8.0),
    goal("s1", "postgres", Against::Limit(Limit::WriteTransaction), 700.0 / REFERENCE_TRANSACTIONS, 0.35),
    goal("s2", "postgres", Against::Jackson, 5.0, 8.0),
    goal("s2", "postgres", Against::Limit(Limit::SelectUser), 4_100.0 / REFERENCE_SELECTS, 6_600.0 / REFERENCE_SELECTS),
    goal("s3", "postgres", Against::Jackson, 5.0, 8.0),
    goal("s3", "postgres", Against::Limit(Limit::SelectUser), 3_600.0 / REFERENCE_SELECTS, 5_700.0 / REFERENCE_SELECTS),
    goal("s4", "postgres", Against::Jackson, 2.0, 3.0),
    goal("s4", "postgres", Against::Limit(Limit::WriteTransaction), 760.0 / REFERENCE_TRANSACTIONS, 0.37),
    // No peer completes s5 at c=16; the floor is twice scimgateway's 219/s of that day.
    goal("s5", "postgres", Against::Limit(Limit::WriteTransaction), 440.0 / REFERENCE_TRANSACTIONS, 0.32),
    goal("s6", "postgres", Against::Jackson, 3.0, 6.0),
    goal("s6", "postgres", Against::Limit(Limit::ListPage), 0.25, 0.5),
    // Embedded (SQLite WAL, synchronous=FULL), against single-row commits that are each on the disk; the hub commits several pairs
    // together. The ratio dates from synchronous=NORMAL: 1,500 pairs/s, where SQLite committed 9,200 rows.
    goal("s1", "embedded", Against::Limit(Limit::SqliteCommit), 0.16, 0.16),
    // Half the in-memory crate's 21,567/s of that day.
    goal(
        "s2",
        "embedded",
        Against::Limit(Limit::SelectUser),
        10_800.0 / REFERENCE_SELECTS,
        10_800.0 / REFERENCE_SELECTS,
    ),
];

/// CPU seconds per unit of jackson (with its PostgreSQL) over the hub's (with all its services): the lines marked C.
pub(crate) const CPU: [(&str, f64); 2] = [("s1", 6.0), ("s2", 6.0)];

/// s7: jackson's seconds over the hub's.
pub(crate) const SYNC: (f64, f64) = (5.0, 8.0);
/// Wake-ups a second confirmed by a quorum queue. Absolute, because no limit of the machine is comparable.
pub(crate) const RELAY: (f64, f64) = (4_000.0, 6_000.0);
/// Peak resident memory of the hub in any cell, MiB: floor and goal.
pub(crate) const PEAK_MIB: (f64, f64) = (150.0, 100.0);
/// A push in the large tenant over one in the small.
pub(crate) const VISIBILITY_RATIO: f64 = 1.5;
/// s2 and s3 in the large tenant: p50 over that in the tenant of 100.
pub(crate) const LARGE_READ_RATIO: f64 = 1.3;
/// s5 in the group of 50,000: p50 over that in a group of 5.
pub(crate) const LARGE_GROUP_RATIO: f64 = 1.5;
/// The last page of a list by cursor over the first.
pub(crate) const LAST_PAGE_RATIO: f64 = 1.5;

/// Compares a ratio with floor and goal (both "at least").
pub(crate) fn verdict(value: f64, floor: f64, goal: f64) -> &'static str {
    if value >= goal {
        "goal met"
    } else if value >= floor {
        "floor met"
    } else {
        "BELOW FLOOR"
    }
}

//! Convergence on the real store and the real worker (docs/design.md#one-change-one-audit-event,
//! docs/design.md#any-order-one-result): a seeded log of SCIM writes, replayed in other orders, partly twice, by
//! concurrent writers, with one worker and with four, ends in one roster; and the audit log, replayed, is that roster.
//!
//! SQLite always; Postgres too when `DATABASE_URL` is set, in a database made for the test and dropped after it.

// Tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod approval;
mod cutover;
mod cutover_plan;
mod decisions;
mod desk;
mod engine;
mod erasure;
mod faults;
mod flips;
mod guards;
mod in_flight;
mod ledger;
mod log;
mod member_changes;
mod office;
mod pages;
mod quarantine;
mod rewind;
mod seats;
mod set_aside;
mod situations;
mod unannounced;
mod user_scope;

use log::Log;
use office::Office;
use rollcall_store::Store;

/// Seeds of the logs, and per log the replays: (workers, seed of the order).
const LOGS: [u64; 2] = [1, 2];
const REPLAYS: [(usize, u64); 3] = [(1, 11), (4, 12), (4, 13)];

#[test]
fn rc5_any_order_of_commuting_writes_and_any_number_of_workers_end_in_one_roster() {
    engine::on_each_engine(async |store: Store, engine| {
        for seed in LOGS {
            let log = Log::seeded(seed);
            for (workers, order) in REPLAYS {
                let replay = format!("{engine}, log {seed}, {workers} workers, order {order}");
                let mut office = Office::open(store.clone(), workers, seed, &replay).await;
                let changed = office.replay(&log, order).await;
                let roster = office.close().await;
                assert_eq!(roster.members, log.expected_members(), "{replay}");
                assert_eq!(roster.groups, log.expected_groups(), "{replay}");
                ledger::check(&office, &changed).await;
            }
        }
    });
}

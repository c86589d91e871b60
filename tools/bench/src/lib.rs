//! `rollcall bench`: the load tool and the measurements of `make bench`.
//!
//! It sends the requests of identity providers (SCIM over HTTP, Okta's shapes) to any server, the hub or a peer, and measures the
//! machine's own limits in the same run, so that results are ratios. It is a client: it uses the hub's contract for scripts only,
//! and reaches loopback only. It shares the publisher of wake-ups with the hub, in order to measure it.

mod command;
mod contender;
mod error;
mod goals;
mod http;
mod hub;
mod latency;
mod limits;
mod lists;
mod load;
mod options;
mod pgwire;
mod process;
mod reconcile;
mod relay;
mod report;
mod scenario;
mod shapes;
mod statements;
mod suite;
mod sync;
mod tables;
mod tenant;

pub use command::{BenchArgs, run};
pub use error::BenchError;

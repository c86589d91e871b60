//! `/agent/v1`: on-prem agents enrol their keys and upload snapshots and deltas of a directory. Every request but the enrolment is
//! signed (docs/agent.md). Parts are read and checked as they come; a worker applies an upload once it is complete.

mod auth;
pub(crate) mod error;
pub(crate) mod keys;
pub(crate) mod state;
pub(crate) mod uploads;
mod wire;

use self::error::AgentError;
use actix_web::HttpResponse;
use rollcall_snapshot::PartLimits;

type Answer = Result<HttpResponse, AgentError>;

/// Largest part as it travels, in bytes.
pub(crate) const PART_BYTES_MAX: usize = 2 << 20;
/// Limits of a part after decompression.
pub(crate) const PART_LIMITS: PartLimits =
    PartLimits { bytes_max: 8 << 20, line_bytes_max: 512 << 10, entries_max: 20_000 };
/// Largest body of any other request, in bytes: ranges of buckets are the longest.
const BODY_BYTES_MAX: usize = 128 << 10;

//! The dialect ledger of a source on the wire.

use crate::view::closed;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a source's identity provider spoke over some days.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dialect {
    pub days: u32,
    pub requests: i64,
    /// Requests that read discovery (RFC 7644 §4).
    pub discovery_reads: i64,
    pub quirks: Vec<CountedQuirk>,
    pub advice: Vec<String>,
    pub by_day: Vec<Day>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CountedQuirk {
    #[schema(value_type = closed::QuirkName)]
    pub quirk: &'static str,
    pub count: i64,
    pub read_as: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DialectDay)]
pub struct Day {
    #[schema(format = Date)]
    pub day: String,
    /// Occurrences by quirk.
    pub counts: BTreeMap<String, i64>,
}

//! The request log in this process (PE15): a line for each request, collected like the rest of the ledger and bounded, so
//! that no request waits for its line and a fast client costs no more than its rate.

use actix_web::HttpRequest;
use actix_web::http::Method;
use chrono::{DateTime, Utc};
use rollcall_core::ids::RequestId;
use rollcall_scim::ScimError;
use rollcall_store::{LoggedRequest, SourceScope};
use std::collections::HashMap;
use uuid::Uuid;

/// Most lines between two flushes, and most lines of one source's reads among them: as many as the usual rate allows.
const LINES_IN_ALL: usize = 20_000;
const READS_PER_SOURCE: u32 = 300;
/// Longest stored path, in bytes.
const PATH_BYTES: usize = 200;

/// A request and its status, without time and source.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path after the source's address: words of the protocol and ids. The query may hold names, and so may a path of a client
    /// that takes a name for an id.
    pub(crate) path: String,
    pub(crate) subject: Option<Uuid>,
    pub(crate) status: u16,
    pub(crate) scim_type: Option<&'static str>,
}

impl Asked {
    pub(crate) fn new(method: &str, path: &str, subject: Option<Uuid>, outcome: Result<u16, &ScimError>) -> Self {
        Self {
            method: method.to_owned(),
            path: shown(path),
            subject,
            status: outcome.unwrap_or_else(|error| error.status),
            scim_type: outcome.err().and_then(|error| error.scim_type).map(|kind| kind.as_str()),
        }
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET.as_str() || self.path.ends_with("/.search")
    }

    pub(crate) fn line(self, scope: &SourceScope, request: Option<RequestId>, id: Uuid, at: DateTime<Utc>) -> Line {
        let is_read = self.is_read();
        let line = LoggedRequest {
            tenant_id: scope.tenant().0,
            id,
            at,
            source_id: scope.source().0,
            subject_id: self.subject,
            request_id: request.map(|id| id.0),
            method: self.method,
            path: self.path,
            status: i64::from(self.status),
            scim_type: self.scim_type.map(str::to_owned),
        };
        Line { line, is_read }
    }
}

/// The path without names: each part that is neither a word of the protocol nor an id is an ellipsis.
fn shown(path: &str) -> String {
    let mut shown = String::with_capacity(path.len().min(PATH_BYTES));
    for (place, part) in path.split('/').enumerate() {
        if place > 0 {
            shown.push('/');
        }
        let is_word = part.is_empty() || WORDS.iter().any(|word| word.eq_ignore_ascii_case(part));
        let is_id = || part.parse::<Uuid>().is_ok() || part.starts_with("urn:ietf:params:scim:");
        shown.push_str(if is_word || is_id() { part } else { "…" });
    }
    shown.truncate(shown.floor_char_boundary(PATH_BYTES));
    shown
}

/// The parts of the paths that are served.
const WORDS: [&str; 9] =
    ["Users", "Groups", ".search", "Bulk", "Me", "Schemas", "ResourceTypes", "ServiceProviderConfig", "User"];

pub(crate) struct Line {
    line: LoggedRequest,
    is_read: bool,
}

/// Lines since the last flush.
#[derive(Default)]
pub(crate) struct Lines {
    lines: Vec<LoggedRequest>,
    reads: HashMap<Uuid, u32>,
}

impl Lines {
    /// True if there was room for it.
    pub(crate) fn add(&mut self, Line { line, is_read }: Line) -> bool {
        if self.lines.len() >= LINES_IN_ALL {
            return false;
        }
        if is_read {
            let reads = self.reads.entry(line.source_id).or_default();
            if *reads >= READS_PER_SOURCE {
                return false;
            }
            *reads += 1;
        }
        self.lines.push(line);
        true
    }

    pub(crate) fn take(&mut self) -> Vec<LoggedRequest> {
        self.reads.clear();
        std::mem::take(&mut self.lines)
    }
}

/// Prefix of every address of a source.
const SCIM: &str = "/scim/v2/";

/// The path of a request after the source's address, without its query.
pub(crate) fn path_of(request: &HttpRequest) -> &str {
    let source = request.match_info().get("source_id").unwrap_or_default();
    let path = request.path();
    path.strip_prefix(SCIM).and_then(|rest| rest.strip_prefix(source)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: u128, method: &str) -> Line {
        let line = LoggedRequest {
            tenant_id: Uuid::nil(),
            id: Uuid::nil(),
            at: DateTime::UNIX_EPOCH,
            source_id: Uuid::from_u128(source),
            subject_id: None,
            request_id: None,
            method: method.to_owned(),
            path: "/Users".to_owned(),
            status: 200,
            scim_type: None,
        };
        Line { line, is_read: method == "GET" }
    }

    #[test]
    fn pe15_reads_of_a_source_in_a_hurry_push_out_nobody_elses_lines() {
        let mut lines = Lines::default();
        let taken = (0..READS_PER_SOURCE + 5).filter(|_| lines.add(line(1, "GET"))).count();
        assert_eq!(taken, READS_PER_SOURCE as usize);
        assert!(lines.add(line(1, "PATCH")), "a write is no read");
        assert!(lines.add(line(2, "GET")), "another source");
        assert_eq!(lines.take().len(), READS_PER_SOURCE as usize + 2);
        assert!(lines.add(line(1, "GET")), "the next few seconds");
    }

    #[test]
    fn s10_the_log_keeps_ids_of_a_path_and_no_names() {
        let id = Uuid::nil();
        for (path, kept) in [
            ("/Users", "/Users".to_owned()),
            ("/users/.search", "/users/.search".to_owned()),
            (&format!("/Users/{id}"), format!("/Users/{id}")),
            ("/Users/jane.doe@acme.test", "/Users/…".to_owned()),
            ("/Groups/Sales%20EMEA", "/Groups/…".to_owned()),
            (
                "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
                "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User".to_owned(),
            ),
            ("/jane@acme.test/x", "/…/…".to_owned()),
            ("/", "/".to_owned()),
        ] {
            assert_eq!(Asked::new("GET", path, None, Ok(200)).path, kept, "{path}");
        }
    }

    #[test]
    fn pe15_lines_are_bounded() {
        let mut lines = Lines::default();
        let taken = (0..LINES_IN_ALL + 5).filter(|_| lines.add(line(1, "POST"))).count();
        assert_eq!((taken, lines.take().len()), (LINES_IN_ALL, LINES_IN_ALL));
    }
}

//! The message and its wire form.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::telemetry::TraceContext;

/// Version of the wire form. Readers ignore unknown fields, so this changes only when the meaning of a field does; a
/// reader dead-letters an unknown version.
const WIRE_VERSION: u8 = 1;

/// Largest message to parse, in bytes: two ids and two bounded headers fit several times over.
const WIRE_LIMIT: usize = 4096;

/// The two lanes. They are separate so that a snapshot of a million users never delays a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Changes pushed one by one: SCIM, console, CLI.
    Push,
    /// Work in bounded chunks: snapshots, first syncs, drift corrections.
    Bulk,
}

impl Lane {
    /// Both lanes, push first.
    pub const ALL: [Self; 2] = [Self::Push, Self::Bulk];

    /// The lane's label in queue names, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Bulk => "bulk",
        }
    }
}

/// "Look at this tenant."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The tenant to reconcile.
    pub tenant_id: Uuid,
    /// The lane it came through.
    pub lane: Lane,
    /// The caller's span, which the worker's own trace links to.
    pub trace: TraceContext,
}

#[derive(Serialize, Deserialize)]
struct OnTheWire {
    v: u8,
    tenant: Uuid,
    lane: Lane,
    #[serde(flatten)]
    trace: TraceContext,
}

impl Wakeup {
    /// JSON, some 150 bytes: `{"v":1,"tenant":"…","lane":"push","traceparent":"…"}`.
    pub fn encode(&self) -> Vec<u8> {
        let wire = OnTheWire { v: WIRE_VERSION, tenant: self.tenant_id, lane: self.lane, trace: self.trace.clone() };
        // Strings and an id always serialise; an empty message would be dead-lettered, not lost.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// # Errors
    /// The problem of the message, for the log line of its dead letter.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > WIRE_LIMIT {
            return Err(format!("{} bytes, more than {WIRE_LIMIT}", bytes.len()));
        }
        let wire: OnTheWire = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if wire.v != WIRE_VERSION {
            return Err(format!("version {}, this process reads {WIRE_VERSION}", wire.v));
        }
        Ok(Self { tenant_id: wire.tenant, lane: wire.lane, trace: wire.trace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "018f3a4e-0000-7000-8000-000000000001";
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_form_on_the_wire_is_stable() {
        let wakeup = Wakeup {
            tenant_id: TENANT.parse().unwrap(),
            lane: Lane::Push,
            trace: TraceContext::from_headers(Some(PARENT), None),
        };
        let text = format!(r#"{{"v":1,"tenant":"{TENANT}","lane":"push","traceparent":"{PARENT}"}}"#);
        assert_eq!(String::from_utf8(wakeup.encode()).unwrap(), text);
        assert_eq!(Wakeup::decode(text.as_bytes()).unwrap(), wakeup);
    }

    #[test]
    fn fields_of_a_later_writer_are_ignored_and_other_versions_refused() {
        let later = format!(r#"{{"v":1,"tenant":"{TENANT}","lane":"bulk","hint":7}}"#);
        assert_eq!(Wakeup::decode(later.as_bytes()).unwrap().lane, Lane::Bulk);
        let other = format!(r#"{{"v":2,"tenant":"{TENANT}","lane":"bulk"}}"#);
        assert!(Wakeup::decode(other.as_bytes()).unwrap_err().contains("version 2"));
    }

    #[test]
    fn garbage_is_refused_with_a_reason() {
        let long = vec![b' '; WIRE_LIMIT + 1];
        for bad in [&b""[..], b"{}", b"\xff\xfe", br#"{"v":1,"tenant":"x","lane":"push"}"#, &long] {
            assert!(!Wakeup::decode(bad).unwrap_err().is_empty());
        }
    }
}

//! Domains on the wire.

use chrono::{DateTime, Utc};
use rollcall_sign_in::Proof;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A domain of the organisation. It counts once its DNS record was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Domain {
    pub id: Uuid,
    pub domain: String,
    pub record: DnsRecord,
    pub created_at: DateTime<Utc>,
    /// The last look at the record.
    pub checked_at: Option<DateTime<Utc>>,
    /// Since when the domain is proven; null while it is not.
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when the record of the proven domain is gone. It stays proven for seven days.
    pub missing_since: Option<DateTime<Utc>>,
    /// The texts that stand at the record's name instead, some of them; null but for a check that missed it.
    pub found_instead: Option<Vec<String>>,
}

/// The record that proves a domain.
#[derive(Debug, Serialize, ToSchema)]
pub struct DnsRecord {
    pub name: String,
    /// Always `TXT`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: String,
}

impl From<store::Domain> for Domain {
    fn from(row: store::Domain) -> Self {
        let store::Domain { id, domain, challenge, created_at, checked_at, verified_at, missing_since } = row;
        let name = format!("{}.{domain}", rollcall_sign_in::RECORD_NAME);
        let record = DnsRecord { name, kind: "TXT", value: challenge };
        Self { id, domain, record, created_at, checked_at, verified_at, missing_since, found_instead: None }
    }
}

impl Domain {
    pub(crate) fn checked(row: store::Domain, proof: Proof) -> Self {
        let found_instead = match proof {
            Proof::Found => None,
            Proof::Missing(texts) => Some(texts),
        };
        Self { found_instead, ..row.into() }
    }
}

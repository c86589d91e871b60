//! HTTP for machines: identity providers push SCIM here, and those that want it get their tokens here. A write records the source's data, adds a change mark and
//! wakes a worker; the roster is not read before the answer (docs/design.md#the-idea).

mod agent;
mod auth;
mod ledger;
mod oauth;
pub mod routes;
mod scim;

pub use ledger::Ledger;
use rollcall_hub::{CallerLimits, Hub};
use rollcall_scim::Limits;
use rollcall_scim::discovery::BulkCapability;
use rollcall_scim::list::PageLimits;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Settings of the service.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Largest request body after decompression, in bytes.
    pub body_bytes_max: usize,
    pub callers: CallerLimits,
    pub limits: Limits,
    pub pages: PageLimits,
    /// Bytes of resources in one answer at most.
    pub answer_bytes_max: usize,
    /// Most operations of one `/Bulk`; its body may be as large as any other.
    pub bulk_operations_max: usize,
    /// Bytes that the uploads of one tenant's agents may take until they are applied.
    pub upload_bytes_max: u64,
    /// Turns at reading a part of an upload.
    pub part_turns: Arc<Semaphore>,
    /// The public address of this hub without a trailing slash; taken from the request when unset.
    pub public_url: Option<String>,
}

/// The ingest service; one value per process, shared by its threads.
#[derive(Clone)]
pub struct Ingest {
    pub hub: Hub,
    pub ledger: Ledger,
    pub config: IngestConfig,
}

impl IngestConfig {
    pub(crate) fn bulk(&self) -> BulkCapability {
        BulkCapability { max_operations: self.bulk_operations_max, max_payload_bytes: self.body_bytes_max }
    }
}

//! The only code that speaks SQL: tenants, credentials, the directory, the roster, and the log of what happened.
//!
//! Callers hold a scope ([`TenantScope`], [`SourceScope`], [`ApiScope`]) that proves they may; every method here is one
//! short transaction that begins with it. What two tenants share is in `across.rs`. A mutation writes its own audit
//! event, in the same transaction.

mod across;
mod apply;
mod audit;
mod changes;
mod connect;
mod credentials;
mod dialect;
mod directory_groups;
mod directory_users;
mod disputes;
mod error;
mod filter;
mod lease;
mod list;
mod members;
mod page;
mod policy;
mod rejected;
mod runs;
mod scim_call;
mod scope;
mod sources;
mod sql;
mod tenants;
mod world;

pub use across::Backlog;
pub use apply::Applied;
pub use audit::{AuditEvent, AuditFilter};
pub use connect::{Store, StoreConfig};
pub use credentials::{Credential, NewSecret, NewSource, SecretDigest, digest};
pub use dialect::{DialectCount, DialectDay, REQUESTS, TokenUse};
pub use directory_groups::{DirectoryGroup, MemberChange};
pub use directory_users::{DirectoryUser, Written};
pub use disputes::SkippedRecord;
pub use error::StoreError;
pub use lease::{Lease, LeaseAnswer};
pub use list::{ListPage, ListRequest};
pub use members::{Member, MemberFilter, SharingGroup};
pub use page::{DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest};
pub use policy::VersionedPolicy;
pub use rejected::{REJECTED_BODY_BYTES, REJECTED_KEPT, RejectedRequest, Replayed};
pub use runs::{Run, RunDecision, RunItem};
pub use scim_call::{CallError, Performed, no_groups};
pub use scope::{ApiScope, SourceScope, TenantScope};
pub use sources::{Rotated, Source, SourceToken};
pub use tenants::NewTenant;
pub use world::Chunk;

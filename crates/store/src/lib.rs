//! The only code that speaks SQL: tenants, credentials, the directory, the roster, and the log of what happened.
//!
//! Callers hold a scope ([`TenantScope`], [`SourceScope`], [`ApiScope`]) that proves they may; every method here is one
//! short transaction that begins with it. What two tenants share is in `across.rs`. A mutation writes its own audit
//! event, in the same transaction.

mod across;
mod apply;
mod approval;
mod at_once;
mod audit;
mod changes;
mod comparison;
mod connect;
mod credentials;
mod cutover;
mod dialect;
mod directory_groups;
mod directory_members;
mod directory_users;
mod disputes;
mod error;
mod explain;
mod faults;
mod filter;
mod gather;
mod group_deletion;
mod lease;
mod list;
mod mapping_preview;
mod member_changes;
mod members;
mod open_items;
mod page;
mod policy;
mod rejected;
mod request_log;
mod retention;
mod rewinds;
mod runs;
mod scim_call;
mod scope;
mod session;
mod sources;
mod sql;
mod tenants;
mod together;
mod user_scope;
mod world;

pub use across::Backlog;
pub use apply::Applied;
pub use approval::{DECISIONS_MAX, DecisionResult};
pub use audit::{AuditEvent, AuditFilter};
pub use comparison::{ComparedItem, ComparedPage};
pub use connect::{Store, StoreConfig};
pub use credentials::{
    API_KEY_PREFIX, ApiKey, Credential, NewSecret, NewSource, SCIM_TOKEN_PREFIX, SecretDigest, digest, may_be_secret,
};
pub use cutover::{
    Detachment, GroupCounts, MembershipCounts, PeopleCounts, Promotion, PromotionItems, RemovalOutlook, Respelled,
    SeatOutlook,
};
pub use dialect::{DialectCount, DialectDay, REQUESTS, TokenUse};
pub use directory_groups::DirectoryGroup;
pub use directory_members::MemberChange;
pub use directory_users::{DirectoryUser, Written};
pub use disputes::{SkippedFilter, SkippedRecord};
pub use error::StoreError;
pub use explain::Known;
pub use faults::Faults;
pub use lease::{Lease, LeaseAnswer};
pub use list::{ListPage, ListRequest};
pub use mapping_preview::{PreviewOf, PreviewedRecord};
pub use member_changes::MemberChanges;
pub use members::{FormerEmail, Member, MemberFilter, SharingGroup};
pub use page::{DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest};
pub use policy::VersionedPolicy;
pub use rejected::{REJECTED_BODY_BYTES, REJECTED_KEPT, RejectedRequest, Replayed};
pub use request_log::{LoggedRequest, RequestFilter};
pub use runs::{Run, RunDecision, RunItem};
pub use scim_call::{CallError, Performed, no_groups};
pub use scope::{ApiScope, SourceScope, TenantScope};
pub use sources::{Rotated, Source, SourceToken};
pub use tenants::NewTenant;
pub use world::Chunk;

//! The only crate with SQL: tenants, credentials, the directory, the roster, and the logs.
//!
//! Callers hold a scope ([`TenantScope`], [`SourceScope`], [`AdminScope`]) that proves they may; every method here is one
//! short transaction that begins with it. What two tenants share is in `across.rs`. A mutation writes its own audit
//! event, in the same transaction.

mod access;
mod across;
mod admin;
mod agent;
mod committed;
mod directory;
mod engine;
mod entity;
#[cfg(test)]
mod grants;
mod log;
mod outgoing;
mod reconcile;
mod scope;
mod secret;
mod sign_in;
#[cfg(test)]
mod statements;

pub use access::access_tokens::{ACCESS_TOKEN_TIME, NewAccessToken};
pub use access::api_keys::{ApiKey, NewApiKey};
pub use access::credential_uses::CredentialUse;
pub use access::credentials::{Credential, Rotated, RotatedExpiry};
pub use access::enrolments::{
    AgentSource, BegunDevice, DEVICE_PAUSE_SECONDS, DEVICE_TIME, DevicePoll, ENROLMENT_TIME, WaitingDevice,
    user_code_digest,
};
pub use access::idempotency::{Attempt, KeptAnswer, ONCE_TIME, Once, OnceOnly};
pub use access::install_tokens::{INSTALL_TIME_MAX, NewInstallToken};
pub use access::oauth_clients::{NewOauthClient, OauthSecret, RotatedOauthClient};
pub use access::operator_keys::{NewOperatorKey, OperatorKey};
pub use access::operators::{Operator, OperatorPerson, OperatorSession, StartedOperatorSession};
pub use access::quotas::CountedUsage;
pub use access::sessions::{ListedSession, SESSION_PAUSE, SESSION_TIME, Session, SignInClient, StartedSession};
pub use access::setup_links::{NewSetupLink, OpenSetupLink, SETUP_LINK_TIME_MAX, SetupLink};
pub use access::sign_in_links::{NewSignInLink, SIGN_IN_LINK_TIME_MAX, SignInLink};
pub use access::source_upkeep::{NewSource, SourceDeletion};
pub use access::sources::{Source, SourceChange, SourceToken};
pub use access::tenants::{NewTenant, SeatsSet, TenantName};
pub use across::{Backlog, FoundWebhook, HeldRelay, LookedUpTo, TenantSummary, UpkeepTurn, WEBHOOKS_FOUND};
pub use admin::changed_lists::{Look, Looked};
pub use admin::cutover::{
    Detachment, GroupCounts, MembershipCounts, PeopleCounts, Promotion, PromotionItems, RemovalOutlook, Respelled,
    SeatOutlook,
};
pub use admin::explain::Known;
pub use admin::invitations::{INVITATIONS_MAX, InvitationResult};
pub use admin::invitations_again::RepeatResult;
pub use admin::mapping_preview::{PreviewOf, PreviewedReading, PreviewedRecord};
pub use admin::member_approval::{DECISIONS_MAX, DecisionResult};
pub use admin::member_blocks::{BLOCKS_MAX, BlockResult, Shut};
pub use admin::member_changes::MemberChanges;
pub use admin::member_search::{Manager, MemberFilter, SearchParts, SearchText};
pub use admin::members::{FormerEmail, Member, SharingGroup};
pub use admin::policy::VersionedPolicy;
pub use admin::run_comparison::{ComparedItem, ComparedPage};
pub use admin::runs::{Run, RunDecision, RunItem, RunSeen};
pub use admin::skipped_records::{SkippedFilter, SkippedRecord};
pub use admin::statistics::{DayCounts, SyncLag, Waiting};
pub use agent::compare::{DiffCounts, PartDiff};
pub use agent::keys::{AgentKey, KnownAgentKey, NewAgentKey};
pub use agent::outcome::{Checked, Settled};
pub use agent::parts::{NewPart, PARTS_MAX};
pub use agent::state::SourceState;
pub use agent::uploads::{NewUpload, Upload, UploadError};
pub use agent::work::UploadWork;
pub use committed::{AfterCommit, Committed};
pub use directory::dialect_counts::{DISCOVERY_READS, Dialect, DialectCount, DialectDay, REQUESTS};
pub use directory::groups::{DirectoryGroup, MEMBER_BYTES, MembersLeftOut};
pub use directory::list::{ListPage, ListRequest};
pub use directory::memberships::MemberChange;
pub use directory::rejected::{REJECTED_BODY_BYTES, REJECTED_KEPT, RejectedRequest};
pub use directory::request_log::{LoggedRequest, RequestFilter};
pub use directory::users::{DirectoryUser, Written};
pub use engine::admission::{HeavyKind, HeavyWork, WorkLimits};
pub use engine::connect::{Connections, Store, StoreConfig, Synchronous};
pub use engine::error::{Cause, StoreError};
pub use engine::faults::Faults;
pub use engine::page::{Cursor, ListOrder, MAX_LIMIT, Page, PageRequest};
pub use engine::schema::Migrated;
pub use engine::sealing::SealingKeys;
pub use engine::stored_json::StoredJson;
pub use log::audit_events::{AuditEvent, AuditFilter};
pub use outgoing::deliveries::{DeliveryRecord, WebhookDelivery};
pub use outgoing::endpoints::{NewWebhook, OpenWebhook, Webhook, WebhookChange, WebhookSecret};
pub use outgoing::event::OutgoingEvent;
pub use outgoing::events::EventPage;
pub use outgoing::lease::{Batch, HeldWebhook, WebhookFailure};
pub use outgoing::replays::Replay;
pub use outgoing::roster::{RosterPlace, RosterRow};
pub use outgoing::sequence::Sequence;
pub use reconcile::apply::Applied;
pub use reconcile::lease::{Lease, LeaseAnswer};
pub use reconcile::world::Chunk;
pub use scope::{
    AdminScope, AgentScope, EnrolmentScope, Expected, OauthClient, OperatorScope, SourceScope, TenantScope, Version,
    Versioned,
};
pub use secret::{
    ACCESS_TOKEN_PREFIX, AGENT_ENROLMENT_PREFIX, AGENT_INSTALL_PREFIX, API_KEY_PREFIX, CLIENT_SECRET_PREFIX,
    DEVICE_CODE_PREFIX, NewSecret, OPERATOR_KEY_PREFIX, OPERATOR_SESSION_PREFIX, RECOVERY_CODE_PREFIX,
    SCIM_TOKEN_PREFIX, SESSION_PREFIX, SETUP_LINK_PREFIX, SIGN_IN_LINK_PREFIX, SecretDigest, digest, holds_secret,
    may_be_secret,
};
pub use sign_in::asserted_groups::GroupsTried;
pub use sign_in::connection_use::SignInConnectionChange;
pub use sign_in::connections::{ConnectionTest, NewSignInConnection, OpenConnection, SignInConnection};
pub use sign_in::domains::{DOMAIN_GRACE, DOMAIN_RECHECK, Domain, DueDomain};
pub use sign_in::identities::{Identity, ProviderPerson, ProviderSignIn, Trial};
pub use sign_in::provider_logout::ProviderLogout;

//! Use cases over the store, the queue and the cache, without HTTP and without SQL.
//!
//! A use case belongs here only if it has an after-commit duty or more than one caller. A plain read goes from its handler to
//! the store.

mod after_commit;
mod agents;
mod caller;
mod change_streams;
mod credential_uses;
mod ends;
mod enrolments;
mod event_feed;
mod idempotency_keys;
mod oauth;
mod operator_sign_ins;
mod provider_sign_ins;
mod quota;
mod replay;
mod scim_write;
mod sessions;
mod setup_links;

pub use agents::{AgentCaller, AgentCallerError, SIGNATURE_TIME_MAX};
pub use caller::{CallerError, CallerLimits, Sampler, SourceCaller};
pub use change_streams::{ChangeStreams, Ended, Listener, ListenerKey, News, NoStream};
pub use credential_uses::CredentialUses;
pub use oauth::ClientSecret;
pub use operator_sign_ins::{OPERATOR_REDIRECT_PATH, OperatorConnection, OperatorSignIns};
pub use provider_sign_ins::{
    BegunSignIn, Finished, ProviderSignIns, Return, SIGN_IN_TIME, SignInError, backchannel_logout_path, redirect_path,
};
pub use quota::SharedQuotaBook;
pub use replay::Replayed;
pub use scim_write::{Performed, ScimWriteError, no_groups, request_budget};
pub use sessions::{KnownSessions, SessionCaller};

use rollcall_runtime::{Cache, Metrics, Queue};
use rollcall_store::Store;

/// The dependencies of every service; one value per process, cheap to clone.
#[derive(Clone)]
pub struct Hub {
    pub store: Store,
    pub queue: Queue,
    pub cache: Cache,
    pub metrics: Metrics,
    pub uses: CredentialUses,
    pub sessions: KnownSessions,
    pub quotas: SharedQuotaBook,
    pub streams: ChangeStreams,
}

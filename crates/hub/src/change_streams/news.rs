//! The news of a stream, and the reasons why there is none.

use super::OF_CREDENTIAL_MAX;
use rollcall_core::event::ChangedList;
use rollcall_core::ids::{CredentialId, OperatorKeyId};
use rollcall_store::{Cursor, StoreError};
use std::collections::BTreeSet;

/// The credential of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerKey {
    /// A key, or a session.
    Credential(CredentialId),
    Operator(OperatorKeyId),
}

/// Why a listener hears no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The key or session ended, or its member has another role.
    Credential,
    /// The process stops.
    Stopping,
    /// The stream is as old as one may be.
    Time,
    /// The database is away, so nobody knows whether the credential is in force.
    Unavailable,
}

impl Ended {
    /// The name in the stream and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Stopping => "stopping",
            Self::Time => "time",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum NoStream {
    #[error("this key or session has {OF_CREDENTIAL_MAX} streams open; close one, or let pages share one")]
    OfCredential,
    #[error("the streams of this organisation are all in use; close one, or try again later")]
    OfTenant,
    #[error("the streams of this hub are all in use; try again later")]
    OfProcess,
    #[error("the hub is about to stop; try again")]
    Stopping,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// News for a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These lists changed; the cursor is where to go on.
    Changed(BTreeSet<ChangedList>, Cursor),
    /// Nothing changed for as long as one may be silent.
    Nothing,
    Ended(Ended),
}

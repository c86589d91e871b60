//! The one who caused an event.

use crate::ids::{CredentialId, MemberId, OperatorId, OperatorKeyId, SourceId};

/// The cause of an event: a source, a key, a person, or the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Source(SourceId),
    ApiKey(CredentialId),
    /// A member who signed in.
    Member(MemberId),
    /// The holder of a link to set a source up.
    SetupLink(CredentialId),
    /// A person at the hosted service's command line.
    Operator,
    /// A program of the hosted service.
    OperatorKey(OperatorKeyId),
    /// A person of the hosted service who signed in.
    OperatorPerson(OperatorId),
    /// Rollcall itself, for instance when a seat becomes free.
    System,
}

impl Actor {
    /// The form that is stored and shown: `source:<id>`, `api_key:<id>`, `member:<id>`, `setup_link:<id>`, `operator`, `operator_key:<id>`,
    /// `operator:<id>`, `system`.
    pub fn to_text(self) -> String {
        match self {
            Self::Source(id) => format!("source:{id}"),
            Self::ApiKey(id) => format!("api_key:{id}"),
            Self::Member(id) => format!("member:{id}"),
            Self::SetupLink(id) => format!("setup_link:{id}"),
            Self::Operator => "operator".into(),
            Self::OperatorKey(id) => format!("operator_key:{id}"),
            Self::OperatorPerson(id) => format!("operator:{id}"),
            Self::System => "system".into(),
        }
    }

    /// Reads the stored form.
    pub fn of_text(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("source", id)) => Some(Self::Source(id.parse().ok()?)),
            Some(("api_key", id)) => Some(Self::ApiKey(id.parse().ok()?)),
            Some(("member", id)) => Some(Self::Member(id.parse().ok()?)),
            Some(("setup_link", id)) => Some(Self::SetupLink(id.parse().ok()?)),
            Some(("operator_key", id)) => Some(Self::OperatorKey(id.parse().ok()?)),
            Some(("operator", id)) => Some(Self::OperatorPerson(id.parse().ok()?)),
            None if text == "operator" => Some(Self::Operator),
            None if text == "system" => Some(Self::System),
            _ => None,
        }
    }
}

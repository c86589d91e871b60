//! Errors that stop a measurement. A request that fails *inside* a measurement is not one of these: it is counted and
//! shown with the cell (see `load`).

use std::io;

/// The reason, with enough context to act on it.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A prerequisite of the measurement is missing or refused.
    #[error("{0}")]
    Setup(String),
    /// An I/O operation failed.
    #[error("{what}: {source}")]
    Io {
        /// The operation, with the path or address.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// An answer or a file is not the JSON that was expected.
    #[error("{what}: not the expected JSON: {source}")]
    Json {
        /// The name of the answer or file.
        what: String,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A request outside the measured cells was refused.
    #[error("{what}: answered {status}: {body}")]
    Answer {
        /// The request.
        what: String,
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
}

impl BenchError {
    pub(crate) fn setup(text: impl Into<String>) -> Self {
        Self::Setup(text.into())
    }

    /// For `map_err`: names the operation.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn json(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Self {
        let what = what.into();
        move |source| Self::Json { what, source }
    }
}

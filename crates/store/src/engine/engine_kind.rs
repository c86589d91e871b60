//! The two engines, and what only a statement's text has to know of them.

/// The SQL dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineKind {
    Postgres,
    Sqlite,
}

pub(crate) fn random_id(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Postgres => "gen_random_uuid()",
        EngineKind::Sqlite => "randomblob(16)",
    }
}

//! The columns of a parameter that holds rows, and the relation that reads them.

use crate::engine::engine_kind::EngineKind;
use crate::engine::fragment::{Fragment, fragment};

/// The type of a column in a row parameter.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    Uuid,
    Text,
    Int,
    Flag,
    Json,
    Time,
}

/// The columns of a row parameter; rows are serialised structs with these field names.
pub(crate) type Columns = &'static [(&'static str, Type)];

/// `(SELECT …) AS r`: the rows of a JSON parameter as a relation.
pub(super) fn row_set(engine: EngineKind, parameter: usize, columns: Columns) -> Fragment {
    let read = |(name, kind): &(&str, Type)| match (engine, kind) {
        (EngineKind::Postgres, _) => format!("j.{name}"),
        (EngineKind::Sqlite, Type::Uuid) => format!("unhex(j.value->>'{name}', '-') AS {name}"),
        (EngineKind::Sqlite, Type::Json) => format!("nullif(j.value->'{name}', 'null') AS {name}"),
        (EngineKind::Sqlite, _) => format!("j.value->>'{name}' AS {name}"),
    };
    let select = columns.iter().map(read).collect::<Vec<_>>().join(", ");
    let parameter = Fragment::parameter(parameter);
    let from = match engine {
        EngineKind::Postgres => {
            let declared = |(name, kind): &(&str, Type)| format!("{name} {}", postgres_type(*kind));
            let declared = columns.iter().map(declared).collect::<Vec<_>>().join(", ");
            fragment!("json_to_recordset({}::json) AS j({})", parameter, declared)
        }
        // Each column reads the row's value, which SQLite would compute for each of them; LIMIT makes it compute it
        // once.
        EngineKind::Sqlite => fragment!("(SELECT value FROM json_each({}) LIMIT -1) AS j", parameter),
    };
    fragment!("(SELECT {} FROM {}) AS r", select, from)
}

pub(super) fn postgres_type(kind: Type) -> &'static str {
    match kind {
        Type::Uuid => "uuid",
        Type::Text => "text",
        Type::Int => "bigint",
        Type::Flag => "boolean",
        Type::Json => "jsonb",
        Type::Time => "timestamptz",
    }
}

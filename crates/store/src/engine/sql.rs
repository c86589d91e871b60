//! Constant statements. A [`Sql`] is a named template that is rendered once per engine, so a call costs no formatting, and the
//! tenant's condition is a placeholder that the compiler insists on.
//!
//! Placeholders, and nothing else in braces is one:
//! * `{tenant}`: the tenant's id. It is always `$1`, and the transaction binds it; a caller's values begin with `$2`.
//! * `{rows}`, or another name of [`Sql::tenant_rows`]: a parameter's rows as a relation `r`; see [`crate::engine::row_sets`].
//! * `{join}`: joins a row set or a sub-select with a table that is read by its index. The few rows come first: Postgres plans
//!   that itself; SQLite keeps no statistics here, and `CROSS JOIN` fixes the order.
//! * `{random_id}`: an id made by the database, for rows that only it enumerates.

use crate::engine::columns::{Columns, row_set};
use crate::engine::engine_kind::{EngineKind, random_id};
use crate::engine::fragment::Fragment;
use std::sync::{Arc, OnceLock};

/// The parts of a template, concatenated, so that statements can share a list of columns or a condition.
pub(crate) type Parts = &'static [&'static str];

/// A constant statement; make it a `static`, so that it is rendered once.
pub(crate) struct Sql {
    postgres: Parts,
    sqlite: Parts,
    row_sets: &'static [RowSet],
    rendered: [OnceLock<Rendered>; 2],
}

/// A parameter that holds rows: its placeholder, its number, and its columns.
pub(crate) type RowSet = (&'static str, usize, Columns);

struct Rendered {
    fragment: Arc<Fragment>,
    numbered: String,
}

impl Sql {
    /// A statement of one tenant.
    ///
    /// # Panics
    /// At compile time, when the template has no `{tenant}`.
    pub(crate) const fn tenant(parts: Parts) -> Self {
        Self::new(parts, parts, &[])
    }

    /// As [`tenant`](Self::tenant), with parameters that hold rows.
    pub(crate) const fn tenant_rows(row_sets: &'static [RowSet], parts: Parts) -> Self {
        Self::new(parts, parts, row_sets)
    }

    /// As [`tenant_rows`](Self::tenant_rows), where the two engines need different statements.
    pub(crate) const fn tenant_by_engine(row_sets: &'static [RowSet], postgres: Parts, sqlite: Parts) -> Self {
        Self::new(postgres, sqlite, row_sets)
    }

    const fn new(postgres: Parts, sqlite: Parts, row_sets: &'static [RowSet]) -> Self {
        assert!(has_tenant(postgres) && has_tenant(sqlite), "a statement of a tenant has the condition {{tenant}}");
        Self { postgres, sqlite, row_sets, rendered: [const { OnceLock::new() }; 2] }
    }

    /// A statement that serves all tenants; for `across.rs` only.
    pub(crate) const fn across(parts: Parts) -> Self {
        Self { postgres: parts, sqlite: parts, row_sets: &[], rendered: [const { OnceLock::new() }; 2] }
    }

    /// As [`across`](Self::across), where the two engines need different statements.
    pub(crate) const fn across_by_engine(postgres: Parts, sqlite: Parts) -> Self {
        Self { postgres, sqlite, row_sets: &[], rendered: [const { OnceLock::new() }; 2] }
    }

    /// The text for a transaction.
    pub(crate) fn text(&self, engine: EngineKind) -> &str {
        &self.rendered(engine).numbered
    }

    /// The statement as a piece, for a read that sets the tenant itself.
    pub(crate) fn fragment(&self, engine: EngineKind) -> Arc<Fragment> {
        Arc::clone(&self.rendered(engine).fragment)
    }

    fn rendered(&self, engine: EngineKind) -> &Rendered {
        self.rendered[engine as usize].get_or_init(|| {
            let fragment = self.render(engine);
            Rendered { numbered: fragment.numbered(), fragment: Arc::new(fragment) }
        })
    }

    fn render(&self, engine: EngineKind) -> Fragment {
        let parts = if engine == EngineKind::Postgres { self.postgres } else { self.sqlite };
        let template = parts.concat();
        let mut rendered = Fragment::default();
        let mut rest = template.as_str();
        while let Some((text, placeholder, after)) = self.next_placeholder(rest) {
            rendered.push(text);
            rest = after;
            match placeholder {
                Placeholder::Tenant => rendered.push(Fragment::tenant()),
                Placeholder::Parameter(number) => rendered.push(Fragment::parameter(number)),
                Placeholder::Join => rendered.push(if engine == EngineKind::Postgres { "JOIN" } else { "CROSS JOIN" }),
                Placeholder::RandomId => rendered.push(random_id(engine)),
                Placeholder::Rows(number, columns) => rendered.push(row_set(engine, number, columns)),
            }
        }
        rendered.push(rest);
        rendered
    }

    /// The text before the next placeholder, the placeholder, and the text after it.
    fn next_placeholder<'t>(&self, template: &'t str) -> Option<(&'t str, Placeholder, &'t str)> {
        for (position, sign) in template.match_indices(['{', '$']) {
            let after = &template[position + 1..];
            let found = if sign == "$" { parameter(after) } else { self.named(after) };
            if let Some((placeholder, after)) = found {
                return Some((&template[..position], placeholder, after));
            }
        }
        None
    }

    fn named<'t>(&self, after: &'t str) -> Option<(Placeholder, &'t str)> {
        let (name, after) = after.split_once('}')?;
        let placeholder = match name {
            "tenant" => Placeholder::Tenant,
            "join" => Placeholder::Join,
            "random_id" => Placeholder::RandomId,
            _ => {
                let (_, number, columns) = self.row_sets.iter().find(|(rows, ..)| *rows == name)?;
                Placeholder::Rows(*number, columns)
            }
        };
        Some((placeholder, after))
    }
}

enum Placeholder {
    Tenant,
    Parameter(usize),
    Join,
    RandomId,
    Rows(usize, Columns),
}

/// The number behind a `$`; the `$` of a JSON path has none.
fn parameter(after: &str) -> Option<(Placeholder, &str)> {
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    Some((Placeholder::Parameter(after[..digits].parse().ok()?), &after[digits..]))
}

const fn has_tenant(parts: Parts) -> bool {
    let mut part = 0;
    while part < parts.len() {
        if contains(parts[part].as_bytes(), b"{tenant}") {
            return true;
        }
        part += 1;
    }
    false
}

const fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let mut from = 0;
    while from + wanted.len() <= text.len() {
        let mut length = 0;
        while length < wanted.len() && text[from + length] == wanted[length] {
            length += 1;
        }
        if length == wanted.len() {
            return true;
        }
        from += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::row_sets::ID;

    #[test]
    fn a_template_is_rendered_for_each_engine() {
        static READ: Sql = Sql::tenant_rows(
            &[("rows", 2, ID)],
            &[
                "SELECT a #>> '{b}', '$.\"c\"' FROM {rows} {join} t ON t.tenant_id = {tenant} AND t.id = r.id ",
                "AND t.d = $3",
            ],
        );
        assert_eq!(
            READ.text(EngineKind::Postgres),
            "SELECT a #>> '{b}', '$.\"c\"' FROM (SELECT j.id FROM json_to_recordset($2::json) AS j(id uuid)) AS r \
             JOIN t ON t.tenant_id = $1 AND t.id = r.id AND t.d = $3"
        );
        assert_eq!(
            READ.text(EngineKind::Sqlite),
            "SELECT a #>> '{b}', '$.\"c\"' FROM (SELECT unhex(j.value->>'id', '-') AS id FROM \
             (SELECT value FROM json_each($2) LIMIT -1) AS j) AS r \
             CROSS JOIN t ON t.tenant_id = $1 AND t.id = r.id AND t.d = $3"
        );
        let single = READ.fragment(EngineKind::Postgres).with_columns("tenant.id", "p");
        assert!(single.contains("json_to_recordset(p.v2::json)") && single.contains("t.d = p.v3"), "{single}");
    }

    #[test]
    fn a_statement_without_the_tenant_is_refused() {
        assert!(has_tenant(&["SELECT 1 FROM t ", "WHERE t.tenant_id = {tenant}"]));
        assert!(!has_tenant(&["SELECT 1 FROM t WHERE t.tenant_id = $1"]));
    }
}

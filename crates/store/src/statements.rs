//! Reads every statement text of the crate and refuses one that names a table without the tenant's condition. Row-level security
//! would hide the mistake on Postgres; on SQLite nothing else catches it.
//!
//! The texts are the string literals of the source; filters and sorts, which are built at run time, are checked by the filter's own
//! tests. Each literal that names a table must have the condition on it too, so that no part of a statement depends on another part
//! for it.

use std::fs;
use std::path::{Path, PathBuf};

/// The tables whose rows belong to a tenant, with the column of the tenant's id.
const TABLES: &[(&str, &str)] = &[
    ("tenants", "id"),
    ("tenant_leases", "tenant_id"),
    ("removal_counts", "tenant_id"),
    ("sources", "tenant_id"),
    ("credentials", "tenant_id"),
    ("dialect_counts", "tenant_id"),
    ("rejected_requests", "tenant_id"),
    ("logged_requests", "tenant_id"),
    ("directory_users", "tenant_id"),
    ("directory_groups", "tenant_id"),
    ("directory_memberships", "tenant_id"),
    ("directory_changes", "tenant_id"),
    ("disputes", "tenant_id"),
    ("group_losses", "tenant_id"),
    ("members", "tenant_id"),
    ("member_words", "tenant_id"),
    ("sharing_groups", "tenant_id"),
    ("sharing_group_members", "tenant_id"),
    ("runs", "tenant_id"),
    ("run_items", "tenant_id"),
    ("audit_events", "tenant_id"),
    ("idempotent_requests", "tenant_id"),
    ("tenant_days", "tenant_id"),
    ("webhook_endpoints", "tenant_id"),
    ("webhook_deliveries", "tenant_id"),
    ("webhook_replays", "tenant_id"),
    ("agent_keys", "tenant_id"),
    ("agent_nonces", "tenant_id"),
    ("agent_uploads", "tenant_id"),
    ("agent_parts", "tenant_id"),
    ("agent_records", "tenant_id"),
    ("agent_buckets", "tenant_id"),
    ("agent_states", "tenant_id"),
];

/// Files whose statements serve all tenants.
const ALL_TENANTS: [&str; 10] = [
    "across.rs",
    "across/agents.rs",
    "across/devices.rs",
    "across/events.rs",
    "across/machines.rs",
    "across/operators.rs",
    "across/relay.rs",
    "across/sign_in.rs",
    "across/upkeep.rs",
    "across/webhooks.rs",
];

/// Reviewed statements that serve all tenants outside of `across.rs`.
const REVIEWED: &[(&str, &str)] = &[
    ("directory/dialect_counts.rs", "rejected_requests"),
    ("directory/dialect_counts.rs", "dialect_counts"),
    ("directory/request_log.rs", "logged_requests"),
];

/// Reviewed files that open transactions across tenants: `across.rs`, and those that flush batches for all tenants.
const ACROSS: &[&str] = &[
    "access/credential_uses.rs",
    "across.rs",
    "across/agents.rs",
    "across/devices.rs",
    "across/events.rs",
    "across/machines.rs",
    "across/operators.rs",
    "across/relay.rs",
    "across/sign_in.rs",
    "across/upkeep.rs",
    "across/webhooks.rs",
    "directory/dialect_counts.rs",
    "directory/rejected.rs",
    "directory/request_log.rs",
];

/// Files whose calls open the database and serve no request.
const OPENING: &[&str] = &["engine/connect.rs", "engine/schema.rs"];

#[test]
fn every_statement_names_the_tenant() {
    let mut statements = 0;
    let mut refused = Vec::new();
    for (file, source) in sources() {
        for literal in literals(&source) {
            statements += usize::from(!tables_of(&tokens(&literal)).is_empty());
            let reviewed = |table: &String| ALL_TENANTS.contains(&file.as_str()) || REVIEWED.contains(&(&file, table));
            if let Some(table) = without_tenant(&literal).filter(|table| !reviewed(table)) {
                refused.push(format!("{file}: {table} in {literal:?}"));
            }
        }
    }
    assert!(statements > 100, "only {statements} statements were found");
    assert!(refused.is_empty(), "{} without the tenant's condition:\n{}", refused.len(), refused.join("\n"));
}

#[test]
fn transactions_across_tenants_are_opened_in_reviewed_files_only() {
    for (file, source) in sources() {
        let across = source.contains(".across(") || source.contains("Sql::across(");
        assert!(!across || ACROSS.contains(&file.as_str()), "{file} works across tenants");
    }
}

/// A trace names the call that a statement belongs to.
#[test]
fn every_call_of_the_store_has_a_span() {
    let (mut calls, mut lacking) = (0, Vec::new());
    for (file, source) in sources().into_iter().filter(|(file, _)| !OPENING.contains(&file.as_str())) {
        let calls_of_store =
            source.split("\nimpl Store {").skip(1).map(|rest| rest.split("\n}\n").next().unwrap_or(rest));
        for (name, before) in calls_of_store
            .flat_map(|calls| calls.match_indices("    pub async fn ").map(|(at, _)| (&calls[at..], &calls[..at])))
        {
            let name = name["    pub async fn ".len()..].split(['(', '<']).next().unwrap_or_default();
            let spans = before.lines().next_back().unwrap_or_default();
            calls += 1;
            if !(spans.contains("tracing::instrument(name = \"store.")
                && spans.contains(&format!(".{name}\", skip_all")))
            {
                lacking.push(format!("{file}: {name}"));
            }
        }
    }
    assert!(calls > 80, "only {calls} calls were found");
    assert!(lacking.is_empty(), "without a span: {lacking:#?}");
}

#[test]
fn a_statement_without_the_condition_is_found() {
    for (sql, refused) in [
        ("SELECT 1 FROM members m WHERE m.tenant_id = $1", None),
        ("SELECT 1 FROM members m WHERE m.id = $1", Some("members m")),
        ("SELECT 1 FROM members WHERE tenant_id = $1 AND id = $2", None),
        ("SELECT 1 FROM members WHERE id = $2", Some("members")),
        ("SELECT 1 FROM runs r JOIN run_items i ON i.run_id = r.id WHERE r.tenant_id = $1", Some("run_items i")),
        ("SELECT 1 FROM runs r JOIN run_items i ON i.tenant_id = r.tenant_id AND i.run_id = r.id", Some("runs r")),
        ("INSERT INTO runs (tenant_id, id) SELECT $1, $2", None),
        ("INSERT INTO runs (id) SELECT $2", Some("runs")),
        ("UPDATE runs SET state = $2 WHERE id = $1", Some("runs")),
        ("DELETE FROM runs AS r WHERE (r.tenant_id, r.id) IN (SELECT 1)", None),
        ("SELECT seats FROM tenants WHERE slug = $1", Some("tenants")),
        ("SELECT seats FROM tenants t WHERE t.id = $1 FOR UPDATE OF t", None),
        ("a member of members", None),
    ] {
        assert_eq!(without_tenant(sql).as_deref(), refused, "{sql}");
    }
}

/// The first table of a statement that has no condition on the tenant.
pub(crate) fn without_tenant(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    let tables = tables_of(&tokens);
    let lacking = |(table, alias): &&(String, Option<String>)| {
        let same = tables.iter().filter(|other| other.1 == *alias && (alias.is_some() || other.0 == *table)).count();
        conditions(&tokens, table, alias.as_deref()) < same
    };
    tables.iter().find(lacking).map(|(table, alias)| match alias {
        Some(alias) => format!("{table} {alias}"),
        None => table.clone(),
    })
}

/// The tables that a statement reads or writes, with their aliases.
fn tables_of(tokens: &[String]) -> Vec<(String, Option<String>)> {
    const BEFORE_TABLE: &[&str] = &["FROM", "JOIN", "UPDATE", "INTO", "join}"];
    const NO_ALIAS: &[&str] =
        &["WHERE", "ON", "SET", "SELECT", "ORDER", "LIMIT", "USING", "GROUP", "RETURNING", "CROSS"];
    let mut found = Vec::new();
    for (position, pair) in tokens.windows(2).enumerate() {
        let [before, table] = pair else { continue };
        if !BEFORE_TABLE.contains(&before.as_str()) || !TABLES.iter().any(|(name, _)| name == table) {
            continue;
        }
        let mut after = tokens[position + 2..].iter().skip_while(|token| *token == "AS");
        let alias = after.next().filter(|alias| {
            alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !NO_ALIAS.contains(&alias.as_str())
        });
        found.push((table.clone(), alias.cloned()));
    }
    found
}

/// Number of conditions, or columns of an insert, on the tenant of this table.
fn conditions(tokens: &[String], table: &str, alias: Option<&str>) -> usize {
    let Some((_, column)) = TABLES.iter().find(|(name, _)| *name == table) else { return 0 };
    let is_column = |token: &str| match (token.split_once('.'), alias) {
        (Some((owner, name)), Some(alias)) => owner == alias && name == *column,
        (Some((owner, name)), None) => owner == table && name == *column,
        (None, None) => token == *column,
        (None, Some(_)) => false,
    };
    let at = |position: usize| tokens.get(position).map_or("", String::as_str);
    // `tenant_id = …`, or the first of a row or of a list of columns.
    let counts = |position: &usize| {
        is_column(at(*position))
            && (at(position + 1) == "=" || (at(position.wrapping_sub(1)) == "(" && at(position + 1) == ","))
    };
    (0..tokens.len()).filter(counts).count()
}

/// Names with their dots, and single characters.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in sql.chars() {
        let is_word = c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
        match tokens.last_mut() {
            Some(word) if is_word && in_word => word.push(c),
            _ if !c.is_whitespace() => tokens.push(c.to_string()),
            _ => {}
        }
        in_word = is_word;
    }
    tokens
}

/// The source files without their tests, by their paths.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&root).expect("a path below the root").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a source file");
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        (path, product)
    };
    files
        .into_iter()
        .map(read)
        .filter(|(path, _)| !path.contains("tests") && path != "statements.rs" && path != "grants.rs")
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The string literals of a source file, with their escapes and line continuations resolved.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find(['"', '/', '\'']) {
        let after = &rest[start + 1..];
        rest = match rest.as_bytes()[start] {
            b'/' if after.starts_with('/') => after.split_once('\n').map_or("", |(_, next)| next),
            // A character literal rather than a lifetime.
            b'\'' if after.starts_with('\\') => after.get(3..).unwrap_or_default(),
            b'\'' if after.chars().nth(1) == Some('\'') => after.split_once('\'').map_or("", |(_, next)| next),
            b'"' => {
                let raw = rest[..start].ends_with("r#");
                let (literal, next) = if raw { after.split_once("\"#").unwrap_or((after, "")) } else { quoted(after) };
                found.push(if raw { literal.to_owned() } else { unescaped(literal) });
                next
            }
            _ => after,
        };
    }
    found
}

/// A literal's text up to its closing quote, and the rest.
fn quoted(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (position, c) in text.char_indices() {
        match c {
            '"' if !escaped => return (&text[..position], &text[position + 1..]),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    (text, "")
}

fn unescaped(literal: &str) -> String {
    let mut text = String::new();
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => while chars.next_if(|next| next.is_whitespace()).is_some() {},
            ('\\', Some(_)) => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}

//! Paths into the JSON of a resource's attributes, as each engine writes them.

/// A path of names of the schema, which hold no quotes: `filter/tests` checks that.
pub(super) fn postgres_path(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("{{{}}}", quoted.join(","))
}

pub(super) fn sqlite_path(names: &[&str]) -> String {
    names.iter().fold("$".to_owned(), |path, name| format!("{path}.\"{name}\""))
}

//! CSV (RFC 4180) and JSON lines. A spreadsheet takes a cell that begins like a formula for one, and whoever names themselves
//! `=HYPERLINK(…)` would run it on the admin's machine; so such a cell gets an apostrophe before it.

use super::rows::Row;
use actix_web::web::Bytes;
use serde_json::{Map, Value as Json, json};
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    JsonLines,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            other => Err(format!("`{other}` is not one of csv, jsonl")),
        }
    }
}

/// The columns of an export, in their order.
pub(super) struct Columns(Vec<&'static str>);

impl Columns {
    /// Each row as it is; for JSON lines.
    pub(super) fn whole() -> Self {
        Self(Vec::new())
    }

    /// The asked ones among these, or all.
    pub(super) fn of(known: &'static [&'static str], asked: Option<&str>) -> Result<Self, String> {
        let Some(asked) = asked else { return Ok(Self(known.to_vec())) };
        let column = |name: &str| {
            let found = known.iter().copied().find(|column| *column == name.trim());
            found.ok_or_else(|| format!("fields: `{name}` is not one of {}", known.join(", ")))
        };
        let columns: Vec<&'static str> = asked.split(',').map(column).collect::<Result<_, _>>()?;
        // A row as an object has each name once.
        let twice = columns.iter().enumerate().find(|(place, column)| columns[..*place].contains(column));
        match twice {
            Some((_, column)) => Err(format!("fields: `{column}` is there twice; name each column once")),
            None => Ok(Self(columns)),
        }
    }
}

impl Format {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// The line of column names, where there is one.
    pub(super) fn begin(self, Columns(columns): &Columns, into: &mut Vec<u8>) {
        if self == Self::Csv {
            line(columns.iter().map(|column| cell(column)), into);
        }
    }

    pub(super) fn row(self, Columns(columns): &Columns, row: &Row, into: &mut Vec<u8>) {
        match self {
            Self::Csv => line(columns.iter().map(|column| cell_of(value_at(row, column))), into),
            Self::JsonLines if columns.is_empty() => {
                into.extend_from_slice(Json::Object(row.clone()).to_string().as_bytes());
                into.push(b'\n');
            }
            Self::JsonLines => {
                let mut chosen = Map::new();
                for name in columns.iter().filter_map(|column| column.split('.').next()) {
                    chosen.insert(name.to_owned(), row.get(name).cloned().unwrap_or(Json::Null));
                }
                into.extend_from_slice(Json::Object(chosen).to_string().as_bytes());
                into.push(b'\n');
            }
        }
    }

    /// The line at which an export ends that did not come to the end of its list. Its first cell is like that of no row.
    pub(super) fn incomplete(self, code: &str, detail: &str) -> Bytes {
        match self {
            Self::Csv => {
                let mut bytes = Vec::new();
                line(std::iter::once(quoted_always(&format!("INCOMPLETE: {code}: {detail}"))), &mut bytes);
                bytes.into()
            }
            Self::JsonLines => format!("{}\n", json!({ "incomplete": true, "code": code, "detail": detail })).into(),
        }
    }
}

/// The value of `subject.id`, or of `id`.
fn value_at<'r>(row: &'r Row, column: &str) -> &'r Json {
    let mut names = column.split('.');
    let first = names.next().and_then(|name| row.get(name)).unwrap_or(&Json::Null);
    names.fold(first, |value, name| value.get(name).unwrap_or(&Json::Null))
}

fn cell_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => cell(text),
        // Numbers and flags are no formulas; an object begins with a brace.
        other => quoted(&other.to_string()),
    }
}

/// A text as a cell that no spreadsheet computes.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        quoted(&format!("'{text}"))
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n', ';', '\t']) || text.starts_with('\'') {
        quoted_always(text)
    } else {
        text.to_owned()
    }
}

fn quoted_always(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn line(cells: impl Iterator<Item = String>, into: &mut Vec<u8>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            into.push(b',');
        }
        into.extend_from_slice(cell.as_bytes());
    }
    into.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["id", "name", "subject.kind", "detail"];

    fn rendered(format: Format, fields: Option<&str>, row: Json) -> String {
        let columns = Columns::of(KNOWN, fields).expect("known columns");
        let mut bytes = Vec::new();
        format.begin(&columns, &mut bytes);
        let Json::Object(row) = row else { panic!("a row is an object") };
        format.row(&columns, &row, &mut bytes);
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        let row = json!({ "id": 7, "name": "Ann \"A\", Lee\nx", "subject": { "kind": "member" }, "detail": { "a": [1, "b"] } });
        let csv = rendered(Format::Csv, None, row.clone());
        assert_eq!(
            csv,
            "id,name,subject.kind,detail\r\n7,\"Ann \"\"A\"\", Lee\nx\",member,\"{\"\"a\"\":[1,\"\"b\"\"]}\"\r\n"
        );
        assert_eq!(rendered(Format::Csv, Some("name, id"), json!({ "id": null })), "name,id\r\n,\r\n");
        let lines = rendered(Format::JsonLines, Some("subject.kind,id"), row);
        assert_eq!(
            serde_json::from_str::<Json>(&lines).expect("JSON"),
            json!({ "id": 7, "subject": { "kind": "member" } })
        );
        assert!(lines.ends_with("}\n") && lines.matches('\n').count() == 1, "{lines:?}");
        assert!(Columns::of(KNOWN, Some("password")).is_err_and(|why| why.contains("subject.kind")));
        for twice in ["name,name", "id,name, id", "subject.kind,id,subject.kind"] {
            let name = twice.split(',').next().expect("a name");
            let refused = Columns::of(KNOWN, Some(twice)).err().expect("a refusal");
            assert!(refused.contains(&format!("`{name}` is there twice")), "{refused}");
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            let csv = rendered(Format::Csv, Some("name"), json!({ "name": text }));
            let body = csv.strip_prefix("name\r\n").expect("a header");
            assert!(body.trim_start_matches('"').starts_with('\''), "{text:?}: {csv:?}");
            let lines = rendered(Format::JsonLines, Some("name"), json!({ "name": text }));
            assert_eq!(
                serde_json::from_str::<Json>(&lines).expect("JSON")["name"],
                text,
                "exact where nothing computes"
            );
        }
        assert_eq!(rendered(Format::Csv, Some("name"), json!({ "name": "a=b" })), "name\r\na=b\r\n");
    }
}

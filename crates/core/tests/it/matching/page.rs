//! `docs/matching.md` has the tables of this module, each row of them a test.

use super::addresses::{ENDED_INVITATIONS, REISSUED};
use super::records::TWO_RECORDS;
use super::{BY_HAND, Case, LINKED, NEWCOMERS, RETURNING, TOMBSTONES};
use std::path::Path;

const TABLES: &[(&str, &[Case])] = &[
    ("A record that is linked", LINKED),
    ("Newcomers", NEWCOMERS),
    ("Ended invitations", ENDED_INVITATIONS),
    ("Addresses of people who have left", REISSUED),
    ("Returns", RETURNING),
    ("Two records of one person", TWO_RECORDS),
    ("Members made by hand", BY_HAND),
    ("Entra's names for deleted people", TOMBSTONES),
];

const MARK: &str = "<!-- The tables below are made by a test. -->\n";

fn tables() -> String {
    let mut page = String::new();
    for (title, cases) in TABLES {
        page += &format!("\n### {title}\n\n| situation | what happened | answer |\n|---|---|---|\n");
        for (name, script, answer) in *cases {
            let steps = script.split("; ").map(str::trim).collect::<Vec<_>>().join("; ");
            let answer =
                if answer.is_empty() { "nobody".to_owned() } else { format!("`{}`", answer.replace(" | ", "` · `")) };
            page += &format!("| {} | `{steps}` | {answer} |\n", name.replace('|', ","));
        }
    }
    page
}

#[test]
fn the_page_has_every_situation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/matching.md");
    let page = std::fs::read_to_string(&path).expect("docs/matching.md");
    let (text, written) = page.split_once(MARK).expect("the mark above the tables");
    if std::env::var_os("ROLLCALL_WRITE_DOCS").is_some() {
        return std::fs::write(path, format!("{text}{MARK}{}", tables())).expect("docs/matching.md");
    }
    assert_eq!(
        written,
        tables(),
        "ROLLCALL_WRITE_DOCS=1 cargo test --workspace --test it the_page_has_every_situation"
    );
}

#[test]
fn every_situation_has_a_name_of_its_own() {
    let mut names: Vec<&str> = TABLES.iter().flat_map(|(_, cases)| cases.iter().map(|case| case.0)).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

//! Checks `docs/requirements.md`, which lists the tests of each requirement, against the tests themselves.
//!
//! A test names its requirements at the start of its name: `da7_da8_a_late_rewind…`. Functions that are not tests do not count,
//! nor does a test of the black-box suite that is on no list. A test of the console has them before a colon: `DS4, DS6: from …`. The description of a requirement is written by hand, the tests below
//! it by `ROLLCALL_WRITE_DOCS=1 cargo test --workspace --test requirements`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/requirements.md";
const SOURCE_FOLDERS: &[&str] = &["crates", "services", "tools", "migrations", "tests", "console/test/browser"];
const KINDS: &[&str] = &["da", "ds", "dx", "dw", "lp", "pe", "rc"];

/// Requirements of this version's policies, guards and decisions; none may lose its last test.
const PROVED: &[&str] = &[
    "da7", "da8", "da9", "da10", "da11", "ds2", "ds5", "dx1", "dx2", "dx3", "dx6", "dx7", "dx8", "dx13", "dx14",
    "dx20", "dw8", "lp2", "lp5", "lp6", "lp11", "lp12", "pe2", "pe3", "pe4", "pe6", "pe7", "pe8", "pe9", "pe10",
    "pe11", "pe12", "pe13", "pe14", "pe15", "rc1", "rc2", "rc3", "rc4", "rc5", "rc7", "rc8", "rc10", "rc11", "rc12",
    "rc13", "rc15",
];

/// Names of tests by requirement and by file.
type Proofs = BTreeMap<String, BTreeMap<String, Vec<String>>>;

#[test]
fn the_page_names_the_tests_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut sources = BTreeMap::new();
    for folder in SOURCE_FOLDERS {
        read(root, &root.join(folder), &mut sources);
    }
    let proofs = proofs(&sources);
    let page = fs::read_to_string(root.join(PAGE)).expect(PAGE);
    let known: Vec<String> = page.lines().filter_map(|line| requirement_of(line).map(str::to_lowercase)).collect();
    for (id, files) in &proofs {
        assert!(known.contains(id), "{PAGE} does not know {id}, which is named in {files:?}");
    }
    let unproved: Vec<&&str> = PROVED.iter().filter(|id| !proofs.contains_key(**id)).collect();
    assert!(unproved.is_empty(), "no test is left for {unproved:?}");
    let truth = with_tests(&page, &proofs);
    if env::var_os("ROLLCALL_WRITE_DOCS").is_some() {
        return fs::write(root.join(PAGE), truth).expect(PAGE);
    }
    let stale = truth.lines().zip(page.lines()).find(|(now, written)| now != written);
    assert!(
        truth == page,
        "{PAGE} is behind the tests (first at {stale:?}): ROLLCALL_WRITE_DOCS=1 cargo test --workspace --test requirements"
    );
}

/// The page with the current tests below each requirement.
fn with_tests(page: &str, proofs: &Proofs) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in page.lines().filter(|line| !line.starts_with("- `")) {
        lines.push(line.to_owned());
        let Some(id) = requirement_of(line) else { continue };
        for (file, names) in proofs.get(&id.to_lowercase()).into_iter().flatten() {
            lines.push(format!("- `{file}`: `{}`", names.join("`, `")));
        }
    }
    lines.join("\n") + "\n"
}

/// `DA7` of the line `**DA7** …`.
fn requirement_of(line: &str) -> Option<&str> {
    line.strip_prefix("**")?.split_once("**").map(|(id, _)| id)
}

/// Source texts by their path in the repository.
fn read(root: &Path, folder: &Path, sources: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    for path in entries.collect::<Vec<PathBuf>>() {
        if path.is_dir() {
            read(root, &path, sources);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "ts") {
            let file = path.strip_prefix(root).expect("below the root").display().to_string();
            sources.insert(file, fs::read_to_string(&path).expect("a source"));
        }
    }
}

fn proofs(sources: &BTreeMap<String, String>) -> Proofs {
    let registered: BTreeSet<&str> = sources.values().flat_map(|text| registered_in(text)).collect();
    let mut proofs = Proofs::new();
    for (file, text) in sources {
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        if file.ends_with(".ts") {
            for (id, name) in lines.iter().flat_map(|line| titled(line)) {
                proofs.entry(id).or_default().entry(file.clone()).or_default().push(name.to_owned());
            }
            continue;
        }
        for (index, name) in lines.iter().enumerate().filter_map(|(index, line)| Some((index, function_of(line)?))) {
            if !is_test(&lines[..index]) && !registered.contains(name) {
                continue;
            }
            for id in ids_of(name) {
                proofs.entry(id).or_default().entry(file.clone()).or_default().push(name.to_owned());
            }
        }
    }
    proofs
}

/// The requirements that a test of the console names in its title, each with the title.
fn titled(line: &str) -> Vec<(String, &str)> {
    let title = line.strip_prefix("test('").and_then(|rest| rest.split_once("',")).map(|(title, _)| title);
    let Some((ids, name)) = title.and_then(|title| title.split_once(": ")) else { return Vec::new() };
    let ids = ids.split(", ").map(str::to_lowercase);
    ids.filter(|id| ids_of(id).len() == 1).map(|id| (id, name)).collect()
}

/// True if the lines above a function make it a test.
fn is_test(above: &[&str]) -> bool {
    let attributes = above.iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    attributes.into_iter().any(|line| line.starts_with("#[test]") || line.contains("::test"))
}

/// The black-box tests that are registered in a list, `cases![…]`.
fn registered_in(text: &str) -> impl Iterator<Item = &str> {
    let lists = text.split("cases![").skip(1).filter_map(|rest| rest.split_once(']'));
    lists.flat_map(|(list, _)| list.split(',').map(str::trim))
}

fn function_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))?;
    name.split(['(', '<']).next()
}

/// The requirement ids at the start of a name, in lower case.
fn ids_of(name: &str) -> Vec<String> {
    let is_id = |part: &&str| KINDS.iter().any(|kind| part.strip_prefix(kind).is_some_and(is_number));
    name.split('_').take_while(is_id).map(str::to_owned).collect()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

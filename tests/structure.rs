//! Checks the structure of the source: no circle of imports, no file too long to read, no comment that begins with a
//! relative clause. Each rule names the trees in which it holds; a tree joins a rule once it keeps it.

// Tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Trees in which no files import each other in a circle.
const FILES_WITHOUT_CIRCLES: &[&str] = &["crates/core/src"];
/// Trees in which the same holds once a module and the files below it, which share its private types, count as one.
const MODULES_WITHOUT_CIRCLES: &[&str] = &["crates/core/src", "crates/store/src"];
/// Trees in which no rooms, that is directories or files at the top, import each other in a circle.
const ROOMS_WITHOUT_CIRCLES: &[&str] = &["crates/core/src", "crates/store/src"];
/// Trees without long files, unless a line `//! Length:` in the head gives the reason.
const SHORT_FILES: &[&str] = &["crates"];
const LINES_MAX: usize = 400;
/// Trees whose comments are sentences about a thing.
const PLAIN_COMMENTS: &[&str] = &[
    "crates/core",
    "crates/hub",
    "crates/runtime",
    "crates/scim",
    "crates/store",
    "crates/web",
    "migrations",
    "services",
    "tests",
    "tools",
];
/// First words of a comment that is a relative clause without its noun.
const RELATIVE: &[&str] = &["Who", "Whoever", "Whose", "Whom", "Whomever", "What", "Whatever", "Where", "Of"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Rust files below a directory, by their path from the repository's root.
fn files(tree: &str) -> Vec<(String, String)> {
    fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join(tree), &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    found.into_iter().map(read).collect()
}

/// One module of a crate: its file without tests.
struct Module {
    path: Vec<String>,
    file: String,
    text: String,
}

/// The modules of a crate, by path, without those that are only compiled for tests.
fn modules(tree: &str) -> BTreeMap<Vec<String>, Module> {
    let mut modules = BTreeMap::new();
    for (file, text) in files(tree) {
        let name = file.strip_prefix(tree).unwrap().trim_start_matches('/').trim_end_matches(".rs");
        let mut path: Vec<String> = name.split('/').map(str::to_owned).collect();
        if path.iter().any(|part| part == "tests") {
            continue;
        }
        if path.last().is_some_and(|last| last == "mod" || last == "lib") {
            path.pop();
        }
        let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        modules.insert(path.clone(), Module { path, file, text });
    }
    modules
}

/// The paths that a `use` names: `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        return vec![name.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let prefix: Vec<String> =
        tree[..open].trim_end_matches("::").split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let inner = &tree[open + 1..tree.rfind('}').unwrap()];
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (index, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(expand).map(|rest| prefix.iter().cloned().chain(rest).collect()).collect()
}

/// The `use` declarations of a text, re-exports apart.
fn uses(text: &str) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    for statement in code.split(';') {
        let Some(at) = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].trim_end();
            before.is_empty() || before.ends_with([')', '}', ']', '{']) || before.ends_with("pub")
        }) else {
            continue;
        };
        let paths = expand(&statement[at + "use ".len()..]);
        let before = statement[..at].trim_end();
        let is_public = before.ends_with("pub") || before.ends_with(')');
        if is_public { exports.extend(paths) } else { imports.extend(paths) }
    }
    // A path that is written out in the code is an import too.
    for (at, _) in code.match_indices("crate::") {
        let path: String = code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
        if !code[..at].ends_with("use ") {
            imports.push(path.split("::").map(str::to_owned).collect());
        }
    }
    (imports, exports)
}

/// The module that defines the name of a path, seen from `from`.
fn resolve<'m>(modules: &'m BTreeMap<Vec<String>, Module>, from: &Module, path: &[String]) -> Option<&'m Module> {
    let (mut at, rest): (Vec<String>, &[String]) = match path.first().map(String::as_str)? {
        "crate" => (Vec::new(), &path[1..]),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            (from.path[..from.path.len().checked_sub(ups)?].to_vec(), &path[ups..])
        }
        "self" => (from.path.clone(), &path[1..]),
        first => {
            let child = [from.path.as_slice(), &[first.to_owned()]].concat();
            modules.get(&child)?;
            (child, &path[1..])
        }
    };
    for part in rest {
        let child = [at.as_slice(), std::slice::from_ref(part)].concat();
        if modules.contains_key(&child) {
            at = child;
            continue;
        }
        // The module may re-export the name from another one.
        let module = modules.get(&at)?;
        let (_, exports) = uses(&module.text);
        let export = exports.iter().find(|export| export.last() == Some(part));
        return export.and_then(|export| resolve(modules, module, export)).or(Some(module));
    }
    modules.get(&at)
}

/// Which file imports which, inside one crate.
fn imports(tree: &str) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules(tree);
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in modules.values() {
        let (imports, _) = uses(&module.text);
        let resolved = imports.iter().filter_map(|path| resolve(&modules, module, path));
        let others = resolved.map(|other| other.file.clone()).filter(|file| *file != module.file);
        edges.entry(module.file.clone()).or_default().extend(others);
    }
    edges
}

/// A circle in a graph, if there is one.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'e>(
        node: &'e str,
        edges: &'e BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<&'e str>,
        done: &mut BTreeSet<&'e str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|other| *other == node) {
            return Some(path[start..].iter().map(|node| (*node).to_owned()).collect());
        }
        if !done.insert(node) {
            return None;
        }
        path.push(node);
        let found = edges.get(node).into_iter().flatten().find_map(|next| visit(next, edges, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|node| visit(node, edges, &mut Vec::new(), &mut done))
}

/// The room of a file: its directory at the top of the tree, or itself.
fn room(tree: &str, file: &str) -> String {
    let inside = file.strip_prefix(tree).unwrap().trim_start_matches('/');
    inside.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for tree in FILES_WITHOUT_CIRCLES {
        let edges = imports(tree);
        assert!(edges.values().any(|imported| !imported.is_empty()), "{tree}: no import was found");
        assert_eq!(circle(&edges), None, "{tree}");
    }
}

/// True if one file is the module of the other, or of a directory around it.
fn is_above(file: &str, other: &str) -> bool {
    let module = file.strip_suffix("/mod.rs").or_else(|| file.strip_suffix(".rs")).unwrap_or(file);
    other.strip_prefix(module).is_some_and(|below| below.starts_with('/'))
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for tree in MODULES_WITHOUT_CIRCLES {
        let mut edges = imports(tree);
        for (file, imported) in &mut edges {
            imported.retain(|other| !is_above(file, other) && !is_above(other, file));
        }
        assert_eq!(circle(&edges), None, "{tree}");
    }
}

#[test]
fn no_rooms_import_each_other_in_a_circle() {
    for tree in ROOMS_WITHOUT_CIRCLES {
        let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (file, imported) in imports(tree) {
            let own = room(tree, &file);
            let others = imported.iter().map(|other| room(tree, other)).filter(|other| *other != own);
            rooms.entry(own.clone()).or_default().extend(others);
        }
        assert_eq!(circle(&rooms), None, "{tree}");
    }
}

#[test]
fn a_long_file_gives_a_reason() {
    for (file, text) in SHORT_FILES.iter().flat_map(|tree| files(tree)) {
        let lines = text.lines().count();
        let reason =
            text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with("//! Length:"));
        assert!(lines <= LINES_MAX || reason, "{file} has {lines} lines and no line `//! Length:` with the reason");
    }
}

#[test]
fn comments_are_about_a_thing() {
    let mut wrong = Vec::new();
    for (file, text) in PLAIN_COMMENTS.iter().flat_map(|tree| files(tree)) {
        let mut inside = false;
        for (index, line) in text.lines().enumerate() {
            let comment = line.trim_start();
            let Some(words) = comment.strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']).trim_start())
            else {
                inside = false;
                continue;
            };
            let first = words.split([' ', ',', ':']).next().unwrap_or_default();
            let is_question = words.contains('?');
            if !inside && RELATIVE.contains(&first) && !is_question {
                wrong.push(format!("{file}:{}: {words}", index + 1));
            }
            // A blank comment line or the end of a sentence begins a new comment.
            inside = !words.is_empty() && !words.ends_with(['.', ':', '!']);
        }
    }
    assert!(wrong.is_empty(), "comments that begin with a relative clause:\n{}", wrong.join("\n"));
}

/// Test of this file's own parser.
#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::a::{b, c::{D, E as F}};\npub use super::g::H;\nuse i::J;\n// use crate::k;\nfn f() { crate::l::M; }";
    let (imports, exports) = uses(text);
    let shown = |paths: Vec<Vec<String>>| paths.iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(shown(imports), ["crate::a::b", "crate::a::c::D", "crate::a::c::E", "i::J", "crate::l::M"]);
    assert_eq!(shown(exports), ["super::g::H"]);
    let edges = |pairs: &[(&str, &str)]| {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry((*from).into()).or_default().insert((*to).into());
        }
        edges
    };
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")])), Some(vec!["b".into(), "c".into()]));
}

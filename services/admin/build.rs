//! Writes the table of the console's files from `console/dist`, which `console/build` makes. Without it the table is empty, and the
//! hub serves a page that says what to do.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Kinds of files that the build of the console makes.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../console/dist");
    // A path that is missing would run this script again on every build.
    fs::create_dir_all(dist.join("assets"))?;
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    for folder in [dist.clone(), dist.join("assets")] {
        for entry in fs::read_dir(&folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let mut table = String::from("const FILES: &[File] = &[\n");
    for path in &files {
        if let Some(kind) = kind(path) {
            write_row(&mut table, &dist, path, kind)?;
        }
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("console.rs"), table)?;
    Ok(())
}

fn kind(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?;
    TYPES.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

fn write_row(table: &mut String, dist: &Path, path: &Path, kind: &str) -> Result<(), Box<dyn Error>> {
    let name = path.strip_prefix(dist)?.to_str().ok_or("a name that is no text")?.replace('\\', "/");
    let include = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
    let packed = |ending: &str| {
        let packed = PathBuf::from(format!("{}.{ending}", path.display()));
        if packed.exists() { format!("Some({})", include(&packed)) } else { "None".to_owned() }
    };
    let whole = include(path);
    let (gzip, brotli) = (packed("gz"), packed("br"));
    writeln!(table, "    File {{ name: {name:?}, kind: {kind:?}, whole: {whole}, gzip: {gzip}, brotli: {brotli} }},")?;
    Ok(())
}

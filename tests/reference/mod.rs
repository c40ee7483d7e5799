//! The client against the references: every public name of theirs has an item of ours and a test that shows it, and
//! every operation has a row for every server. The names and what was observed are data beside this file; the two
//! chapters of `docs/` are made of them, by these tests when `HOLDFS_WRITE_DOCS` is set (`scripts/coverage --write`).

mod methods;
mod operations;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn data(name: &str) -> PathBuf {
    root().join("tests/reference").join(name)
}

/// The rows of a file of columns divided by tabulators; lines that begin with `#` are remarks.
fn rows<const COLUMNS: usize>(name: &str) -> Vec<[String; COLUMNS]> {
    let text = fs::read_to_string(data(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
            columns.try_into().unwrap_or_else(|_| panic!("{name} has another number of columns in: {line}"))
        })
        .collect()
}

/// Compares a chapter with what it should be, or writes it.
fn check_chapter(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os("HOLDFS_WRITE_DOCS").is_some() {
        fs::write(&file, wanted).expect("the chapter is written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "{path} is not what its data say: run scripts/coverage --write");
}

/// A row of a table.
fn table_row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

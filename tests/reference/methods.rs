//! Every name of the reference libraries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::CommandFactory;

use super::sources::{is_defined, mentions, text_of_test};
use super::{check_chapter, root, rows, table_row};

/// The references as `methods.tsv` and as people call them.
const REFERENCES: &[(&str, &str)] = &[
    ("minio", "MinIO Python SDK"),
    ("minio-early", "MinIO Python SDK, early"),
    ("minio-interface", "MinIO Python SDK, interface listing"),
    ("newtera", "Newtera Python SDK"),
    ("ibm", "IBM COS SDK"),
];

/// How many names each reference has of each kind; of `method` and `attribute` those of all classes.
const COUNTS: &[(&str, &str, usize)] = &[
    ("minio", "call", 55),
    ("minio-early", "call", 36),
    ("minio-interface", "call", 29),
    ("newtera", "call", 12),
    ("ibm", "call", 77),
    ("ibm", "class", 25),
    ("ibm", "method", 174),
    ("ibm", "attribute", 108),
    ("minio-interface", "value", 6),
    ("minio", "error", 4),
    ("minio-early", "error", 1),
    ("minio", "provider", 12),
    ("ibm", "provider", 5),
];

/// Kinds in the order of the chapter.
const KINDS: &[(&str, &str)] = &[
    ("call", "Calls of the clients"),
    ("class", "Classes of the IBM COS SDK"),
    ("method", "Methods of these classes"),
    ("attribute", "Attributes of these classes"),
    ("value", "Values"),
    ("error", "Errors"),
    ("provider", "Sources of credentials"),
];

struct Row {
    references: Vec<String>,
    kind: String,
    name: String,
    items: Vec<String>,
    command: String,
    test: String,
}

fn all() -> Vec<Row> {
    rows::<6>("methods.tsv")
        .into_iter()
        .map(|[references, kind, name, items, command, test]| Row {
            references: references.split(',').map(str::to_owned).collect(),
            kind,
            name,
            items: items.split(' ').map(str::to_owned).collect(),
            command,
            test,
        })
        .collect()
}

/// `A<B>` is `A` and `B`.
fn paths(item: &str) -> Vec<String> {
    let (head, inner) = item.split_once('<').unwrap_or((item, ""));
    let inner = inner.trim_end_matches('>');
    let mut paths = vec![head.to_owned()];
    if !inner.is_empty() {
        paths.push(format!("s3::{inner}"));
    }
    paths
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.rsplit(['.', ':']).next().unwrap_or(path)
}

/// What is wrong with a row.
fn faults(row: &Row) -> Vec<String> {
    let mut faults = Vec::new();
    let test = text_of_test(root(), &row.test);
    if test.is_none() {
        faults.push(format!("there is no test {}", row.test));
    }
    for path in row.items.iter().flat_map(|item| paths(item)) {
        if !is_defined(root(), &path) {
            faults.push(format!("src defines no {path}"));
        }
        if test.as_ref().is_some_and(|text| !mentions(text, last(&path))) {
            faults.push(format!("{} does not mention {}", row.test, last(&path)));
        }
    }
    if row.command != "-" && !is_command(&row.command) {
        faults.push(format!("there is no command `holdfs {}`", row.command));
    }
    faults.into_iter().map(|fault| format!("{} {}: {fault}", row.kind, row.name)).collect()
}

/// `object rm --recursive`: commands below each other, then options or words that they take.
fn is_command(line: &str) -> bool {
    let mut command = holdfs::cli::Cli::command();
    for word in line.split(' ') {
        if let Some(inner) = command.find_subcommand(word) {
            command = inner.clone();
        } else if !takes(&command, word) {
            return false;
        }
    }
    true
}

fn takes(command: &clap::Command, word: &str) -> bool {
    command.get_arguments().any(|argument| match word.strip_prefix("--") {
        Some(option) => argument.get_long() == Some(option),
        None => word == "-" || argument.get_possible_values().iter().any(|value| value.matches(word, false)),
    })
}

#[test]
fn every_name_of_the_references_is_there() {
    let mut seen = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for row in &all() {
        for reference in &row.references {
            assert!(
                seen.insert((reference.clone(), row.kind.clone(), row.name.clone())),
                "{} twice",
                row.name
            );
            *counts.entry((reference.clone(), row.kind.clone())).or_default() += 1;
        }
    }
    let wanted: BTreeMap<(String, String), usize> = COUNTS
        .iter()
        .map(|(reference, kind, count)| (((*reference).to_owned(), (*kind).to_owned()), *count))
        .collect();
    assert_eq!(counts, wanted);
}

#[test]
fn every_name_has_an_item_and_a_test_of_ours() {
    let rows = all();
    let faults: Vec<String> = rows.iter().flat_map(faults).collect();
    println!("{} names, {} tests, {} faults", rows.len(), tests(&rows), faults.len());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn tests(rows: &[Row]) -> usize {
    rows.iter().map(|row| &row.test).collect::<BTreeSet<_>>().len()
}

#[test]
fn the_chapter_of_names_is_as_its_data() {
    check_chapter("docs/REFERENCE.md", &chapter(&all()));
}

fn chapter(rows: &[Row]) -> String {
    let mut text = String::from(
        "# What other clients call it\n\n\
         <!-- Made by `scripts/coverage --write` of tests/reference/methods.tsv; a test compares. -->\n\n\
         Every public name of five reference libraries, what does the same here, and the test that shows it. Paths are \
         those of the\nlibrary `holdfs`; commands are those of the program `holdfs`. Tests below `verbs` run against a \
         server: the embedded one,\nor any other by `HOLDFS_TEST_ENDPOINT`; those below `verbs::ibm` against a server \
         that says what IBM's documentation says,\nfor no store of IBM can be had here.\n\n",
    );
    text += &table_row([
        "Reference",
        "Calls",
        "Classes",
        "Methods",
        "Attributes",
        "Values",
        "Errors",
        "Credentials",
    ]);
    text += &table_row(["---"; 8]);
    for (reference, name) in REFERENCES {
        let count = |kind: &str| {
            let of = COUNTS.iter().find(|(of, counted, _)| of == reference && *counted == kind);
            of.map_or_else(String::new, |(.., count)| count.to_string())
        };
        let counts: Vec<String> = KINDS.iter().map(|(kind, _)| count(kind)).collect();
        text += &table_row(std::iter::once(*name).chain(counts.iter().map(String::as_str)));
    }
    for (kind, title) in KINDS {
        let _ = write!(text, "\n## {title}\n\n");
        let with_commands = rows.iter().any(|row| row.kind == *kind && row.command != "-");
        let mut heads = vec!["Name", "Of", "Here", "Command", "Test"];
        heads.retain(|head| with_commands || *head != "Command");
        text += &table_row(heads.iter().copied());
        text += &table_row(heads.iter().map(|_| "---"));
        for row in rows.iter().filter(|row| row.kind == *kind) {
            let code = |text: &str| format!("`{text}`");
            let items: Vec<String> = row.items.iter().map(|item| code(item)).collect();
            let command = if row.command == "-" { String::new() } else { code(&row.command) };
            let mut cells =
                vec![code(&row.name), row.references.join(", "), items.join(", "), command, code(&row.test)];
            if !with_commands {
                cells.remove(3);
            }
            text += &table_row(cells.iter().map(String::as_str));
        }
    }
    text += "\nIn the column *Of*: ";
    let names: Vec<String> = REFERENCES.iter().map(|(short, name)| format!("`{short}` is {name}")).collect();
    text += &names.join("; ");
    text += ".\n";
    text
}

//! Every operation on every server that can be had here, as `scripts/operations` observed them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use super::sources::{mentions, read, rust_files};
use super::{check_chapter, data, root, rows, table_row};

/// As files and as people call them.
const STORES: &[(&str, &str)] =
    &[("embedded", "embedded"), ("minio", "MinIO"), ("ceph", "Ceph 16"), ("moto", "moto 5")];

/// What the runs on one store saw.
#[derive(Default)]
struct Observed {
    ok: BTreeSet<String>,
    refused: BTreeMap<String, BTreeSet<String>>,
    /// Operation, what of it.
    lacks: BTreeSet<(String, String)>,
}

impl Observed {
    fn load(store: &str) -> Self {
        let mut observed = Self::default();
        for line in read(&data("observed").join(store)).lines() {
            let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{store}: {line}"));
            let (operation, what) = rest.split_once(' ').unwrap_or((rest, ""));
            match word {
                "ok" => _ = observed.ok.insert(operation.to_owned()),
                "refused" => {
                    let codes = observed.refused.entry(operation.to_owned()).or_default();
                    codes.insert(what.to_owned());
                }
                "lacks" => {
                    let operation = operation.trim_end_matches(':').to_owned();
                    observed.lacks.insert((operation, what.to_owned()));
                }
                _ => panic!("{store}: {line}"),
            }
        }
        observed
    }
}

/// Why a store does something else, or nothing: one row of `deviations.tsv`.
struct Deviation {
    store: String,
    operations: Vec<String>,
    /// `*` at its end stands for anything.
    what: String,
    /// `no`: it does not do such things. `differs`: it does, but not so.
    verdict: String,
    reason: String,
}

impl Deviation {
    fn all() -> Vec<Self> {
        rows::<5>("deviations.tsv")
            .into_iter()
            .map(|[store, operations, what, verdict, reason]| {
                assert!(["no", "differs"].contains(&verdict.as_str()), "{verdict}");
                let operations = operations.split(' ').map(str::to_owned).collect();
                Self { store, operations, what, verdict, reason }
            })
            .collect()
    }

    fn is_about(&self, store: &str, operation: &str, what: &str) -> bool {
        let same = self.what.strip_suffix('*').map_or(self.what == what, |start| what.starts_with(start));
        self.store == store && self.operations.iter().any(|of| of == operation) && same
    }
}

/// Codes and statuses by which servers say that they do not do such things; `Unsupported` is the client's own word
/// for an answer to another question, and for a request that would be taken for another.
fn says_no(refusal: &str) -> bool {
    ["NotImplemented 501", "MethodNotAllowed 405", "XNotImplemented 501", "Unsupported"]
        .iter()
        .any(|no| refusal.starts_with(no))
}

struct Table {
    deviations: Vec<Deviation>,
    observed: Vec<(&'static str, Observed)>,
    notes: Vec<String>,
    faults: Vec<String>,
    used: BTreeSet<usize>,
}

impl Table {
    fn new() -> Self {
        let observed = STORES.iter().map(|(store, _)| (*store, Observed::load(store))).collect();
        Self {
            deviations: Deviation::all(),
            observed,
            notes: Vec::new(),
            faults: Vec::new(),
            used: BTreeSet::new(),
        }
    }

    fn note(&mut self, reason: &str) -> usize {
        let found = self.notes.iter().position(|note| note == reason);
        found.unwrap_or_else(|| {
            self.notes.push(reason.to_owned());
            self.notes.len() - 1
        }) + 1
    }

    fn cell(&mut self, store: usize, operation: &str) -> String {
        let (name, observed) = &self.observed[store];
        let name = *name;
        let is_done = observed.ok.contains(operation);
        let refusals: Vec<String> = observed.refused.get(operation).into_iter().flatten().cloned().collect();
        let lacks: Vec<String> =
            observed.lacks.iter().filter(|(of, _)| of == operation).map(|(_, what)| what.clone()).collect();
        let (mut verdicts, mut notes) = (BTreeSet::new(), BTreeSet::new());
        for what in lacks {
            let found = self.deviations.iter().position(|row| row.is_about(name, operation, &what));
            let Some(at) = found else {
                self.faults.push(format!("deviations.tsv has no reason for: {name} {operation}: {what}"));
                continue;
            };
            self.used.insert(at);
            verdicts.insert(self.deviations[at].verdict.clone());
            let reason = self.deviations[at].reason.clone();
            notes.insert(self.note(&reason));
        }
        let marks: String = notes.iter().map(|note| format!(" [{note}](#n{note})")).collect();
        match refusals.first() {
            _ if verdicts.contains("no") => format!("no{marks}"),
            _ if !verdicts.is_empty() => format!("differs{marks}"),
            _ if is_done => "yes".into(),
            None => "–".into(),
            Some(refusal) if refusals.iter().all(|refusal| says_no(refusal)) => {
                let code = refusal.split(' ').next().unwrap_or_default();
                if code == "Unsupported" { "no: passed over".into() } else { format!("no: {code}") }
            }
            Some(refusal) => {
                self.faults
                    .push(format!("deviations.tsv has no reason for: {name} {operation}: only {refusal}"));
                "?".into()
            }
        }
    }
}

/// Operation, family, request, the operation of ours that does it, why no server of others here is asked (or `-`).
fn operations() -> Vec<[String; 5]> {
    rows::<5>("operations.tsv")
}

#[test]
fn every_operation_has_a_row_for_every_server() {
    let rows = operations();
    let listed: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(listed.len(), rows.len(), "an operation stands in the table twice");
    let ours = ours();
    let unlisted: Vec<_> = ours.iter().filter(|name| !listed.contains(name.as_str())).collect();
    assert!(unlisted.is_empty(), "operations.tsv lacks {unlisted:?}");
    let undone: Vec<_> = rows.iter().filter(|row| !ours.contains(&row[3])).map(|row| &row[0]).collect();
    assert!(undone.is_empty(), "nothing of ours does {undone:?}");
    let mut table = Table::new();
    for [operation, _, _, ours, elsewhere] in &rows {
        for (store, (name, _)) in STORES.iter().enumerate() {
            let asked = table.cell(store, ours) != "–";
            // The embedded server may have what no server of others here has.
            let fits = if elsewhere == "-" { asked } else { !asked || *name == "embedded" };
            if *name != "moto" && !fits {
                table.faults.push(format!("{operation} on {name}: asked {asked}, elsewhere {elsewhere:?}"));
            }
        }
    }
    let unused = (0..table.deviations.len()).filter(|at| !table.used.contains(at));
    let unused: Vec<String> = unused
        .map(|at| format!("no run shows: {} {}", table.deviations[at].store, table.deviations[at].what))
        .collect();
    table.faults.extend(unused);
    assert!(table.faults.is_empty(), "\n{}", table.faults.join("\n"));
}

/// The names of the operations in `src/s3`.
fn ours() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["ops", "settings", "vendor"] {
        for file in rust_files(&root().join("src/s3").join(folder)) {
            let text = read(&file);
            for constant in ["NAME", "GET", "PUT", "DELETE", "LIST"] {
                for line in text.split(&format!("const {constant}: &'static str = \"")).skip(1) {
                    names.extend(line.split('"').next().map(str::to_owned));
                }
            }
            // `sends! { Name(field: Type) = PUT … }`
            let verbs = text.split("\nsends! {").nth(1).and_then(|rest| rest.split("\n}").next());
            let heads =
                verbs.unwrap_or_default().lines().map(str::trim).filter(|line| !line.starts_with(['/', '=']));
            names.extend(heads.filter_map(|line| Some(line.split_once('(')?.0.to_owned())));
        }
    }
    // The client opens sessions by itself.
    let session = read(&root().join("src/s3/session.rs"));
    names.extend(
        session
            .split("const NAME: &str = \"")
            .skip(1)
            .filter_map(|rest| Some(rest.split('"').next()?.to_owned())),
    );
    names
}

#[test]
fn the_chapter_of_operations_is_as_observed() {
    let mut table = Table::new();
    let mut text = String::from(
        "# Operations and servers\n\n\
         <!-- Made by `scripts/coverage --write` of tests/reference; a test compares. `scripts/operations` observes. -->\n\n\
         Every operation of the S3 API (and those that IBM and MinIO added) on four servers: the tests below `tests/verbs` \
         ran on\neach of them, and their client noted how each operation was answered. *yes*: it does what the tests ask. \
         *no*: the\nserver says that it does not do such things (`NotImplemented`, `MethodNotAllowed`), passes over the \
         sub-resource and would do\nsomething else, or has none of it for the reason below. *differs*: it does it in another way, \
         for the reason below. –: it was not\nasked. moto, an emulator, was asked about documents of buckets only.\n\n",
    );
    let heads = ["Operation", "Request"].into_iter().chain(STORES.iter().map(|(_, name)| *name));
    text += &table_row(heads);
    text += &table_row(vec!["---"; 2 + STORES.len()]);
    for [operation, _, request, ours, elsewhere] in &operations() {
        let mut cells: Vec<String> = (0..STORES.len()).map(|store| table.cell(store, ours)).collect();
        if elsewhere != "-" {
            let note = table.note(elsewhere);
            let unasked = cells.iter_mut().filter(|cell| *cell == "–");
            unasked.for_each(|cell| *cell = format!("– [{note}](#n{note})"));
        }
        let request = format!("`{request}`");
        text += &table_row([operation, &request].into_iter().chain(&cells).map(String::as_str));
    }
    text += "\n## Reasons\n\n";
    for (note, reason) in table.notes.iter().enumerate() {
        let number = note + 1;
        let _ = writeln!(text, "{number}. <a id=\"n{number}\"></a>{reason}");
    }
    check_chapter("docs/OPERATIONS.md", &text);
}

#[test]
fn an_observation_is_one_of_three_words() {
    let folder = fs::read_dir(data("observed")).expect("what was observed");
    let mut names: Vec<_> =
        folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["ceph", "embedded", "minio", "moto"]);
    let embedded = Observed::load("embedded");
    assert!(embedded.ok.contains("PutObject") && embedded.ok.len() > 60, "{}", embedded.ok.len());
}

/// Each carries the reference's own example as its test: that of the file that implements it.
#[test]
fn every_operation_is_tested_where_it_is_written() {
    let mut untested = Vec::new();
    for folder in ["ops", "settings", "vendor"] {
        for file in rust_files(&root().join("src/s3").join(folder)) {
            let text = read(&file);
            let (code, tests) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
            let words = ["Operation for ", "Setting for "];
            let names = words.iter().flat_map(|word| code.split(word).skip(1)).filter_map(|rest| {
                let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
                (!name.is_empty() && rest[name.len()..].starts_with([' ', '<'])).then(|| name.to_owned())
            });
            // The verbs of all documents are tested with each document.
            let generic = ["GetSetting", "PutSetting", "DeleteSetting", "PutNamed"];
            untested.extend(names.filter(|name| !generic.contains(&name.as_str()) && !mentions(tests, name)));
        }
    }
    assert!(untested.is_empty(), "no test in their own files: {untested:?}");
}

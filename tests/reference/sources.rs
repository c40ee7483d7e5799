//! Looking names up in sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below a folder, or the file itself.
pub fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.retain(|path| path.is_dir() || path.extension().is_some_and(|end| end == "rs"));
    paths.iter().flat_map(|path| rust_files(path)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where a name stands as a whole word.
pub fn words<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(name)
        .map(|(at, _)| at)
        .filter(move |at| !text[..*at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word))
}

pub fn mentions(text: &str, name: &str) -> bool {
    words(text, name).next().is_some()
}

/// Whether one of these words stands before the name: `struct Name`, `fn name`.
fn declares(text: &str, keywords: &[&str], name: &str) -> bool {
    words(text, name).any(|at| {
        let before = text[..at].trim_end_matches(' ');
        before.len() < at && keywords.iter().any(|keyword| before.ends_with(keyword))
    })
}

/// Whether a `pub use …;` names it.
fn re_exports(text: &str, name: &str) -> bool {
    let mut lists = text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    lists.any(|list| mentions(list, name))
}

/// From the opening brace of the type to its end.
fn body_of_type<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = words(text, name).find(|at| {
        let before = text[..*at].trim_end();
        before.ends_with("struct") || before.ends_with("enum")
    })?;
    let from = &text[at..];
    let end = from.find(&format!("\n{}}}", " ".repeat(indent_of_line(text, at))))?;
    Some(&from[..end])
}

/// `s3::ops::PutObject`, `s3::Client::new`, `s3::ops::Part.size`, `s3::ErrorKind::Corrupt`, `s3::transfer::wait`:
/// whether `src` defines it.
pub fn is_defined(root: &Path, path: &str) -> bool {
    let (path, field) = path.split_once('.').map_or((path, None), |(path, field)| (path, Some(field)));
    let segments: Vec<&str> = path.split("::").collect();
    let mut scope = root.join("src");
    let mut left = &segments[..];
    while let [first, rest @ ..] = left {
        let (folder, file) = (scope.join(first), scope.join(format!("{first}.rs")));
        match (folder.is_dir(), file.is_file()) {
            (true, _) => scope = folder,
            (false, true) => scope = file,
            (false, false) => break,
        }
        left = rest;
    }
    let mut files: Vec<String> = rust_files(&scope).iter().map(|file| read(file)).collect();
    // What a module re-exports is in one of its neighbours.
    if let [name, ..] = left
        && scope.is_file()
        && files.iter().any(|text| re_exports(text, name))
    {
        files = rust_files(scope.parent().unwrap_or(root)).iter().map(|file| read(file)).collect();
    }
    let any = |check: &dyn Fn(&str) -> bool| files.iter().any(|text| check(text));
    match (left, field) {
        ([], None) => !files.is_empty(),
        ([name], None) => any(&|text| {
            declares(text, &["struct", "enum", "trait", "fn", "type", "mod"], name) || re_exports(text, name)
        }),
        ([name], Some(field)) => any(&|text| {
            body_of_type(text, name)
                .is_some_and(|body| words(body, field).any(|at| body[at + field.len()..].starts_with(':')))
        }),
        ([owner, member], None) => any(&|text| {
            let of_owner =
                text.lines().any(|line| line.trim_start().starts_with("impl") && mentions(line, owner));
            let variant = body_of_type(text, owner).is_some_and(|body| mentions(body, member));
            of_owner && declares(text, &["fn"], member) || variant
        }),
        _ => false,
    }
}

/// Blanks that the line of this place begins with.
fn indent_of_line(text: &str, at: usize) -> usize {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[line..].len() - text[line..].trim_start_matches(' ').len()
}

/// The text of a function: rustfmt puts its last brace where its first line begins.
pub fn body<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let at = words(text, function)
        .find(|at| text[..*at].ends_with("fn ") && text[at + function.len()..].starts_with(['(', '<']))?;
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = format!("\n{}}}\n", " ".repeat(indent_of_line(text, at)));
    let length = text[line..].find(&end).map_or(text[line..].len(), |found| found + end.len());
    Some(&text[line..line + length])
}

/// The text of a test with that of every function of the same tests that it calls, directly or not. `None` where
/// there is no such test.
pub fn text_of_test(root: &Path, path: &str) -> Option<String> {
    let (modules, name) = path.rsplit_once("::")?;
    let pool = pool(root, modules)?;
    let test = body(pool.first()?, name)?;
    let first = pool.first()?;
    let at = test.as_ptr() as usize - first.as_ptr() as usize;
    if !first[..at].trim_end().ends_with(']') {
        return None; // no attribute: a helper, not a test
    }
    let mut seen = BTreeSet::from([name.to_owned()]);
    let (mut text, mut fresh) = (test.to_owned(), test.to_owned());
    while !fresh.is_empty() {
        let called: Vec<String> =
            calls(&fresh).into_iter().filter(|name| seen.insert(name.clone())).collect();
        fresh = called
            .iter()
            .flat_map(|name| pool.iter().filter_map(|file| body(file, name)))
            .collect::<Vec<_>>()
            .join("\n");
        text.push_str(&fresh);
    }
    Some(text)
}

/// The file of the test, then those that its helpers are in.
fn pool(root: &Path, modules: &str) -> Option<Vec<String>> {
    let segments: Vec<&str> = modules.split("::").collect();
    if segments.first() == Some(&"s3") {
        let inside = segments.strip_suffix(&["tests"])?;
        let base = root.join("src").join(inside.join("/"));
        let files = [base.with_extension("rs"), base.join("mod.rs"), base.join("tests.rs")];
        let text: String = files.iter().filter(|file| file.is_file()).map(|file| read(file)).collect();
        let at = text.find("#[cfg(test)]")?;
        return Some(vec![text[at..].to_owned()]);
    }
    let folder = root.join("tests");
    let mut files = Vec::new();
    for depth in (1..=segments.len()).rev() {
        let base = folder.join(segments[..depth].join("/"));
        let found =
            [base.with_extension("rs"), base.join("mod.rs")].into_iter().find(|file| file.is_file())?;
        files.push(found);
    }
    files.push(folder.join("mounted/harness.rs"));
    Some(files.iter().map(|file| read(file)).collect())
}

/// Names before a parenthesis.
fn calls(text: &str) -> BTreeSet<String> {
    let called = |(at, _): (usize, &str)| {
        let before = &text[..at];
        // `get::<S>(`
        let before =
            before.rfind("::<").filter(|from| before.ends_with('>') && !before[*from..].contains('('));
        let before = before.map_or(&text[..at], |end| &text[..end]);
        let start = before.rfind(|c| !is_word(c)).map_or(0, |end| end + 1);
        before[start..].to_owned()
    };
    text.match_indices('(').map(called).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_scanner_sees_what_it_must() {
    let root = super::root();
    for path in [
        "s3::ops::PutObject",
        "s3::Client::new",
        "s3::ops::Part.size",
        "s3::ErrorKind::Corrupt",
        "s3::transfer::wait",
        "s3::settings::BucketTags",
        "s3::settings::CorsConfiguration.rules",
    ] {
        assert!(is_defined(root, path), "{path}");
    }
    for path in ["s3::ops::PutNothing", "s3::Client::nothing", "s3::ops::Part.nothing", "s3::no_such_room"] {
        assert!(!is_defined(root, path), "{path}");
    }
    let test = text_of_test(root, "verbs::documents::plain::cors_rules_come_and_go").unwrap();
    assert!(mentions(&test, "CorsConfiguration") && mentions(&test, "DeleteSetting"), "{test}");
    assert!(!mentions(&test, "Website"));
    assert_eq!(text_of_test(root, "verbs::documents::plain::nothing"), None);
    assert_eq!(text_of_test(root, "verbs::documents::comes_and_goes"), None, "no test");
    assert!(text_of_test(root, "s3::credentials::minio::tests::a_variable_of_mc_beats_its_file").is_some());
}

//! Folders are layers and arrows point down. This test reads the sources and fails when a module names one that
//! lies above it or beside it, or uses a crate that belongs to another room.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Whom each room may name, besides itself. The order is that of the map in `src/lib.rs`.
const ROOMS: &[(&str, &[&str])] = &[
    ("telemetry", &[]),
    ("base", &["telemetry"]),
    ("s3", &["base", "telemetry"]),
    ("namespace", &["s3", "base", "telemetry"]),
    ("read", &["s3", "base", "telemetry"]),
    ("write", &["s3", "base", "telemetry"]),
    ("xattr", &["s3", "base", "telemetry"]),
    ("fs", &["namespace", "read", "write", "xattr", "s3", "base", "telemetry"]),
    ("fuse", &["fs", "base", "telemetry"]),
    ("embedded", &["base", "telemetry"]),
    ("config", &["fuse", "embedded", "fs", "namespace", "read", "write", "xattr", "s3", "base", "telemetry"]),
    (
        "mount",
        &[
            "config",
            "fuse",
            "embedded",
            "fs",
            "namespace",
            "read",
            "write",
            "xattr",
            "s3",
            "base",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "mount",
            "config",
            "fuse",
            "embedded",
            "fs",
            "namespace",
            "read",
            "write",
            "xattr",
            "s3",
            "base",
            "telemetry",
        ],
    ),
];

/// Crates that one room wraps for all others.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("reqwest", &["s3"]),
    ("quick_xml", &["s3"]),
    ("hmac", &["s3"]),
    ("lru", &["base"]),
    ("rusqlite", &["base"]),
    ("sha2", &["base"]),
    ("crc_fast", &["base"]),
    ("tracing_subscriber", &["telemetry"]),
    ("fuser", &["fuse"]),
    ("s3s", &["embedded"]),
    ("clap", &["cli", "main"]),
    ("indicatif", &["cli", "main"]),
];

#[test]
fn arrows_point_down() {
    let faults: Vec<String> = sources().iter().flat_map(|(path, text)| faults_of(path, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("lib.rs")).expect("src/lib.rs is readable");
    for (room, _) in ROOMS {
        assert!(map.contains(&format!("pub mod {room};")), "{room} is missing in src/lib.rs");
        assert!(map.contains(&format!("[`{room}`]")), "src/lib.rs has no sentence about {room}");
    }
    for line in map.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let room = line.trim_end_matches(';');
        assert!(ROOMS.iter().any(|(name, _)| *name == room), "{room} has no layer in this test");
    }
}

#[test]
fn the_scanner_sees_what_it_must() {
    let path = root().join("read/window.rs");
    assert_eq!(faults_of(&path, "use crate::write::Engine;").len(), 1, "a sideways import");
    assert_eq!(faults_of(&path, "let x = crate::fs::Error::new();").len(), 1, "an upward path");
    assert_eq!(faults_of(&path, "use crate::{base::ranges, fs::Error};").len(), 1, "one of a group");
    assert_eq!(
        faults_of(&path, "use crate::{\n    base::ranges,\n    fs::Error,\n};").len(),
        1,
        "over lines"
    );
    assert_eq!(faults_of(&path, "use rusqlite::Connection;").len(), 1, "a crate of another room");
    assert_eq!(faults_of(&path, "use crate::s3::{Client, ops};\nuse crate::base::budget;").len(), 0);
    assert_eq!(
        faults_of(&path, "// see crate::fs for why\n/// [`crate::fs`]").len(),
        0,
        "comments may look up"
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.insert(path, text);
            }
        }
    }
    found
}

/// The room of a file: its first folder below `src`, or its own name (`main`, `lib`).
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("below src");
    let first = inside.iter().next().expect("not empty").to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn faults_of(path: &Path, text: &str) -> Vec<String> {
    let room = room_of(path);
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    );
    let mut faults = Vec::new();
    if let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) {
        for named in rooms_named_in(&code) {
            if named != room
                && ROOMS.iter().any(|(name, _)| *name == named)
                && !allowed.contains(&named.as_str())
            {
                faults.push(format!("{}: {room} may not use {named}", path.display()));
            }
        }
    }
    for (name, owners) in OWNED_CRATES {
        if !owners.contains(&room.as_str()) && names_crate(&code, name) {
            faults.push(format!("{}: only {owners:?} may use the crate {name}", path.display()));
        }
    }
    faults
}

/// Every `x` in `crate::x` and in `crate::{x::…, y}`, outside of comments.
fn rooms_named_in(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(heads_of_group(group)),
            None => rooms.push(identifier(rest)),
        }
    }
    rooms
}

/// The first segments of the paths in a `{…}` whose opening brace is already consumed.
fn heads_of_group(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '"')
    })
}

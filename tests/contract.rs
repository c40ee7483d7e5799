//! `docs/SEMANTICS.md` names the tests that prove its promises; here they are looked up.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_proof_of_the_contract_is_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/SEMANTICS.md")).expect("the contract");
    let (_, proofs) = page.split_once("## 10. Proofs").expect("its last section");
    let table = proofs.lines().filter(|line| line.starts_with('|'));
    let names: Vec<&str> = table.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 40, "only {} proofs", names.len());
    let sources: String = rust_files(&root.join("tests")).into_iter().map(|path| read(&path)).collect();
    let missing: Vec<_> = names.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a source file")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                rust_files(&path)
            } else {
                vec![path]
                    .into_iter()
                    .filter(|path| path.extension().is_some_and(|end| end == "rs"))
                    .collect()
            }
        })
        .collect()
}

//! The inputs that fuzzing has led to, replayed by the tests.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Runs a target with every input of its folder in `fuzz/corpus/`.
pub fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs = fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path());
    let mut count = 0;
    for path in inputs {
        let input = fs::read(&path).expect("an input");
        let input_shown = String::from_utf8_lossy(&input);
        assert!(catch_unwind(|| run(&input)).is_ok(), "{} fails: {input_shown}", path.display());
        count += 1;
    }
    assert!(count >= 10, "{} has only {count} inputs", folder.display());
}

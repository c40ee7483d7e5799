//! What goes wrong at the store, and what must come of it (failures.md 1.1).

use std::time::Duration;

use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::write::{ErrorKind, Seal, State};

use super::rig::{KIB, Rig, bytes};

fn status(status: u16, code: &str) -> Action {
    Action::Status { status, code: code.into(), headers: Vec::new(), when: When::Before }
}

fn drop_after() -> Action {
    Action::Drop { when: When::After, ending: Ending::Reset }
}

/// DL-02
#[test]
fn dl_02_a_part_that_fails_once_is_sent_again_or_the_data_stays_dirty() {
    for k in 0..6 {
        for (code, passes) in [((503, "SlowDown"), true), ((403, "AccessDenied"), false)] {
            let rig = Rig::new();
            let mut data = bytes(k, 1200 * KIB);
            rig.put("f", &data);
            let file = rig.edit("f");
            for n in 0..5 {
                let at = n * 230_000 + 11;
                file.write_at(at as u64, &bytes(n as u64, 50_000)).unwrap();
                data[at..at + 50_000].copy_from_slice(&bytes(n as u64, 50_000));
            }
            let rule =
                rig.server.faults().add(Rule::new(status(code.0, code.1)).on("UploadPart").skip(k).once());
            match rig.close(&file) {
                // An answer that comes before the body is read may look like a cut connection, and is tried again.
                Ok(_) => {}
                Err(error) => {
                    assert!(!passes && rig.server.faults().fired(rule) == 1, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Denied);
                    assert!((file.state(), rig.read(&file) == data) == (State::Failed, true));
                    rig.close(&file).unwrap();
                }
            }
            assert!(rig.get("f").unwrap() == data);
            rig.until("no upload is left", || rig.uploads() == 0);
        }
    }
}

/// DL-03
#[test]
fn dl_03_a_completion_is_never_sent_with_a_part_missing() {
    for part in 0..6 {
        let rig = Rig::new();
        let data = bytes(part, 900 * KIB);
        let file = rig.create("f");
        let rule = Rule::new(status(403, "AccessDenied")).on("UploadPart").skip(part);
        let rule = rig.server.faults().add(rule);
        file.write_at(0, &data).unwrap();
        assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Denied);
        // The close hears of it first.
        rig.until("the mount is told", || !rig.commits.failed.lock().is_empty());
        assert_eq!(rig.requests("CompleteMultipartUpload"), 0);
        assert_eq!((rig.get("f"), rig.commits.failed.lock().len()), (None, 1));
        rig.server.faults().remove(rule);
        assert_eq!(rig.run(file.discard()).unwrap(), None);
        rig.until("the upload is aborted", || rig.uploads() == 0);
        assert_eq!(rig.staged(), 0);
    }
}

/// Ceph 16 answers every If-Match like this where a bucket keeps versions.
#[test]
fn a_store_that_refuses_conditions_that_hold_is_written_to_after_a_look() {
    let rig = Rig::new();
    rig.put("f", b"one");
    let refusal = Rule::new(status(412, "PreconditionFailed")).on("PutObject");
    let rule = rig.server.faults().add(refusal.times(2));
    let file = rig.edit("f");
    file.write_at(0, b"two").unwrap();
    rig.close(&file).unwrap();
    assert_eq!((rig.get("f").as_deref(), rig.server.faults().fired(rule)), (Some(&b"two"[..]), 2));
    assert!(!rig.engine().status().conditional_writes);
    // Another writer is noticed all the same.
    let file = rig.edit("f");
    rig.put("f", b"foreign");
    file.write_at(0, b"three").unwrap();
    rig.close(&file).unwrap();
    assert_eq!((rig.get("f").as_deref(), rig.commits.conflicts.lock().len()), (Some(&b"foreign"[..]), 1));
}

/// DL-14
#[test]
fn dl_14_an_error_in_a_200_is_an_error() {
    let rig = Rig::new();
    let data = bytes(1, 900 * KIB);
    let fault = Action::ErrorIn200 { code: "InternalError".into(), blanks: 20, when: When::Before };
    rig.server.faults().add(Rule::new(fault.clone()).on("CompleteMultipartUpload").once());
    let file = rig.create("once");
    file.write_at(0, &data).unwrap();
    rig.close(&file).unwrap();
    assert!(rig.get("once").unwrap() == data);

    let always = rig.server.faults().add(Rule::new(fault).on("CompleteMultipartUpload"));
    let file = rig.create("always");
    file.write_at(0, &data).unwrap();
    let Seal::Generation(generation) = file.seal().unwrap() else { panic!("sealed") };
    rig.until("it is tried", || rig.server.faults().fired(always) > 2);
    assert_eq!(rig.get("always"), None);
    assert!(rig.read(&file) == data);
    rig.server.faults().clear();
    rig.run(file.stored(generation)).unwrap();
    assert!(rig.get("always").unwrap() == data);
}

/// DL-15
#[test]
fn dl_15_a_lost_answer_is_looked_up_and_nothing_is_stored_twice() {
    for (operation, size) in [("PutObject", 100), ("CompleteMultipartUpload", 900 * KIB)] {
        let rig = Rig::new();
        rig.keep_versions();
        let data = bytes(3, size);
        let rule = rig.server.faults().add(Rule::new(drop_after()).on(operation).once());
        let file = rig.create("new");
        file.write_at(0, &data).unwrap();
        rig.close(&file).unwrap();
        assert_eq!((rig.server.faults().fired(rule), rig.versions("new")), (1, 1), "{operation}");
        assert!(rig.get("new").unwrap() == data);

        let rule = rig.server.faults().add(Rule::new(drop_after()).on(operation).once());
        file.set_len(0).unwrap();
        file.write_at(0, &data[1..]).unwrap();
        rig.close(&file).unwrap();
        assert_eq!((rig.server.faults().fired(rule), rig.versions("new")), (1, 2), "{operation}");
        assert!(rig.get("new").unwrap() == data[1..]);
    }
}

/// DL-15
#[test]
fn dl_15_the_lost_answer_of_a_metadata_copy_is_looked_up() {
    let rig = Rig::new();
    rig.put("f", b"bytes");
    rig.server.faults().add(Rule::new(drop_after()).on("CopyObject").once());
    let file = rig.edit("f");
    file.update_object(|object| drop(object.metadata.insert("a".into(), "b".into()))).unwrap();
    rig.close(&file).unwrap();
    assert_eq!(
        (rig.head("f").unwrap().metadata["a"].as_str(), rig.get("f").unwrap()),
        ("b", b"bytes".to_vec())
    );
}

#[test]
fn an_upload_that_vanished_is_begun_again() {
    let rig = Rig::new();
    let data = bytes(4, 900 * KIB);
    rig.server.faults().add(Rule::new(status(404, "NoSuchUpload")).on("CompleteMultipartUpload").once());
    let file = rig.create("f");
    file.write_at(0, &data).unwrap();
    rig.close(&file).unwrap();
    assert!(rig.get("f").unwrap() == data);
}

#[test]
fn a_store_that_is_away_for_a_while_gets_everything_afterwards() {
    let rig = Rig::new();
    let rule = rig.server.faults().add(Rule::new(status(503, "ServiceUnavailable")));
    let files: Vec<_> = (0..5).map(|n| rig.create(&format!("f{n}"))).collect();
    for file in &files {
        file.write_at(0, b"kept").unwrap();
        file.seal().unwrap();
    }
    std::thread::sleep(Duration::from_secs(3));
    rig.server.faults().remove(rule);
    assert!(rig.run(rig.engine().drain(Duration::from_secs(40))).left.is_empty());
    assert_eq!(rig.keys().len(), 5);
}

/// MM-04
#[test]
fn mm_04_failing_uploads_give_everything_back() {
    let rig = Rig::new();
    let rule = rig.server.faults().add(Rule::new(status(403, "AccessDenied")).on("UploadPart"));
    for n in 0..40 {
        let file = rig.create(&format!("f{n}"));
        file.write_at(0, &bytes(n, 400 * KIB)).unwrap();
        assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Denied);
        rig.run(file.discard()).unwrap();
    }
    rig.server.faults().remove(rule);
    let file = rig.create("good");
    file.write_at(0, &bytes(1, 400 * KIB)).unwrap();
    rig.close(&file).unwrap();
    assert_eq!(rig.engine().pending().len(), 0);
    rig.until("no upload is left", || rig.uploads() == 0);
}

/// Ceph 16 copies parts of whatever the key holds, and completes whatever the key holds.
#[test]
fn an_object_is_never_mixed_of_two_where_the_store_ignores_conditions() {
    let rig = Rig::new();
    rig.put("f", &bytes(1, 900 * KIB));
    let file = rig.edit("f");
    // Whole parts, so that the others are copied and no byte of the base is read.
    file.write_at(0, &bytes(3, 300 * KIB)).unwrap();
    let theirs = bytes(2, 900 * KIB);
    rig.put("f", &theirs);
    for operation in ["UploadPartCopy", "CompleteMultipartUpload"] {
        rig.server.faults().add(Rule::new(Action::IgnoreConditions).on(operation));
    }
    assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(rig.requests("UploadPartCopy") > 0 && rig.requests("CompleteMultipartUpload") == 0);
    assert!(rig.get("f").unwrap() == theirs);
    assert_eq!((rig.keys(), file.state()), (vec!["f".to_owned()], State::Failed));
    rig.until("no upload is left", || rig.uploads() == 0);
}

/// Bytes that go to the store are progress, also when no part ends for long.
#[test]
fn a_part_on_a_slow_line_is_no_stall() {
    let rig = Rig::with(|rig| {
        rig.progress_timeout = Duration::from_millis(800);
        rig.base_pause = Duration::from_millis(250);
        // With a trailer, bytes go in chunks of 1 MiB: more than a part has here.
        rig.bare_bodies = true;
    });
    let mut data = bytes(1, 1600 * KIB);
    rig.put("f", &data);
    let file = rig.edit("f");
    // Unchanged stretches that are too short to be copied: each is read for itself, so that a part takes seconds.
    for at in (0..data.len()).step_by(16 << 10) {
        file.write_at(at as u64, b"edit").unwrap();
        data[at..at + 4].copy_from_slice(b"edit");
    }
    rig.close(&file).unwrap();
    assert!(rig.get("f").unwrap() == data);
}

#[test]
fn base_bytes_that_another_writer_destroyed_leave_the_edit_in_the_journal() {
    let rig = Rig::new();
    rig.put("f", &bytes(1, 900 * KIB));
    let file = rig.edit("f");
    file.write_at(10, b"edit").unwrap();
    rig.put("f", b"theirs");
    assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!((rig.get("f").unwrap(), file.state()), (b"theirs".to_vec(), State::Failed));
    let target = rig.state.path().join("export");
    let ranges = rig.run(rig.engine().journal().export(file.id(), target)).unwrap();
    assert_eq!(ranges, [holdfs::base::ranges::ByteRange::new(10, 14)]);
}

/// A key is never part of a path: whatever it says, what is staged of it lies in the state directory.
#[test]
fn se_03_no_key_leads_out_of_the_state_directory() {
    let mark = format!("se03-{:016x}", fastrand::u64(..));
    let rig = Rig::new();
    let keys = [
        format!("../{mark}"),
        format!("../../../../../../../../tmp/{mark}"),
        format!("/tmp/{mark}"),
        format!("a/../../{mark}"),
        format!("./{mark}"),
        format!("{mark}/con"),
        format!("{mark}\\..\\x"),
        format!("{mark}\n{}", "x".repeat(900)),
        format!("{mark}/{}", "y".repeat(1024 - mark.len() - 1)),
        format!("{mark}\0x"),
        format!("~/{mark}"),
        ".".to_owned(),
        "..".to_owned(),
    ];
    let random = std::iter::repeat_with(|| {
        let pieces = ["..", ".", "/", "//", "\\", "\0", "~", "%2e%2e", "tmp", "etc", "é", " "];
        let key: String =
            (0..fastrand::usize(1..12)).map(|_| pieces[fastrand::usize(..pieces.len())]).collect();
        format!("{key}{mark}")
    });
    let keys: Vec<String> = keys.into_iter().chain(random.take(24)).collect();
    rig.server.faults().add(Rule::new(status(403, "AccessDenied")).on("PutObject"));
    let files: Vec<_> = keys.iter().map(|key| rig.create(key)).collect();
    for file in &files {
        file.write_at(0, b"staged").unwrap();
        rig.close(file).unwrap_err();
    }
    let mut paths = Vec::new();
    let mut folders = vec![rig.state.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path.clone());
            }
            paths.push(path);
        }
    }
    assert!(paths.len() >= keys.len(), "{paths:?}");
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(name.chars().all(plain) && !name.contains("se03"), "{}", path.display());
    }
    for outside in [std::env::temp_dir(), rig.state.path().parent().unwrap().to_owned()] {
        assert!(!outside.join(&mark).exists(), "{}", outside.display());
    }
}

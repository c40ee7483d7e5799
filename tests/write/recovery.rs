//! Kill at a stage, open again: what was sealed reaches the store, what was not is kept aside.

use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::write::Seal;

use super::rig::{KIB, Rig, bytes};

fn unavailable() -> Action {
    Action::Status { status: 503, code: "SlowDown".into(), headers: Vec::new(), when: When::Before }
}

#[test]
fn what_was_sealed_is_stored_after_a_crash() {
    for size in [100, 900 * KIB] {
        let mut rig = Rig::new();
        let data = bytes(1, size);
        rig.server.faults().add(Rule::new(unavailable()));
        let file = rig.create("f");
        file.write_at(0, &data).unwrap();
        file.seal().unwrap();
        drop(file);
        rig.kill();
        rig.server.faults().clear();
        rig.open();
        assert_eq!(rig.recovered.len(), 1);
        let shown = rig.recovered[0].clone();
        assert!((&*shown.key(), rig.read(&shown) == data) == ("f", true));
        rig.until("it is stored", || rig.get("f").as_deref() == Some(&data));
        rig.until("nothing stays staged", || rig.staged() == 0);
        rig.reopen();
        assert_eq!((rig.recovered.len(), rig.quarantined), (0, 0));
    }
}

#[test]
fn parts_that_the_store_has_are_not_sent_again() {
    let mut rig = Rig::new();
    let data = bytes(2, 2000 * KIB);
    let rule = rig.server.faults().add(Rule::new(unavailable()).on("CompleteMultipartUpload"));
    let file = rig.create("f");
    file.write_at(0, &data).unwrap();
    file.seal().unwrap();
    rig.until("all parts are sent", || rig.server.faults().fired(rule) > 0);
    let sent = rig.requests("UploadPart");
    drop(file);
    rig.kill();
    rig.server.faults().clear();
    rig.open();
    rig.until("it is stored", || rig.get("f").as_deref() == Some(&data));
    assert_eq!(rig.requests("UploadPart"), sent);
    rig.until("no upload is left", || rig.uploads() == 0);
}

#[test]
fn a_commit_that_landed_before_the_crash_is_found_by_its_write_id() {
    let mut rig = Rig::new();
    rig.keep_versions();
    let drop_after = Action::Drop { when: When::After, ending: Ending::Reset };
    rig.server.faults().add(Rule::new(drop_after).on("PutObject").once());
    rig.server.faults().add(Rule::new(unavailable()).on("HeadObject"));
    let file = rig.create("f");
    file.write_at(0, b"landed").unwrap();
    file.seal().unwrap();
    rig.until("it landed", || rig.versions("f") == 1);
    drop(file);
    rig.kill();
    rig.server.faults().clear();
    rig.open();
    rig.until("it is settled", || rig.engine().pending().is_empty());
    assert_eq!((rig.versions("f"), rig.staged()), (1, 0));
}

#[test]
fn what_was_never_sealed_is_kept_aside_and_can_be_exported() {
    let mut rig = Rig::new();
    let file = rig.create("f");
    file.write_at(0, b"unsealed").unwrap();
    drop(file);
    rig.reopen();
    assert_eq!((rig.recovered.len(), rig.quarantined, rig.get("f")), (0, 1, None));
    let journal = rig.engine().journal();
    let listed = journal.list();
    assert_eq!((listed[0].key.as_str(), listed[0].state.as_str()), ("f", "quarantined"));
    let target = rig.state.path().join("export");
    rig.run(journal.export(listed[0].file, target.clone())).unwrap();
    assert_eq!(std::fs::read(target).unwrap(), b"unsealed");
    rig.reopen();
    assert_eq!(rig.quarantined, 1, "it stays until somebody decides");
    rig.run(rig.engine().journal().discard(listed[0].file)).unwrap();
    rig.reopen();
    assert_eq!((rig.quarantined, rig.staged()), (0, 0));
}

#[test]
fn an_unsealed_generation_over_a_sealed_one_leaves_that_whole() {
    let mut rig = Rig::new();
    rig.server.faults().add(Rule::new(unavailable()));
    let file = rig.create("f");
    file.write_at(0, b"sealed").unwrap();
    file.seal().unwrap();
    file.write_at(0, b"SEA").unwrap();
    drop(file);
    rig.kill();
    rig.server.faults().clear();
    rig.open();
    assert_eq!((rig.recovered.len(), rig.quarantined), (1, 1));
    rig.until("the sealed one is stored", || rig.get("f").as_deref() == Some(b"sealed"));
    rig.until("its data goes", || rig.staged() == 1);
}

#[test]
fn sealed_bytes_that_were_damaged_are_never_stored() {
    let mut rig = Rig::new();
    rig.server.faults().add(Rule::new(unavailable()));
    let file = rig.create("f");
    file.write_at(0, &bytes(5, 1000)).unwrap();
    file.seal().unwrap();
    drop(file);
    rig.kill();
    let data = std::fs::read_dir(rig.state.path().join("data")).unwrap().next().unwrap().unwrap().path();
    let mut damaged = std::fs::read(&data).unwrap();
    damaged[500] ^= 1;
    std::fs::write(&data, damaged).unwrap();
    rig.server.faults().clear();
    rig.open();
    assert_eq!((rig.recovered.len(), rig.quarantined), (0, 1));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!((rig.get("f"), rig.staged()), (None, 1));
}

#[test]
fn a_race_that_was_lost_while_nobody_ran_is_a_conflict() {
    let mut rig = Rig::new();
    rig.put("f", b"base");
    let rule = rig.server.faults().add(Rule::new(unavailable()).on("PutObject"));
    let file = rig.edit("f");
    file.write_at(0, b"mine").unwrap();
    file.seal().unwrap();
    drop(file);
    rig.kill();
    rig.server.faults().remove(rule);
    rig.put("f", b"theirs");
    rig.open();
    rig.until("both are there", || rig.keys().len() == 2);
    assert_eq!(rig.get("f").unwrap(), b"theirs");
    let copy = rig.keys().into_iter().find(|key| key != "f").unwrap();
    assert_eq!(rig.get(&copy).unwrap(), b"mine");
}

#[test]
fn recovery_is_idempotent_and_a_failure_stays_one() {
    let mut rig = Rig::new();
    let denied =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    rig.server.faults().add(Rule::new(denied).on("PutObject"));
    let file = rig.create("f");
    file.write_at(0, b"kept").unwrap();
    rig.close(&file).unwrap_err();
    drop(file);
    for _ in 0..3 {
        rig.reopen();
        assert_eq!((rig.recovered.len(), rig.engine().pending()[0].state.as_str()), (1, "failed"));
    }
    rig.server.faults().clear();
    let file = rig.recovered[0].clone();
    let tried = rig.requests("PutObject");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(rig.requests("PutObject"), tried, "only on request");
    let Seal::Generation(generation) = file.seal().unwrap() else { panic!("a failed generation waits") };
    rig.run(file.stored(generation)).unwrap();
    assert_eq!(rig.get("f").unwrap(), b"kept");
}

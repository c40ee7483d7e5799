//! Rename and unlink at every stage of an upload (DL-04, DL-19).

use std::sync::Arc;

use holdfs::embedded::faults::{Action, Rule};
use holdfs::write::{Expected, Seal, StagedFile, State};

use super::rig::{KIB, Rig, bytes};

/// Where the upload stands when something happens to the file.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Written,
    SentEarly,
    Sending,
    Committing,
    Stored,
}

const STAGES: [Stage; 5] =
    [Stage::Written, Stage::SentEarly, Stage::Sending, Stage::Committing, Stage::Stored];

/// A file of 900 KiB at `old`, brought to the stage.
fn at(rig: &Rig, stage: Stage) -> (Arc<StagedFile>, Vec<u8>) {
    let data = bytes(9, 900 * KIB);
    let slow = |operation: &str, milliseconds| {
        rig.server.faults().add(Rule::new(Action::Delay { milliseconds }).on(operation).once());
    };
    match stage {
        Stage::Sending => slow("UploadPart", 400),
        Stage::Committing => slow("CompleteMultipartUpload", 400),
        _ => {}
    }
    let file = rig.create("old");
    file.write_at(0, &data[..100]).unwrap();
    if matches!(stage, Stage::Written) {
        return (file, data[..100].to_vec());
    }
    file.write_at(100, &data[100..]).unwrap();
    match stage {
        Stage::Written => {}
        Stage::SentEarly => rig.until("parts go up", || rig.requests("UploadPart") > 2),
        Stage::Sending => {
            file.seal().unwrap();
            rig.until("sending", || matches!(file.state(), State::Uploading { .. }));
        }
        Stage::Committing => {
            file.seal().unwrap();
            rig.until("all parts are there", || rig.requests("UploadPart") >= 9);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Stage::Stored => drop(rig.close(&file).unwrap()),
    }
    (file, data)
}

/// DL-04
#[test]
fn dl_04_a_renamed_file_is_stored_under_its_new_name_only() {
    for stage in STAGES.into_iter().filter(|stage| !matches!(stage, Stage::Stored)) {
        let rig = Rig::new();
        let (file, data) = at(&rig, stage);
        file.retarget("new", Expected::Absent).unwrap();
        if let Seal::Generation(generation) = file.seal().unwrap() {
            rig.run(file.stored(generation)).unwrap();
        }
        rig.until("the old name is gone", || rig.keys() == ["new"]);
        assert!(rig.get("new").unwrap() == data, "{stage:?}");
        assert_eq!(&*file.key(), "new");
        rig.until("no upload is left", || rig.uploads() == 0);
        rig.until("nothing stays staged", || rig.staged() == 0);
    }
}

#[test]
fn a_rename_before_the_upload_costs_no_request() {
    let rig = Rig::new();
    let file = rig.create("old");
    file.write_at(0, b"x").unwrap();
    let before = rig.server.log().entries().len();
    file.retarget("new", Expected::Absent).unwrap();
    assert_eq!(rig.server.log().entries().len(), before);
    rig.close(&file).unwrap();
    assert_eq!((rig.keys(), rig.requests("PutObject")), (vec!["new".to_owned()], 1));
}

/// DL-19
#[test]
fn dl_19_an_unlinked_file_does_not_come_back_and_its_name_can_be_used_again() {
    for stage in STAGES {
        let rig = Rig::new();
        let (file, data) = at(&rig, stage);
        let left = rig.run(file.discard()).unwrap();
        assert_eq!(left.is_some(), rig.get("old").is_some(), "{stage:?}: the store has {left:?}");
        if left.is_some() {
            rig.run(rig.client.send(&holdfs::s3::ops::DeleteObject {
                bucket: super::rig::BUCKET.into(),
                key: "old".into(),
                ..Default::default()
            }))
            .unwrap();
        }
        if !matches!(stage, Stage::Committing | Stage::Stored) {
            assert!(rig.read(&file) == data, "open handles go on reading");
            file.write_at(0, b"still writable").unwrap();
        }
        let again = rig.create("old");
        again.write_at(0, b"again").unwrap();
        rig.close(&again).unwrap();
        rig.until("no upload is left", || rig.uploads() == 0);
        assert_eq!((rig.get("old").unwrap(), rig.keys().len()), (b"again".to_vec(), 1), "{stage:?}");
        assert_eq!(rig.staged(), 0, "{stage:?}");
    }
}

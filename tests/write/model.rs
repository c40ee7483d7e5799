//! Random operations against a model: what the mount shows is always the model, what the store shows is always the
//! model as it was at some seal, and after a crash nothing sealed is lost.

use std::sync::Arc;

use holdfs::base::ranges::ByteRange;
use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::write::{Allocate, Generation, Seal, StagedFile};

use super::rig::{KIB, Rig, bytes};

const SIZE: u64 = 900 * KIB;

/// What the engine sends.
const OPERATIONS: [&str; 7] = [
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "CopyObject",
    "HeadObject",
];

struct Model {
    random: fastrand::Rng,
    shown: Vec<u8>,
    /// Every content that was ever sealed, the store's first.
    sealed: Vec<Vec<u8>>,
    last: Option<Generation>,
}

impl Model {
    fn range(&mut self) -> ByteRange {
        let long = if self.random.u8(..4) == 0 { 200 * KIB } else { 5000 };
        ByteRange::sized(self.random.u64(..SIZE), self.random.u64(1..long))
    }

    fn grow(&mut self, size: u64) {
        if (self.shown.len() as u64) < size {
            self.shown.resize(size as usize, 0);
        }
    }

    fn write(&mut self, file: &StagedFile) {
        let range = self.range();
        let data = bytes(self.random.u64(..), range.len());
        file.write_at(range.start, &data).unwrap();
        self.grow(range.end);
        self.shown[range.start as usize..range.end as usize].copy_from_slice(&data);
    }

    fn truncate(&mut self, file: &StagedFile) {
        let size = self.random.u64(..SIZE);
        file.set_len(size).unwrap();
        self.shown.resize(size as usize, 0);
    }

    fn zero(&mut self, file: &StagedFile) {
        let range = self.range();
        let extend = self.random.bool();
        file.zero(range, if extend { Allocate::Extend } else { Allocate::KeepSize }).unwrap();
        if extend {
            self.grow(range.end);
        }
        if let Some(range) = range.intersect(ByteRange::new(0, self.shown.len() as u64)) {
            self.shown[range.start as usize..range.end as usize].fill(0);
        }
    }

    fn seal(&mut self, file: &StagedFile) {
        if let Seal::Generation(generation) = file.seal().unwrap() {
            self.last = Some(generation);
            self.sealed.push(self.shown.clone());
        }
    }

    fn step(&mut self, rig: &Rig, file: &Arc<StagedFile>) {
        match self.random.u8(..100) {
            0..55 => self.write(file),
            55..63 => self.truncate(file),
            63..72 => self.zero(file),
            72..88 => self.seal(file),
            88..93 => {
                if let Some(generation) = self.last {
                    rig.run(file.stored(generation)).unwrap();
                }
            }
            _ => {
                assert!(rig.read(file) == self.shown, "the mount shows the model");
                let stored = rig.get("f").unwrap_or_default();
                assert!(self.sealed.contains(&stored), "the store shows some sealed content, whole");
            }
        }
    }
}

fn run(seed: u64, with_base: bool, faults: bool) {
    let mut rig = Rig::new();
    let shown = if with_base { bytes(seed, SIZE / 2) } else { Vec::new() };
    let file = if with_base {
        rig.put("f", &shown);
        rig.edit("f")
    } else {
        rig.create("f")
    };
    if faults {
        let flaky =
            Action::Status { status: 503, code: "SlowDown".into(), headers: Vec::new(), when: When::Before };
        let lost = Action::Drop { when: When::After, ending: Ending::Reset };
        for operation in OPERATIONS {
            rig.server.faults().add(Rule::new(flaky.clone()).on(operation).probability(0.05, seed));
            rig.server.faults().add(Rule::new(lost.clone()).on(operation).probability(0.03, seed + 1));
        }
    }
    let random = fastrand::Rng::with_seed(seed);
    let mut model = Model { random, shown: shown.clone(), sealed: vec![shown], last: None };
    for _ in 0..150 {
        model.step(&rig, &file);
    }
    rig.server.faults().clear();
    model.seal(&file);
    let sealed = model.shown.clone();
    model.write(&file);
    assert!(rig.read(&file) == model.shown);
    drop(file);
    rig.reopen();
    rig.until("all that was sealed is stored", || rig.get("f").as_deref() == Some(&sealed));
    let listed = rig.engine().journal().list();
    for left in listed.iter().filter(|left| left.state == "quarantined") {
        rig.run(rig.engine().journal().discard(left.file)).unwrap();
    }
    rig.until("nothing stays staged", || rig.staged() == 0);
}

#[test]
fn a_new_file_follows_the_model() {
    (0..6).for_each(|seed| run(seed, false, false));
}

#[test]
fn an_edited_file_follows_the_model() {
    (10..16).for_each(|seed| run(seed, true, false));
}

#[test]
fn so_it_does_when_requests_fail_and_answers_are_lost() {
    (20..26).for_each(|seed| run(seed, seed % 2 == 0, true));
}

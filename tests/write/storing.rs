//! What reaches the store, and with how many requests.

use std::time::Duration;

use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::s3::ops::{GetObjectTagging, NewObject};
use holdfs::write::{Allocate, Durability, Engine, ErrorKind, OnConflict, Origin, Seal, State};

use super::rig::{BUCKET, KIB, Rig, bytes};
use holdfs::base::ranges::ByteRange;

#[test]
fn a_small_file_is_one_request() {
    let rig = Rig::new();
    let file = rig.create("a/small");
    file.write_at(0, b"hello ").unwrap();
    file.write_at(6, b"world").unwrap();
    let before = rig.requests("PutObject");
    let stored = rig.close(&file).unwrap().unwrap();
    assert_eq!(rig.get("a/small").unwrap(), b"hello world");
    assert_eq!((rig.requests("PutObject") - before, rig.requests("HeadObject")), (1, 0));
    assert_eq!((stored.size, file.state()), (11, State::Clean));
    assert_eq!(rig.head("a/small").unwrap().metadata["holdfs-write-id"].len(), 32);
    assert_eq!((file.retire(), rig.staged()), (Some(stored), 0));
    assert_eq!(file.write_at(0, b"x").unwrap_err().kind(), ErrorKind::Retired);
}

/// DL-24
#[test]
fn dl_24_an_empty_file_is_published_empty_and_only_at_the_seal() {
    let rig = Rig::new();
    let file = rig.create("empty");
    assert_eq!(rig.get("empty"), None);
    rig.close(&file).unwrap();
    assert_eq!(rig.get("empty").unwrap(), b"");
    assert_eq!(file.seal().unwrap(), Seal::Nothing);
    let file = rig.edit("empty");
    file.write_at(3, b"x").unwrap();
    assert_eq!(rig.get("empty").unwrap(), b"", "nothing shows before the seal");
    rig.close(&file).unwrap();
    assert_eq!(rig.get("empty").unwrap(), b"\0\0\0x");
}

#[test]
fn a_large_new_file_goes_up_while_it_is_written() {
    let rig = Rig::new();
    let data = bytes(1, 3000 * KIB + 17);
    let file = rig.create("large");
    for (n, chunk) in data.chunks(32 << 10).enumerate() {
        file.write_at(n as u64 * 32 * KIB, chunk).unwrap();
    }
    rig.until("parts go up before the seal", || rig.requests("UploadPart") >= 20);
    assert_eq!(rig.get("large"), None);
    rig.close(&file).unwrap();
    assert!(rig.get("large").unwrap() == data);
    assert_eq!((rig.uploads(), rig.staged()), (0, 0));
    let parts = 3000 * KIB / (64 * KIB * 8 / 5);
    assert!(rig.requests("UploadPart") - parts <= 1, "every part is sent once, and what is left of one");
}

#[test]
fn a_writer_that_comes_back_makes_only_those_parts_dirty() {
    let rig = Rig::new();
    let mut data = bytes(2, 2000 * KIB);
    let file = rig.create("header");
    file.write_at(0, &data).unwrap();
    rig.until("parts go up before the seal", || rig.requests("UploadPart") >= 15);
    data[..4].copy_from_slice(b"HEAD");
    file.write_at(0, b"HEAD").unwrap();
    data[1_000_000..1_000_003].copy_from_slice(b"mid");
    file.write_at(1_000_000, b"mid").unwrap();
    rig.close(&file).unwrap();
    assert!(rig.get("header").unwrap() == data);
}

#[test]
fn four_bytes_in_a_large_object_send_one_part_and_copy_the_rest() {
    let rig = Rig::new();
    let mut data = bytes(3, 4000 * KIB);
    rig.put("big", &data);
    let file = rig.edit("big");
    data[2_000_000..2_000_004].copy_from_slice(b"edit");
    file.write_at(2_000_000, b"edit").unwrap();
    assert!(rig.read(&file) == data);
    let received = || rig.server.log().counters().get("UploadPart").map_or(0, |counter| counter.bytes_in);
    rig.close(&file).unwrap();
    assert!(rig.get("big").unwrap() == data);
    assert_eq!((rig.requests("UploadPart"), rig.requests("CompleteMultipartUpload")), (1, 1));
    assert!(received() < 80 * KIB, "{} bytes sent", received());
}

#[test]
fn an_append_sends_only_what_is_new() {
    let rig = Rig::new();
    let mut data = bytes(4, 2000 * KIB);
    rig.put("log", &data);
    let file = rig.edit("log");
    let tail = bytes(5, 10 * KIB);
    file.write_at(file.size(), &tail).unwrap();
    data.extend_from_slice(&tail);
    rig.close(&file).unwrap();
    assert!(rig.get("log").unwrap() == data);
    assert_eq!(rig.requests("GetObject"), 1, "only this test reads");
}

/// DL-07
#[test]
fn dl_07_truncation_shorter_and_longer_is_stored() {
    let rig = Rig::new();
    let data = bytes(6, 1000 * KIB);
    rig.put("t", &data);
    let file = rig.edit("t");
    file.set_len(300 * KIB).unwrap();
    rig.close(&file).unwrap();
    assert!(rig.get("t").unwrap() == data[..300 << 10]);
    file.set_len(301 * KIB).unwrap();
    file.set_len(100).unwrap();
    file.set_len(200).unwrap();
    rig.close(&file).unwrap();
    assert_eq!(rig.get("t").unwrap(), [&data[..100], &[0; 100]].concat());
    file.set_len(0).unwrap();
    rig.close(&file).unwrap();
    assert_eq!(rig.get("t").unwrap(), b"");
}

#[test]
fn holes_and_zero_ranges_read_as_zero() {
    let rig = Rig::new();
    let mut data = bytes(7, 500 * KIB);
    rig.put("holes", &data);
    let file = rig.edit("holes");
    file.zero(ByteRange::new(1000, 2000), Allocate::KeepSize).unwrap();
    data[1000..2000].fill(0);
    file.allocate(ByteRange::new(0, 510 * KIB), Allocate::Extend).unwrap();
    data.resize(510 << 10, 0);
    file.zero(ByteRange::new(509 * KIB, 600 * KIB), Allocate::KeepSize).unwrap();
    file.write_at(1500, b"x").unwrap();
    data[1500] = b'x';
    assert!(rig.read(&file) == data);
    rig.close(&file).unwrap();
    assert!(rig.get("holes").unwrap() == data);
}

/// DL-20
#[test]
fn dl_20_metadata_that_comes_late_is_stored_and_metadata_alone_is_a_copy() {
    let rig = Rig::new();
    let data = bytes(8, 1500 * KIB);
    let file = rig.create("m");
    file.write_at(0, &data).unwrap();
    rig.until("the upload is open", || rig.requests("UploadPart") > 3);
    file.update_object(|object| {
        object.metadata.insert("mtime".into(), "17".into());
        object.tags = Some([("k".to_owned(), "v".to_owned())].into());
        object.content.content_type = Some("text/x-test".into());
    })
    .unwrap();
    rig.close(&file).unwrap();
    let headers = rig.head("m").unwrap();
    let tagging = GetObjectTagging { bucket: BUCKET.into(), key: "m".into(), version: None };
    let tags = rig.run(rig.client.send(&tagging)).unwrap();
    assert_eq!((headers.metadata["mtime"].as_str(), tags["k"].as_str()), ("17", "v"));
    assert_eq!(headers.content.content_type.as_deref(), Some("text/x-test"));
    let sent = rig.requests("UploadPart") + rig.requests("PutObject");
    file.update_object(|object| drop(object.metadata.insert("mtime".into(), "18".into()))).unwrap();
    rig.close(&file).unwrap();
    assert_eq!(rig.head("m").unwrap().metadata["mtime"], "18");
    assert_eq!(rig.requests("UploadPart") + rig.requests("PutObject"), sent);
    assert!(rig.get("m").unwrap() == data);
}

#[test]
fn writes_during_an_upload_make_the_next_generation() {
    let rig = Rig::new();
    let slow = rig.server.faults().add(Rule::new(Action::Delay { milliseconds: 300 }).on("PutObject").once());
    let file = rig.create("g");
    file.write_at(0, b"one").unwrap();
    let Seal::Generation(first) = file.seal().unwrap() else { panic!("sealed") };
    rig.until("the first is on its way", || matches!(file.state(), State::Uploading { .. }));
    file.write_at(0, b"two!").unwrap();
    assert_eq!(rig.read(&file), b"two!");
    let Seal::Generation(second) = file.seal().unwrap() else { panic!("sealed") };
    rig.run(file.stored(first)).unwrap();
    rig.run(file.stored(second)).unwrap();
    assert_eq!((rig.get("g").unwrap(), rig.server.faults().fired(slow)), (b"two!".to_vec(), 1));
    assert_eq!(rig.commits.committed.lock().len(), 2);
}

/// DL-17
#[test]
fn dl_17_the_loser_of_a_race_becomes_a_conflict_copy() {
    let rig = Rig::new();
    rig.put("doc.txt", b"base");
    let file = rig.edit("doc.txt");
    file.write_at(0, b"mine").unwrap();
    rig.put("doc.txt", b"theirs");
    rig.close(&file).unwrap();
    assert_eq!(rig.get("doc.txt").unwrap(), b"theirs");
    let key = file.key();
    assert!(key.starts_with("doc.txt.conflict-host-2"), "{key}");
    assert_eq!(rig.get(&key).unwrap(), b"mine");
    assert_eq!(rig.commits.conflicts.lock()[0].0, "doc.txt");
    assert!(file.last_error().unwrap().to_string().contains("conflict-host"));
}

/// DL-17
#[test]
fn dl_17_a_conflict_copy_that_the_store_takes_later_is_told_as_one() {
    let rig = Rig::new();
    rig.put("doc.txt", b"base");
    let file = rig.edit("doc.txt");
    file.write_at(0, b"mine").unwrap();
    rig.put("doc.txt", b"theirs");
    let (status, code) = (409, "ConditionalRequestConflict".to_owned());
    let busy = Action::Status { status, code, headers: Vec::new(), when: When::Before };
    let busy = rig.server.faults().add(Rule::new(busy).on("PutObject").skip(1).once());
    rig.close(&file).unwrap();
    assert_eq!((rig.get("doc.txt").unwrap(), rig.server.faults().fired(busy)), (b"theirs".to_vec(), 1));
    let key = file.key();
    assert_eq!(rig.get(&key).unwrap(), b"mine");
    let told: Vec<_> =
        rig.commits.conflicts.lock().iter().map(|(lost, copy)| (lost.clone(), copy.key.clone())).collect();
    assert_eq!(told, [("doc.txt".to_owned(), key)]);
    assert!(rig.commits.committed.lock().is_empty(), "its own name is not its any more");
    assert!(file.last_error().unwrap().to_string().contains("conflict-host"));
}

/// DL-17
#[test]
fn dl_17_with_fail_the_bytes_stay_in_the_journal() {
    let rig = Rig::with(|rig| rig.on_conflict = OnConflict::Fail);
    rig.put("doc", b"base");
    let file = rig.edit("doc");
    file.write_at(0, b"mine").unwrap();
    rig.put("doc", b"theirs");
    assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!((rig.read(&file), rig.get("doc").unwrap()), (b"mine".to_vec(), b"theirs".to_vec()));
    assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Conflict, "the next close says so again");
    assert_eq!((rig.engine().pending()[0].state.as_str(), file.state()), ("failed", State::Failed));
    let target = rig.state.path().join("export");
    rig.run(rig.engine().journal().export(file.id(), target.clone())).unwrap();
    assert_eq!(std::fs::read(target).unwrap(), b"mine");
    rig.run(rig.engine().journal().discard(file.id())).unwrap();
    assert_eq!((rig.engine().pending().len(), rig.staged()), (0, 0));
}

#[test]
fn an_exclusive_creation_that_lost_says_so() {
    let rig = Rig::new();
    let file = rig.engine().stage("x", None, NewObject::default(), Origin::ExclusiveName).unwrap();
    file.write_at(0, b"mine").unwrap();
    rig.put("x", b"theirs");
    assert_eq!(rig.close(&file).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(rig.keys(), ["x"]);
}

/// DL-26
#[test]
fn dl_26_a_second_engine_on_the_directory_is_told_who_has_it() {
    let mut rig = Rig::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = Engine::open(rig.config(), rig.parts(&runtime)).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    rig.reopen();
}

#[test]
fn write_back_is_refused_until_it_lands() {
    let mut rig = Rig::new();
    rig.kill();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for durability in [Durability::Local, Durability::Strict] {
        let config = holdfs::write::Config { durability, ..rig.config() };
        let refused = Engine::open(config, rig.parts(&runtime)).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn a_drain_waits_for_what_is_sealed_and_names_what_is_left() {
    let rig = Rig::new();
    let stored = rig.create("stored");
    stored.write_at(0, b"x").unwrap();
    stored.seal().unwrap();
    let open = rig.create("open");
    open.write_at(0, b"y").unwrap();
    let drained = rig.run(rig.engine().drain(Duration::from_secs(10)));
    assert_eq!(drained.left.iter().map(|left| left.key.as_str()).collect::<Vec<_>>(), ["open"]);
    assert_eq!(rig.get("stored").unwrap(), b"x");
}

//! Sections 1 and 5: names, rename, remove.

use std::ffi::OsStr;

use holdfs::base::ranges::ByteRange;
use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::fs::ErrorKind;
use holdfs::s3::ops::GetObjectTagging;

use super::world::{BUCKET, CALLER, Kind, World, kind_of};

const ALL: ByteRange = ByteRange { start: 0, end: 1 << 30 };

#[tokio::test(flavor = "multi_thread")]
async fn directories_are_made_listed_and_removed() {
    let world = World::new(Kind::Plain).await;
    world.mkdir("d").await.expect("makes");
    assert_eq!(world.keys().await, ["d/"]);
    world.write("d/f", b"x").await.expect("writes");
    assert_eq!(world.list("d").await, ["f"]);
    assert_eq!(kind_of(world.mkdir("d").await), ErrorKind::Exists);
    assert_eq!(kind_of(world.rmdir("d").await), ErrorKind::NotEmpty);
    assert_eq!(kind_of(world.unlink("d").await), ErrorKind::IsDirectory);
    assert_eq!(kind_of(world.rmdir("d/f").await), ErrorKind::NotDirectory);
    world.unlink("d/f").await.expect("removes");
    world.rmdir("d").await.expect("removes");
    assert_eq!(world.keys().await, Vec::<String>::new());
    assert!(world.node("d").await.is_none());
}

/// DL-21.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_does_not_vanish_with_its_last_file() {
    let world = World::new(Kind::Plain).await;
    world.put("d/one", "1").await;
    world.put("d/two", "2").await;
    world.unlink("d/one").await.expect("removes");
    assert_eq!(world.keys().await, ["d/two"], "no marker while there is a child");
    world.unlink("d/two").await.expect("removes");
    assert_eq!(world.keys().await, ["d/"]);
    assert_eq!(world.list("d").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_and_long_names_are_refused_before_anything_is_sent() {
    let world = World::new(Kind::Plain).await;
    let long = "x".repeat(256);
    world.server.log().reset();
    for (name, kind) in [
        (OsStr::new(".holdfs"), ErrorKind::Forbidden),
        (OsStr::new(".holdfs.d"), ErrorKind::Forbidden),
        (OsStr::new(&long), ErrorKind::NameTooLong),
    ] {
        let made = world.fs.mkdir(holdfs::fs::NodeId::ROOT, name, 0o755, CALLER).await;
        assert_eq!(kind_of(made), kind, "{name:?}");
    }
    assert_eq!(world.server.log().counters().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_file_is_renamed_with_all_it_has() {
    let world = World::new(Kind::Plain).await;
    world.write("a.txt", b"bytes").await.expect("writes");
    world.set_xattr("a.txt", "user.color", "red").await.expect("metadata");
    world.set_xattr("a.txt", "user.s3.tag.project", "x").await.expect("a tag");
    let reader = world.open("a.txt", libc::O_RDONLY).await.expect("opens");
    world.rename("a.txt", "b.bin").await.expect("renames");
    assert_eq!(world.keys().await, ["b.bin"]);
    let headers = world.head("b.bin").await.expect("stored");
    assert_eq!(headers.metadata.get("color").map(String::as_str), Some("red"));
    assert_eq!(headers.content.content_type.as_deref(), Some("text/plain"), "as it was");
    let tagging = GetObjectTagging { bucket: BUCKET.into(), key: "b.bin".into(), version: None };
    let tags = world.client.send(&tagging).await.expect("tags");
    assert_eq!(tags.get("project").map(String::as_str), Some("x"));
    assert_eq!(world.read_at(reader, ALL).await.expect("the handle moved along"), "bytes");
    assert!(world.node("a.txt").await.is_none());
    assert_eq!(world.existing("b.bin").await, reader.node, "the same inode");
}

/// DL-04.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_stored_yet_is_renamed_without_a_request() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("a", libc::O_WRONLY).await.expect("creates");
    world.write_at(open, 0, b"bytes").await.expect("writes");
    let (renamed, requests) = world.requests(world.rename("a", "b")).await;
    renamed.expect("renames");
    let copies: Vec<_> =
        requests.iter().filter(|(name, _)| name.contains("Copy") || name.contains("Put")).collect();
    assert!(copies.is_empty(), "{requests:?}");
    world.close(open).await.expect("closes");
    assert_eq!(world.keys().await, ["b"]);
    assert_eq!(world.get("b").await.as_deref(), Some(&b"bytes"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_replaces_and_who_had_the_old_file_open_keeps_it() {
    for kind in [Kind::Plain, Kind::Versioned] {
        let world = World::new(kind).await;
        world.put("old", "old bytes").await;
        world.write("new", b"new bytes").await.expect("writes");
        let reader = world.open("old", libc::O_RDONLY).await.expect("opens");
        world.rename("new", "old").await.expect("replaces");
        assert_eq!(world.keys().await, ["old"]);
        assert_eq!(world.read("old").await.expect("reads"), "new bytes");
        assert_eq!(world.read_at(reader, ALL).await.expect("reads on"), "old bytes");
        world.close(reader).await.expect("closes");
    }
}

/// DL-08.
#[tokio::test(flavor = "multi_thread")]
async fn rename_flags_are_honoured() {
    let world = World::new(Kind::Plain).await;
    world.write("a", b"a").await.expect("writes");
    assert!(world.node("b").await.is_none());
    world.put("b", "b").await;
    assert_eq!(kind_of(world.rename_with("a", "b", libc::RENAME_NOREPLACE).await), ErrorKind::Exists);
    assert_eq!(kind_of(world.rename_with("a", "b", libc::RENAME_EXCHANGE).await), ErrorKind::Invalid);
    world.rename_with("a", "c", libc::RENAME_NOREPLACE).await.expect("the name is free");
    assert_eq!(world.keys().await, ["b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_file_that_is_open_goes_on_working() {
    for (kind, size) in [(Kind::Plain, 100), (Kind::Plain, 3 << 20), (Kind::Versioned, 3 << 20)] {
        let world = World::new(kind).await;
        let bytes = vec![7_u8; size];
        world.put("f", bytes.clone()).await;
        let open = world.open("f", libc::O_RDWR).await.expect("opens");
        world.unlink("f").await.expect("removes");
        assert!(world.get("f").await.is_none(), "at once");
        assert_eq!(world.read_at(open, ALL).await.expect("reads on"), bytes);
        world.write_at(open, 0, b"new").await.expect("writes on");
        assert!(world.read_at(open, ALL).await.expect("reads").starts_with(b"new\x07"));
        world.close(open).await.expect("closes");
        assert_eq!(world.keys().await, Vec::<String>::new(), "nothing is left");
    }
}

/// DL-19.
#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_new_file_does_not_come_back() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("f", libc::O_RDWR).await.expect("creates");
    world.write_at(open, 0, b"gone").await.expect("writes");
    world.unlink("f").await.expect("removes");
    assert_eq!(world.read_at(open, ALL).await.expect("reads on"), "gone");
    world.write("f", b"another").await.expect("the name is free again");
    world.close(open).await.expect("closes");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"another"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_renamed_with_everything_below_it() {
    let world = World::new(Kind::Plain).await;
    world.put("d/", "").await;
    world.put("d/sub/", "").await;
    for n in 0..40 {
        world.put(&format!("d/sub/f{n:02}"), format!("{n}")).await;
    }
    let unstored = world.create("d/new", libc::O_WRONLY).await.expect("creates");
    world.write_at(unstored, 0, b"unstored").await.expect("writes");
    let reader = world.open("d/sub/f07", libc::O_RDONLY).await.expect("opens");
    world.rename("d", "e").await.expect("renames");
    assert!(world.node("d").await.is_none());
    assert_eq!(world.list("e").await, ["new", "sub"]);
    assert_eq!(world.list("e/sub").await.len(), 40);
    assert_eq!(world.read("e/sub/f33").await.expect("reads"), "33");
    assert_eq!(world.read_at(reader, ALL).await.expect("moved along"), "7");
    world.close(unstored).await.expect("closes");
    let keys = world.keys().await;
    assert_eq!(keys.len(), 43, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("e/")), "{keys:?}");
    assert_eq!(world.get("e/new").await.as_deref(), Some(&b"unstored"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_only_replaces_an_empty_one() {
    let world = World::new(Kind::Plain).await;
    for directory in ["a", "full", "empty"] {
        world.mkdir(directory).await.expect("makes");
    }
    world.write("a/f", b"x").await.expect("writes");
    world.write("full/g", b"y").await.expect("writes");
    world.write("file", b"z").await.expect("writes");
    assert_eq!(kind_of(world.rename("a", "full").await), ErrorKind::NotEmpty);
    assert_eq!(kind_of(world.rename("a", "file").await), ErrorKind::NotDirectory);
    assert_eq!(kind_of(world.rename("file", "a").await), ErrorKind::IsDirectory);
    world.rename("a", "empty").await.expect("replaces");
    assert_eq!(world.keys().await, ["empty/", "empty/f", "file", "full/", "full/g"]);
}

/// DL-09: the fault hits the copy of one file; nothing moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_of_a_directory_that_fails_is_undone() {
    use holdfs::embedded::faults::{Action, Rule, When};
    let world = World::new(Kind::Plain).await;
    for n in 0..30 {
        world.put(&format!("d/f{n:02}"), format!("{n}")).await;
    }
    let denied =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    world.server.faults().add(Rule::new(denied).on("CopyObject").key("e/f17"));
    assert_eq!(kind_of(world.rename("d", "e").await), ErrorKind::Denied);
    let keys = world.keys().await;
    assert_eq!(keys.len(), 30, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("d/")), "{keys:?}");
    assert_eq!(world.list("d").await.len(), 30);
    assert_eq!(world.read("d/f17").await.expect("reads"), "17");
}

/// KY-02.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_keys_that_no_path_names_stays() {
    let world = World::new(Kind::Plain).await;
    world.put("d/f", "x").await;
    world.put("d//hidden", "y").await;
    assert_eq!(kind_of(world.rename("d", "e").await), ErrorKind::NotEmpty);
    world.unlink("d/f").await.expect("removes");
    assert_eq!(kind_of(world.rmdir("d").await), ErrorKind::NotEmpty);
    assert!(world.get("d//hidden").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_kept_as_objects() {
    let world = World::new(Kind::Plain).await;
    let root = holdfs::fs::NodeId::ROOT;
    let entry =
        world.fs.symlink(root, OsStr::new("link"), OsStr::new("some/target"), CALLER).await.expect("makes");
    assert_eq!(world.fs.readlink(entry.node).await.expect("reads"), "some/target");
    assert_eq!(world.get("link").await.as_deref(), Some(&b"some/target"[..]));
    let (other, _state) = world.second().await;
    let node = super::world::node(&other, "link").await.expect("seen by another mount");
    assert_eq!(other.readlink(node).await.expect("reads"), "some/target");
}

fn refuse(world: &World, operation: &str, when: When) -> u64 {
    let denied = Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when };
    world.server.faults().add(Rule::new(denied).on(operation))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_closed_yet_survives_a_rename_over_it_that_fails() {
    for kind in [Kind::Plain, Kind::Versioned] {
        let world = World::new(kind).await;
        world.write("from", b"mover").await.expect("writes");
        world.write("to", b"before").await.expect("writes");
        let open = world.open("to", libc::O_RDWR).await.expect("opens");
        world.write_at(open, 0, b"AFTER").await.expect("writes");
        let rule = refuse(&world, "CopyObject", When::Before);
        assert_eq!(kind_of(world.rename("from", "to").await), ErrorKind::Denied);
        world.server.faults().remove(rule);
        world.write_at(open, 5, b"!!").await.expect("writes on");
        world.close(open).await.expect("closes");
        assert_eq!(world.get("to").await.as_deref(), Some(&b"AFTER!!"[..]));
        assert_eq!(world.read("to").await.expect("reads"), "AFTER!!");
        assert_eq!(world.read("from").await.expect("reads"), "mover");
        world.rename("from", "to").await.expect("moves");
        assert_eq!(
            (world.read("to").await.expect("reads"), world.keys().await),
            ("mover".into(), vec!["to".to_owned()])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_keeps_its_bytes_whatever_becomes_of_a_rename_over_its_file() {
    for size in [10_usize, 3 << 20] {
        let world = World::new(Kind::Plain).await;
        world.write("from", b"mover").await.expect("writes");
        world.put("to", vec![7_u8; size]).await;
        let open = world.open("to", libc::O_RDWR).await.expect("opens");
        let rule = refuse(&world, "CopyObject", When::Before);
        world.rename("from", "to").await.expect_err("refused");
        assert_eq!(world.keys().await, ["from", "to"]);
        world.server.faults().remove(rule);
        assert_eq!(world.read_at(open, ALL).await.expect("reads"), vec![7_u8; size]);
        world.rename("from", "to").await.expect("moves");
        assert_eq!(world.read_at(open, ALL).await.expect("reads on"), vec![7_u8; size]);
        world.close(open).await.expect("closes");
        assert_eq!(world.keys().await, ["to"]);
        assert_eq!(world.get("to").await.as_deref(), Some(&b"mover"[..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_closed_yet_survives_an_unlink_that_fails() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"before").await.expect("writes");
    let open = world.open("f", libc::O_RDWR).await.expect("opens");
    world.write_at(open, 0, b"AFTER").await.expect("writes");
    let rule = refuse(&world, "DeleteObject", When::Before);
    assert_eq!(kind_of(world.unlink("f").await), ErrorKind::Denied);
    world.server.faults().remove(rule);
    world.close(open).await.expect("closes");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"AFTERe"[..]));
}

/// The store removed the original and said that it did not.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_never_withdraws_the_only_copy() {
    let world = World::new(Kind::Plain).await;
    world.write("from", b"mover").await.expect("writes");
    refuse(&world, "DeleteObject", When::After);
    world.rename("from", "to").await.expect("the original is gone, so it happened");
    assert_eq!(world.keys().await, ["to"]);
    assert_eq!(world.read("to").await.expect("reads"), "mover");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_whose_original_cannot_be_removed_did_not_happen() {
    for kind in [Kind::Plain, Kind::Versioned] {
        let world = World::new(kind).await;
        world.write("from", b"mover").await.expect("writes");
        let denied = Action::Status {
            status: 403,
            code: "AccessDenied".into(),
            headers: Vec::new(),
            when: When::Before,
        };
        world.server.faults().add(Rule::new(denied).on("DeleteObject").key("from"));
        assert_eq!(kind_of(world.rename("from", "to").await), ErrorKind::Denied);
        assert_eq!(world.keys().await, ["from"]);
        if kind == Kind::Versioned {
            world.write("to", b"replaced").await.expect("writes");
            assert_eq!(kind_of(world.rename("from", "to").await), ErrorKind::Denied);
            assert_eq!(world.read("to").await.expect("reads"), "replaced", "its version is back");
        }
        assert_eq!(world.read("from").await.expect("reads"), "mover");
    }
}

//! Section 4, writing: any write of any file, whole at the store when close returns.

use std::ffi::OsStr;
use std::time::Duration;

use holdfs::base::ranges::ByteRange;
use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::fs::{ErrorKind, NodeId, SetAttr};

use super::world::{CALLER, Kind, World, flags, kind_of};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_at_the_store_when_close_returns() {
    let world = World::new(Kind::Plain).await;
    world.write("f.txt", b"hello").await.expect("writes");
    assert_eq!(world.get("f.txt").await.as_deref(), Some(&b"hello"[..]));
    assert_eq!(world.read("f.txt").await.expect("reads"), "hello");
    let headers = world.head("f.txt").await.expect("stored");
    assert_eq!(headers.content.content_type.as_deref(), Some("text/plain"));
    assert_eq!(world.stat("f.txt").await.attr.size, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_at_the_store_before_the_close() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("f", libc::O_WRONLY).await.expect("creates");
    world.write_at(open, 0, b"half").await.expect("writes");
    assert_eq!(world.keys().await, Vec::<String>::new());
    assert_eq!(world.list("").await, ["f"], "but the mount shows it");
    world.close(open).await.expect("closes");
    assert_eq!(world.keys().await, ["f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_stored_by_its_close() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("empty", libc::O_WRONLY).await.expect("creates");
    world.close(open).await.expect("closes");
    assert_eq!(world.get("empty").await.as_deref(), Some(&b""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_with_nothing_new_sends_nothing() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"x").await.expect("writes");
    let open = world.open("f", libc::O_RDWR).await.expect("opens");
    let (closed, requests) = world.requests(world.close(open)).await;
    closed.expect("closes");
    assert_eq!(requests, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_anywhere_are_seen_at_once_by_every_handle() {
    let world = World::new(Kind::Plain).await;
    world.put("f", "0123456789").await;
    let reader = world.open("f", libc::O_RDONLY).await.expect("opens");
    assert_eq!(world.read_at(reader, ByteRange::new(0, 4)).await.expect("reads"), "0123");
    let writer = world.open("f", libc::O_RDWR).await.expect("opens");
    world.write_at(writer, 2, b"XY").await.expect("writes");
    world.write_at(writer, 12, b"end").await.expect("writes past the end");
    let all = ByteRange::new(0, 100);
    assert_eq!(&world.read_at(reader, all).await.expect("reads")[..], b"01XY456789\0\0end");
    world.close(writer).await.expect("closes");
    assert_eq!(&world.read_at(reader, all).await.expect("reads on")[..], b"01XY456789\0\0end");
    world.close(reader).await.expect("closes");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"01XY456789\0\0end"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_goes_on_writing_after_a_sync() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("f", libc::O_RDWR).await.expect("creates");
    for (n, text) in ["one", "two", "three"].into_iter().enumerate() {
        world.write_at(open, 10 * n as u64, text.as_bytes()).await.expect("writes");
        let scope = holdfs::fs::SyncScope::DataOnly;
        world.fs.fsync(open.node, open.handle, scope).await.expect("syncs");
        let stored = world.get("f").await.expect("stored");
        assert!(stored.ends_with(text.as_bytes()), "{text} is there");
    }
    world.close(open).await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_cut_and_grown_by_path_and_by_descriptor() {
    let world = World::new(Kind::Plain).await;
    world.put("f", "0123456789").await;
    let size = |size| SetAttr { size: Some(size), ..SetAttr::default() };
    world.setattr("f", size(4)).await.expect("cuts");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"0123"[..]), "stored without an open");
    world.setattr("f", size(6)).await.expect("grows");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"0123\0\0"[..]));
    let open = world.open("f", libc::O_WRONLY).await.expect("opens");
    world.fs.setattr(open.node, Some(open.handle), size(1)).await.expect("cuts");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"0123\0\0"[..]), "the close will store it");
    world.close(open).await.expect("closes");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"0"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_creation_refuses_a_name_that_is_there() {
    let world = World::new(Kind::Plain).await;
    world.put("f", "x").await;
    assert_eq!(kind_of(world.create("f", libc::O_WRONLY | libc::O_EXCL).await), ErrorKind::Exists);
    let open = world.create("f", libc::O_WRONLY).await.expect("without O_EXCL it is an open");
    world.close(open).await.expect("closes");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"x"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_carries_along_what_the_object_had() {
    let world = World::new(Kind::Plain).await;
    world.write("f.html", b"one").await.expect("writes");
    world.set_xattr("f.html", "user.color", "red").await.expect("metadata");
    world.set_xattr("f.html", "user.s3.tag.project", "x").await.expect("a tag");
    world.set_xattr("f.html", "user.s3.cache-control", "no-store").await.expect("a header");
    world.write("f.html", b"two").await.expect("overwrites");
    assert_eq!(world.get("f.html").await.as_deref(), Some(&b"two"[..]));
    for (name, value) in [
        ("user.color", "red"),
        ("user.s3.tag.project", "x"),
        ("user.s3.cache-control", "no-store"),
        ("user.s3.content-type", "text/html"),
    ] {
        assert_eq!(world.get_xattr("f.html", name).await.expect(name), value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_come_back_whole() {
    let world = World::new(Kind::Plain).await;
    let bytes: Vec<u8> = (0..40_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let open = world.create("big", libc::O_WRONLY).await.expect("creates");
    for (n, chunk) in bytes.chunks(1 << 20).enumerate() {
        world.write_at(open, (n << 20) as u64, chunk).await.expect("writes");
    }
    world.close(open).await.expect("closes");
    assert!(world.get("big").await.expect("stored") == bytes);
    assert!(world.read("big").await.expect("reads") == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_a_reading_handle_is_refused() {
    let world = World::new(Kind::Plain).await;
    world.put("f", "x").await;
    let open = world.open("f", libc::O_RDONLY).await.expect("opens");
    assert_eq!(kind_of(world.write_at(open, 0, b"y").await), ErrorKind::BadHandle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_mount_changes_nothing() {
    let world = World::with(Kind::Plain, |options| options.access = holdfs::fs::Access::ReadOnly).await;
    world.put("f", "x").await;
    assert_eq!(world.read("f").await.expect("reads"), "x");
    assert_eq!(kind_of(world.create("g", libc::O_WRONLY).await), ErrorKind::ReadOnly);
    let node = world.existing("f").await;
    assert_eq!(kind_of(world.fs.open_file(node, flags(libc::O_RDWR)).await), ErrorKind::ReadOnly);
    for refused in [
        kind_of(world.unlink("f").await),
        kind_of(world.mkdir("d").await.map(|_| ())),
        kind_of(world.rename("f", "g").await),
        kind_of(world.set_xattr("f", "user.a", "b").await),
        kind_of(world.setattr("f", SetAttr { size: Some(0), ..SetAttr::default() }).await),
    ] {
        assert_eq!(refused, ErrorKind::ReadOnly);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_close_says_so_and_keeps_the_bytes() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("f", libc::O_WRONLY).await.expect("creates");
    world.write_at(open, 0, b"precious").await.expect("writes");
    let denied =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    let rule = world.server.faults().add(Rule::new(denied).on("PutObject"));
    assert_eq!(kind_of(world.flush(open).await), ErrorKind::Denied);
    assert!(world.get_xattr("f", "user.holdfs.error").await.is_ok(), "it is remembered");
    assert_eq!(world.get_xattr("f", "user.holdfs.state").await.expect("a state"), "failed");
    world.server.faults().remove(rule);
    world.flush(open).await.expect("the next close tries again");
    world.fs.release(open.node, open.handle).await;
    assert_eq!(world.get("f").await.as_deref(), Some(&b"precious"[..]));
}

fn drops(when: When) -> Rule {
    Rule::new(Action::Drop { when, ending: Ending::Reset }).on("PutObject").once()
}

/// DL-15
#[tokio::test(flavor = "multi_thread")]
async fn dl_15_a_directory_and_a_link_are_made_also_where_the_answer_is_lost() {
    for when in [When::Before, When::After] {
        let world = World::new(Kind::Plain).await;
        let faults = world.server.faults();
        let rule = faults.add(drops(when));
        world.mkdir("d").await.expect("makes");
        assert_eq!((faults.fired(rule), kind_of(world.mkdir("d").await)), (1, ErrorKind::Exists));
        // Ahead of the first link goes the flag of its directory.
        for link in ["flag", "link"] {
            let rule = faults.add(drops(when));
            let made = world.fs.symlink(NodeId::ROOT, OsStr::new(link), OsStr::new("target"), CALLER).await;
            assert_eq!(world.fs.readlink(made.expect("makes").node).await.expect("reads"), "target");
            assert_eq!(faults.fired(rule), 1);
        }
        assert_eq!(world.keys().await, [".holdfs", "d/", "flag", "link"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_another_writer_made_while_the_answer_was_lost_exists() {
    let world = World::new(Kind::Plain).await;
    let faults = world.server.faults();
    let slow = faults.add(Rule::new(Action::Delay { milliseconds: 500 }).on("PutObject").once());
    faults.add(drops(When::Before));
    let meanwhile = async {
        while faults.fired(slow) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.put("d/", "").await;
    };
    let (made, ()) = tokio::join!(world.mkdir("d"), meanwhile);
    assert_eq!(kind_of(made.map(drop)), ErrorKind::Exists);
}

//! Sections 2 and 6: what stat and getfattr show, and what chmod, touch and setfattr do.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::fs::{ErrorKind, ListXattr, PosixMetadata, SetAttr, SetTime};

use super::world::{CALLER, Kind, World, kind_of};

fn mode(mode: u32) -> SetAttr {
    SetAttr { mode: Some(mode), ..SetAttr::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn chmod_is_kept_with_the_object_and_a_flag_beside_it() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"x").await.expect("writes");
    assert!(world.head("f").await.expect("stored").metadata.keys().all(|name| name.starts_with("holdfs-")));
    world.setattr("f", mode(0o600)).await.expect("changes");
    assert_eq!(world.stat("f").await.attr.perm, 0o600);
    let headers = world.head("f").await.expect("stored");
    assert_eq!(headers.metadata.get("mode").map(String::as_str), Some("33152"), "as s3fs writes it");
    assert_eq!(world.get(".holdfs").await.as_deref(), Some(&b"{\"holdfs\":1}"[..]));
    assert_eq!(world.list("").await, ["f"], "the flag is hidden");
    let (other, _state) = world.second().await;
    let node = super::world::node(&other, "f").await.expect("there");
    assert_eq!(other.getattr(node, None).await.expect("attributes").attr.perm, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_changes_nothing_sends_nothing() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"x").await.expect("writes");
    let (changed, requests) = world.requests(world.setattr("f", mode(0o100644))).await;
    changed.expect("is so already");
    assert_eq!(requests, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_set_before_the_close_travel_with_the_upload() {
    let world = World::new(Kind::Plain).await;
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let open = world.create("f", libc::O_WRONLY).await.expect("creates");
    world.write_at(open, 0, b"x").await.expect("writes");
    let times = SetAttr { mtime: Some(SetTime::At(then)), atime: Some(SetTime::Now), ..SetAttr::default() };
    world.fs.setattr(open.node, Some(open.handle), times).await.expect("touches");
    let (closed, requests) = world.requests(world.close(open)).await;
    closed.expect("closes");
    assert_eq!(requests, [("PutObject".to_owned(), 1)]);
    assert_eq!(world.stat("f").await.attr.mtime, then);
    let headers = world.head("f").await.expect("stored");
    assert!(headers.metadata.get("mtime").is_some_and(|mtime| mtime.starts_with("1000000000")));
}

/// Ceph 16 acknowledges DeleteObjectTagging of a versioned object, and keeps the tags.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_tag_goes_also_where_the_store_ignores_their_deletion() {
    let world = World::new(Kind::Versioned).await;
    world.write("f", b"x").await.expect("writes");
    world.set_xattr("f", "user.s3.tag.color", "red").await.expect("sets");
    let ignored =
        Action::Status { status: 204, code: String::new(), headers: Vec::new(), when: When::Before };
    world.server.faults().add(Rule::new(ignored).on("DeleteObjectTagging"));
    let node = world.existing("f").await;
    world.fs.removexattr(node, OsStr::new("user.s3.tag.color")).await.expect("removes");
    assert_eq!(kind_of(world.get_xattr("f", "user.s3.tags").await), ErrorKind::NoAttribute);
    assert_eq!(world.head("f").await.expect("stored").tag_count.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mount_that_wrote_a_file_remembers_when() {
    let world = World::with(Kind::Plain, |options| options.ttl = Duration::ZERO).await;
    world.write("f", b"x").await.expect("writes");
    let before = world.stat("f").await.attr.mtime;
    world.list("").await;
    assert_eq!(world.stat("f").await.attr.mtime, before, "no jump after the upload");
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_and_the_root_have_modes_too() {
    let world = World::new(Kind::Plain).await;
    world.mkdir("d").await.expect("makes");
    for path in ["d", ""] {
        world.setattr(path, mode(0o700)).await.expect("changes");
        assert_eq!(world.stat(path).await.attr.perm, 0o700, "{path:?}");
    }
    assert_eq!(world.keys().await, [".holdfs", "d/"]);
    assert!(world.head("d/").await.expect("a marker").metadata.contains_key("mode"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_posix_metadata_nothing_is_written() {
    let world = World::with(Kind::Plain, |options| options.posix_metadata = PosixMetadata::Off).await;
    world.write("f", b"x").await.expect("writes");
    assert_eq!(kind_of(world.setattr("f", mode(0o600)).await), ErrorKind::Unsupported);
    let linked = world.fs.symlink(holdfs::fs::NodeId::ROOT, OsStr::new("l"), OsStr::new("f"), CALLER).await;
    assert_eq!(kind_of(linked), ErrorKind::Forbidden);
    assert_eq!(world.keys().await, ["f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_metadata_are_set_shown_and_removed() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"x").await.expect("writes");
    world.set_xattr("f", "user.s3.tag.a", "1").await.expect("a tag");
    world.set_xattr("f", "user.s3.tag.b c", "2/3").await.expect("another");
    assert_eq!(world.get_xattr("f", "user.s3.tags").await.expect("both"), "a=1&b%20c=2%2F3");
    world.set_xattr("f", "user.s3.tags", "z=9").await.expect("replaces");
    assert_eq!(kind_of(world.get_xattr("f", "user.s3.tag.a").await), ErrorKind::NoAttribute);
    world.set_xattr("f", "user.Comment", "gr\u{fc}n").await.expect("any name and value");
    assert_eq!(world.get_xattr("f", "user.Comment").await.expect("comes back"), "gr\u{fc}n");
    let node = world.existing("f").await;
    world.fs.removexattr(node, OsStr::new("user.Comment")).await.expect("removes");
    world.fs.removexattr(node, OsStr::new("user.s3.tag.z")).await.expect("removes");
    let again = world.fs.removexattr(node, OsStr::new("user.Comment")).await;
    assert_eq!(kind_of(again), ErrorKind::NoAttribute);
    assert_eq!(world.read("f").await.expect("the bytes are as they were"), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_the_store_would_refuse_are_refused_here() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"x").await.expect("writes");
    for (name, value, kind) in [
        ("user.s3.tag.a", "b&c", ErrorKind::Invalid),
        ("user.s3.etag", "x", ErrorKind::Unsupported),
        ("user.s3.nonsense", "x", ErrorKind::Unsupported),
        ("user.mode", "1", ErrorKind::Forbidden),
        ("user.holdfs-x", "1", ErrorKind::Forbidden),
        ("security.capability", "x", ErrorKind::Unsupported),
    ] {
        assert_eq!(kind_of(world.set_xattr("f", name, value).await), kind, "{name}");
    }
    let big = "x".repeat(3000);
    assert_eq!(kind_of(world.set_xattr("f", "user.big", &big).await), ErrorKind::NoSpace);
    assert_eq!(kind_of(world.get_xattr("f", "user.s3.nonsense").await), ErrorKind::NoAttribute);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_s_own_facts_can_be_read() {
    let world = World::new(Kind::Versioned).await;
    world.write("f.json", b"{}").await.expect("writes");
    let headers = world.head("f.json").await.expect("stored");
    let etag = headers.etag.expect("an ETag").0.to_string();
    let version = headers.version.expect("a version").0.to_string();
    for (name, value) in [
        ("user.s3.etag", etag.as_str()),
        ("user.s3.version-id", version.as_str()),
        ("user.s3.content-type", "application/json"),
        ("user.s3.storage-class", "STANDARD"),
        ("user.holdfs.state", "clean"),
    ] {
        assert_eq!(world.get_xattr("f.json", name).await.expect(name), value, "{name}");
    }
    assert!(world.get_xattr("f.json", "user.s3.versions").await.expect("one line").contains(&version));
}

#[tokio::test(flavor = "multi_thread")]
async fn ls_costs_no_request_a_file_and_getfattr_gets_all_names() {
    let world = World::new(Kind::Plain).await;
    world.put("f", "x").await;
    let node = world.existing("f").await;
    world.server.log().reset();
    let quick = world.fs.listxattr_now(node, ListXattr::Buffer(152));
    assert!(quick.expect("answered at once").expect("a list").is_empty());
    assert_eq!(world.server.log().counters().len(), 0);
    assert!(world.fs.listxattr_now(node, ListXattr::SizeProbe).is_none());
    let names = world.fs.listxattr(node, ListXattr::SizeProbe, CALLER).await.expect("a list");
    let names = String::from_utf8(names.to_vec()).expect("text");
    assert!(names.split('\0').any(|name| name == "user.s3.etag"), "{names:?}");
    assert!(world.fs.listxattr_now(node, ListXattr::Buffer(names.len())).is_none(), "the same list follows");
}

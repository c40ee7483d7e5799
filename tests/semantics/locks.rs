//! Section 6: locks mean what they say.

use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::fs::{ErrorKind, SetAttr, Worm};
use holdfs::s3::ops::{GetObjectLegalHold, GetObjectRetention, RetentionMode};

use super::world::{BUCKET, Kind, World, flags, kind_of};

async fn assert_unchangeable(world: &World, path: &str) {
    let node = world.existing(path).await;
    let before = world.keys().await;
    for refused in [
        kind_of(world.unlink(path).await),
        kind_of(world.rename(path, "elsewhere").await),
        kind_of(world.rename("other", path).await),
        kind_of(world.fs.open_file(node, flags(libc::O_RDWR)).await),
        kind_of(world.fs.open_file(node, flags(libc::O_WRONLY | libc::O_TRUNC)).await),
        kind_of(world.setattr(path, SetAttr { size: Some(0), ..SetAttr::default() }).await),
        kind_of(world.setattr(path, SetAttr { mode: Some(0o600), ..SetAttr::default() }).await),
        kind_of(world.set_xattr(path, "user.color", "red").await),
        kind_of(world.set_xattr(path, "user.s3.storage-class", "STANDARD_IA").await),
    ] {
        assert_eq!(refused, ErrorKind::Locked);
    }
    assert_eq!(world.keys().await, before);
    assert_eq!(world.read(path).await.expect("reads"), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_legal_hold_can_be_neither_changed_nor_removed() {
    let world = World::new(Kind::ObjectLock).await;
    world.write("f", b"kept").await.expect("writes");
    world.write("other", b"x").await.expect("writes");
    world.set_xattr("f", "user.s3.legal-hold", "ON").await.expect("holds");
    let hold = GetObjectLegalHold { bucket: BUCKET.into(), key: "f".into(), version: None };
    assert!(world.client.send(&hold).await.expect("the store knows"));
    assert_eq!(world.get_xattr("f", "user.s3.legal-hold").await.expect("shows"), "ON");
    assert_unchangeable(&world, "f").await;
    world.set_xattr("f", "user.s3.legal-hold", "OFF").await.expect("lets go");
    world.unlink("f").await.expect("removes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_retained_can_be_neither_changed_nor_removed() {
    let world = World::new(Kind::ObjectLock).await;
    world.write("f", b"kept").await.expect("writes");
    world.write("other", b"x").await.expect("writes");
    let until = "GOVERNANCE 2099-01-31T00:00:00Z";
    world.set_xattr("f", "user.s3.retention", until).await.expect("retains");
    let get = GetObjectRetention { bucket: BUCKET.into(), key: "f".into(), version: None };
    let retention = world.client.send(&get).await.expect("the store knows").expect("is set");
    assert_eq!(retention.mode, RetentionMode::Governance);
    assert_eq!(world.get_xattr("f", "user.s3.retention").await.expect("shows"), until);
    assert_unchangeable(&world, "f").await;
    let shorter = world.set_xattr("f", "user.s3.retention", "GOVERNANCE 2098-01-31T00:00:00Z").await;
    assert_eq!(kind_of(shorter), ErrorKind::Forbidden);
    world.set_xattr("f", "user.s3.retention", "COMPLIANCE 2100-01-31T00:00:00Z").await.expect("grows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_came_after_the_open_stops_the_commit_and_keeps_the_bytes() {
    let world = World::with(Kind::ObjectLock, |options| options.ttl = std::time::Duration::ZERO).await;
    world.write("f", b"kept").await.expect("writes");
    let open = world.open("f", libc::O_RDWR).await.expect("opens");
    world.write_at(open, 0, b"late").await.expect("writes");
    let put = holdfs::s3::ops::PutObjectLegalHold {
        bucket: BUCKET.into(),
        key: "f".into(),
        version: None,
        on: true,
    };
    world.client.send(&put).await.expect("a foreign hold");
    assert_eq!(kind_of(world.flush(open).await), ErrorKind::Locked);
    assert_eq!(world.get("f").await.as_deref(), Some(&b"kept"[..]));
    assert!(world.get_xattr("f", "user.holdfs.error").await.expect("remembered").contains("legal hold"));
}

#[tokio::test(flavor = "multi_thread")]
async fn worm_store_leaves_it_to_the_store() {
    let world = World::with(Kind::ObjectLock, |options| options.worm = Worm::Store).await;
    world.write("f", b"kept").await.expect("writes");
    world.set_xattr("f", "user.s3.legal-hold", "ON").await.expect("holds");
    world.unlink("f").await.expect("a versioned store only adds a marker");
    assert!(world.node("f").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_refuses_because_of_a_lock_is_told_from_want_of_permission() {
    let world = World::with(Kind::ObjectLock, |options| options.worm = Worm::Store).await;
    for path in ["held", "free"] {
        world.write(path, b"kept").await.expect("writes");
    }
    world.set_xattr("held", "user.s3.legal-hold", "ON").await.expect("holds");
    for operation in ["DeleteObject", "PutObject", "CopyObject"] {
        let denied = Action::Status {
            status: 403,
            code: "AccessDenied".into(),
            headers: Vec::new(),
            when: When::Before,
        };
        world.server.faults().add(Rule::new(denied).on(operation));
    }
    for (path, refused) in [("held", ErrorKind::Locked), ("free", ErrorKind::Denied)] {
        assert_eq!(kind_of(world.unlink(path).await), refused);
        assert_eq!(kind_of(world.set_xattr(path, "user.color", "red").await), refused);
        let open = world.open(path, libc::O_RDWR).await.expect("opens");
        world.write_at(open, 0, b"late").await.expect("writes");
        assert_eq!(kind_of(world.flush(open).await), refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_object_lock_there_are_no_holds_and_no_questions() {
    let world = World::new(Kind::Plain).await;
    world.write("f", b"x").await.expect("writes");
    assert_eq!(kind_of(world.set_xattr("f", "user.s3.legal-hold", "ON").await), ErrorKind::Unsupported);
    let (removed, requests) = world.requests(world.unlink("f")).await;
    removed.expect("removes");
    assert_eq!(requests, [("DeleteObject".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_set_before_the_upload_travel_with_it() {
    let world = World::new(Kind::ObjectLock).await;
    let open = world.create("f", libc::O_WRONLY).await.expect("creates");
    world.write_at(open, 0, b"x").await.expect("writes");
    world.set_xattr("f", "user.s3.legal-hold", "ON").await.expect("pending");
    world.set_xattr("f", "user.s3.tag.project", "x").await.expect("pending");
    world.close(open).await.expect("closes");
    let hold = GetObjectLegalHold { bucket: BUCKET.into(), key: "f".into(), version: None };
    assert!(world.client.send(&hold).await.expect("the store knows"));
    assert_eq!(world.get_xattr("f", "user.s3.tags").await.expect("tags"), "project=x");
}

//! Section 3, freshness: what other writers do, and what this mount makes of it.

use std::time::Duration;

use holdfs::base::ranges::ByteRange;
use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::fs::{ErrorKind, OnConflict};

use super::world::{Kind, World, kind_of};

const ALL: ByteRange = ByteRange { start: 0, end: 1 << 30 };

#[tokio::test(flavor = "multi_thread")]
async fn an_open_sees_a_put_that_completed_before_it() {
    let world = World::with(Kind::Plain, |options| options.ttl = Duration::MAX).await;
    world.put("f", "one").await;
    assert_eq!(world.read("f").await.expect("reads"), "one");
    world.put("f", "three").await;
    assert_eq!(world.read("f").await.expect("reads"), "three");
    assert_eq!(world.stat("f").await.attr.size, 5);
}

/// The first open's GET was answered before the PUT and is still on its way when the second begins.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_joins_no_question_that_began_before_it() {
    let world = World::with(Kind::Plain, |options| options.ttl = Duration::MAX).await;
    world.put("f", "one").await;
    world.existing("f").await;
    let slow = Action::Trickle { bytes: 1, every_milliseconds: 150 };
    world.server.faults().add(Rule::new(slow).on("GetObject").once());
    let later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.put("f", "three").await;
        let open = world.open("f", libc::O_RDONLY).await.expect("opens");
        world.read_at(open, ALL).await.expect("reads")
    };
    let (_, later) = tokio::join!(world.open("f", libc::O_RDONLY), later);
    assert_eq!(later, "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_sees_a_put_to_a_large_file() {
    let world = World::with(Kind::Plain, |options| options.ttl = Duration::MAX).await;
    world.put("f", vec![1_u8; 3 << 20]).await;
    assert_eq!(world.read("f").await.expect("reads"), vec![1_u8; 3 << 20]);
    world.put("f", vec![2_u8; 2 << 20]).await;
    assert_eq!(world.read("f").await.expect("reads"), vec![2_u8; 2 << 20]);
}

/// DL-10.
#[tokio::test(flavor = "multi_thread")]
async fn a_handle_never_mixes_two_versions() {
    let world = World::new(Kind::Plain).await;
    world.put("f", vec![b'A'; 4 << 20]).await;
    let open = world.open("f", libc::O_RDONLY).await.expect("opens");
    let head = world.read_at(open, ByteRange::new(0, 4096)).await.expect("reads");
    assert!(head.iter().all(|byte| *byte == b'A'));
    world.put("f", vec![b'B'; 4 << 20]).await;
    // What was on its way already is still A; what was not is gone.
    for start in (0..4 << 20).step_by(1 << 20) {
        match world.read_at(open, ByteRange::sized(start, 4096)).await {
            Ok(bytes) => assert!(bytes.iter().all(|byte| *byte == b'A')),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stale),
        }
    }
    let again = world.open("f", libc::O_RDONLY).await.expect("opens afresh");
    assert_ne!(again.node, open.node, "the name has a new inode");
    let bytes = world.read_at(again, ALL).await.expect("reads");
    assert!(bytes.iter().all(|byte| *byte == b'B'));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_versioned_bucket_a_handle_goes_on_reading_its_version() {
    let world = World::new(Kind::Versioned).await;
    world.put("f", vec![b'A'; 4 << 20]).await;
    let open = world.open("f", libc::O_RDONLY).await.expect("opens");
    world.put("f", vec![b'B'; 4 << 20]).await;
    let bytes = world.read_at(open, ALL).await.expect("reads");
    assert!(bytes.len() == 4 << 20 && bytes.iter().all(|byte| *byte == b'A'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_else_removed_is_gone_at_the_next_open() {
    let world = World::with(Kind::Plain, |options| options.ttl = Duration::MAX).await;
    world.put("f", "x").await;
    assert_eq!(world.read("f").await.expect("reads"), "x");
    world.delete("f").await;
    assert_eq!(kind_of(world.open("f", libc::O_RDONLY).await), ErrorKind::NotFound);
}

/// DL-22.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_is_never_an_absent_file() {
    let world = World::new(Kind::Plain).await;
    world.put("f", "x").await;
    let denied =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    world.server.faults().add(Rule::new(denied));
    let root = holdfs::fs::NodeId::ROOT;
    let answer = world.fs.lookup(root, std::ffi::OsStr::new("f")).await;
    assert_eq!(kind_of(answer.map(|_| ())), ErrorKind::Denied);
}

/// DL-17.
#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_race_keeps_its_bytes_beside_the_winner() {
    let world = World::new(Kind::Plain).await;
    world.put("f.txt", "base").await;
    let open = world.open("f.txt", libc::O_RDWR).await.expect("opens");
    world.write_at(open, 0, b"ours").await.expect("writes");
    world.put("f.txt", "theirs").await;
    world.close(open).await.expect("close returns 0");
    assert_eq!(world.get("f.txt").await.as_deref(), Some(&b"theirs"[..]));
    let keys = world.keys().await;
    let copy = keys.iter().find(|key| key.contains(".conflict-")).expect("a copy");
    assert_eq!(world.get(copy).await.as_deref(), Some(&b"ours"[..]));
    assert_eq!(world.read("f.txt").await.expect("reads"), "theirs");
    assert_eq!(world.read(copy).await.expect("reads"), "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_conflict_fail_makes_the_close_stale() {
    let world = World::with(Kind::Plain, |options| options.on_conflict = OnConflict::Fail).await;
    world.put("f", "base").await;
    let open = world.open("f", libc::O_RDWR).await.expect("opens");
    world.write_at(open, 0, b"ours").await.expect("writes");
    world.put("f", "theirs").await;
    assert_eq!(kind_of(world.flush(open).await), ErrorKind::Stale);
    assert_eq!(world.get("f").await.as_deref(), Some(&b"theirs"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_creation_is_exclusive_across_hosts() {
    let world = World::new(Kind::Plain).await;
    let open = world.create("lock", libc::O_WRONLY | libc::O_EXCL).await.expect("creates");
    world.write_at(open, 0, b"ours").await.expect("writes");
    world.put("lock", "theirs").await;
    assert_eq!(kind_of(world.flush(open).await), ErrorKind::Exists);
    assert_eq!(world.get("lock").await.as_deref(), Some(&b"theirs"[..]));
}

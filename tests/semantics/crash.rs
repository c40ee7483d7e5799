//! Sections 4 and 5: what a mount left half done, the next one finishes.

use std::time::Duration;

use holdfs::embedded::faults::{Action, Rule, When};

use super::world::{Kind, World};

fn refuse(operation: &str) -> Rule {
    let status =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    Rule::new(status).on(operation)
}

/// Waits until the bucket holds exactly these keys.
async fn settles_at(world: &World, keys: &[String]) {
    for _ in 0..100 {
        if world.keys().await == keys {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.keys().await, keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_stored_is_there_after_a_remount() {
    let mut world = World::new(Kind::Plain).await;
    let open = world.create("f", libc::O_WRONLY).await.expect("creates");
    world.write_at(open, 0, b"precious").await.expect("writes");
    world.server.faults().add(refuse("PutObject"));
    assert!(world.close(open).await.is_err());
    world.remount().await;
    assert_eq!(world.list("").await, ["f"]);
    assert_eq!(world.read("f").await.expect("reads"), "precious");
    assert_eq!(world.get_xattr("f", "user.holdfs.state").await.expect("a state"), "failed");
    world.server.faults().clear();
    world.set_xattr("f", "user.holdfs.sync", "1").await.expect("uploads now");
    assert_eq!(world.get("f").await.as_deref(), Some(&b"precious"[..]));
}

fn names(directory: &str) -> Vec<String> {
    (0..30).map(|n| format!("{directory}/f{n:02}")).collect()
}

/// DL-09.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_of_a_directory_goes_on_after_a_crash() {
    let mut world = World::new(Kind::Plain).await;
    for key in names("d") {
        world.put(&key, key.clone()).await;
    }
    let slow =
        world.server.faults().add(Rule::new(Action::Delay { milliseconds: 60_000 }).on("CopyObject").skip(7));
    let crashed = tokio::time::timeout(Duration::from_millis(500), world.rename("d", "e")).await;
    assert!(crashed.is_err(), "it was on its way");
    world.server.faults().remove(slow);
    world.remount().await;
    settles_at(&world, &names("e")).await;
    for key in names("e") {
        assert_eq!(world.read(&key).await.expect("reads"), key.replace("e/", "d/"));
    }
}

/// DL-09.
#[tokio::test(flavor = "multi_thread")]
async fn old_names_that_could_not_be_deleted_go_at_the_next_mount() {
    let mut world = World::new(Kind::Plain).await;
    for key in names("d") {
        world.put(&key, "x").await;
    }
    world.server.faults().add(refuse("DeleteObjects"));
    world.server.faults().add(refuse("DeleteObject"));
    world.rename("d", "e").await.expect("every file has its new name");
    assert_eq!(world.list("e").await.len(), 30);
    assert!(world.node("d").await.is_none());
    world.server.faults().clear();
    world.remount().await;
    settles_at(&world, &names("e")).await;
}

/// The copy is there and the old name is not gone yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_of_a_file_goes_on_after_a_crash() {
    for replaces in [false, true] {
        let mut world = World::new(Kind::Plain).await;
        world.put("old", "moved").await;
        if replaces {
            world.put("new", "replaced").await;
        }
        let slow = world
            .server
            .faults()
            .add(Rule::new(Action::Delay { milliseconds: 60_000 }).on("DeleteObject").key("old"));
        let crashed = tokio::time::timeout(Duration::from_millis(500), world.rename("old", "new")).await;
        assert!(crashed.is_err(), "it was on its way");
        assert_eq!(world.keys().await, ["new", "old"]);
        world.server.faults().remove(slow);
        world.remount().await;
        settles_at(&world, &["new".to_owned()]).await;
        assert_eq!(world.read("new").await.expect("reads"), "moved");
        world.remount().await;
        settles_at(&world, &["new".to_owned()]).await;
    }
}

/// What was replaced is gone, so there is no way back. Who is not allowed to go on is told so, and that is all.
#[tokio::test(flavor = "multi_thread")]
async fn a_replacing_rename_that_the_store_left_half_way_goes_on_at_the_next_mount() {
    for (code, goes_on) in [((503, "ServiceUnavailable"), true), ((403, "AccessDenied"), false)] {
        let mut world = World::impatient(Kind::Plain, Duration::from_secs(1)).await;
        world.put("old", "moved").await;
        world.put("new", "replaced").await;
        let (status, code) = (code.0, code.1.to_owned());
        let refused = Action::Status { status, code, headers: Vec::new(), when: When::Before };
        world.server.faults().add(Rule::new(refused).on("DeleteObject").key("old"));
        world.rename("old", "new").await.expect_err("the old name stays");
        for name in ["old", "new"] {
            assert_eq!(world.read(name).await.expect("reads"), "moved", "never at neither");
        }
        world.server.faults().clear();
        world.remount().await;
        let left = if goes_on { &["new".to_owned()][..] } else { &["new".to_owned(), "old".to_owned()] };
        tokio::time::sleep(Duration::from_millis(300)).await;
        settles_at(&world, left).await;
        assert_eq!(world.read("new").await.expect("reads"), "moved");
    }
}

/// The copy did not happen: what has the new name is not the file that was to move.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_of_a_file_that_did_not_begin_changes_nothing_after_a_crash() {
    let mut world = World::new(Kind::Plain).await;
    world.put("old", "moved").await;
    world.put("new", "replaced").await;
    let slow = world.server.faults().add(Rule::new(Action::Delay { milliseconds: 60_000 }).on("CopyObject"));
    let crashed = tokio::time::timeout(Duration::from_millis(500), world.rename("old", "new")).await;
    assert!(crashed.is_err(), "it was on its way");
    world.server.faults().remove(slow);
    world.remount().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.read("old").await.expect("reads"), "moved");
    assert_eq!(world.read("new").await.expect("reads"), "replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_put_aside_for_an_open_file_go_at_the_next_mount() {
    let mut world = World::new(Kind::Plain).await;
    world.put("f", vec![1_u8; 3 << 20]).await;
    world.open("f", libc::O_RDONLY).await.expect("opens");
    world.unlink("f").await.expect("removes");
    assert!(world.keys().await[0].starts_with(".holdfs.d/host/"));
    world.remount().await;
    settles_at(&world, &[]).await;
}

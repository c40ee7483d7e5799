//! Node ids, counts, memory and moves.

use super::*;

#[tokio::test]
async fn the_number_of_a_name_is_the_same_in_every_mount() {
    let keys = &["a", "d/x"];
    let (one, other) = (mount(keys), mount(keys));
    for path in ["a", "d", "d/x"] {
        assert_eq!(one.at(path).await.id(), other.at(path).await.id(), "{path}");
    }
    // The first 64 bits of SHA-256("b\0a").
    let digest = crate::base::digest::sha256(b"b\0a");
    let first = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
    assert_eq!(one.at("a").await.id(), NodeId(first));
}

#[tokio::test]
async fn a_name_made_anew_gets_another_number_while_the_old_node_lives() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    let old = mount.at("a").await;
    let _open = mount.names.pin(&old);
    mount.names.removed(&root, "a", Standing::Stored);
    let new = mount.names.inserted(&root, "a", mount.new_file(), Standing::Local);
    assert!(old.is_unlinked());
    assert_ne!(old.id(), new.id());
    assert_ne!((old.id(), old.generation()), (new.id(), new.generation()));
    assert_eq!(&*old.key(), "a", "an open file can still name its object");
    assert_eq!(mount.names.node(old.id()).map(|node| node.id()), Some(old.id()));
}

#[tokio::test]
async fn mm_05_what_the_kernel_forgets_goes() {
    let mount = mount(&[]);
    let root = mount.names.root();
    for index in 0..20_000 {
        let name = format!("f{index}");
        let node = mount.names.inserted(&root, &name, mount.new_file(), Standing::Stored);
        mount.names.retain(&node);
        let pin = mount.names.pin(&node);
        mount.names.removed(&root, &name, Standing::Stored);
        let id = node.id();
        drop((node, pin));
        mount.names.forget(id, 1);
    }
    mount.clock.advance(Duration::from_secs(60));
    let report = mount.names.report();
    assert!(report.nodes < 1000, "{} nodes", report.nodes);
    assert_eq!(report.local_changes, 0);
}

#[tokio::test]
async fn a_node_is_kept_by_lookups_pins_children_and_whoever_holds_it() {
    let mount = mount(&["d/e/f", "k"]);
    let file = mount.at("d/e/f").await;
    mount.names.retain(&file);
    let (id, parent) = (file.id(), file.parent().expect("e").id());
    drop(file);
    crowd_out_the_idle(&mount).await;
    assert!(mount.names.node(id).is_some() && mount.names.node(parent).is_some());
    mount.names.forget(id, 1);
    assert!(mount.names.node(id).is_none());
    assert!(mount.names.node(parent).is_none(), "a parent goes with its last child");

    let held = mount.at("k").await;
    crowd_out_the_idle(&mount).await;
    assert!(mount.names.node(held.id()).is_some());
    let pin = mount.names.pin(&held);
    let id = held.id();
    drop(held);
    crowd_out_the_idle(&mount).await;
    assert!(mount.names.node(id).is_some());
    drop(pin);
    assert!(mount.names.node(id).is_none());
}

async fn crowd_out_the_idle(mount: &Mount) {
    for index in 0..2000 {
        let root = mount.names.root();
        mount.names.inserted(&root, &format!("crowd{index}"), mount.new_file(), Standing::Stored);
        mount.names.removed(&root, &format!("crowd{index}"), Standing::Stored);
    }
    mount.clock.advance(Duration::from_secs(60));
    mount.names.report();
    for index in 0..2000 {
        let root = mount.names.root();
        mount.names.inserted(&root, &format!("crowd{index}"), mount.new_file(), Standing::Stored);
        mount.names.removed(&root, &format!("crowd{index}"), Standing::Stored);
    }
}

#[tokio::test]
async fn renaming_a_directory_moves_everything_below_in_one_step() {
    let mount = mount(&["old/sub/f", "other/"]);
    let (file, directory) = (mount.at("old/sub/f").await, mount.at("old").await);
    let other = mount.at("other").await;
    mount.names.renamed(&directory, &other, "new", Standing::Stored);
    assert_eq!(&*file.key(), "other/new/sub/f");
    assert_eq!(&*directory.key(), "other/new/");
    assert!(mount.names.node_at("other/new/sub/f").is_some_and(|node| node.id() == file.id()));
    assert!(mount.names.node_at("old/sub/f").is_none());
    assert!(mount.names.node_at("other/new/sub/f/").is_none(), "a slash names a directory");
    assert!(mount.names.fresh_for(&file).is_zero(), "its object is another one now");
}

#[tokio::test]
async fn the_memory_of_a_known_entry_is_bounded() {
    let mount = mount(&[]);
    let root = mount.names.root();
    let before = mount.names.report().nodes_bytes;
    let nodes: Vec<_> = (0..10_000)
        .map(|index| mount.names.inserted(&root, &format!("f{index}"), mount.new_file(), Standing::Stored))
        .collect();
    let each = (mount.names.report().nodes_bytes - before) / nodes.len() as u64;
    assert!(each <= 384, "{each} bytes");
}

//! This mount's own changes against what the store says, late or in flight.

use super::*;

#[tokio::test]
async fn a_name_made_here_is_there_at_once_and_needs_no_question() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    let node = mount.names.inserted(&root, "new", mount.new_file(), Standing::Local);
    assert_eq!(mount.known(&root, "new"), "file");
    assert_eq!(mount.at("new").await.id(), node.id());
    assert_eq!(mount.bucket.requests(), (0, 0));
    assert_eq!(mount.ls_root().await, names(&["a", "new"]));
    mount.clock.advance(Duration::from_secs(3600));
    assert_eq!(mount.at("new").await.id(), node.id(), "what only this mount has stays");
    assert_eq!(mount.ls_root().await, names(&["a", "new"]));
}

#[tokio::test]
async fn a_name_removed_here_is_gone_at_once_although_the_store_still_has_it() {
    let mount = mount(&["a", "b"]);
    let root = mount.names.root();
    assert_eq!(mount.ls_root().await, names(&["a", "b"]));
    mount.names.removed(&root, "a", Standing::Local);
    assert_eq!(mount.known(&root, "a"), "absent");
    assert_eq!(mount.ls_root().await, names(&["b"]));
    mount.clock.advance(Duration::from_secs(3600));
    assert!(mount.find("a").await.is_none());
    assert_eq!(mount.ls_root().await, names(&["b"]));
    mount.bucket.delete("a");
    mount.names.settled(&root, "a");
    mount.clock.advance(Duration::from_secs(60));
    mount.bucket.put("a");
    assert!(mount.find("a").await.is_some(), "once the store has the removal, a foreign file is one");
}

#[tokio::test]
async fn an_answer_that_was_under_way_does_not_override_a_removal() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    mount.bucket.hold();
    let lookup = mount.names.lookup(&root, "a");
    let meanwhile = async {
        tokio::task::yield_now().await;
        mount.bucket.delete("a");
        mount.names.removed(&root, "a", Standing::Stored);
        mount.clock.advance(Duration::from_secs(60));
        mount.bucket.let_through();
    };
    let (found, ()) = tokio::join!(lookup, meanwhile);
    assert!(found.expect("answered").is_none());
    assert_eq!(mount.names.report().nodes, 1, "and leaves nothing behind");
}

#[tokio::test]
async fn an_answer_that_was_under_way_does_not_override_a_creation() {
    let mount = mount(&[]);
    let root = mount.names.root();
    mount.bucket.hold();
    let lookup = mount.names.lookup(&root, "a");
    let meanwhile = async {
        tokio::task::yield_now().await;
        mount.bucket.put("a");
        let new = NewNode { object: Some(mount.bucket.object("a")), ..mount.new_file() };
        mount.names.inserted(&root, "a", new, Standing::Stored);
        mount.clock.advance(Duration::from_secs(60));
        mount.bucket.let_through();
    };
    let (found, ()) = tokio::join!(lookup, meanwhile);
    assert!(found.expect("answered").is_some());
}

#[tokio::test]
async fn a_page_that_was_under_way_does_not_override_changes() {
    let mount = mount(&["a", "c"]);
    let root = mount.names.root();
    mount.bucket.hold();
    let directory = mount.open(&root);
    let listing = directory.entries(0);
    let meanwhile = async {
        tokio::task::yield_now().await;
        mount.names.removed(&root, "a", Standing::Stored);
        mount.names.inserted(&root, "b", mount.new_file(), Standing::Stored);
        mount.clock.advance(Duration::from_secs(60));
        mount.names.report();
        mount.bucket.let_through();
    };
    let (batch, ()) = tokio::join!(listing, meanwhile);
    let shown: Vec<String> = batch.expect("listed").entries.iter().map(shown).collect();
    assert_eq!(shown, ["b", "c"]);
}

#[tokio::test]
async fn an_answer_about_the_old_key_of_a_renamed_directory_is_asked_for_again() {
    let mount = mount(&["d/x"]);
    let directory = mount.at("d").await;
    mount.bucket.hold();
    let lookup = mount.names.lookup(&directory, "x");
    let meanwhile = async {
        tokio::task::yield_now().await;
        mount.bucket.put("e/x");
        mount.bucket.delete("d/x");
        mount.names.renamed(&directory, &mount.names.root(), "e", Standing::Stored);
        mount.bucket.let_through();
    };
    let (found, ()) = tokio::join!(lookup, meanwhile);
    let found = found.expect("answered").expect("it moved along");
    assert_eq!(found.object(), Some(mount.bucket.object("e/x")));
}

#[tokio::test]
async fn s3_13_a_store_that_lists_late_does_not_hide_our_own_changes() {
    let mount = mount(&["gone", "old"]);
    let root = mount.names.root();
    mount.bucket.freeze_listings();
    let gone = mount.at("gone").await;
    mount.bucket.delete("gone");
    mount.names.removed(&root, "gone", Standing::Stored);
    mount.bucket.put("new");
    let new = NewNode { object: Some(mount.bucket.object("new")), ..mount.new_file() };
    mount.names.inserted(&root, "new", new, Standing::Stored);
    mount.clock.advance(Duration::from_secs(4));
    assert_eq!(mount.ls_root().await, names(&["new", "old"]));
    mount.bucket.resurrect("gone", &gone.object().expect("an object"));
    assert!(mount.find("gone").await.is_none(), "a stale HEAD repeats what was removed");
}

#[tokio::test]
async fn a_foreign_file_at_a_name_removed_here_is_seen() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    mount.at("a").await;
    mount.names.removed(&root, "a", Standing::Stored);
    mount.bucket.put("a");
    mount.clock.advance(Duration::from_millis(1100));
    assert_eq!(mount.known(&root, "a"), "unknown");
    assert_eq!(mount.at("a").await.object(), Some(mount.bucket.object("a")));
}

#[tokio::test]
async fn a_foreign_removal_of_what_was_made_here_is_seen_after_the_ttl() {
    let mount = mount(&[]);
    let root = mount.names.root();
    mount.names.inserted(&root, "a", mount.new_file(), Standing::Stored);
    mount.clock.advance(Duration::from_secs(5));
    assert_eq!(mount.known(&root, "a"), "unknown");
    assert!(mount.find("a").await.is_none());
}

#[tokio::test]
async fn revalidation_sees_a_foreign_change_and_leaves_the_choice_to_the_caller() {
    let mount = mount(&["a"]);
    let node = mount.at("a").await;
    assert!(matches!(mount.names.revalidate(&node).await, Ok(Validation::Same)));
    mount.bucket.put("a");
    let Ok(Validation::Changed(object, headers)) = mount.names.revalidate(&node).await else {
        panic!("changed")
    };
    assert_ne!(node.object(), Some(object.clone()));
    let pin = mount.names.pin(&node);
    let new = mount.names.superseded(&node, &object, &headers).expect("it had a name");
    assert!(node.is_unlinked() && new.id() != node.id());
    drop(pin);
    mount.bucket.put("a");
    let Ok(Validation::Changed(object, headers)) = mount.names.revalidate(&new).await else {
        panic!("changed")
    };
    mount.names.updated(&new, object.clone(), Some(&headers));
    assert_eq!(new.object(), Some(object));
    mount.bucket.delete("a");
    mount.clock.advance(Duration::from_secs(60));
    assert!(matches!(mount.names.revalidate(&new).await, Ok(Validation::Gone)));
    assert_eq!(mount.known(&mount.names.root(), "a"), "unknown", "only a lookup says what the name is now");
}

#[tokio::test]
async fn a_foreign_change_right_after_our_own_is_not_hidden_by_it() {
    let mount = mount(&[]);
    let root = mount.names.root();
    mount.bucket.put("a");
    let new = NewNode { object: Some(mount.bucket.object("a")), ..mount.new_file() };
    let ours = mount.names.inserted(&root, "a", new, Standing::Stored);
    let _pin = mount.names.pin(&ours);
    mount.bucket.put("a");
    let Ok(Validation::Changed(object, headers)) = mount.names.revalidate(&ours).await else {
        panic!("changed")
    };
    let theirs = mount.names.superseded(&ours, &object, &headers).expect("it had a name");
    assert!(matches!(mount.names.known(&root, "a"), Known::Present(node, _) if node.id() == theirs.id()));
    assert_eq!(mount.at("a").await.id(), theirs.id());
}

#[tokio::test]
async fn what_the_store_says_after_the_grace_stays_said() {
    let mount = mount_with(&["a"], Options { ttl: Duration::from_secs(60), ..Options::default() });
    let root = mount.names.root();
    let new = NewNode { object: Some(mount.bucket.object("a")), ..mount.new_file() };
    mount.names.inserted(&root, "a", new, Standing::Stored);
    mount.bucket.delete("a");
    mount.clock.advance(Duration::from_secs(11));
    assert_eq!(mount.known(&root, "a"), "file", "within the time to live");
    mount.names.doubt(&root, Some("a"));
    assert!(mount.find("a").await.is_none());
    assert_eq!(mount.known(&root, "a"), "absent");
}

#[tokio::test]
async fn a_lookup_never_changes_the_object_under_an_open_handle() {
    let mount = mount(&["a"]);
    let node = mount.at("a").await;
    let before = node.object();
    let pin = mount.names.pin(&node);
    mount.bucket.put("a");
    let new = mount.at("a").await;
    assert_ne!(new.id(), node.id());
    assert_eq!(node.object(), before);
    drop(pin);
    mount.bucket.put("a");
    assert_eq!(mount.at("a").await.id(), new.id(), "without a handle the node goes along");
    assert_eq!(new.object(), Some(mount.bucket.object("a")));
}

#[tokio::test]
async fn what_is_being_edited_stays_as_this_mount_has_it() {
    let mount = mount(&["a", "d/x"]);
    let (file, inner) = (mount.at("a").await, mount.at("d/x").await);
    mount.names.edited(&file, true);
    mount.names.edited(&inner, true);
    mount.bucket.put("a");
    mount.bucket.delete("d/x");
    mount.clock.advance(Duration::from_secs(60));
    assert_eq!(mount.at("a").await.id(), file.id());
    assert!(matches!(mount.names.revalidate(&file).await, Ok(Validation::Same)));
    assert!(mount.find("d").await.is_some(), "a directory stays with what only this mount holds");
    assert_eq!(mount.at("d/x").await.id(), inner.id());
    assert_eq!(
        mount.names.lookup(&mount.names.root(), "a").await.ok().flatten().map(|node| node.id()),
        Some(file.id())
    );
    mount.names.updated(&file, mount.bucket.object("a"), None);
    mount.names.edited(&file, false);
    assert!(matches!(mount.names.revalidate(&file).await, Ok(Validation::Same)));
}

#[tokio::test]
async fn a_file_keeps_its_time_when_it_is_stored() {
    let mount = mount(&[]);
    let root = mount.names.root();
    let node = mount.names.inserted(&root, "a", mount.new_file(), Standing::Local);
    mount.names.retain(&node);
    let written = node.attributes().mtime;
    mount.clock.advance(Duration::from_secs(30));
    mount.bucket.put("a");
    // The reply to a PUT does not tell the time of the upload: the caller can but guess.
    let guess = ObjectRef { last_modified: mount.clock.wall(), ..mount.bucket.object("a") };
    mount.names.updated(&node, guess, None);
    assert_eq!(node.attributes().size, 1);
    for _ in 0..3 {
        mount.clock.advance(Duration::from_secs(60));
        assert_eq!(mount.at("a").await.attributes().mtime, written);
    }
    let id = node.id();
    drop(node);
    mount.names.forget(id, 1);
    mount.clock.advance(Duration::from_secs(60));
    mount.names.report();
    assert!(mount.names.node(id).is_none());
    assert_eq!(mount.at("a").await.attributes().mtime, written, "also when it is looked up anew");
    mount.bucket.put("a");
    assert_eq!(mount.at("a").await.attributes().mtime, mount.bucket.object("a").last_modified);
}

#[tokio::test]
async fn renaming_over_a_file_takes_its_name() {
    let mount = mount(&["a", "b"]);
    let root = mount.names.root();
    let (a, b) = (mount.at("a").await, mount.at("b").await);
    let replaced = mount.names.renamed(&a, &root, "b", Standing::Stored).expect("b had the name");
    assert_eq!(replaced.id(), b.id());
    assert!(b.is_unlinked());
    assert_eq!((mount.known(&root, "a"), &*a.key()), ("absent", "b"));
    assert_eq!(mount.ls_root().await, names(&["b"]));
    assert!(mount.names.renamed(&a, &root, "b", Standing::Stored).is_none(), "onto itself");
    assert_eq!(&*a.key(), "b");
}

#[tokio::test]
async fn a_file_that_never_was_at_the_store_leaves_nothing_behind_when_it_moves_or_goes() {
    let mount = mount(&[]);
    let root = mount.names.root();
    let node = mount.names.inserted(&root, "a", mount.new_file(), Standing::Local);
    mount.names.renamed(&node, &root, "b", Standing::Local);
    assert_eq!((mount.known(&root, "a"), mount.known(&root, "b")), ("absent", "file"));
    mount.names.removed(&root, "b", Standing::Local);
    mount.clock.advance(Duration::from_secs(60));
    assert_eq!(mount.names.report().local_changes, 0);
    for name in ["a", "b"] {
        mount.bucket.put(name);
        assert!(mount.find(name).await.is_some(), "a foreign {name} is seen");
    }
}

#[tokio::test]
async fn doubt_makes_memory_ask_again() {
    let mount = mount(&["a", "d/x"]);
    let root = mount.names.root();
    mount.ls_root().await;
    assert_eq!((mount.known(&root, "a"), mount.known(&root, "z")), ("file", "absent"));
    mount.names.doubt(&root, Some("a"));
    assert_eq!(mount.known(&root, "a"), "unknown");
    mount.ls_root().await;
    mount.names.doubt(&root, None);
    assert_eq!((mount.known(&root, "a"), mount.known(&root, "z")), ("unknown", "unknown"));
}

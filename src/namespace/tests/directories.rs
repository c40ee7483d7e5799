//! Listings: what is shown, in what numbers, and what they cost.

use super::*;

fn small_pages(page_keys: u32) -> Options {
    Options { page_keys, ..Options::default() }
}

#[tokio::test]
async fn a_directory_shows_each_name_once_and_itself_not_at_all() {
    let mount = mount(&["d/", "d/a", "d/b/", "d/b/x", "d/c/y", "e"]);
    let directory = mount.at("d").await;
    assert_eq!(mount.ls(&directory).await, ["a", "b/", "c/"]);
    assert_eq!(mount.ls_root().await, names(&["d/", "e"]));
}

#[tokio::test]
async fn ky_01_02_08_what_no_path_can_name_is_hidden_and_counted_once() {
    let long = format!("{}/x", "l".repeat(256));
    let keys = [
        "a",
        "a/x",
        "b//c",
        "/lead",
        "./p",
        "d/../e",
        "ok",
        long.as_str(),
        ".holdfs",
        ".holdfs.d/h/w",
        ".versions/v",
    ];
    let mount = mount(&keys);
    assert_eq!(mount.ls_root().await, names(&["a/", "b/", "d/", "ok"]));
    mount.clock.advance(Duration::from_secs(60));
    mount.ls_root().await;
    let report = mount.names.report();
    let root: Vec<_> = report.hidden.iter().filter(|hidden| hidden.directory.is_empty()).collect();
    // The shadowed file, `//`, `.`, the long segment and the virtual name; ours do not count.
    assert_eq!(root.iter().map(|hidden| hidden.keys).collect::<Vec<_>>(), [5]);
    let inner = mount.at("b").await;
    assert_eq!(mount.ls(&inner).await, Vec::<String>::new());
    let hidden = mount.names.report().hidden;
    assert!(hidden.iter().any(|hidden| hidden.directory == "b/" && hidden.example == "b//"), "{hidden:?}");
}

#[tokio::test]
async fn a_listing_of_n_entries_costs_n_by_a_thousand_requests_and_answers_lookups() {
    let keys: Vec<String> = (0..4500).map(|index| format!("f{index:05}")).collect();
    let mount = mount(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let root = mount.names.root();
    assert_eq!(mount.ls(&root).await, keys);
    assert_eq!(mount.bucket.requests(), (0, 5));
    for name in ["f00000", "f02222", "f04499"] {
        assert_eq!(mount.known(&root, name), "file", "{name}");
    }
    assert_eq!(mount.known(&root, "f00000x"), "absent");
    assert_eq!(mount.bucket.requests(), (0, 0));
    mount.clock.advance(Duration::from_millis(1100));
    assert_eq!(mount.known(&root, "f00000x"), "unknown", "absence is remembered for a second");
    assert_eq!(mount.known(&root, "f04499"), "file");
}

#[tokio::test]
async fn a_listing_that_is_fresh_is_used_again_and_shows_local_changes() {
    let mount = mount_with(&["a", "b", "c", "d"], small_pages(2));
    let root = mount.names.root();
    mount.ls(&root).await;
    mount.bucket.requests();
    mount.names.removed(&root, "b", Standing::Stored);
    mount.names.inserted(&root, "bb", mount.new_file(), Standing::Stored);
    assert_eq!(mount.ls(&root).await, ["a", "bb", "c", "d"]);
    assert_eq!(mount.bucket.requests(), (0, 0));
    mount.bucket.delete("b");
    mount.bucket.put("bb");
    mount.clock.advance(Duration::from_secs(5));
    assert_eq!(mount.ls(&root).await, ["a", "bb", "c", "d"]);
    assert_eq!(mount.bucket.requests(), (0, 2));
}

#[tokio::test]
async fn readdirplus_makes_nodes_that_answer_lookups() {
    let mount = mount(&["a", "d/x"]);
    let root = mount.names.root();
    let directory = mount.open(&root);
    let batch = directory.entries(0).await.expect("listed");
    for entry in &batch.entries {
        let node = directory.materialize(entry).expect("there");
        assert_eq!((node.id(), node.kind()), (entry.id, entry.kind));
        mount.names.retain(&node);
    }
    mount.bucket.requests();
    assert_eq!(mount.at_known(&root, "a").attributes().size, 1);
    assert_eq!(mount.bucket.requests(), (0, 0));
}

impl Mount {
    fn at_known(&self, parent: &Arc<Node>, name: &str) -> Arc<Node> {
        match self.names.known(parent, name) {
            Known::Present(node, _) => node,
            other => panic!("{name} is {other:?}"),
        }
    }
}

/// Reads one entry at a time, as a caller with a tiny buffer does, and lets `between` act after each.
async fn read_slowly(directory: &Directory, mut between: impl FnMut(usize)) -> Vec<String> {
    let (mut seen, mut cookie) = (Vec::new(), 0);
    loop {
        let batch = match directory.try_entries(cookie) {
            Some(batch) => batch,
            None => directory.entries(cookie).await.expect("listed"),
        };
        let Some(entry) = batch.entries.first() else {
            assert!(batch.end);
            return seen;
        };
        cookie = entry.cookie;
        seen.push(shown(entry));
        between(seen.len());
    }
}

#[tokio::test]
async fn creating_and_removing_while_reading_loses_and_doubles_nothing() {
    let keys: Vec<String> = (0..100).map(|index| format!("k{index:03}")).collect();
    let mount = mount_with(&keys.iter().map(String::as_str).collect::<Vec<_>>(), small_pages(7));
    let root = mount.names.root();
    let directory = mount.open(&root);
    let seen = read_slowly(&directory, |count| {
        let (even, new) = (format!("k{:03}", (count * 2) % 100), format!("n{count:03}"));
        mount.bucket.delete(&even);
        mount.names.removed(&root, &even, Standing::Stored);
        mount.bucket.put(&new);
        mount.names.inserted(&root, &new, mount.new_file(), Standing::Stored);
        mount.clock.advance(Duration::from_secs(1));
    })
    .await;
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "nothing twice");
    assert!(keys.iter().skip(1).step_by(2).all(|stayed| unique.contains(stayed)), "nothing lost: {seen:?}");
}

#[tokio::test]
async fn rm_r_through_one_handle_removes_everything() {
    let keys: Vec<String> = (0..500).map(|index| format!("k{index:03}")).collect();
    let mount = mount_with(&keys.iter().map(String::as_str).collect::<Vec<_>>(), small_pages(20));
    let root = mount.names.root();
    let directory = mount.open(&root);
    let mut cookie = 0;
    loop {
        let batch = directory.entries(cookie).await.expect("listed");
        for entry in &batch.entries {
            cookie = entry.cookie;
            mount.bucket.delete(&entry.name);
            mount.names.removed(&root, &entry.name, Standing::Stored);
        }
        mount.clock.advance(Duration::from_secs(7));
        if batch.end {
            break;
        }
    }
    mount.clock.advance(Duration::from_secs(60));
    assert!(mount.ls_root().await.is_empty());
}

#[tokio::test]
async fn seeking_back_gives_the_same_entries_whatever_has_come_and_gone() {
    let keys: Vec<String> = (0..90).map(|index| format!("k{index:03}")).collect();
    let mount = mount_with(&keys.iter().map(String::as_str).collect::<Vec<_>>(), small_pages(5));
    let root = mount.names.root();
    let directory = mount.open(&root);
    let mut cookies = vec![2];
    let mut cookie = 0;
    loop {
        let batch = directory.entries(cookie).await.expect("listed");
        cookies.extend(batch.entries.iter().map(|entry| entry.cookie));
        cookie = cookies[cookies.len() - 1];
        if batch.end {
            break;
        }
    }
    mount.clock.advance(Duration::from_secs(60));
    for foreign in ["k010x", "k011x", "a"] {
        mount.bucket.put(foreign);
    }
    mount.bucket.delete("k012");
    for (index, expected) in [(11, "k011"), (12, "k013"), (0, "k000"), (88, "k088"), (40, "k040")] {
        let batch = directory.entries(cookies[index].max(1)).await.expect("listed");
        assert_eq!(shown(&batch.entries[0]), expected, "after entry {index}");
    }
    let end = directory.entries(cookies[90]).await.expect("listed");
    assert!(end.end && end.entries.is_empty());
    let beyond = directory.entries(u64::MAX).await.expect("listed");
    assert!(beyond.end && beyond.entries.is_empty());
}

#[tokio::test]
async fn rewinding_lists_afresh() {
    let mount = mount(&["a", "c"]);
    let directory = mount.open(&mount.names.root());
    assert_eq!(read_all(&directory).await, ["a", "c"]);
    mount.bucket.put("b");
    mount.clock.advance(Duration::from_secs(5));
    assert!(directory.try_entries(0).is_none());
    assert_eq!(read_all(&directory).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_renamed_directory_goes_on_being_listed_under_its_new_key() {
    let keys: Vec<String> = (0..30).map(|index| format!("d/k{index:02}")).collect();
    let mount = mount_with(&keys.iter().map(String::as_str).collect::<Vec<_>>(), small_pages(4));
    let node = mount.at("d").await;
    let directory = mount.open(&node);
    let seen = read_slowly(&directory, |count| {
        if count == 10 {
            for key in &keys {
                mount.bucket.delete(key);
                mount.bucket.put(&key.replace("d/", "e/"));
            }
            mount.names.renamed(&node, &mount.names.root(), "e", Standing::Stored);
        }
    })
    .await;
    assert_eq!(seen, keys.iter().map(|key| key.replace("d/", "")).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_error_in_the_middle_is_told_and_the_listing_goes_on_after_it() {
    let mount = mount_with(&["a", "b", "c"], small_pages(1));
    let directory = mount.open(&mount.names.root());
    let batch = directory.entries(0).await.expect("listed");
    let cookie = batch.entries[0].cookie;
    // The page after is being fetched already.
    let batch = directory.entries(cookie).await.expect("listed");
    let cookie = batch.entries[0].cookie;
    mount.bucket.fail(None, Some(ErrorKind::Unavailable));
    let next = directory.entries(cookie).await;
    mount.bucket.fail(None, None);
    let batch = match next {
        Ok(batch) => batch,
        Err(_) => directory.entries(cookie).await.expect("listed"),
    };
    assert_eq!(shown(&batch.entries[0]), "c");
}

#[tokio::test]
async fn metadata_costs_one_head_per_object_version() {
    let mount = mount(&["d/", "d/a", "d/b", "d/c", "p/a"]);
    mount.bucket.put_with("d/.holdfs", 12, &[]);
    mount.bucket.put_with("d/s", 1, &[("mode", "33152")]);
    let (flagged, plain) = (mount.at("d").await, mount.at("p").await);
    mount.bucket.requests();
    mount.ls(&plain).await;
    assert_eq!(mount.bucket.requests(), (0, 1));
    assert_eq!(mount.ls(&flagged).await, ["a", "b", "c", "s"]);
    assert_eq!(mount.bucket.requests(), (4, 1));
    assert_eq!(mount.at_known(&flagged, "s").attributes().perm, 0o600);
    mount.clock.advance(Duration::from_secs(60));
    mount.bucket.put_with("d/b", 1, &[("mode", "33060")]);
    mount.ls(&flagged).await;
    assert_eq!(mount.bucket.requests(), (1, 1), "only what has changed");
    assert_eq!(mount.at_known(&flagged, "b").attributes().perm, 0o444);
}

#[tokio::test]
async fn where_listings_bring_metadata_along_it_costs_nothing() {
    let mount = mount(&["d/.holdfs.d/x"]);
    mount.bucket.list_metadata();
    mount.bucket.put_with("d/.holdfs", 12, &[]);
    mount.bucket.put_with("d/f", 1, &[("mode", "33152")]);
    let directory = mount.at("d").await;
    mount.bucket.requests();
    assert_eq!(mount.ls(&directory).await, ["f"]);
    assert_eq!(mount.at_known(&directory, "f").attributes().perm, 0o600);
    assert_eq!(mount.bucket.requests(), (0, 1));
}

#[tokio::test]
async fn dl_21_what_makes_a_directory_not_empty() {
    let keys = [
        "empty/",
        "flagged/",
        "flagged/.holdfs",
        "implicit/x",
        "odd//x",
        "full/",
        "full/a",
        "ours/.holdfs.d/h/w",
    ];
    let mount = mount(&keys);
    let contents = |path: &'static str| {
        let mount = &mount;
        async move { mount.names.contents(&mount.at(path).await).await.expect("listed") }
    };
    assert_eq!(contents("empty").await, Contents { marker: true, flag: false, child: None });
    assert!(matches!(contents("flagged").await, Contents { marker: true, child: None, .. }));
    assert_eq!(contents("implicit").await.child, Some(Child::Name("x".into())));
    assert_eq!(contents("odd").await.child, Some(Child::Unnameable("odd//".into())));
    assert_eq!(contents("full").await.child, Some(Child::Name("a".into())));
    assert_eq!(contents("ours").await.child, None);
    mount.bucket.fail(None, Some(ErrorKind::Unavailable));
    let full = mount.names.node_at("full/").expect("known");
    assert!(matches!(mount.names.contents(&full).await, Err(Error::Store(_))), "an error is not emptiness");
}

#[tokio::test]
async fn what_this_mount_made_and_removed_counts_for_emptiness() {
    let mount = mount(&["d/a", "d/b", "e/"]);
    let (full, empty) = (mount.at("d").await, mount.at("e").await);
    mount.names.removed(&full, "a", Standing::Local);
    mount.names.removed(&full, "b", Standing::Local);
    assert_eq!(mount.names.contents(&full).await.expect("listed").child, None);
    mount.names.inserted(&empty, "new", mount.new_file(), Standing::Local);
    let contents = mount.names.contents(&empty).await.expect("listed");
    assert_eq!(contents.child, Some(Child::Name("new".into())));
}

#[tokio::test]
async fn every_key_below_a_directory_can_be_had() {
    let keys = ["d/", "d/.holdfs", "d/a", "d/b//x", "d/c/d/e", "da", "e"];
    let mount = mount_with(&keys, small_pages(2));
    let mut below = mount.names.keys_below(&mount.at("d").await).expect("a directory");
    let mut found = Vec::new();
    while let Some(page) = below.next().await.expect("listed") {
        found.extend(page.into_iter().map(|object| object.key));
    }
    assert_eq!(found, keys[..5]);
}

#[tokio::test]
async fn files_that_follow_in_the_listing_can_be_read_ahead() {
    let mount = mount_with(&["a", "b", "c/x", "d", "e", "f"], small_pages(2));
    let root = mount.names.root();
    mount.ls(&root).await;
    let first = mount.at_known(&root, "a");
    let siblings = mount.names.siblings_after(&first, 3);
    assert_eq!(siblings.iter().filter_map(|node| node.name()).collect::<Vec<_>>(), ["b", "d", "e"]);
    let last = mount.at_known(&root, "f");
    assert!(mount.names.siblings_after(&last, 3).is_empty());
}

#[tokio::test]
async fn who_walks_from_directory_to_directory_finds_the_next_ones_listed() {
    let keys: Vec<String> =
        (0..40).flat_map(|index| [format!("d{index:02}/a"), format!("d{index:02}/b")]).collect();
    let mount = mount(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let root = mount.names.root();
    mount.ls(&root).await;
    mount.bucket.requests();
    let mut waited = 0;
    for index in 0..40 {
        let directory = mount.at_known(&root, &format!("d{index:02}"));
        waited += usize::from(mount.open(&directory).try_entries(0).is_none());
        let before = mount.bucket.lists();
        assert_eq!(mount.ls(&directory).await, ["a", "b"]);
        waited -= usize::from(mount.bucket.lists() == before);
        // What was begun ahead gets its turn.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(mount.bucket.requests(), (0, 40), "each is listed once");
    assert!(waited <= 3, "{waited} listings were waited for");
}

#[tokio::test]
async fn listings_of_one_directory_at_once_are_one_question() {
    let mount = mount(&["d/a"]);
    let directory = mount.at("d").await;
    mount.bucket.requests();
    let (one, other) = tokio::join!(mount.ls(&directory), mount.ls(&directory));
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_eq!(mount.bucket.requests(), (0, 1));
}

#[tokio::test]
async fn mm_01_a_huge_directory_is_streamed_through_a_bounded_window() {
    let keys: Vec<String> = (0..300_000).map(|index| format!("huge/name-of-a-file-{index:07}")).collect();
    let mount = mount(&[]);
    keys.iter().for_each(|key| mount.bucket.put(key));
    let directory = mount.open(&mount.at("huge").await);
    let (mut cookie, mut count) = (0, 0);
    loop {
        let batch = directory.entries(cookie).await.expect("listed");
        count += batch.entries.len();
        cookie = batch.entries.last().map_or(cookie, |entry| entry.cookie);
        if batch.end {
            break;
        }
    }
    assert_eq!(count, keys.len());
    let report = mount.names.report();
    assert!(report.cached_pages_bytes <= 32 << 20, "{} bytes", report.cached_pages_bytes);
    assert!(report.nodes < 10);
}

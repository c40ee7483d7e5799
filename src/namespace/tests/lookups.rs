//! What one name is, by the store's word.

use super::*;

#[tokio::test]
async fn files_directories_and_absent_names_are_told_apart() {
    let mount = mount(&["a", "d/", "i/x", "s", "s/x"]);
    assert!(!mount.at("a").await.is_directory());
    for directory in ["d", "i", "s"] {
        assert!(mount.at(directory).await.is_directory(), "{directory}");
    }
    assert_eq!(&*mount.at("i/x").await.key(), "i/x");
    assert_eq!(&*mount.at("d").await.key(), "d/");
    assert!(mount.find("b").await.is_none());
    assert!(mount.find("i/y").await.is_none());
}

#[tokio::test]
async fn size_time_and_version_come_with_the_lookup() {
    let mount = mount(&["d/a"]);
    let node = mount.at("d/a").await;
    let object = mount.bucket.object("d/a");
    assert_eq!(node.attributes().size, 3);
    assert_eq!(node.attributes().mtime, object.last_modified);
    assert_eq!(node.object(), Some(object));
}

#[tokio::test]
async fn dl_22_an_error_is_never_absence_nor_remembered_as_such() {
    use ErrorKind::*;
    let mount = mount(&["a", "d/x"]);
    let root = mount.names.root();
    for kind in [Throttled, Unavailable, TimedOut, Corrupt, Denied] {
        mount.bucket.fail(Some(kind), None);
        let error = mount.names.lookup(&root, "b").await.expect_err("no word of the store");
        assert!(matches!(error, Error::Store(error) if error.kind() == kind));
        mount.bucket.fail(None, Some(kind));
        assert!(mount.names.lookup(&root, "b").await.is_err(), "LIST {kind:?}");
        assert_eq!(mount.known(&root, "b"), "unknown");
    }
    mount.bucket.fail(None, None);
    assert!(mount.find("b").await.is_none());
    assert_eq!(mount.known(&root, "b"), "absent");
}

#[tokio::test]
async fn who_may_not_read_still_sees_what_is_listed() {
    let mount = mount(&["a", "ab"]);
    mount.bucket.fail(Some(ErrorKind::Denied), None);
    assert_eq!(mount.at("a").await.attributes().size, 1);
    assert!(mount.names.lookup(&mount.names.root(), "c").await.is_err());
}

#[tokio::test]
async fn who_may_not_list_still_finds_files() {
    let mount = mount(&["a"]);
    mount.bucket.fail(None, Some(ErrorKind::Denied));
    assert!(!mount.at("a").await.is_directory());
    assert!(mount.names.lookup(&mount.names.root(), "b").await.is_err());
}

#[tokio::test]
async fn dl_22_an_empty_page_with_a_token_is_not_the_end() {
    let mount = mount(&["d/x", "e"]);
    mount.bucket.empty_pages(3);
    assert!(mount.at("d").await.is_directory());
    assert_eq!(mount.ls_root().await, names(&["d/", "e"]));
}

#[tokio::test]
async fn hg_12_a_repeated_token_is_an_error_not_a_loop() {
    let mount = mount_with(&["a", "b", "c", "d"], Options { page_keys: 1, ..Options::default() });
    mount.bucket.repeat_token();
    let directory = mount.open(&mount.names.root());
    let mut cookie = 0;
    let error = loop {
        match directory.entries(cookie).await {
            Ok(batch) => cookie = batch.entries.last().expect("not the end").cookie,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Store(error) if error.kind() == ErrorKind::Corrupt));
}

#[tokio::test]
async fn concurrent_lookups_of_one_name_are_one_question() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    mount.bucket.hold();
    let lookups = (0..20).map(|_| mount.names.lookup(&root, "a"));
    let all = futures_util::future::join_all(lookups);
    let let_through = async {
        tokio::task::yield_now().await;
        mount.bucket.let_through();
    };
    let (found, ()) = tokio::join!(all, let_through);
    assert!(found.into_iter().all(|found| matches!(found, Ok(Some(_)))));
    assert_eq!(mount.bucket.requests(), (1, 1));
}

#[tokio::test]
async fn with_a_ttl_of_zero_each_lookup_asks_for_itself() {
    let mount = mount_with(&["a"], Options { ttl: Duration::ZERO, ..Options::default() });
    let root = mount.names.root();
    let (first, second) = tokio::join!(mount.names.lookup(&root, "a"), mount.names.lookup(&root, "a"));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(mount.bucket.requests(), (2, 2));
    assert_eq!(mount.known(&root, "a"), "unknown");
}

#[tokio::test]
async fn presence_is_remembered_for_the_ttl_and_absence_for_a_second() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    mount.at("a").await;
    assert!(mount.find("b").await.is_none());
    assert_eq!((mount.known(&root, "a"), mount.known(&root, "b")), ("file", "absent"));
    mount.clock.advance(Duration::from_millis(1001));
    assert_eq!((mount.known(&root, "a"), mount.known(&root, "b")), ("file", "unknown"));
    mount.clock.advance(Duration::from_secs(4));
    assert_eq!(mount.known(&root, "a"), "unknown");
}

#[tokio::test]
async fn reserved_and_impossible_names_are_not_asked_for() {
    let mount = mount(&[".holdfs", ".holdfs.d/h/w", "d/.holdfs", ".versions/x", "d/.versions"]);
    let root = mount.names.root();
    for name in [".holdfs", ".holdfs.d", ".versions", ".snapshots"] {
        assert!(mount.names.lookup(&root, name).await.expect("no error").is_none(), "{name}");
        assert_eq!(mount.known(&root, name), "absent");
        assert!(mount.names.admits(&root, name, FileKind::File).is_err());
    }
    assert_eq!(mount.bucket.requests(), (0, 0));
    assert!(mount.find("d/.holdfs").await.is_none());
    assert!(mount.find("d/.versions").await.is_some(), "virtual names are those of the root only");
    let long = "x".repeat(256);
    assert!(matches!(mount.names.lookup(&root, &long).await, Err(Error::Name(name::Error::TooLong))));
    assert_eq!(mount.known(&root, &long), "absent");
}

#[tokio::test]
async fn ky_04_a_key_of_more_than_1024_bytes_is_refused_before_anything_is_sent() {
    let mount = mount(&[]);
    let mut directory = mount.names.root();
    for _ in 0..4 {
        let name = "x".repeat(250);
        mount.names.admits(&directory, &name, FileKind::Directory).expect("short enough");
        directory =
            mount.names.inserted(&directory, &name, mount.new_node(FileKind::Directory), Standing::Local);
    }
    let left = 1024 - directory.key().len();
    mount.names.admits(&directory, &"y".repeat(left), FileKind::File).expect("just fits");
    let too_long = |kind, bytes| mount.names.admits(&directory, &"y".repeat(bytes), kind).is_err();
    assert!(too_long(FileKind::Directory, left), "the slash of a directory counts");
    assert!(too_long(FileKind::File, left + 1));
    assert_eq!(mount.bucket.requests(), (0, 0));
}

#[tokio::test]
async fn metadata_counts_only_beside_the_flag() {
    let mode = &[("mode", "33188"), ("uid", "7")];
    let options = |posix| Options { posix, ..Options::default() };
    for (posix, plain, flagged) in
        [(PosixMetadata::Own, 0, 7), (PosixMetadata::Full, 7, 7), (PosixMetadata::Off, 0, 0)]
    {
        let mount = mount_with(&[], options(posix));
        mount.bucket.put_with("plain/f", 1, mode);
        mount.bucket.put_with("flagged/f", 1, mode);
        mount.bucket.put_with("flagged/.holdfs", 12, &[]);
        for (path, uid) in [("plain/f", plain), ("flagged/f", flagged)] {
            assert_eq!(mount.at(path).await.attributes().uid, uid, "{path} {posix:?} by lookup");
            mount.clock.advance(Duration::from_secs(60));
            let directory = mount.at(path.trim_end_matches("/f")).await;
            assert_eq!(mount.ls(&directory).await, ["f"]);
            let Known::Present(node, _) = mount.names.known(&directory, "f") else { panic!("listed") };
            assert_eq!(node.attributes().uid, uid, "{path} {posix:?} by listing");
        }
    }
}

#[tokio::test]
async fn links_and_devices_are_told_by_their_mode() {
    let mount = mount_with(&[], Options { posix: PosixMetadata::Full, ..Options::default() });
    mount.bucket.put_with("link", 4, &[("mode", "41471")]);
    mount.bucket.put_with("null", 0, &[("mode", "8630"), ("rdev", "259")]);
    assert_eq!(mount.at("link").await.kind(), FileKind::Symlink);
    assert_eq!(mount.at("null").await.attributes().rdev, 259);
    mount.clock.advance(Duration::from_secs(60));
    let directory = mount.open(&mount.names.root());
    let batch = directory.entries(0).await.expect("listed");
    let kinds: Vec<FileKind> = batch.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [FileKind::Symlink, FileKind::CharDevice]);
}

#[tokio::test]
async fn the_root_shows_what_its_flag_object_carries() {
    let mount = mount(&["a"]);
    let root = mount.names.root();
    assert_eq!(root.attributes().perm, 0o755);
    assert!(mount.names.fresh_for(&root).is_zero());
    mount.bucket.put_with(".holdfs", 12, &[("mode", "16832"), ("uid", "9")]);
    assert!(matches!(mount.names.revalidate(&root).await, Ok(Validation::Same)));
    assert_eq!((root.attributes().perm, root.attributes().uid), (0o700, 9));
    assert!(!mount.names.fresh_for(&root).is_zero());
}

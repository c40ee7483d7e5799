//! Odd keys, directories and their markers, and directories that change while they are read.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use holdfs::embedded;
use holdfs::embedded::faults::{Action, Rule, When};

use super::harness::{Bucket, Mount, Store};

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn errno(result: std::io::Result<impl Sized>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).expect("an error number")
}

/// Keys as another client stores them; those that the store itself refuses are left out.
fn put_what_the_store_takes<'a>(bucket: &Bucket<'_>, keys: &[&'a str]) -> Vec<&'a str> {
    let put = |key: &&str| {
        let put = holdfs::s3::ops::PutObject::new(&bucket.name, *key, key.as_bytes().to_vec());
        bucket.send(&put).is_ok() && bucket.keys().iter().any(|stored| stored == *key)
    };
    keys.iter().copied().filter(put).collect()
}

#[test]
fn ky_01_the_directory_wins_and_the_file_beside_it_is_left_alone() {
    let bucket = Bucket::new(Store::shared());
    put_what_the_store_takes(&bucket, &["a/b", "a"]);
    if bucket.keys() != ["a", "a/b"] {
        return super::harness::lacks("keys below a key, in listings");
    }
    let mount = bucket.mount().arg("--ttl").arg("0s").start();
    assert_eq!(mount.ok("ls -F; cat a/b"), "a/\na/b");
    assert_eq!(errno(fs::write(mount.path("a"), "x")), libc::EISDIR);
    mount.ok("rm a/b; rmdir a");
    assert_eq!(bucket.get("a").as_deref(), Some(&b"a"[..]));
    assert_eq!(mount.ok("ls -F; cat a"), "a\na", "without the directory the file shows");
}

#[test]
fn ky_02_08_keys_that_no_path_can_name_are_hidden_and_never_touched() {
    let bucket = Bucket::new(Store::shared());
    let long = format!("{}/x", "l".repeat(256));
    let odd = ["x//y", "//", "./p", "d/../e", "d/./f", long.as_str()];
    let stored = put_what_the_store_takes(&bucket, &odd);
    bucket.put("x/y", "good");
    bucket.put("d/ok", "good");
    let mount = bucket.mount().start();
    assert_eq!(names(&mount.root), set(&["d", "x"]));
    assert_eq!(mount.ok("cat x/y; ls d"), "goodok\n");
    mount.ok("rm x/y d/ok");
    if stored.contains(&"x//y") {
        assert!(mount.fails("rmdir x").contains("not empty"));
        assert!(mount.fails("mv x z").contains("not empty"));
    }
    let left: Vec<&str> = stored.iter().copied().filter(|key| bucket.get(key).is_some()).collect();
    assert_eq!(left, stored);
}

#[test]
fn ky_03_08_odd_names_round_trip() {
    let bucket = Bucket::new(Store::shared());
    let odd = [
        " lead",
        "trail ",
        "dot.",
        "a+b",
        "a%2Fb",
        "a%20b",
        "a&b",
        "&#x8;",
        "<x>",
        "a=b?c#d",
        "*?\"|\\",
        "new\nline",
        "tab\t",
        "\u{1}\u{1f}\u{7f}",
        "🦀",
        "é",
        "e\u{301}",
        "...",
        "-rf",
        "~",
        "$HOME",
    ];
    let mut mount = bucket.mount().start();
    for name in odd {
        fs::write(mount.path(name), name).unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    assert_eq!(bucket.keys().iter().map(String::as_str).collect::<BTreeSet<_>>(), odd.into_iter().collect());
    mount.remount();
    assert_eq!(names(&mount.root), set(&odd));
    for name in odd {
        assert_eq!(fs::read_to_string(mount.path(name)).expect("readable"), name);
    }
    mount.ok("find . -type f -print0 | tar -cf ../all.tar --null -T -; tar -df ../all.tar");
    for name in odd {
        fs::remove_file(mount.path(name)).unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    assert!(bucket.keys().is_empty());
}

#[test]
fn ky_04_long_names_and_keys_are_refused_before_anything_is_sent() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    let longest = "n".repeat(255);
    fs::write(mount.path(&longest), "x").expect("255 bytes fit");
    assert_eq!(errno(fs::write(mount.path("n".repeat(256)), "x")), libc::ENAMETOOLONG);
    // MinIO puts some bytes behind the last name of a marker: 240 is as long as it takes.
    let deep = mount.root.join("a".repeat(240)).join("b".repeat(240)).join("c".repeat(240));
    fs::create_dir_all(&deep).expect("722 bytes of key");
    fs::write(deep.join("f".repeat(255)), "x").expect("978 bytes of key");
    let deeper = deep.join("d".repeat(200));
    fs::create_dir(&deeper).expect("923 bytes of key");
    assert_eq!(errno(fs::write(deeper.join("g".repeat(120)), "x")), libc::ENAMETOOLONG);
    assert_eq!(errno(fs::create_dir(deeper.join("g".repeat(120)))), libc::ENAMETOOLONG);
    fs::create_dir(mount.path("p".repeat(100))).expect("a directory");
    let before = bucket.keys();
    let (from, to) = (mount.path("a".repeat(240)), mount.path("p".repeat(100)).join("a"));
    assert_eq!(errno(fs::rename(&from, to.with_file_name("a".repeat(240)))), libc::ENAMETOOLONG);
    assert_eq!(bucket.keys(), before, "nothing has moved");
    fs::rename(&from, &to).expect("this fits");
}

#[test]
fn ky_05_names_that_are_not_utf_8_are_refused() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    let path = mount.root.join(OsStr::from_bytes(b"caf\xe9"));
    assert_eq!(errno(fs::write(&path, "x")), libc::EILSEQ);
    assert_eq!(errno(fs::create_dir(&path)), libc::EILSEQ);
    assert!(bucket.keys().is_empty());
}

#[test]
fn ky_06_names_that_look_alike_are_different_files() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    for name in ["\u{e9}", "e\u{301}", "A", "a"] {
        fs::write(mount.path(name), name).expect("a file");
    }
    assert_eq!(names(&mount.root).len(), 4);
    assert_eq!(bucket.get("e\u{301}").as_deref(), Some("e\u{301}".as_bytes()));
}

#[test]
fn ky_07_a_marker_with_bytes_is_kept_until_its_directory_goes() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("d/", "bytes in a marker");
    bucket.put("d/f", "x");
    bucket.put("h_$folder$", "");
    let mount = bucket.mount().start();
    assert_eq!(mount.ok("ls; ls d"), "d\nh_$folder$\nf\n");
    mount.ok("chmod 700 d; rm d/f");
    assert_eq!(bucket.get("d/").as_deref(), Some(&b"bytes in a marker"[..]));
    mount.ok("rmdir d");
    assert_eq!(bucket.get("d/"), None);
}

#[test]
fn ky_09_the_order_of_the_store_confuses_nothing() {
    let bucket = Bucket::new(Store::shared());
    for key in ["a-", "a-/x", "a/x", "a.b", "a0", "a!/y"] {
        put_what_the_store_takes(&bucket, &[key]);
    }
    if bucket.keys().len() < 6 {
        return super::harness::lacks("keys below a key, in listings");
    }
    let mount = bucket.mount().start();
    assert_eq!(mount.ok("ls -F"), "a/\na!/\na-/\na.b\na0\n");
    assert_eq!(mount.ok("cat a/x a-/x a!/y a.b a0"), "a/xa-/xa!/ya.ba0");
}

#[test]
fn reserved_names_cannot_be_seen_nor_made() {
    let bucket = Bucket::new(Store::shared());
    for key in [".holdfs.d/host/1", "d/.holdfs.d/x", "d/f", ".versions/x"] {
        bucket.put(key, "x");
    }
    let mount = bucket.mount().start();
    assert_eq!(mount.ok("ls -A; ls -A d"), "d\nf\n");
    for name in [".holdfs", ".holdfs.d", "d/.holdfs", "d/.holdfs.d"] {
        assert_eq!(errno(fs::write(mount.path(name), "x")), libc::EPERM, "{name}");
        assert_eq!(errno(fs::create_dir(mount.path(name))), libc::EPERM, "{name}");
        assert_eq!(errno(fs::rename(mount.path("d/f"), mount.path(name))), libc::EPERM, "{name}");
        assert!(!mount.path(name).exists(), "{name}");
    }
    assert_eq!(bucket.keys(), [".holdfs.d/host/1", ".versions/x", "d/.holdfs.d/x", "d/f"]);
}

#[test]
fn dl_21_a_directory_stays_until_rmdir_and_rmdir_takes_no_child() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("marked/", "");
    bucket.put("implicit/f", "x");
    bucket.put("deep/er/f", "x");
    let mount = bucket.mount().start();
    assert!(mount.fails("rmdir deep").contains("not empty"));
    assert!(mount.fails("rmdir implicit").contains("not empty"));
    mount.ok("rm implicit/f deep/er/f; test -d implicit; test -d deep/er; rmdir marked implicit");
    assert_eq!(mount.ok("find . -mindepth 1 | sort"), "./deep\n./deep/er\n");
    mount.ok("mkdir new; echo x > new/f; rm -r new deep");
    assert!(bucket.keys().is_empty(), "{:?}", bucket.keys());
    assert_eq!(mount.ok("ls -A"), "");
}

#[test]
fn dl_21_a_child_that_another_client_made_keeps_its_directory() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("mkdir d; ls d");
    bucket.put("d/foreign", "x");
    assert!(mount.fails("rmdir d").contains("not empty"));
    assert_eq!(bucket.get("d/foreign").as_deref(), Some(&b"x"[..]));
}

fn failing(mount_of: &Bucket<'_>, operation: &str, status: u16, code: &str) {
    let action = Action::Status { status, code: code.into(), headers: Vec::new(), when: When::Before };
    let server = mount_of.store.server.as_ref().expect("an embedded server");
    server.faults().add(Rule::new(action).on(operation));
}

#[test]
fn dl_22_what_the_store_refuses_is_not_absent() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    bucket.put("f", "x");
    let mount = bucket.mount().start();
    for operation in ["HeadObject", "ListObjectsV2"] {
        failing(&bucket, operation, 403, "AccessDenied");
        assert_eq!(errno(fs::metadata(mount.path("new"))), libc::EACCES, "{operation}");
        assert_eq!(errno(fs::File::create_new(mount.path("new"))), libc::EACCES, "{operation}");
        store.server.as_ref().expect("embedded").faults().clear();
    }
    assert_eq!(errno(fs::metadata(mount.path("new"))), libc::ENOENT);
}

#[test]
fn dl_22_an_empty_page_in_the_middle_hides_nothing() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    bucket.put("d/f", "x");
    let mount = bucket.mount().start();
    let faults = store.server.as_ref().expect("embedded").faults();
    let rule = faults.add(Rule::new(Action::EmptyPage).on("ListObjectsV2").times(3));
    assert_eq!(mount.ok("ls; ls d"), "d\nf\n");
    assert!(faults.fired(rule) > 0);
}

#[test]
fn mm_01_five_thousand_entries_are_each_listed_once_at_a_request_a_thousand() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let expected: BTreeSet<String> = (0..5200).map(|index| format!("file-{index:05}")).collect();
    expected.iter().for_each(|name| bucket.put(&format!("d/{name}"), "x"));
    let mount = bucket.mount().arg("--ttl").arg("60s").start();
    let log = store.server.as_ref().expect("embedded").log();
    log.reset();
    let listed: Vec<_> =
        fs::read_dir(mount.path("d")).expect("a directory").map(|entry| entry.expect("an entry")).collect();
    assert_eq!(listed.len(), expected.len());
    assert_eq!(
        listed.iter().map(|entry| entry.file_name().into_string().expect("UTF-8")).collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(mount.ok("ls -l d | wc -l"), "5201\n");
    let requests: u64 = log.counters().values().map(|counter| counter.requests).sum();
    assert!(requests <= 10, "{:?}", log.counters());
    let numbers: BTreeSet<u64> =
        listed.iter().map(|entry| entry.metadata().expect("its attributes").ino()).collect();
    assert_eq!(numbers.len(), expected.len(), "inode numbers differ");
}

fn churn(mount: &Mount<'_>, bucket: &Bucket<'_>, round: usize) {
    fs::write(mount.path(format!("d/local-{round}")), "x").expect("a file");
    bucket.put(&format!("d/foreign-{round}"), "x");
    fs::remove_file(mount.path(format!("d/k{:04}", round * 2))).expect("removed");
    bucket.delete(&format!("d/k{:04}", 1500 + round * 2));
}

#[test]
fn a_directory_that_changes_while_it_is_read_loses_and_doubles_nothing() {
    let bucket = Bucket::new(Store::shared());
    let keys: Vec<String> = (0..2400).map(|index| format!("k{index:04}")).collect();
    keys.iter().for_each(|key| bucket.put(&format!("d/{key}"), "x"));
    let mount = bucket.mount().arg("--ttl").arg("1s").start();
    let mut seen = Vec::new();
    for (index, entry) in fs::read_dir(mount.path("d")).expect("a directory").enumerate() {
        seen.push(entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        if index % 100 == 0 && index / 100 < 24 {
            churn(&mount, &bucket, index / 100);
        }
    }
    let unique: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "nothing twice");
    let removed = |key: &String| {
        let number: usize = key[1..].parse().expect("a number");
        number.is_multiple_of(2) && (number < 48 || (1500..1548).contains(&number))
    };
    assert!(keys.iter().filter(|key| !removed(key)).all(|key| unique.contains(key)), "nothing lost");
    std::thread::sleep(Duration::from_millis(1100));
    let after = names(&mount.path("d"));
    assert_eq!(after.len(), 2400);
    assert!(after.contains("local-23") && after.contains("foreign-23"));
}

#[test]
fn names_removed_through_the_handle_that_lists_them_all_go() {
    let bucket = Bucket::new(Store::shared());
    (0..1300).for_each(|index| bucket.put(&format!("d/{index:05}"), "x"));
    let mount = bucket.mount().start();
    for entry in fs::read_dir(mount.path("d")).expect("a directory") {
        fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    fs::remove_dir(mount.path("d")).expect("empty");
    assert!(bucket.keys().is_empty());
}

#[test]
fn inode_numbers_are_the_same_after_a_remount_and_follow_a_rename() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("d/f", "x");
    let mut mount = bucket.mount().start();
    let number = |mount: &Mount<'_>, name: &str| fs::metadata(mount.path(name)).expect("there").ino();
    let before = (number(&mount, "d"), number(&mount, "d/f"));
    mount.remount();
    assert_eq!((number(&mount, "d"), number(&mount, "d/f")), before);
    let open = fs::File::open(mount.path("d/f")).expect("opens");
    mount.ok("mv d/f d/g");
    assert_eq!(open.metadata().expect("its attributes").ino(), before.1);
    fs::write(mount.path("d/f"), "new").expect("a new file at the old name");
    assert_ne!(number(&mount, "d/f"), before.1, "while the old inode lives");
}

//! What people do with files.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use holdfs::s3::ETag;
use holdfs::s3::ops::{PutObject, WriteCondition};

use super::harness::{Bucket, ObjectLock, Store, lacks, noise, run_within};

#[test]
fn foreign_objects_are_listed_and_read() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("a.txt", "alpha\n");
    bucket.put("dir/b.txt", "beta\n");
    bucket.put("dir/deep/er/c", "");
    let mount = bucket.mount().start();
    assert_eq!(mount.ok("ls"), "a.txt\ndir\n");
    assert_eq!(mount.ok("cat a.txt dir/b.txt"), "alpha\nbeta\n");
    assert_eq!(mount.ok("find . -type f | sort"), "./a.txt\n./dir/b.txt\n./dir/deep/er/c\n");
    assert_eq!(
        mount.ok("stat -c '%s %F' a.txt dir dir/deep/er/c"),
        "6 regular file\n0 directory\n0 regular empty file\n"
    );
    assert!(mount.fails("cat missing").contains("No such file or directory"));
}

#[test]
fn a_prefix_is_the_root_of_its_mount() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("in/side/x", "x");
    bucket.put("outside", "y");
    let mount = bucket.mount().prefix("in/side").start();
    assert_eq!(mount.ok("ls"), "x\n");
    mount.ok("echo new > y");
    assert_eq!(bucket.get("in/side/y").as_deref(), Some(&b"new\n"[..]));
}

#[test]
fn what_is_written_is_at_the_store_when_close_returns() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    let data = noise(1, 3 << 20);
    fs::write(mount.path("big"), &data).expect("a write");
    assert!(bucket.get("big").as_deref() == Some(&data[..]));
    mount.ok("mkdir d; cp big d/copy; cmp big d/copy; : > empty");
    assert_eq!(bucket.get("empty").as_deref(), Some(&b""[..]));
    mount.remount();
    assert_eq!(mount.ok("find . -type f | sort"), "./big\n./d/copy\n./empty\n");
    mount.ok("cmp big d/copy");
}

#[test]
fn append_overwrite_and_truncate_change_what_they_say() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "0123456789");
    let mount = bucket.mount().start();
    mount.ok("printf ab >> f");
    assert_eq!(bucket.get("f").as_deref(), Some(&b"0123456789ab"[..]));
    let file = fs::File::options().write(true).open(mount.path("f")).expect("open for writing");
    file.write_all_at(b"XY", 4).expect("a write in the middle");
    drop(file);
    assert_eq!(bucket.get("f").as_deref(), Some(&b"0123XY6789ab"[..]));
    mount.ok("truncate -s 6 f; cat f > /dev/null");
    assert_eq!(mount.ok("cat f"), "0123XY");
    mount.ok("truncate -s 8 f");
    assert_eq!(fs::read(mount.path("f")).expect("a read"), b"0123XY\0\0");
    mount.ok("echo new > f");
    assert_eq!(bucket.get("f").as_deref(), Some(&b"new\n"[..]));
}

#[test]
fn files_move_within_and_between_directories() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("mkdir a b; echo one > a/1; mv a/1 a/2; mv a/2 b/3");
    assert_eq!(bucket.get("b/3").as_deref(), Some(&b"one\n"[..]));
    assert_eq!((bucket.get("a/1"), bucket.get("a/2")), (None, None));
    mount.ok("echo two > b/4; mv b/4 b/3");
    assert_eq!(mount.ok("cat b/3"), "two\n");
    mount.ok("mv b c");
    assert_eq!(mount.ok("cat c/3; ls"), "two\na\nc\n");
    assert_eq!(bucket.get("c/3").as_deref(), Some(&b"two\n"[..]));
}

#[test]
fn directories_are_made_and_removed_and_stay_when_emptied() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("implicit/only", "x");
    let mount = bucket.mount().start();
    mount.ok("mkdir -p p/q; rmdir p/q; rmdir p");
    assert_eq!(mount.ok("ls"), "implicit\n");
    assert!(mount.fails("rmdir implicit").contains("Directory not empty"));
    mount.ok("rm implicit/only");
    assert_eq!(mount.ok("ls"), "implicit\n");
    assert!(mount.fails("mkdir implicit").contains("File exists"));
    mount.ok("rmdir implicit");
    assert_eq!(mount.ok("ls"), "");
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn symlinks_modes_and_times_survive_a_remount() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    fs::write(mount.path("target"), "t").expect("a write");
    symlink("target", mount.path("link")).expect("a link");
    mount.ok("chmod 600 target; touch -d '2001-02-03 04:05:06 UTC' target");
    mount.remount();
    assert_eq!(fs::read_link(mount.path("link")).expect("a link").to_str(), Some("target"));
    assert_eq!(mount.ok("cat link"), "t");
    let found = fs::metadata(mount.path("target")).expect("attributes");
    assert_eq!((found.permissions().mode() & 0o7777, found.mtime()), (0o600, 981_173_106));
}

#[test]
fn tags_and_metadata_are_extended_attributes() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("echo x > f; setfattr -n user.s3.tag.project -v apollo f; setfattr -n user.colour -v red f");
    assert_eq!(mount.ok("getfattr --only-values -n user.s3.tag.project f"), "apollo");
    assert_eq!(mount.ok("getfattr --only-values -n user.s3.tags f"), "project=apollo");
    assert_eq!(bucket.head("f").metadata.get("colour").map(String::as_str), Some("red"));
    mount.ok("setfattr -x user.s3.tag.project f; setfattr -x user.colour f");
    assert!(mount.fails("getfattr -n user.s3.tag.project f").contains("No such attribute"));
}

#[test]
fn a_file_under_legal_hold_refuses_every_change() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let mount = bucket.mount().start();
    mount.ok("echo contract > f; setfattr -n user.s3.legal-hold -v ON f");
    for script in [
        "rm f",
        "mv f g",
        "echo x > f",
        "echo x >> f",
        "truncate -s 0 f",
        "chmod 600 f",
        "echo y > h; mv h f",
    ] {
        assert!(mount.fails(script).contains("Operation not permitted"), "{script}");
    }
    assert_eq!(mount.ok("cat f"), "contract\n");
    mount.ok("setfattr -n user.s3.legal-hold -v OFF f; rm f");
    assert!(!mount.path("f").exists());
}

#[test]
fn an_unlinked_file_works_until_it_is_closed() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    let script =
        "exec 3<> f; echo kept >&3; rm f; test ! -e f; echo more >&3; exec 4< /proc/self/fd/3; cat <&4";
    assert_eq!(mount.ok(script), "kept\nmore\n");
    assert_eq!(bucket.get("f"), None);
}

#[test]
fn a_read_only_mount_refuses_changes() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "x");
    let mount = bucket.mount().arg("--read-only").start();
    assert_eq!(mount.ok("cat f"), "x");
    for script in ["echo y > f", "rm f", "mkdir d", "touch new", "mv f g"] {
        assert!(mount.fails(script).contains("Read-only file system"), "{script}");
    }
}

#[test]
fn the_kernel_shows_what_is_mounted() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().prefix("some/where").start();
    let line = mount.ok("grep \" $PWD \" /proc/mounts");
    assert!(line.starts_with(&format!("{}/some/where ", bucket.name)), "{line}");
    for word in [" fuse.holdfs ", "nosuid", "nodev", "default_permissions"] {
        assert!(line.contains(word), "{line}");
    }
    assert!(!line.contains("allow_other"), "{line}");
}

#[test]
fn foreign_changes_show_when_the_time_to_live_is_over() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "old");
    let mount = bucket.mount().arg("--ttl").arg("0").start();
    assert_eq!(mount.ok("cat f; ls"), "oldf\n");
    bucket.put("f", "longer than before");
    bucket.put("g", "new");
    assert_eq!(mount.ok("cat f; ls"), "longer than beforef\ng\n");
    bucket.delete("f");
    assert_eq!(mount.ok("ls"), "g\n");
    assert!(mount.fails("cat f").contains("No such file or directory"));
}

/// A mount has no files without names, as other file systems have: a download is there whole or not at all just the same.
#[test]
fn an_object_is_downloaded_into_a_mount() {
    let (bucket, from) = (Bucket::new(Store::shared()), Bucket::new(Store::shared()));
    let mount = bucket.mount().start();
    for content in [noise(1, 3 << 20), noise(2, 2 << 20)] {
        from.put("k", &content);
        let file = mount.path("f");
        let mut get = Store::shared().command();
        get.args(["object", "get", &format!("{}/k", from.name), file.to_str().expect("text")]);
        let (output, _) = run_within(&mut get, Duration::from_secs(60));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(&file).expect("a file") == content);
        assert_eq!(mount.ok("ls -A"), "f\n");
        assert!(bucket.get("f").expect("stored") == content);
    }
}

/// Not a test of ours: it fills the last column of the conformance table.
#[test]
fn what_the_store_lacks_is_told() {
    let bucket = Bucket::new(Store::shared());
    let put = |condition| PutObject { condition, ..PutObject::new(&bucket.name, "f", "x") };
    bucket.put("f", "x");
    if bucket.send(&put(WriteCondition::Absent)).is_ok() {
        lacks("PUT If-None-Match");
    }
    if bucket.send(&put(WriteCondition::Matches(ETag("no-such-tag".into())))).is_ok() {
        lacks("PUT If-Match");
    }
}

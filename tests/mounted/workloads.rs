//! The programs that people run on a mount: `cp -r`, `diff`, `git`, `tar`, `rsync`-like temporary files.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::harness::{Bucket, Mount, Store, noise};

/// These tests run many requests against stores that answer slowly.
const LONG: Duration = Duration::from_secs(600);

#[test]
fn a_tree_of_2000_real_files_is_copied_and_compares_equal_after_a_remount() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().test_max(LONG).start();
    let tree = mount.beside().join("tree");
    let copied = copy_real_files(&tree, 2000);
    assert!(copied >= 2000, "the sources of this project's dependencies have only {copied} files");
    mount.ok(&format!("cp -r {} . && diff -r {0} tree", tree.display()));
    mount.remount();
    mount.ok(&format!("diff -r {} tree", tree.display()));
    mount.ok("rm -r tree && test -z \"$(ls -A)\"");
    assert!(bucket.keys().is_empty(), "{:?}", bucket.keys());
}

#[test]
fn git_clones_commits_and_finds_nothing_wrong() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().test_max(LONG).start();
    let origin = mount.beside().join("origin");
    make_repository(&origin);
    git(&mount, &format!("git clone --quiet {} clone", origin.display()));
    git(&mount, "cd clone && echo more >> file3 && git add . && git commit --quiet -m 'on the mount'");
    git(
        &mount,
        "cd clone && git checkout --quiet -b side && git mv file1 moved && git commit --quiet -am moved",
    );
    git(&mount, "cd clone && git gc --quiet && git fsck --strict && test -z \"$(git status --porcelain)\"");
    mount.remount();
    git(&mount, "cd clone && git fsck --strict && git log --oneline | wc -l | grep -qx 7 && test -f moved");
}

#[test]
fn a_large_file_goes_up_in_parts_comes_back_and_an_edit_of_its_middle_sends_only_what_changed() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().test_max(LONG).start();
    let mut data = noise(7, 70 << 20);
    fs::write(mount.path("large"), &data).expect("a write");
    assert!(bucket.get("large").as_deref() == Some(&data[..]), "as written");
    mount.remount();
    assert!(fs::read(mount.path("large")).expect("a read") == data, "as read after a remount");

    let change = b"changed";
    let offset = 33 << 20;
    data[offset..offset + change.len()].copy_from_slice(change);
    let file = fs::File::options().write(true).open(mount.path("large")).expect("an open");
    file.write_all_at(change, offset as u64).expect("a write");
    file.sync_all().expect("an fsync");
    drop(file);
    assert!(bucket.get("large").as_deref() == Some(&data[..]), "as edited");
    mount.remount();
    assert!(fs::read(mount.path("large")).expect("a read") == data, "as edited, after a remount");
}

#[test]
fn tar_packs_and_unpacks_what_it_packed() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().test_max(LONG).start();
    mount.ok("mkdir -p a/b && for i in $(seq 50); do echo $i > a/b/file$i; done && ln -s b/file1 a/link");
    mount.ok("tar -cf packed.tar a && mkdir out && tar -xf packed.tar -C out && diff -r a out/a");
}

#[test]
fn an_editor_that_saves_by_rename_leaves_the_new_text_under_the_old_name() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("echo old > text");
    mount.ok("echo new > .text.swp && sync .text.swp && mv .text.swp text");
    assert_eq!(mount.ok("cat text; ls -A"), "new\ntext\n");
    assert_eq!(bucket.keys(), ["text"]);
}

/// Copies this many files from the sources of our dependencies, which cargo has put on this machine to build us.
fn copy_real_files(to: &Path, wanted: usize) -> usize {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).expect("a home");
    let registry = home.join("registry/src");
    let (mut folders, mut copied) = (vec![registry.clone()], 0);
    while let Some(folder) = folders.pop().filter(|_| copied < wanted) {
        let mut entries: Vec<_> =
            fs::read_dir(&folder).expect("sources").map(|entry| entry.expect("an entry")).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().expect("its type");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && copied < wanted {
                let target = to.join(entry.path().strip_prefix(&registry).expect("below the registry"));
                fs::create_dir_all(target.parent().expect("has a parent")).expect("a directory");
                fs::copy(entry.path(), &target).expect("a copy");
                copied += 1;
            }
        }
    }
    copied
}

fn make_repository(at: &Path) {
    let script = "git init --quiet . && for i in 1 2 3 4 5; do seq $((i * 1000)) > file$i; git add .; \
                  git commit --quiet -m \"commit $i\"; done";
    fs::create_dir(at).expect("a directory");
    let status = Command::new("sh").args(["-ec", script]).current_dir(at).envs(identity()).status();
    assert!(status.expect("git runs").success());
}

fn git(mount: &Mount<'_>, script: &str) {
    let exports: String =
        identity().iter().map(|(name, value)| format!("export {name}='{value}'; ")).collect();
    mount.ok(&format!("{exports}{script}"));
}

fn identity() -> [(&'static str, &'static str); 6] {
    [
        ("GIT_AUTHOR_NAME", "Test"),
        ("GIT_AUTHOR_EMAIL", "test@example.com"),
        ("GIT_COMMITTER_NAME", "Test"),
        ("GIT_COMMITTER_EMAIL", "test@example.com"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ]
}

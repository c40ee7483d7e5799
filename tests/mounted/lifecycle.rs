//! How mounts begin and end, well and badly.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use holdfs::embedded;
use holdfs::embedded::faults::{Action, Rule, When};

use super::harness::{Bucket, HOLDFS, Store, run_within};

#[test]
fn sigterm_unmounts_and_exits_0() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    mount.ok("echo x > f");
    mount.signal(libc::SIGTERM);
    assert!(mount.wait(Duration::from_secs(10)).success());
    assert!(!mount.is_mounted());
}

#[test]
fn sigterm_with_a_file_open_leaves_the_tree_all_the_same() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "x");
    let mut mount = bucket.mount().start();
    let open = fs::File::open(mount.path("f")).expect("an open file");
    mount.signal(libc::SIGTERM);
    mount.wait(Duration::from_secs(10));
    assert!(!mount.is_mounted());
    drop(open);
}

#[test]
fn hg_04_sigterm_with_a_dead_endpoint_exits() {
    let mut store = Store::embedded(embedded::Options::default());
    let server = store.server.take().expect("its own server");
    let bucket = Bucket::new(&store);
    let mut mount = bucket.mount().arg("--drain-timeout").arg("2s").start();
    mount.ok("echo x > f");
    super::harness::block_on(server.stop());
    // A close that cannot reach the store is on its way when the end comes.
    let mut stuck =
        Command::new("sh").arg("-c").arg("echo y > g").current_dir(&mount.root).spawn().expect("a writer");
    thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    mount.signal(libc::SIGTERM);
    mount.wait(Duration::from_secs(15));
    assert!(start.elapsed() < Duration::from_secs(12));
    assert!(!mount.is_mounted());
    let _ = stuck.wait();
}

#[test]
fn hg_14_a_killed_mount_is_taken_away_by_the_next() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    mount.ok("echo kept > f");
    mount.kill();
    assert!(mount.is_mounted(), "the dead mount stays");
    let error = fs::read_dir(&mount.root).expect_err("nobody answers");
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
    mount.mount();
    assert_eq!(mount.ok("cat f"), "kept\n");
}

#[test]
fn umount_takes_a_dead_mount_away() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    mount.kill();
    let mut command = Command::new(HOLDFS);
    let (output, _) = run_within(command.arg("umount").arg(&mount.root), Duration::from_secs(10));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!mount.is_mounted());
}

#[test]
fn umount_of_a_busy_mount_says_so_and_leaves_it_working() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "x");
    let mut mount = bucket.mount().start();
    let open = fs::File::open(mount.path("f")).expect("an open file");
    let umount = |mount: &super::harness::Mount<'_>| {
        run_within(Command::new(HOLDFS).arg("umount").arg(&mount.root), Duration::from_secs(10)).0
    };
    let output = umount(&mount);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use"));
    assert_eq!(mount.ok("cat f"), "x");
    drop(open);
    assert!(umount(&mount).status.success());
    mount.wait(Duration::from_secs(10));
}

#[test]
fn a_plain_umount_ends_the_process() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    mount.ok("echo x > f");
    assert!(Command::new("umount").arg(&mount.root).status().expect("umount").success());
    assert!(mount.wait(Duration::from_secs(10)).success());
}

#[test]
fn hg_11_the_daemon_lets_go_of_the_terminal() {
    let bucket = Bucket::new(Store::shared());
    let mut mount = bucket.mount().start();
    mount.unmount();
    // `run_within` reads stdout and stderr to their ends: a daemon that kept them would be seen.
    let (output, _) = run_within(&mut mount.command(), Duration::from_secs(15));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(mount.is_mounted());
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let status =
        Command::new(HOLDFS).arg("status").arg(&mount.root).arg("--json").output().expect("holdfs status");
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(text.contains(&format!("\"source\":\"{}\"", bucket.name)), "{text}");
    let (output, _) =
        run_within(Command::new(HOLDFS).arg("umount").arg(&mount.root), Duration::from_secs(15));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!mount.is_mounted());
}

#[test]
fn two_writing_mounts_do_not_share_a_journal() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    let elsewhere = mount.beside().join("elsewhere");
    fs::create_dir(&elsewhere).expect("another mount point");
    let mut command = bucket.store.command();
    command.arg("mount").arg(&bucket.name).arg(&elsewhere).arg("--state").arg(mount.state_dir());
    let (output, _) = run_within(&mut command, Duration::from_secs(15));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("mounted for writing already") && said.contains(&mount.pid().to_string()),
        "{said}"
    );
}

#[cfg(debug_assertions)]
#[test]
fn hg_09_a_panic_answers_eio_and_the_mount_goes_on() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "x");
    let mount = bucket.mount().env("HOLDFS_FAILPOINT", "panic").start();
    for name in ["do-panic-in-a-task", "panic-on-the-session-thread"] {
        assert!(mount.fails(&format!("cat {name}")).contains("Input/output error"), "{name}");
        assert_eq!(mount.ok("cat f; ls"), "xf\n", "after {name}");
    }
    assert!(mount.log().contains("failpoint"));
}

#[test]
fn se_01_secrets_are_neither_logged_nor_shown() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("echo x > f; cat f");
    let secret = bucket.store.secret_key.as_bytes();
    let shows = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(!shows(mount.log().as_bytes()));
    assert!(!shows(&fs::read(format!("/proc/{}/cmdline", mount.pid())).expect("its command line")));
}

#[test]
fn se_05_nobody_else_can_read_what_is_staged() {
    use std::os::unix::fs::PermissionsExt;
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("umask 000; echo x > f");
    let mut directories = vec![mount.state_dir()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("the state directory").flatten() {
            let found = entry.metadata().expect("its attributes");
            assert_eq!(found.permissions().mode() & 0o077, 0, "{}", entry.path().display());
            if found.is_dir() {
                directories.push(entry.path());
            }
        }
    }
}

#[test]
fn hg_10_no_child_of_the_mount_inherits_its_descriptors() {
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("echo x > f");
    for entry in fs::read_dir(format!("/proc/{}/fdinfo", mount.pid())).expect("its descriptors").flatten() {
        let number: u32 = entry.file_name().to_string_lossy().parse().expect("a number");
        let info = fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("02000000").trim();
        let flags = i32::from_str_radix(flags, 8).expect("flags in octal");
        assert!(number <= 2 || flags & libc::O_CLOEXEC != 0, "descriptor {number} is inherited");
    }
}

/// As another user, in the mount; needs root.
fn as_nobody(mount: &super::harness::Mount<'_>, script: &str) -> std::process::Output {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(mount.beside(), PermissionsExt::from_mode(0o755)).expect("a way to the mount");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]).current_dir("/");
    command.env("ROOT", &mount.root).output().expect("setpriv")
}

#[test]
fn se_06_other_users_are_let_in_only_on_request_and_never_past_permissions() {
    if holdfs::config::paths::user_id() != 0 {
        return;
    }
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "x");
    let closed = bucket.mount().start();
    assert!(!as_nobody(&closed, "ls $ROOT").status.success());
    drop(closed);
    let open = bucket.mount().arg("--allow-other").arg("--file-mode").arg("600").start();
    assert!(as_nobody(&open, "ls $ROOT").status.success());
    let refused = as_nobody(&open, "cat $ROOT/f");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied"));
    assert!(!as_nobody(&open, "touch $ROOT/new").status.success());
}

#[test]
fn a_descriptor_works_for_a_user_who_inherited_it() {
    if holdfs::config::paths::user_id() != 0 {
        return;
    }
    let bucket = Bucket::new(Store::shared());
    let mount = bucket.mount().start();
    mount.ok("setpriv --reuid=65534 --regid=65534 --clear-groups echo hello > f");
    assert_eq!(bucket.get("f").as_deref(), Some(&b"hello\n"[..]));
}

#[test]
fn what_a_store_refuses_stays_in_the_journal_until_it_is_acted_on() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let mount = bucket.mount().start();
    let faults = store.server.as_ref().expect("its server").faults();
    let denied =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    let rule = faults.add(Rule::new(denied).on("PutObject"));
    // Shells do not look at what close says; cp does.
    assert!(mount.fails("echo kept > ../source; cp ../source f").contains("Permission denied"));
    let journal = |arguments: &[&str]| {
        let mut command = store.command();
        let state = mount.state_dir();
        command.arg("journal").args(arguments).env("HOLDFS_STATE", state);
        let output = run_within(&mut command, Duration::from_secs(10)).0;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let root = mount.root.to_str().expect("a path of the test's own");
    let listed = journal(&["ls"]);
    let line = listed.lines().find(|line| line.starts_with(root)).expect("a line for the file");
    let fields: Vec<_> = line.split('\t').collect();
    assert_eq!((fields[2], fields[3], fields[4]), ("f", "5", "failed"), "{line}");
    let copy = mount.beside().join("copy");
    journal(&["export", root, fields[1], copy.to_str().expect("a path")]);
    assert_eq!(fs::read(&copy).expect("the export"), b"kept\n");
    faults.remove(rule);
    journal(&["retry", root, fields[1]]);
    mount.ok("cat f > /dev/null");
    let deadline = Instant::now() + Duration::from_secs(10);
    while bucket.get("f").is_none() {
        assert!(Instant::now() < deadline, "not stored: {}", mount.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(bucket.get("f").as_deref(), Some(&b"kept\n"[..]));
}

#[test]
fn dl_01_umount_says_what_is_not_uploaded_and_the_next_mount_goes_on() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let mut mount = bucket.mount().start();
    let faults = store.server.as_ref().expect("its server").faults();
    let denied =
        Action::Status { status: 403, code: "AccessDenied".into(), headers: Vec::new(), when: When::Before };
    let rule = faults.add(Rule::new(denied).on("PutObject"));
    mount.fails("echo kept > ../source; cp ../source f");
    let mut umount = store.command();
    let (output, _) =
        run_within(umount.args(["umount", "--wait", "1"]).arg(&mount.root), Duration::from_secs(20));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 files are not uploaded"), "{said}");
    assert_eq!(mount.wait(Duration::from_secs(10)).code(), Some(1));
    let mut status = store.command();
    status.args(["status", "--state"]).arg(mount.state_dir());
    let shown =
        String::from_utf8_lossy(&run_within(&mut status, Duration::from_secs(10)).0.stdout).into_owned();
    assert!(shown.contains("holds 1 files that are not uploaded"), "{shown}");
    faults.remove(rule);
    mount.mount();
    assert_eq!(mount.ok("cat f"), "kept\n");
}

#[test]
fn the_demo_runs_its_tour_and_leaves_nothing_behind() {
    let temporary = tempfile::TempDir::new().expect("a temporary directory");
    let mut command = Command::new(HOLDFS);
    command.args(["demo", "--once"]).env("TMPDIR", temporary.path());
    let (output, _) = run_within(&mut command, Duration::from_secs(50));
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}{said}");
    assert!(shown.contains("rm: cannot remove 'contract.txt': Operation not permitted"), "{shown}");
    assert_eq!(fs::read_dir(temporary.path()).expect("the directory").count(), 0);
}

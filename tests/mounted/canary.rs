//! SE-01: secrets that nobody else has, given in every way there is, and then looked for in all that holdfs leaves
//! behind: logs at the finest level, messages, JSON, state, and what other users see of its processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use holdfs::base::secret::Secret;
use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::embedded::{KeyPair, Options, Tls};

use super::harness::{Bucket, HOLDFS, Store, run_within};

const SECRET: &str = "canaryCANARY0123456789canaryCANARY012345";

/// The embedded server with the secret that is looked for, and a session token that goes with it.
struct Nest {
    store: Store,
    token: String,
}

impl Nest {
    fn new() -> Self {
        let key_pair = KeyPair { access_key: "AKIDNEST".into(), secret_key: Secret::new(SECRET) };
        let store = Store::embedded(Options { key_pair: Some(key_pair), ..Options::default() });
        let server = store.server.as_ref().expect("embedded");
        let token = server.session_token(Duration::from_secs(3600)).expose().to_owned();
        Self { store, token }
    }

    /// Neither the secret, nor the token, nor what a signature is made with.
    fn assert_silent(&self, what: &str, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        for secret in [SECRET, self.token.as_str(), "X-Amz-Signature=", "Signature="] {
            if let Some(at) = text.find(secret) {
                let around: String =
                    text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("{what} shows {}… after {around}", &secret[..6]);
            }
        }
    }

    fn assert_silent_output(&self, what: &str, output: &Output) {
        self.assert_silent(what, &output.stdout);
        self.assert_silent(what, &output.stderr);
    }

    /// Every file below a directory.
    fn assert_silent_files(&self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a directory").flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.assert_silent_files(&path),
                Ok(kind) if kind.is_file() => {
                    self.assert_silent(&path.display().to_string(), &fs::read(&path).unwrap_or_default());
                }
                _ => {}
            }
        }
    }

    /// The command lines of a process and its children, and the children's environments: what is given in files is
    /// in neither.
    fn assert_silent_processes(&self, parent: u32) {
        let mut seen = 0;
        for entry in fs::read_dir("/proc").expect("processes").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let is_child = status.lines().any(|line| line == format!("PPid:\t{parent}"));
            if pid == parent || is_child {
                seen += 1;
                for part in ["cmdline", "environ"] {
                    let path = entry.path().join(part);
                    self.assert_silent(&path.display().to_string(), &fs::read(&path).unwrap_or_default());
                }
            }
        }
        assert!(seen > 0, "the process is there");
    }
}

/// `holdfs` without keys in its environment, at the finest level of logging.
fn bare(nest: &Nest, home: &Path) -> Command {
    let mut command = nest.store.command();
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("HOME", home)
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .env("HOLDFS_LOG", "trace");
    command
}

/// The same pair, given in five ways.
fn ways(nest: &Nest, home: &Path) -> Vec<(&'static str, Command)> {
    let aws = home.join(".aws");
    fs::create_dir_all(&aws).expect("made");
    let keys = format!(
        "aws_access_key_id = AKIDNEST\naws_secret_access_key = {SECRET}\naws_session_token = {}\n",
        nest.token
    );
    let json = format!(
        r#"{{"Version":1,"AccessKeyId":"AKIDNEST","SecretAccessKey":"{SECRET}","SessionToken":"{}"}}"#,
        nest.token
    );
    fs::write(home.join("keys.json"), json).expect("written");
    let command =
        format!("[profile command]\ncredential_process = cat {}\n", home.join("keys.json").display());
    fs::write(aws.join("config"), format!("[profile config]\n{keys}{command}")).expect("written");
    fs::write(aws.join("credentials"), format!("[shared]\n{keys}")).expect("written");
    let profile = |name: &str| {
        let mut command = bare(nest, home);
        command.env("AWS_PROFILE", name);
        command
    };
    let mut environment = bare(nest, home);
    environment
        .env("AWS_ACCESS_KEY_ID", "AKIDNEST")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", &nest.token);
    let mut alias = bare(nest, home);
    let endpoint = nest.store.endpoint.replace("http://", "");
    alias
        .env("MINIO_ALIAS", "x")
        .env("MC_HOST_x", format!("http://AKIDNEST:{SECRET}:{}@{endpoint}", nest.token));
    vec![
        ("environment", environment),
        ("alias", alias),
        ("config", profile("config")),
        ("credentials", profile("shared")),
        ("command", profile("command")),
    ]
}

#[test]
fn se_01_no_command_shows_a_secret_however_it_was_given() {
    let nest = Nest::new();
    let bucket = Bucket::new(&nest.store);
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    fs::write(&file, "content").expect("written");
    let (name, file) = (bucket.name.as_str(), file.display().to_string());
    let (object, out) = (format!("{name}/key"), home.path().join("out").display().to_string());
    let commands: [&[&str]; 11] = [
        &["object", "put", &file, &object],
        &["object", "get", &object, &out],
        &["object", "ls", &format!("{name}/")],
        &["object", "stat", &object],
        &["object", "stat", "--json", &object],
        &["object", "tag", &object, "a=b"],
        &["object", "ls", "no-such-bucket/"],
        &["bucket", "get", name, "versioning"],
        &["bucket", "ls"],
        &["doctor", name],
        &["status", "--json"],
    ];
    for (way, _) in ways(&nest, home.path()) {
        for arguments in commands {
            let (_, mut command) =
                ways(&nest, home.path()).into_iter().find(|(name, _)| *name == way).expect("the same again");
            let (output, _) = run_within(command.args(arguments), Duration::from_secs(20));
            nest.assert_silent_output(&format!("{way}: {arguments:?}"), &output);
            let refused = arguments.contains(&"no-such-bucket/");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                arguments[0] == "doctor" || output.status.success() != refused,
                "{way} {arguments:?}: {said}"
            );
        }
    }
    // What the store refuses to sign for, and what it repeats of it.
    let fault = |code: &str| Action::Status {
        status: 403,
        code: code.into(),
        headers: Vec::new(),
        when: When::Before,
    };
    let faults = nest.store.server.as_ref().expect("embedded").faults();
    for code in ["SignatureDoesNotMatch", "ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed"] {
        faults.add(Rule::new(fault(code)));
        for (way, mut command) in ways(&nest, home.path()) {
            let (output, _) = run_within(command.args(["object", "stat", &object]), Duration::from_secs(20));
            assert!(!output.status.success(), "{way} {code}");
            nest.assert_silent_output(&format!("{way} {code}"), &output);
        }
        faults.clear();
    }
    // A presigned URL is what was asked for, and goes to standard output alone.
    for (way, mut command) in ways(&nest, home.path()) {
        let (output, _) = run_within(command.args(["object", "presign", &object]), Duration::from_secs(20));
        let url = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(url.contains("X-Amz-Signature=") && !url.contains(SECRET), "{way}: {url}");
        nest.assert_silent(way, &output.stderr);
    }
}

/// 32 bytes that are text, so that they would be found as they are, too.
const CUSTOMER_KEY: &str = "canaryKEYcanaryKEYcanaryKEY01234";

fn assert_keyless(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, CUSTOMER_KEY);
    for secret in [CUSTOMER_KEY, encoded.trim_end_matches('=')] {
        assert!(!text.contains(secret), "{what} shows the customer's key");
    }
}

/// What other users see of a process.
fn assert_keyless_process(pid: u32) {
    for part in ["cmdline", "environ"] {
        let seen = fs::read(format!("/proc/{pid}/{part}")).expect("it runs");
        assert!(part == "environ" || !seen.is_empty());
        assert_keyless(part, &seen);
    }
}

#[test]
fn se_01_no_command_shows_a_customers_key() {
    let home = tempfile::tempdir().expect("a folder");
    let certificate = home.path().join("ca.pem");
    let tls = Tls::SelfSigned { write_to: Some(certificate.clone()) };
    let name = "customer-key";
    for options in [Options { tls, ..Options::default() }, Options::default()] {
        let store = Store::embedded(options);
        let faults = store.server.as_ref().expect("embedded").faults();
        let key = home.path().join("key").display().to_string();
        fs::write(&key, CUSTOMER_KEY).expect("written");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("mine alone");
        let file = home.path().join("file").display().to_string();
        fs::write(&file, "content").expect("written");
        let command = |arguments: &[&str]| {
            let mut command = store.command();
            command.env("AWS_CA_BUNDLE", &certificate).env("HOLDFS_LOG", "trace").env("RUST_LOG", "trace");
            command.args(arguments);
            command
        };
        let (made, _) =
            run_within(&mut command(&["bucket", "create", name, "--json"]), Duration::from_secs(20));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (object, copy) = (format!("{name}/key"), format!("{name}/copy"));
        let own = ["--sse-c-key-file", key.as_str()];
        let commands: [&[&str]; 9] = [
            &["object", "put", &file, &object],
            &["object", "get", &object, "-"],
            &["object", "cat", &object],
            &["object", "stat", "--json", &object],
            &["object", "attributes", &object],
            &["object", "append", &file, &object],
            &["object", "compose", &copy, &object, "--sse-c-copy-source-key-file", &key],
            &["object", "cp", &object, &copy, "--sse-c-copy-source-key-file", &key],
            &["object", "select", &object, "select * from s3object"],
        ];
        for arguments in commands {
            let (output, _) = run_within(command(arguments).args(own), Duration::from_secs(20));
            assert_keyless(&format!("{arguments:?}"), &output.stdout);
            assert_keyless(&format!("{arguments:?}"), &output.stderr);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("chmod"), "a key that is mine alone is no fault: {said}");
        }
        // While it runs, seen by others.
        faults.add(Rule::new(Action::Delay { milliseconds: 60_000 }));
        let mut running = command(&["object", "put", &file, &object]).args(own).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(300));
        assert_keyless_process(running.id());
        running.kill().expect("killed");
        running.wait().expect("its status");
    }
}

#[test]
fn se_13_keys_that_others_can_read_are_told_and_commands_are_run_without_a_shell() {
    let nest = Nest::new();
    let bucket = Bucket::new(&nest.store);
    let home = tempfile::tempdir().expect("a folder");
    let _ = ways(&nest, home.path());
    // A shell would make the files.
    let marks = ["one", "two", "three"].map(|name| home.path().join(name));
    let [one, two, three] = marks.each_ref().map(|mark| mark.display());
    let line = format!(
        "[profile shell]\ncredential_process = cat {} $(touch {one}) ; touch {two} | touch {three}\n",
        home.path().join("keys.json").display()
    );
    fs::write(home.path().join(".aws/config"), line).expect("written");
    let mut command = bare(&nest, home.path());
    command.env("AWS_PROFILE", "shell").args(["object", "ls", &bucket.name]);
    let (output, _) = run_within(&mut command, Duration::from_secs(20));
    nest.assert_silent_output("credential_process", &output);
    assert!(marks.iter().all(|mark| !mark.exists()), "a shell ran");
    let key = home.path().join("key");
    fs::write(&key, CUSTOMER_KEY).expect("written");
    for (mode, told) in [(0o600, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("set");
        let mut command = nest.store.command();
        command.args(["object", "stat", &format!("{}/k", bucket.name), "--sse-c-key-file"]).arg(&key);
        let (output, _) = run_within(&mut command, Duration::from_secs(20));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.contains("chmod 600"), told, "{mode:o}: {said}");
    }
}

#[test]
fn se_01_a_mount_leaves_no_secret_anywhere() {
    let nest = Nest::new();
    let bucket = Bucket::new(&nest.store);
    let home = tempfile::tempdir().expect("a folder");
    let _ = ways(&nest, home.path());
    for profile in ["shared", "command"] {
        let mut mount = bucket
            .mount()
            .arg("--profile")
            .arg(profile)
            .arg("--log")
            .arg("trace")
            .env("HOME", &home.path().display().to_string())
            .env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("RUST_LOG", "trace")
            .start();
        mount.ok("echo content > file; mkdir -p d; mv file d/; cat d/file; setfattr -n user.s3.tag.a -v b d/file; ls -la d");
        nest.store.server.as_ref().expect("embedded").faults().add(
            Rule::new(Action::Status {
                status: 403,
                code: "AccessDenied".into(),
                headers: Vec::new(),
                when: When::Before,
            })
            .on("PutObject"),
        );
        mount.fails("dd if=/dev/zero of=refused bs=8 count=1 conv=fsync");
        nest.assert_silent_processes(mount.pid());
        nest.store.server.as_ref().expect("embedded").faults().clear();
        for arguments in
            [&["status"][..], &["status", "--json"], &["journal", "ls"], &["journal", "ls", "--json"]]
        {
            let mut command = Command::new(HOLDFS);
            command.args(arguments).arg("--state").arg(mount.state_dir());
            let (output, _) = run_within(&mut command, Duration::from_secs(20));
            nest.assert_silent_output(&format!("{arguments:?}"), &output);
        }
        nest.assert_silent(
            "the attributes",
            mount.ok("getfattr -d -m - -R . 2>/dev/null || true").as_bytes(),
        );
        mount.kill();
        nest.assert_silent("the log", mount.log().as_bytes());
        assert!(mount.log().contains("TRACE") || mount.log().contains("DEBUG"), "{}", mount.log());
        nest.assert_silent_files(&mount.state_dir());
    }
}

//! Stores, buckets and mounts for tests.
//!
//! House rule: never touch a mount that no [`Watchdog`] watches. Every system call on a mount may block in the kernel
//! until the mount answers; only aborting its connection (`/sys/fs/fuse/connections/N/abort`) gets a stuck test back.

use std::ffi::OsStr;
use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{LazyLock, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdfs::base::secret::Secret;
use holdfs::embedded;
use holdfs::mount::{control, table};
use holdfs::s3::ops::{
    CreateBucket, DeleteBucket, DeleteObject, GetObject, HeadObject, HeadObjectOutput, ListObjectVersions,
    ListObjectsV2, PutObject,
};
use holdfs::s3::{self, Client, Credentials, Operation, Provider};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// No test may take longer, whatever it waits for.
pub const TEST_MAX: Duration = Duration::from_secs(180);

/// The binary under test.
pub const HOLDFS: &str = env!("CARGO_BIN_EXE_holdfs");

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime for the tests"));

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// A store to test against.
pub struct Store {
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    /// `None` for a store of somebody else.
    pub server: Option<embedded::Server>,
    /// What a test leaves there stays.
    outlives_tests: bool,
}

impl Store {
    /// The store that most tests share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Store> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::external().unwrap_or_else(|| Self::embedded(embedded::Options::default())))
    }

    /// An embedded server of the test's own, with faults to script.
    pub fn embedded(options: embedded::Options) -> Self {
        let region = options.region.clone();
        let server = block_on(embedded::Server::start(options)).expect("the embedded server starts");
        let pair = server.key_pair();
        Self {
            endpoint: server.endpoint(),
            access_key: pair.access_key.clone(),
            secret_key: pair.secret_key.expose().to_owned(),
            region,
            server: Some(server),
            outlives_tests: false,
        }
    }

    fn external() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self {
            endpoint: variable("HOLDFS_TEST_ENDPOINT")?,
            access_key: variable("AWS_ACCESS_KEY_ID").expect("AWS_ACCESS_KEY_ID for HOLDFS_TEST_ENDPOINT"),
            secret_key: variable("AWS_SECRET_ACCESS_KEY")
                .expect("AWS_SECRET_ACCESS_KEY for HOLDFS_TEST_ENDPOINT"),
            region: variable("AWS_REGION").unwrap_or_else(|| "us-east-1".into()),
            server: None,
            outlives_tests: true,
        })
    }

    pub fn client(&self) -> Client {
        Client::new(self.config()).expect("a client")
    }

    pub fn config(&self) -> s3::Config {
        let credentials = Credentials::new(&self.access_key, Secret::new(&self.secret_key));
        s3::Config {
            endpoint: Some(self.endpoint.clone()),
            region: Some(self.region.clone()),
            ca_file: std::env::var_os("AWS_CA_BUNDLE").map(PathBuf::from),
            ..s3::Config::new(Provider::fixed(credentials))
        }
    }

    /// `holdfs` with the environment that reaches this store and nothing else of the caller's.
    pub fn command(&self) -> Command {
        let mut command = Command::new(HOLDFS);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("AWS_") && name != "AWS_CA_BUNDLE" || name.starts_with("HOLDFS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_key)
            .env("AWS_REGION", &self.region)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }
}

/// Whether objects of a bucket can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    Off,
    On,
}

/// A new bucket, emptied and removed in the end where the store outlives the test.
pub struct Bucket<'a> {
    pub name: String,
    pub store: &'a Store,
    pub client: Client,
}

impl<'a> Bucket<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self::with(store, ObjectLock::Off)
    }

    pub fn with(store: &'a Store, lock: ObjectLock) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "t-{}-{}-{:08x}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed),
            fastrand::u32(..)
        );
        let client = store.client();
        let create = CreateBucket {
            bucket: name.clone(),
            object_lock: lock == ObjectLock::On,
            ..CreateBucket::default()
        };
        let bucket = Self { name, store, client };
        bucket.send(&create).expect("a new bucket");
        bucket
    }

    pub fn send<O: Operation>(&self, operation: &O) -> s3::Result<O::Output> {
        let answer = block_on(self.client.send(operation));
        // A test's own server is another store than the one that is observed.
        if std::ptr::eq(self.store, Store::shared()) { observed(O::NAME, answer) } else { answer }
    }

    /// Puts an object as another S3 client would.
    pub fn put(&self, key: &str, body: impl AsRef<[u8]>) {
        let put = PutObject::new(&self.name, key, body.as_ref().to_vec());
        self.send(&put).expect("the object is stored");
    }

    /// The bytes of an object as another S3 client sees them; `None` if the store has no such key.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let get = GetObject { bucket: self.name.clone(), key: key.into(), ..GetObject::default() };
        block_on(async {
            match self.client.send(&get).await {
                Ok(output) => Some(output.body.collect(1 << 30).await.expect("the whole body").to_vec()),
                Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => None,
                Err(error) => panic!("{error}"),
            }
        })
    }

    pub fn head(&self, key: &str) -> HeadObjectOutput {
        let head = HeadObject { bucket: self.name.clone(), key: key.into(), ..HeadObject::default() };
        self.send(&head).expect("the object's headers")
    }

    pub fn delete(&self, key: &str) {
        let delete = DeleteObject { bucket: self.name.clone(), key: key.into(), ..DeleteObject::default() };
        self.send(&delete).expect("the object is deleted");
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        let list = ListObjectsV2 { bucket: self.name.clone(), ..ListObjectsV2::default() };
        let listed = self.send(&list).expect("a listing");
        listed.objects.into_iter().map(|object| object.key).collect()
    }

    pub fn mount(&self) -> MountBuilder<'_> {
        MountBuilder::new(self)
    }

    fn remove_all(&self) -> s3::Result<()> {
        let bucket = self.name.clone();
        let versions =
            self.send(&ListObjectVersions { bucket: bucket.clone(), ..ListObjectVersions::default() })?;
        for listed in versions.versions {
            let (key, version) = (listed.key, Some(listed.version));
            self.send(&DeleteObject {
                bucket: bucket.clone(),
                key,
                version,
                bypass_governance: true,
                ..Default::default()
            })?;
        }
        self.send(&DeleteBucket { bucket })
    }
}

impl Drop for Bucket<'_> {
    fn drop(&mut self) {
        // What is locked cannot be removed, and need not be.
        if self.store.outlives_tests && !thread::panicking() {
            let _ = self.remove_all();
        }
    }
}

/// How to mount.
pub struct MountBuilder<'a> {
    bucket: &'a Bucket<'a>,
    prefix: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    test_max: Duration,
}

impl<'a> MountBuilder<'a> {
    fn new(bucket: &'a Bucket<'a>) -> Self {
        Self {
            bucket,
            prefix: String::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            test_max: TEST_MAX,
        }
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Mounts only what is below this prefix.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = format!("/{prefix}");
        self
    }

    /// For tests that take long by their nature.
    pub fn test_max(mut self, max: Duration) -> Self {
        self.test_max = max;
        self
    }

    /// Mounts in a child process and waits until the kernel has the mount.
    pub fn start(self) -> Mount<'a> {
        let home = TempDir::new().expect("a temporary directory");
        let root = home.path().canonicalize().expect("its path").join("mnt");
        fs::create_dir(&root).expect("a mount point");
        let mut mount =
            Mount { bucket: self.bucket, settings: self, home, root, child: None, watchdog: None };
        mount.mount();
        mount
    }
}

/// A mount that a child process serves.
pub struct Mount<'a> {
    pub bucket: &'a Bucket<'a>,
    settings: MountBuilder<'a>,
    home: TempDir,
    /// The mount point.
    pub root: PathBuf,
    child: Option<Child>,
    watchdog: Option<Watchdog>,
}

impl Mount<'_> {
    /// `holdfs mount` as this mount is mounted, without starting it.
    pub fn command(&self) -> Command {
        let mut command = self.bucket.store.command();
        command
            .arg("mount")
            .arg(format!("{}{}", self.bucket.name, self.settings.prefix))
            .arg(&self.root)
            .arg("--state")
            .arg(self.home.path().join("state"))
            .args(&self.settings.arguments)
            .env("HOLDFS_LOG", "info,holdfs=debug")
            .envs(self.settings.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Mounts (again), with the same state directory.
    pub fn mount(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let mut command = self.command();
        command.arg("--foreground").stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("holdfs starts"));
        let deadline = Instant::now() + Duration::from_secs(20);
        let device = loop {
            // A dead mount of a killed process does not count.
            if let Some(mount) = self.in_table().filter(control::is_served) {
                break mount.device;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok()).flatten();
            assert!(ended.is_none(), "holdfs mount ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < deadline, "no mount within 20 s:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        };
        let pid = self.child.as_ref().map_or(0, Child::id);
        self.watchdog = Some(Watchdog::start(device, pid, self.root.clone(), self.settings.test_max));
    }

    fn in_table(&self) -> Option<table::Mount> {
        table::at(&self.root).expect("the kernel's list of mounts").filter(table::Mount::is_ours)
    }

    pub fn is_mounted(&self) -> bool {
        self.in_table().is_some()
    }

    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.root.join(name.as_ref())
    }

    pub fn state_dir(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// A directory beside the mount, for files of the test.
    pub fn beside(&self) -> &Path {
        self.home.path()
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// What the process has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Runs a shell script in the mount.
    pub fn sh(&self, script: &str) -> Output {
        let mut command = Command::new("sh");
        command.arg("-ec").arg(script).current_dir(&self.root).env("LC_ALL", "C").stdin(Stdio::null());
        command.output().expect("a shell")
    }

    /// Runs a shell script that must succeed, and returns what it printed.
    pub fn ok(&self, script: &str) -> String {
        let output = self.sh(script);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}{err}\nlog:\n{}", self.log());
        out.into_owned()
    }

    /// Runs a shell script that must fail, and returns what it said.
    pub fn fails(&self, script: &str) -> String {
        let output = self.sh(script);
        assert!(!output.status.success(), "{script} did not fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).expect("a process id");
        // SAFETY: takes plain numbers; the child has not been waited for, so its id is its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits until the serving process has ended.
    pub fn wait(&mut self, max: Duration) -> ExitStatus {
        let deadline = Instant::now() + max;
        let child = self.child.as_mut().expect("a serving process");
        loop {
            if let Some(status) = child.try_wait().expect("its status") {
                self.watchdog = None;
                self.child = None;
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {max:?}:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Unmounts as an administrator would, and waits for the end of the process.
    pub fn unmount(&mut self) {
        let output =
            self.bucket.store.command().arg("umount").arg(&self.root).output().expect("holdfs umount");
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        self.wait(Duration::from_secs(20));
        assert!(!self.is_mounted());
    }

    /// Unmounts and mounts again: only what the store and the journal hold survives.
    pub fn remount(&mut self) {
        self.unmount();
        self.mount();
    }

    /// kill -9, and the dead mount stays.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait(Duration::from_secs(10));
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("log of the mount:\n{}", tail(&self.log(), 60));
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.watchdog = None;
        for _ in 0..3 {
            if !table::at(&self.root).is_ok_and(|mount| mount.is_some()) {
                break;
            }
            let _ = Command::new("umount").arg("-l").arg(&self.root).stderr(Stdio::null()).status();
        }
    }
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Gets a stuck test back: aborts the connection of the mount, kills its process, detaches the mount.
pub struct Watchdog {
    calm: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches the mount with this device number (`0:47`) for `max`.
    pub fn start(device: String, pid: u32, root: PathBuf, max: Duration) -> Self {
        mount_fusectl();
        let (calm, calmed) = channel();
        let thread = thread::spawn(move || {
            if calmed.recv_timeout(max) == Err(RecvTimeoutError::Timeout) {
                eprintln!("the test took longer than {max:?}: aborting its mount {}", root.display());
                abort(&device);
                let _ = Command::new("kill").arg("-9").arg(pid.to_string()).status();
                let _ = Command::new("umount").arg("-l").arg(&root).status();
            }
        });
        Self { calm: Some(calm), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.calm.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn abort(device: &str) {
    let minor = device.split(':').nth(1).unwrap_or("0");
    let _ = fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1");
}

/// Containers often come without it; without privilege, killing the process must do.
fn mount_fusectl() {
    const CONNECTIONS: &str = "/sys/fs/fuse/connections";
    let there = table::at(Path::new(CONNECTIONS)).is_ok_and(|mount| mount.is_some());
    if !there {
        let _ =
            Command::new("mount").args(["-t", "fusectl", "none", CONNECTIONS]).stderr(Stdio::null()).status();
    }
}

/// Runs a command that must end in time; its output and how long it took.
pub fn run_within(command: &mut Command, max: Duration) -> (Output, Duration) {
    let start = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let (mut out, mut err) =
        (child.stdout.take().expect("its stdout"), child.stderr.take().expect("its stderr"));
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes).expect("its output")
    };
    let status = loop {
        if let Some(status) = child.try_wait().expect("its status") {
            break status;
        }
        if start.elapsed() > max {
            let _ = child.kill();
            let _ = child.wait();
            panic!("still running after {max:?}: {command:?}\n{}", String::from_utf8_lossy(&read(&mut err)));
        }
        thread::sleep(Duration::from_millis(10));
    };
    let took = start.elapsed();
    (Output { status, stdout: read(&mut out), stderr: read(&mut err) }, took)
}

/// Tells the conformance table what this store lacks.
pub fn lacks(what: &str) {
    note("HOLDFS_TEST_LACKS", what);
}

/// Tells the table of operations how the store answered one: `OPERATION ok`, or the code and the status of its refusal.
pub fn observed<T>(operation: &str, answer: s3::Result<T>) -> s3::Result<T> {
    let outcome = match &answer {
        Ok(_) => "ok".to_owned(),
        Err(error) if error.code().is_empty() => format!("{:?} {}", error.kind(), error.status()),
        Err(error) => format!("{} {}", error.code(), error.status()),
    };
    note("HOLDFS_TEST_OPERATIONS", &format!("{operation} {outcome}"));
    answer
}

/// Adds a line to the file that this variable names, if it does.
fn note(variable: &str, line: &str) {
    if let Some(file) = std::env::var_os(variable) {
        let file = fs::File::options().create(true).append(true).open(file);
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }
}

/// Bytes that do not compress and tell where they belong.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

//! A store, and a write engine that can be killed and opened again on the same state directory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use holdfs::base::budget::Budget;
use holdfs::base::clock::Clock;
use holdfs::base::disk::{self, Disk};
use holdfs::base::ranges::ByteRange;
use holdfs::base::tasks::Tasks;
use holdfs::embedded::{self, Server};
use holdfs::s3::credentials::{Credentials, Provider};
use holdfs::s3::ops::{
    CreateBucket, GetObject, HeadObject, ListMultipartUploads, ListObjectVersions, ListObjectsV2, NewObject,
    ObjectHeaders, PutObject, ReadConditions,
};
use holdfs::s3::settings::{PutSetting, Versioning, VersioningStatus};
use holdfs::s3::{
    self, ChecksumMode, Client, Config, Deadlines, ErrorKind, Limits, ObjectRef, PayloadSigning,
};
use holdfs::write::{
    BaseBytes, Commits, Durability, Engine, Error, Generation, OnConflict, Origin, Parts, Piece, Recovered,
    Seal, StagedFile,
};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub const BUCKET: &str = "bucket";
pub const KIB: u64 = 1 << 10;

/// The smallest part here.
pub const PART_MIN: u64 = 64 * KIB;

pub struct Rig {
    pub server: Server,
    pub client: Client,
    pub commits: Arc<Seen>,
    pub engine: Option<Arc<Engine>>,
    pub recovered: Vec<Arc<StagedFile>>,
    pub quarantined: usize,
    pub on_conflict: OnConflict,
    pub disk: Arc<dyn Disk>,
    pub state: TempDir,
    pub progress_timeout: Duration,
    /// Each reading of base bytes takes so long.
    pub base_pause: Duration,
    /// Bodies go as they are, without signature and checksum.
    pub bare_bodies: bool,
    mount: Option<Runtime>,
    store: Runtime,
}

/// What the engine told of its uploads.
#[derive(Default)]
pub struct Seen {
    pub committed: Mutex<Vec<(String, Generation)>>,
    pub failed: Mutex<Vec<String>>,
    pub conflicts: Mutex<Vec<(String, ObjectRef)>>,
}

impl Commits for Seen {
    fn committed(&self, file: &Arc<StagedFile>, _stored: &ObjectRef, generation: Generation) {
        self.committed.lock().push((file.key().to_string(), generation));
    }
    fn failed(&self, file: &Arc<StagedFile>, _error: &Error) {
        self.failed.lock().push(file.key().to_string());
    }
    fn conflict(&self, _file: &Arc<StagedFile>, lost_key: &str, copy: &ObjectRef) {
        self.conflicts.lock().push((lost_key.to_owned(), copy.clone()));
    }
}

struct Base(Client, Duration);

impl BaseBytes for Base {
    fn read(&self, object: &ObjectRef, range: ByteRange) -> BoxFuture<'_, s3::Result<Bytes>> {
        let get = GetObject {
            bucket: BUCKET.into(),
            key: object.key.to_string(),
            version: object.version.clone(),
            range: Some(range),
            conditions: ReadConditions { if_match: Some(object.etag.clone()), ..ReadConditions::default() },
            ..GetObject::default()
        };
        async move {
            tokio::time::sleep(self.1).await;
            self.0.send(&get).await?.body.collect(range.len() as usize).await
        }
        .boxed()
    }
}

pub fn limits() -> Limits {
    Limits { part_bytes_min: PART_MIN, object_bytes_max: 64 << 30, ..Limits::default() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

impl Rig {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(adjust: impl FnOnce(&mut Self)) -> Self {
        let store = runtime();
        let scaled = embedded::Limits { part_bytes_min: PART_MIN, ..embedded::Limits::default() };
        let options = embedded::Options { limits: scaled, ..embedded::Options::default() };
        let server = store.block_on(Server::start(options)).expect("the server starts");
        let client = client(&server);
        let create = CreateBucket { bucket: BUCKET.into(), ..CreateBucket::default() };
        store.block_on(client.send(&create)).expect("a bucket");
        let mut rig = Self {
            server,
            client,
            commits: Arc::default(),
            engine: None,
            recovered: Vec::new(),
            quarantined: 0,
            on_conflict: OnConflict::Copy,
            disk: disk::system(),
            state: tempfile::tempdir().expect("a directory"),
            progress_timeout: Duration::from_secs(20),
            base_pause: Duration::ZERO,
            bare_bodies: false,
            mount: None,
            store,
        };
        adjust(&mut rig);
        rig.open();
        rig
    }

    pub fn config(&self) -> holdfs::write::Config {
        holdfs::write::Config {
            state_dir: self.state.path().to_owned(),
            bucket: BUCKET.into(),
            host: "host".into(),
            limits: limits(),
            durability: Durability::Remote,
            on_conflict: self.on_conflict,
            progress_timeout: self.progress_timeout,
        }
    }

    pub fn parts(&self, runtime: &Runtime) -> Parts {
        Parts {
            client: client_with(&self.server, self.bare_bodies),
            budget: Budget::new(64 << 20),
            tasks: Tasks::new(runtime.handle().clone()),
            clock: Clock::system(),
            disk: self.disk.clone(),
            base: Arc::new(Base(client(&self.server), self.base_pause)),
            commits: self.commits.clone(),
        }
    }

    pub fn open(&mut self) {
        let mount = runtime();
        let (engine, Recovered { files, quarantined }) =
            Engine::open(self.config(), self.parts(&mount)).expect("the engine opens");
        self.recovered = files;
        self.quarantined = quarantined.len();
        self.engine = Some(engine);
        self.mount = Some(mount);
    }

    /// The daemon dies between two instructions; what is in the state directory stays.
    pub fn kill(&mut self) {
        self.recovered.clear();
        if let Some(mount) = self.mount.take() {
            mount.shutdown_timeout(Duration::from_secs(5));
        }
        self.engine = None;
    }

    pub fn reopen(&mut self) {
        self.kill();
        self.open();
    }

    pub fn engine(&self) -> &Arc<Engine> {
        self.engine.as_ref().expect("the engine is open")
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let limited = async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("in time") };
        self.mount.as_ref().unwrap_or(&self.store).block_on(limited)
    }

    // What a mount does.

    pub fn create(&self, key: &str) -> Arc<StagedFile> {
        self.engine().stage(key, None, NewObject::default(), Origin::NewName).expect("staged")
    }

    pub fn edit(&self, key: &str) -> Arc<StagedFile> {
        let base = self.object(key).expect("it exists");
        self.engine().stage(key, Some(base), NewObject::default(), Origin::Edit).expect("staged")
    }

    /// Seals and waits for the store.
    pub fn close(&self, file: &StagedFile) -> Result<Option<ObjectRef>, Error> {
        match file.seal()? {
            Seal::Nothing => Ok(None),
            Seal::Generation(generation) => self.run(file.stored(generation)).map(Some),
        }
    }

    /// The bytes that the mount shows.
    pub fn read(&self, file: &StagedFile) -> Vec<u8> {
        for _ in 0..10 {
            let base = file.base();
            match self.try_read(file) {
                Ok(bytes) => return bytes,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}");
                    self.run(file.outcome_known());
                    assert_ne!(base, file.base(), "{error}");
                }
            }
        }
        panic!("the base keeps moving");
    }

    fn try_read(&self, file: &StagedFile) -> s3::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in file.read_plan(ByteRange::new(0, u64::MAX)) {
            match piece {
                Piece::Local(extent) => bytes.extend_from_slice(&extent.read().expect("readable")),
                Piece::Base(object, range) => {
                    let read = async { Base(self.client.clone(), Duration::ZERO).read(&object, range).await };
                    bytes.extend_from_slice(&self.run(read)?);
                }
                Piece::Zero(range) => bytes.resize(bytes.len() + range.len() as usize, 0),
            }
        }
        Ok(bytes)
    }

    // What another client sees.

    pub fn put(&self, key: &str, bytes: &[u8]) {
        let put = PutObject::new(BUCKET, key, bytes.to_vec());
        self.run(self.client.send(&put)).expect("stored");
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let get = GetObject { bucket: BUCKET.into(), key: key.into(), ..GetObject::default() };
        let read = async { self.client.send(&get).await?.body.collect(usize::MAX).await };
        match self.run(read) {
            Ok(bytes) => Some(bytes.to_vec()),
            Err(error) if error.kind() == ErrorKind::NoSuchKey => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub fn head(&self, key: &str) -> Option<ObjectHeaders> {
        let head = HeadObject { bucket: BUCKET.into(), key: key.into(), ..HeadObject::default() };
        self.run(self.client.send(&head)).ok()
    }

    pub fn object(&self, key: &str) -> Option<ObjectRef> {
        let headers = self.head(key)?;
        Some(ObjectRef {
            key: key.into(),
            etag: headers.etag?,
            last_modified: headers.last_modified?,
            version: headers.version,
            size: headers.size,
        })
    }

    pub fn keys(&self) -> Vec<String> {
        let list = ListObjectsV2 { bucket: BUCKET.into(), ..ListObjectsV2::default() };
        self.run(self.client.send(&list))
            .expect("listed")
            .objects
            .into_iter()
            .map(|object| object.key)
            .collect()
    }

    pub fn keep_versions(&self) {
        let document = Versioning::of(VersioningStatus::Enabled);
        self.run(self.client.send(&PutSetting { bucket: BUCKET.into(), document }))
            .expect("versions are kept");
    }

    pub fn versions(&self, key: &str) -> usize {
        let list =
            ListObjectVersions { bucket: BUCKET.into(), prefix: key.into(), ..ListObjectVersions::default() };
        self.run(self.client.send(&list)).expect("listed").versions.len()
    }

    pub fn uploads(&self) -> usize {
        let list = ListMultipartUploads { bucket: BUCKET.into(), ..ListMultipartUploads::default() };
        self.run(self.client.send(&list)).expect("listed").uploads.len()
    }

    pub fn requests(&self, operation: &str) -> u64 {
        self.server.log().count(operation)
    }

    /// Data files of the state directory.
    pub fn staged(&self) -> usize {
        std::fs::read_dir(self.state.path().join("data")).map_or(0, Iterator::count)
    }

    /// Waits until `condition` holds.
    pub fn until(&self, what: &str, condition: impl Fn() -> bool) {
        for _ in 0..2000 {
            if condition() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let (keys, uploads, staged) = (self.keys(), self.uploads(), self.staged());
        let journal = self.engine().journal().list();
        panic!("never: {what} (keys {keys:?}, {uploads} uploads, {staged} data files, journal {journal:#?})");
    }
}

fn client(server: &Server) -> Client {
    client_with(server, false)
}

fn client_with(server: &Server, bare_bodies: bool) -> Client {
    let pair = server.key_pair().clone();
    let credentials = Credentials::new(pair.access_key, pair.secret_key);
    let deadlines = Deadlines { total_without_progress: Duration::from_secs(2), ..Deadlines::default() };
    let (checksum_mode, payload_signing) = match bare_bodies {
        true => (ChecksumMode::None, PayloadSigning::Never),
        false => Default::default(),
    };
    let config = Config {
        endpoint: Some(server.endpoint()),
        deadlines,
        checksum_mode,
        payload_signing,
        limits: limits(),
        ..Config::new(Provider::fixed(credentials))
    };
    Client::new(config).expect("a client")
}

/// Bytes that repeat nowhere nearby.
pub fn bytes(seed: u64, len: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(len as usize).collect()
}

//! A bucket on an embedded server, a file system on it, and a foreign client beside it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use holdfs::base::budget::Budget;
use holdfs::base::clock::Clock;
use holdfs::base::ranges::ByteRange;
use holdfs::embedded::{self, Server};
use holdfs::fs::{
    AttrReply, Caller, EntryReply, Error, ErrorKind, FileSystem, Fill, HandleId, Lookup, NodeId, OpenFlags,
    Options, Parts, RenameFlags, SetAttr, SetXattr,
};
use holdfs::s3::ops::{
    CreateBucket, DeleteObject, GetObject, HeadObject, ListObjectsV2, ObjectHeaders, PutObject,
};
use holdfs::s3::settings::{PutSetting, Versioning, VersioningStatus};
use holdfs::s3::{Client, Config, Credentials, Deadlines, Provider};
use tempfile::TempDir;

pub const BUCKET: &str = "bucket";
pub const CALLER: Caller = Caller { uid: 0, gid: 0, pid: 0, umask: 0o022 };

pub fn flags(flags: i32) -> OpenFlags {
    OpenFlags(flags)
}

/// What kind of bucket there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Versioned,
    ObjectLock,
}

pub struct World {
    pub server: Server,
    pub client: Client,
    pub fs: Arc<FileSystem>,
    state: TempDir,
}

/// An open file.
#[derive(Clone, Copy)]
pub struct Open {
    pub node: NodeId,
    pub handle: HandleId,
}

impl World {
    pub async fn new(kind: Kind) -> Self {
        Self::with(kind, |_| {}).await
    }

    pub async fn with(kind: Kind, adjust: impl FnOnce(&mut Options)) -> Self {
        Self::made(kind, Deadlines::default(), adjust).await
    }

    /// What the store refuses for so long is given up.
    pub async fn impatient(kind: Kind, patience: Duration) -> Self {
        let deadlines = Deadlines { total_without_progress: patience, ..Deadlines::default() };
        Self::made(kind, deadlines, |_| {}).await
    }

    async fn made(kind: Kind, deadlines: Deadlines, adjust: impl FnOnce(&mut Options)) -> Self {
        let server = Server::start(embedded::Options::default()).await.expect("the server starts");
        let pair = server.key_pair().clone();
        let credentials = Credentials::new(pair.access_key, pair.secret_key);
        let endpoint = Some(server.endpoint());
        let config = Config { endpoint, deadlines, ..Config::new(Provider::fixed(credentials)) };
        let client = Client::new(config).expect("a client");
        let create = CreateBucket {
            bucket: BUCKET.into(),
            object_lock: kind == Kind::ObjectLock,
            ..CreateBucket::default()
        };
        client.send(&create).await.expect("a bucket");
        if kind == Kind::Versioned {
            let document = Versioning::of(VersioningStatus::Enabled);
            let put = PutSetting { bucket: BUCKET.into(), document };
            client.send(&put).await.expect("versions are kept");
        }
        let state = TempDir::new().expect("a directory");
        let fs = mount(&client, &state, adjust).await;
        Self { server, client, fs, state }
    }

    /// Ends the mount without a word to the store, and mounts again with the same journal.
    pub async fn remount(&mut self) {
        self.fs.shutdown().await;
        // Nothing of the old one may be left: the journal is locked as long as it lives.
        self.fs = mount_on(&self.client, TempDir::new().expect("a directory").path(), |_| {}).await;
        self.fs = mount(&self.client, &self.state, |_| {}).await;
    }

    /// Another mount of the same bucket.
    pub async fn second(&self) -> (Arc<FileSystem>, TempDir) {
        let state = TempDir::new().expect("a directory");
        (mount(&self.client, &state, |_| {}).await, state)
    }

    // What a process on the mount does.

    pub async fn node(&self, path: &str) -> Option<NodeId> {
        node(&self.fs, path).await
    }

    pub async fn existing(&self, path: &str) -> NodeId {
        self.node(path).await.unwrap_or_else(|| panic!("{path} exists"))
    }

    pub async fn stat(&self, path: &str) -> AttrReply {
        let node = self.existing(path).await;
        self.fs.getattr(node, None).await.expect("attributes")
    }

    pub async fn create(&self, path: &str, open: i32) -> Result<Open, Error> {
        let (parent, name) = split(path);
        let parent = self.existing(parent).await;
        let created = self.fs.create(parent, OsStr::new(name), 0o100644, flags(open), CALLER).await?;
        Ok(Open { node: created.0.node, handle: created.1.handle })
    }

    /// Like open(2) of a name that exists: looks it up once more if the answer is ESTALE, as the kernel does.
    pub async fn open(&self, path: &str, open: i32) -> Result<Open, Error> {
        let node = self.existing(path).await;
        let opened = match self.fs.open_file(node, flags(open)).await {
            Err(error) if error.kind() == ErrorKind::Stale => {
                let (parent, name) = split(path);
                let parent = self.existing(parent).await;
                let again = self.fs.lookup(parent, OsStr::new(name)).await?;
                let Lookup::Found(entry) = again else {
                    return Err(ErrorKind::NotFound.into());
                };
                let opened = self.fs.open_file(entry.node, flags(open)).await?;
                return Ok(Open { node: entry.node, handle: opened.handle });
            }
            answer => answer?,
        };
        Ok(Open { node, handle: opened.handle })
    }

    pub async fn write_at(&self, open: Open, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let written = match self.fs.write_now(open.node, open.handle, offset, bytes) {
            Some(written) => written?,
            None => self.fs.write(open.node, open.handle, offset, Bytes::copy_from_slice(bytes)).await?,
        };
        assert_eq!(written as usize, bytes.len());
        Ok(())
    }

    pub async fn read_at(&self, open: Open, range: ByteRange) -> Result<Bytes, Error> {
        match self.fs.read_now(open.node, open.handle, range) {
            Some(read) => read,
            None => self.fs.read(open.node, open.handle, range).await,
        }
    }

    pub async fn flush(&self, open: Open) -> Result<(), Error> {
        self.fs.flush(open.node, open.handle, CALLER).await
    }

    pub async fn close(&self, open: Open) -> Result<(), Error> {
        let flushed = self.flush(open).await;
        self.fs.release(open.node, open.handle).await;
        flushed
    }

    /// `cat > path`.
    pub async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let open = match self.node(path).await {
            Some(_) => self.open(path, libc::O_WRONLY | libc::O_TRUNC).await?,
            None => self.create(path, libc::O_WRONLY).await?,
        };
        let written = self.write_at(open, 0, bytes).await;
        let closed = self.close(open).await;
        written.and(closed)
    }

    /// `cat path`.
    pub async fn read(&self, path: &str) -> Result<Bytes, Error> {
        let open = self.open(path, libc::O_RDONLY).await?;
        let read = self.read_at(open, ByteRange::new(0, 1 << 30)).await;
        self.close(open).await?;
        read
    }

    pub async fn mkdir(&self, path: &str) -> Result<EntryReply, Error> {
        let (parent, name) = split(path);
        self.fs.mkdir(self.existing(parent).await, OsStr::new(name), 0o755, CALLER).await
    }

    pub async fn unlink(&self, path: &str) -> Result<(), Error> {
        let (parent, name) = split(path);
        self.fs.unlink(self.existing(parent).await, OsStr::new(name)).await
    }

    pub async fn rmdir(&self, path: &str) -> Result<(), Error> {
        let (parent, name) = split(path);
        self.fs.rmdir(self.existing(parent).await, OsStr::new(name)).await
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.rename_with(from, to, 0).await
    }

    pub async fn rename_with(&self, from: &str, to: &str, flags: u32) -> Result<(), Error> {
        let ((parent, name), (new_parent, new_name)) = (split(from), split(to));
        let (parent, new_parent) = (self.existing(parent).await, self.existing(new_parent).await);
        self.fs.rename(parent, OsStr::new(name), new_parent, OsStr::new(new_name), RenameFlags(flags)).await
    }

    pub async fn setattr(&self, path: &str, changes: SetAttr) -> Result<AttrReply, Error> {
        self.fs.setattr(self.existing(path).await, None, changes).await
    }

    pub async fn list(&self, path: &str) -> Vec<String> {
        let node = self.existing(path).await;
        let handle = self.fs.opendir(node).expect("opens").handle;
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let (before, after) = (names.len(), cookie);
            let mut sink = |entry: &holdfs::fs::DirectoryEntry<'_>| {
                cookie = entry.cookie;
                names.push(entry.name.to_owned());
                Fill::Added
            };
            self.fs.readdir(node, handle, after, &mut sink).await.expect("lists");
            if names.len() == before {
                break;
            }
        }
        self.fs.releasedir(handle);
        names.retain(|name| name != "." && name != "..");
        names.sort();
        names
    }

    pub async fn get_xattr(&self, path: &str, name: &str) -> Result<String, Error> {
        let value = self.fs.getxattr(self.existing(path).await, OsStr::new(name), CALLER).await?;
        Ok(String::from_utf8(value.to_vec()).expect("text"))
    }

    pub async fn set_xattr(&self, path: &str, name: &str, value: &str) -> Result<(), Error> {
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.fs.setxattr(self.existing(path).await, OsStr::new(name), value, SetXattr::default()).await
    }

    // What another client does.

    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.client.send(&PutObject::new(BUCKET, key, bytes)).await.expect("a foreign PUT");
    }

    pub async fn get(&self, key: &str) -> Option<Bytes> {
        let get = GetObject { bucket: BUCKET.into(), key: key.into(), ..GetObject::default() };
        let output = self.client.send(&get).await.ok()?;
        Some(output.body.collect(1 << 30).await.expect("a whole body"))
    }

    pub async fn head(&self, key: &str) -> Option<ObjectHeaders> {
        let head = HeadObject { bucket: BUCKET.into(), key: key.into(), ..HeadObject::default() };
        self.client.send(&head).await.ok()
    }

    pub async fn delete(&self, key: &str) {
        let delete = DeleteObject { bucket: BUCKET.into(), key: key.into(), ..DeleteObject::default() };
        self.client.send(&delete).await.expect("a foreign DELETE");
    }

    pub async fn keys(&self) -> Vec<String> {
        let list = ListObjectsV2 { bucket: BUCKET.into(), ..ListObjectsV2::default() };
        let output = self.client.send(&list).await.expect("a listing");
        output.objects.into_iter().map(|object| object.key).collect()
    }

    /// Requests that `work` costs, by operation.
    pub async fn requests<T>(&self, work: impl Future<Output = T>) -> (T, Vec<(String, u64)>) {
        self.server.log().reset();
        let done = work.await;
        let counters = self.server.log().counters();
        (done, counters.into_iter().map(|(name, counter)| (name.to_owned(), counter.requests)).collect())
    }
}

pub async fn node(fs: &FileSystem, path: &str) -> Option<NodeId> {
    let mut node = NodeId::ROOT;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let name = OsStr::new(name);
        let answer = match fs.lookup_now(node, name) {
            Some(answer) => answer,
            None => fs.lookup(node, name).await,
        };
        match answer.expect("a lookup") {
            Lookup::Found(entry) => node = entry.node,
            Lookup::Absent(_) => return None,
        }
    }
    Some(node)
}

async fn mount(client: &Client, state: &TempDir, adjust: impl FnOnce(&mut Options)) -> Arc<FileSystem> {
    mount_on(client, state.path(), adjust).await
}

async fn mount_on(client: &Client, state: &Path, adjust: impl FnOnce(&mut Options)) -> Arc<FileSystem> {
    let mut options = Options {
        state_dir: state.join("state"),
        host_id: "host".into(),
        ttl: Duration::from_secs(5),
        ..Options::default()
    };
    adjust(&mut options);
    let parts = Parts {
        client: client.clone(),
        bucket: BUCKET.into(),
        prefix: String::new(),
        options,
        budget: Budget::new(256 << 20),
        clock: Clock::system(),
        runtime: tokio::runtime::Handle::current(),
    };
    FileSystem::open(parts).await.expect("a file system")
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The kind of the error of an operation that must fail.
pub fn kind_of<T>(result: Result<T, Error>) -> ErrorKind {
    match result {
        Ok(_) => panic!("must fail"),
        Err(error) => error.kind(),
    }
}

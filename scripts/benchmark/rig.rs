//! What a measurement needs around it: a store, a bucket full of objects, a mount.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use holdfs::base::secret::Secret;
use holdfs::s3::credentials::{Credentials, Provider};
use holdfs::s3::ops::{
    CompleteMultipartUpload, CreateBucket, CreateMultipartUpload, GetObject, PutObject, UploadPart,
};
use holdfs::s3::{Body, Client, Config};

use crate::process::{Kept, Usage, own_cpu};

pub const MIB: u64 = 1 << 20;
const ACCESS_KEY: &str = "testaccesskey";
const SECRET_KEY: &str = "testsecretkey";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// `holdfs serve`, in memory.
    Embedded,
    /// A real MinIO with its data in memory.
    Minio,
}

/// A store that runs, with a bucket of its own.
pub struct Rig {
    pub store: Store,
    pub address: SocketAddr,
    pub bucket: String,
    pub client: Client,
    holdfs: PathBuf,
    work: PathBuf,
    _server: Option<Kept>,
    _minio: Option<Minio>,
}

/// Stops the server that the script started.
struct Minio(PathBuf);

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = Command::new("scripts/servers/minio").arg("stop").arg(&self.0).status();
    }
}

impl Rig {
    pub async fn start(store: Store, work: &Path) -> io::Result<Self> {
        let holdfs = fs::canonicalize("target/release/holdfs")?;
        let (address, server, minio) = match store {
            Store::Embedded => {
                let (address, server) = start_embedded(&holdfs)?;
                (address, Some(server), None)
            }
            Store::Minio => {
                let (address, minio) = start_minio(&work.join("minio"))?;
                (address, None, Some(minio))
            }
        };
        let client = client_of(address)?;
        let bucket = "bench".to_owned();
        let create = CreateBucket { bucket: bucket.clone(), ..CreateBucket::default() };
        client.send(&create).await.map_err(io::Error::other)?;
        Ok(Self {
            store,
            address,
            bucket,
            client,
            holdfs,
            work: work.to_owned(),
            _server: server,
            _minio: minio,
        })
    }

    /// Small objects, many at a time.
    pub async fn fill(&self, keys: Vec<String>, size_bytes: usize) -> io::Result<()> {
        let body = Bytes::from(pattern(size_bytes));
        stream::iter(keys)
            .map(|key| {
                let (client, put) = (self.client.clone(), PutObject::new(&self.bucket, key, body.clone()));
                async move { client.send(&put).await.map(drop).map_err(io::Error::other) }
            })
            .buffer_unordered(32)
            .try_collect()
            .await
    }

    /// Uploads one object in parts of 8 MiB from memory, each in a task of its own so that digests use every core, and
    /// says how long it took until it was stored.
    #[expect(clippy::disallowed_methods, reason = "every task is waited for below")]
    pub async fn raw_write(&self, key: &str, size_bytes: u64, in_flight: usize) -> io::Result<Duration> {
        let part = Bytes::from(pattern((8 * MIB) as usize));
        let (bucket, key) = (self.bucket.clone(), key.to_owned());
        let start = Instant::now();
        let create = CreateMultipartUpload { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
        let upload_id = self.client.send(&create).await.map_err(io::Error::other)?;
        let parts = stream::iter(1..=(size_bytes / (8 * MIB)) as u32)
            .map(|part_number| {
                let upload = UploadPart {
                    bucket: bucket.clone(),
                    key: key.clone(),
                    upload_id: upload_id.clone(),
                    part_number,
                    body: Body::Bytes(part.clone()),
                };
                let client = self.client.clone();
                let sent = tokio::spawn(async move { client.send(&upload).await });
                async move { sent.await.map_err(io::Error::other)?.map_err(io::Error::other) }
            })
            .buffered(in_flight)
            .try_collect()
            .await?;
        let complete = CompleteMultipartUpload { bucket, key, upload_id, parts, ..Default::default() };
        self.client.send(&complete).await.map_err(io::Error::other)?;
        Ok(start.elapsed())
    }

    /// Fetches one object to nowhere with a bare HTTP client: presigned URL, ranges of 8 MiB.
    pub async fn raw_read(&self, key: &str, size_bytes: u64, in_flight: usize) -> io::Result<Measured> {
        let get = GetObject { bucket: self.bucket.clone(), key: key.to_owned(), ..Default::default() };
        let url = self.client.presign(&get, Duration::from_secs(3600)).await.map_err(io::Error::other)?;
        let http = reqwest::Client::builder().http1_only().no_proxy().build().map_err(io::Error::other)?;
        let (cpu, start) = (own_cpu(), Instant::now());
        stream::iter((0..size_bytes).step_by(8 << 20))
            .map(|first| {
                let range = format!("bytes={first}-{}", (first + 8 * MIB).min(size_bytes) - 1);
                let request = http.get(&url).header("range", range);
                // A task of its own, as on every worker thread of a real client.
                let work = tokio::runtime::Handle::current().spawn(async move {
                    let mut reply = request.send().await?.error_for_status()?;
                    while reply.chunk().await?.is_some() {}
                    Ok::<_, reqwest::Error>(())
                });
                async move { work.await.map_err(io::Error::other)?.map_err(io::Error::other) }
            })
            .buffer_unordered(in_flight)
            .try_collect::<()>()
            .await?;
        Ok(Measured { took: start.elapsed(), cpu: own_cpu() - cpu, ..Measured::default() })
    }

    pub fn mount(&self, endpoint: SocketAddr) -> io::Result<Mount> {
        let directory = self.work.join("mnt");
        let state = self.work.join("state");
        let _ = fs::remove_dir_all(&state);
        fs::create_dir_all(&directory)?;
        let child = Command::new(&self.holdfs)
            .arg("mount")
            .args([self.bucket.as_str(), &directory.to_string_lossy()])
            .args(["--foreground", "--endpoint", &format!("http://{endpoint}")])
            .args(["--state", &state.to_string_lossy()])
            .envs(keys())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.work.join("mount.log"))?)
            .spawn()?;
        Mount::wait_for(child, directory, Some(self.holdfs.clone()))
    }

    pub fn null_mount(&self, size_bytes: u64) -> io::Result<Mount> {
        let directory = self.work.join("null");
        fs::create_dir_all(&directory)?;
        let child = Command::new(std::env::current_exe()?)
            .args(["null", &directory.to_string_lossy(), &size_bytes.to_string()])
            .spawn()?;
        Mount::wait_for(child, directory, None)
    }
}

/// Figures of one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    pub took: Duration,
    pub cpu: Duration,
    pub peak_bytes: u64,
    pub requests: u64,
}

impl Measured {
    pub fn megabytes_per_second(&self, bytes: u64) -> f64 {
        bytes as f64 / 1e6 / self.took.as_secs_f64()
    }
    pub fn cpu_seconds_per_gib(&self, bytes: u64) -> f64 {
        self.cpu.as_secs_f64() / (bytes as f64 / (1u64 << 30) as f64)
    }
}

/// A mount in a child process; unmounted when it goes out of scope.
pub struct Mount {
    pub directory: PathBuf,
    child: Kept,
    holdfs: Option<PathBuf>,
}

impl Mount {
    fn wait_for(child: Child, directory: PathBuf, holdfs: Option<PathBuf>) -> io::Result<Self> {
        let mut mount = Self { directory, child: Kept(child), holdfs };
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if mount.is_mounted()? {
                mount.raise_read_ahead();
                return Ok(mount);
            }
            if mount.child.0.try_wait()?.is_some() {
                return Err(io::Error::other("the mount ended before it was ready; see mount.log"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::other("the mount was not ready within 15 s"))
    }

    fn is_mounted(&self) -> io::Result<bool> {
        let directory = self.directory.to_string_lossy().into_owned();
        Ok(fs::read_to_string("/proc/mounts")?.lines().any(|line| line.split(' ').nth(1) == Some(&directory)))
    }

    /// The null mount gets the read-ahead that holdfs gives itself.
    fn raise_read_ahead(&self) {
        if self.holdfs.is_some() {
            return;
        }
        use std::os::unix::fs::MetadataExt;
        if let Ok(metadata) = fs::metadata(&self.directory) {
            let device = metadata.dev();
            let (major, minor) = (libc::major(device), libc::minor(device));
            let _ = fs::write(format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb"), "1024");
        }
    }

    /// Runs `script` with `$M` set to the mount's directory and measures the daemon meanwhile.
    pub fn measure(&self, script: &str) -> io::Result<Measured> {
        let pid = self.child.0.id();
        let (before, requests) = (Usage::of(pid)?, self.requests()?);
        let took = crate::process::timed(&format!("M='{}'; {script}", self.directory.display()))?;
        let after = Usage::of(pid)?;
        Ok(Measured {
            took,
            cpu: after.cpu - before.cpu,
            peak_bytes: after.peak_bytes,
            requests: self.requests()? - requests,
        })
    }

    /// S3 requests that the daemon has sent so far.
    fn requests(&self) -> io::Result<u64> {
        let Some(holdfs) = &self.holdfs else { return Ok(0) };
        let output = Command::new(holdfs).arg("status").arg(&self.directory).arg("--json").output()?;
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(io::Error::other)?;
        let sent = status.pointer("/mounts/0/requests/sent").and_then(serde_json::Value::as_u64);
        sent.ok_or_else(|| {
            io::Error::other(format!("status does not say how many requests were sent: {status}"))
        })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.holdfs.is_none() {
            let _ = Command::new("umount").arg(&self.directory).status();
        }
    }
}

fn keys() -> [(&'static str, &'static str); 3] {
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("AWS_REGION", "us-east-1")]
}

pub fn client_of(address: SocketAddr) -> io::Result<Client> {
    let mut config = Config::new(Provider::fixed(Credentials::new(ACCESS_KEY, Secret::new(SECRET_KEY))));
    config.endpoint = Some(format!("http://{address}"));
    config.region = Some("us-east-1".to_owned());
    Client::new(config).map_err(io::Error::other)
}

fn start_embedded(holdfs: &Path) -> io::Result<(SocketAddr, Kept)> {
    use std::io::BufRead;
    let mut child = Command::new(holdfs)
        .args(["serve", "--listen", "127.0.0.1:0", "--memory", "--fast-etags"])
        .envs(keys())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
    let server = Kept(child);
    for line in io::BufReader::new(stdout).lines() {
        if let Some(endpoint) = line?.strip_prefix("export AWS_ENDPOINT_URL=http://") {
            return Ok((endpoint.trim().parse().map_err(io::Error::other)?, server));
        }
    }
    Err(io::Error::other("holdfs serve did not say where it listens"))
}

fn start_minio(directory: &Path) -> io::Result<(SocketAddr, Minio)> {
    let port = 7473;
    let status = Command::new("scripts/servers/minio")
        .arg("start")
        .arg(directory)
        .envs([("MINIO_MEMORY", "1"), ("MINIO_PORT", &port.to_string())])
        .stdout(Stdio::null())
        .status()?;
    let minio = Minio(directory.to_owned());
    if !status.success() {
        return Err(io::Error::other("MinIO could not be started"));
    }
    Ok((SocketAddr::from(([127, 0, 0, 1], port)), minio))
}

/// Bytes that no layer can make smaller and that differ from block to block.
fn pattern(size_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; size_bytes];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    bytes
}

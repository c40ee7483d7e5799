//! The storage's memory on disk: one row a bucket, version, upload and part, in SQLite beside the blobs.
//!
//! Changes are handed over under the storage's lock, so that they are written in the order in which they were
//! made, and answered when they are committed: a killed server has lost nothing that it acknowledged (a power cut
//! may take the last moments; this server is for tests, demos and small jobs). What a change removes is kept
//! alive until its commit, and with it its blobs.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bucket::{Bucket, Settings};
use super::change::{Change, Changes};
use super::multipart::{Part, Start, Upload};
use super::refusal::Refusal;
use super::version::Version;
use crate::base::store::{self, Durability, sql};
use crate::embedded::blob::{Blobs, Content, PieceRecord};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE buckets (name TEXT PRIMARY KEY, settings TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE versions (serial INTEGER PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL);
    CREATE TABLE uploads (serial INTEGER PRIMARY KEY, bucket TEXT NOT NULL, record TEXT NOT NULL);
    CREATE TABLE parts (
        upload INTEGER NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (upload, number)
    ) WITHOUT ROWID;
"];

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a record cannot be read: {0}")]
    Record(#[from] serde_json::Error),
}

pub enum Journal {
    /// A server in memory forgets.
    Nowhere,
    Database(store::Store),
}

/// All that an earlier run has left.
pub struct Loaded {
    pub journal: Journal,
    pub buckets: BTreeMap<String, Bucket>,
    /// The highest serial in use.
    pub serial: u64,
}

/// A change on its way to disk.
pub struct Receipt(Option<Saving>);

type Saving = Pin<Box<dyn Future<Output = Result<Changes, store::Error>> + Send>>;

impl Receipt {
    pub async fn wait(self) -> Result<(), Refusal> {
        let Some(writing) = self.0 else { return Ok(()) };
        // What was removed goes here, after the commit.
        writing.await.map(drop).map_err(Refusal::internal)
    }
}

impl Journal {
    /// Takes its place in the order of writing before it returns.
    pub fn submit(&self, changes: Changes) -> Receipt {
        let Self::Database(database) = self else { return Receipt(None) };
        if changes.0.is_empty() {
            return Receipt(None);
        }
        let database = database.clone();
        let write = move |transaction: &sql::Transaction<'_>| {
            changes.0.iter().try_for_each(|change| apply(transaction, change))?;
            Ok(changes)
        };
        let mut writing = Box::pin(async move { database.write(Durability::Process, write).await });
        // The first poll hands the change to the writer. It cannot be done yet: the writer is another thread; and
        // if it were, polling again would be wrong.
        match writing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Pending => Receipt(Some(writing)),
            std::task::Poll::Ready(done) => Receipt(Some(Box::pin(std::future::ready(done)))),
        }
    }

    pub fn load(data: &Path, blobs: &Blobs) -> Result<Loaded, Error> {
        let database = store::Store::open(&data.join("holdfs-serve.sqlite"), MIGRATIONS)?;
        let mut buckets = BTreeMap::new();
        for (name, settings) in rows(&database, "SELECT name, settings FROM buckets", two)? {
            buckets.insert(name, Bucket::new(parse::<Settings>(&settings)?));
        }
        let versions = load_versions(&database, blobs, &mut buckets)?;
        let uploads = load_uploads(&database, blobs, &mut buckets)?;
        Ok(Loaded { journal: Self::Database(database), buckets, serial: versions.max(uploads) })
    }
}

fn apply(transaction: &sql::Transaction<'_>, change: &Change) -> sql::Result<()> {
    let run = |statement: &str, values: &[&dyn sql::ToSql]| {
        transaction.prepare_cached(statement)?.execute(values).map(drop)
    };
    match change {
        Change::PutBucket { name, settings } => {
            run("INSERT OR REPLACE INTO buckets VALUES (?1, ?2)", &[name, &text(settings)?])
        }
        Change::RemoveBucket { name } => run("DELETE FROM buckets WHERE name = ?1", &[name]),
        Change::PutVersion { bucket, key, version } => {
            let row: [&dyn sql::ToSql; 4] = [&integer(version.serial), bucket, key, &text(&**version)?];
            run("INSERT OR REPLACE INTO versions VALUES (?1, ?2, ?3, ?4)", &row)
        }
        Change::RemoveVersion { version } => {
            run("DELETE FROM versions WHERE serial = ?1", &[&integer(version.serial)])
        }
        Change::PutUpload { bucket, upload } => run(
            "INSERT INTO uploads VALUES (?1, ?2, ?3)",
            &[&integer(upload.serial), bucket, &text(&**upload)?],
        ),
        Change::PutPart { upload, part, .. } => run(
            "INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3)",
            &[&integer(*upload), &part.number, &text(&**part)?],
        ),
        Change::RemoveUpload { upload } => {
            let serial = integer(upload.start.serial);
            run("DELETE FROM parts WHERE upload = ?1", &[&serial])?;
            run("DELETE FROM uploads WHERE serial = ?1", &[&serial])
        }
    }
}

/// Serials count changes from 1; SQLite's integers hold as many as any server will see.
fn integer(serial: u64) -> i64 {
    serial.cast_signed()
}

fn text(record: &impl Serialize) -> sql::Result<String> {
    serde_json::to_string(record).map_err(|error| sql::Error::ToSqlConversionFailure(Box::new(error)))
}

fn parse<T: DeserializeOwned>(record: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(record)?)
}

fn rows<T>(
    database: &store::Store,
    query: &str,
    read: fn(&sql::Row<'_>) -> sql::Result<T>,
) -> Result<Vec<T>, store::Error> {
    database.read(|connection| {
        let mut statement = connection.prepare(query)?;
        statement.query_map([], read)?.collect()
    })
}

fn two(row: &sql::Row<'_>) -> sql::Result<(String, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn orphan(what: &str, bucket: &str) -> Error {
    Error::Io(io::Error::other(format!("{what} of the bucket {bucket}, which is not there")))
}

/// In the order of writing, so that the last of a key is the current one.
fn load_versions(
    database: &store::Store,
    blobs: &Blobs,
    buckets: &mut BTreeMap<String, Bucket>,
) -> Result<u64, Error> {
    let query = "SELECT bucket, key, record FROM versions ORDER BY serial";
    let mut highest = 0;
    for (bucket, key, record) in rows(database, query, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        let (bucket, key, record): (String, String, String) = (bucket, key, record);
        let version: Version<Vec<PieceRecord>> = parse(&record)?;
        let version = version.map_content(|pieces| Content::from_records(&pieces, blobs))?;
        highest = version.serial;
        let found = buckets.get_mut(&bucket).ok_or_else(|| orphan("a version", &bucket))?;
        found.keys.entry(key).or_default().push(Arc::new(version));
    }
    Ok(highest)
}

fn load_uploads(
    database: &store::Store,
    blobs: &Blobs,
    buckets: &mut BTreeMap<String, Bucket>,
) -> Result<u64, Error> {
    let mut uploads = BTreeMap::new();
    for (bucket, record) in rows(database, "SELECT bucket, record FROM uploads", two)? {
        let start = Arc::new(parse::<Start>(&record)?);
        uploads.insert(start.serial, (bucket, Upload::new(start)));
    }
    let parts =
        rows(database, "SELECT upload, record FROM parts", |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    for (upload, record) in parts {
        let record: String = record;
        let part: Part<Vec<PieceRecord>> = parse(&record)?;
        let part = part.map_content(|pieces| Content::from_records(&pieces, blobs))?;
        if let Some((_, upload)) = uploads.get_mut(&upload.cast_unsigned()) {
            upload.parts.insert(part.number, Arc::new(part));
        }
    }
    let highest = uploads.keys().next_back().copied().unwrap_or(0);
    for (bucket, upload) in uploads.into_values() {
        let found = buckets.get_mut(&bucket).ok_or_else(|| orphan("an upload", &bucket))?;
        let (key, id) = (upload.start.key.clone(), upload.start.id.clone());
        found.uploads.entry(key).or_default().insert(id, upload);
    }
    Ok(highest)
}

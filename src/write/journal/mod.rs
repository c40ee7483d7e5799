//! The journal: what is pending, in SQLite (docs/JOURNAL.md is its on-disk format).
//!
//! Every change of a staged file's state is recorded before the bytes move. One row a file, one a sealed (or begun)
//! generation with its last *word*, one a layer, one a planned part. Rows go when the store is proved to hold the
//! generation, so the journal of an idle mount is empty.

pub mod record;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::SystemTime;

use futures_util::FutureExt;

use self::record::{FileRecord, GenerationRecord, LayerRecord, PartRecord, Upload, WriteId};
use super::layer::{Extents, LayerId};
use super::plan::Part;
use super::recovery::Word;
use super::staged::{Expected, FileId, Generation};
use super::{Error, ErrorKind, Result};
use crate::base::ranges::ByteRange;
use crate::base::store::sql::{self, Row, Transaction, params};
use crate::base::store::{self, Durability, Store};
use crate::s3::ETag;
use crate::s3::ops::NewObject;

const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    store: Store,
}

/// A generation as it was found; `Err` is why its record cannot be read.
pub type Found = std::result::Result<GenerationRecord, (Generation, String)>;

impl Journal {
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { store: Store::open(path, MIGRATIONS)? })
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The first bytes of `generation` go to `layer`. Not waited for: the seal that follows is, and comes later in
    /// the same order.
    pub fn begin(&self, file: FileRecord, generation: Generation, write_id: WriteId, layer: Option<LayerId>) {
        let since = SystemTime::now();
        self.submit(move |tx| {
            put_file(tx, &file)?;
            put_begin(tx, file.id, generation, &write_id, since)?;
            match layer {
                Some(layer) => put_stack(tx, file.id, generation, &[unsealed(layer)]),
                None => Ok(()),
            }
        });
    }

    /// Parts are sent before a seal.
    pub fn early(&self, file: FileId, generation: Generation, object: &NewObject, upload: Upload) {
        let object = record::new_object_text(object);
        self.submit(move |tx| {
            set_upload(tx, file, generation, Some(&upload))?;
            let set =
                "UPDATE generations SET word = 'early', object = ?3 WHERE file = ?1 AND generation = ?2";
            tx.prepare_cached(set)?.execute(params![file.0, generation.0 as i64, object]).map(drop)
        });
    }

    /// `sealed` is complete; `superseded` is part of it. Returns once that survives a kill of the process.
    pub fn seal(
        &self,
        file: FileRecord,
        sealed: GenerationRecord,
        superseded: Option<Generation>,
    ) -> Result<()> {
        self.write(move |tx| {
            put_file(tx, &file)?;
            if let Some(superseded) = superseded {
                delete_generation(tx, file.id, superseded)?;
            }
            put_generation(tx, file.id, &sealed)?;
            put_parts(tx, file.id, sealed.generation, &sealed.parts)?;
            put_stack(tx, file.id, sealed.generation, &sealed.layers)
        })
    }

    /// A multipart upload with this plan is under way.
    pub fn started(&self, file: FileId, generation: Generation, upload: Upload, parts: Vec<PartRecord>) {
        self.submit(move |tx| {
            set_upload(tx, file, generation, Some(&upload))?;
            set_word(tx, file, generation, Word::Started, None)?;
            put_parts(tx, file, generation, &parts)
        });
    }

    /// The store has a part.
    pub fn part(&self, file: FileId, generation: Generation, part: Part, etag: ETag) {
        self.submit(move |tx| put_part(tx, file, generation, &PartRecord { part, etag: Some(etag) }));
    }

    /// The multipart upload is gone; what was sealed has to be sent again.
    pub fn upload_lost(&self, file: FileId, generation: Generation) {
        self.submit(move |tx| {
            set_upload(tx, file, generation, None)?;
            set_word(tx, file, generation, Word::Seal, None)?;
            put_parts(tx, file, generation, &[])
        });
    }

    /// Returns once it survives a kill of the process.
    pub async fn word(
        &self,
        file: FileId,
        generation: Generation,
        word: Word,
        error: Option<String>,
    ) -> Result<()> {
        let set = move |tx: &Transaction<'_>| set_word(tx, file, generation, word, error.as_deref());
        Ok(self.store.write(Durability::Process, set).await?)
    }

    /// The store has `generation` as `file.base`: its record goes, and what waits above it has only `waiting` left.
    /// In one step: a layer's data file goes as soon as this resolves. Handed to the writer when this is called, not
    /// when it is awaited.
    pub fn committed(
        &self,
        file: FileRecord,
        generation: Generation,
        waiting: Option<(Generation, Vec<LayerRecord>)>,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let commit = move |tx: &Transaction<'_>| {
            delete_generation(tx, file.id, generation)?;
            if let Some((waiting, layers)) = waiting {
                put_stack(tx, file.id, waiting, &layers)?;
            }
            let left = "SELECT 1 FROM generations WHERE file = ?1";
            if tx.prepare_cached(left)?.exists([file.id.0])? {
                put_file(tx, &file)
            } else {
                delete_file(tx, file.id)
            }
        };
        let store = self.store.clone();
        let mut written = Box::pin(async move { store.write(Durability::Process, commit).await });
        let at_once = (&mut written).now_or_never();
        async move {
            let result = match at_once {
                Some(result) => result,
                None => written.await,
            };
            Ok(result?)
        }
    }

    /// `old` is part of `waiting`, and may have landed at the store all the same.
    pub fn superseded(&self, file: FileId, old: Generation, waiting: Generation, earlier: &[WriteId]) {
        let earlier = joined(earlier);
        self.submit(move |tx| {
            delete_generation(tx, file, old)?;
            let set = "UPDATE generations SET earlier = ?3 WHERE file = ?1 AND generation = ?2";
            tx.prepare_cached(set)?.execute(params![file.0, waiting.0 as i64, earlier]).map(drop)
        });
    }

    /// The data file is gone.
    pub fn layer_gone(&self, layer: LayerId) {
        self.submit(move |tx| {
            tx.prepare_cached("DELETE FROM layers WHERE id = ?1")?.execute([layer.0]).map(drop)
        });
    }

    /// Layers that belong to no generation any more: their data files may still be there.
    pub fn loose_layers(&self) -> Result<Vec<LayerId>> {
        let select = "SELECT id FROM layers WHERE id NOT IN (SELECT layer FROM stacks)";
        Ok(self.store.read(|connection| {
            connection.prepare(select)?.query_map([], |row| Ok(LayerId(row.get(0)?)))?.collect()
        })?)
    }

    /// The generation is no more.
    pub fn drop_generation(&self, file: FileId, generation: Generation) {
        self.submit(move |tx| delete_generation(tx, file, generation));
    }

    /// Everything of the file goes.
    pub fn forget(&self, file: FileId) {
        self.submit(move |tx| delete_file(tx, file));
    }

    /// New key, base or expectation.
    pub fn update_file(&self, file: FileRecord) -> Result<()> {
        self.write(move |tx| {
            let known = tx.prepare_cached("SELECT 1 FROM files WHERE id = ?1")?.exists([file.id.0])?;
            if known { put_file(tx, &file) } else { Ok(()) }
        })
    }

    /// Splits what cannot be placed off into a file of its own, so that it can be listed and discarded alone.
    pub fn set_apart(&self, file: FileRecord, generation: Generation, apart: FileId) -> Result<()> {
        self.write(move |tx| {
            put_file(tx, &FileRecord { id: apart, ..file.clone() })?;
            tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            for table in ["generations", "stacks", "parts"] {
                let update = format!("UPDATE {table} SET file = ?3 WHERE file = ?1 AND generation = ?2");
                tx.execute(&update, params![file.id.0, generation.0 as i64, apart.0])?;
            }
            Ok(())
        })
    }

    pub fn load(&self) -> Result<Vec<(FileRecord, Vec<Found>)>> {
        Ok(self.store.read(|connection| {
            let mut files = connection
                .prepare("SELECT id, key, base, expected, exclusive, leftover FROM files ORDER BY id")?;
            let rows = files.query_map([], file_of)?.collect::<sql::Result<Vec<_>>>()?;
            rows.into_iter().map(|file| Ok((file.clone(), generations(connection, file.id)?))).collect()
        })?)
    }

    /// One more than every id in use.
    pub fn next_ids(&self) -> Result<(i64, i64)> {
        let next = |connection: &sql::Connection, table: &str| {
            connection
                .query_row(&format!("SELECT coalesce(max(id), 0) + 1 FROM {table}"), [], |row| row.get(0))
        };
        Ok(self.store.read(|connection| Ok((next(connection, "files")?, next(connection, "layers")?)))?)
    }

    fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<T> {
        Ok(wait(self.store.write(Durability::Process, change))?)
    }

    /// Hands a change to the writer, in order with all others, without waiting. A disk that fails breaks the store,
    /// and the next change that is waited for reports it.
    fn submit(&self, change: impl FnOnce(&Transaction<'_>) -> sql::Result<()> + Send + 'static) {
        let noted = move |tx: &Transaction<'_>| {
            change(tx).inspect_err(|error| tracing::error!("a change of the journal failed: {error}"))
        };
        let _pending = self.store.write(Durability::Process, noted).now_or_never();
    }
}

/// Waits for the journal's writer on whatever thread this is, a runtime's own included: the wait is for the local
/// disk only.
pub fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let full = matches!(&error, store::Error::Sql(cause)
            if cause.sqlite_error_code() == Some(sql::ErrorCode::DiskFull));
        let kind = if full { ErrorKind::NoSpace } else { ErrorKind::Disk };
        Self::new(kind, format!("the journal of pending writes: {error}"))
    }
}

fn unsealed(id: LayerId) -> LayerRecord {
    LayerRecord { id, extents: Extents::default(), checksum: 0 }
}

fn put_file(tx: &Transaction<'_>, file: &FileRecord) -> sql::Result<()> {
    let put =
        "INSERT INTO files (id, key, base, expected, exclusive, leftover) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET key = ?2, base = ?3, expected = ?4, exclusive = ?5, leftover = ?6";
    let base = file.base.as_ref().map(record::object_ref_text);
    let leftover = file.leftover.as_ref().map(record::object_ref_text);
    let expected = record::expected_text(&file.expected);
    let values = params![file.id.0, file.key, base, expected, file.exclusive, leftover];
    tx.prepare_cached(put)?.execute(values).map(drop)
}

fn put_begin(
    tx: &Transaction<'_>,
    file: FileId,
    generation: Generation,
    write_id: &WriteId,
    since: SystemTime,
) -> sql::Result<()> {
    let put =
        "INSERT OR REPLACE INTO generations (file, generation, word, write_id, earlier, size, object, since)
        VALUES (?1, ?2, 'begin', ?3, '', 0, '{}', ?4)";
    let values = params![file.0, generation.0 as i64, write_id.0, record::millis(since) as i64];
    tx.prepare_cached(put)?.execute(values).map(drop)
}

/// Keeps what the begun generation already has: the upload and its parts.
fn put_generation(tx: &Transaction<'_>, file: FileId, sealed: &GenerationRecord) -> sql::Result<()> {
    let put = "INSERT INTO generations
            (file, generation, word, write_id, earlier, size, object, upload_key, upload_id, error, since)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (file, generation) DO UPDATE SET word = ?3, write_id = ?4, earlier = ?5, size = ?6, object = ?7,
            upload_key = ?8, upload_id = ?9, error = ?10, since = ?11";
    tx.prepare_cached(put)?
        .execute(params![
            file.0,
            sealed.generation.0 as i64,
            record::word_text(sealed.word),
            sealed.write_id.0,
            joined(&sealed.earlier),
            sealed.size as i64,
            record::new_object_text(&sealed.object),
            sealed.upload.as_ref().map(|upload| &upload.key),
            sealed.upload.as_ref().map(|upload| &upload.id),
            sealed.error,
            record::millis(sealed.since) as i64,
        ])
        .map(drop)
}

fn put_stack(
    tx: &Transaction<'_>,
    file: FileId,
    generation: Generation,
    layers: &[LayerRecord],
) -> sql::Result<()> {
    let clear = "DELETE FROM stacks WHERE file = ?1 AND generation = ?2";
    tx.prepare_cached(clear)?.execute(params![file.0, generation.0 as i64])?;
    for (layer, position) in layers.iter().zip(0i64..) {
        let put = "INSERT OR REPLACE INTO layers (id, data, zeros, checksum) VALUES (?1, ?2, ?3, ?4)";
        let (data, zeros) =
            (record::ranges_blob(&layer.extents.data), record::ranges_blob(&layer.extents.zeros));
        let checksum = format!("{:016x}", layer.checksum);
        tx.prepare_cached(put)?.execute(params![layer.id.0, data, zeros, checksum])?;
        let stack = "INSERT INTO stacks (file, generation, position, layer) VALUES (?1, ?2, ?3, ?4)";
        tx.prepare_cached(stack)?.execute(params![file.0, generation.0 as i64, position, layer.id.0])?;
    }
    Ok(())
}

fn put_part(
    tx: &Transaction<'_>,
    file: FileId,
    generation: Generation,
    part: &PartRecord,
) -> sql::Result<()> {
    // A part may be acknowledged after its generation is gone: then there is nothing to note.
    let put = "INSERT OR REPLACE INTO parts (file, generation, number, start, len, source, etag)
        SELECT file, generation, ?3, ?4, ?5, ?6, ?7 FROM generations WHERE file = ?1 AND generation = ?2";
    let PartRecord { part, etag } = part;
    tx.prepare_cached(put)?
        .execute(params![
            file.0,
            generation.0 as i64,
            part.number,
            part.range.start as i64,
            part.range.len() as i64,
            record::source_text(part.source),
            etag.as_ref().map(|etag| &*etag.0),
        ])
        .map(drop)
}

fn set_word(
    tx: &Transaction<'_>,
    file: FileId,
    generation: Generation,
    word: Word,
    error: Option<&str>,
) -> sql::Result<()> {
    let set = "UPDATE generations SET word = ?3, error = ?4 WHERE file = ?1 AND generation = ?2";
    let values = params![file.0, generation.0 as i64, record::word_text(word), error];
    tx.prepare_cached(set)?.execute(values).map(drop)
}

fn set_upload(
    tx: &Transaction<'_>,
    file: FileId,
    generation: Generation,
    upload: Option<&Upload>,
) -> sql::Result<()> {
    let set = "UPDATE generations SET upload_key = ?3, upload_id = ?4 WHERE file = ?1 AND generation = ?2";
    let values = params![file.0, generation.0 as i64, upload.map(|u| &u.key), upload.map(|u| &u.id)];
    tx.prepare_cached(set)?.execute(values).map(drop)
}

fn delete_file(tx: &Transaction<'_>, file: FileId) -> sql::Result<()> {
    tx.prepare_cached("DELETE FROM files WHERE id = ?1")?.execute([file.0]).map(drop)
}

fn delete_generation(tx: &Transaction<'_>, file: FileId, generation: Generation) -> sql::Result<()> {
    let delete = "DELETE FROM generations WHERE file = ?1 AND generation = ?2";
    tx.prepare_cached(delete)?.execute(params![file.0, generation.0 as i64]).map(drop)
}

/// Exactly these.
fn put_parts(
    tx: &Transaction<'_>,
    file: FileId,
    generation: Generation,
    parts: &[PartRecord],
) -> sql::Result<()> {
    let delete = "DELETE FROM parts WHERE file = ?1 AND generation = ?2";
    tx.prepare_cached(delete)?.execute(params![file.0, generation.0 as i64])?;
    parts.iter().try_for_each(|part| put_part(tx, file, generation, part))
}

fn joined(write_ids: &[WriteId]) -> String {
    write_ids.iter().map(|id| id.0.as_str()).collect::<Vec<_>>().join(" ")
}

fn file_of(row: &Row<'_>) -> sql::Result<FileRecord> {
    let base: Option<String> = row.get(2)?;
    let expected: String = row.get(3)?;
    Ok(FileRecord {
        id: FileId(row.get(0)?),
        key: row.get(1)?,
        base: base.and_then(|text| record::object_ref_of(&text)),
        // Unreadable: expect nothing at the key, so that nothing there is ever replaced.
        expected: record::expected_of(&expected).unwrap_or(Expected::Absent),
        exclusive: row.get(4)?,
        leftover: row.get::<_, Option<String>>(5)?.and_then(|text| record::object_ref_of(&text)),
    })
}

fn generations(connection: &sql::Connection, file: FileId) -> sql::Result<Vec<Found>> {
    let select =
        "SELECT generation, word, write_id, earlier, size, object, upload_key, upload_id, error, since
        FROM generations WHERE file = ?1 ORDER BY generation";
    let mut statement = connection.prepare_cached(select)?;
    let found = statement.query_map([file.0], generation_of)?.collect::<sql::Result<Vec<_>>>()?;
    found
        .into_iter()
        .map(|found| {
            let mut record = match found {
                Ok(record) => record,
                Err(unreadable) => return Ok(Err(unreadable)),
            };
            record.parts = parts_of(connection, file, record.generation)?;
            Ok(match layers_of(connection, file, record.generation)? {
                Some(layers) => Ok(GenerationRecord { layers, ..record }),
                None => Err((record.generation, "the ranges of its data are unreadable".to_owned())),
            })
        })
        .collect()
}

fn generation_of(row: &Row<'_>) -> sql::Result<Found> {
    let generation = Generation(row.get::<_, i64>(0)? as u64);
    let word: String = row.get(1)?;
    let object: String = row.get(5)?;
    let Some(object) = record::new_object_of(&object) else {
        return Ok(Err((generation, "what its object is to be given is unreadable".to_owned())));
    };
    let earlier: String = row.get(3)?;
    let upload: (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
    Ok(Ok(GenerationRecord {
        generation,
        word: record::word_of(&word),
        write_id: WriteId(row.get(2)?),
        earlier: earlier.split_whitespace().map(|id| WriteId(id.to_owned())).collect(),
        size: row.get::<_, i64>(4)? as u64,
        object,
        upload: upload.0.zip(upload.1).map(|(key, id)| Upload { key, id }),
        layers: Vec::new(),
        parts: Vec::new(),
        error: row.get(8)?,
        since: record::from_millis(row.get::<_, i64>(9)? as u64),
    }))
}

/// `None` if one of them cannot be read.
fn layers_of(
    connection: &sql::Connection,
    file: FileId,
    generation: Generation,
) -> sql::Result<Option<Vec<LayerRecord>>> {
    let select =
        "SELECT stacks.layer, data, zeros, checksum FROM stacks LEFT JOIN layers ON layers.id = stacks.layer
        WHERE stacks.file = ?1 AND generation = ?2 ORDER BY position";
    let mut statement = connection.prepare_cached(select)?;
    let layer = |row: &Row<'_>| {
        let (data, zeros): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
        let checksum: Option<String> = row.get(3)?;
        let id = LayerId(row.get(0)?);
        Ok((|| {
            let extents = Extents { data: record::ranges_of(&data?)?, zeros: record::ranges_of(&zeros?)? };
            Some(LayerRecord { id, extents, checksum: u64::from_str_radix(&checksum?, 16).ok()? })
        })())
    };
    statement.query_map(params![file.0, generation.0 as i64], layer)?.collect()
}

fn parts_of(
    connection: &sql::Connection,
    file: FileId,
    generation: Generation,
) -> sql::Result<Vec<PartRecord>> {
    let select = "SELECT number, start, len, source, etag FROM parts WHERE file = ?1 AND generation = ?2
        ORDER BY number";
    let mut statement = connection.prepare_cached(select)?;
    let part = |row: &Row<'_>| {
        let range = ByteRange::sized(row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
        let (source, etag): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        let number = row.get(0)?;
        let etag = etag.map(|etag| ETag(etag.into()));
        Ok(record::source_of(&source).map(|source| PartRecord { part: Part { number, range, source }, etag }))
    };
    let parts: Vec<_> =
        statement.query_map(params![file.0, generation.0 as i64], part)?.collect::<sql::Result<_>>()?;
    Ok(parts.into_iter().flatten().collect())
}

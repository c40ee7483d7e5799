//! The SQLite database of a state or cache directory: schema, migrations, one writer with group commit.
//!
//! One thread writes. It takes all closures that have gathered, runs each in a savepoint of its own (one that
//! fails undoes only itself), commits once and then acknowledges all. In WAL mode every commit survives a kill
//! of the process; with [`Durability::Power`] in the batch the log is synced before anybody is told, so that it
//! survives a power cut, and with it everything committed before. Readers have connections of their own and
//! never wait for the writer.
//!
//! After a commit failed on I/O, nothing later claims to be durable until the store is opened anew: the kernel
//! may have thrown the lost pages away (as in [`crate::base::disk`]).

mod writer;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// The one name by which the rest of the program knows SQLite.
pub use rusqlite as sql;

use rusqlite::{Connection, OpenFlags, Transaction};
use writer::Writer;

/// What an acknowledged write has survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// A kill of the process.
    Process,
    /// A power cut.
    Power,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: Arc<io::Error> },
    #[error("the database: {0}")]
    Sql(Arc<sql::Error>),
    #[error(
        "{path} was written by a newer holdfs (schema {found}, this one knows {known}): use that or a newer one"
    )]
    NewerSchema { path: PathBuf, found: usize, known: usize },
    #[error(
        "an earlier write to the database failed ({0}); nothing more is promised until it is opened anew"
    )]
    Broken(Arc<sql::Error>),
    #[error("a write to the database panicked and was undone")]
    Panicked,
    #[error("the database is closed")]
    Closed,
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

/// Cheap to clone. The last clone to go waits for the writer's last commit.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Writer,
    idle_readers: Mutex<Vec<Connection>>,
}

const IDLE_READERS_MAX: usize = 4;

impl Store {
    /// Opens or makes the database (0600) and brings its schema up to date. `migrations[n]` leads from version n
    /// (SQLite's `user_version`) to n + 1; what is released is never changed, only added to.
    pub fn open(path: &Path, migrations: &'static [&'static str]) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source: Arc::new(source) };
        let path = make_file(path).map_err(failed)?;
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A migration is rare and must hold.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut connection, &path, migrations)?;
        if let Some(directory) = path.parent() {
            std::fs::File::open(directory).and_then(|opened| opened.sync_all()).map_err(failed)?;
        }
        let writer = Writer::start(connection).map_err(failed)?;
        Ok(Self(Arc::new(Inner { path, writer, idle_readers: Mutex::default() })))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Transactions committed since the store was opened.
    pub fn commits(&self) -> u64 {
        self.0.writer.commits()
    }

    /// Runs `f` in the writer's next transaction and returns once that is as durable as asked. If `f` fails, what
    /// it did is undone. Dropping the future does not take the write back.
    pub async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        f: impl FnOnce(&Transaction<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.writer.submit(durability, f)?.await.map_err(|_| Error::Closed)?
    }

    /// Reads on the calling thread, from the last commit before the call or a later one. Several statements that
    /// must agree need a transaction of their own.
    pub fn read<T>(&self, f: impl FnOnce(&Connection) -> sql::Result<T>) -> Result<T, Error> {
        let idle = self.0.idle_readers.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.0.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let result = f(&connection)?;
        let mut idle = self.0.idle_readers.lock();
        if idle.len() < IDLE_READERS_MAX {
            idle.push(connection);
        }
        Ok(result)
    }
}

/// SQLite would make the file readable for others, and give that on to its log. Returns the path with the
/// symbolic links of its directory resolved, because SQLite is told to refuse any.
fn make_file(path: &Path) -> io::Result<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let path = directory.canonicalize()?.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(&path).map(|_| path)
}

fn connect(path: &Path, access: OpenFlags) -> sql::Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), Error> {
    let known = migrations.len();
    let transaction = connection.transaction_with_behavior(sql::TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = found as usize;
    if found > known {
        return Err(Error::NewerSchema { path: path.to_owned(), found, known });
    }
    for (migration, version) in migrations[found..].iter().zip(found + 1..) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version as u32)?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SCHEMA: &[&str] = &["CREATE TABLE names (name TEXT PRIMARY KEY) STRICT"];

    fn open(directory: &tempfile::TempDir) -> Store {
        Store::open(&directory.path().join("journal.db"), SCHEMA).unwrap()
    }

    fn write(
        store: &Store,
        durability: Durability,
        f: impl FnOnce(&Transaction<'_>) -> sql::Result<()> + Send + 'static,
    ) {
        runtime().block_on(store.write(durability, f)).unwrap();
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    fn insert(name: &'static str) -> impl FnOnce(&Transaction<'_>) -> sql::Result<()> + Send {
        move |tx| tx.execute("INSERT INTO names VALUES (?1)", [name]).map(drop)
    }

    fn names(store: &Store) -> Vec<String> {
        let query = |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM names ORDER BY name")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        store.read(query).unwrap()
    }

    #[test]
    fn what_is_acknowledged_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        write(&store, Durability::Power, insert("a"));
        write(&store, Durability::Process, insert("b"));
        assert_eq!(names(&store), ["a", "b"]);
        drop(store);
        assert_eq!(names(&open(&directory)), ["a", "b"]);
    }

    #[test]
    fn one_failing_write_undoes_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let (first, twice, panicking, last) = runtime().block_on(async {
            let twice = store.write(Durability::Process, |tx| {
                insert("half")(tx)?;
                insert("a")(tx)
            });
            let panicking = store.write::<()>(Durability::Process, |tx| {
                insert("never")(tx)?;
                panic!("oh")
            });
            let first = store.write(Durability::Process, insert("a"));
            tokio::join!(first, twice, panicking, store.write(Durability::Power, insert("z")))
        });
        assert!(first.is_ok() && last.is_ok(), "{first:?} {last:?}");
        assert!(matches!(twice, Err(Error::Sql(_))) && matches!(panicking, Err(Error::Panicked)));
        assert_eq!(names(&store), ["a", "z"]);
    }

    #[test]
    fn many_writes_share_a_commit() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        runtime().block_on(async {
            let gate = store.write(Durability::Process, |_| {
                std::thread::sleep(Duration::from_millis(50));
                Ok(())
            });
            let many = (0..100).map(|n: u32| {
                store.write(Durability::Power, move |tx| {
                    tx.execute("INSERT INTO names VALUES (?1)", [n.to_string()])
                })
            });
            let (gate, many) = tokio::join!(gate, futures_util::future::try_join_all(many));
            gate.unwrap();
            assert_eq!(many.unwrap().len(), 100);
        });
        assert!(store.commits() < 10, "{} commits", store.commits());
    }

    #[test]
    fn a_newer_schema_is_refused_and_an_older_one_is_lifted() {
        const NEWER: &[&str] = &[SCHEMA[0], "ALTER TABLE names ADD COLUMN size INTEGER"];
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        write(&store, Durability::Process, insert("a"));
        drop(store);
        let path = directory.path().join("journal.db");
        let lifted = Store::open(&path, NEWER).unwrap();
        assert_eq!(names(&lifted), ["a"]);
        drop(lifted);
        let refused = Store::open(&path, SCHEMA).err().unwrap();
        assert!(matches!(refused, Error::NewerSchema { found: 2, known: 1, .. }), "{refused}");
    }

    #[test]
    fn the_files_are_private_and_no_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        write(&store, Durability::Process, insert("a"));
        for name in ["journal.db", "journal.db-wal"] {
            let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(store.path(), &link).unwrap();
        assert!(matches!(Store::open(&link, SCHEMA), Err(Error::File { .. })));
    }

    #[test]
    fn writes_that_were_asked_for_are_made_before_the_store_closes() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        runtime().block_on(async {
            let write = store.write(Durability::Process, |tx| {
                std::thread::sleep(Duration::from_millis(20));
                insert("a")(tx)
            });
            tokio::select! { biased; _ = write => panic!("too early"), () = std::future::ready(()) => {} }
        });
        drop(store);
        assert_eq!(names(&open(&directory)), ["a"]);
    }
}

//! Opening the database: where it may lie, whether it is ours, and how it is written.
//!
//! One rule: nothing is written before everything was found in order, and a foreign file is never touched.

use super::engine::Engine;
use super::error::StoreError;
use super::{copy, key, log, migrate, sql};
use mcpproxy_platform::files::{self, FileIdentity, FileLock, FileSystem, HeldLock, LockMode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The schema that this program writes.
pub(super) const SCHEMA: u32 = 3;
/// What the database says that it is.
pub(super) const WHAT: &str = "mcpproxy collector";
/// The file in the data directory that says that a database was begun there.
const BEGUN: &str = "collector.begun";
const BEGUN_TEXT: &str = "collector.db was begun in this directory. While this file is here, no other is begun in its \
                          place: a copy comes back with `mcpproxy collector restore FILE`.\n";
/// How long another process may hold the write lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// The write-ahead log is cut to so many bytes when a checkpoint has emptied it.
const LOG_LIMIT: u32 = 64 << 20;

/// The database file of a data directory.
pub fn file(dir: &Path) -> PathBuf {
    dir.join("collector.db")
}

/// Makes the directory if it is missing, and refuses one that does not keep a database.
pub fn prepare(dir: &Path, is_ephemeral: bool) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Directory(error.kind());
    files::create_private_dir(dir).map_err(failed)?;
    files::check_writable(dir).map_err(failed)?;
    match files::file_system(dir).map_err(failed)? {
        FileSystem::RemoteOrUnknown(name) => Err(StoreError::Remote(name)),
        FileSystem::Local(name @ ("tmpfs" | "ramfs" | "overlay")) if !is_ephemeral => {
            Err(StoreError::Volatile(name))
        }
        FileSystem::Local(_) => Ok(()),
    }
}

/// Takes the directory, as a collector does while it runs.
pub fn hold(dir: &Path) -> Result<HeldLock, StoreError> {
    FileLock::open(&lock(dir))
        .and_then(|lock| lock.acquire(LockMode::Exclusive, Duration::ZERO))
        .map_err(|error| StoreError::Directory(error.kind()))?
        .ok_or(StoreError::Taken)
}

/// The lock lies beside the file itself: a link to it in another directory is no other database.
fn lock(dir: &Path) -> PathBuf {
    let file = file(dir);
    let real = if file.is_symlink() { file.canonicalize().ok() } else { None };
    real.as_deref().and_then(Path::parent).unwrap_or(dir).join("collector.lock")
}

/// Whether a database has been in the directory: none is made in place of one that is gone.
fn had_one(dir: &Path) -> bool {
    let log = dir.join("collector.db-wal").metadata().is_ok_and(|log| log.len() > 0);
    has_begun(dir) || log
}

/// Whether a database was begun in the directory: these files come after its tables.
fn has_begun(dir: &Path) -> bool {
    [BEGUN, key::FILE, "pages.key"].iter().any(|name| dir.join(name).symlink_metadata().is_ok())
}

/// Remembers that a database lies in the directory. The keys may lie elsewhere.
pub(super) fn remember(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(BEGUN);
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let written = files::write_atomically(&path, BEGUN_TEXT.as_bytes(), 0o600);
    written.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        kind => StoreError::Directory(kind),
    })
}

/// The same of one that an earlier version began. Without room it is remembered the next time.
fn remember_if_there_is_room(dir: &Path) -> Result<(), StoreError> {
    match remember(dir) {
        Err(StoreError::Full) => Ok(()),
        result => result,
    }
}

/// Opens the existing database to write it. One of an older schema is an error.
pub fn open(dir: &Path) -> Result<Connection, StoreError> {
    check_log(dir)?;
    let (connection, found) = existing(dir, |_| Ok(()))?;
    if found < SCHEMA {
        return Err(StoreError::Older);
    }
    to_write(connection)
}

/// As [`open`], and makes the database if there was none.
pub fn open_or_begin(dir: &Path) -> Result<Connection, StoreError> {
    check_log(dir)?;
    let (connection, found) = begin(dir)?;
    if found < SCHEMA {
        return Err(StoreError::Older);
    }
    let connection = to_write(connection)?;
    remember_if_there_is_room(dir)?;
    Ok(connection)
}

/// As [`open_or_begin`], for the collector that holds the directory: an older schema is brought to this one.
pub fn open_held(dir: &Path, _lock: &HeldLock) -> Result<Connection, StoreError> {
    log::check(&copy::beside(&file(dir), "-wal"))?;
    let lock = FileIdentity::at(&lock(dir)).map_err(|_| StoreError::Away)?;
    let (connection, found) = begin(dir)?;
    let mut connection = to_write(connection)?;
    if found < SCHEMA {
        migrate::run(&mut connection, dir, lock)?;
    }
    remember_if_there_is_room(dir)?;
    Ok(connection)
}

/// Checks the log for every command, not only for a collector that starts: the last one to leave a database removes
/// the log, and with it what SQLite has left out. While a collector runs, the log is its own, and is read in any state.
fn check_log(dir: &Path) -> Result<(), StoreError> {
    let path = copy::beside(&file(dir), "-wal");
    if log::check(&path).is_ok() {
        return Ok(());
    }
    match hold(dir) {
        Err(StoreError::Taken) => Ok(()),
        // Looked at once more: another command may have begun it anew meanwhile.
        held => held.and_then(|_lock| log::check(&path)),
    }
}

/// The database and its schema. It is made if there was none: the only place that makes one.
fn begin(dir: &Path) -> Result<(Connection, u32), StoreError> {
    let path = file(dir);
    if path.metadata().map_or(0, |file| file.len()) == 0 && had_one(dir) {
        return Err(StoreError::Gone);
    }
    // SQLite takes the mode of its other files from this one.
    drop(files::open_private(&path).map_err(|error| StoreError::Directory(error.kind()))?);
    let mut connection = connect(&path)?;
    // Looked at before anything is changed, and again under the lock: another process may make it now.
    let found = match schema(&connection)? {
        Some(schema) => schema,
        // Its tables were in a log that is gone. Looked at once more: another process may have made them now.
        None if has_begun(dir) => schema(&connection)?.ok_or(StoreError::Gone)?,
        None => {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            let change =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let known = schema(&change)?;
            if known.is_none() {
                change.execute_batch(sql::SCHEMA)?;
                change.execute(sql::META_INSERT, ["what", WHAT])?;
                change.execute(sql::META_INSERT, ["schema", &SCHEMA.to_string()])?;
            }
            change.commit()?;
            remember(dir)?;
            known.unwrap_or(SCHEMA)
        }
    };
    Ok((connection, found))
}

/// An acknowledged heartbeat is on disk: also after a power failure, also on macOS.
fn to_write(connection: Connection) -> Result<Connection, StoreError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::ReadOnly);
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    Ok(connection)
}

/// Opens an existing database to read it.
pub fn open_to_read(dir: &Path) -> Result<Connection, StoreError> {
    let connection = open_to_copy(dir)?;
    match schema(&connection)? {
        Some(SCHEMA) => Ok(connection),
        _ => Err(StoreError::Older),
    }
}

/// Opens an existing database of any schema that is known, to read it.
pub fn open_to_copy(dir: &Path) -> Result<Connection, StoreError> {
    check_log(dir)?;
    to_read(dir, |_| Ok(()))
}

/// As [`open_to_copy`], before the database is put aside: what can be read of it is read, and a damaged log stays.
pub fn open_to_put_aside(dir: &Path) -> Result<Connection, StoreError> {
    let is_whole = log::check(&copy::beside(&file(dir), "-wal")).is_ok();
    to_read(dir, |connection| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !is_whole)?;
        Ok(())
    })
}

fn to_read(
    dir: &Path,
    prepare: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<Connection, StoreError> {
    let (connection, _) = existing(dir, prepare)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// The existing database and its schema. It is never made here, not even by a race with its removal.
fn existing(
    dir: &Path,
    prepare: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<(Connection, u32), StoreError> {
    let none = || if had_one(dir) { StoreError::Gone } else { StoreError::Missing };
    let path = file(dir);
    if !path.exists() {
        return Err(none());
    }
    let connection = connect(&path)?;
    prepare(&connection)?;
    let found = schema(&connection)?.ok_or_else(none)?;
    Ok((connection, found))
}

/// Connects to a file that exists.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Whether it has the tables and sums that every schema but the first has.
pub(super) fn is_past_schema_1(engine: &dyn Engine) -> Result<bool, StoreError> {
    let schema: Option<String> = engine.one(sql::META, &[&"schema"])?;
    Ok(schema.and_then(|schema| schema.parse::<u32>().ok()).is_some_and(|schema| schema > 1))
}

/// The schema of the database, up to [`SCHEMA`]. `None`: it is empty. A foreign or newer one is an error.
pub(super) fn schema(connection: &Connection) -> Result<Option<u32>, StoreError> {
    let tables: u64 =
        connection.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let meta = |name: &str| -> Result<Option<String>, StoreError> {
        match connection.query_row(sql::META, [name], |row| row.get(0)).optional() {
            Ok(value) => Ok(value),
            // Other tables than ours.
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == rusqlite::ErrorCode::Unknown =>
            {
                Err(StoreError::Foreign)
            }
            Err(error) => Err(error.into()),
        }
    };
    if meta("what")?.as_deref() != Some(WHAT) {
        return Err(StoreError::Foreign);
    }
    match meta("schema")?.and_then(|schema| schema.parse::<u32>().ok()) {
        Some(schema @ 1..=SCHEMA) => Ok(Some(schema)),
        Some(1..) => Err(StoreError::Newer),
        _ => Err(StoreError::Foreign),
    }
}

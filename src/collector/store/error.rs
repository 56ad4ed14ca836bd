//! Why the database cannot be used.
//!
//! One rule: one line with the remedy, and never a value out of the database.

use super::server_error::ServerError;
use std::fmt;
use std::io;

/// Why the database, or the directory that it lies in, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The directory cannot be made or used.
    Directory(io::ErrorKind),
    /// The directory lies on a file system that keeps no promises.
    Remote(String),
    /// The directory is gone when the machine or the container stops.
    Volatile(&'static str),
    /// Another collector holds it.
    Taken,
    /// There is no database yet.
    Missing,
    /// The file is a database of something else, or none.
    Foreign,
    /// A later version has written it.
    Newer,
    /// An earlier version has written it, and only a collector brings it to this one.
    Older,
    /// A database was here, and is gone.
    Gone,
    /// Another process brings it to this version; seconds until it may be taken for dead.
    Migrating(u64),
    /// Bringing it to this version would have lost rows.
    MigrationLoses,
    /// A copy of it cannot be written.
    Copy(Box<StoreError>),
    /// The write-ahead log does not read, and what was stored last is in it.
    LogDamaged,
    /// A row or a page does not read.
    Damaged,
    /// The disk is full.
    Full,
    /// The database cannot be written.
    ReadOnly,
    /// The file was moved or removed under a running collector.
    Away,
    /// Another process writes for too long.
    Busy,
    /// The key has not the form of one; where it was found.
    KeyForm(&'static str),
    /// The key file cannot be read, or not be made.
    KeyFile(io::ErrorKind),
    /// There is no key, and the database was made with one.
    KeyMissing,
    /// The key is not the one of this database.
    KeyWrong,
    /// Another collector made the key in the same moment.
    KeyRace,
    /// No random bytes.
    NoRandom,
    /// Anything else that SQLite says: its code.
    Sqlite(i32),
    /// The rows lie on PostgreSQL, which cannot be used.
    Server(ServerError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => f.write_str(
                "the data directory is a file, or its path leads through one; name another with --data-dir DIR",
            ),
            Self::Directory(kind) => write!(
                f,
                "the data directory cannot be used: {kind}; name another with --data-dir DIR"
            ),
            Self::Remote(name) => write!(
                f,
                "the data directory lies on a file system that does not keep a database safe ({name}): name a \
                 directory on a local disk with --data-dir DIR"
            ),
            Self::Volatile(name) => write!(
                f,
                "the data directory lies on {name} and is gone when this machine or container stops: mount a volume \
                 (docker run -v mcpproxy-collector:/data .. --data-dir /data), or say --ephemeral"
            ),
            Self::Taken => f.write_str(
                "another collector uses this data directory: stop it, or name another with --data-dir DIR",
            ),
            Self::Missing => f.write_str(
                "there is no collector.db in the data directory: start `mcpproxy collector`, or name another with \
                 --data-dir DIR",
            ),
            Self::Foreign => f.write_str(
                "collector.db is not a database of this program: move it away, or name another directory with \
                 --data-dir DIR",
            ),
            Self::Newer => f.write_str(
                "collector.db was written by a newer version of this program: run that version",
            ),
            Self::Older => f.write_str(
                "collector.db was written by an older version of this program: start `mcpproxy collector` once, which \
                 keeps a copy of it and brings it to this version",
            ),
            Self::Gone => f.write_str(
                "there was a collector.db in the data directory, and it is gone or empty: put it back, or a copy with \
                 `mcpproxy collector restore FILE`; to begin anew, name another directory with --data-dir DIR, or remove \
                 everything in this one",
            ),
            Self::Migrating(seconds) => write!(
                f,
                "another process brings collector.db to this version: start again when it has ended, or in {seconds} s"
            ),
            Self::MigrationLoses => f.write_str(
                "collector.db cannot be brought to this version without losing rows, and is as it was: run the version \
                 that wrote it, and report this",
            ),
            Self::LogDamaged => f.write_str(
                "collector.db-wal, which holds what was stored last, is damaged: put a copy in its place with \
                 `mcpproxy collector restore FILE`, or move collector.db-wal away to go on without it",
            ),
            Self::Copy(error) => {
                let why = match **error {
                    Self::Full => "the disk is full: make room".to_owned(),
                    Self::Directory(kind) => {
                        format!("{kind}: name a place where this user may write")
                    }
                    Self::ReadOnly | Self::Away => {
                        "give this user write access to its directory".to_owned()
                    }
                    ref other => other.to_string(),
                };
                write!(f, "the copy of collector.db cannot be written: {why}; the database is as it was")
            }
            Self::Damaged => f.write_str(
                "collector.db is damaged: stop the collector and put a copy in its place with `mcpproxy collector restore FILE`",
            ),
            Self::Full => f.write_str("the disk of collector.db is full: make room"),
            Self::ReadOnly => {
                f.write_str("collector.db cannot be written: give this user write access to it")
            }
            Self::Away => f.write_str(
                "collector.db was moved or removed while it was in use: put it back, or start the collector again",
            ),
            Self::Busy => f.write_str("collector.db is in use by another process: try again"),
            Self::KeyForm(place) => write!(
                f,
                "{place} does not hold a key: it must be 64 hexadecimal digits, as `openssl rand -hex 32` prints them"
            ),
            Self::KeyFile(kind) => {
                write!(f, "the key file cannot be used: {kind}; name it with --key-file FILE")
            }
            Self::KeyMissing => f.write_str(
                "the key of collector.db is missing, and without it every install would be new: name its file with \
                 --key-file FILE, or set MCPPROXY_COLLECTOR_KEY",
            ),
            Self::KeyWrong => f.write_str(
                "the key is not the one that collector.db was made with, and with another every install would be new: \
                 name the right one with --key-file FILE or MCPPROXY_COLLECTOR_KEY",
            ),
            Self::KeyRace => f.write_str(
                "another collector made the key of this database in the same moment: start again with its key",
            ),
            Self::Server(error) => error.fmt(f),
            Self::NoRandom => f.write_str("this system gives no random bytes for a key: try again"),
            Self::Sqlite(code) => {
                write!(f, "collector.db cannot be used (SQLite code {code}): see its disk and rights")
            }
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            // A column that is not of its type.
            return Self::Damaged;
        };
        match failure.code {
            Code::DiskFull => Self::Full,
            // No room for the index of the write-ahead log.
            _ if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::Full,
            Code::ReadOnly | Code::PermissionDenied => Self::ReadOnly,
            Code::DatabaseBusy | Code::DatabaseLocked => Self::Busy,
            Code::NotADatabase => Self::Foreign,
            Code::DatabaseCorrupt => Self::Damaged,
            Code::CannotOpen => Self::Away,
            _ => Self::Sqlite(failure.extended_code),
        }
    }
}

impl From<ServerError> for StoreError {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

//! Backup and restore: a copy of the database in another place, and a copy in place of the database.
//!
//! One rule: a copy is checked before it counts, and no file that exists is written over or deleted.

use super::copy::{self, CopyError, beside, copy};
use super::error::StoreError;
use super::key::{Key, KeySource};
use super::{database, products, sql};
use crate::collector::row::Product;
use crate::contract::timestamp;
use mcpproxy_platform::files;
use rusqlite::{Connection, OpenFlags, params};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no copy, or the database is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepError {
    /// A file of this name exists.
    Exists(PathBuf),
    /// There is no such copy, or it cannot be read.
    Unread(io::ErrorKind),
    /// What is to be restored is no good.
    Copy(StoreError),
    /// The present database cannot be put aside.
    Aside(io::ErrorKind),
    /// The database or its directory.
    Store(StoreError),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => write!(
                f,
                "{} exists already, and no file is written over: name another",
                path.display()
            ),
            Self::Unread(kind) => write!(
                f,
                "the copy cannot be read: {kind}; name a file that `mcpproxy collector backup` made"
            ),
            Self::Copy(StoreError::Foreign | StoreError::Missing) => f.write_str(
                "this is no copy of a collector's database: name a file that `mcpproxy collector backup` made",
            ),
            Self::Copy(StoreError::Newer) => f.write_str(
                "the copy was made by a newer version of this program: restore it with that version",
            ),
            Self::Copy(StoreError::Damaged) => {
                f.write_str("the copy is damaged: name another; the database is as it was")
            }
            Self::Copy(StoreError::KeyMissing) => f.write_str(
                "the key of the copy is missing, and without it every install would be new: name its file with \
                 --key-file FILE, or set MCPPROXY_COLLECTOR_KEY",
            ),
            Self::Copy(StoreError::KeyWrong) => f.write_str(
                "the key is not the one of the copy, and with another every install would be new: name the right one \
                 with --key-file FILE or MCPPROXY_COLLECTOR_KEY",
            ),
            Self::Copy(error) => write!(f, "the copy cannot be restored: {error}"),
            Self::Aside(kind) => write!(
                f,
                "collector.db cannot be put aside: {kind}; give this user write access to the data directory"
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeepError {}

impl<E: Into<StoreError>> From<E> for KeepError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// What it holds.
    pub products: Vec<Product>,
    /// Where the key lies; `None` if it is in a variable.
    pub key: Option<PathBuf>,
    /// Where the key was copied to.
    pub key_copy: Option<PathBuf>,
}

/// Copies the database of `dir` to `file`; a collector may be running on it. The key goes to a file beside the copy
/// with `with_key`, and nowhere without.
pub fn backup(
    dir: &Path,
    file: &Path,
    source: &KeySource,
    with_key: bool,
) -> Result<BackedUp, KeepError> {
    let key_copy = with_key.then(|| key_beside(file));
    for path in [Some(file), key_copy.as_deref()].into_iter().flatten() {
        if path.symlink_metadata().is_ok() {
            return Err(KeepError::Exists(path.to_owned()));
        }
    }
    let from = database::open_to_copy(dir)?;
    if let Some(path) = &key_copy {
        let key = Key::given(source, dir)?.ok_or(StoreError::KeyMissing)?;
        if key.fits(&from)? == Some(false) {
            return Err(StoreError::KeyWrong.into());
        }
        // Before the copy: one without its key would be worth nothing.
        let written = files::write_atomically(path, key.text().as_bytes(), 0o600);
        written.map_err(|error| StoreError::Copy(Box::new(StoreError::Directory(error.kind()))))?;
    }
    let made = copy(&from, file);
    if let (Err(_), Some(path)) = (&made, &key_copy) {
        let _ = fs::remove_file(path);
    }
    let products = made.map_err(StoreError::from)?;
    Ok(BackedUp { products, key: source.path(dir), key_copy })
}

/// A database that was replaced by a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the database holds now.
    pub products: Vec<Product>,
    /// Where the database before is; `None` if there was none.
    pub aside: Option<PathBuf>,
    /// How many installs were erased since the copy, and were in it.
    pub erased: usize,
}

/// Puts the copy `file` in place of the database of `dir`, which is put aside. Not while a collector runs.
pub fn restore(
    dir: &Path,
    file: &Path,
    source: &KeySource,
    is_ephemeral: bool,
    now: u64,
) -> Result<Restored, KeepError> {
    let is_file = fs::metadata(file).map_err(|error| KeepError::Unread(error.kind()))?.is_file();
    if !is_file {
        return Err(KeepError::Copy(StoreError::Foreign));
    }
    database::prepare(dir, is_ephemeral)?;
    let _lock = database::hold(dir)?;
    let target = database::file(dir);
    let checked = beside(&target, ".restored");
    let given = Key::given(source, dir)?;
    // A restore that was killed has put the database aside, and what it knew is in what was checked.
    let known = if target.exists() { Vec::new() } else { erased_in(&checked).unwrap_or_default() };
    let own_key = {
        let from = open_copy(file)?;
        database::schema(&from)
            .map_err(KeepError::Copy)?
            .ok_or(KeepError::Copy(StoreError::Missing))?;
        let own_key = match given {
            Some(key) => {
                if key.fits(&from).map_err(KeepError::Copy)? == Some(false) {
                    return Err(KeepError::Copy(StoreError::KeyWrong));
                }
                None
            }
            None => key_of_copy(&from, file)?,
        };
        copy(&from, &checked).map_err(|error| match error {
            CopyError::Check(error) => KeepError::Copy(error),
            error => KeepError::Store(error.into()),
        })?;
        own_key
    };
    // What was erased after the copy stays erased.
    let erased = [known, erased(dir).unwrap_or_default()].concat();
    let (products, erased) = erase_in(&checked, &erased)?;
    let aside = put_aside(&target, now).map_err(|error| KeepError::Aside(error.kind()))?;
    if let Some(key) = own_key {
        key.keep_in(dir)?;
    }
    fs::rename(&checked, &target)
        .and_then(|()| copy::sync_directory_of(&target))
        .map_err(|error| KeepError::Aside(error.kind()))?;
    database::remember(dir)?;
    Ok(Restored { products, aside, erased })
}

/// An install that was erased, and until when that is remembered.
type Erased = (Vec<u8>, u32);

/// The installs that were erased in the present database, if it can be read.
fn erased(dir: &Path) -> Result<Vec<Erased>, StoreError> {
    erased_of(&database::open_to_put_aside(dir)?)
}

/// As [`erased`], of a file that was checked.
fn erased_in(file: &Path) -> Result<Vec<Erased>, StoreError> {
    erased_of(&Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn erased_of(connection: &Connection) -> Result<Vec<Erased>, StoreError> {
    let mut statement = connection.prepare(sql::ERASED_ALL)?;
    let erased = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(erased.collect::<Result<_, _>>()?)
}

/// Erases these in a copy; what it holds then, and how many were in it.
fn erase_in(copy: &Path, erased: &[Erased]) -> Result<(Vec<Product>, usize), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(copy, flags)?;
    // Schema 1 does not remember who was erased.
    let remembers = database::is_past_schema_1(&connection)?;
    let change = connection.transaction()?;
    let mut found = 0;
    for (install, until) in erased {
        found += change.execute(sql::INSTALL_DELETE, [install])?;
        change.execute(sql::DAYS_DELETE, [install])?;
        if remembers {
            change.execute(sql::ERASED_WRITE, params![install, until])?;
        }
    }
    change.commit()?;
    Ok((products::list(&connection)?, found))
}

/// The key that lies beside the copy, where the directory has none and none was named.
fn key_of_copy(from: &Connection, file: &Path) -> Result<Option<Key>, KeepError> {
    let beside = KeySource::File(key_beside(file));
    let key = match Key::given(&beside, Path::new("")) {
        Ok(key) => key,
        Err(StoreError::KeyFile(io::ErrorKind::NotFound)) => None,
        Err(error) => return Err(error.into()),
    };
    match key {
        Some(key) => match key.fits(from).map_err(KeepError::Copy)? {
            Some(false) => Err(KeepError::Copy(StoreError::KeyWrong)),
            _ => Ok(Some(key)),
        },
        // A database that never received has none.
        None if Key::is_known_to(from).map_err(KeepError::Copy)? => {
            Err(KeepError::Copy(StoreError::KeyMissing))
        }
        None => Ok(None),
    }
}

fn key_beside(file: &Path) -> PathBuf {
    beside(file, ".key")
}

fn open_copy(file: &Path) -> Result<Connection, KeepError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(file, flags).and_then(|connection| {
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    });
    opened.map_err(|error| KeepError::Copy(error.into()))
}

/// Moves the database and its other files to names with the time; a log without its database as well, because it
/// would be taken for the new one's.
fn put_aside(target: &Path, now: u64) -> io::Result<Option<PathBuf>> {
    let time = timestamp::format(now).replace(':', "");
    let mut aside = beside(target, &format!(".aside-{time}"));
    for number in 2.. {
        if ["", "-wal", "-shm"].iter().all(|suffix| !beside(&aside, suffix).exists()) {
            break;
        }
        aside = beside(target, &format!(".aside-{time}-{number}"));
    }
    let mut moved = None;
    for suffix in ["", "-wal", "-shm"] {
        match fs::rename(beside(target, suffix), beside(&aside, suffix)) {
            Ok(()) if suffix.is_empty() => moved = Some(aside.clone()),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(moved)
}

//! The checked, locked LMDB environment: one data file, one lock file of ours, many processes.
//!
//! One rule: LMDB sees the file only under our exclusive lock, and maps it only after [`pages`] has read it
//! as a whole and found it sound.
//!
//! LMDB's own locking is off (a damaged lock file crashes, a stopped writer blocks everybody for good). A
//! file that is truncated by somebody else *while it is mapped* still ends in `SIGBUS`: that is out of
//! scope, as for every memory map. Reading ([`snapshot`]) maps nothing and is free of that, too.

pub mod pages;
#[cfg(feature = "yardstick")]
pub mod plain;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RwTxn, WithoutTls};

use crate::files::{self, FileIdentity, FileLock, HeldLock, LockMode, PreparedPath};

/// The size of the map and so the largest size of a file; ours need less than a hundredth.
pub const MAP_SIZE: usize = 4 << 20;

/// The file of the environment in `directory`.
pub fn data_file(directory: &Path) -> PathBuf {
    directory.join("data.mdb")
}

/// A new data file until it is complete: no process ever sees half of one.
const UNFINISHED: &str = "new.mdb";

/// How long the lock file, and what its directory lies in, are taken to have their names still, while the
/// data file has its: looking costs as much as locking.
const LOCK_TRUSTED: Duration = Duration::from_millis(20);

/// Why an operation on the environment did not happen.
#[derive(Debug)]
pub enum Failure {
    /// The lock was not had in time.
    Busy,
    /// There is no data file.
    Missing,
    /// The data file is not one of ours or is broken; it is not mapped.
    Damaged(&'static str),
    /// The data file is sound, but its records are not for this program: nothing is changed.
    Refused(&'static str),
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        match error {
            heed::Error::Io(error) => Self::Io(error),
            heed::Error::Mdb(heed::MdbError::Other(code)) => {
                Self::Io(io::Error::from_raw_os_error(code))
            }
            // Never with a path or a value: LMDB's own messages are fixed texts.
            other => Self::Io(io::Error::other(other.to_string())),
        }
    }
}

/// Records as they lie in the file: key, value.
pub type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// An environment that may or may not be mapped at the moment, behind a lock file of its own.
#[derive(Debug)]
pub struct Environment {
    data: PathBuf,
    data_prepared: PreparedPath,
    lock_path: PathBuf,
    lock: FileLock,
    /// When ([`files::coarse_time`]) `lock` was last seen to be the file that `lock_path` leads to.
    lock_seen: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    env: Env<WithoutTls>,
    records: Database<'static, Bytes, Bytes>,
    file: Arc<File>,
    identity: FileIdentity,
}

/// What [`Session::ready`] found.
#[derive(Debug)]
pub enum Ready {
    /// The same file as last time.
    Same,
    /// A file that was not mapped before, with all its records.
    Opened(Records),
}

impl Environment {
    /// Prepares `<directory>/data.mdb`; the lock file is made if it is missing, its directory is not.
    /// Nothing is mapped yet.
    pub fn at(directory: &Path, lock: &Path) -> io::Result<Self> {
        let data = data_file(directory);
        // The store and the directory that holds it and the lock get other names while they are open; what
        // that lies in hardly ever does.
        let base = lock.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        let (base, rest) = match data.strip_prefix(base) {
            Ok(rest) => (base, rest),
            Err(_) => (Path::new(""), data.as_path()),
        };
        Ok(Self {
            data_prepared: PreparedPath::new(base, rest)?,
            data,
            lock_path: lock.to_owned(),
            lock: FileLock::open(lock)?,
            lock_seen: files::coarse_time(),
            open: None,
        })
    }

    /// Takes the exclusive lock and looks which file has the name; [`Failure::Busy`] when the lock is not
    /// had `within`.
    pub fn lock(&mut self, within: Duration) -> Result<Session<'_>, Failure> {
        let mut left = within;
        loop {
            let held = self.lock.acquire(LockMode::Exclusive, left)?.ok_or(Failure::Busy)?;
            let now = files::coarse_time();
            if now.saturating_sub(self.lock_seen) < LOCK_TRUSTED {
                let found = self.data_prepared.identity();
                if self.is_open(&found) {
                    return Ok(Session { environment: self, same: true, found, _held: held });
                }
            }
            if self.lock.is_still_at(&self.lock_path) {
                self.lock_seen = now;
                self.data_prepared.follow();
                let found = self.data_prepared.identity();
                let same = self.is_open(&found);
                return Ok(Session { environment: self, same, found, _held: held });
            }
            // Somebody removed the lock file or moved its directory away: others lock what has the name
            // now.
            left = left.saturating_sub(held.waited);
            drop(held);
            self.lock = FileLock::open(&self.lock_path)?;
            if left.is_zero() {
                return Err(Failure::Busy);
            }
        }
    }

    /// Whether that is the file that is mapped.
    fn is_open(&self, found: &io::Result<FileIdentity>) -> bool {
        matches!((&self.open, found), (Some(open), Ok(found)) if open.identity == *found)
    }
}

/// The environment under the exclusive lock, which ends with this value.
#[derive(Debug)]
pub struct Session<'a> {
    environment: &'a mut Environment,
    /// What is mapped is what has the name.
    same: bool,
    found: io::Result<FileIdentity>,
    _held: HeldLock,
}

impl Session<'_> {
    /// Makes sure that what is mapped is what the name leads to, and that it is sound.
    pub fn ready(&mut self) -> Result<Ready, Failure> {
        if self.same && self.environment.open.is_some() {
            return Ok(Ready::Same);
        }
        self.close();
        let data = &self.environment.data;
        if let Err(error) = &self.found {
            return Err(absent(data.parent().unwrap_or(data), error.kind().into()));
        }
        let bytes = read_whole(data)?;
        let snapshot = pages::read(&bytes, MAP_SIZE).map_err(Failure::Damaged)?;
        let records =
            snapshot.records.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        let open = Open::sound(data)?;
        self.opened(open);
        Ok(Ready::Opened(records))
    }

    /// Makes a new data file with `records` in place of whatever has the name, and maps it.
    pub fn create(&mut self, records: &Records) -> Result<(), Failure> {
        self.close();
        let data = self.environment.data.clone();
        let unfinished = data.with_file_name(UNFINISHED);
        let directory = data.parent().ok_or(Failure::Missing)?;
        files::create_private_dir(directory)?;
        if unfinished.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Failure::Damaged("a directory has the name of a new file"));
        }
        remove_if_there(&unfinished)?;
        // LMDB would make the file with the right mode, too, but only if the directory lets it.
        drop(files::open_private(&unfinished)?);
        let open = Open::sound(&unfinished)?;
        let mut transaction = open.env.write_txn()?;
        for (key, value) in records {
            open.records.put(&mut transaction, key, value)?;
        }
        transaction.commit()?;
        open.file.sync_data()?;
        drop(open);
        std::fs::rename(&unfinished, &data)?;
        self.opened(Open::sound(&data)?);
        Ok(())
    }

    fn opened(&mut self, open: Open) {
        self.found = Ok(open.identity);
        self.same = true;
        self.environment.open = Some(open);
    }

    /// Unmaps the file; the next [`Self::ready`] checks and maps it again.
    pub fn close(&mut self) {
        self.environment.open = None;
    }

    /// The mapped file; none before [`Self::ready`] or [`Self::create`].
    pub fn identity(&self) -> Option<FileIdentity> {
        self.environment.open.as_ref().map(|open| open.identity)
    }

    /// The mapped file, to sync it outside the lock.
    pub fn file(&self) -> Option<Arc<File>> {
        self.environment.open.as_ref().map(|open| Arc::clone(&open.file))
    }

    /// Runs `change` in one transaction: all of it is kept, or nothing if it or the commit fails.
    ///
    /// Committed changes survive the death of the process at any point from here on, not a power failure.
    pub fn write<T, E: From<Failure>>(
        &mut self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(open) = &self.environment.open else { return Err(Failure::Missing.into()) };
        let outcome =
            open.env.write_txn().map_err(Failure::from).map_err(E::from).and_then(|inner| {
                let mut transaction = Transaction { inner, records: open.records };
                let value = change(&mut transaction)?;
                transaction.inner.commit().map_err(Failure::from)?;
                Ok(value)
            });
        if outcome.is_err() {
            // LMDB refuses to go on after some failures; a fresh map has forgotten them.
            self.close();
        }
        outcome
    }
}

/// One write transaction.
pub struct Transaction<'a> {
    inner: RwTxn<'a>,
    records: Database<'static, Bytes, Bytes>,
}

impl Transaction<'_> {
    /// The number of this transaction: later ones of the same file have higher ones.
    pub fn number(&self) -> u64 {
        self.inner.id() as u64
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, Failure> {
        Ok(self.records.get(&self.inner, key)?)
    }

    /// All records, by key.
    pub fn records(&self) -> Result<Records, Failure> {
        let mut records = Records::new();
        for record in self.records.iter(&self.inner)? {
            let (key, value) = record?;
            records.push((key.to_vec(), value.to_vec()));
        }
        Ok(records)
    }

    /// Sets the value of `key`.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        Ok(self.records.put(&mut self.inner, key, value)?)
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.records.delete(&mut self.inner, key)?;
        Ok(())
    }
}

impl Open {
    /// Maps `data`, whose pages were checked under the lock that is held.
    fn sound(data: &Path) -> Result<Self, Failure> {
        let file = File::open(data)?;
        let identity = FileIdentity::of(&file)?;
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(MAP_SIZE);
        // SAFETY: NO_LOCK asks for the locking that `Session` provides: transactions begin and end under
        // the exclusive file lock and a `&mut Environment`, and no read transaction exists. NO_SYNC gives up
        // power-failure safety only; after one, `pages` refuses what it broke. NO_SUB_DIR is harmless.
        unsafe {
            options.flags(EnvFlags::NO_LOCK | EnvFlags::NO_SYNC | EnvFlags::NO_SUB_DIR);
        }
        let env = open_once_closed(&options, data)?;
        // LMDB leaves it to its users whether their children get its file.
        files::keep_from_children(&file);
        let transaction = env.write_txn()?;
        let records = env
            .create_databases_and_commit(transaction, |opener, transaction| {
                opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
            })?
            .commit()
            .ok_or(Failure::Missing)?;
        Ok(Self { env, records, file: Arc::new(file), identity })
    }
}

/// Opens the environment, waiting shortly for another thread that is just closing the same one.
fn open_once_closed(
    options: &EnvOpenOptions<WithoutTls>,
    data: &Path,
) -> Result<Env<WithoutTls>, Failure> {
    // SAFETY: the file was found sound by `pages::read` or is an empty one that we just made, and the
    // exclusive lock that every process of ours takes before it writes is held.
    match unsafe { options.open(data) } {
        Err(heed::Error::EnvAlreadyOpened) => {
            if let Some(event) = data.canonicalize().ok().and_then(heed::env_closing_event) {
                event.wait_timeout(Duration::from_millis(50));
            }
            // SAFETY: as above.
            Ok(unsafe { options.open(data) }?)
        }
        outcome => Ok(outcome?),
    }
}

/// The bytes of an environment's data file, read under the shared lock, mapping and changing nothing;
/// [`Failure::Missing`] when there is none. Without a lock file there is nobody to lock out.
pub fn snapshot(directory: &Path, lock: &Path, within: Duration) -> Result<Vec<u8>, Failure> {
    let data = data_file(directory);
    std::fs::metadata(&data).map_err(|error| absent(directory, error))?;
    let _held = match FileLock::open_existing(lock) {
        Ok(lock) => Some(lock.acquire(LockMode::Shared, within)?.ok_or(Failure::Busy)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    read_whole(&data)
}

/// The identity of an environment's data file; `None` when there is none.
pub fn identity(directory: &Path) -> Option<FileIdentity> {
    FileIdentity::at(&data_file(directory)).ok()
}

/// Reads a file that may be anything.
fn read_whole(path: &Path) -> Result<Vec<u8>, Failure> {
    // A pipe would block, a device might never end.
    let metadata = std::fs::metadata(path).map_err(missing)?;
    if !metadata.is_file() {
        return Err(Failure::Damaged("it is not a file"));
    }
    if metadata.len() > MAP_SIZE as u64 {
        return Err(Failure::Damaged("it is larger than the map"));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path).map_err(missing)?.take(MAP_SIZE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why there is no data file in `directory`.
fn absent(directory: &Path, error: io::Error) -> Failure {
    let is_link = directory.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    if is_link && error.kind() == io::ErrorKind::NotFound && directory.metadata().is_err() {
        // The storage it leads to may come back: nothing is put in its place.
        return Failure::Io(io::Error::other("it is a symbolic link that leads nowhere"));
    }
    let is_file = |parent: &Path| parent.metadata().is_ok_and(|parent| !parent.is_dir());
    if error.kind() == io::ErrorKind::NotADirectory && directory.ancestors().skip(1).any(is_file) {
        // Nothing of it is there to be damaged.
        return Failure::Io(io::Error::other("a directory on its path is a file"));
    }
    missing(error)
}

fn missing(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::Missing,
        io::ErrorKind::NotADirectory => Failure::Damaged("its directory is not a directory"),
        _ => Failure::Io(error),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

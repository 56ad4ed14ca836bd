//! Private files and directories, file locks, file identity, kinds of file systems.
//!
//! One rule: nothing here waits without a bound, and what we create is ours alone (0700, 0600).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backend::files as backend;

mod unfinished;
pub use unfinished::{abandon_unfinished, remove_leftovers, remove_leftovers_of};

/// Which file a name leads to: two equal identities taken while the file is held open are one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// The device.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
}

impl FileIdentity {
    /// The identity of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        backend::identity_of(file).map(|(device, inode)| Self { device, inode })
    }

    /// The identity of what `path` leads to (symbolic links followed); one `stat`.
    pub fn at(path: &Path) -> io::Result<Self> {
        backend::identity(path).map(|(device, inode)| Self { device, inode })
    }
}

/// Lets no child of this process get a descriptor of `file`, not even one that a library opened.
#[cfg(feature = "lmdb")]
pub(crate) fn keep_from_children(file: &File) {
    backend::mark_all_of(file);
}

/// A path that is looked up before every write: prepared once for the system call.
///
/// Where that is cheaper, it is looked up from an open directory on; whoever moves that directory away is
/// noticed by [`PreparedPath::follow`] only. What changes below it is noticed at once.
#[derive(Debug)]
pub struct PreparedPath(backend::PreparedPath);

impl PreparedPath {
    /// Prepares the path `rest` below the directory `base`; `InvalidInput` when it holds a NUL.
    pub fn new(base: &Path, rest: &Path) -> io::Result<Self> {
        backend::PreparedPath::new(base, rest).map(Self)
    }

    /// Looks again where `base` is.
    pub fn follow(&mut self) {
        self.0.follow();
    }

    /// As [`FileIdentity::at`].
    pub fn identity(&self) -> io::Result<FileIdentity> {
        self.0.identity().map(|(device, inode)| FileIdentity { device, inode })
    }
}

/// Time since a fixed moment, as of the system's last tick (at most 10 ms ago): a quarter of what the exact
/// time costs.
pub fn coarse_time() -> Duration {
    backend::coarse_time()
}

/// What kind of file system a path lies on, and its name as a user knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A known local one: memory maps and locks work as expected.
    Local(&'static str),
    /// A network or user-space one, or one nobody here knows.
    RemoteOrUnknown(String),
}

/// The file system that holds `path`, which must exist.
pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    backend::file_system(path)
}

/// Whether this process may make and change names in the directory `path`, found without trying.
pub fn check_writable(path: &Path) -> io::Result<()> {
    backend::check_writable(path)
}

/// Whether this process could open the file at `path` to read and write it, or make it where there is none;
/// found without changing anything. What [`reason`] says of the error is for people.
pub fn check_usable(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {
            OpenOptions::new().read(true).write(true).open(path).map(drop)
        }
        Ok(_) => Err(io::Error::other("it is not a file; remove it")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Ok(target) = std::fs::read_link(path) else {
                return check_writable(directory_of(path));
            };
            // A link to nothing: the file would be made where it leads.
            let target = directory_of(path).join(target);
            check_writable(directory_of(&target)).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::other("it is a link to nothing; remove it"),
                _ => error,
            })
        }
        Err(error) => Err(error),
    }
}

/// What went wrong, without any path: fixed words of ours, else the kind (messages of the standard
/// library may hold paths).
pub fn reason(error: &io::Error) -> String {
    match error.get_ref() {
        Some(own) if error.kind() == io::ErrorKind::Other => own.to_string(),
        _ => error.kind().to_string(),
    }
}

/// Bytes that this user may still write on the file system of `path`; `None` where it does not tell.
pub fn free_space(path: &Path) -> Option<u64> {
    backend::free_space(path)
}

/// Files that may still be made on the file system of `path`; `None` where it does not tell or has no limit.
pub fn free_files(path: &Path) -> Option<u64> {
    backend::free_files(path)
}

/// Makes `path` and its missing parents, each 0700. An existing directory keeps its mode.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    backend::create_private_dir(path)
}

/// Opens `path` for reading and writing, made 0600 if it is missing, never truncated.
pub fn open_private(path: &Path) -> io::Result<File> {
    backend::open_private(path)
}

/// Makes `path`, which must not exist, readable and writable for its owner only (0600), and opens it to write.
pub fn create_private(path: &Path) -> io::Result<File> {
    backend::create_new(path, 0o600)
}

/// Leaves `path` readable and writable for its owner only (0600; other systems: nothing to do).
pub fn make_private(path: &Path) -> io::Result<()> {
    backend::make_private(path)
}

/// Whether users other than the owner may read `path`, by its mode.
pub fn is_readable_by_others(path: &Path) -> bool {
    mode_for_others(path).is_some()
}

/// The mode of `path`, if it lets users other than the owner read.
pub fn mode_for_others(path: &Path) -> Option<u32> {
    backend::mode_for_others(path)
}

/// In whose hands a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It is a symbolic link, which only its owner can change, whatever its mode says.
    pub is_link: bool,
    /// Whom it belongs to.
    pub owner: Owner,
    /// Others may write it: everybody, or a group that is not this user's own.
    pub others_write: bool,
    /// Names in it can be changed by their owners alone.
    pub is_sticky: bool,
}

/// Whom a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This user or root.
    Trusted,
    /// A user of another user namespace: who that is cannot be told here.
    Unknown,
    /// Another user.
    Other,
}

/// Whether this system has owners and modes that [`standing`] can tell.
pub const fn has_owners() -> bool {
    backend::HAS_OWNERS
}

/// In whose hands `path` itself is, links not followed; one `lstat`, and where a group may write, a look at the
/// files that say who is in it.
pub fn standing(path: &Path) -> io::Result<Standing> {
    backend::standing(path)
}

/// Makes a symbolic link at `link` that leads to `target`; `Unsupported` where the system has none.
pub fn link(target: &Path, link: &Path) -> io::Result<()> {
    backend::link(target, link)
}

/// Makes the names in `directory` durable (a rename is not on disk before this).
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    backend::sync_directory(directory)
}

/// Writes a file as a whole: readers see the old bytes or the new ones, also after a power failure.
///
/// `mode` is the Unix mode of the new file (other systems ignore it). A symbolic link at `path` would
/// be replaced by the file: resolve it first where its target is meant.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    Replacement::prepare(path, bytes, mode)?.publish()
}

/// As [`write_atomically`], for a file that others own too: an existing one keeps its mode and, where we
/// may, its owner; a missing one is made 0600.
///
/// `is_current` says whether the file at a path is still the old one. It is asked of `path` when all is ready:
/// if somebody else has changed that meanwhile (to bring the new one to disk takes milliseconds), nothing is
/// replaced and this is false. Where the system can exchange two files (Linux), it is asked again of what
/// was replaced, and a change of the last microsecond is put back.
pub fn replace_in_kind(
    path: &Path,
    bytes: &[u8],
    is_current: impl Fn(&Path) -> bool,
) -> io::Result<bool> {
    let replacement = Replacement::prepare(path, bytes, 0o600)?;
    match std::fs::metadata(path) {
        Ok(model) => backend::take_after(&replacement.temporary, &model)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if !unfinished::undivided(|| replacement.take_place(path, bytes, is_current))? {
        return Ok(false);
    }
    sync_directory(directory_of(path))?;
    Ok(true)
}

/// The first half of [`write_atomically`]: the new bytes are on disk beside their target, which is
/// untouched. Dropped without [`Replacement::publish`], they are removed.
#[derive(Debug)]
pub struct Replacement {
    target: PathBuf,
    temporary: PathBuf,
    /// Open, and so in use, until it has its name.
    file: File,
}

impl Replacement {
    /// Writes and syncs `bytes` beside `target`.
    pub fn prepare(target: &Path, bytes: &[u8], mode: u32) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        remove_leftovers(target);
        let mut tries = 0;
        let (temporary, file) = loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let mut hidden = unfinished::prefix(target)?;
            hidden.push(format!("{}-{number}.tmp", std::process::id()));
            let temporary = target.with_file_name(hidden);
            // A process of the same number may have died here once: what it left is nobody's.
            match std::fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            tries += 1;
            match unfinished::begin(&temporary, mode) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted && tries < 10 => {}
                begun => break (temporary, begun?),
            }
        };
        let mut replacement = Self { target: target.to_owned(), temporary, file };
        replacement.file.write_all(bytes)?;
        replacement.file.sync_all()?;
        Ok(replacement)
    }

    /// The last step of [`replace_in_kind`].
    fn take_place(
        &self,
        path: &Path,
        bytes: &[u8],
        is_current: impl Fn(&Path) -> bool,
    ) -> io::Result<bool> {
        if !is_current(path) {
            return Ok(false);
        }
        match backend::exchange(&self.temporary, path) {
            // Gone is what somebody took for abandoned: it can no longer be asked.
            Ok(()) if is_current(&self.temporary) || !self.temporary.exists() => {}
            Ok(()) => {
                backend::exchange(&self.temporary, path)?;
                // Not ours that came back: they have saved again meanwhile, and the newest stays.
                if std::fs::read(&self.temporary)? != bytes {
                    backend::exchange(&self.temporary, path)?;
                }
                return Ok(false);
            }
            // There was none, and still is none: a link takes nobody's place.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match std::fs::hard_link(&self.temporary, path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
                    Err(_) => std::fs::rename(&self.temporary, path)?,
                }
            }
            // Neither every system nor every file system can.
            Err(_) => std::fs::rename(&self.temporary, path)?,
        }
        let _ = std::fs::remove_file(&self.temporary);
        Ok(true)
    }

    /// Renames the new bytes over the target and syncs the directory.
    pub fn publish(self) -> io::Result<()> {
        let directory = directory_of(&self.target).to_owned();
        self.rename()?;
        sync_directory(&directory)
    }

    /// Renames the new bytes over the target. On disk is the rename when the directory is synced.
    pub fn rename(self) -> io::Result<()> {
        std::fs::rename(&self.temporary, &self.target)
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After `rename` the name is gone and this finds nothing.
        let _ = std::fs::remove_file(&self.temporary);
        unfinished::end(&self.temporary);
    }
}

/// How a [`FileLock`] is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// With other readers.
    Shared,
    /// Alone.
    Exclusive,
}

/// A lock file. The lock belongs to the open file: two `FileLock`s of one process exclude each other.
#[derive(Clone, Debug)]
pub struct FileLock {
    file: Arc<File>,
    identity: FileIdentity,
}

/// The lock, held until this is dropped (or the process ends, however it ends).
#[derive(Debug)]
pub struct HeldLock {
    file: Arc<File>,
    /// How long it took to get it.
    pub waited: Duration,
}

impl FileLock {
    /// Opens the lock file, made 0600 if it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        refuse_what_is_no_file(path)?;
        open_private(path).and_then(Self::of)
    }

    /// Opens an existing lock file for reading only: works in a read-only directory.
    pub fn open_existing(path: &Path) -> io::Result<Self> {
        refuse_what_is_no_file(path)?;
        File::open(path).and_then(Self::of)
    }

    fn of(file: File) -> io::Result<Self> {
        let identity = FileIdentity::of(&file)?;
        Ok(Self { file: Arc::new(file), identity })
    }

    /// Tries until `within` has passed: `Ok(None)` when others held it all the time.
    ///
    /// Never blocks in the kernel, so a stopped holder cannot stop us. The first retries come after tens
    /// of microseconds (a holder is normally done by then), later ones every millisecond.
    pub fn acquire(&self, mode: LockMode, within: Duration) -> io::Result<Option<HeldLock>> {
        if self.try_once(mode)? {
            return Ok(Some(self.held(Duration::ZERO)));
        }
        let start = Instant::now();
        let mut pause = Duration::from_micros(20);
        loop {
            let waited = start.elapsed();
            let Some(left) = within.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return Ok(None);
            };
            std::thread::sleep(pause.min(left));
            if self.try_once(mode)? {
                return Ok(Some(self.held(start.elapsed())));
            }
            pause = (pause * 3 / 2).min(Duration::from_millis(1));
        }
    }

    /// Whether `path` still leads to this lock file. When it was deleted, or its directory was moved away
    /// and another one made, others lock another file; one `stat`.
    pub fn is_still_at(&self, path: &Path) -> bool {
        FileIdentity::at(path).is_ok_and(|identity| identity == self.identity)
    }

    fn try_once(&self, mode: LockMode) -> io::Result<bool> {
        let result = match mode {
            LockMode::Shared => self.file.try_lock_shared(),
            LockMode::Exclusive => self.file.try_lock(),
        };
        match result {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn held(&self, waited: Duration) -> HeldLock {
        HeldLock { file: Arc::clone(&self.file), waited }
    }
}

/// To open a pipe for reading waits for a writer, and a directory can be locked but not written.
fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(io::Error::other("the lock file is not a file; remove it"))
        }
        _ => Ok(()),
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Only a descriptor that is no file could fail here.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_held_elsewhere_is_reported_within_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (ours, theirs) = (FileLock::open(&path).unwrap(), FileLock::open(&path).unwrap());
        let held = theirs.acquire(LockMode::Exclusive, Duration::ZERO).unwrap().unwrap();
        let start = Instant::now();
        assert!(ours.acquire(LockMode::Shared, Duration::from_millis(50)).unwrap().is_none());
        let waited = start.elapsed();
        assert!(
            waited >= Duration::from_millis(50) && waited < Duration::from_secs(2),
            "{waited:?}"
        );
        drop(held);
        assert!(ours.acquire(LockMode::Exclusive, Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn readers_share_a_lock_and_exclude_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = FileLock::open(&path).unwrap();
        let second = FileLock::open_existing(&path).unwrap();
        let _one = first.acquire(LockMode::Shared, Duration::ZERO).unwrap().unwrap();
        let _two = second.acquire(LockMode::Shared, Duration::ZERO).unwrap().unwrap();
        let writer = FileLock::open(&path).unwrap();
        assert!(writer.acquire(LockMode::Exclusive, Duration::ZERO).unwrap().is_none());
    }

    #[test]
    fn a_replacement_that_is_not_published_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file");
        write_atomically(&target, b"old", 0o600).unwrap();
        drop(Replacement::prepare(&target, b"new", 0o600).unwrap());
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        write_atomically(&target, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_write_at_the_last_moment_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        // Somebody writes between the last look and the replacement.
        let replace = |old: Option<&[u8]>| {
            let writes = std::cell::Cell::new(true);
            replace_in_kind(&path, b"ours", |at| {
                let is_current = std::fs::read(at).ok().as_deref() == old;
                if writes.replace(false) {
                    std::fs::write(dir.path().join("theirs"), b"theirs").unwrap();
                    std::fs::rename(dir.path().join("theirs"), &path).unwrap();
                }
                is_current
            })
        };
        // Without an exchange the moment is lost, so there is nothing to see where a system has none.
        let probe = [dir.path().join("a"), dir.path().join("b")];
        probe.iter().for_each(|path| std::fs::write(path, "").unwrap());
        let exchanges = backend::exchange(&probe[0], &probe[1]).is_ok();
        probe.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        assert!(exchanges || !cfg!(target_os = "linux"));
        if exchanges {
            assert!(!replace(None).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
            std::fs::write(&path, b"old").unwrap();
            assert!(!replace(Some(b"old")).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
            // And once more while theirs is being put back.
            std::fs::write(&path, b"old").unwrap();
            let saves = std::cell::Cell::new(0);
            let replaced = replace_in_kind(&path, b"ours", |at| {
                let is_current = std::fs::read(at).is_ok_and(|bytes| bytes == b"old");
                saves.set(saves.get() + 1);
                let theirs = dir.path().join("theirs");
                std::fs::write(&theirs, format!("theirs {}", saves.get())).unwrap();
                std::fs::rename(theirs, &path).unwrap();
                is_current
            });
            assert!(!replaced.unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), b"theirs 2");
        }
        let is_theirs = |at: &Path| std::fs::read(at).is_ok_and(|bytes| bytes == b"theirs");
        std::fs::write(&path, b"theirs").unwrap();
        assert!(replace_in_kind(&path, b"ours", is_theirs).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"ours");
        assert!(!replace_in_kind(&path, b"more", is_theirs).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_prepared_path_leads_where_the_path_does() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().join("base");
        std::fs::create_dir_all(base.join("inner")).unwrap();
        let path = base.join("inner/file");
        let mut prepared = PreparedPath::new(&base, Path::new("inner/file")).unwrap();
        assert_eq!(prepared.identity().unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(open_private(&path).unwrap());
        assert_eq!(prepared.identity().unwrap(), FileIdentity::at(&path).unwrap());
        // Below the base at once, ...
        std::fs::rename(base.join("inner"), base.join("aside")).unwrap();
        assert_eq!(prepared.identity().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::create_dir(base.join("inner")).unwrap();
        drop(open_private(&path).unwrap());
        assert_eq!(prepared.identity().unwrap(), FileIdentity::at(&path).unwrap());
        // ... and where the base itself went when it is asked to.
        std::fs::rename(&base, root.path().join("away")).unwrap();
        prepared.follow();
        assert_eq!(prepared.identity().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::create_dir_all(base.join("inner")).unwrap();
        drop(open_private(&path).unwrap());
        prepared.follow();
        assert_eq!(prepared.identity().unwrap(), FileIdentity::at(&path).unwrap());
    }

    // Windows moves no directory away that has an open file in it.
    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_was_deleted_or_moved_away_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let (dir, aside) = (root.path().join("dir"), root.path().join("aside"));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("lock");
        let lock = FileLock::open(&path).unwrap();
        assert!(lock.is_still_at(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!lock.is_still_at(&path));
        let lock = FileLock::open(&path).unwrap();
        std::fs::rename(&dir, &aside).unwrap();
        assert!(!lock.is_still_at(&path));
        std::fs::create_dir(&dir).unwrap();
        let other = FileLock::open(&path).unwrap();
        assert!(!lock.is_still_at(&path) && other.is_still_at(&path));
    }

    #[test]
    fn the_coarse_time_keeps_up_with_the_exact_one() {
        let (exact, coarse) = (Instant::now(), coarse_time());
        std::thread::sleep(Duration::from_millis(50));
        let (exact, coarse) = (exact.elapsed(), coarse_time() - coarse);
        assert!(exact.abs_diff(coarse) < Duration::from_millis(30), "{exact:?} {coarse:?}");
    }

    #[test]
    fn a_directory_is_no_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(FileLock::open(dir.path()).is_err());
        assert!(FileLock::open_existing(dir.path()).is_err());
    }
}

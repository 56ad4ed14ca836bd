//! New files on their way to their names: hidden ones beside their targets, which nobody may inherit.
//!
//! One rule: an ordinary end of the process undoes what it has not finished; what a killed one left is
//! removed by the next that writes, or looks, there.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::{FileIdentity, directory_of};
use crate::backend::files as backend;

/// Those of this process.
static OWN: Mutex<Own> = Mutex::new(Own { paths: Vec::new(), is_over: false });

struct Own {
    paths: Vec<PathBuf>,
    /// The process ends: nothing is begun any more.
    is_over: bool,
}

fn own() -> MutexGuard<'static, Own> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the names of the new files for `target` begin with.
pub(super) fn prefix(target: &Path) -> io::Result<OsString> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    prefix.push(".");
    Ok(prefix)
}

/// Makes the file and marks it as in use as long as it is open; `Interrupted` when another process took it for
/// abandoned before it was marked.
pub(super) fn begin(path: &Path, mode: u32) -> io::Result<File> {
    let mut own = own();
    if own.is_over {
        return Err(io::Error::other("this process ends"));
    }
    let file = backend::create_new(path, mode)?;
    own.paths.push(path.to_owned());
    drop(own);
    if backend::LOCKS_ARE_ADVISORY {
        // Where the file system has no locks, age tells.
        let is_theirs = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock));
        if is_theirs || FileIdentity::at(path).ok() != FileIdentity::of(&file).ok() {
            end(path);
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    Ok(file)
}

/// It has its name, or is gone.
pub(super) fn end(path: &Path) {
    own().paths.retain(|other| other != path);
}

/// Runs a step that the end of this process must not come between.
pub(super) fn undivided<R>(step: impl FnOnce() -> R) -> R {
    let _own = own();
    step()
}

/// For the end of the process, while other threads may still run: removes the files that this process has
/// begun and not finished, and lets it begin no more. Waits for a step that is being made for a moment at most.
pub fn abandon_unfinished() {
    const PATIENCE: Duration = Duration::from_millis(50);
    let start = Instant::now();
    let mut own = loop {
        match OWN.try_lock() {
            Ok(own) => break own,
            Err(TryLockError::Poisoned(own)) => break own.into_inner(),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(TryLockError::WouldBlock) => return,
        }
    };
    own.is_over = true;
    for path in own.paths.drain(..) {
        let _ = std::fs::remove_file(path);
    }
}

/// Removes what processes that died while replacing `target` left beside it. Best effort.
pub fn remove_leftovers(target: &Path) {
    let Ok(prefix) = prefix(target) else { return };
    remove_leftovers_of(directory_of(target), &prefix);
}

/// As [`remove_leftovers`], of everything that was replaced in `directory` by names that begin so.
pub fn remove_leftovers_of(directory: &Path, prefix: &OsStr) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        if rest.is_some_and(is_ours) && is_abandoned(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// `<process>-<number>.tmp` is the end of every name that we give.
fn is_ours(name: &[u8]) -> bool {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let Some(stem) = name.strip_suffix(b".tmp") else { return false };
    let stem = stem.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    stem.iter().position(|byte| *byte == b'-').is_some_and(|at| {
        let (process, number) = stem.split_at(at);
        is_number(process) && is_number(number.get(1..).unwrap_or_default())
    })
}

/// No process has it in use: none holds its lock (the first versions took none, and were done within moments)
/// or, where locks do not tell, none takes that long to write a small file.
fn is_abandoned(path: &Path) -> bool {
    const UNLOCKED: Duration = Duration::from_secs(10);
    const ABANDONED: Duration = Duration::from_secs(600);
    if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return false;
    }
    if own().paths.iter().any(|own| own == path) {
        return false;
    }
    let mut enough = ABANDONED;
    if backend::LOCKS_ARE_ADVISORY
        && let Ok(file) = File::open(path)
    {
        match file.try_lock() {
            Ok(()) => enough = UNLOCKED,
            Err(std::fs::TryLockError::WouldBlock) => return false,
            Err(std::fs::TryLockError::Error(_)) => {}
        }
    }
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    // A clock that was set back makes a file no younger than one of now.
    modified.is_ok_and(|time| time.elapsed().unwrap_or_else(|ahead| ahead.duration()) > enough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Replacement;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_names_that_we_give_are_ours() {
        for name in ["17-0.tmp", "1-23.tmp", "json.5-6.tmp"] {
            assert!(is_ours(name.as_bytes()), "{name}");
        }
        for name in ["tmp", ".tmp", "17.tmp", "-1.tmp", "1-.tmp", "1-x.tmp", "a1-2.tmp", "1-2.tmp~"]
        {
            assert!(!is_ours(name.as_bytes()), "{name}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_a_killed_process_left_goes_and_what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("config.json");
        let now = std::time::SystemTime::now();
        let (past, ahead) = (now - Duration::from_secs(60), now + Duration::from_secs(3600));
        let make = |name: &str, modified| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(modified).unwrap();
            file
        };
        for name in [".config.json.4194304-0.tmp", ".config.json.my-own.tmp", ".other.1-0.tmp"] {
            make(name, past);
        }
        make(".config.json.4194304-1.tmp", ahead);
        let theirs = make(".config.json.4194303-0.tmp", past);
        theirs.try_lock().unwrap();
        // As the first versions write: without a lock.
        let young = make(".config.json.4194303-1.tmp", now + Duration::from_secs(9));
        let ours = Replacement::prepare(&target, b"{}", 0o600).unwrap();
        remove_leftovers(&target);
        let (left, own) = (names(dir.path()), format!(".config.json.{}-", std::process::id()));
        assert_eq!(left.iter().filter(|name| name.starts_with(&own)).count(), 1, "{left:?}");
        let others: Vec<_> = left.iter().filter(|name| !name.starts_with(&own)).collect();
        assert_eq!(
            others,
            [
                ".config.json.4194303-0.tmp",
                ".config.json.4194303-1.tmp",
                ".config.json.my-own.tmp",
                ".other.1-0.tmp"
            ]
        );
        drop(theirs);
        young.set_modified(past).unwrap();
        ours.publish().unwrap();
        remove_leftovers(&target);
        assert_eq!(names(dir.path()), [".config.json.my-own.tmp", ".other.1-0.tmp", "config.json"]);
    }
}

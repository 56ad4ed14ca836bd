//! What `status` says about the store, found without touching it.
//!
//! One rule: the word is stable, the detail is for people and holds no path of theirs.

use crate::activation::{Health, Store, StoreError};
use crate::config::DISPLAY_NAME;
#[cfg(feature = "cli")]
use crate::diagnostics::Code;
use crate::paths::{DataDir, Place};
use mcpproxy_platform::files;

/// Bytes without which a store cannot be made, and a change to one may not be kept.
const NEEDED: u64 = 64 * 1024;

/// A word for the state of the store, and what happened.
pub(crate) type Shown = (&'static str, Option<String>);

/// A store that can be read.
pub(crate) fn store(dir: &Place) -> Shown {
    let happened = match Store::peek_health(dir) {
        Ok(None | Some(Health::Sound | Health::Fresh)) => None,
        Ok(Some(health)) => Some(health.to_string()),
        Err(error) => return trouble(&error),
    };
    ("ok", happened)
}

/// There is none, and it may be made later.
pub(crate) fn no_store(remembered: bool) -> Shown {
    let missing = "it is missing; the next host restores it from the checkpoint";
    ("none", remembered.then(|| missing.to_owned()))
}

/// The store cannot be read or kept.
pub(crate) fn trouble(error: &StoreError) -> Shown {
    let state = match error {
        StoreError::Busy => "busy",
        StoreError::RemoteFileSystem(_) => "remote",
        StoreError::Unwritable(..) => "read_only",
        StoreError::Full(..) => "full",
        StoreError::Io(_) => "unavailable",
        StoreError::Damaged(_) => "damaged",
        StoreError::Newer => "newer",
        StoreError::NotBuilt => "not_built",
    };
    (state, Some(error.to_string()))
}

/// The code of such a word.
#[cfg(feature = "cli")]
pub(crate) fn code(state: &str) -> Option<Code> {
    Some(match state {
        "busy" => Code::StoreBusy,
        "remote" => Code::StoreRemote,
        "read_only" => Code::StoreReadOnly,
        "full" => Code::StoreFull,
        "damaged" => Code::StoreDamaged,
        "newer" => Code::StoreNewer,
        "unavailable" => Code::Unknown,
        _ => return None,
    })
}

/// Why no id can be kept: that of our own product in the config, that of any other beside its store.
pub(crate) fn id_obstacle(place: &Place) -> Option<String> {
    let none = "no id can be kept, and nothing is sent";
    match place.is_own() {
        true => config_obstacle(&place.data_dir(), none),
        false => install_obstacle(place, none),
    }
}

/// The directory of the product cannot be written, or nothing can be locked.
fn install_obstacle(place: &Place, none: &str) -> Option<String> {
    let directory = place.root().ancestors().find(|path| path.exists())?;
    if let Err(error) = files::check_writable(directory) {
        let kind = error.kind();
        return Some(format!(
            "{none}: the directory of the product cannot be written ({kind}); make it writable"
        ));
    }
    let lock = place.data_dir().products_lock();
    if !lock.parent().is_some_and(|directory| directory.exists()) {
        return None;
    }
    let reason = files::reason(&files::check_usable(&lock).err()?);
    Some(format!("{none}: <data dir>/products/.lock cannot be used ({reason})"))
}

/// The config, or the file that it is a link to, cannot be replaced or locked.
fn config_obstacle(dir: &DataDir, none: &str) -> Option<String> {
    let config = std::fs::canonicalize(dir.config()).unwrap_or_else(|_| dir.config());
    let place = config.ancestors().skip(1).find(|path| path.exists())?;
    if !place.is_dir() {
        return Some(format!(
            "{none}: the data directory is a file, or its path leads through one"
        ));
    }
    if let Err(error) = files::check_writable(place) {
        let kind = error.kind();
        return Some(format!(
            "{none}: {DISPLAY_NAME} cannot be replaced ({kind}); make its directory writable"
        ));
    }
    if !dir.root().exists() {
        return None;
    }
    let reason = files::reason(&files::check_usable(&dir.config_lock()).err()?);
    Some(format!("{none}: <data dir>/config.lock cannot be used ({reason})"))
}

/// One while a file is replaced; to begin with, the store and its directory, two locks, config and checkpoint.
fn files_needed(dir: &Place) -> u64 {
    if dir.store().exists() { 1 } else { 7 }
}

/// Why nothing can be recorded here, and so nothing sent.
pub(crate) fn obstacle(dir: &Place) -> Option<Shown> {
    if let Err(error) = Store::check(dir) {
        return Some(trouble(&error));
    }
    let place = dir.root().ancestors().find(|path| path.exists())?;
    let full = "the disk of the data directory is full: what happens may not be recorded or sent; make room, or point MCPPROXY_HOME to another disk";
    // Used up are its blocks, or its names.
    let is_full = files::free_space(place).is_some_and(|free| free < NEEDED)
        || files::free_files(place).is_some_and(|free| free < files_needed(dir));
    is_full.then(|| ("full", Some(full.to_owned())))
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_an_error_has_the_code_of_the_error() {
        let what = || "x".to_owned();
        for error in [
            StoreError::Busy,
            StoreError::RemoteFileSystem(what()),
            StoreError::Unwritable("x", what()),
            StoreError::Full("x", what()),
            StoreError::Io(what()),
            StoreError::Damaged(what()),
            StoreError::Newer,
            StoreError::NotBuilt,
        ] {
            assert_eq!(code(trouble(&error).0), error.code(), "{error}");
        }
        for sound in ["ok", "none"] {
            assert_eq!(code(sound), None);
        }
    }
}

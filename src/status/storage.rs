//! What `status` says about the store, found without touching it.
//!
//! One rule: the word is stable, the detail is for people and holds no path of theirs.

use crate::activation::{Health, Store, StoreError};
use crate::config::DISPLAY_NAME;
use crate::paths::DataDir;
use mcpproxy_platform::files::{self, FileSystem};
use std::path::Path;

/// Bytes without which a store cannot be made, and a change to one may not be kept.
const NEEDED: u64 = 64 * 1024;

/// A word for the state of the store, and what happened.
pub(crate) type Shown = (&'static str, Option<String>);

/// A store that can be read.
pub(crate) fn store(dir: &DataDir) -> Shown {
    if let Some(obstacle) = obstacle(dir) {
        return obstacle;
    }
    let happened = match Store::peek_health(dir) {
        Ok(None | Some(Health::Sound | Health::Fresh)) => None,
        Ok(Some(health)) => Some(health.to_string()),
        Err(error) => return trouble(&error),
    };
    ("ok", happened)
}

/// There is none: it may be made later, or there is a reason why it cannot.
pub(crate) fn no_store(dir: &DataDir, remembered: bool) -> Shown {
    let missing = "it is missing; the next host restores it from the checkpoint";
    obstacle(dir).unwrap_or(("none", remembered.then(|| missing.to_owned())))
}

/// The store cannot be read.
pub(crate) fn trouble(error: &StoreError) -> Shown {
    let state = match error {
        StoreError::Busy => "busy",
        StoreError::RemoteFileSystem(_) => "remote",
        StoreError::Io(_) => "unavailable",
        StoreError::Damaged(_) => "damaged",
        StoreError::Newer => "newer",
        StoreError::NotBuilt => "not_built",
    };
    (state, Some(error.to_string()))
}

/// Why no id can be kept: the config, or the file that it is a link to, cannot be replaced.
pub(crate) fn config_obstacle(dir: &DataDir) -> Option<String> {
    let config = std::fs::canonicalize(dir.config()).unwrap_or_else(|_| dir.config());
    let place = config.ancestors().skip(1).find(|path| path.exists())?;
    let kind = files::check_writable(place).err()?.kind();
    Some(format!(
        "no id can be kept, and nothing is sent: {DISPLAY_NAME} cannot be replaced ({kind}); make its directory writable"
    ))
}

/// Why nothing can be recorded here, and so nothing sent.
fn obstacle(dir: &DataDir) -> Option<Shown> {
    if !cfg!(feature = "activation") {
        return Some(trouble(&StoreError::NotBuilt));
    }
    // The data directory, or the directory that it would be made in.
    let place = dir.root().ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    if let Ok(FileSystem::RemoteOrUnknown(name)) = files::file_system(place) {
        return Some(trouble(&StoreError::RemoteFileSystem(name)));
    }
    match files::check_writable(place) {
        Ok(()) if files::free_space(place).is_some_and(|free| free < NEEDED) => Some((
            "full",
            Some(
                "the disk of the data directory is full: what happens may not be recorded or sent; make room, or point MCPPROXY_HOME to another disk"
                    .to_owned(),
            ),
        )),
        Ok(()) => None,
        Err(error) => Some((
            "read_only",
            Some(format!(
                "the data directory cannot be written ({}): nothing is recorded or sent; make it writable, or point MCPPROXY_HOME to one that is",
                error.kind()
            )),
        )),
    }
}

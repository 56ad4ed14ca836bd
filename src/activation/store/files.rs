//! The store's files as seen from outside a running host: looking, putting aside, removing.

use super::checkpoint::Checkpoint;
use super::{DEADLINE, Health, StoreError, parts};
use crate::activation::State;
use crate::activation::record::{self, Key, Origin};
use crate::activation::state::Funnel;
use crate::config::{self, ConfigState};
use crate::identity::install;
use crate::paths::Place;
use mcpproxy_platform::files::{self, FileLock, FileSystem, LockMode};
use mcpproxy_platform::lmdb::{self, Failure, MAP_SIZE, Records, pages};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Put-aside stores that are kept.
const KEPT: usize = 3;
/// A person waits for `reset-id`; a host's events do not wait that long for anything.
const PATIENCE: Duration = Duration::from_secs(1);

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Missing => Self::Io("<data dir>/telemetry: it is missing".to_owned()),
            Failure::Damaged(what) => Self::Damaged(what.to_owned()),
            Failure::Refused(_) => Self::Newer,
            Failure::Io(error) => error.into(),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        refused("<data dir>/telemetry", &error)
    }
}

/// Why no store can be kept here: a memory map and a lock need a local file system, of the directory and of
/// what it may link to, and everything in it wants to be written. Changes nothing.
pub fn check(dir: &Place) -> Result<(), StoreError> {
    // The data directory, or the directory that it would be made in.
    let place = dir.root().ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    for path in [place, &dir.store()] {
        match files::file_system(path) {
            Ok(FileSystem::Local(_)) => {}
            Ok(FileSystem::RemoteOrUnknown(name)) => {
                return Err(StoreError::RemoteFileSystem(name));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    files::check_writable(place).map_err(|error| refused("the data directory", &error))?;
    if place != dir.root() {
        return Ok(());
    }
    files::check_usable(&dir.store_lock())
        .map_err(|error| refused("<data dir>/telemetry.lock", &error))?;
    match files::check_usable(&lmdb::data_file(&dir.store())) {
        Err(error) if is_denied(&error) => Err(refused("<data dir>/telemetry/data.mdb", &error)),
        // Whatever else stands there is put aside.
        _ => Ok(()),
    }
}

fn refused(what: &'static str, error: &io::Error) -> StoreError {
    let why = files::reason(error);
    match error.kind() {
        _ if is_denied(error) => StoreError::Unwritable(what, why),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(what, why),
        _ => StoreError::Io(format!("{what}: {why}")),
    }
}

fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// State and health of an existing store; reads under the shared lock, maps and changes nothing.
pub fn peek(dir: &Place) -> Result<Option<(State, Health)>, StoreError> {
    let bytes = match lmdb::snapshot(&dir.store(), &dir.store_lock(), DEADLINE) {
        Err(Failure::Missing) => return Ok(None),
        outcome => outcome?,
    };
    let snapshot = pages::read(&bytes, MAP_SIZE).map_err(Failure::Damaged)?;
    let records = snapshot.records.iter().copied();
    match (parts::assemble(records.clone()), Origin::find(records.clone())) {
        (Some(state), Some(origin)) if is_foreign(dir, &origin, &state) => {
            Err(StoreError::Damaged(FOREIGN.to_owned()))
        }
        (Some(mut state), Some(origin)) => {
            if let Some(funnel) = forgotten(dir, &origin, &state) {
                state.funnel.merge(&funnel);
            }
            Ok(Some((state, health_of(&origin))))
        }
        _ if parts::are_newer(records) => Err(StoreError::Newer),
        _ => Err(StoreError::Damaged(parts::BAD_RECORD.to_owned())),
    }
}

/// What the checkpoint holds, if it is a good one; changes nothing.
pub fn remembered(dir: &Place) -> Option<State> {
    parts::assemble(parts::borrowed(&Checkpoint::read(dir)?.records))
}

/// What is wrong with a data file that was put here beside our own checkpoint.
const FOREIGN: &str = "it belongs to another install, and its checkpoint to this one";

/// Whether this sound store is another install's, though the checkpoint beside it is of the install that the
/// config names: the file was copied here. Then the checkpoint wins, and the file is put aside like a damaged one.
pub fn is_foreign(dir: &Place, origin: &Origin, state: &State) -> bool {
    let Some(checkpoint) = Checkpoint::read(dir) else { return false };
    let Some(known) = parts::assemble(parts::borrowed(&checkpoint.records)) else { return false };
    let (theirs, ours) = (&state.install.anonymous_id, known.install.anonymous_id);
    let is_other = match theirs.is_empty() {
        // Before it has an id, a store knows itself by its own number.
        true => checkpoint.generation != origin.generation,
        false => *theirs != ours,
    };
    // Read last: hardly ever is there anything to decide.
    is_other && !ours.is_empty() && configured_id(dir).is_some_and(|id| id == ours)
}

/// The id of the install that lives here.
fn configured_id(dir: &Place) -> Option<String> {
    if !dir.is_own() {
        return install::read(dir).ok()??.kept.anonymous_id;
    }
    match config::read(&dir.data_dir()) {
        ConfigState::Loaded(telemetry) => telemetry.anonymous_id,
        ConfigState::Missing | ConfigState::Unusable(_) => None,
    }
}

/// Flags and clients that the checkpoint knows and this store of the same install does not: it is an older
/// copy, or pages of one are among its own, and no checksum tells. Within one install they only grow, so
/// whoever has more is right; another install's are none of its business.
pub fn forgotten(dir: &Place, origin: &Origin, state: &State) -> Option<Funnel> {
    let checkpoint = Checkpoint::read(dir)?;
    let known = parts::assemble(parts::borrowed(&checkpoint.records))?;
    let (ours, theirs) = (&state.install.anonymous_id, &known.install.anonymous_id);
    // Before it has an id, a store knows itself by its own number.
    let is_same =
        ours == theirs && (!ours.is_empty() || checkpoint.generation == origin.generation);
    let has_more = state.funnel.clone().merge(&known.funnel);
    (is_same && has_more).then_some(known.funnel)
}

/// What a store tells about its own past.
pub fn health_of(origin: &Origin) -> Health {
    match (origin.restored, origin.quarantined_at) {
        (false, 0) => Health::Sound,
        (false, quarantined_at) => Health::StartedOver { quarantined_at },
        (true, 0) => Health::Restored { quarantined_at: None },
        (true, at) => Health::Restored { quarantined_at: Some(at) },
    }
}

/// Who is of an older version makes no store beside the checkpoint of a newer one: what that one holds would
/// be lost with the next checkpoint.
pub fn leave_to_newer(dir: &Place) -> Result<(), Failure> {
    if Checkpoint::is_newer(dir) { Err(Failure::Refused(parts::NEWER)) } else { Ok(()) }
}

/// The records of a new store: from the checkpoint if there is a good one, else none but the origin.
pub fn first_records(dir: &Place, now: u64, quarantined_at: u64) -> (Records, Health) {
    let checkpoint = Checkpoint::read(dir);
    let origin = Origin {
        // Without randomness the clock still tells two stores apart.
        generation: getrandom::u64().unwrap_or(now),
        made_at: now,
        restored: checkpoint.is_some(),
        quarantined_at,
    };
    let health = match health_of(&origin) {
        Health::Sound => Health::Fresh,
        health => health,
    };
    let mut records = checkpoint.map_or_else(Records::new, |checkpoint| checkpoint.records);
    records.push((
        Key::Origin.bytes().to_vec(),
        record::seal(Key::Origin, &origin, &[]).value().to_vec(),
    ));
    (records, health)
}

/// Renames `damaged` (the store, or what is in the place of a file) out of the way, under the exclusive lock,
/// and forgets the oldest such; the number in its new name.
pub fn put_aside(dir: &Place, damaged: &Path, now: u64) -> io::Result<u64> {
    // Not so late that there is no number after it.
    let mut at = now.clamp(1, u64::MAX / 2);
    while dir.quarantine(at).symlink_metadata().is_ok() {
        at = at.saturating_add(1);
    }
    std::fs::rename(damaged, dir.quarantine(at))?;
    let mut others = quarantines(dir);
    others.retain(|number| *number != at);
    let surplus = (others.len() + 1).saturating_sub(KEPT);
    for number in others.into_iter().take(surplus) {
        // The next time is early enough.
        let _ = remove(&dir.quarantine(number));
    }
    Ok(at)
}

/// The numbers of the stores that were put aside, oldest first.
pub fn quarantines(dir: &Place) -> Vec<u64> {
    let sample = dir.quarantine(0);
    let name = sample.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let prefix = name.trim_end_matches('0');
    let Ok(entries) = std::fs::read_dir(dir.root()) else { return Vec::new() };
    let number = |name: &str| name.strip_prefix(prefix)?.parse().ok();
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> = names.filter_map(|name| number(name.to_str()?)).collect();
    numbers.sort_unstable();
    numbers
}

/// Removes store, checkpoint and quarantines. Hosts notice that their file lost its name.
pub fn reset(dir: &Place) -> Result<(), StoreError> {
    let aside = quarantines(dir);
    let exists = |path: &Path| path.symlink_metadata().is_ok();
    if !exists(&dir.store()) && !exists(&dir.checkpoint()) && aside.is_empty() {
        return Ok(());
    }
    let lock = FileLock::open(&dir.store_lock())?;
    let _held = lock.acquire(LockMode::Exclusive, PATIENCE)?.ok_or(StoreError::Busy)?;
    // The checkpoint first: what is left if this is interrupted must not bring the rest back.
    remove(&dir.checkpoint())?;
    remove(&dir.store())?;
    for number in aside {
        remove(&dir.quarantine(number))?;
    }
    Ok(())
}

/// Removes a file, a link or a whole directory; fine if there is none.
fn remove(path: &Path) -> io::Result<()> {
    let outcome = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

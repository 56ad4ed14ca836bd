//! The LMDB store: [`State`] made transactional for threads and processes.
//!
//! One rule: nothing here waits longer than [`DEADLINE`] for anybody, and nothing here fails its host.

#[cfg(not(feature = "activation"))]
mod absent;
#[cfg(feature = "activation")]
mod cache;
#[cfg(feature = "activation")]
mod cell;
#[cfg(feature = "activation")]
mod checkpoint;
#[cfg(feature = "activation")]
mod deferred;
#[cfg(feature = "activation")]
mod files;
#[cfg(feature = "activation")]
mod parts;
#[cfg(feature = "activation")]
mod slot;

#[cfg(not(feature = "activation"))]
pub use absent::Deferred;
#[cfg(not(feature = "activation"))]
use absent::{Cell, on_disk};
#[cfg(feature = "activation")]
use cell::Cell;
#[cfg(feature = "activation")]
pub use deferred::Deferred;
#[cfg(feature = "activation")]
use files as on_disk;

use super::{Mark, State};
use crate::diagnostics::Code;
use crate::paths::Place;
use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

/// How long a thread waits for others, in this process and elsewhere, before it goes on without.
pub const DEADLINE: Duration = Duration::from_millis(50);

/// Where a store has the time from: seconds since 1970.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> u64;
}

/// A clock that is read, such as the machine's.
impl<F: Fn() -> u64 + Send + Sync + 'static> Clock for F {
    fn now(&self) -> u64 {
        self()
    }
}

/// A clock that stands still: for tests.
impl Clock for u64 {
    fn now(&self) -> u64 {
        *self
    }
}

/// The install that the events of a host belong to.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// [`owner`] of its id, as the host saw that last.
    pub owner: u64,
    /// Makes a state belong to the install that is current at this moment. Asked before a flag is set, a client
    /// added or another owner followed, in that transaction and under the store's lock: no other process
    /// is between the question and the answer.
    pub adopt: &'a dyn Fn(&mut State),
}

/// A number for an install's id; 0 for no id.
pub fn owner(anonymous_id: &str) -> u64 {
    if anonymous_id.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(anonymous_id.as_bytes());
    hasher.finish().max(1)
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Acknowledged: it survives `kill -9`.
    Stored,
    /// Nothing new: a flag already set, a client already seen.
    Unchanged,
    /// The lock was not had in time; kept in memory, merged by the next write.
    Deferred,
    /// There is no store (read-only, full, remote or missing storage). The mark is kept in memory like a
    /// deferred one, for the case that the storage comes back while this process lives.
    NoStore,
}

/// Why there is no store, in words a user can act on; never holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The lock was not had within 50 ms.
    Busy,
    /// The file system is not a known local one.
    RemoteFileSystem(String),
    /// What a store needs may not be written: what that is, and why.
    Unwritable(&'static str, String),
    /// The disk, or what its user may use of it, is full: where, and why.
    Full(&'static str, String),
    /// Another I/O error: where, and its kind.
    Io(String),
    /// The store is damaged and was left as it is ([`Store::peek`] repairs nothing).
    Damaged(String),
    /// A later version of this program wrote it: it is left as it is.
    Newer,
    /// This build has no store (feature `activation`).
    NotBuilt,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str(
                "the activation store is busy: another process held <data dir>/telemetry.lock for 50 ms; try again",
            ),
            Self::RemoteFileSystem(name) => write!(
                f,
                "no activation store: the data directory is on {name}, which is not a known local file system; point MCPPROXY_HOME to a local disk"
            ),
            Self::Unwritable(what, why) => write!(
                f,
                "{what} cannot be written ({why}): nothing is recorded or sent; make it writable, or point MCPPROXY_HOME to another data directory"
            ),
            Self::Full(what, why) => write!(f, "no activation store: {what}: {why}"),
            Self::Io(what) => write!(f, "no activation store: {what}"),
            Self::Damaged(what) => write!(
                f,
                "the activation store <data dir>/telemetry is damaged ({what}); the next host puts it aside and restores it"
            ),
            Self::Newer => f.write_str(
                "no activation store: <data dir>/telemetry was written by a newer version of mcpproxy and is left as it is; update this one",
            ),
            Self::NotBuilt => f.write_str("no activation store: this build has none"),
        }
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    /// Its code; that a build has no store is not an error.
    pub const fn code(&self) -> Option<Code> {
        Some(match self {
            Self::Busy => Code::StoreBusy,
            Self::RemoteFileSystem(_) => Code::StoreRemote,
            Self::Unwritable(..) => Code::StoreReadOnly,
            Self::Full(..) => Code::StoreFull,
            Self::Io(_) => Code::Unknown,
            Self::Damaged(_) => Code::StoreDamaged,
            Self::Newer => Code::StoreNewer,
            Self::NotBuilt => return None,
        })
    }
}

/// What happened to the store, for `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is the one that was made here.
    Sound,
    /// It was made by this process.
    Fresh,
    /// It was damaged or missing and began again with what the checkpoint held.
    Restored {
        /// When its damaged predecessor was put aside (the number in its name); `None` if it was missing.
        quarantined_at: Option<u64>,
    },
    /// It was damaged, there was no good checkpoint, and it began again with nothing.
    StartedOver {
        /// When its damaged predecessor was put aside (the number in its name).
        quarantined_at: u64,
    },
    /// It was busy when it was opened, and nothing was read or written since.
    Waiting,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sound => f.write_str("sound"),
            Self::Fresh => f.write_str("new"),
            Self::Restored { quarantined_at: Some(at) } => write!(
                f,
                "restored from the checkpoint; the damaged one is <data dir>/telemetry.corrupt-{at}"
            ),
            Self::Restored { quarantined_at: None } => {
                f.write_str("was missing, restored from the checkpoint")
            }
            Self::StartedOver { quarantined_at } => write!(
                f,
                "started over; the damaged one is <data dir>/telemetry.corrupt-{quarantined_at}"
            ),
            Self::Waiting => f.write_str("busy"),
        }
    }
}

/// A handle to the store; `Send + Sync`, cheap to clone. Handles of one directory share one environment.
///
/// Reads and writes take the lock file `<data dir>/telemetry.lock` and never wait longer than
/// [`DEADLINE`]. A store that was replaced or removed since (by `reset-id`, by hand) is opened again; a data
/// directory that is gone is not made again by a running host.
#[derive(Clone)]
pub struct Store {
    cell: Arc<Cell>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens the store, makes it if it is missing, quarantines and restores it if it is damaged.
    ///
    /// A busy store is no error: marks are deferred until it is had ([`Health::Waiting`]).
    /// It has the time from `clock` as long as it is open; handles of one directory share the first one's.
    pub fn open(dir: &Place, clock: impl Clock) -> Result<Store, StoreError> {
        Ok(Store { cell: Cell::open(dir, clock)? })
    }

    /// The state of an existing store, without creating, repairing or changing anything;
    /// `Ok(None)` when there is none.
    pub fn peek(dir: &Place, _now: u64) -> Result<Option<State>, StoreError> {
        Ok(on_disk::peek(dir)?.map(|(state, _)| state))
    }

    /// The state that the next host would restore a damaged or missing store to: what the checkpoint
    /// holds, if there is a good one. Like [`Self::peek`], without side effects.
    pub fn remembered(dir: &Place) -> Option<State> {
        on_disk::remembered(dir)
    }

    /// Why no host could keep a store in `dir`, as far as it can be known without side effects.
    pub fn check(dir: &Place) -> Result<(), StoreError> {
        on_disk::check(dir)
    }

    /// What happened to the store in `dir`, as far as it tells; like [`Self::peek`], without side effects.
    pub fn peek_health(dir: &Place) -> Result<Option<Health>, StoreError> {
        Ok(on_disk::peek(dir)?.map(|(_, health)| health))
    }

    /// When damaged stores were put aside (the numbers in `telemetry.corrupt-<unix time>`), oldest first.
    pub fn quarantines(dir: &Place) -> Vec<u64> {
        on_disk::quarantines(dir)
    }

    /// Removes the store, its checkpoint and what was put aside: a new install begins. Running hosts go on
    /// with a fresh store. Makes nothing; without a store there is nothing to do.
    pub fn reset(dir: &Place) -> Result<(), StoreError> {
        on_disk::reset(dir)
    }

    /// As [`Self::record_event`], of one mark and for whatever install the store is.
    #[inline(always)]
    pub fn record(&self, mark: Mark<'_>, now: u64) -> Recorded {
        self.cell.record(std::slice::from_ref(&mark), now, None)
    }

    /// Records the marks of one event: all of them or none. A cached atomic load when there is nothing new.
    ///
    /// A store that is of another install than `claim` becomes that one's in the same transaction, first.
    /// A flag that flips or a client that is added is also synced to disk before this returns
    /// (milliseconds); other marks are left to the system's write-back.
    // As in `Cell::record`.
    #[inline(always)]
    pub fn record_event(
        &self,
        marks: &[Mark<'_>],
        now: u64,
        claim: Option<&Claim<'_>>,
    ) -> Recorded {
        self.cell.record(marks, now, claim)
    }

    /// Takes over events that came before there was a store; the next write merges them.
    pub fn take_over(&self, earlier: Deferred) {
        self.cell.take_over(earlier);
    }

    /// A consistent copy of everything, deferred marks included.
    pub fn read(&self) -> Result<State, StoreError> {
        self.cell.read()
    }

    /// Changes the state in one transaction. `durable`: synced to disk and checkpointed before it returns.
    ///
    /// Deferred marks are merged before `change` sees the state. Flags must stay set and clients stay
    /// listed, except where a new install begins. On an error nothing was changed. A failing sync is no
    /// error: the change outlives this process all the same.
    pub fn update<R>(
        &self,
        durable: bool,
        change: impl FnOnce(&mut State) -> R,
    ) -> Result<R, StoreError> {
        // Only this much is made anew for every change that the program knows.
        let (mut change, mut result) = (Some(change), None);
        self.cell.update(durable, &mut |state| {
            result = change.take().map(|change| change(state));
        })?;
        result.ok_or(StoreError::Busy)
    }

    /// Writes deferred marks, if there are any. For a host that ends; nothing does this by itself.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.cell.flush()
    }

    /// Opens the store again if another process has replaced it; one `stat` if not. True when it was
    /// replaced: cached flags were forgotten. For a periodic tick, so that a host notices `reset-id`.
    pub fn refresh_if_replaced(&self) -> bool {
        self.cell.refresh_if_replaced()
    }

    /// How many files this process has opened as this store. After `reset-id` or damage it is another one,
    /// which may lack what was stored before: who remembers that forgets it.
    pub fn opened(&self) -> u64 {
        self.cell.opened()
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        self.cell.place()
    }

    /// [`owner`] of the install that the store belonged to when this process read it last; 0 for none.
    pub fn owner(&self) -> u64 {
        self.cell.owner()
    }

    /// What happened to the store when this process opened it last.
    pub fn health(&self) -> Health {
        self.cell.health()
    }
}

//! The LMDB store: [`State`] made transactional for threads and processes.

use super::{Mark, State};
use crate::paths::DataDir;

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Acknowledged: it survives `kill -9`.
    Stored,
    /// Nothing new: a flag already set, a client already seen.
    Unchanged,
    /// The lock was not had in time; kept in memory, merged by the next write.
    Deferred,
    /// There is no store (read-only, full, remote or missing storage).
    NoStore,
}

/// Why there is no store, in words a user can act on; never holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The lock was not had within 50 ms.
    Busy,
    /// The file system is not a known local one.
    RemoteFileSystem(String),
    /// An I/O error: its kind.
    Io(String),
}

/// A handle to the store. One per process; `Send + Sync`.
pub struct Store {}

impl Store {
    /// Opens the store, makes it if it is missing, quarantines and restores it if it is damaged.
    pub fn open(_dir: &DataDir, _now: u64) -> Result<Store, StoreError> {
        todo!("store room")
    }

    /// The state of an existing store, without creating, repairing or changing anything;
    /// `Ok(None)` when there is none.
    pub fn peek(_dir: &DataDir, _now: u64) -> Result<Option<State>, StoreError> {
        todo!("store room")
    }

    /// Records one mark. A cached atomic load when there is nothing new.
    pub fn record(&self, _mark: Mark<'_>, _now: u64) -> Recorded {
        todo!("store room")
    }

    /// A consistent copy of everything, deferred marks included.
    pub fn read(&self) -> Result<State, StoreError> {
        todo!("store room")
    }

    /// Changes the state in one transaction. `durable`: synced to disk and checkpointed before it returns.
    pub fn update<R>(
        &self,
        _durable: bool,
        _change: impl FnOnce(&mut State) -> R,
    ) -> Result<R, StoreError> {
        todo!("store room")
    }
}

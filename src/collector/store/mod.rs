//! The database: one SQLite file in a data directory of its own.
//!
//! One rule: one writer, any number of readers, and every statement in one file.

mod database;
mod erase;
mod error;
mod key;
mod migrate;
mod notes;
mod packed;
mod products;
mod purge;
mod read;
mod retire;
mod sql;
mod sum;
mod write;

pub use erase::{Erasure, forget};
pub use error::StoreError;
pub use key::KeySource;
pub use notes::{Note, NoteError, notes};
pub use packed::DayRow;
pub use products::{ProductError, add, named, remove, rename};
pub use purge::{Meant, Purge};
pub use read::{Reader, bytes};
pub use retire::{retire, retired, unretire};
pub use write::{
    Change, Counts, Imported, Incoming, Outcome, Store, StoreOptions, count, key_is_exposed,
};

#[cfg(test)]
mod tests;

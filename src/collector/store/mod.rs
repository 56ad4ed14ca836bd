//! The database: one SQLite file in a data directory of its own.
//!
//! One rule: one writer, any number of readers, and every statement in one file.

mod database;
mod error;
mod key;
mod migrate;
mod packed;
mod products;
mod read;
mod sql;
mod sum;
mod write;

pub use error::StoreError;
pub use key::KeySource;
pub use packed::DayRow;
pub use products::{ProductError, add, named, remove, rename};
pub use read::{Reader, bytes};
pub use write::{Counts, Incoming, Outcome, Store, StoreOptions, count, key_is_exposed};

#[cfg(test)]
mod tests;

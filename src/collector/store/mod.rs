//! The database: one SQLite file in a data directory of its own.
//!
//! One rule: one writer, any number of readers, and every statement in one file.

mod database;
mod error;
mod key;
mod packed;
mod products;
mod read;
mod sql;
mod write;

pub use error::StoreError;
pub use key::KeySource;
pub use packed::DayRow;
pub use products::{ProductError, add, name_of_existing, named, remove, rename};
pub use read::Reader;
pub use write::{Counts, Outcome, Store, StoreOptions, count, key_is_exposed};

#[cfg(test)]
mod tests;

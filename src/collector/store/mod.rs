//! The database: an SQLite file in a data directory of its own, or a PostgreSQL server.
//!
//! One rule: one writer in each process, any number of readers, and every statement in one file.

mod batch;
#[cfg(any(test, feature = "simulate"))]
mod bulk;
mod change;
mod check;
mod copy;
mod database;
mod engine;
mod erase;
mod error;
mod expire;
#[cfg(test)]
pub mod fleet;
mod frozen;
mod in_place;
mod keep;
mod key;
mod log;
mod migrate;
mod notes;
mod packed;
mod place;
#[cfg(feature = "collector-postgres")]
mod postgres;
#[cfg(not(feature = "collector-postgres"))]
#[path = "postgres_absent.rs"]
mod postgres;
mod products;
mod purge;
mod raw;
mod read;
mod retire;
mod server_error;
mod sql;
mod sum;
mod write;
mod writer;

pub use self::postgres::Server;
#[cfg(any(test, feature = "simulate"))]
pub use bulk::Bulk;
pub use change::{Change, Counts, Imported, Incoming, Outcome, count};
pub use check::Lacking;
pub use erase::{Erasure, forget};
pub use error::StoreError;
pub use expire::{Expired, Expiry, ExpiryError, Keep};
pub use frozen::Read as FrozenGroup;
pub use in_place::{Beginning, InPlace, marked};
pub use keep::{BackedUp, KeepError, Restored, backup, restore};
pub use key::KeySource;
pub use notes::{Note, NoteError, notes};
pub use packed::{DayRow, each_version, each_word, read_facts, split_facts};
pub use place::{Environment, Location};
pub use products::{ProductError, add, name_of_existing, named, remove, rename};
pub use purge::{Meant, Purge};
pub use raw::{Found, RawDay, raw_frozen};
pub use read::{Outside, Reader, Unread, database_bytes};
pub use retire::{retire, retired, unretire};
pub use server_error::ServerError;
pub use write::{Store, StoreOptions, key_is_exposed};
pub use writer::{Writer, open_to_write, write_beside};

#[cfg(test)]
mod tests;

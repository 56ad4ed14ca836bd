//! What writes heartbeats, whichever engine holds the rows.
//!
//! One rule: an error means that nothing of the change was stored, or that it is not known; never that some of it was.

use super::change::{Change, Counts, Outcome};
use super::error::StoreError;
use super::postgres::PostgresStore;
use super::products::ProductError;
use super::write::{Store, StoreOptions};

/// What writes heartbeats.
pub trait Writer: Send {
    /// Commits a change, and `counts` with it.
    fn commit(&mut self, change: &Change<'_>, counts: &Counts) -> Result<Vec<Outcome>, StoreError>;

    /// Lines of a file that are imported already.
    fn imported(&self, file: &[u8; 32]) -> Result<u64, StoreError>;

    /// Whether rows are still to be looked through for what is to be forgotten: every commit looks at some.
    fn is_sweeping(&self) -> bool;

    /// Whether new installs would have been marked as a flood, had they not all come through what may be a proxy.
    fn wants_a_proxy(&self) -> bool;
}

/// Opens a database to receive heartbeats, made if it is missing, and adds the products.
pub fn open_to_write(options: &StoreOptions) -> Result<Box<dyn Writer>, ProductError> {
    Ok(match &options.server {
        None => Box::new(Store::open(options)?),
        Some(server) => Box::new(PostgresStore::open(server, options)?),
    })
}

/// Opens an existing database, beside collectors that may be running on it.
pub fn write_beside(options: &StoreOptions) -> Result<Box<dyn Writer>, StoreError> {
    Ok(match &options.server {
        None => Box::new(Store::beside(options)?),
        Some(server) => Box::new(PostgresStore::beside(server, options)?),
    })
}

impl Writer for Store {
    fn commit(&mut self, change: &Change<'_>, counts: &Counts) -> Result<Vec<Outcome>, StoreError> {
        Store::commit(self, change, counts)
    }

    fn imported(&self, file: &[u8; 32]) -> Result<u64, StoreError> {
        Store::imported(self, file)
    }

    fn is_sweeping(&self) -> bool {
        Store::is_sweeping(self)
    }

    fn wants_a_proxy(&self) -> bool {
        Store::wants_a_proxy(self)
    }
}

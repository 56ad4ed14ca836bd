//! Purging: installs whose first heartbeats arrived on given days leave the database.
//!
//! One rule: a running collector never waits long for it: some hundred installs are one transaction, and a purge
//! that was interrupted goes on when it is repeated.

use super::engine::{Database, Engine};
use super::error::StoreError;
use super::place::Location;
use super::products::{ProductError, Products};
use super::sql;
use rusqlite::params;
use std::collections::BTreeMap;

/// Installs of one transaction.
const AT_ONCE: u32 = 500;

/// Which installs are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// The first UTC day of receipt of their first heartbeats.
    pub from: u32,
    /// The last one.
    pub to: u32,
    /// Only those that are marked as a flood.
    pub only_floods: bool,
    /// Only those of this product.
    pub product: Option<String>,
}

/// How many installs of one product are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The name of the product.
    pub product: String,
    /// Installs.
    pub installs: u64,
    /// Those of them that are marked as a flood.
    pub floods: u64,
}

impl Purge {
    /// How many installs of each product are meant; nothing is changed.
    pub fn look(&self, place: impl Into<Location>) -> Result<Vec<Meant>, ProductError> {
        let database = Database::open_to_read(&place.into())?;
        let products = Products::read(database.engine())?;
        let only = self.only(&products)?;
        let mut counted = BTreeMap::new();
        let floods = u8::from(self.only_floods);
        let of = params![self.from, self.to, floods];
        database.engine().each(sql::PURGE_COUNT, of, &mut |row| {
            let (product, installs, floods): (i64, u64, u64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let known = products.all().find(|known| known.product == product);
            if let Some(known) = known.filter(|_| only.is_none_or(|only| only == product)) {
                counted.insert(known.name.clone(), (installs, floods));
            }
            Ok(())
        })?;
        let meant = |(product, (installs, floods))| Meant { product, installs, floods };
        Ok(counted.into_iter().map(meant).collect())
    }

    /// Purges them; how many they were. `today` is the day that counts it.
    pub fn run(&self, place: impl Into<Location>, today: u32) -> Result<u64, ProductError> {
        let mut database = Database::open(&place.into())?;
        let only = self.only(&Products::read(database.engine())?)?;
        let (mut last, mut purged) = (Vec::new(), 0);
        loop {
            let some = database.change(|change| {
                let some = self.some(change, only, &last)?;
                for install in &some {
                    // In the order of `erase`.
                    change.execute(sql::INSTALL_DELETE, &[install])?;
                    change.execute(sql::DAYS_DELETE, &[install])?;
                }
                if !some.is_empty() {
                    change.execute(sql::COUNT, params![today, "purged", some.len()])?;
                }
                Ok::<_, StoreError>(some)
            })?;
            purged += some.len() as u64;
            match some.into_iter().next_back() {
                Some(install) => last = install,
                None => return Ok(purged),
            }
        }
    }

    /// The next installs behind `last`, in the order of their keys.
    fn some(
        &self,
        engine: &dyn Engine,
        only: Option<i64>,
        last: &[u8],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        // Products have numbers from 1.
        let only = only.unwrap_or(0);
        let floods = u8::from(self.only_floods);
        let of = params![last, self.from, self.to, floods, only, AT_ONCE];
        engine.all(sql::PURGE_SOME, of, |row| row.get(0))
    }

    fn only(&self, products: &Products) -> Result<Option<i64>, ProductError> {
        let Some(name) = &self.product else { return Ok(None) };
        Ok(Some(products.get(name).ok_or(ProductError::Unknown)?.product))
    }
}

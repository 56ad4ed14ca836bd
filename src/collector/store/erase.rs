//! Erasing: an install leaves the database, and a tombstone keeps it out.
//!
//! One rule: a late repetition does not bring back what was erased, and nothing is remembered longer than it must.

use super::engine::{Database, Engine};
use super::error::StoreError;
use super::key::{Key, KeySource};
use super::place::Location;
use super::products::{ProductError, Products};
use super::sql;
use rusqlite::params;

/// Days that a tombstone is kept: every repetition of a heartbeat comes before its end.
const TOMBSTONE_DAYS: u32 = 30;
/// A heartbeat that is remembered was received on this day or the two before (48 h), and counts for one of the two
/// days before that at the earliest (26 h): whose last day is older has no time to be remembered.
const TIMES_DAYS: u32 = 4;

/// An install that is to be erased, on the word of a client that has its id.
#[derive(Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The name of the product.
    pub product: String,
    /// The id of the install.
    pub id: String,
    /// When it was asked for: seconds since 1970.
    pub asked: u64,
}

/// Without the id.
impl std::fmt::Debug for Erasure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erasure").field("product", &self.product).finish_non_exhaustive()
    }
}

/// Erases an install on the word of the operator: of the product `name`, or of all. The names of the products that
/// it was there of.
pub fn forget(
    place: impl Into<Location>,
    key: &KeySource,
    name: Option<&str>,
    id: &str,
    today: u32,
) -> Result<Vec<String>, ProductError> {
    let place = place.into();
    let given = Key::given(key, &place.dir)?;
    let mut database = Database::open(&place)?;
    let key = Key::known(given, database.engine())?;
    database.change(|change| {
        let products = Products::read(change)?;
        let only = match name {
            Some(name) => Some(products.get(name).ok_or(ProductError::Unknown)?.product),
            None => None,
        };
        let mut erased = Vec::new();
        for known in products.all().filter(|known| only.is_none_or(|only| only == known.product)) {
            if erase(change, &key.install(&known.hashed_as, id), today)? {
                erased.push(known.name.clone());
            }
        }
        change.execute(sql::COUNT, params![today, "erasure", 1])?;
        erased.sort();
        Ok(erased)
    })
}

/// Erases an install, whether it is there or not; whether it was.
pub(super) fn erase(
    engine: &dyn Engine,
    install: &[u8; 32],
    today: u32,
) -> Result<bool, StoreError> {
    // First the install: who has it waits, or is waited for, and what was added to its days is there to be removed.
    let was_there = engine.execute(sql::INSTALL_DELETE, &[install])? > 0;
    engine.execute(sql::DAYS_DELETE, &[install])?;
    let until = today.saturating_add(TOMBSTONE_DAYS);
    engine.execute(sql::ERASED_WRITE, params![install, until])?;
    Ok(was_there)
}

/// Looks through the rows once a day for what is to be forgotten: times that no repetition can meet any more,
/// and tombstones. A commit looks at one of 256 parts, so none waits for a look at every row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sweep {
    /// The day of receipt that it works for.
    today: u32,
    /// Parts that it has looked at on this day. Keys are hashes, so the parts are of one size.
    done: u16,
}

impl Sweep {
    const PARTS: u16 = 256;

    pub fn is_done(&self) -> bool {
        self.today == 0 || self.done == Self::PARTS
    }

    /// Looks at the next part; what is to be kept when the change is committed. `today` is the day of the newest
    /// receipt of a batch.
    pub fn step(self, engine: &dyn Engine, today: Option<u32>) -> Result<Self, StoreError> {
        let mut next = self;
        if let Some(today) = today.filter(|today| *today > self.today) {
            next = Self { today, done: 0 };
        }
        if next.is_done() {
            return Ok(next);
        }
        let from = [next.done as u8];
        let to = match next.done as u8 {
            // No key is as long.
            u8::MAX => vec![u8::MAX; 33],
            part => vec![part + 1],
        };
        let times = next.today.saturating_sub(TIMES_DAYS);
        let none: &[u8] = &[];
        engine.execute(sql::FORGET_TIMES, params![none, &from[..], to, times])?;
        engine.execute(sql::ERASED_FORGET, params![&from[..], to, next.today])?;
        next.done += 1;
        Ok(next)
    }
}

#[cfg(test)]
mod tests;

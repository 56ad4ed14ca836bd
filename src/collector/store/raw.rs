//! Rows as they stand in the database, for those who judge them.
//!
//! One rule: nothing is understood here, so that what does not read can be found and named.

use super::check::Lacking;
use super::engine::{Database, Values};
use super::error::StoreError;
use super::frozen::{self, Read};
use super::packed::DayRow;
use super::postgres::AllDays;
use super::products::Products;
use super::read::Reader;
use super::{check, expire, in_place, sql};
use crate::collector::definitions::Frozen;
use crate::collector::plain::{Counted, RawFrozen, RawInstall};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// A day row of an install.
#[derive(Clone, Debug)]
pub struct RawDay {
    /// Its UTC day.
    pub day: i64,
    /// Its bytes.
    pub packed: Vec<u8>,
    /// Whether they are those that were written for this install and day.
    pub is_whole: bool,
}

/// The key, the day and the bytes of a day row.
pub(super) type DayBytes = (Vec<u8>, i64, Vec<u8>);

/// An install and its days; `None` for days whose install is not there.
pub type Found<'f> = (Option<(&'f RawInstall, bool)>, &'f [RawDay]);

/// The columns that numbers are made of.
pub(super) fn install(row: &dyn Values) -> Result<RawInstall, StoreError> {
    Ok(RawInstall {
        product: row.get(1)?,
        day0: row.get(2)?,
        last_day: row.get(3)?,
        days: row.get(4)?,
        first_facts: row.get(5)?,
        now_facts: row.get(6)?,
        steps: [row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?],
        versions: row.get(12)?,
        clients: row.get(13)?,
        carried_over: row.get(14)?,
        days_since_install: row.get(15)?,
        install_day: row.get(16)?,
        flood: row.get(19)?,
    })
}

impl Reader {
    /// Everything that `read` reads is of one moment; of the outer one, when there is one already.
    pub fn at_one_moment<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.database {
            Database::Sqlite(connection) if connection.is_autocommit() => {
                let moment = connection.unchecked_transaction()?;
                let result = read(self);
                moment.finish()?;
                result
            }
            Database::Sqlite(_) => read(self),
            Database::Postgres(link) => link.at_one_moment(|| read(self)),
        }
    }

    /// What is left of the expired installs of the product `name`.
    pub fn frozen_installs(&self, name: &str) -> Result<Vec<Frozen>, StoreError> {
        let products = Products::read(self.engine())?;
        let Some(known) = products.get(name) else { return Ok(Vec::new()) };
        frozen::installs(self.engine(), known.product)
    }

    /// Whether the last expiry has stopped because of what it found.
    pub fn expiry_has_stopped(&self) -> Result<bool, StoreError> {
        expire::has_stopped(self.engine())
    }

    /// The number and the name of each product, and whether it is shown.
    pub fn numbers_of_products(&self) -> Result<Vec<(i64, String, bool)>, StoreError> {
        let shown = self.products()?;
        let products = Products::read(self.engine())?;
        let shown = |name: &str| {
            shown.iter().any(|one| {
                one.name == name && one.standing == crate::collector::row::Standing::Added
            })
        };
        let all = products.all().map(|one| (one.product, one.name.clone(), shown(&one.name)));
        Ok(all.collect())
    }

    /// The first day that was kept of a product whose installs have expired.
    pub fn kept_first_day(&self, product: i64) -> Result<Option<u32>, StoreError> {
        frozen::first_day(self.engine(), product)
    }

    /// Every row of counts.
    pub fn counted(&self) -> Result<Vec<Counted>, StoreError> {
        self.engine().all(sql::COUNTED, &[], |row| {
            Ok(Counted { day: row.get(0)?, name: row.get(1)?, n: row.get(2)? })
        })
    }

    /// Every install with its days, in the order of their keys. The flag says whether the row is the one that was
    /// written.
    pub fn audit(&self, mut each: impl FnMut(Found<'_>)) -> Result<(), StoreError> {
        match &self.database {
            Database::Sqlite(connection) => {
                let mut installs = connection.prepare(sql::ALL_INSTALLS)?;
                let mut installs = installs.query([])?;
                let mut days = connection.prepare(sql::ALL_DAYS)?;
                let mut days = Days::of(DayRows::Sqlite(days.query([])?))?;
                while let Some(row) = installs.next()? {
                    audit_install(row, &mut days, &mut each)?;
                }
                audit_orphans(&mut days, &mut each)
            }
            Database::Postgres(link) => {
                let mut days = Days::of(DayRows::Postgres(link.all_days()?))?;
                link.each_unread(false, &mut |row| audit_install(row, &mut days, &mut each))?;
                audit_orphans(&mut days, &mut each)
            }
        }
    }

    /// The groups of frozen cells, by product, kind and day.
    pub fn frozen_groups(&self) -> Result<BTreeMap<(i64, String, u32), Read>, StoreError> {
        frozen::groups(self.engine())
    }

    /// Every string that is no column of an install or a day, with the table it stands in.
    pub fn strings(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        let mut all = Vec::new();
        for (table, statement) in sql::STRINGS {
            all.extend(self.engine().all(statement, &[], |row| Ok((table, row.get(0)?)))?);
        }
        Ok(all)
    }

    /// Tables that are not those of this program.
    pub fn lacking(&self) -> Result<Lacking, StoreError> {
        match &self.database {
            Database::Sqlite(connection) => check::tables(connection),
            Database::Postgres(link) => link.lacking(),
        }
    }

    /// What SQLite finds wrong with the file: how many things. The files of a server are its own affair.
    pub fn integrity(&self) -> Result<u64, StoreError> {
        match &self.database {
            Database::Sqlite(connection) => integrity(connection),
            Database::Postgres(_) => Ok(0),
        }
    }
}

fn integrity(connection: &Connection) -> Result<u64, StoreError> {
    let mut wrong = 0;
    connection.pragma_query(None, "integrity_check", |row| {
        wrong += u64::from(row.get_ref(0)?.as_str().ok() != Some("ok"));
        Ok(())
    })?;
    Ok(wrong)
}

/// The cells of expired installs, as they stand there.
pub fn raw_frozen(groups: &BTreeMap<(i64, String, u32), Read>, product: i64) -> Vec<RawFrozen> {
    let own = groups.iter().filter(|((of, kind, _), _)| *of == product && kind == frozen::INSTALLS);
    let rows = own.flat_map(|((_, _, day), group)| {
        let monday = i64::from(*day);
        let row = move |(cell, n): (&String, &u64)| RawFrozen { monday, cell: cell.clone(), n: *n };
        group.cells.iter().map(row)
    });
    rows.collect()
}

/// Gives an install with its days, and the days before it that have none.
fn audit_install(
    row: &dyn Values,
    days: &mut Days<'_>,
    each: &mut impl FnMut(Found<'_>),
) -> Result<(), StoreError> {
    let key: Vec<u8> = row.get(0)?;
    // A column of another type is what is wrong with the row.
    let raw = install(row).unwrap_or_default();
    let is_whole = in_place::install(row).is_ok();
    let orphans = days.take(|other| other < key.as_slice())?;
    if !orphans.is_empty() {
        each((None, &orphans));
    }
    let own = days.take(|other| other == key.as_slice())?;
    each((Some((&raw, is_whole)), &own));
    Ok(())
}

/// Gives the days behind the last install.
fn audit_orphans(days: &mut Days<'_>, each: &mut impl FnMut(Found<'_>)) -> Result<(), StoreError> {
    let orphans = days.take(|_| true)?;
    if !orphans.is_empty() {
        each((None, &orphans));
    }
    Ok(())
}

/// Day rows in the order of their keys.
enum DayRows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    Postgres(AllDays<'s>),
}

impl DayRows<'_> {
    /// Of another type, bytes are no row that was written here: the sum says so.
    fn next(&mut self) -> Result<Option<DayBytes>, StoreError> {
        match self {
            Self::Postgres(days) => days.next(),
            Self::Sqlite(rows) => match rows.next()? {
                None => Ok(None),
                Some(row) => {
                    let packed = row.get_ref(2)?.as_bytes().unwrap_or_default().to_vec();
                    Ok(Some((row.get(0)?, row.get(1)?, packed)))
                }
            },
        }
    }
}

/// The same, one ahead.
struct Days<'s> {
    rows: DayRows<'s>,
    next: Option<(Vec<u8>, RawDay)>,
}

impl<'s> Days<'s> {
    fn of(rows: DayRows<'s>) -> Result<Self, StoreError> {
        let mut days = Self { rows, next: None };
        days.go_on()?;
        Ok(days)
    }

    fn go_on(&mut self) -> Result<(), StoreError> {
        self.next = self.rows.next()?.map(|(key, day, packed)| {
            let at = u32::try_from(day).ok();
            let is_whole = at.is_some_and(|at| DayRow::unpack(&packed, &key, at).is_some());
            (key, RawDay { day, packed, is_whole })
        });
        Ok(())
    }

    fn take(&mut self, is_wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<RawDay>, StoreError> {
        let mut taken = Vec::new();
        while self.next.as_ref().is_some_and(|(key, _)| is_wanted(key)) {
            taken.extend(self.next.take().map(|(_, day)| day));
            self.go_on()?;
        }
        Ok(taken)
    }
}

//! Reading: what pages and reports are made from.
//!
//! One rule: a reader never writes, and never makes the writer wait.

use super::database;
use super::error::StoreError;
use super::in_place::{InPlace, bytes, install, marked, print};
use super::notes::{self, Note};
use super::packed::DayRow;
use super::products::{self, Products};
use super::{frozen, sql};
use crate::collector::floods::PROXIED;
use crate::collector::row::{InstallRow, Product, Standing};
use rusqlite::{Connection, Row, Statement, params};
use std::ops::RangeInclusive;
use std::path::Path;

/// The database of a data directory, to read it.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the database of `dir`, which must exist; a collector may be running on it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        database::open_to_read(dir).map(|connection| Self { connection })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A number that is another one after every change of the database by another process or connection.
    pub fn stamp(&self) -> Result<i64, StoreError> {
        Ok(self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// The operator's notes, by day.
    pub fn notes(&self) -> Result<Vec<Note>, StoreError> {
        notes::read(&self.connection)
    }

    /// Every product, by name.
    pub fn products(&self) -> Result<Vec<Product>, StoreError> {
        products::list(&self.connection)
    }

    /// Every install of the product `name`, in no order; none of a product that is not known. All rows are
    /// of one moment.
    pub fn rows(&self, name: &str) -> Result<Vec<InstallRow>, StoreError> {
        let mut all = Vec::new();
        self.each_install(name, |_, row| {
            all.push(row);
            Ok::<_, StoreError>(())
        })?;
        Ok(all)
    }

    /// As [`Self::rows`], one after the other with its key: a million of them at once would not fit. The error of `each`
    /// ends it.
    pub fn each_install<E: From<StoreError>>(
        &self,
        name: &str,
        mut each: impl FnMut(&[u8], InstallRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut told = Ok(());
        self.at_one_moment(|reader| {
            told = reader.each_install_now(name, &mut each)?;
            Ok(())
        })?;
        told
    }

    /// The outer error is of the database, the inner one of `each`.
    fn each_install_now<E>(
        &self,
        name: &str,
        each: &mut impl FnMut(&[u8], InstallRow) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        let products = Products::read(&self.connection)?;
        let Some(known) = products.get(name) else { return Ok(Ok(())) };
        let oldest: Option<u32> =
            self.connection.query_row(sql::FIRST_DAY, [known.product], |row| row.get(0))?;
        // Installs that expired count for the first day: those that came after them are carried over no more than before.
        let expired = frozen::first_day(&self.connection, known.product)?;
        let first_day = oldest.into_iter().chain(expired).min().unwrap_or(0);
        let mut statement = self.connection.prepare(sql::INSTALLS)?;
        let mut rows = statement.query([known.product])?;
        while let Some(row) = rows.next()? {
            if let Err(error) = each(bytes(row, 0)?, marked(install(row)?, first_day)) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Every install of whichever product, in the order of their keys. `few`: the caller reads few of them, which then
    /// cost more, and the others less.
    pub fn each_unread(
        &self,
        few: bool,
        mut each: impl FnMut(&Unread<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (statement, recent) = if few { (sql::ALL_PRINTS, 2) } else { (sql::ALL_INSTALLS, 20) };
        let mut statement = self.connection.prepare(statement)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(&Unread { row, recent, rest: few.then_some(&self.connection) })?;
        }
        Ok(())
    }

    /// Number and name of each product that is shown, without a look at its installs.
    pub fn shown(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let products = Products::read(&self.connection)?;
        let added = products.all().filter(|known| known.standing == Standing::Added);
        Ok(added.map(|known| (known.product, known.name.clone())).collect())
    }

    /// The first day of a product, of installs that have expired.
    pub fn first_day_of_expired(&self, product: i64) -> Result<Option<u32>, StoreError> {
        frozen::first_day(&self.connection, product)
    }

    /// Another value after an import, and after a day row of this day or a later one has expired.
    pub fn outside(&self, day: u32) -> Result<Outside, StoreError> {
        let lines = self.connection.query_row(sql::IMPORTED_LINES, [], |row| row.get(0))?;
        let sums = self.connection.query_row(sql::FROZEN_SUMS, [day], |row| row.get(0))?;
        Ok(Outside([lines, sums]))
    }

    /// Reads days of one install after the other.
    pub fn days_of_installs(&self) -> Result<DaysOf<'_>, StoreError> {
        Ok(DaysOf(self.connection.prepare(sql::DAYS_WITHIN)?))
    }

    /// Every day of every install of the product `name`, with the UTC day, in no order.
    pub fn days(&self, name: &str) -> Result<Vec<(u32, DayRow)>, StoreError> {
        let products = Products::read(&self.connection)?;
        let Some(known) = products.get(name) else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare(sql::DAYS)?;
        let mut rows = statement.query([known.product])?;
        let mut days = Vec::new();
        while let Some(row) = rows.next()? {
            let (install, day, packed): (Vec<u8>, u32, Vec<u8>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let row = DayRow::unpack(&packed, &install, day).ok_or(StoreError::Damaged)?;
            days.push((day, row));
        }
        Ok(days)
    }

    /// How often each answer was given on or after `day`, by name: `stored`, `duplicate`, `clock_wrong`,
    /// `too_many`, `limited`, `flood`, `proxied`, `capped`, and `refused.` with the rule.
    pub fn counts(&self, day: u32) -> Result<Vec<(String, u64)>, StoreError> {
        let mut statement = self.connection.prepare(sql::COUNTS)?;
        let counts = statement.query_map([day], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// Bytes of the database, without its log.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let of = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        Ok(of("page_count")? * of("page_size")?)
    }

    /// Whether new installs of `today` or the day before would have been marked as a flood, had they not all come
    /// through what may be a proxy.
    pub fn wants_a_proxy(&self, today: u32) -> Result<bool, StoreError> {
        let counts = self.counts(today.saturating_sub(1))?;
        Ok(counts.iter().any(|(name, _)| name == PROXIED))
    }
}

/// The row of an install, read no further than it is asked.
pub struct Unread<'r> {
    row: &'r Row<'r>,
    /// The column of the times of receipt; that of the sum is the next.
    recent: usize,
    /// Where the rest of the row is read, unless it is here.
    rest: Option<&'r Connection>,
}

impl Unread<'_> {
    /// The install.
    pub fn key(&self) -> Result<&[u8], StoreError> {
        bytes(self.row, 0)
    }

    /// The beginning of its key, which orders rows as they come.
    pub fn key_begin(&self) -> Result<u32, StoreError> {
        let begin = self.key()?.first_chunk().ok_or(StoreError::Damaged)?;
        Ok(u32::from_be_bytes(*begin))
    }

    /// The number of its product.
    pub fn product(&self) -> Result<i64, StoreError> {
        Ok(self.row.get(1)?)
    }

    /// A number, other than 0, that is another one after each change of the row; `None`: it has no sum.
    pub fn print(&self) -> Result<Option<u64>, StoreError> {
        Ok(print(bytes(self.row, self.recent)?, self.row.get(self.recent + 1)?))
    }

    /// All of it.
    pub fn read(
        &self,
        each: impl FnOnce(&InPlace<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(rest) = self.rest else { return each(&InPlace::of(self.row)?) };
        let mut statement = rest.prepare_cached(sql::INSTALL)?;
        let mut rows = statement.query([self.key()?])?;
        // It was here a moment ago, and this is the same moment.
        each(&InPlace::of(rows.next()?.ok_or(StoreError::Damaged)?)?)
    }
}

/// What may change day rows beside heartbeats that are received: imports, and what expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside([i64; 2]);

/// A statement that is asked for each install.
#[derive(Debug)]
pub struct DaysOf<'r>(Statement<'r>);

impl DaysOf<'_> {
    /// The days of an install within these UTC days, in their order.
    pub fn within(
        &mut self,
        install: &[u8],
        days: &RangeInclusive<u32>,
        mut each: impl FnMut(u32, &DayRow<&str>),
    ) -> Result<(), StoreError> {
        let mut rows = self.0.query(params![install, days.start(), days.end()])?;
        while let Some(row) = rows.next()? {
            let day = row.get(0)?;
            let read = DayRow::read(bytes(row, 1)?, install, day);
            each(day, &read.ok_or(StoreError::Damaged)?);
        }
        Ok(())
    }
}

/// Bytes of the database of `dir` and of its log.
pub fn database_bytes(dir: &Path) -> u64 {
    let file = database::file(dir);
    let log = file.with_extension("db-wal");
    [file, log].iter().filter_map(|path| path.metadata().ok()).map(|data| data.len()).sum()
}

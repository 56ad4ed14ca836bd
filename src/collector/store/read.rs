//! Reading: what pages and reports are made from.
//!
//! One rule: a reader never writes, and never makes the writer wait.

use super::database;
use super::engine::{Database, Engine, Values, typed as value};
use super::error::StoreError;
use super::in_place::{InPlace, bytes, install, marked, print};
use super::notes::{self, Note};
use super::packed::DayRow;
use super::place::Location;
use super::postgres::{DaysAhead, Link, ServerRow};
use super::products::{self, Products};
use super::{frozen, sql};
use crate::collector::floods::PROXIED;
use crate::collector::row::{InstallRow, Product, Standing};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement, params};
use std::ops::RangeInclusive;
use std::path::Path;

/// A database, to read it.
#[derive(Debug)]
pub struct Reader {
    pub(super) database: Database,
}

impl Reader {
    /// Opens a database, which must exist; a collector may be running on it.
    pub fn open(place: impl Into<Location>) -> Result<Self, StoreError> {
        Database::open_to_read(&place.into()).map(|database| Self { database })
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        self.database.engine()
    }

    /// A number that is another one after every change of the database by another process or connection.
    pub fn stamp(&self) -> Result<i64, StoreError> {
        match &self.database {
            Database::Sqlite(connection) => {
                Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
            }
            Database::Postgres(link) => link.stamp(),
        }
    }

    /// The operator's notes, by day.
    pub fn notes(&self) -> Result<Vec<Note>, StoreError> {
        notes::read(self.engine())
    }

    /// Every product, by name.
    pub fn products(&self) -> Result<Vec<Product>, StoreError> {
        products::list(self.engine())
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
        let products = Products::read(self.engine())?;
        let Some(known) = products.get(name) else { return Ok(Ok(())) };
        let oldest = self.engine().one::<Option<u32>>(sql::FIRST_DAY, &[&known.product])?.flatten();
        // Installs that expired count for the first day: those that came after them are carried over no more than before.
        let expired = frozen::first_day(self.engine(), known.product)?;
        let first_day = oldest.into_iter().chain(expired).min().unwrap_or(0);
        let mut give = |row: &dyn Values| {
            let key = row.value(0)?.as_blob().map_err(|_| StoreError::Damaged)?;
            Ok(each(key, marked(install(row)?, first_day)))
        };
        match &self.database {
            Database::Sqlite(connection) => {
                let mut statement = connection.prepare(sql::INSTALLS)?;
                let mut rows = statement.query([known.product])?;
                while let Some(row) = rows.next()? {
                    if let Err(error) = give(row)? {
                        return Ok(Err(error));
                    }
                }
                Ok(Ok(()))
            }
            Database::Postgres(link) => link.each_install(known.product, &mut give),
        }
    }

    /// Every install of whichever product, in the order of their keys. `few`: the caller reads few of them, which then
    /// cost more, and the others less.
    pub fn each_unread(
        &self,
        few: bool,
        mut each: impl FnMut(&Unread<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (statement, recent) = if few { (sql::ALL_PRINTS, 2) } else { (sql::ALL_INSTALLS, 20) };
        match &self.database {
            Database::Sqlite(connection) => {
                let mut statement = connection.prepare(statement)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let rest = few.then_some(connection);
                    each(&Unread(AnyRow::Sqlite { row, recent, rest }))?;
                }
                Ok(())
            }
            Database::Postgres(link) => link.each_unread(few, &mut |row| {
                each(&Unread(AnyRow::Postgres { row, recent, rest: few.then_some(link) }))
            }),
        }
    }

    /// Number and name of each product that is shown, without a look at its installs.
    pub fn shown(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let products = Products::read(self.engine())?;
        let added = products.all().filter(|known| known.standing == Standing::Added);
        Ok(added.map(|known| (known.product, known.name.clone())).collect())
    }

    /// The first day of a product, of installs that have expired.
    pub fn first_day_of_expired(&self, product: i64) -> Result<Option<u32>, StoreError> {
        frozen::first_day(self.engine(), product)
    }

    /// Another value after an import, and after a day row of this day or a later one has expired.
    pub fn outside(&self, day: u32) -> Result<Outside, StoreError> {
        let lines = self.engine().one(sql::IMPORTED_LINES, &[])?;
        let sums = self.engine().one(sql::FROZEN_SUMS, &[&day])?;
        Ok(Outside([lines.unwrap_or(0), sums.unwrap_or(0)]))
    }

    /// Reads days of one install after the other.
    pub fn days_of_installs(&self) -> Result<DaysOf<'_>, StoreError> {
        match &self.database {
            Database::Sqlite(connection) => {
                Ok(DaysOf::Sqlite(connection.prepare(sql::DAYS_WITHIN)?))
            }
            Database::Postgres(link) => link.days_ahead().map(DaysOf::Postgres),
        }
    }

    /// Every day of every install of the product `name`, with the UTC day, in no order.
    pub fn days(&self, name: &str) -> Result<Vec<(u32, DayRow)>, StoreError> {
        let products = Products::read(self.engine())?;
        let Some(known) = products.get(name) else { return Ok(Vec::new()) };
        self.engine().all(sql::DAYS, &[&known.product], |row| {
            let (install, day, packed): (Vec<u8>, u32, Vec<u8>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let row = DayRow::unpack(&packed, &install, day).ok_or(StoreError::Damaged)?;
            Ok((day, row))
        })
    }

    /// How often each answer was given on or after `day`, by name: `stored`, `duplicate`, `clock_wrong`,
    /// `too_many`, `limited`, `flood`, `proxied`, `capped`, and `refused.` with the rule.
    pub fn counts(&self, day: u32) -> Result<Vec<(String, u64)>, StoreError> {
        self.engine().all(sql::COUNTS, &[&day], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Bytes of the database, without its log.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        match &self.database {
            Database::Sqlite(connection) => {
                let of =
                    |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
                Ok(of("page_count")? * of("page_size")?)
            }
            Database::Postgres(link) => link.bytes(),
        }
    }

    /// Whether new installs of `today` or the day before would have been marked as a flood, had they not all come
    /// through what may be a proxy.
    pub fn wants_a_proxy(&self, today: u32) -> Result<bool, StoreError> {
        let counts = self.counts(today.saturating_sub(1))?;
        Ok(counts.iter().any(|(name, _)| name == PROXIED))
    }
}

/// The row of an install, read no further than it is asked.
pub struct Unread<'r>(AnyRow<'r>);

/// `recent` is the column of the times of receipt; that of the sum is the next. `rest` is where the rest of the row is
/// read, unless it is here.
enum AnyRow<'r> {
    Sqlite { row: &'r Row<'r>, recent: usize, rest: Option<&'r Connection> },
    Postgres { row: &'r ServerRow, recent: usize, rest: Option<&'r Link> },
}

impl Unread<'_> {
    fn value(&self, at: usize) -> Result<ValueRef<'_>, StoreError> {
        match &self.0 {
            AnyRow::Sqlite { row, .. } => Ok(row.get_ref(at)?),
            AnyRow::Postgres { row, .. } => row.value(at),
        }
    }

    fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        self.value(at)?.as_blob().map_err(|_| StoreError::Damaged)
    }

    /// The install.
    pub fn key(&self) -> Result<&[u8], StoreError> {
        self.bytes(0)
    }

    /// The beginning of its key, which orders rows as they come.
    pub fn key_begin(&self) -> Result<u32, StoreError> {
        let begin = self.key()?.first_chunk().ok_or(StoreError::Damaged)?;
        Ok(u32::from_be_bytes(*begin))
    }

    /// The number of its product.
    pub fn product(&self) -> Result<i64, StoreError> {
        value(self.value(1)?)
    }

    /// A number, other than 0, that is another one after each change of the row; `None`: it has no sum.
    pub fn print(&self) -> Result<Option<u64>, StoreError> {
        let (AnyRow::Sqlite { recent, .. } | AnyRow::Postgres { recent, .. }) = self.0;
        Ok(print(self.bytes(recent)?, value(self.value(recent + 1)?)?))
    }

    /// All of it.
    pub fn read(
        &self,
        each: impl FnOnce(&InPlace<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match &self.0 {
            AnyRow::Sqlite { row, rest: None, .. } => each(&InPlace::of(*row)?),
            AnyRow::Postgres { row, rest: None, .. } => each(&InPlace::of(*row)?),
            AnyRow::Sqlite { rest: Some(rest), .. } => {
                let mut statement = rest.prepare_cached(sql::INSTALL)?;
                let mut rows = statement.query([self.key()?])?;
                // It was here a moment ago, and this is the same moment.
                each(&InPlace::of(rows.next()?.ok_or(StoreError::Damaged)?)?)
            }
            AnyRow::Postgres { rest: Some(rest), .. } => {
                let rest: &dyn Engine = *rest;
                let mut each = Some(each);
                rest.each(sql::INSTALL, &[&self.key()?], &mut |row| {
                    each.take().map_or(Ok(()), |each| each(&InPlace::of(row)?))
                })?;
                if each.is_some() { Err(StoreError::Damaged) } else { Ok(()) }
            }
        }
    }
}

/// What may change day rows beside heartbeats that are received: imports, and what expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside([i64; 2]);

/// A statement that is asked for each install.
#[derive(Debug)]
pub enum DaysOf<'r> {
    /// Of a file.
    Sqlite(Statement<'r>),
    /// Of a server, which is asked for many at once.
    Postgres(DaysAhead<'r>),
}

impl DaysOf<'_> {
    /// The days of an install within these UTC days, in their order.
    pub fn within(
        &mut self,
        install: &[u8],
        days: &RangeInclusive<u32>,
        mut each: impl FnMut(u32, &DayRow<&str>),
    ) -> Result<(), StoreError> {
        let statement = match self {
            Self::Sqlite(statement) => statement,
            Self::Postgres(ahead) => return ahead.within(install, days, &mut each),
        };
        let mut rows = statement.query(params![install, days.start(), days.end()])?;
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

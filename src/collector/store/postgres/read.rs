//! Reading from a server: in pages, because an answer is sent whole.
//!
//! One rule: within one moment, so that the pages fit together.

use super::super::check::Lacking;
use super::super::engine::{Engine, Values};
use super::super::error::StoreError;
use super::super::packed::DayRow;
use super::super::raw::DayBytes;
use super::super::sql::{self, postgres as own};
use super::link::{CHANGED, Link};
use super::row::{ServerRow, typed};
use ::postgres::types::{ToSql as ToServer, Type};
use rusqlite::ToSql;
use rusqlite::types::FromSql;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;

/// The outer error is of the database, the inner one of who was told.
type Told<E> = Result<Result<(), E>, StoreError>;

/// Rows of a page.
const PAGE: i64 = 2_000;

impl Link {
    /// A number that is another one after every change of the database.
    pub fn stamp(&self) -> Result<i64, StoreError> {
        let engine: &dyn Engine = self;
        // Each heartbeat counts for something, and what was counted never becomes less.
        let counted = engine.one::<i64>(own::COUNTED, &[])?.unwrap_or(0);
        let changed = engine.one::<String>(sql::META, &[&CHANGED])?;
        let changed = changed.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        Ok(counted.wrapping_add(changed))
    }

    /// Bytes of the tables and their indexes.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        self.number(own::BYTES)
    }

    /// The tables that are not there, and what moves rows beside this program.
    pub fn lacking(&self) -> Result<Lacking, StoreError> {
        let found = self.query(own::PRESENT, &[tables()])?;
        let found: Vec<String> = found.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
        let lacks = own::TABLES.iter().filter(|name| !found.iter().any(|found| found == *name));
        let tables = lacks.map(|name| (*name).to_owned()).collect();
        let looked_at = own::TABLES.len() as u64;
        Ok(Lacking { looked_at, tables, others: self.number(own::MOVING)? })
    }

    /// The number that a statement about all tables answers.
    fn number(&self, sql: &str) -> Result<u64, StoreError> {
        let rows = self.query(sql, &[tables()])?;
        rows.first().map_or(Ok(0), |row| get(row, 0))
    }

    /// Every day row, in the order of their keys.
    #[expect(clippy::unnecessary_wraps, reason = "a build without PostgreSQL has none to give")]
    pub fn all_days(&self) -> Result<AllDays<'_>, StoreError> {
        Ok(AllDays { link: self, page: VecDeque::new(), last: (Vec::new(), 0), is_done: false })
    }

    /// Gives every install of a product, in the order of their keys; the inner error of `each` ends it.
    pub fn each_install<E>(
        &self,
        product: i64,
        each: &mut dyn FnMut(&dyn Values) -> Told<E>,
    ) -> Told<E> {
        let mut told = Ok(());
        self.pages(own::PAGE_OF_PRODUCT, &[&product], &mut |row| {
            told = each(row)?;
            Ok(told.is_ok())
        })?;
        Ok(told)
    }

    /// Gives the row of every install, in the order of their keys: all of it, or of what becomes another value.
    pub fn each_unread(
        &self,
        few: bool,
        each: &mut dyn FnMut(&ServerRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let page = if few { own::PAGE_OF_PRINTS } else { own::PAGE };
        self.pages(page, &[], &mut |row| {
            each(row)?;
            Ok(true)
        })
    }

    /// Reads days of one install after the other.
    #[expect(clippy::unnecessary_wraps, reason = "a build without PostgreSQL has none to give")]
    pub fn days_ahead(&self) -> Result<DaysAhead<'_>, StoreError> {
        Ok(DaysAhead { link: self, ahead: HashMap::new() })
    }

    /// Gives the rows of a statement whose first column is the key, page by page, while `each` wants more.
    fn pages(
        &self,
        sql: &str,
        of: &[&dyn ToSql],
        each: &mut dyn FnMut(&ServerRow) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut last = Vec::new();
        loop {
            let behind: [&dyn ToSql; 2] = [&last, &PAGE];
            let values = behind.into_iter().chain(of.iter().copied()).map(typed);
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let values: Vec<_> = values.iter().map(|(value, of)| (&**value, of.clone())).collect();
            let page = self.query(sql, &values)?;
            for row in &page {
                if !each(row)? {
                    return Ok(());
                }
            }
            match page.last() {
                Some(row) if page.len() as i64 == PAGE => last = blob(row, 0)?.to_vec(),
                _ => return Ok(()),
            }
        }
    }
}

fn tables() -> (&'static (dyn ToServer + Sync), Type) {
    const TABLES: &[&str] = &own::TABLES;
    (&TABLES, Type::TEXT_ARRAY)
}

fn get<T: FromSql>(row: &ServerRow, at: usize) -> Result<T, StoreError> {
    let values: &dyn Values = row;
    values.get(at)
}

fn blob(row: &ServerRow, at: usize) -> Result<&[u8], StoreError> {
    row.value(at)?.as_blob().map_err(|_| StoreError::Damaged)
}

/// Days of installs, read ahead: they are asked for in the order of their keys.
pub struct DaysAhead<'l> {
    link: &'l Link,
    ahead: HashMap<(u32, u32), Ahead>,
}

impl fmt::Debug for DaysAhead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DaysAhead")
    }
}

/// Day rows of a range of days.
#[derive(Default)]
struct Ahead {
    rows: VecDeque<(Vec<u8>, u32, Vec<u8>)>,
    /// The install that was asked for last.
    from: Vec<u8>,
    /// All rows are here of the installs before this one; `None`: of all.
    until: Option<Vec<u8>>,
}

impl Ahead {
    fn has(&self, install: &[u8]) -> bool {
        self.from.as_slice() <= install && self.until.as_deref().is_none_or(|until| install < until)
    }
}

impl DaysAhead<'_> {
    /// The days of an install within these UTC days, in their order.
    pub fn within(
        &mut self,
        install: &[u8],
        days: &RangeInclusive<u32>,
        each: &mut dyn FnMut(u32, &DayRow<&str>),
    ) -> Result<(), StoreError> {
        let range = (*days.start(), *days.end());
        // Nothing was asked for, so there is nothing.
        let none = || Ahead { until: Some(Vec::new()), ..Ahead::default() };
        let ahead = self.ahead.entry(range).or_insert_with(none);
        if !ahead.has(install) {
            *ahead = read(self.link, install, range)?;
        }
        install.clone_into(&mut ahead.from);
        while ahead.rows.front().is_some_and(|(key, ..)| key.as_slice() < install) {
            ahead.rows.pop_front();
        }
        for (_, day, packed) in ahead.rows.iter().take_while(|(key, ..)| key.as_slice() == install)
        {
            let row = DayRow::read(packed, install, *day).ok_or(StoreError::Damaged)?;
            each(*day, &row);
        }
        Ok(())
    }
}

/// The rows of these days, of this install and those behind it.
fn read(link: &Link, install: &[u8], (first, last): (u32, u32)) -> Result<Ahead, StoreError> {
    let page = link.query(
        own::PAGE_OF_DAYS,
        &[
            (&install, Type::BYTEA),
            (&i64::from(first), Type::INT8),
            (&i64::from(last), Type::INT8),
            (&PAGE, Type::INT8),
        ],
    )?;
    let mut rows = VecDeque::with_capacity(page.len());
    for row in &page {
        rows.push_back((blob(row, 0)?.to_vec(), get(row, 1)?, blob(row, 2)?.to_vec()));
    }
    let mut until = None;
    if page.len() as i64 == PAGE {
        // The next page may have more days of the last install.
        until = rows.back().map(|(key, ..)| key.clone());
        while rows.front().map(|(key, ..)| key) != until.as_ref()
            && rows.back().map(|(key, ..)| key) == until.as_ref()
        {
            rows.pop_back();
        }
    }
    Ok(Ahead { rows, from: install.to_owned(), until })
}

/// Every day row, in pages.
pub struct AllDays<'l> {
    link: &'l Link,
    page: VecDeque<DayBytes>,
    last: (Vec<u8>, i64),
    is_done: bool,
}

impl AllDays<'_> {
    /// The key, the day and the bytes of the next.
    pub fn next(&mut self) -> Result<Option<DayBytes>, StoreError> {
        if self.page.is_empty() && !self.is_done {
            let (install, day) = &self.last;
            let values: [(&(dyn ToServer + Sync), Type); 3] =
                [(install, Type::BYTEA), (day, Type::INT8), (&PAGE, Type::INT8)];
            let page = self.link.query(own::PAGE_OF_ALL_DAYS, &values)?;
            self.is_done = (page.len() as i64) < PAGE;
            for row in &page {
                self.page.push_back((blob(row, 0)?.to_vec(), get(row, 1)?, blob(row, 2)?.to_vec()));
            }
            if let Some((install, day, _)) = self.page.back() {
                self.last = (install.clone(), *day);
            }
        }
        Ok(self.page.pop_front())
    }
}

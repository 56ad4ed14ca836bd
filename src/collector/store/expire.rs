//! Expiry: rows that are old enough become counts, and are removed.
//!
//! One rule: counting and removing are one transaction of few rows, and what is counted was computed twice. So a
//! heartbeat waits for a moment at most, and an expiry that is killed has lost nothing and counted nothing twice.

use super::engine::{Database, Engine, Values};
use super::error::StoreError;
use super::frozen::{self, Cells};
use super::packed::DayRow;
use super::place::Location;
use super::{database, in_place, raw, sql};
use crate::collector::definitions::{self, Day, Group, Install, Now};
use crate::collector::kept::Kept;
use crate::collector::plain::{self, Paper, RawInstall, Words};
use crate::collector::row::InstallRow;
use mcpproxy_platform::files::FileIdentity;
use rusqlite::params;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Rows of one transaction: a few hundredths of a second on a slow disk.
const ROWS: u32 = 500;
/// What the database calls an expiry that has stopped.
const META: &str = "expiry";

/// How long rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Days that a day row is kept.
    pub days: u32,
    /// Calendar months that an install is kept after it was last seen.
    pub months: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { days: 400, months: 25 }
    }
}

/// Why nothing expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpiryError {
    /// Two computations of what would stay of the same rows differ.
    Differs,
    /// The database cannot be used.
    Store(StoreError),
}

impl fmt::Display for ExpiryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs => f.write_str(
                "two computations of what stays of them differ, so nothing was removed: run `mcpproxy collector \
                 verify`, and report what it says",
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExpiryError {}

impl<E: Into<StoreError>> From<E> for ExpiryError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// So many rows, and there may be more.
    Rows(u32),
    /// Nothing is left to expire.
    Nothing,
}

/// An expiry on its way through the rows of a database.
#[derive(Debug)]
pub struct Expiry {
    database: Database,
    /// The file, if it is one.
    file: Option<(PathBuf, FileIdentity)>,
    keep: Keep,
    today: Day,
    /// The first day of each product, before this expiry.
    first_days: BTreeMap<i64, u32>,
    /// The install, and the install and day, that were looked at last; `None` when all were.
    installs: Option<Vec<u8>>,
    days: Option<(Vec<u8>, u32)>,
}

impl Expiry {
    /// Begins to look for rows that are too old on the day of `now`.
    pub fn begin(place: impl Into<Location>, keep: Keep, now: Now) -> Result<Self, StoreError> {
        let place = place.into();
        let database = Database::open(&place)?;
        let file = match place.server {
            Some(_) => None,
            None => {
                let path = database::file(&place.dir);
                let identity = FileIdentity::at(&path).map_err(|_| StoreError::Away)?;
                Some((path, identity))
            }
        };
        let first_days = database
            .engine()
            .all(sql::PRODUCT_SIZES, &[], |row| Ok((row.get(0)?, row.get(2)?)))?
            .into_iter()
            .collect();
        let today = now.today();
        let (installs, days) = (Some(Vec::new()), Some((Vec::new(), 0)));
        Ok(Self { database, file, keep, today, first_days, installs, days })
    }

    /// Expires a few rows.
    pub fn step(&mut self) -> Result<Expired, ExpiryError> {
        // SQLite would write on into a file that has no name any more.
        if let Some((path, identity)) = &self.file
            && FileIdentity::at(path).ok() != Some(*identity)
        {
            return Err(StoreError::Away.into());
        }
        let expired = match self.expire() {
            // The operator sees it on every page, until an expiry comes to its end.
            Err(error @ (ExpiryError::Differs | ExpiryError::Store(StoreError::Damaged))) => {
                self.say("stopped")?;
                return Err(error);
            }
            other => other?,
        };
        if expired == Expired::Nothing && has_stopped(self.database.engine())? {
            self.say("done")?;
        }
        Ok(expired)
    }

    fn say(&mut self, state: &str) -> Result<(), StoreError> {
        self.database.change(|change| change.execute(sql::META_WRITE, params![META, state]))?;
        Ok(())
    }

    fn expire(&mut self) -> Result<Expired, ExpiryError> {
        if let Some(after) = self.installs.take() {
            let last = self.today.months_earlier(self.keep.months);
            let old = self.old_installs(&after, last)?;
            if let Some(end) = old.last() {
                let rows = self.expire_installs(&old, last)?;
                self.installs = Some(end.clone());
                return Ok(Expired::Rows(rows));
            }
        }
        if let Some(after) = self.days.take() {
            let first = self.today.minus(self.keep.days);
            let old = self.old_days(&after, first)?;
            if let Some(end) = old.last() {
                let rows = self.expire_days(&old)?;
                self.days = Some(end.clone());
                return Ok(Expired::Rows(rows));
            }
        }
        Ok(Expired::Nothing)
    }

    fn old_installs(&self, after: &[u8], last: Day) -> Result<Vec<Vec<u8>>, StoreError> {
        let of = params![after, last.0, ROWS];
        self.database.engine().all(sql::OLD_INSTALLS, of, |row| row.get(0))
    }

    fn old_days(
        &self,
        (install, day): &(Vec<u8>, u32),
        first: Day,
    ) -> Result<Vec<(Vec<u8>, u32)>, StoreError> {
        let of = params![install, day, first.0, ROWS];
        self.database.engine().all(sql::OLD_DAYS, of, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Installs last seen before `last`, with whatever days are left of them.
    fn expire_installs(&mut self, old: &[Vec<u8>], last: Day) -> Result<u32, ExpiryError> {
        let now = Now(u64::from(self.today.0) * 86_400);
        let first_days = &self.first_days;
        self.database.change_alone(|change| {
            let mut cells = Cells::new();
            let mut again = Second::default();
            let mut installs: BTreeMap<i64, (Vec<Install>, Vec<Paper>)> = BTreeMap::new();
            let mut rows = 0;
            for key in old {
                // It may have been erased, or have come back, since it was looked at.
                let Some((raw, kept)) = install(change, key)? else { continue };
                let kept = kept?;
                if kept.last_day >= last.0 {
                    continue;
                }
                let product = raw.product;
                let first_day = first_days.get(&product).map_or(kept.day0, |day| *day);
                let first_day = frozen::keep_first_day(change, product, first_day.min(kept.day0))?;
                let row = in_place::marked(kept, first_day);
                let install = Install::from(&row);
                let paper = Paper::of(&raw, &mut Words::default()).ok_or(StoreError::Damaged)?;
                change.each(sql::DAYS_OF, &[key], &mut |day| {
                    let (at, packed): (u32, Vec<u8>) = (day.get(0)?, day.get(1)?);
                    let one = DayRow::unpack(&packed, key, at).ok_or(StoreError::Damaged)?;
                    frozen::add_day(&mut cells, product, Group::of(&install), at, &one);
                    again.add_day(product, &paper, at, &packed)?;
                    rows += 1;
                    Ok(())
                })?;
                change.execute(sql::DAYS_DELETE, &[key])?;
                change.execute(sql::INSTALL_DELETE, &[key])?;
                let of = installs.entry(product).or_default();
                of.0.push(install);
                of.1.push(paper);
                rows += 1;
            }
            for (product, (installs, papers)) in installs {
                let first_day = frozen::first_day(change, product)?.unwrap_or(0);
                again.add_installs(product, &papers, first_day);
                frozen::add_installs(&mut cells, product, definitions::freeze(&installs, now));
            }
            again.is_the_same_as(&cells)?;
            frozen::write(change, &cells)?;
            Ok(rows)
        })
    }

    fn expire_days(&mut self, old: &[(Vec<u8>, u32)]) -> Result<u32, ExpiryError> {
        self.database.change_alone(|change| {
            let mut cells = Cells::new();
            let mut again = Second::default();
            let mut rows = 0;
            for (key, day) in old {
                let packed = change.one::<Vec<u8>>(sql::DAY, params![key, day])?;
                // Erased since it was looked at; a day without its install is what `verify` finds.
                let (Some(packed), Some((raw, kept))) = (packed, install(change, key)?) else {
                    continue;
                };
                let row: InstallRow = in_place::marked(kept?, 0);
                let paper = Paper::of(&raw, &mut Words::default()).ok_or(StoreError::Damaged)?;
                let one = DayRow::unpack(&packed, key, *day).ok_or(StoreError::Damaged)?;
                let group = Group::of(&Install::from(&row));
                frozen::add_day(&mut cells, raw.product, group, *day, &one);
                again.add_day(raw.product, &paper, *day, &packed)?;
                change.execute(sql::DAY_REMOVE, params![key, day])?;
                rows += 1;
            }
            again.is_the_same_as(&cells)?;
            frozen::write(change, &cells)?;
            Ok(rows)
        })
    }
}

/// The same row, as it stands there and as it reads.
type BothWays = (RawInstall, Result<Kept, StoreError>);

/// An install, as it stands there and as it reads.
fn install(engine: &dyn Engine, key: &[u8]) -> Result<Option<BothWays>, StoreError> {
    let both = |row: &dyn Values| Ok((raw::install(row)?, in_place::install(row)));
    Ok(engine.all(sql::INSTALL, &[&key], both)?.into_iter().next())
}

/// Whether the last expiry has stopped because of what it found.
pub(super) fn has_stopped(engine: &dyn Engine) -> Result<bool, StoreError> {
    Ok(engine.one::<String>(sql::META, &[&META])?.as_deref() == Some("stopped"))
}

/// The second computation: of the same rows, by other code.
#[derive(Default)]
struct Second {
    cells: BTreeMap<(i64, String, i64, String), u64>,
}

impl Second {
    fn add_installs(&mut self, product: i64, papers: &[Paper], first_day: u32) {
        for ((monday, cell), n) in plain::frozen(papers, i64::from(first_day)) {
            *self.cells.entry((product, "installs".to_owned(), monday, cell)).or_default() += n;
        }
    }

    fn add_day(
        &mut self,
        product: i64,
        paper: &Paper,
        day: u32,
        packed: &[u8],
    ) -> Result<(), StoreError> {
        for (name, n) in plain::day(packed).ok_or(StoreError::Damaged)? {
            let cell = format!("{}|{name}", paper.group());
            *self.cells.entry((product, "days".to_owned(), i64::from(day), cell)).or_default() += n;
        }
        Ok(())
    }

    fn is_the_same_as(&self, cells: &Cells) -> Result<(), ExpiryError> {
        let mut first = BTreeMap::new();
        for ((product, kind, day), group) in cells {
            for (cell, n) in group {
                let key = (*product, (*kind).to_owned(), i64::from(*day), cell.clone());
                first.insert(key, *n);
            }
        }
        if first == self.cells { Ok(()) } else { Err(ExpiryError::Differs) }
    }
}

#[cfg(test)]
mod tests;

//! The row of an install, read where it lies in the database.
//!
//! One rule: it is found whole before a word of it is believed, and a million rows are read without a copy of one.

use super::engine::{Values, typed as value};
use super::error::StoreError;
use super::packed;
use super::sum::{self, Sum};
use crate::collector::kept::Kept;
use crate::collector::row::{InstallRow, STEPS};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// The columns of an install that its sum is made of: those before `recent`.
pub(super) const SUMMED: usize = 20;

/// The row as the definitions read it. `first_day` is the first day of the product here.
pub fn marked(kept: Kept, first_day: u32) -> InstallRow {
    let Kept { carried_over, days_since_install, install_day, .. } = kept;
    let begun = Begun { carried_over, days_since_install, install_day };
    let Beginning { carried_over, late_start } = begun.marks(first_day);
    InstallRow {
        day0: kept.day0,
        last_day: kept.last_day,
        days: kept.days,
        first: kept.first,
        now: kept.now,
        steps: kept.steps,
        versions: kept.versions,
        clients: kept.clients,
        carried_over,
        late_start,
        clock_wrong: kept.clock_wrong,
        flood: kept.flood,
    }
}

/// The bytes in a column of a row.
pub(super) fn bytes<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r [u8], StoreError> {
    row.get_ref(at)?.as_blob().map_err(|_| StoreError::Damaged)
}

/// The install that a row holds, by the columns of [`sql`].
pub(super) fn install(row: &(impl Values + ?Sized)) -> Result<Kept, StoreError> {
    InPlace::of(row)?.kept()
}

/// The row of an install, found whole, with its words and lists where they lie.
#[derive(Clone, Copy, Debug)]
pub struct InPlace<'r> {
    /// See [`InstallRow::day0`].
    pub day0: u32,
    /// See [`InstallRow::last_day`].
    pub last_day: u32,
    /// See [`InstallRow::days`].
    pub days: [u64; 6],
    /// The facts of the first heartbeat: for [`packed::read_facts`].
    pub first: &'r str,
    /// The same of the last one.
    pub now: &'r str,
    /// See [`InstallRow::steps`].
    pub steps: [Option<u32>; STEPS],
    /// For [`packed::each_version`].
    pub versions: &'r str,
    /// For [`packed::each_word`].
    pub clients: &'r str,
    /// How it began.
    pub begun: Begun,
    clock_wrong: u32,
    received: Option<u32>,
    /// See [`InstallRow::flood`].
    pub flood: bool,
    recent: &'r [u8],
    checked: Option<u32>,
}

impl<'r> InPlace<'r> {
    pub(super) fn of(row: &'r (impl Values + ?Sized)) -> Result<Self, StoreError> {
        // Each once: it is summed and read.
        let mut all = [ValueRef::Null; SUMMED + 2];
        for (at, value) in all.iter_mut().enumerate() {
            *value = row.value(at)?;
        }
        let text = |at: usize| all[at].as_str().map_err(|_| StoreError::Damaged);
        let bytes = |at: usize| all[at].as_blob().map_err(|_| StoreError::Damaged);
        let checked = value(all[21])?;
        match checked {
            // Rows that schema 1 wrote last.
            None => {}
            Some(sum) if sum == sum::of(&all[..SUMMED]) => {}
            Some(_) => return Err(StoreError::Damaged),
        }
        Ok(Self {
            day0: value(all[2])?,
            last_day: value(all[3])?,
            days: packed::read_bits(bytes(4)?).ok_or(StoreError::Damaged)?,
            first: text(5)?,
            now: text(6)?,
            steps: [
                value(all[7])?,
                value(all[8])?,
                value(all[9])?,
                value(all[10])?,
                value(all[11])?,
            ],
            versions: text(12)?,
            clients: text(13)?,
            begun: Begun {
                carried_over: value(all[14])?,
                days_since_install: value(all[15])?,
                install_day: value(all[16])?,
            },
            clock_wrong: value(all[17])?,
            received: value(all[18])?,
            flood: value(all[19])?,
            recent: Some(bytes(20)?)
                .filter(|times| packed::are_times(times))
                .ok_or(StoreError::Damaged)?,
            checked,
        })
    }

    /// See [`Unread::print`](super::Unread::print).
    pub fn print(&self) -> Option<u64> {
        print(self.recent, self.checked)
    }

    fn kept(self) -> Result<Kept, StoreError> {
        let damaged = || StoreError::Damaged;
        let first = packed::read_facts(self.first).ok_or_else(damaged)?;
        let now = match self.now {
            // Of most installs.
            same if same == self.first => first.clone(),
            other => packed::read_facts(other).ok_or_else(damaged)?,
        };
        Ok(Kept {
            day0: self.day0,
            last_day: self.last_day,
            days: self.days,
            first,
            now,
            steps: self.steps,
            versions: packed::read_versions(self.versions).ok_or_else(damaged)?,
            clients: packed::read_words(self.clients),
            carried_over: self.begun.carried_over,
            days_since_install: self.begun.days_since_install,
            install_day: self.begun.install_day,
            clock_wrong: self.clock_wrong,
            received: self.received,
            flood: self.flood,
            recent: packed::read_times(self.recent).ok_or_else(damaged)?,
        })
    }
}

/// What the first heartbeat of an install said of its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// See [`Kept::carried_over`].
    pub carried_over: bool,
    /// See [`Kept::days_since_install`].
    pub days_since_install: Option<u16>,
    /// See [`Kept::install_day`].
    pub install_day: Option<u32>,
}

/// What a beginning makes of an install.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// See [`InstallRow::carried_over`].
    pub carried_over: bool,
    /// See [`InstallRow::late_start`].
    pub late_start: bool,
}

impl Begun {
    /// What it makes of an install. `first_day` is the first day of the product here.
    pub fn marks(self, first_day: u32) -> Beginning {
        let carried_over = self.carried_over || self.install_day.is_some_and(|day| day < first_day);
        Beginning {
            carried_over,
            late_start: !carried_over && self.days_since_install.is_some_and(|days| days >= 2),
        }
    }
}

/// A number, other than 0, that is another one after each change of a row; `None`: it has no sum.
pub(super) fn print(recent: &[u8], checked: Option<u32>) -> Option<u64> {
    let mut sum = Sum::default();
    sum.bytes(recent);
    Some((u64::from(checked?) << 32 | u64::from(sum.get())).max(1))
}

#[cfg(test)]
mod tests;

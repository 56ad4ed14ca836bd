//! The aggregates of rows that expired: how they are written, and read again.
//!
//! One rule: they are added to and never set. Each group of cells has a sum of its own, so that one that was changed
//! on the disk is noticed.

use super::engine::Engine;
use super::error::StoreError;
use super::packed::DayRow;
use super::sql;
use super::sum::Sum;
use crate::collector::definitions::{Frozen, Group, IsoWeek};
use crate::collector::heartbeat::DELTAS;
use crate::contract::{CallBucket, Shutdown};
use rusqlite::params;
use std::collections::BTreeMap;

/// Cells of installs; their day is the first of the week of day 0.
pub const INSTALLS: &str = "installs";
/// Cells of a UTC day.
pub const DAYS: &str = "days";
/// The first day of a product here, as the only cell of day 0.
pub const FIRST_DAY: &str = "first_day";
const DAY: &str = "day";
/// The cell that holds the sum over the others of its group.
pub const SUM: &str = "";
/// The names of a day's counts.
const NAMES: [&str; DELTAS] = [
    "surface.mcp",
    "surface.cli",
    "surface.webui",
    "surface.tray",
    "surface.unknown",
    "tool.retrieve_tools",
    "tool.call_tool",
    "tool.telemetry_status",
];

/// Counts by product, kind, day and cell.
pub type Cells = BTreeMap<(i64, &'static str, u32), BTreeMap<String, u64>>;

/// Adds the cells of expired installs.
pub fn add_installs(cells: &mut Cells, product: i64, frozen: Vec<Frozen>) {
    for one in frozen {
        let group = cells.entry((product, INSTALLS, one.week.monday().0)).or_default();
        for (name, n) in one.cells {
            *group.entry(format!("{}|{name}", one.group.name())).or_default() += n;
        }
    }
}

/// Adds a day row of an install of that group.
pub fn add_day(cells: &mut Cells, product: i64, of: Group, day: u32, row: &DayRow) {
    let group = cells.entry((product, DAYS, day)).or_default();
    let of = of.name();
    let mut add = |name: &str, n: u64| {
        if n > 0 {
            *group.entry(format!("{of}|{name}")).or_default() += n;
        }
    };
    add("installs", 1);
    add(&format!("kind.{}", row.kind.as_str()), 1);
    add(&format!("launch.{}", row.launch_source.as_str()), 1);
    add(&format!("version.{}", row.version), 1);
    let shutdown = row.gauges.shutdown.and_then(|at| Shutdown::ALL.get(usize::from(at)));
    if let Some(how) = shutdown {
        add(&format!("shutdown.{}", how.as_str()), 1);
    }
    let calls = row.gauges.calls_bucket.and_then(|at| CallBucket::ALL.get(usize::from(at)));
    if let Some(bucket) = calls {
        add(&format!("calls.{}", bucket.as_str()), 1);
    }
    let version = &row.version;
    add(&format!("crashed.{version}"), u64::from(row.has_crashed()));
    for met in &row.codes {
        let code = met.code.name();
        add(&format!("met.{version} {code}"), u64::from(met.changes > 0));
        add(&format!("standing.{version} {code}"), u64::from(met.servers > 0));
    }
    for (name, n) in NAMES.into_iter().zip(row.deltas) {
        add(name, n);
    }
}

/// Adds `cells` to those of the database.
pub fn write(change: &dyn Engine, cells: &Cells) -> Result<(), StoreError> {
    for ((product, kind, day), group) in cells {
        // What was changed on the disk must not be made good by a new sum.
        let before = read(change, *product, kind, *day)?;
        if before.sum.is_some_and(|sum| sum != before.computed(*product, kind, *day)) {
            return Err(StoreError::Damaged);
        }
        for (cell, n) in group {
            change.execute(sql::FROZEN_ADD, params![product, kind, day, cell, n])?;
        }
        let after = read(change, *product, kind, *day)?;
        let sum = after.computed(*product, kind, *day);
        change.execute(sql::FROZEN_SET, params![product, kind, day, SUM, sum])?;
    }
    Ok(())
}

/// The cells of one product, kind and day.
#[derive(Debug, Default)]
pub struct Read {
    /// Without the sum.
    pub cells: BTreeMap<String, u64>,
    /// The sum that was written.
    pub sum: Option<u64>,
}

impl Read {
    /// Takes a row in.
    pub fn push(&mut self, cell: String, n: u64) {
        if cell == SUM {
            self.sum = Some(n);
        } else {
            self.cells.insert(cell, n);
        }
    }

    /// The sum that the cells have.
    pub fn computed(&self, product: i64, kind: &str, day: u32) -> u64 {
        let mut sum = Sum::default();
        sum.word(product.cast_unsigned());
        sum.bytes(kind.as_bytes());
        sum.word(u64::from(day));
        for (cell, n) in &self.cells {
            sum.bytes(cell.as_bytes());
            sum.word(*n);
        }
        u64::from(sum.get())
    }
}

fn read(change: &dyn Engine, product: i64, kind: &str, day: u32) -> Result<Read, StoreError> {
    let mut read = Read::default();
    change.each(sql::FROZEN_OF, params![product, kind, day], &mut |row| {
        read.push(row.get(0)?, row.get(1)?);
        Ok(())
    })?;
    Ok(read)
}

/// All groups, by product, kind and day.
pub fn groups(engine: &dyn Engine) -> Result<BTreeMap<(i64, String, u32), Read>, StoreError> {
    let mut groups: BTreeMap<_, Read> = BTreeMap::new();
    engine.each(sql::FROZEN_ALL, &[], &mut |row| {
        let group = groups.entry((row.get(0)?, row.get(1)?, row.get(2)?)).or_default();
        group.push(row.get(3)?, row.get(4)?);
        Ok(())
    })?;
    Ok(groups)
}

/// Whether every group has the sum that was written.
pub fn check(engine: &dyn Engine) -> Result<(), StoreError> {
    let is_whole = |((product, kind, day), group): (&(i64, String, u32), &Read)| {
        group.sum == Some(group.computed(*product, kind, *day))
    };
    if groups(engine)?.iter().all(is_whole) { Ok(()) } else { Err(StoreError::Damaged) }
}

/// All expired installs of a product.
pub fn installs(engine: &dyn Engine, product: i64) -> Result<Vec<Frozen>, StoreError> {
    let mut found: BTreeMap<(IsoWeek, Group), BTreeMap<String, u64>> = BTreeMap::new();
    engine.each(sql::FROZEN, params![product, INSTALLS], &mut |row| {
        let (day, cell, n): (u32, String, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if cell == SUM {
            return Ok(());
        }
        let (group, name) = cell.split_once('|').ok_or(StoreError::Damaged)?;
        let group = Group::from_name(group).ok_or(StoreError::Damaged)?;
        let week = crate::collector::definitions::Day(day).week();
        found.entry((week, group)).or_default().insert(name.to_owned(), n);
        Ok(())
    })?;
    let frozen = found.into_iter().map(|((week, group), cells)| Frozen { week, group, cells });
    Ok(frozen.collect())
}

/// The first day of a product, as it was when its first installs expired.
pub fn first_day(engine: &dyn Engine, product: i64) -> Result<Option<u32>, StoreError> {
    engine.one(sql::FROZEN_CELL, params![product, FIRST_DAY, 0, DAY])
}

/// Keeps the first day of a product: an earlier one replaces it.
pub fn keep_first_day(change: &dyn Engine, product: i64, day: u32) -> Result<u32, StoreError> {
    let known = first_day(change, product)?;
    let first = known.map_or(day, |known| known.min(day));
    if known != Some(first) {
        change.execute(sql::FROZEN_SET, params![product, FIRST_DAY, 0, DAY, first])?;
        let sum = read(change, product, FIRST_DAY, 0)?.computed(product, FIRST_DAY, 0);
        change.execute(sql::FROZEN_SET, params![product, FIRST_DAY, 0, SUM, sum])?;
    }
    Ok(first)
}

//! The aggregates of expired rows: against their sums, themselves, and the rows that are left.
//!
//! One rule: the rows are gone, so every relation between cells that must hold is asked.

use super::{Check, Known};
use crate::collector::definitions::{Day, Group};
use crate::collector::plain;
use crate::collector::store::{FrozenGroup, Reader, StoreError};
use std::collections::BTreeMap;

pub(super) fn check(reader: &Reader, known: &Known) -> Result<Check, StoreError> {
    let mut check = Check::new("expired");
    for ((product, kind, day), group) in &known.groups {
        check.looked_at += group.cells.len() as u64;
        let place = format!("{}, {kind} of {}", known.name(*product), Day(*day));
        if group.sum != Some(group.computed(*product, kind, *day)) {
            check.find(format!("{place}: a cell is not as it was written"));
        }
        let is_right = match kind.as_str() {
            "installs" => is_week(*day, group),
            "days" => is_day(group),
            "first_day" => group.cells.contains_key("day"),
            _ => false,
        };
        if !is_right {
            check.find(format!("{place}: its cells contradict each other"));
        }
        if kind == "installs" {
            let first = reader.kept_first_day(*product)?;
            if first.is_none_or(|first| first > *day + 6) {
                check.find(format!("{place}: before the first day of the product"));
            }
        }
    }
    Ok(check)
}

/// The cells by group of installs; `None` if one has no group.
fn by_group(group: &FrozenGroup) -> Option<BTreeMap<&str, BTreeMap<&str, u64>>> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (cell, n) in &group.cells {
        let (of, name) = cell.split_once('|')?;
        Group::from_name(of)?;
        groups.entry(of).or_default().insert(name, *n);
    }
    Some(groups)
}

fn is_week(day: u32, group: &FrozenGroup) -> bool {
    let Some(groups) = by_group(group) else { return false };
    let is_right = |cells: &BTreeMap<&str, u64>| {
        let n = |name: &str| cells.get(name).copied().unwrap_or(0);
        let cohort = n("cohort");
        cohort + n("carried_over") == n("installs")
            && n("late_starts") <= cohort
            && n("reached.first_heartbeat") == cohort
            && cells.iter().all(|(name, count)| match name.split_once('.') {
                Some(("within_7_days" | "gateway" | "wrapped", step)) => {
                    *count <= n(&format!("reached.{step}"))
                }
                Some(_) => *count <= cohort,
                None => *count <= n("installs"),
            })
    };
    plain::monday(i64::from(day)) == i64::from(day) && groups.values().all(is_right)
}

fn is_day(group: &FrozenGroup) -> bool {
    let Some(groups) = by_group(group) else { return false };
    groups.values().all(|cells| {
        let installs = cells.get("installs").copied().unwrap_or(0);
        ["kind.", "launch.", "version."].iter().all(|prefix| {
            let of = cells.iter().filter(|(name, _)| name.starts_with(prefix));
            of.map(|(_, n)| *n).sum::<u64>() == installs
        }) && cells.iter().all(|(name, n)| is_within(name, *n, cells))
    })
}

/// Whether what installs said with a version is of no more installs than had it.
fn is_within(name: &str, n: u64, cells: &BTreeMap<&str, u64>) -> bool {
    let version = match name.split_once('.') {
        Some(("crashed", version)) => version,
        Some(("met" | "standing", said)) => said.split(' ').next().unwrap_or_default(),
        _ => return true,
    };
    cells.get(format!("version.{version}").as_str()).is_some_and(|installs| n <= *installs)
}

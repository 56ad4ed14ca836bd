//! `collector verify`: is what the database holds whole, and are the numbers of the pages right?
//!
//! One rule: everything is looked at a second way, and a finding names a place and a kind, never a value.

mod frozen;
mod numbers;
mod rows;
mod shown;
#[cfg(test)]
mod tests;
mod words;

use super::definitions::Now;
use super::plain::{Paper, Words};
use super::store::{FrozenGroup, Reader, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// Findings of one check that are told one by one.
const TOLD: usize = 50;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is called.
    pub name: &'static str,
    /// How many there were.
    pub looked_at: u64,
    /// What is wrong, a line each.
    pub findings: Vec<String>,
    /// Findings that are only counted.
    pub more: u64,
}

impl Check {
    fn new(name: &'static str) -> Self {
        Self { name, looked_at: 0, findings: Vec::new(), more: 0 }
    }

    fn find(&mut self, finding: impl Into<String>) {
        let finding = finding.into();
        if self.findings.len() < TOLD {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// How many things are wrong.
    pub fn found(&self) -> u64 {
        self.findings.len() as u64 + self.more
    }
}

/// What the checks share.
struct Known {
    /// Name of each product, and whether it is shown.
    products: BTreeMap<i64, (String, bool)>,
    /// The aggregates of expired rows.
    groups: BTreeMap<(i64, String, u32), FrozenGroup>,
    /// All installs of each product.
    papers: BTreeMap<i64, Vec<Paper>>,
    /// What they say in words.
    said: Words,
    /// The rows of days.
    days: u64,
    /// The last complete day.
    yesterday: i64,
    /// Words that came from outside, by the table they stand in.
    words: BTreeSet<(&'static str, String)>,
}

impl Known {
    fn name(&self, product: i64) -> &str {
        self.products.get(&product).map_or("no product", |(name, _)| name)
    }
}

/// Looks at everything. The error is one that leaves nothing to look at.
pub fn verify(reader: &Reader, now: Now) -> Result<Vec<Check>, StoreError> {
    let mut file = Check::new("file");
    file.looked_at = 1;
    for _ in 0..reader.integrity()? {
        file.find("SQLite finds a page or a table that is damaged: put a backup in its place");
    }
    let mut tables = Check::new("tables");
    let lacking = reader.lacking()?;
    tables.looked_at = lacking.looked_at;
    for name in lacking.tables {
        tables.find(format!(
            "the table {name} is not as this program makes it: put a backup in its place"
        ));
    }
    if lacking.others > 0 {
        tables.find("there is a table, a view or a trigger that this program does not make");
    }
    let checks = reader.at_one_moment(|reader| {
        let products = reader.numbers_of_products()?.into_iter();
        let mut known = Known {
            products: products.map(|(number, name, shown)| (number, (name, shown))).collect(),
            groups: reader.frozen_groups()?,
            papers: BTreeMap::new(),
            said: Words::default(),
            days: 0,
            yesterday: i64::from(now.today().0) - 1,
            words: reader.strings()?.into_iter().collect(),
        };
        let [installs, days] = rows::check(reader, &mut known)?;
        let frozen = frozen::check(reader, &known)?;
        let numbers = numbers::check(reader, &known, now)?;
        Ok([installs, days, frozen, numbers, words::check(&known)])
    });
    match checks {
        Ok(checks) => Ok([vec![file, tables], checks.to_vec()].concat()),
        // A page or a table that cannot be read ends the reading, and is named above.
        Err(StoreError::Damaged | StoreError::Sqlite(_)) if file.found() + tables.found() > 0 => {
            Ok(vec![file, tables])
        }
        Err(StoreError::Damaged) => {
            file.find(
                "a row is not of the form that this program writes: put a backup in its place",
            );
            Ok(vec![file, tables])
        }
        Err(error) => Err(error),
    }
}

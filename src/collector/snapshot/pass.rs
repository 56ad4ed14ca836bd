//! The pass: the rows of all products, read into columns.
//!
//! One rule: every row is looked at. One that is as it was at the last pass is taken from the columns of that pass, with
//! the days that are over since; in a new ISO week, and where anything else may have changed, all are read anew. Nothing
//! is added up.

use super::{Columns, Health, Made, Snapshot};
use crate::collector::definitions::{Day, Now, crash};
use crate::collector::row::DAYS;
use crate::collector::store::{Reader, StoreError, Unread, marked};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Instant;

#[cfg(test)]
mod tests;

/// The snapshot of this moment. `before` is an earlier one of the same database, as long as the process lives.
pub(super) fn read(
    reader: &Reader,
    now: Now,
    has_days: bool,
    before: Option<&Snapshot>,
) -> Result<Snapshot, StoreError> {
    let began = Instant::now();
    // Of one moment: an install that expires in between would be counted twice, or not at all.
    reader.at_one_moment(|reader| {
        let outside = reader.outside(now.today().minus(crash::DAYS).0)?;
        let is_alike = |one: &&Snapshot| {
            let (then, today) = (one.made_at.today(), now.today());
            let is_of_this_week = then <= today && then.week() == today.week();
            is_of_this_week && one.has_days == has_days && one.made.outside == outside
        };
        let mut pass = Pass::begin(reader, now, has_days, before.filter(is_alike))?;
        if !pass.run(reader)? {
            pass = Pass::begin(reader, now, has_days, None)?;
            pass.run(reader)?;
        }
        let (installs, read) = (pass.installs, pass.read);
        let (mut products, bytes) = pass.end(reader)?;
        // By name, as they are shown.
        products.sort_by(|(one, _), (other, _)| one.cmp(other));
        let expiry_stopped = reader.expiry_has_stopped()?;
        let wants_a_proxy = reader.wants_a_proxy(now.today().0)?;
        let notes = reader.notes()?.into();
        let health = Health::read(reader, now.today(), installs)?.into();
        let made = Made {
            passes: before.map_or(0, |before| before.made.passes) + 1,
            took: began.elapsed(),
            read,
            bytes,
            outside,
        };
        Ok(Snapshot {
            expiry_stopped,
            wants_a_proxy,
            notes,
            health,
            has_days,
            made,
            ..Snapshot::new(now, products)
        })
    })
}

struct Pass<'b> {
    /// The complete days of which day rows are read, if any are.
    days: Option<RangeInclusive<u32>>,
    /// Those of them that were not over at the pass before; `None`: the same days are over.
    come: Option<RangeInclusive<u32>>,
    /// By number, those that are shown.
    products: BTreeMap<i64, Product<'b>>,
    /// Of all products, hidden ones among them.
    installs: u64,
    /// Of them those that were read.
    read: u64,
}

struct Product<'b> {
    name: String,
    columns: Columns,
    before: Option<&'b Columns>,
    /// The first install of `before` that may come again: both are in the order of their keys.
    cursor: usize,
    /// The first day of the product here, as far as it is known.
    first_day: u32,
    /// Places of installs that may have been here before that day, and the day on which each began.
    earlier: Vec<(usize, u32)>,
}

impl<'b> Pass<'b> {
    fn begin(
        reader: &Reader,
        now: Now,
        has_days: bool,
        before: Option<&'b Snapshot>,
    ) -> Result<Self, StoreError> {
        let yesterday = now.today().minus(1);
        let mut products = BTreeMap::new();
        for (number, name) in reader.shown()? {
            let all = before.into_iter().flat_map(|before| before.products.iter());
            let mut same = all.map(|(_, columns)| columns);
            let before = same.find(|columns| columns.product == number);
            let columns = match before {
                Some(before) => Columns::after(before),
                None => Columns { product: number, ..Columns::default() },
            };
            // Installs that expired count for it: those that came after them are carried over no more than before.
            let first_day = reader.first_day_of_expired(number)?.unwrap_or(u32::MAX);
            let (cursor, earlier) = (0, Vec::new());
            let product = Product { name, columns, before, cursor, first_day, earlier };
            products.insert(number, product);
        }
        let days = has_days.then(|| now.today().minus(crash::DAYS).0..=yesterday.0);
        let then = before.filter(|before| has_days && before.made_at.today() < now.today());
        let come = then.map(|before| before.made_at.today().0..=yesterday.0);
        Ok(Self { days, come, products, installs: 0, read: 0 })
    }

    /// Whether what was taken from earlier columns is right: the first day of a product is what it was.
    fn run(&mut self, reader: &Reader) -> Result<bool, StoreError> {
        let mut days_of = reader.days_of_installs()?;
        let first = self.days.as_ref().map_or(Day(0), |days| Day(*days.start()));
        let few = self.products.values().any(|product| product.before.is_some());
        reader.each_unread(few, |row| {
            self.installs += 1;
            let Some(product) = self.products.get_mut(&row.product()?) else { return Ok(()) };
            let days = if product.take(row, first)? {
                &self.come
            } else {
                self.read += 1;
                product.read(row)?;
                &self.days
            };
            let columns = &mut product.columns;
            match days {
                Some(days) if columns.may_have(days) => {
                    days_of.within(row.key()?, days, |day, said| columns.push_day(Day(day), said))
                }
                _ => Ok(()),
            }
        })?;
        let is_right = |product: &Product<'_>| {
            product.before.is_none_or(|before| before.first_day == product.first_day)
        };
        Ok(self.products.values().all(is_right))
    }

    /// The columns, and how many bytes they have.
    fn end(self, reader: &Reader) -> Result<(Vec<(String, Columns)>, usize), StoreError> {
        let (mut products, mut bytes) = (Vec::new(), 0);
        for product in self.products.into_values() {
            let Product { name, mut columns, first_day, earlier, .. } = product;
            for (at, day) in earlier {
                let marks = &mut columns.marks[at];
                marks.is_carried_over |= day < first_day;
                marks.is_late_start &= !marks.is_carried_over;
            }
            columns.first_day = first_day;
            columns.frozen = reader.frozen_installs(&name)?;
            bytes += columns.shrink();
            products.push((name, columns));
        }
        Ok((products, bytes))
    }
}

impl Product<'_> {
    /// Takes a row that has not changed from the columns before, without what it said before `first`; whether it has.
    fn take(&mut self, row: &Unread<'_>, first: Day) -> Result<bool, StoreError> {
        let (Some(before), Some(print)) = (self.before, row.print()?) else { return Ok(false) };
        let key = row.key_begin()?;
        while before.keys.get(self.cursor).is_some_and(|before| *before < key) {
            self.cursor += 1;
        }
        let at = self.cursor;
        if before.keys.get(at) != Some(&key) || before.prints[at] != print {
            return Ok(false);
        }
        self.cursor += 1;
        self.first_day = self.first_day.min(before.day0[at]);
        self.columns.push_again(before, at, first);
        Ok(true)
    }

    /// Reads a row.
    fn read(&mut self, row: &Unread<'_>) -> Result<(), StoreError> {
        let kept = row.read()?;
        self.first_day = self.first_day.min(kept.day0);
        // It can only get earlier.
        if let Some(day) = kept.install_day.filter(|day| *day < self.first_day) {
            self.earlier.push((self.columns.keys.len(), day));
        }
        let row_as_read = marked(kept, 0);
        self.columns.push(&row_as_read);
        // A row without a sum is never taken as it was: no print is 0.
        self.columns.known_as(row.key_begin()?, row.print()?.unwrap_or(0));
        Ok(())
    }
}

impl Columns {
    /// Whether there may be rows of these days for the install that was added last.
    fn may_have(&self, days: &RangeInclusive<u32>) -> bool {
        let (first, last) = (Day(*days.start()), Day(*days.end()));
        let install = self.install(self.day0.len() - 1);
        // Of days beyond the bits only the last is known.
        let is_beyond = install.last >= first && install.last.since(install.day0) >= DAYS;
        is_beyond || install.was_active(first, last)
    }
}

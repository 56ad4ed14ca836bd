//! The pass: the rows of all products, read into columns.
//!
//! One rule: every row is looked at. One that is as it was at the last pass is taken from the columns of that pass; in
//! a new ISO week, and where anything else may have changed, all are read anew. Nothing is added up.

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
    /// The first and last days that came to them since the pass before, or left them.
    moved: [Option<(Day, Day)>; 2],
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
        let first = |now: Now| now.today().minus(crash::DAYS);
        let days = has_days.then(|| first(now).0..=yesterday.0);
        let then = before.filter(|before| has_days && before.made_at.today() < now.today());
        let moved = then.map(|before| {
            let then = before.made_at;
            [(first(then), first(now).minus(1)), (then.today(), yesterday)]
        });
        let moved = moved.map_or([None; 2], |moved| moved.map(Some));
        Ok(Self { days, moved, products, installs: 0, read: 0 })
    }

    /// Whether what was taken from earlier columns is right: the first day of a product is what it was.
    fn run(&mut self, reader: &Reader) -> Result<bool, StoreError> {
        let mut days_of = reader.days_of_installs()?;
        reader.each_unread(|row| {
            self.installs += 1;
            let Some(product) = self.products.get_mut(&row.product()?) else { return Ok(()) };
            if product.take(row, self.moved)? {
                return Ok(());
            }
            self.read += 1;
            let last_day = product.read(row)?;
            if let Some(days) = self.days.clone().filter(|days| last_day >= *days.start()) {
                product.columns.push_days(&days_of.within(row.key()?, days)?);
            }
            Ok(())
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
    /// Takes a row that has not changed, and was not heard of on days that matter now or mattered then, from the columns
    /// before; whether it has.
    fn take(
        &mut self,
        row: &Unread<'_>,
        moved: [Option<(Day, Day)>; 2],
    ) -> Result<bool, StoreError> {
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
        if moved[0].is_some() {
            let install = before.install(at);
            // Of days beyond the bits only the last is known.
            if install.last.since(install.day0) >= DAYS {
                return Ok(false);
            }
            if moved.into_iter().flatten().any(|(first, last)| install.was_active(first, last)) {
                return Ok(false);
            }
        }
        self.first_day = self.first_day.min(before.day0[at]);
        self.columns.push_again(before, at);
        Ok(true)
    }

    /// Reads a row; its last day.
    fn read(&mut self, row: &Unread<'_>) -> Result<u32, StoreError> {
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
        Ok(row_as_read.last_day)
    }
}

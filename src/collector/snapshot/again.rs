//! Columns that follow others: the same installs a while later, most of them unchanged.
//!
//! One rule: an install is taken as a whole, with every column; words keep their places, so nothing is translated.

use super::{Columns, Lists};
use crate::collector::definitions::Day;

impl Columns {
    /// How the row of the install that was added last is known again.
    pub(super) fn known_as(&mut self, key: u32, print: u64) {
        self.keys.push(key);
        self.prints.push(print);
    }

    /// Empty columns for about as many installs of the same product, with the same words.
    pub(super) fn after(before: &Self) -> Self {
        let mut columns = Self {
            product: before.product,
            words: before.words.clone(),
            places: before.places.clone(),
            ..Self::default()
        };
        // Some more than before: to grow is to copy all of it.
        let rows = before.day0.len() + before.day0.len() / 64 + 16;
        columns.all_mut().into_iter().for_each(|column| column.reserve(rows));
        columns
    }

    /// Adds an install of columns with the same words as it was there, but for what it said before `since`.
    pub(super) fn push_again(&mut self, before: &Self, at: usize, since: Day) {
        // Every column by its name, so that none is left out.
        let Self {
            product: _,
            first_day: _,
            keys,
            prints,
            day0,
            last,
            days,
            steps,
            lapses,
            marks,
            first,
            now,
            version,
            versions,
            clients,
            said,
            codes,
            words: _,
            places: _,
            recent: _,
            frozen: _,
        } = before;
        self.known_as(keys[at], prints[at]);
        self.day0.push(day0[at]);
        self.last.push(last[at]);
        self.days.push(days.at(at).iter().copied());
        self.steps.push(steps[at]);
        self.lapses.push(lapses[at]);
        self.marks.push(marks[at]);
        self.first.push(first[at]);
        self.now.push(now[at]);
        self.version.push(version[at]);
        self.versions.push(versions.at(at).iter().copied());
        self.clients.push(clients.at(at).iter().copied());
        self.said.fill(self.day0.len() - 1);
        self.said.push(said.at(at).iter().filter_map(|said| said.since(since)));
        self.codes.fill(self.day0.len() - 1);
        self.codes.push(codes.at(at).iter().filter_map(|said| said.since(since)));
    }

    /// The columns with one value, or one list, for each install.
    fn all_mut(&mut self) -> [&mut dyn Column; 15] {
        [
            &mut self.keys,
            &mut self.prints,
            &mut self.day0,
            &mut self.last,
            &mut self.days,
            &mut self.steps,
            &mut self.lapses,
            &mut self.marks,
            &mut self.first,
            &mut self.now,
            &mut self.version,
            &mut self.versions,
            &mut self.clients,
            &mut self.said,
            &mut self.codes,
        ]
    }

    /// Gives back the room that is not filled; the bytes that are.
    pub(super) fn shrink(&mut self) -> usize {
        self.all_mut().into_iter().map(Column::shrink).sum()
    }
}

/// The room that a column takes.
trait Column {
    /// Room for so many installs.
    fn reserve(&mut self, rows: usize);
    /// No room but what is filled; its bytes.
    fn shrink(&mut self) -> usize;
}

impl<T> Column for Vec<T> {
    fn reserve(&mut self, rows: usize) {
        self.reserve_exact(rows);
    }

    fn shrink(&mut self) -> usize {
        self.shrink_to_fit();
        self.len() * size_of::<T>()
    }
}

impl<T> Column for Lists<T> {
    fn reserve(&mut self, rows: usize) {
        Column::reserve(&mut self.ends, rows);
    }

    fn shrink(&mut self) -> usize {
        Column::shrink(&mut self.all) + Column::shrink(&mut self.ends)
    }
}

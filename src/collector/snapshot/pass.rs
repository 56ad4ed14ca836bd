//! The pass: the rows of all products, read into columns.
//!
//! One rule: every row is looked at. One that is as it was at the last pass is taken from the columns of that pass, with
//! the days that are over since; on each day a seventh of them is read anew all the same, and where anything else may
//! have changed all are. Nothing is added up.

use super::{Columns, Health, Made, Snapshot};
use crate::collector::definitions::who::is_release;
use crate::collector::definitions::{Day, Install, Life, Now, Origin, Traits, Who, crash};
use crate::collector::row::DAYS;
use crate::collector::store::{
    Beginning, InPlace, Reader, StoreError, Unread, each_version, each_word, read_facts,
    split_facts,
};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Each install is read anew once in so many days: what was read wrong is not shown for longer, and no day has to bear
/// the reading of all.
const ANEW: u32 = 7;

/// The snapshot of this moment. `before` is an earlier one of the same database, as long as the process lives.
pub(super) fn read(
    reader: &Reader,
    now: Now,
    has_days: bool,
    before: Option<&Snapshot>,
) -> Result<Snapshot, StoreError> {
    let (began, worked_before) = (Instant::now(), worked());
    // Of one moment: an install that expires in between would be counted twice, or not at all.
    reader.at_one_moment(|reader| {
        let outside = reader.outside(now.today().minus(crash::DAYS).0)?;
        let is_alike = |one: &&Snapshot| {
            let (then, today) = (one.made_at.today(), now.today());
            let is_recent = then <= today && today.since(then) < ANEW;
            is_recent && one.has_days == has_days && one.made.outside == outside
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
            worked: worked().zip(worked_before).map(|(now, before)| now.saturating_sub(before)),
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

/// Processor time of this thread, as Linux tells it.
fn worked() -> Option<Duration> {
    let said = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(said.split(' ').next()?.parse().ok()?))
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

/// What facts say but for their version.
#[derive(Clone, Copy)]
struct SaidFacts {
    traits: Traits,
    who: Who,
}

struct Product<'b> {
    name: String,
    columns: Columns,
    /// What facts say, by their text before the version: words of the contract alone, so there are few of them.
    facts: HashMap<String, SaidFacts>,
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
            let (facts, cursor, earlier) = (HashMap::new(), 0, Vec::new());
            let product = Product { name, columns, facts, before, cursor, first_day, earlier };
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
            let has_turn = match &self.come {
                Some(come) => has_turn(row.key_begin()?, come),
                None => false,
            };
            let days = if !has_turn && product.take(row, first)? {
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
        let key = row.key_begin()?;
        row.read(|row| {
            self.add(row)?;
            // A row without a sum is never taken as it was: no print is 0.
            self.columns.known_as(key, row.print().unwrap_or(0));
            Ok(())
        })
    }

    fn add(&mut self, row: &InPlace<'_>) -> Result<(), StoreError> {
        self.first_day = self.first_day.min(row.day0);
        // It can only get earlier.
        if let Some(day) = row.begun.install_day.filter(|day| *day < self.first_day) {
            self.earlier.push((self.columns.keys.len(), day));
        }
        let Beginning { carried_over, late_start } = row.begun.marks(0);
        let life = Life {
            day0: row.day0,
            last_day: row.last_day,
            days: row.days,
            steps: row.steps,
            carried_over,
            late_start,
            flood: row.flood,
        };
        let (first, first_version) = self.facts(row.first)?;
        let (now, version) = match row.now {
            // Of most installs.
            same if same == row.first => (first, first_version),
            other => self.facts(other)?,
        };
        let install = Install::new(&life, first.who, is_release(first_version));
        self.columns.add(&install, [first.traits, now.traits]);
        self.columns.add_versions_in_use(first_version, version);
        for version in each_version(row.versions) {
            let (name, day) = version.ok_or(StoreError::Damaged)?;
            self.columns.add_version(name, day);
        }
        each_word(row.clients).for_each(|name| self.columns.add_client(name));
        self.columns.close();
        Ok(())
    }

    /// What facts say, and their version.
    fn facts<'t>(&mut self, text: &'t str) -> Result<(SaidFacts, &'t str), StoreError> {
        let (head, version) = split_facts(text).ok_or(StoreError::Damaged)?;
        if let Some(said) = self.facts.get(head).filter(|_| !version.is_empty()) {
            return Ok((*said, version));
        }
        let facts = read_facts(text).ok_or(StoreError::Damaged)?;
        let said = SaidFacts { traits: Traits::from(&facts), who: Origin::from(&facts).who };
        self.facts.insert(head.to_owned(), said);
        Ok((said, version))
    }
}

/// Whether an install whose key begins like this is to be read anew on one of the days that have come.
fn has_turn(key: u32, come: &RangeInclusive<u32>) -> bool {
    come.clone().any(|day| day % ANEW == key % ANEW)
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

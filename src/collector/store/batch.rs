//! What becomes of each heartbeat of a batch, by the rows that it meets.
//!
//! One rule: the same on each engine. An engine only finds rows, and writes them.

use super::change::{Counts, Incoming, Outcome, count};
use super::engine::Engine;
use super::error::StoreError;
use super::key::Key;
use super::packed::DayRow;
use super::products::{HIDDEN, Products};
use super::retire::Retired;
use crate::collector::floods::{Floods, Newcomer, PROXIED};
use crate::collector::heartbeat::{Heartbeat, day};
use crate::collector::kept::{self, Kept, Verdict};
use crate::collector::row::Standing;
use crate::contract::product::OWN_PRODUCT;
use crate::gate::Unknown;

/// A row that was found; the error is that it does not read.
pub(super) type ReadRow<T> = Result<T, StoreError>;

/// The rows that a batch meets, as they are within its transaction.
pub(super) trait Rows {
    /// The row of an install.
    fn install(&mut self, install: &[u8; 32]) -> Result<Option<ReadRow<Kept>>, StoreError>;

    /// The row of a day of an install.
    fn day(&mut self, install: &[u8; 32], day: u32) -> Result<Option<ReadRow<DayRow>>, StoreError>;

    /// The last day on which an install that was erased is kept out.
    fn erased_until(&mut self, install: &[u8; 32]) -> Result<Option<u32>, StoreError>;

    /// Writes the row of an install.
    fn write(&mut self, product: i64, install: &[u8; 32], kept: &Kept) -> Result<(), StoreError>;

    /// Writes the row of a day of an install.
    fn write_day(&mut self, install: &[u8; 32], day: u32, row: &DayRow) -> Result<(), StoreError>;
}

/// What a batch is judged by.
pub(super) struct Judge<'s> {
    /// Makes the products that are received unasked.
    pub engine: &'s dyn Engine,
    pub key: &'s Key,
    pub products: &'s mut Products,
    pub retired: &'s Retired,
    pub floods: &'s mut Floods,
    pub any_product: bool,
    pub counts: &'s mut Counts,
}

impl Judge<'_> {
    /// What becomes of each heartbeat; what is counted of them is counted.
    pub fn run(
        mut self,
        rows: &mut impl Rows,
        batch: &[Incoming<'_>],
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for Incoming { heartbeat, received, origin } in batch {
            let name = heartbeat.product.as_deref().unwrap_or(OWN_PRODUCT);
            let outcome = match self.received_product(name)? {
                None => Outcome::UnknownProduct,
                Some((product, hashed_as)) => {
                    let install = self.key.install(&hashed_as, &heartbeat.id);
                    let is_retired = self.retired.holds(product, &heartbeat.facts.version);
                    let mut newcomer = || self.floods.add(*origin, day(*received));
                    let (outcome, marks) = store(
                        rows,
                        product,
                        &install,
                        heartbeat,
                        *received,
                        is_retired,
                        &mut newcomer,
                    )?;
                    for name in marks.names() {
                        count(self.counts, *received, name);
                    }
                    outcome
                }
            };
            count(self.counts, *received, outcome.counted());
            if outcome == Outcome::Stored {
                count_unknown(self.counts, *received, &heartbeat.unknown);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// The number of a product that is received, and the name that its ids are hashed with.
    fn received_product(&mut self, name: &str) -> Result<Option<(i64, String)>, StoreError> {
        let products = &mut *self.products;
        if products.get(name).is_none() && self.any_product && products.hidden() < HIDDEN {
            products.insert(self.engine, name, Standing::Hidden)?;
        }
        let known = products.get(name).filter(|known| known.standing != Standing::Removed);
        Ok(known.map(|known| (known.product, known.hashed_as.clone())))
    }
}

/// Adds how much of a heartbeat that is stored this program does not know.
fn count_unknown(counts: &mut Counts, received: u64, unknown: &Unknown) {
    let of = [
        ("projected", u32::from(unknown.is_later)),
        ("projected.members", unknown.members),
        ("unknown.values", unknown.values),
        ("unknown.codes", unknown.codes),
    ];
    for (name, n) in of.into_iter().filter(|(_, n)| *n > 0) {
        *counts.entry((day(received), name)).or_default() += u64::from(n);
    }
}

/// What is counted of a heartbeat beside its outcome.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// Its clock was wrong.
    clock_wrong: bool,
    /// Where its install comes from, if it is new.
    newcomer: Newcomer,
    /// A sum of its day is larger than any that is kept.
    capped: bool,
}

impl Marks {
    /// The names under which they are counted.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let newcomer = match self.newcomer {
            Newcomer::Usual => None,
            Newcomer::Flood => Some("flood"),
            Newcomer::Proxied => Some(PROXIED),
        };
        [(self.clock_wrong, "clock_wrong"), (self.capped, "capped")]
            .into_iter()
            .filter_map(|(is_so, name)| is_so.then_some(name))
            .chain(newcomer)
    }
}

/// What becomes of one heartbeat, and what is counted beside it.
fn store(
    rows: &mut impl Rows,
    product: i64,
    install: &[u8; 32],
    heartbeat: &Heartbeat,
    received: u64,
    is_retired: bool,
    newcomer: &mut dyn FnMut() -> Newcomer,
) -> Result<(Outcome, Marks), StoreError> {
    // The database reads; this row of it does not. The others of the batch are stored.
    let Ok(before) = rows.install(install)?.transpose() else {
        return Ok((Outcome::Damaged, Marks::default()));
    };
    if before.is_none() && rows.erased_until(install)?.is_some_and(|until| until >= day(received)) {
        return Ok((Outcome::Erased, Marks::default()));
    }
    if is_retired {
        return Ok((Outcome::Retired, Marks::default()));
    }
    let recent = before.as_ref().map_or(&[][..], |kept| &kept.recent);
    let mut marks = Marks::default();
    let (day, clock_wrong) = match kept::judge(recent, heartbeat, received) {
        Verdict::Duplicate => return Ok((Outcome::Duplicate, Marks::default())),
        Verdict::TooMany => return Ok((Outcome::TooMany, Marks::default())),
        Verdict::New(day, clock_wrong) => (day, clock_wrong),
    };
    let Ok(day_before) = rows.day(install, day)?.transpose() else {
        return Ok((Outcome::Damaged, Marks::default()));
    };
    let is_latest = before.as_ref().is_none_or(|kept| kept.is_latest(heartbeat, day, received));
    let kept = match before {
        None => {
            let mut kept = Kept::new(heartbeat, day, clock_wrong, received);
            marks.newcomer = newcomer();
            kept.flood = marks.newcomer == Newcomer::Flood;
            kept
        }
        Some(mut kept) => {
            kept.add(heartbeat, day, clock_wrong, received);
            kept
        }
    };
    rows.write(product, install, &kept)?;
    let row = DayRow::with(heartbeat, day_before.as_ref(), is_latest);
    rows.write_day(install, day, &row)?;
    marks.clock_wrong = clock_wrong;
    marks.capped = row.is_capped(heartbeat, day_before.as_ref());
    Ok((Outcome::Stored, marks))
}

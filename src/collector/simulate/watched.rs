//! A collector that is looked at while it receives a fleet: what its pages show, to be compared with the truth.
//!
//! One rule: it looks on days on which cells become final, and at the end; every report, product and audience, with
//! and without a first day, in the order of `scripts/truth.py`.

use super::{Answer, Collect, DAY, Delivery, HOUR, Options, PRODUCTS, Receiving, SimulationError};
use crate::collector::definitions::{Audience, Day, Now};
use crate::collector::report::{self, Form};
use crate::collector::snapshot::Snapshot;
use crate::collector::store::StoreError;
use crate::collector::view::{Selection, Topic, View};

/// A collector, and what it has shown.
pub struct Watched {
    collector: Receiving,
    moments: Vec<u64>,
    since: Day,
    pages: Vec<String>,
}

impl Watched {
    /// A collector that is looked at while it receives the fleet of `options`.
    pub fn new(collector: Receiving, options: &Options) -> Self {
        // Monday to Thursday of a week, in the middle of the day: on these days its cells become final, by kind.
        let monday = options.begin() + options.days * 7 / 12 / 7 * 7 * DAY + 5 * DAY;
        let mut moments: Vec<u64> = (0..4).map(|day| monday + day * DAY + 13 * HOUR).collect();
        moments.push(options.end());
        let since = Day((options.begin() / DAY) as u32 + 15);
        Self { collector, moments, since, pages: Vec::new() }
    }

    /// When it is looked at, in seconds since 1970.
    pub fn moments(&self) -> &[u64] {
        &self.moments
    }

    /// The first day of the pages that have one.
    pub fn since(&self) -> Day {
        self.since
    }

    /// What the pages have shown, each as JSON.
    pub fn pages(&self) -> &[String] {
        &self.pages
    }

    fn look(&mut self, at: u64) -> Result<(), SimulationError> {
        let failed = |error: StoreError| SimulationError::Collector(error.to_string());
        let reader = self.collector.receiver().reader().map_err(failed)?;
        let snapshot = Snapshot::read_with_days(&reader, Now(at)).map_err(failed)?;
        for product in [None].into_iter().chain(PRODUCTS.map(Some)) {
            for audience in Audience::ALL {
                for since in [None, Some(self.since)] {
                    let product = product.map(str::to_owned);
                    let chosen = Selection { audience, product, since, ..Selection::default() };
                    let view = View::of(&snapshot, chosen);
                    let all = Topic::ALL.map(|topic| report::write(&view, topic, Form::Json));
                    self.pages.extend(all);
                }
            }
        }
        Ok(())
    }
}

impl Collect for Watched {
    fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError> {
        self.collector.receive(batch)
    }

    fn passed(&mut self, at: u64) -> Result<(), SimulationError> {
        if self.moments.contains(&at) { self.look(at) } else { Ok(()) }
    }
}

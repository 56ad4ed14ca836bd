//! Floods: more new installs from one network on one UTC day than people make.
//!
//! One rule: pure and bounded. A flood is accepted and marked, so that the default numbers leave it out and every
//! page says how many they are; nothing here says whose they were.

use super::limits::{PLACES, Table};
pub use super::origin::Origin;
use std::fmt;

/// New installs of one network and UTC day of receipt that are not marked.
pub const UNMARKED: u32 = 50;

/// The name under which newcomers that were [`Newcomer::Proxied`] are counted.
pub const PROXIED: &str = "proxied";

/// What a new install is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Newcomer {
    /// One of the first [`UNMARKED`] of its network, or of no known network.
    #[default]
    Usual,
    /// One more: marked.
    Flood,
    /// It would be marked, but all of the day came from one address that says it is a proxy, and no proxy is
    /// trusted: they may be anybody, so none is marked.
    Proxied,
}

/// How many new installs each network had on one day.
#[derive(Clone, Copy, Default)]
struct Counted {
    day: u32,
    installs: u32,
}

/// Where the new installs of a day came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// None had an origin.
    Nowhere,
    /// All from this one, with forwarding headers that were not believed.
    Proxy(Origin),
    /// From several, or from one without forwarding headers.
    Networks,
}

/// Counts new installs.
pub struct Floods {
    counted: Table<Counted>,
    day: u32,
    source: Source,
    wants_a_proxy: bool,
    /// What was added and is not settled yet.
    open: Vec<(Origin, u32)>,
}

impl fmt::Debug for Floods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Floods").finish_non_exhaustive()
    }
}

impl Default for Floods {
    fn default() -> Self {
        Self {
            counted: Table::new(PLACES),
            day: 0,
            source: Source::Nowhere,
            wants_a_proxy: false,
            open: Vec::new(),
        }
    }
}

impl Floods {
    /// Counts a new install that was received on `day`. One whose origin is not known is never marked.
    pub fn add(&mut self, origin: Option<Origin>, day: u32) -> Newcomer {
        let Some(origin) = origin else { return Newcomer::Usual };
        if day != self.day {
            (self.day, self.source) = (day, Source::Nowhere);
        }
        self.source = match self.source {
            Source::Nowhere if origin.is_unproven() => Source::Proxy(origin),
            Source::Proxy(only) if only == origin => self.source,
            _ => Source::Networks,
        };
        let Some(counted) = self.of(origin, day) else { return Newcomer::Usual };
        counted.installs = counted.installs.saturating_add(1);
        let is_many = counted.installs > UNMARKED;
        self.open.push((origin, day));
        match self.source {
            _ if !is_many => Newcomer::Usual,
            Source::Proxy(_) => {
                self.wants_a_proxy = true;
                Newcomer::Proxied
            }
            _ => Newcomer::Flood,
        }
    }

    /// What was added is stored.
    pub fn settle(&mut self) {
        self.open.clear();
    }

    /// Takes back what was added and is not stored: its senders try again.
    pub fn take_back(&mut self) {
        for (origin, day) in std::mem::take(&mut self.open) {
            if let Some(counted) = self.of(origin, day) {
                counted.installs = counted.installs.saturating_sub(1);
            }
        }
    }

    /// Whether a newcomer was [`Newcomer::Proxied`] since the start.
    pub fn wants_a_proxy(&self) -> bool {
        self.wants_a_proxy
    }

    /// The count of a network on a day. A place of an earlier day is free, and else the smallest count gives way.
    fn of(&mut self, origin: Origin, day: u32) -> Option<&mut Counted> {
        let weight = |counted: &Counted| {
            if counted.day == day { u64::from(counted.installs) } else { 0 }
        };
        let counted = self.counted.of(origin, weight)?;
        if counted.day != day {
            *counted = Counted { day, installs: 0 };
        }
        Some(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn origin(number: u64) -> Option<Origin> {
        Some(Origin::for_tests(number))
    }

    /// What the next `n` newcomers of an origin are, each kind counted: usual, flood, proxied.
    fn add(floods: &mut Floods, origin: Option<Origin>, n: u32, day: u32) -> [u32; 3] {
        let mut all = [0; 3];
        for _ in 0..n {
            all[floods.add(origin, day) as usize] += 1;
        }
        all
    }

    #[test]
    fn the_51st_new_install_of_a_network_and_day_is_marked() {
        let mut floods = Floods::default();
        assert_eq!(add(&mut floods, origin(1), 60, 20_000), [50, 10, 0]);
        assert_eq!(add(&mut floods, origin(2), 50, 20_000), [50, 0, 0]);
        assert_eq!(add(&mut floods, origin(1), 60, 20_001), [50, 10, 0], "another day");
        assert_eq!(add(&mut floods, None, 1000, 20_001), [1000, 0, 0], "of no known network");
    }

    #[test]
    fn what_was_not_stored_is_not_counted() {
        let mut floods = Floods::default();
        assert_eq!(add(&mut floods, origin(1), 50, 20_000), [50, 0, 0]);
        floods.settle();
        assert_eq!(add(&mut floods, origin(1), 20, 20_000), [0, 20, 0]);
        assert_eq!(add(&mut floods, origin(2), 20, 20_000), [20, 0, 0]);
        floods.take_back();
        floods.take_back();
        assert_eq!(add(&mut floods, origin(2), 51, 20_000), [50, 1, 0]);
        floods.take_back();
        assert_eq!(add(&mut floods, origin(1), 1, 20_000), [0, 1, 0], "50 are stored");
    }

    #[test]
    fn behind_a_proxy_that_is_not_trusted_nothing_is_marked() {
        let proxy = Some(Origin::unproven_for_tests(1));
        let mut floods = Floods::default();
        assert_eq!(add(&mut floods, proxy, 50, 20_000), [50, 0, 0]);
        assert!(!floods.wants_a_proxy());
        assert_eq!(add(&mut floods, proxy, 10, 20_000), [0, 0, 10]);
        assert!(floods.wants_a_proxy());
        // A second address: the first is not the one proxy that everybody comes through.
        assert_eq!(add(&mut floods, origin(2), 1, 20_000), [1, 0, 0]);
        assert_eq!(add(&mut floods, proxy, 5, 20_000), [0, 5, 0]);
        // Each day is judged by itself.
        assert_eq!(add(&mut floods, proxy, 60, 20_001), [50, 0, 10]);
    }

    proptest! {
        /// Against a table that knows everybody: it never marks more.
        #[test]
        fn a_table_without_a_place_left_marks_less_and_never_more(
            steps in proptest::collection::vec((0_u64..30, 1_u32..40, 0_u32..2), 1..200),
        ) {
            let mut floods = Floods { counted: Table::new(8), ..Floods::default() };
            let mut all: HashMap<(u64, u32), u32> = HashMap::new();
            let mut day = 20_000;
            for (from, n, later) in steps {
                day += later;
                for _ in 0..n {
                    let known = all.entry((from, day)).or_default();
                    *known += 1;
                    let marked = floods.add(origin(from), day) == Newcomer::Flood;
                    prop_assert!(!marked || *known > UNMARKED);
                }
            }
        }
    }
}

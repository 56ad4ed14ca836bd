//! The same numbers a second way: plain loops over rows as the database holds them.
//!
//! One rule: nothing of `definitions` and of the store's readers is used here. Two computations that share a mistake
//! prove nothing; what expires, and what `collector verify` compares, is computed by both.

mod clients;
mod cohorts;
mod day;
mod environments;
mod health;
mod paper;
mod raw;
mod versions;

pub use cohorts::frozen;
pub use day::day;
pub use health::{Counted, health};
pub use paper::{Paper, Words, monday};
pub use raw::{RawFrozen, RawInstall};

use std::collections::BTreeMap;

/// Counts by name. Behind a `|` stands what a heartbeat said.
pub type Numbers = BTreeMap<String, u64>;

const GATEWAY: [&str; 6] = [
    "first_heartbeat",
    "server_configured",
    "server_connected",
    "client_seen",
    "tools_searched",
    "first_real_tool_call",
];
const WRAPPED: [&str; 4] = [
    "first_heartbeat",
    "first_real_tool_call",
    "active_on_a_second_day",
    "active_in_a_second_week",
];

fn add(numbers: &mut Numbers, name: impl Into<String>, n: u64) {
    if n > 0 {
        *numbers.entry(name.into()).or_insert(0) += n;
    }
}

/// What is asked of the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// `people`, `machines` or `all`.
    pub show: &'q str,
    /// The Monday from which on cohorts count.
    pub since: Option<i64>,
    /// The funnel of the gateway, or of wrapped servers.
    pub is_gateway: bool,
    /// A word that the first heartbeat said, with the name that addresses use for it.
    pub filter: Option<(&'q str, &'q str)>,
    /// Seconds since 1970.
    pub now: i64,
}

impl Question<'_> {
    fn shows(&self, who: &str, is_release: bool, is_flood: bool) -> bool {
        match self.show {
            "all" => true,
            "people" => who == "person" && is_release && !is_flood,
            _ => who != "person" && is_release && !is_flood,
        }
    }

    fn asks(&self, paper: &Paper) -> bool {
        self.filter.is_none_or(|(name, word)| paper.first_said(name) == word)
    }

    fn yesterday(&self) -> i64 {
        self.now.div_euclid(86_400) - 1
    }

    fn is_recent(&self, monday: i64) -> bool {
        self.since.is_none_or(|since| monday >= since)
    }

    fn steps(&self) -> &'static [&'static str] {
        if self.is_gateway { &GATEWAY } else { &WRAPPED }
    }
}

/// A product: its installs, its first day here, and what is left of its expired installs.
#[derive(Clone, Copy, Debug)]
pub struct Product<'p> {
    /// Its name.
    pub name: &'p str,
    /// Its installs.
    pub papers: &'p [Paper],
    /// Its first day.
    pub first_day: i64,
    /// Its expired installs.
    pub frozen: &'p [RawFrozen],
}

/// All numbers of a view of these products.
pub fn numbers(products: &[Product<'_>], question: Question<'_>) -> Numbers {
    let mut all = Numbers::new();
    cohorts::count(&mut all, products, question);
    let mut clients = clients::Seen::default();
    let mut mix = environments::Mix::default();
    for product in products {
        let shown = product.papers.iter().filter(|paper| question.asks(paper));
        let shown = shown.filter(|one| question.shows(one.who, one.is_release, one.is_flood));
        let shown: Vec<&Paper> = shown.collect();
        for paper in &shown {
            environments::count(&mut all, &mut mix, paper, product.first_day, question);
            clients.ask(paper, question);
        }
        versions::count(&mut all, product.name, &shown, question);
    }
    clients.tell(&mut all);
    mix.tell(&mut all);
    all
}

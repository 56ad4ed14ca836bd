//! The numbers that are published of one product: one-way tables, made of the same definitions as the pages.
//!
//! One rule: every number is a multiple of [`K`], a sum as well, each rounded down on its own. So any two of them, of
//! one day or of two, differ by 0 or by at least K, whatever a reader subtracts.

use crate::collector::definitions::retention::SETTLED_AFTER_HOURS;
use crate::collector::definitions::{
    self, Audience, Frozen, IsoWeek, Measure, Record, Step, Who, version,
};
use crate::collector::report::words;
use crate::collector::snapshot::Snapshot;
use crate::collector::view;
use crate::contract::Os;
use miniserde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Counts below it are left out, and others are multiples of it.
pub const K: u64 = definitions::client::K;
/// Weeks that are shown, and weeks of newcomers. No install that was active in one of them has expired: it is kept for
/// three months at least.
const WEEKS: u32 = 10;
/// Names of a table.
const MOST: usize = 12;

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    name: String,
    /// A multiple of [`K`]; 0 is fewer than K.
    count: u64,
}

/// What is published of a product. Every week is over, and no heartbeat can change it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// The product.
    pub product: String,
    /// The last full week, counted as [`IsoWeek`].
    pub week: u32,
    /// People who were active in it.
    pub people: Row,
    /// People who were active in each of the last full weeks, the oldest first.
    pub weeks: Vec<Row>,
    /// People and machines that were active in the last full week.
    pub installs: Row,
    /// The same by what they are.
    pub kinds: Vec<Row>,
    /// People of the last full week by operating system.
    pub systems: Vec<Row>,
    /// The same by version, at the end of the week.
    pub versions: Vec<Row>,
    /// The same by client that they have seen.
    pub clients: Vec<Row>,
    /// The first and the last week of the newcomers, counted as [`IsoWeek`].
    pub newcomers_of: (u32, u32),
    /// People whose first week is one of these.
    pub newcomers: Row,
    /// The same by when they came back.
    pub came_back: Vec<Row>,
    /// The same by the steps that they reached within seven days.
    pub reached: Vec<Row>,
}

impl Row {
    fn of(name: impl Into<String>, exact: u64) -> Self {
        Self { name: name.into(), count: exact - exact % K }
    }

    /// What is counted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many; `None`: fewer than [`K`].
    pub fn count(&self) -> Option<u64> {
        (self.count > 0).then_some(self.count)
    }
}

impl Numbers {
    /// The numbers of `product` at the moment of the snapshot.
    pub fn of(snapshot: &Snapshot, product: &str) -> Self {
        let now = snapshot.made_at;
        let people = || {
            let all = snapshot.records(Some(product));
            all.filter(|one| one.install.is_shown_to(Audience::People))
        };
        let week = last(now.today().week(), |week| now.is_past(week.sunday(), SETTLED_AFTER_HOURS));
        let active = move |one: &Record<'_>| one.install.was_active(week.monday(), week.sunday());

        let mut kinds = [0_u64; Who::ALL.len()];
        for one in snapshot.records(Some(product)).filter(active) {
            let is_counted = one.install.is_release && !one.install.is_flood;
            kinds[one.install.who as usize] += u64::from(is_counted);
        }
        let mut systems = vec![0_u64; Os::ALL.len()];
        people().filter(active).for_each(|one| systems[one.first.os as usize] += 1);
        let counted = |kind: Who| kinds[kind as usize];

        let mix = definitions::mix(people(), now);
        let weeks = (week.0.saturating_sub(WEEKS - 1)..=week.0).map(IsoWeek).map(|week| {
            let installs = mix.iter().find(|mix| mix.week == week).map_or(0, |mix| mix.installs);
            Row::of(week.to_string(), installs)
        });
        let versions = version::weeks(people(), now).into_iter().filter(|one| one.week == week);
        let versions = versions.map(|one| Row::of(one.version, one.share.count));
        let mut versions = named(versions.collect());
        versions.sort_by(|one, other| version::order(&other.name, &one.name));
        let clients = definitions::clients(people().filter(active), now, K).names;
        let clients = clients.into_iter().map(|(name, share)| Row::of(name, share.count));

        let to = last(week, |week| Measure::Week4.is_settled(week, now));
        let from = IsoWeek(to.0.saturating_sub(WEEKS - 1));
        let is_new = move |week: IsoWeek| (from..=to).contains(&week);
        let new = || people().map(|one| one.install).filter(|one| is_new(one.day0.week()));
        let is_shown =
            move |one: &&Frozen| one.group.is_shown_to(Audience::People) && is_new(one.week);
        let expired = || snapshot.frozen(Some(product)).filter(is_shown);
        let retention = definitions::retention(new(), now).with_frozen(expired(), now);
        let steps = if product == view::GATEWAY { Step::GATEWAY } else { Step::WRAPPED };
        let mut activation = definitions::activation(new(), steps, now);
        expired().for_each(|one| activation.add_frozen(one));
        let came_back = retention.measures.into_iter().zip(retention.pooled);
        let reached =
            activation.steps.iter().filter_map(|row| Some((row.step, row.within_7_days?)));

        Self {
            product: product.to_owned(),
            week: week.0,
            people: Row::of("People", counted(Who::Person)),
            weeks: weeks.skip_while(|row| row.count == 0).collect(),
            installs: Row::of("All of them", kinds.iter().sum()),
            kinds: some(Who::ALL.into_iter().map(|who| Row::of(kind(who), counted(who)))),
            systems: some(Os::ALL.iter().map(|os| Row::of(system(*os), systems[*os as usize]))),
            versions,
            clients: named(clients.collect()),
            newcomers_of: (from.0, to.0),
            newcomers: Row::of("All of them", retention.pooled.first().map_or(0, |one| one.of)),
            came_back: came_back
                .map(|(measure, share)| Row::of(when(measure), share.count))
                .collect(),
            reached: reached
                .filter(|(step, _)| *step != Step::FirstHeartbeat)
                .map(|(step, share)| Row::of(words::step(step), share.count))
                .collect(),
        }
    }

    /// Every line, to be looked at.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let one = [&self.people, &self.installs, &self.newcomers].into_iter();
        let tables = [&self.weeks, &self.kinds, &self.systems, &self.versions, &self.clients];
        one.chain(tables.into_iter().chain([&self.came_back, &self.reached]).flatten())
    }
}

/// The last week before `from`, itself included, that is over.
fn last(from: IsoWeek, is_over: impl Fn(IsoWeek) -> bool) -> IsoWeek {
    let mut weeks = (0..=from.0).rev().map(IsoWeek);
    weeks.find(|week| is_over(*week)).unwrap_or(IsoWeek(0))
}

/// Those that are many enough to be shown.
fn some(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    rows.filter(|row| row.count > 0).collect()
}

/// The names that most have, in an order that tells nothing of their exact counts.
fn named(rows: Vec<Row>) -> Vec<Row> {
    let mut rows = some(rows.into_iter());
    rows.sort_by(|one, other| {
        (Reverse(one.count), &one.name).cmp(&(Reverse(other.count), &other.name))
    });
    rows.truncate(MOST);
    rows
}

fn kind(who: Who) -> &'static str {
    match who {
        Who::Person => "People",
        Who::Agent => "Agents' environments",
        Who::Ci => "CI jobs",
        Who::Container => "Containers",
        Who::Headless => "Headless machines",
        Who::Unknown => "Unknown",
    }
}

fn system(os: Os) -> &'static str {
    match os {
        Os::Linux => "Linux",
        Os::Darwin => "macOS",
        Os::Windows => "Windows",
        Os::Other => "Other",
    }
}

fn when(measure: Measure) -> &'static str {
    match measure {
        Measure::Day1 => "On the next day",
        Measure::Week1 => "A week later (days 7 to 13)",
        Measure::Week4 => "Four weeks later (days 28 to 34)",
        other => words::measure(other),
    }
}

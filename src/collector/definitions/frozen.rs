//! What stays of installs that expired: how many they were, by week and by what views choose by.
//!
//! One rule: sums over installs that no view can change any more, so what a page adds up of them and of the
//! installs that are left is what it added up before. Nothing in a cell is about one install more than a page is.

use super::activation::{Activation, Step, activation};
use super::activity::{Activity, activity};
use super::day::{IsoWeek, Now};
use super::delay::{Delay, delays};
use super::install::Install;
use super::retention::{Measure, retention, rolling};
use super::survival::survival;
use super::who::{Audience, Who};
use std::collections::BTreeMap;

/// All installs of the week and group, those that were carried over among them.
const INSTALLS: &str = "installs";
/// Those that are in no cohort and no funnel.
const CARRIED_OVER: &str = "carried_over";
/// Those with a late first heartbeat.
const LATE_STARTS: &str = "late_starts";
/// Those of the cohort: n of every share.
const COHORT: &str = "cohort";
/// Those of the cohort of which rolling retention, lapses and delays are known: cells of earlier versions lack them.
const MEASURED: &str = "measured";
/// Before the day of a lapse.
const LAPSED: &str = "lapsed.";

/// What a view chooses installs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// Who they were at their first heartbeat.
    pub who: Who,
    /// Whether the version of the first heartbeat was a release.
    pub is_release: bool,
    /// Whether they came in a flood.
    pub is_flood: bool,
}

/// The expired installs of one group whose day 0 lies in one week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The ISO week of their day 0.
    pub week: IsoWeek,
    /// What views choose them by.
    pub group: Group,
    /// Counts by name.
    pub cells: BTreeMap<String, u64>,
}

impl Group {
    /// The group of an install.
    pub fn of(install: &Install) -> Self {
        Self { who: install.who, is_release: install.is_release, is_flood: install.is_flood }
    }

    /// Whether a view for `audience` counts them. Only one of all installs counts floods.
    pub fn is_shown_to(self, audience: Audience) -> bool {
        audience.counts(self.who, self.is_release) && (!self.is_flood || audience == Audience::All)
    }

    /// Its name in the database: `person.release`.
    pub fn name(self) -> String {
        let version = if self.is_release { "release" } else { "development" };
        let flood = if self.is_flood { ".flood" } else { "" };
        format!("{}.{version}{flood}", self.who.name())
    }

    /// The group of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let (rest, is_flood) =
            name.strip_suffix(".flood").map_or((name, false), |rest| (rest, true));
        let (who, version) = rest.split_once('.')?;
        let who = Who::ALL.into_iter().find(|one| one.name() == who)?;
        match version {
            "release" => Some(Self { who, is_release: true, is_flood }),
            "development" => Some(Self { who, is_release: false, is_flood }),
            _ => None,
        }
    }
}

impl Frozen {
    /// All installs that it holds.
    pub fn installs(&self) -> u64 {
        self.cell(INSTALLS)
    }

    /// Those in a cohort, and of them those retained by each measure.
    pub fn retained<const N: usize>(&self, measures: [Measure; N]) -> (u64, [u64; N]) {
        let is_rolling = measures.iter().any(|measure| Measure::ROLLING.contains(measure));
        let of = self.cell(if is_rolling { MEASURED } else { COHORT });
        (of, measures.map(|measure| self.cell(measure.name())))
    }

    /// Those in a cohort whose lapses and delays are known.
    pub fn measured(&self) -> u64 {
        self.cell(MEASURED)
    }

    /// Those that lapsed, by the day after day 0.
    pub fn lapses(&self) -> impl Iterator<Item = (u32, u64)> {
        self.cells.iter().filter_map(|(name, n)| {
            let day = name.strip_prefix(LAPSED)?;
            Some((day.parse().ok()?, *n))
        })
    }

    /// Those that took so long to a step.
    pub fn delayed(&self, delay: Delay, step: Step) -> u64 {
        self.cell(&delay_cell(delay, step))
    }

    fn cell(&self, name: &str) -> u64 {
        self.cells.get(name).copied().unwrap_or(0)
    }

    fn step(&self, form: &str, step: Step) -> u64 {
        self.cell(&cell(form, step))
    }
}

fn cell(form: &str, step: Step) -> String {
    format!("{form}.{}", step.name())
}

fn delay_cell(delay: Delay, step: Step) -> String {
    format!("delay.{}.{}", delay.name(), step.name())
}

/// The name of a funnel in a cell: its steps with all before.
fn funnel(steps: &[Step]) -> &'static str {
    if steps.contains(&Step::SecondWeek) { "wrapped" } else { "gateway" }
}

/// What stays of `installs`, which are so old that `now` is past every day that a number asks for.
pub fn freeze(installs: &[Install], now: Now) -> Vec<Frozen> {
    let mut groups: BTreeMap<(IsoWeek, Group), Vec<Install>> = BTreeMap::new();
    for install in installs {
        groups.entry((install.day0.week(), Group::of(install))).or_default().push(*install);
    }
    let frozen = groups.into_iter().map(|((week, group), installs)| Frozen {
        week,
        group,
        cells: cells(&installs, now),
    });
    frozen.collect()
}

fn cells(installs: &[Install], now: Now) -> BTreeMap<String, u64> {
    let all = || installs.iter().copied();
    let counts = activity(all(), now);
    let mut cells = BTreeMap::from([
        (INSTALLS.to_owned(), counts.installs),
        (CARRIED_OVER.to_owned(), counts.carried_over),
        (LATE_STARTS.to_owned(), counts.late_starts),
    ]);
    if let Some(cohort) = retention(all(), now).cohorts.first() {
        cells.insert(COHORT.to_owned(), cohort.installs);
        for (measure, of) in Measure::ALL.into_iter().zip(cohort.cells) {
            cells.insert(measure.name().to_owned(), of.share.count);
        }
    }
    if let Some(cohort) = rolling(all(), now).cohorts.first() {
        cells.insert(MEASURED.to_owned(), cohort.installs);
        for (measure, of) in Measure::ROLLING.into_iter().zip(cohort.cells) {
            cells.insert(measure.name().to_owned(), of.share.count);
        }
    }
    for (day, n) in survival(all(), now).lapses() {
        cells.insert(format!("{LAPSED}{day}"), n);
    }
    for steps in [Step::GATEWAY, Step::WRAPPED] {
        for row in delays(all(), steps) {
            let some = Delay::ALL.into_iter().filter(|delay| *delay != Delay::Never);
            let some = some.map(|delay| (delay_cell(delay, row.step), row.counts[delay as usize]));
            cells.extend(some);
        }
    }
    for steps in [Step::GATEWAY, Step::WRAPPED] {
        for row in activation(all(), steps, now).steps {
            cells.insert(cell("reached", row.step), row.reached.count);
            cells.insert(cell(funnel(steps), row.step), row.with_all_before.count);
            let fair = row.within_7_days.map(|fair| (cell("within_7_days", row.step), fair.count));
            cells.extend(fair);
        }
    }
    cells.retain(|_, count| *count > 0);
    cells
}

impl Activity {
    /// Takes expired installs in. None of them was active lately.
    pub fn add_frozen(&mut self, frozen: &Frozen) {
        self.installs += frozen.installs();
        self.carried_over += frozen.cell(CARRIED_OVER);
        self.late_starts += frozen.cell(LATE_STARTS);
        if frozen.group.is_flood {
            self.floods += frozen.installs();
        }
    }
}

impl Activation {
    /// Takes expired installs in. All of them were old enough for every form.
    pub fn add_frozen(&mut self, frozen: &Frozen) {
        let steps: Vec<Step> = self.steps.iter().map(|row| row.step).collect();
        let of = frozen.cell(COHORT);
        for row in &mut self.steps {
            for (share, form) in [
                (Some(&mut row.reached), "reached"),
                (Some(&mut row.with_all_before), funnel(&steps)),
                (row.within_7_days.as_mut(), "within_7_days"),
            ] {
                let Some(share) = share else { continue };
                share.of += of;
                share.count += frozen.step(form, row.step);
            }
        }
    }
}

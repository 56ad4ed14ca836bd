//! One install on paper: what its row says, read a second time.
//!
//! One rule: the columns as they stand there, and questions that one answers by looking at every day.

use super::day::day;
use super::raw::RawInstall;
use std::collections::BTreeSet;
use std::rc::Rc;

/// The names of the funnel's steps behind the first heartbeat.
const STEPS: [&str; 5] = [
    "server_configured",
    "server_connected",
    "client_seen",
    "tools_searched",
    "first_real_tool_call",
];

/// One install, on paper.
#[derive(Clone, Debug)]
pub struct Paper {
    pub(super) day0: i64,
    pub(super) last_day: i64,
    days: [u8; 48],
    steps: [Option<i64>; 5],
    pub(super) who: &'static str,
    pub(super) is_release: bool,
    pub(super) is_flood: bool,
    says_carried_over: bool,
    days_since_install: Option<i64>,
    install_day: Option<i64>,
    pub(super) first: Rc<str>,
    pub(super) now: Rc<str>,
    /// Its versions with the day of the first report of each, earliest first.
    pub(super) versions: Box<[(Rc<str>, i64)]>,
    pub(super) clients: Rc<str>,
    /// Cells of its last complete days, each once; none if they were not read.
    pub(super) said: Box<[Rc<str>]>,
}

/// Words that many installs said, each kept once.
#[derive(Debug, Default)]
pub struct Words(BTreeSet<Rc<str>>);

impl Words {
    fn keep(&mut self, word: &str) -> Rc<str> {
        if let Some(known) = self.0.get(word) {
            return known.clone();
        }
        let new: Rc<str> = word.into();
        self.0.insert(new.clone());
        new
    }
}

/// The places of the words of facts.
const FACTS: [&str; 9] = [
    "kind",
    "markers",
    "agent_env",
    "launch_source",
    "os",
    "arch",
    "edition",
    "routing",
    "version",
];

/// One word of facts.
pub(super) fn fact<'f>(facts: &'f str, name: &str) -> &'f str {
    let at = FACTS.iter().position(|known| *known == name);
    at.and_then(|at| facts.split(',').nth(at)).unwrap_or_default()
}

/// The Monday of the week that holds a day: day 0 of 1970 was a Thursday.
pub fn monday(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

impl Paper {
    /// What a row says; `None` if it does not read.
    pub fn of(row: &RawInstall, words: &mut Words) -> Option<Self> {
        let [kind, agent, version] =
            ["kind", "agent_env", "version"].map(|name| fact(&row.first_facts, name));
        let who = match (agent, kind) {
            ("-" | "none", "interactive" | "cloud_ide") => "person",
            ("-" | "none", "ci") => "ci",
            ("-" | "none", "container") => "container",
            ("-" | "none", "headless") => "headless",
            ("-" | "none", "unknown") => "unknown",
            ("-" | "none", _) => return None,
            _ => "agent",
        };
        if version.is_empty() {
            return None;
        }
        let mut versions = Vec::new();
        for one in row.versions.split(',').filter(|one| !one.is_empty()) {
            let (name, day) = one.split_once('=')?;
            versions.push((words.keep(name), day.parse().ok()?));
        }
        Some(Self {
            first: words.keep(&row.first_facts),
            now: words.keep(&row.now_facts),
            versions: versions.into(),
            clients: words.keep(&row.clients),
            said: Box::default(),
            day0: row.day0,
            last_day: row.last_day,
            days: row.days.as_slice().try_into().ok()?,
            steps: row.steps,
            who,
            is_release: is_release(version),
            is_flood: row.flood,
            says_carried_over: row.carried_over,
            days_since_install: row.days_since_install,
            install_day: row.install_day,
        })
    }

    /// Keeps what the row of one of its last complete days says of versions: call it for each of them.
    pub fn keep_day(&mut self, packed: &[u8], words: &mut Words) {
        let mut said: BTreeSet<Rc<str>> = self.said.iter().cloned().collect();
        for (cell, _) in day(packed).unwrap_or_default() {
            if ["version.", "crashed.", "met.", "standing."].iter().any(|of| cell.starts_with(of)) {
                said.insert(words.keep(&cell));
            }
        }
        self.said = said.into_iter().collect();
    }

    /// What its first heartbeat said, by the name that addresses use.
    pub fn first_said(&self, name: &str) -> &str {
        match (name, fact(&self.first, name)) {
            // An install of schema 3 says nothing of it.
            ("agent_env", "-") => "none",
            (_, said) => said,
        }
    }

    /// Its day 0.
    pub fn day0(&self) -> i64 {
        self.day0
    }

    /// Whether it was heard of on a UTC day.
    pub fn was_seen_on(&self, day: i64) -> bool {
        let n = day - self.day0;
        match usize::try_from(n) {
            Err(_) => false,
            Ok(n) if n < 384 => self.days[n / 8] & (1 << (n % 8)) != 0,
            Ok(_) => day == self.last_day,
        }
    }

    /// Whether it was heard of on one of the last days before today.
    pub(super) fn was_active(&self, days: i64, yesterday: i64) -> bool {
        (yesterday - days + 1..=yesterday).any(|day| self.was_seen_on(day))
    }

    /// The Mondays of the weeks of the last year in which it was heard of on a complete day.
    pub(super) fn weeks(&self, yesterday: i64) -> BTreeSet<i64> {
        let days = self.seen().map(|n| self.day0 + n).filter(|day| *day <= yesterday);
        let first = monday(yesterday) - 51 * 7;
        days.map(monday).filter(|monday| *monday >= first).collect()
    }

    pub(super) fn was_seen(&self, first: i64, last: i64) -> bool {
        (first..=last).any(|n| self.was_seen_on(self.day0 + n))
    }

    pub(super) fn is_carried_over(&self, first_day: i64) -> bool {
        self.says_carried_over || self.install_day.is_some_and(|day| day < first_day)
    }

    pub(super) fn is_late(&self, first_day: i64) -> bool {
        !self.is_carried_over(first_day) && self.days_since_install.unwrap_or(0) > 1
    }

    /// `person.release`, as the aggregates of expired rows name it.
    pub fn group(&self) -> String {
        let release = if self.is_release { "release" } else { "development" };
        let flood = if self.is_flood { ".flood" } else { "" };
        format!("{}.{release}{flood}", self.who)
    }

    pub(super) fn reached(&self, step: &str) -> bool {
        self.reached_by(step, i64::MAX)
    }

    /// The days of the life on which it was heard of, counted from day 0.
    pub(super) fn seen(&self) -> impl Iterator<Item = i64> {
        let life = self.last_day - self.day0;
        (0..=life.min(383))
            .chain((life > 383).then_some(life))
            .filter(|n| self.was_seen_on(self.day0 + n))
    }

    /// The first day of which 28 silent ones follow.
    pub(super) fn lapse(&self) -> i64 {
        let seen: Vec<i64> = self.seen().collect();
        let is_silent =
            |day: &&i64| !seen.iter().any(|other| *other > **day && *other <= **day + 28);
        seen.iter().find(is_silent).copied().unwrap_or(0)
    }

    /// Days from day 0 to a step.
    pub(super) fn delay(&self, step: &str) -> Option<i64> {
        match step {
            "first_heartbeat" => Some(0),
            "active_on_a_second_day" => self.seen().nth(1),
            "active_in_a_second_week" => self.seen().find(|day| *day >= 7),
            _ => {
                let at = STEPS.iter().position(|name| *name == step);
                at.and_then(|at| self.steps[at]).map(|day| day - self.day0)
            }
        }
    }

    /// Whether a step was reached on day 0 to `last`.
    pub(super) fn reached_by(&self, step: &str, last: i64) -> bool {
        let age = self.last_day - self.day0;
        match step {
            "first_heartbeat" => true,
            "active_on_a_second_day" => self.was_seen(1, age.min(last)),
            "active_in_a_second_week" => self.was_seen(7, age.min(last)),
            _ => {
                let at = STEPS.iter().position(|name| *name == step);
                let day = at.and_then(|at| self.steps[at]);
                day.is_some_and(|day| day - self.day0 <= last)
            }
        }
    }
}

/// Whether a version has no pre-release part.
pub(super) fn is_release(version: &str) -> bool {
    !version.split('+').next().unwrap_or_default().contains('-')
}

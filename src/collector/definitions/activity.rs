//! Who is there now, who is new, and what a view leaves out.
//!
//! One rule: complete UTC days only; a day that is not over is in no count of active installs.

use super::day::{IsoWeek, Now};
use super::frozen::Group;
use super::install::Install;
use super::retention::{Retention, SETTLED_AFTER_HOURS};
use super::share::Share;
use super::who::{Audience, Who};

/// New installs of one ISO week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInstalls {
    /// The week of their day 0.
    pub week: IsoWeek,
    /// How many.
    pub installs: u64,
    /// The week is over, and heartbeats that belong to it can not come any more.
    pub is_final: bool,
}

/// Installs that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// All that the view counts.
    pub installs: u64,
    /// Seen yesterday.
    pub yesterday: u64,
    /// Seen on one of the last 7 complete days.
    pub last_7_days: u64,
    /// Seen on one of the last 28 complete days.
    pub last_28_days: u64,
    /// In no cohort and no funnel.
    pub carried_over: u64,
    /// In their cohorts, with a first heartbeat two days after the install or later.
    pub late_starts: u64,
    /// That came in floods: only a view of all installs counts them.
    pub floods: u64,
}

/// Installs that a view does not count, by reason; each install has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// People, when the view shows machines.
    pub people: u64,
    /// Agents' environments.
    pub agents: u64,
    /// Jobs of continuous integration.
    pub ci: u64,
    /// Containers.
    pub containers: u64,
    /// Machines without display and terminal.
    pub headless: u64,
    /// Environments of which nothing is known.
    pub unknown: u64,
    /// Versions that are no release, of people and machines.
    pub development: u64,
    /// More new installs from one network than people make on a day, whatever they say that they are.
    pub floods: u64,
}

/// Which installs of `installs` are active. The caller has chosen them.
pub fn activity(installs: impl Iterator<Item = Install>, now: Now) -> Activity {
    let mut all = Activity::default();
    installs.for_each(|install| all.add(&install, now));
    all
}

impl Activity {
    /// Counts an install.
    pub fn add(&mut self, install: &Install, now: Now) {
        let yesterday = now.today().minus(1);
        let active = |days: u32| {
            u64::from(install.was_active(yesterday.minus(days.saturating_sub(1)), yesterday))
        };
        self.installs += 1;
        self.yesterday += active(1);
        self.last_7_days += active(7);
        self.last_28_days += active(28);
        self.carried_over += u64::from(install.is_carried_over);
        self.late_starts += u64::from(install.is_late_start && !install.is_carried_over);
        self.floods += u64::from(install.is_flood);
    }
}

/// The new installs of each week of `retention`.
pub fn new_installs(retention: &Retention, now: Now) -> Vec<NewInstalls> {
    let new = retention.cohorts.iter().map(|cohort| NewInstalls {
        week: cohort.week,
        installs: cohort.installs,
        is_final: now.is_past(cohort.week.sunday(), SETTLED_AFTER_HOURS),
    });
    new.collect()
}

/// People among the installs with release versions, floods apart, that were active in the last 28 complete days.
pub fn share_of_people(installs: impl Iterator<Item = Install>, now: Now) -> Share {
    let mut share = Share::default();
    installs.for_each(|install| add_to_people(&mut share, &install, now));
    share
}

/// Counts an install in [`share_of_people`].
pub fn add_to_people(share: &mut Share, install: &Install, now: Now) {
    let yesterday = now.today().minus(1);
    let is_asked = install.is_release && !install.is_flood;
    if is_asked && install.was_active(yesterday.minus(27), yesterday) {
        share.add(install.who == Who::Person);
    }
}

/// Which of `installs` are active of those that `audience` counts, and what it leaves out.
pub fn counted(
    installs: impl Iterator<Item = Install>,
    audience: Audience,
    now: Now,
) -> (Activity, LeftOut) {
    let (mut counted, mut out) = (Activity::default(), LeftOut::default());
    for install in installs {
        add_to_counted(&mut counted, &mut out, &install, audience, now);
    }
    (counted, out)
}

/// Counts an install in [`counted`]; whether `audience` counts it.
pub fn add_to_counted(
    counted: &mut Activity,
    out: &mut LeftOut,
    install: &Install,
    audience: Audience,
    now: Now,
) -> bool {
    let is_shown = install.is_shown_to(audience);
    match is_shown {
        true => counted.add(install, now),
        false => out.add(Group::of(install), 1),
    }
    is_shown
}

impl LeftOut {
    /// Counts installs of a group that the view leaves out.
    pub fn add(&mut self, group: Group, installs: u64) {
        let reason = match group.who {
            _ if group.is_flood => &mut self.floods,
            _ if !group.is_release => &mut self.development,
            Who::Person => &mut self.people,
            Who::Agent => &mut self.agents,
            Who::Ci => &mut self.ci,
            Who::Container => &mut self.containers,
            Who::Headless => &mut self.headless,
            Who::Unknown => &mut self.unknown,
        };
        *reason += installs;
    }

    /// Each reason: the name that exports use, its count, the words for one and for many.
    pub fn reasons(self) -> [(&'static str, u64, &'static str, &'static str); 8] {
        [
            ("people", self.people, "person", "people"),
            ("agents", self.agents, "agent environment", "agent environments"),
            ("ci", self.ci, "CI job", "CI jobs"),
            ("containers", self.containers, "container", "containers"),
            ("headless", self.headless, "headless machine", "headless machines"),
            ("unknown", self.unknown, "unknown environment", "unknown environments"),
            ("development", self.development, "development version", "development versions"),
            ("floods", self.floods, "install of a flood", "installs of floods"),
        ]
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.reasons().iter().map(|(_, count, ..)| count).sum()
    }
}

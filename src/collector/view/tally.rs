//! The numbers of a view while its installs are read.
//!
//! One rule: an install is looked at once for all of them, and nothing is counted here: each rule is that of the
//! definitions.

use super::{Selection, Topic};
use crate::collector::definitions::activity::{add_to_counted, add_to_people};
use crate::collector::definitions::client::Seen;
use crate::collector::definitions::environment::{Mixes, add_to_once};
use crate::collector::definitions::retention::Cohorts;
use crate::collector::definitions::{
    Activation, Activity, Audience, Day, DelayRow, IsoWeek, LeftOut, Measure, Now, Record, Share,
    Step, Survival, Transparency,
};
use crate::contract::EnvKind;

/// The topics that show cohorts.
pub(super) const COHORTS: [Topic; 2] = [Topic::Overview, Topic::Retention];
/// Those with rolling retention and survival.
pub(super) const CURVES: [Topic; 1] = [Topic::Retention];
/// Those with a funnel.
pub(super) const FUNNEL: [Topic; 2] = [Topic::Overview, Topic::Activation];
/// Those that say how long a step took.
pub(super) const DELAYED: [Topic; 1] = [Topic::Activation];

/// Every number that is of all products together.
pub(super) struct Tally<'r> {
    asks: Asks,
    audience: Audience,
    since: Option<IsoWeek>,
    now: Now,
    pub activity: Activity,
    pub left_out: LeftOut,
    pub people: Share,
    pub cohorts: Cohorts<3>,
    pub rolling: Cohorts<5>,
    pub survival: Survival,
    pub activation: Activation,
    pub delays: Vec<DelayRow>,
    pub mixes: Mixes,
    pub transparency: Transparency,
    pub once: [Share; EnvKind::ALL.len()],
    pub clients: Seen<'r>,
}

/// Which of them a topic shows: what none shows is not counted.
struct Asks {
    people: bool,
    cohorts: bool,
    curves: bool,
    funnel: bool,
    delays: bool,
    environments: bool,
    clients: bool,
}

impl<'r> Tally<'r> {
    /// Of no installs yet.
    pub fn of(topics: &[Topic], selection: &Selection, now: Now, is_gateway: bool) -> Self {
        let asks = |wanted: &[Topic]| wanted.iter().any(|topic| topics.contains(topic));
        let steps = if is_gateway { Step::GATEWAY } else { Step::WRAPPED };
        Self {
            asks: Asks {
                people: asks(&[Topic::Overview]),
                cohorts: asks(&COHORTS),
                curves: asks(&CURVES),
                funnel: asks(&FUNNEL),
                delays: asks(&DELAYED),
                environments: asks(&[Topic::Environments]),
                clients: asks(&[Topic::Clients]),
            },
            audience: selection.audience,
            since: selection.since.map(Day::week),
            now,
            activity: Activity::default(),
            left_out: LeftOut::default(),
            people: Share::default(),
            cohorts: Cohorts::of(Measure::ALL),
            rolling: Cohorts::of(Measure::ROLLING),
            survival: Survival::default(),
            activation: Activation::of(steps),
            delays: steps.iter().copied().map(DelayRow::of).collect(),
            mixes: Mixes::until(now),
            transparency: Transparency::default(),
            once: Default::default(),
            clients: Seen::default(),
        }
    }

    /// Counts an install that the filters hold; whether it is shown.
    pub fn add(&mut self, record: &Record<'r>) -> bool {
        let (install, now) = (&record.install, self.now);
        let Self { asks, activity, left_out, .. } = self;
        // They count all installs, also those that the filter leaves out.
        if asks.people {
            add_to_people(&mut self.people, install, now);
        }
        if !add_to_counted(activity, left_out, install, self.audience, now) {
            return false;
        }
        if asks.environments {
            self.mixes.add(record);
            self.transparency.add(record, now);
        }
        if asks.clients {
            self.clients.add(record, now);
        }
        if self.since.is_none_or(|since| install.day0.week() >= since) {
            if asks.cohorts {
                self.cohorts.add(install);
            }
            if asks.curves {
                self.rolling.add(install);
                self.survival.add(install, now);
            }
            if asks.funnel {
                self.activation.add(install, now);
            }
            if asks.delays {
                self.delays.iter_mut().for_each(|row| row.add(install));
            }
            if asks.environments {
                add_to_once(&mut self.once, record, now);
            }
        }
        true
    }
}

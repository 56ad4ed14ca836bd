//! What every number of the collector means: days, cohorts, retention, activation, who counts as a person.
//!
//! One rule: pure. Installs and the time come in, numbers go out; page, export and `report` show these and
//! compute none of their own. `docs/collector/definitions.md` has each with an example worked by hand.

pub mod activation;
pub mod activity;
pub mod client;
pub mod code;
pub mod crash;
pub mod day;
pub mod delay;
pub mod environment;
pub mod frozen;
pub mod install;
pub mod record;
pub mod retention;
pub mod share;
pub mod survival;
pub mod version;
pub mod who;

#[cfg(test)]
mod tests;

pub use activation::{Activation, Step, StepRow, activation};
pub use activity::{
    Activity, LeftOut, NewInstalls, activity, counted, new_installs, share_of_people,
};
pub use client::{Clients, clients};
pub use code::{Codes, codes};
pub use crash::{Crashes, crashes};
pub use day::{Day, IsoWeek, Now};
pub use delay::{Delay, DelayRow, delays};
pub use environment::{Mix, Transparency, mix, once, transparency};
pub use frozen::{Frozen, Group, freeze};
pub use install::{Install, Life, NEVER, Origin};
pub use record::{FilterError, Filters, Record, SaidCode, SaidVersion, Traits};
pub use retention::{Cell, Cohort, Measure, Retention, State, retention, rolling};
pub use share::{FEW, Share};
pub use survival::{Survival, SurvivalDay, survival};
pub use version::{Versions, versions};
pub use who::{Audience, Who};

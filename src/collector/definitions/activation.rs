//! Activation: how far the installs came in their whole life.
//!
//! One rule: over the lifetime, of all installs; a step is never divided by what happened in a window. The
//! age-fair form asks the same of installs that had seven days to do it.

use super::day::Now;
use super::install::Install;
use super::share::Share;
use crate::collector::row;

/// The age-fair form: days 0 to 6, for installs whose day 6 is over.
pub const FAIR_DAYS: u32 = 7;

/// A step of a funnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The host ran for five minutes: where the funnel begins.
    FirstHeartbeat,
    /// A server stands in the configuration.
    ServerConfigured,
    /// A server was connected.
    ServerConnected,
    /// An MCP client spoke to it.
    ClientSeen,
    /// Tools were searched or listed.
    ToolsSearched,
    /// A tool call was answered.
    FirstRealToolCall,
    /// Seen on any day after day 0.
    SecondDay,
    /// Seen on day 7 or later.
    SecondWeek,
}

/// One step: how many reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// The step.
    pub step: Step,
    /// Reached it, whatever came before.
    pub reached: Share,
    /// Reached it and all steps before.
    pub with_all_before: Share,
    /// Reached it on days 0 to 6, of installs at least seven days old; `None` if no install can.
    pub within_7_days: Option<Share>,
}

/// A funnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// In the order of the funnel.
    pub steps: Vec<StepRow>,
}

impl Step {
    /// The gateway: a user sets servers up.
    pub const GATEWAY: &[Self] = &[
        Self::FirstHeartbeat,
        Self::ServerConfigured,
        Self::ServerConnected,
        Self::ClientSeen,
        Self::ToolsSearched,
        Self::FirstRealToolCall,
    ];
    /// A wrapped server, where the first steps are true by construction.
    pub const WRAPPED: &[Self] =
        &[Self::FirstHeartbeat, Self::FirstRealToolCall, Self::SecondDay, Self::SecondWeek];

    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstHeartbeat => "first_heartbeat",
            Self::ServerConfigured => "server_configured",
            Self::ServerConnected => "server_connected",
            Self::ClientSeen => "client_seen",
            Self::ToolsSearched => "tools_searched",
            Self::FirstRealToolCall => "first_real_tool_call",
            Self::SecondDay => "active_on_a_second_day",
            Self::SecondWeek => "active_in_a_second_week",
        }
    }

    /// Days from day 0 until it was reached; `None` if it was not.
    pub fn reached_after(self, install: &Install) -> Option<u32> {
        match self {
            Self::FirstHeartbeat => Some(0),
            Self::ServerConfigured => install.step(row::Step::ServerConfigured),
            Self::ServerConnected => install.step(row::Step::ServerConnected),
            Self::ClientSeen => install.step(row::Step::ClientSeen),
            Self::ToolsSearched => install.step(row::Step::ToolsSearched),
            Self::FirstRealToolCall => install.step(row::Step::RealToolCall),
            Self::SecondDay => install.first_seen_from(1),
            Self::SecondWeek => install.first_seen_from(7),
        }
    }
}

/// The funnel `steps` over `installs`, of which those that were carried over are in no denominator.
pub fn activation(installs: impl Iterator<Item = Install>, steps: &[Step], now: Now) -> Activation {
    let mut funnel = Activation::of(steps);
    installs.for_each(|install| funnel.add(&install, now));
    funnel
}

impl Activation {
    /// Of no installs yet.
    pub fn of(steps: &[Step]) -> Self {
        let none = |step: &Step| StepRow {
            step: *step,
            reached: Share::default(),
            with_all_before: Share::default(),
            within_7_days: (*step != Step::SecondWeek).then(Share::default),
        };
        Self { steps: steps.iter().map(none).collect() }
    }

    /// Counts an install.
    pub fn add(&mut self, install: &Install, now: Now) {
        if !install.is_carried_over {
            let is_old_enough = now.today().since(install.day0) >= FAIR_DAYS;
            let mut all_before = true;
            for row in &mut self.steps {
                let after = row.step.reached_after(install);
                all_before &= after.is_some();
                row.reached.add(after.is_some());
                row.with_all_before.add(all_before);
                if let Some(share) = row.within_7_days.as_mut().filter(|_| is_old_enough) {
                    share.add(after.is_some_and(|after| after < FAIR_DAYS));
                }
            }
        }
    }
}

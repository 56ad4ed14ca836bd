//! One install as it is kept: plain data that the definitions are computed from.
//!
//! One rule: nothing here can be led back to a person. No id, no address, no time finer than a day.

pub use crate::contract::AgentEnv;
use crate::contract::{Arch, Edition, EnvKind, EnvMarkers, LaunchSource, Os, RoutingMode};

/// Days that have a bit of their own, counted from day 0. An id is replaced after 365 days.
pub const DAYS: u32 = 384;
/// Funnel steps behind the first heartbeat.
pub const STEPS: usize = 5;
/// Versions remembered of one install: those that came last.
pub const VERSIONS: usize = 8;

/// A step of the funnel behind the first heartbeat, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `server_count` was 1 or more.
    ServerConfigured,
    /// `first_connected_server_ever`
    ServerConnected,
    /// `first_mcp_client_ever`
    ClientSeen,
    /// `first_retrieve_tools_call_ever`
    ToolsSearched,
    /// `first_real_tool_call_ever` (schema 4)
    RealToolCall,
}

impl Step {
    /// Every step, in the order of [`InstallRow::steps`].
    pub const ALL: [Step; STEPS] = [
        Step::ServerConfigured,
        Step::ServerConnected,
        Step::ClientSeen,
        Step::ToolsSearched,
        Step::RealToolCall,
    ];
}

/// What one heartbeat says about where its install runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The declared kind.
    pub kind: EnvKind,
    /// The observations behind it.
    pub markers: EnvMarkers,
    /// `None`: schema 3 does not say.
    pub agent_env: Option<AgentEnv>,
    /// How the sending process was launched.
    pub launch_source: LaunchSource,
    /// Operating system.
    pub os: Os,
    /// Architecture.
    pub arch: Arch,
    /// Edition.
    pub edition: Edition,
    /// How tools are offered; `tap` is a wrapped server, whose first steps are true by construction.
    pub routing: Option<RoutingMode>,
    /// Version of the product, without a leading `v`.
    pub version: String,
}

/// One install of one product. All days are UTC days since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallRow {
    /// Day of the first heartbeat ever.
    pub day0: u32,
    /// Day of the last heartbeat; beyond day 0 + [`DAYS`] it is the only trace of one.
    pub last_day: u32,
    /// Bit n: a heartbeat on day 0 + n. Bit 0 is always set.
    pub days: [u64; 6],
    /// As of the first heartbeat.
    pub first: Facts,
    /// As of the last heartbeat.
    pub now: Facts,
    /// The first day on which each step was reported, in the order of [`Step::ALL`].
    pub steps: [Option<u32>; STEPS],
    /// The last [`VERSIONS`] versions, each with the first day it was reported, earliest first.
    pub versions: Vec<(String, u32)>,
    /// Canonical names of the clients seen, sorted.
    pub clients: Vec<String>,
    /// The id follows an earlier one, or the product ran here before its first day in this database.
    pub carried_over: bool,
    /// Not carried over, and the first heartbeat came two days or more after the first start.
    pub late_start: bool,
    /// Heartbeats whose `timestamp` could not be believed: they count for the day of their receipt.
    pub clock_wrong: u32,
    /// It came in a flood of new ids from one place: left out of the default view.
    pub flood: bool,
}

impl InstallRow {
    /// Whether a heartbeat counts for `day` (UTC days since 1970).
    pub fn seen_on(&self, day: u32) -> bool {
        let Some(n) = day.checked_sub(self.day0).filter(|n| *n < DAYS) else { return false };
        self.days[(n / 64) as usize] >> (n % 64) & 1 == 1
    }

    /// The first day on which `step` was reported.
    pub fn step(&self, step: Step) -> Option<u32> {
        self.steps[step as usize]
    }
}

/// One product that this collector knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name, as it is shown now.
    pub name: String,
    /// What happens to its heartbeats.
    pub standing: Standing,
    /// The earliest day 0 of its installs; `None` without any.
    pub first_day: Option<u32>,
    /// How many installs are kept.
    pub installs: u64,
}

/// What happens to the heartbeats of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Received and shown.
    Added,
    /// Received because of `--any-product`, and not shown until it is added.
    Hidden,
    /// Refused; what was received before is kept.
    Removed,
}

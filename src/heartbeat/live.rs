//! The process-bound fields of a payload: those of the live host, or of this command line.
//!
//! One rule: of several live hosts one speaks for the install, the gateway before taps.

use super::schedule;
use super::timing::{LIVE_FOR, TICK};
use crate::activation::{LiveCounts, LiveMark, LiveProcess, State};
use crate::contract::{LaunchSource, RoutingMode};
use crate::machine;
use crate::paths::DataDir;

/// The process-bound fields of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// How and where the process runs.
    pub process: LiveProcess,
    /// How it routes; `None` for a command line.
    pub routing_mode: Option<RoutingMode>,
    /// When it started; `None` for a command line.
    pub started_at: Option<u64>,
    /// What it serves.
    pub counts: LiveCounts,
}

impl From<&LiveMark> for Live {
    fn from(mark: &LiveMark) -> Self {
        Self {
            process: mark.process.clone(),
            routing_mode: Some(mark.routing_mode),
            started_at: Some(mark.started_at),
            counts: mark.counts.clone(),
        }
    }
}

impl Live {
    /// Those of the host that would send at `now`; without one, those of this command line.
    pub fn of_sender(state: &State, dir: &DataDir, now: u64) -> Self {
        live_host(state, now).map_or_else(|| Self::of_command_line(dir), Self::from)
    }

    fn of_command_line(dir: &DataDir) -> Self {
        let configured_ide_count = crate::connect::configured_ide_count();
        Self {
            process: process(dir, machine::launch_source(None)),
            routing_mode: None,
            started_at: None,
            counts: LiveCounts { configured_ide_count, ..LiveCounts::default() },
        }
    }
}

/// How and where this process runs.
pub fn process(dir: &DataDir, launch_source: LaunchSource) -> LiveProcess {
    let classification = machine::classification();
    LiveProcess {
        launch_source,
        autostart_enabled: machine::autostart_enabled(&dir.autostart_sidecar()),
        env_kind: classification.env_kind,
        env_markers: classification.markers,
        agent_env: classification.agent_env,
    }
}

/// The freshest live host of the install, a gateway before taps.
pub fn live_host(state: &State, now: u64) -> Option<&LiveMark> {
    let fresh = |mark: &&LiveMark| schedule::is_fresh(mark, now);
    let serve = state.live_serve.as_ref().filter(fresh);
    serve.or_else(|| state.live_tap.as_ref().filter(fresh))
}

const _: () = assert!(LIVE_FOR > TICK, "a live host must not go stale between ticks");

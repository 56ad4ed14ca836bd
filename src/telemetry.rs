//! The facade that hosts embed: start, record, live counts, snapshot, drop.

use crate::activation::Recorded;
use crate::contract::{LaunchSource, RoutingMode, ServerProtocolCounts};
use std::path::PathBuf;

/// What a host says about itself when it starts telemetry.
#[derive(Clone, Debug)]
pub struct Host {
    /// How it routes: decides its priority as a sender (`Tap` yields to a live gateway).
    pub routing_mode: RoutingMode,
    /// `--data-dir`, or `None` for the default.
    pub data_dir: Option<PathBuf>,
    /// How the host was launched, when it knows.
    pub launched_by: Option<LaunchSource>,
}

/// Something that happened in the host.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client introduced itself by this raw name.
    ClientSeen {
        /// `clientInfo.name`, raw; canonicalized here, never kept.
        name: &'a str,
    },
    /// A server answered for the first time.
    ServerConnected,
    /// A discovery tool answered.
    Discovery {
        /// Tools that were searched, if the answer told.
        indexed: Option<u64>,
        /// Tools that were returned, if the answer told.
        returned: Option<u64>,
    },
    /// Any other tool was called.
    UpstreamCall,
}

/// What only the live host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Configured servers.
    pub server_count: Option<u64>,
    /// Servers that answer.
    pub connected_server_count: Option<u64>,
    /// Tools of all servers.
    pub tool_count: Option<u64>,
    /// Servers by protocol.
    pub server_protocol_counts: Option<ServerProtocolCounts>,
    /// IDE configurations that hold our entry.
    pub configured_ide_count: u64,
}

/// Telemetry of one host process. Never fails the host; inert when telemetry is off.
pub struct Telemetry {}

impl Telemetry {
    /// Decides consent, opens the store, starts the sender. Returns at once.
    pub fn start(_host: Host) -> Telemetry {
        todo!("heartbeat room")
    }

    /// Whether anything is recorded: telemetry is not off.
    pub fn is_on(&self) -> bool {
        todo!("heartbeat room")
    }

    /// Records one event.
    pub fn record(&self, _event: Event<'_>) -> Recorded {
        todo!("heartbeat room")
    }

    /// Says where live counts come from; asked before each heartbeat and each live mark.
    pub fn provide_live(&self, _counts: impl Fn() -> LiveCounts + Send + Sync + 'static) {
        todo!("heartbeat room")
    }
}

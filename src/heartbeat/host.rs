//! What a host process says about itself: once when it starts, and as long as it lives.

use crate::contract::{LaunchSource, RoutingMode, ServerProtocolCounts};
#[cfg(feature = "serve")]
use crate::diagnostics::Code;
use crate::products::HostProduct;
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
    /// The product that it belongs to; `None` counts it as an install of `mcpproxy` itself.
    pub product: Option<HostProduct>,
}

/// What only the live host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// The state that each server in an error is in, and how many are in it.
    #[cfg(feature = "serve")]
    pub current_error_codes: Vec<(Code, u32)>,
}

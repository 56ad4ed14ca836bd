//! What a live host says about itself.
//!
//! One rule: each of these fields is declared here alone; the mark in the store, the payload and what a host
//! provides hold the same structs.

use super::Standing;
use crate::contract::{
    AgentEnv, EnvKind, EnvMarkers, LaunchSource, RoutingMode, ServerProtocolCounts,
};

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
    /// Servers by the error that they are in.
    pub current_error_codes: Standing,
}

/// How and where a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveProcess {
    /// Its launch source (without the installer overlay, which belongs to the install).
    pub launch_source: LaunchSource,
    /// Its view of autostart.
    pub autostart_enabled: Option<bool>,
    /// Its environment.
    pub env_kind: EnvKind,
    /// The markers behind it.
    pub env_markers: EnvMarkers,
    /// Whether an agent works there and no person.
    pub agent_env: AgentEnv,
}

/// A live host as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveMark {
    /// Random, one for each host process.
    pub nonce: u64,
    /// When the mark was written.
    pub at: u64,
    /// When the host started.
    pub started_at: u64,
    /// How it routes.
    pub routing_mode: RoutingMode,
    /// How and where it runs.
    pub process: LiveProcess,
    /// What it serves.
    pub counts: LiveCounts,
}

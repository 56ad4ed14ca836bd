//! Everything the store holds, as plain values, and the pure functions that change it.

use super::HourlyWindow;
use crate::contract::{
    BuiltinToolCalls, EnvKind, EnvMarkers, LaunchSource, RoutingMode, ServerProtocolCounts,
    SurfaceRequests,
};

/// Everything the store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Monotonic flags and clients.
    pub funnel: Funnel,
    /// Discovery calls of the last 24 h.
    pub discovery_calls: HourlyWindow,
    /// Tokens saved in the last 24 h.
    pub tokens_saved: HourlyWindow,
    /// Counters since the last acknowledged heartbeat.
    pub counters: Counters,
    /// When the next heartbeat is due and who sends it.
    pub sender: Sender,
    /// The bytes of a heartbeat whose acknowledgement has not been recorded.
    pub pending: Option<Pending>,
    /// Facts of the install.
    pub install: Install,
    /// Mark of the live `serve`, if any.
    pub live_serve: Option<LiveMark>,
    /// Mark of the live `tap` that wrote last, if any.
    pub live_tap: Option<LiveMark>,
}

/// Monotonic flags and clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Funnel {
    /// A server ever answered.
    pub connected_server: bool,
    /// A client was ever seen.
    pub mcp_client: bool,
    /// A discovery tool was ever called.
    pub retrieve_tools_call: bool,
    /// Canonical names, first in wins, at most 16.
    pub clients: Vec<String>,
}

/// Counters since the last acknowledged heartbeat; saturating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By surface.
    pub surface_requests: SurfaceRequests,
    /// Our own tools.
    pub builtin_tool_calls: BuiltinToolCalls,
    /// Upstream tool calls.
    pub upstream_tool_calls: u64,
}

/// When the next heartbeat is due and who sends it. All times are seconds since 1970; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// When a host first started on this install.
    pub first_start: u64,
    /// Seconds from `first_start` to the first heartbeat, jitter included.
    pub initial_delay: u64,
    /// The last recorded acknowledgement.
    pub last_success: u64,
    /// The last attempt.
    pub last_attempt: u64,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// Seconds to wait after `last_attempt`.
    pub retry_after: u64,
    /// Nonce of the process that holds the lease; 0 is nobody.
    pub lease_owner: u64,
    /// When the lease ends.
    pub lease_until: u64,
}

/// A heartbeat whose acknowledgement has not been recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// When they were assembled.
    pub made_at: u64,
    /// The id they carry.
    pub anonymous_id: String,
    /// When that id was made, as they carry it.
    pub anonymous_id_created_at: String,
    /// The version that assembled them.
    pub version: String,
    /// The previous version they carry.
    pub previous_version: String,
    /// The counters they report; subtracted on acknowledgement.
    pub counters: Counters,
    /// They say `installer`.
    pub installer: bool,
}

/// Facts of the install.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// The version that ran last.
    pub current_version: String,
    /// The version before it; empty when there was none.
    pub previous_version: String,
    /// When the first-run notice was shown; 0 is never.
    pub notice_shown_at: u64,
    /// Heartbeats say `installer` until one is acknowledged.
    pub installer_pending: bool,
    /// The install stamp that armed `installer_pending` last.
    pub installer_stamp: String,
    /// Payloads the gate refused.
    pub anonymity_violations: u64,
    /// The id that this store belongs to: another id in the config means a new install began.
    pub anonymous_id: String,
}

/// What a live host says about itself: the process-bound fields of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveMark {
    /// Random, one for each host process.
    pub nonce: u64,
    /// When the mark was written.
    pub at: u64,
    /// When the host started.
    pub started_at: u64,
    /// Its launch source (without the installer overlay).
    pub launch_source: LaunchSource,
    /// Its view of autostart.
    pub autostart_enabled: Option<bool>,
    /// Its environment.
    pub env_kind: EnvKind,
    /// The markers behind it.
    pub env_markers: EnvMarkers,
    /// How it routes.
    pub routing_mode: RoutingMode,
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

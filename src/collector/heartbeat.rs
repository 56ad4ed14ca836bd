//! A heartbeat as the collector reads it, after the gate has let it through.
//!
//! One rule: members are read by what they mean, so one reader serves every schema version; what an older
//! version does not say is `None`, never a made-up value.

use super::row::{Facts, STEPS};
use crate::contract::{
    AgentEnv, Arch, CallBucket, Edition, EnvKind, EnvMarkers, LaunchSource, Os, RoutingMode,
    Shutdown, TokensBucket, timestamp,
};
use miniserde::Deserialize;

#[derive(Deserialize)]
struct Wire {
    anonymous_id: String,
    env_kind: EnvKind,
    env_markers: EnvMarkers,
    launch_source: LaunchSource,
    autostart_enabled: Option<bool>,
    activation: WireActivation,
    version: String,
    edition: Edition,
    os: Os,
    arch: Arch,
    server_count: Option<u64>,
    connected_server_count: Option<u64>,
    tool_count: Option<u64>,
    uptime_hours: Option<u64>,
    routing_mode: Option<RoutingMode>,
    timestamp: String,
    surface_requests: Option<WireSurfaces>,
    builtin_tool_calls: Option<WireTools>,
    upstream_tool_call_count_bucket: Option<CallBucket>,
    product: Option<WireProduct>,
    agent_env: Option<String>,
    carried_over: Option<bool>,
    days_since_install: Option<u64>,
    active_days_30d: Option<u64>,
    previous_shutdown: Option<String>,
}

#[derive(Deserialize)]
struct WireActivation {
    first_connected_server_ever: bool,
    first_mcp_client_ever: bool,
    first_retrieve_tools_call_ever: bool,
    first_real_tool_call_ever: Option<bool>,
    mcp_clients_seen_ever: Vec<String>,
    retrieve_tools_calls_24h: u64,
    estimated_tokens_saved_24h_bucket: TokensBucket,
    configured_ide_count: u64,
}

#[derive(Deserialize)]
struct WireSurfaces {
    mcp: u64,
    cli: u64,
    webui: u64,
    tray: u64,
    unknown: u64,
}

#[derive(Deserialize)]
struct WireTools {
    retrieve_tools: u64,
    call_tool: u64,
    telemetry_status: u64,
}

#[derive(Deserialize)]
struct WireProduct {
    name: String,
    version: String,
}

/// How many counts of [`Heartbeat::deltas`] there are.
pub const DELTAS: usize = 8;

/// One heartbeat, by meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// The name of its product; `None` in schema 3, which belongs to ours.
    pub product: Option<String>,
    /// The id of the install. It never leaves this value but as a keyed hash.
    pub id: String,
    /// The `timestamp`: seconds since 1970.
    pub claimed: u64,
    /// Where the install runs.
    pub facts: Facts,
    /// Which funnel steps were reached, in the order of [`super::row::Step::ALL`].
    pub steps: [bool; STEPS],
    /// Clients ever seen.
    pub clients: Vec<String>,
    /// Whether the id follows an earlier one.
    pub carried_over: bool,
    /// UTC days from the first start under this id to the `timestamp`; 366 is that or more.
    pub days_since_install: Option<u16>,
    /// State at the time of the heartbeat: shown as a distribution, never added up.
    pub gauges: Gauges,
    /// Counts since the last acknowledged heartbeat: the five surfaces, then our three tools.
    pub deltas: [u64; DELTAS],
}

/// State at the time of one heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Whether it starts at login.
    pub autostart: Option<bool>,
    /// Configured servers.
    pub servers: Option<u64>,
    /// Servers that answer.
    pub connected: Option<u64>,
    /// Tools of all servers.
    pub tools: Option<u64>,
    /// Hours since the sending process started.
    pub uptime_hours: Option<u64>,
    /// Client configurations with our entry.
    pub configured_clients: u64,
    /// Tool searches in 24 h.
    pub searches_24h: u64,
    /// Tokens saved in 24 h: the place in [`TokensBucket::ALL`].
    pub tokens_bucket: u8,
    /// Calls of upstream tools: the place in [`CallBucket::ALL`].
    pub calls_bucket: Option<u8>,
    /// Days of the last 30 with a client.
    pub active_days: Option<u64>,
    /// How earlier hosts ended: the place in [`Shutdown::ALL`].
    pub shutdown: Option<u8>,
}

impl Heartbeat {
    /// The heartbeat that `bytes` hold, which the gate has checked; `None` when they are none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let wire: Wire = miniserde::json::from_str(str::from_utf8(bytes).ok()?).ok()?;
        let claimed = timestamp::parse(&wire.timestamp)?;
        let activation = wire.activation;
        let agent_env = wire.agent_env.as_deref().and_then(AgentEnv::from_spelling);
        let shutdown = wire.previous_shutdown.as_deref().and_then(Shutdown::from_spelling);
        let (product, version) = match wire.product {
            Some(product) => (Some(product.name), product.version),
            None => (None, wire.version),
        };
        let version = version.strip_prefix('v').unwrap_or(&version).to_owned();
        let surfaces = wire
            .surface_requests
            .map_or([0; 5], |of| [of.mcp, of.cli, of.webui, of.tray, of.unknown]);
        let tools = wire
            .builtin_tool_calls
            .map_or([0; 3], |of| [of.retrieve_tools, of.call_tool, of.telemetry_status]);
        let mut deltas = [0; DELTAS];
        deltas[..5].copy_from_slice(&surfaces);
        deltas[5..].copy_from_slice(&tools);
        Some(Self {
            product,
            id: wire.anonymous_id,
            claimed,
            facts: Facts {
                kind: wire.env_kind,
                markers: wire.env_markers,
                agent_env,
                launch_source: wire.launch_source,
                os: wire.os,
                arch: wire.arch,
                edition: wire.edition,
                routing: wire.routing_mode,
                version,
            },
            steps: [
                wire.server_count.is_some_and(|count| count > 0),
                activation.first_connected_server_ever,
                activation.first_mcp_client_ever,
                activation.first_retrieve_tools_call_ever,
                activation.first_real_tool_call_ever == Some(true),
            ],
            clients: activation.mcp_clients_seen_ever,
            carried_over: wire.carried_over == Some(true),
            days_since_install: wire.days_since_install.map(|days| days.min(366) as u16),
            gauges: Gauges {
                autostart: wire.autostart_enabled,
                servers: wire.server_count,
                connected: wire.connected_server_count,
                tools: wire.tool_count,
                uptime_hours: wire.uptime_hours,
                configured_clients: activation.configured_ide_count,
                searches_24h: activation.retrieve_tools_calls_24h,
                tokens_bucket: activation.estimated_tokens_saved_24h_bucket as u8,
                calls_bucket: wire.upstream_tool_call_count_bucket.map(|bucket| bucket as u8),
                active_days: wire.active_days_30d,
                shutdown: shutdown.map(|how| how as u8),
            },
            deltas,
        })
    }
}

const DAY: u64 = 86_400;
/// A claimed time may lie so far before its receipt.
const BELIEVED_BEFORE: u64 = 26 * 3600;
/// A claimed time may lie so far after its receipt.
const BELIEVED_AFTER: u64 = 10 * 60;

/// The UTC day since 1970 of a time.
pub const fn day(unix_seconds: u64) -> u32 {
    (unix_seconds / DAY) as u32
}

/// Seconds until the next UTC day begins, at least 1.
pub const fn until_midnight(unix_seconds: u64) -> u64 {
    DAY - unix_seconds % DAY
}

/// The day that a heartbeat counts for, and whether its clock was wrong: the claimed day, if it lies within
/// 26 h before and 10 min after receipt; else that of receipt.
pub fn day_of(claimed: u64, received: u64) -> (u32, bool) {
    (day(moment(claimed, received)), !is_believed(claimed, received))
}

/// The moment that a heartbeat is of: the claimed one if it can be believed, else that of its receipt.
pub fn moment(claimed: u64, received: u64) -> u64 {
    if is_believed(claimed, received) { claimed } else { received }
}

fn is_believed(claimed: u64, received: u64) -> bool {
    claimed.saturating_add(BELIEVED_BEFORE) >= received
        && claimed <= received.saturating_add(BELIEVED_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_day_counts_within_26_hours_before_and_10_minutes_after_receipt() {
        let noon = 20_000 * DAY + 12 * 3600;
        for (claimed, expected) in [
            (noon, (20_000, false)),
            (noon - BELIEVED_BEFORE, (19_999, false)),
            (noon - BELIEVED_BEFORE - 1, (20_000, true)),
            (noon + BELIEVED_AFTER, (20_000, false)),
            (noon + BELIEVED_AFTER + 1, (20_000, true)),
            (0, (20_000, true)),
            (u64::MAX, (20_000, true)),
        ] {
            assert_eq!(day_of(claimed, noon), expected, "{claimed}");
        }
        // A little after midnight by its clock, a little before by ours.
        let before_midnight = 20_001 * DAY - 60;
        assert_eq!(day_of(20_001 * DAY + 60, before_midnight), (20_001, false));
        assert_eq!(until_midnight(before_midnight), 60);
        assert_eq!(until_midnight(20_001 * DAY), DAY);
    }
}

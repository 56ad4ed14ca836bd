//! A heartbeat as the collector reads it, after the gate has let it through.
//!
//! One rule: members are read by what they mean, so one reader serves every schema version; what a version does
//! not say, or says in a word that this program does not know, is `None` or the contract's own word for it
//! (`unknown`, `other`), never a made-up value.

use super::code::{self, Met};
use super::row::{Facts, STEPS};
use crate::contract::{
    AgentEnv, Arch, CallBucket, Edition, EnvKind, EnvMarkers, LaunchSource, Os, RoutingMode,
    Shutdown, TokensBucket, timestamp,
};
use crate::gate::Unknown;
use miniserde::Deserialize;
use std::collections::BTreeMap;

/// Every member that is read, of whichever version: enums as texts, because a later version knows more words.
#[derive(Deserialize)]
struct Wire {
    anonymous_id: String,
    env_kind: Option<String>,
    env_markers: Option<EnvMarkers>,
    launch_source: Option<String>,
    autostart_enabled: Option<bool>,
    activation: Option<WireActivation>,
    version: String,
    edition: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    server_count: Option<u64>,
    connected_server_count: Option<u64>,
    tool_count: Option<u64>,
    uptime_hours: Option<u64>,
    routing_mode: Option<String>,
    timestamp: String,
    surface_requests: Option<WireSurfaces>,
    builtin_tool_calls: Option<WireTools>,
    upstream_tool_call_count_bucket: Option<String>,
    product: Option<WireProduct>,
    agent_env: Option<String>,
    carried_over: Option<bool>,
    days_since_install: Option<u64>,
    active_days_30d: Option<u64>,
    previous_shutdown: Option<String>,
    diagnostics: Option<WireDiagnostics>,
}

/// Of `diagnostics` only the codes are kept: not the fixes, nor how many codes there ever were, nor the last.
#[derive(Default, Deserialize)]
struct WireDiagnostics {
    error_code_counts_24h: Option<BTreeMap<String, u64>>,
    current_error_codes: Option<BTreeMap<String, u64>>,
}

#[derive(Default, Deserialize)]
struct WireActivation {
    first_connected_server_ever: Option<bool>,
    first_mcp_client_ever: Option<bool>,
    first_retrieve_tools_call_ever: Option<bool>,
    first_real_tool_call_ever: Option<bool>,
    mcp_clients_seen_ever: Option<Vec<String>>,
    retrieve_tools_calls_24h: Option<u64>,
    estimated_tokens_saved_24h_bucket: Option<String>,
    configured_ide_count: Option<u64>,
}

#[derive(Default, Deserialize)]
struct WireSurfaces {
    mcp: Option<u64>,
    cli: Option<u64>,
    webui: Option<u64>,
    tray: Option<u64>,
    unknown: Option<u64>,
}

#[derive(Default, Deserialize)]
struct WireTools {
    retrieve_tools: Option<u64>,
    call_tool: Option<u64>,
    telemetry_status: Option<u64>,
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
    /// What stands for its name, if it has one of its own; no `timestamp` is so large.
    pub named: Option<u64>,
    /// Its program sends one for each process, and more: not the two or three of a day that ours does.
    pub several_a_day: bool,
    /// How much of it this program does not know.
    pub unknown: Unknown,
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
    /// Error codes, in the order of their numbers.
    pub codes: Vec<Met>,
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
    pub tokens_bucket: Option<u8>,
    /// Calls of upstream tools: the place in [`CallBucket::ALL`].
    pub calls_bucket: Option<u8>,
    /// Days of the last 30 with a client.
    pub active_days: Option<u64>,
    /// How earlier hosts ended: the place in [`Shutdown::ALL`].
    pub shutdown: Option<u8>,
}

impl Heartbeat {
    /// What its repetition says again, and no other heartbeat of its install: its name, else the `timestamp`.
    pub fn key(&self) -> u64 {
        self.named.unwrap_or(self.claimed)
    }

    /// The heartbeat that `bytes` hold, which the gate has checked and which has so much `unknown`; `None` when
    /// they are none.
    pub fn read(bytes: &[u8], unknown: Unknown) -> Option<Self> {
        let wire: Wire = miniserde::json::from_str(str::from_utf8(bytes).ok()?).ok()?;
        let claimed = second_of(&wire.timestamp)?;
        let activation = wire.activation.unwrap_or_default();
        let (product, version) = match wire.product {
            Some(product) => (Some(product.name), product.version),
            None => (None, wire.version),
        };
        let version = version.strip_prefix('v').unwrap_or(&version).to_owned();
        let of = wire.surface_requests.unwrap_or_default();
        let tools = wire.builtin_tool_calls.unwrap_or_default();
        let deltas = [
            of.mcp,
            of.cli,
            of.webui,
            of.tray,
            of.unknown,
            tools.retrieve_tools,
            tools.call_tool,
            tools.telemetry_status,
        ];
        let tokens =
            known(&activation.estimated_tokens_saved_24h_bucket, TokensBucket::from_spelling);
        let calls = known(&wire.upstream_tool_call_count_bucket, CallBucket::from_spelling);
        let shutdown = known(&wire.previous_shutdown, Shutdown::from_spelling);
        let diagnostics = wire.diagnostics.unwrap_or_default();
        let codes = code::read(
            &diagnostics.error_code_counts_24h.unwrap_or_default(),
            &diagnostics.current_error_codes.unwrap_or_default(),
        );
        let launch_source = known(&wire.launch_source, LaunchSource::from_spelling);
        Some(Self {
            product,
            id: wire.anonymous_id,
            claimed,
            named: None,
            several_a_day: false,
            unknown,
            facts: Facts {
                kind: known(&wire.env_kind, EnvKind::from_spelling).unwrap_or(EnvKind::Unknown),
                markers: wire.env_markers,
                agent_env: known(&wire.agent_env, AgentEnv::from_spelling),
                launch_source: launch_source.unwrap_or(LaunchSource::Unknown),
                os: known(&wire.os, Os::from_spelling).unwrap_or(Os::Other),
                arch: known(&wire.arch, Arch::from_spelling).unwrap_or(Arch::Other),
                edition: known(&wire.edition, Edition::from_spelling),
                routing: known(&wire.routing_mode, RoutingMode::from_spelling),
                version,
            },
            steps: [
                wire.server_count.is_some_and(|count| count > 0),
                activation.first_connected_server_ever == Some(true),
                activation.first_mcp_client_ever == Some(true),
                activation.first_retrieve_tools_call_ever == Some(true),
                activation.first_real_tool_call_ever == Some(true),
            ],
            clients: activation.mcp_clients_seen_ever.unwrap_or_default(),
            carried_over: wire.carried_over == Some(true),
            days_since_install: wire.days_since_install.map(|days| days.min(366) as u16),
            gauges: Gauges {
                autostart: wire.autostart_enabled,
                servers: wire.server_count,
                connected: wire.connected_server_count,
                tools: wire.tool_count,
                uptime_hours: wire.uptime_hours,
                configured_clients: activation.configured_ide_count.unwrap_or(0),
                searches_24h: activation.retrieve_tools_calls_24h.unwrap_or(0),
                tokens_bucket: tokens.map(|bucket| bucket as u8),
                calls_bucket: calls.map(|bucket| bucket as u8),
                active_days: wire.active_days_30d,
                shutdown: shutdown.map(|how| how as u8),
            },
            deltas: deltas.map(|count| count.unwrap_or(0)),
            codes,
        })
    }
}

/// The second of a time: as ours are written, or as other programs do, with a fraction and another zone than UTC.
fn second_of(text: &str) -> Option<u64> {
    if let Some(second) = timestamp::parse(text) {
        return Some(second);
    }
    let (whole, rest) = text.split_at_checked(19)?;
    let second = timestamp::parse(&format!("{whole}Z"))?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    if zone == "Z" {
        return Some(second);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |text: &str, most: u64| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &u64| is_plain && *number <= most)
    };
    let ahead = number(hours, 23)? * 3600 + number(minutes, 59)? * 60;
    match zone.as_bytes().first()? {
        b'+' => second.checked_sub(ahead),
        b'-' => second.checked_add(ahead),
        _ => None,
    }
}

/// The member of a vocabulary that a text spells, if this program knows it.
fn known<T>(text: &Option<String>, from_spelling: fn(&str) -> Option<T>) -> Option<T> {
    text.as_deref().and_then(from_spelling)
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
    fn times_of_other_programs_are_read_to_the_second() {
        let noon = timestamp::parse("2026-11-28T12:00:00Z");
        for text in [
            "2026-11-28T12:00:00Z",
            "2026-11-28T12:00:00.5Z",
            "2026-11-28T12:00:00.123456789Z",
            "2026-11-28T13:00:00+01:00",
            "2026-11-28T06:30:00.25-05:30",
            "2026-11-29T00:00:00+12:00",
        ] {
            assert_eq!(second_of(text), noon, "{text}");
        }
        for text in [
            "",
            "2026-11-28",
            "2026-11-28T12:00:00",
            "2026-11-28 12:00:00Z",
            "2026-11-28T12:00:00.5",
            "2026-11-28T12:00:00+1:00",
            "2026-11-28T12:00:00+24:00",
            "2026-11-28T12:00:00*01:00",
            "2026-11-28T12:00:00+01:00Z",
            "2026-13-28T12:00:00Z",
            "2026-11-28T12:00:0\u{661}Z",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert_eq!(second_of(text), None, "{text}");
        }
    }

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

//! One heartbeat as a typed value, and its wire encoding.
//!
//! One rule: the fields are the members, in wire order; what the schema says otherwise does not build.

use super::compare::contains;
use super::product::Product;
use super::table::{Member, Node, Text};
use super::tables::{DIAGNOSTIC_CODES, POINTERS};
use super::wire::{Omittable, Strings, Typed, Wire, strings_node, wire_counts, wire_object};
use super::{
    AgentEnv, Arch, CallBucket, Edition, EnvKind, LaunchSource, Os, RoutingMode, Shutdown,
    TokensBucket,
};
use super::{
    MAX_ACTIVE_DAYS, MAX_CODES, MAX_DAYS_SINCE_INSTALL, MAX_DIAGNOSTICS, MAX_PAYLOAD_BYTES,
    SCHEMA_VERSION,
};
use miniserde::Deserialize;
use static_assertions::{assert_eq_size, assert_impl_all};
use std::collections::BTreeMap;

wire_object! {
    at "";
    const schema_version = SCHEMA_VERSION;
    /// One heartbeat. Members that are `None` are omitted, but `autostart_enabled`: `None` is `null`.
    #[derive(Clone, Debug, PartialEq, Deserialize)]
    pub struct Payload {
        /// The product it is about.
        pub product: Product,
        /// The install's id, byte for byte as in the config.
        pub anonymous_id: String as Uuid,
        /// Environment classification.
        pub env_kind: EnvKind,
        /// The five observations behind it.
        pub env_markers: EnvMarkers,
        /// Whether an agent's environment runs it.
        pub agent_env: AgentEnv,
        /// How the sending process was launched.
        pub launch_source: LaunchSource,
        /// Whether we start at login; `None` when that is not knowable here.
        pub autostart_enabled: Option<bool>,
        /// The funnel.
        pub activation: Activation,
        /// Version of this build, with a leading `v`.
        pub version: String as Version,
        /// Version that runs now.
        pub current_version: Option<String> as Version,
        /// Version that ran before the last upgrade; may be empty.
        pub previous_version: Option<String> as OptionalVersion,
        /// Edition of this build.
        pub edition: Edition,
        /// Operating system.
        pub os: Os,
        /// Architecture.
        pub arch: Arch,
        /// Configured upstream servers.
        pub server_count: Option<u64>,
        /// Upstream servers that answer.
        pub connected_server_count: Option<u64>,
        /// Tools of all upstream servers.
        pub tool_count: Option<u64>,
        /// Whole hours since the sending process started.
        pub uptime_hours: Option<u64>,
        /// How the sending host routes.
        pub routing_mode: Option<RoutingMode>,
        /// When the payload was assembled, RFC 3339 UTC.
        pub timestamp: String as Timestamp,
        /// When the id was made, RFC 3339 UTC, cut to its day.
        pub anonymous_id_created_at: String as Day,
        /// The id follows an earlier one of the same install.
        pub carried_over: bool,
        /// UTC days since the first host ran under this id.
        pub days_since_install: u64 where Node::UpTo(MAX_DAYS_SINCE_INSTALL),
        /// UTC days of the last 30 on which a host saw a request from a client.
        pub active_days_30d: u64 where Node::UpTo(MAX_ACTIVE_DAYS),
        /// How the hosts ended that ended since the last acknowledged heartbeat.
        pub previous_shutdown: Shutdown,
        /// Requests since the last acknowledged heartbeat, by surface.
        pub surface_requests: Option<SurfaceRequests>,
        /// Calls of our own tools since the last acknowledged heartbeat.
        pub builtin_tool_calls: Option<BuiltinToolCalls>,
        /// Calls of upstream tools since the last acknowledged heartbeat.
        pub upstream_tool_call_count_bucket: Option<CallBucket>,
        /// Configured upstream servers by protocol.
        pub server_protocol_counts: Option<ServerProtocolCounts>,
        /// The errors of this install; `None` when all of it is empty.
        pub diagnostics: Option<Diagnostics>,
    }
}

wire_object! {
    at "/properties/env_markers";
    /// The five observations behind an [`EnvKind`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
    pub struct EnvMarkers {
        /// A CI variable is set.
        pub has_ci_env: bool,
        /// A cloud workspace variable is set.
        pub has_cloud_ide_env: bool,
        /// In a container (a desktop toolbox included).
        pub is_container: bool,
        /// Standard input is a terminal.
        pub has_tty: bool,
        /// A graphical session is within reach.
        pub has_display: bool,
    }
}

wire_object! {
    at "/properties/activation";
    /// The activation funnel as it is sent.
    #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
    pub struct Activation {
        /// A server ever answered.
        pub first_connected_server_ever: bool,
        /// A client was ever seen.
        pub first_mcp_client_ever: bool,
        /// A discovery tool was ever called.
        pub first_retrieve_tools_call_ever: bool,
        /// A tool of a server ever returned a result.
        pub first_real_tool_call_ever: bool,
        /// Canonical names of the first clients seen, at most [`super::MAX_CLIENTS`].
        pub mcp_clients_seen_ever: Vec<String> as ClientName,
        /// Discovery calls in the last 24 h.
        pub retrieve_tools_calls_24h: u64,
        /// Tokens saved in the last 24 h.
        pub estimated_tokens_saved_24h_bucket: TokensBucket,
        /// IDE configurations that hold our entry.
        pub configured_ide_count: u64,
    }
}

wire_counts! {
    at "/properties/surface_requests";
    /// Requests by surface.
    pub struct SurfaceRequests;
    /// Where a request arrived.
    pub enum Surface {
        /// Tool calls over MCP.
        Mcp = mcp,
        /// Requests of our own command line.
        Cli = cli,
        /// Requests of the status page.
        Webui = webui,
        /// Requests of the tray.
        Tray = tray,
        /// Any other.
        Unknown = unknown,
    }
}

wire_counts! {
    at "/properties/builtin_tool_calls";
    /// Calls of the gateway's own tools.
    pub struct BuiltinToolCalls;
    /// A tool of the gateway's own; its name is that of the member.
    pub enum BuiltinTool {
        /// `retrieve_tools`
        RetrieveTools = retrieve_tools,
        /// `call_tool`
        CallTool = call_tool,
        /// `telemetry_status`
        TelemetryStatus = telemetry_status,
    }
}

wire_counts! {
    at "/properties/server_protocol_counts";
    /// Upstream servers by protocol.
    pub struct ServerProtocolCounts;
    /// What an upstream server speaks, as its entry says.
    pub enum Protocol {
        /// A child process.
        Stdio = stdio,
        /// HTTP, not said which kind.
        Http = http,
        /// HTTP with server-sent events (protocol 2024-11-05).
        Sse = sse,
        /// Streamable HTTP.
        StreamableHttp = streamable_http,
        /// Not said: decided by what the entry holds.
        Auto = auto,
    }
}

wire_object! {
    at "/properties/diagnostics";
    /// Codes of the closed catalog, counted. The sender chooses [`super::MAX_CODES`] of them; of more only the
    /// first are written.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
    pub struct Diagnostics {
        /// Changes into each state in the last 24 h.
        pub error_code_counts_24h: BTreeMap<String, u64> where CODE_COUNTS,
        /// Servers that are in each state now.
        pub current_error_codes: BTreeMap<String, u64> where CODE_COUNTS,
        /// Fixes tried in the last 24 h.
        pub fix_attempted_24h: u64 where Node::UpTo(MAX_DIAGNOSTICS),
        /// Those that ended the state.
        pub fix_succeeded_24h: u64 where Node::UpTo(MAX_DIAGNOSTICS),
        /// Different codes ever met.
        pub unique_codes_ever: u64 where Node::UpTo(MAX_DIAGNOSTICS),
        /// The code met last.
        pub last_error_code: Option<String> where Node::Enum(DIAGNOSTIC_CODES),
    }
}

const CODE_COUNTS: Node = Node::Counts { keys: DIAGNOSTIC_CODES, most: MAX_CODES };

/// The members of [`Payload`] as they are written above.
pub(super) const HAND_WRITTEN: &[Member] = Payload::MEMBERS;

/// The `schema_version` of a payload of whichever version; `None` when `bytes` are none.
pub fn version_of(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Head {
        schema_version: u64,
    }
    let head: Head = miniserde::json::from_str(str::from_utf8(bytes).ok()?).ok()?;
    Some(head.schema_version)
}

assert_impl_all!(Payload: Send, Sync, Clone);
assert_eq_size!(EnvMarkers, [bool; 5]);
assert_eq_size!(SurfaceRequests, ServerProtocolCounts, [u64; 5]);
assert_eq_size!(BuiltinToolCalls, [u64; 3]);

impl Payload {
    /// The exact bytes that are stored, shown, checked by the gate and sent: compact JSON in the
    /// order of the schema. Counts above [`super::MAX_COUNT`] are written as that.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::with_capacity(MAX_PAYLOAD_BYTES / 4);
        self.write(&mut out);
        out.into_bytes()
    }

    /// The heartbeat v4 that `bytes` hold; `None` when they are none. This reader takes the last of several
    /// equal keys and ignores unknown ones: bytes from elsewhere pass `gate::check` first, which refuses both.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        miniserde::json::from_str(str::from_utf8(bytes).ok()?).ok()
    }
}

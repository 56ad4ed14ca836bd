//! One payload out of identity, stored state and what the sending host says about itself.
//!
//! One rule: pure. The same inputs give the same bytes, so what is shown is what is sent.

use super::lifetime;
use super::timing::LIVE_FOR;
use crate::activation::state::{Counters, Funnel, Install, LiveMark, Pending};
use crate::activation::{Standing, State, clients};
use crate::build_info;
#[cfg(feature = "serve")]
use crate::contract::Diagnostics;
use crate::contract::{
    Activation, AgentEnv, CallBucket, EnvKind, EnvMarkers, LaunchSource, Payload, Product,
    RoutingMode, ServerProtocolCounts, Shutdown, TokensBucket, product, timestamp,
};
use crate::gate::{self, Own, PrivateWords};
use crate::identity::Identity;
use crate::json;

/// The process-bound fields of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// How the process was launched (without the installer overlay).
    pub launch_source: LaunchSource,
    /// Whether we start at login.
    pub autostart_enabled: Option<bool>,
    /// Its environment.
    pub env_kind: EnvKind,
    /// The markers behind it.
    pub env_markers: EnvMarkers,
    /// Whether that is an agent's, where nobody sits.
    pub agent_env: AgentEnv,
    /// How it routes; `None` for a command line.
    pub routing_mode: Option<RoutingMode>,
    /// When it started; `None` for a command line.
    pub started_at: Option<u64>,
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

impl From<&LiveMark> for Live {
    fn from(mark: &LiveMark) -> Self {
        Self {
            launch_source: mark.launch_source,
            autostart_enabled: mark.autostart_enabled,
            env_kind: mark.env_kind,
            env_markers: mark.env_markers,
            agent_env: mark.agent_env,
            routing_mode: Some(mark.routing_mode),
            started_at: Some(mark.started_at),
            server_count: mark.server_count,
            connected_server_count: mark.connected_server_count,
            tool_count: mark.tool_count,
            server_protocol_counts: mark.server_protocol_counts,
            configured_ide_count: mark.configured_ide_count,
            current_error_codes: mark.current_error_codes.clone(),
        }
    }
}

/// The freshest live host of the install, a gateway before taps.
pub fn live_host(state: &State, now: u64) -> Option<&LiveMark> {
    let fresh = |mark: &&LiveMark| super::schedule::is_fresh(mark, now);
    let serve = state.live_serve.as_ref().filter(fresh);
    serve.or_else(|| state.live_tap.as_ref().filter(fresh))
}

const _: () =
    assert!(LIVE_FOR > super::timing::TICK, "a live host must not go stale between ticks");

/// Which client names may be sent.
#[derive(Clone, Default)]
pub struct ClientPolicy {
    /// What a name outside the vocabulary must not contain.
    pub private: PrivateWords,
    /// Only the vocabulary (`telemetry.client_names: "known"`).
    pub known_only: bool,
}

/// Current and previous version as the install will have them once this build has run.
pub fn versions(install: &Install) -> (&str, &str) {
    let previous = match install.current_version.as_str() {
        "" | build_info::VERSION => install.previous_version.as_str(),
        other => other,
    };
    (build_info::VERSION, previous)
}

/// The heartbeat of this install of `product` at `now`.
pub fn assemble(
    product: &Product,
    state: &State,
    identity: &Identity,
    live: &Live,
    policy: &ClientPolicy,
    now: u64,
) -> Payload {
    let (version, previous_version) = versions(&state.install);
    let installer = state.install.installer_pending;
    let Counters { surface_requests, builtin_tool_calls, upstream_tool_calls, .. } = state.counters;
    Payload {
        product: product.clone(),
        anonymous_id: identity.anonymous_id.clone(),
        env_kind: live.env_kind,
        env_markers: live.env_markers,
        agent_env: live.agent_env,
        launch_source: if installer { LaunchSource::Installer } else { live.launch_source },
        autostart_enabled: live.autostart_enabled,
        activation: activation(state, live.configured_ide_count, policy, now),
        version: version.to_owned(),
        current_version: Some(version.to_owned()),
        previous_version: Some(previous_version.to_owned()),
        edition: build_info::EDITION,
        os: build_info::os(),
        arch: build_info::arch(),
        server_count: live.server_count,
        connected_server_count: live.connected_server_count,
        tool_count: live.tool_count,
        uptime_hours: live.started_at.map(|at| now.saturating_sub(at) / 3600),
        routing_mode: live.routing_mode,
        timestamp: timestamp::format(now),
        anonymous_id_created_at: day_of_id(identity),
        carried_over: identity.carried_over,
        days_since_install: lifetime::days_since_install(state, identity, now),
        active_days_30d: state.days.active.count(now),
        previous_shutdown: previous_shutdown(&state.counters),
        surface_requests: Some(surface_requests),
        builtin_tool_calls: Some(builtin_tool_calls),
        upstream_tool_call_count_bucket: Some(CallBucket::of(upstream_tool_calls)),
        server_protocol_counts: live.server_protocol_counts,
        #[cfg(feature = "serve")]
        diagnostics: diagnostics(state, live, now),
        #[cfg(not(feature = "serve"))]
        diagnostics: None,
    }
}

/// How the hosts ended that ended since the last acknowledgement: one crash is not hidden by those that did not.
fn previous_shutdown(counters: &Counters) -> Shutdown {
    match (counters.ended_crashed, counters.ended_clean) {
        (0, 0) => Shutdown::Unknown,
        (0, _) => Shutdown::Clean,
        _ => Shutdown::Crash,
    }
}

/// The day of the id, as it is sent: two products that were first started in one second must not be joined
/// by it.
fn day_of_id(identity: &Identity) -> String {
    timestamp::day_of(&identity.created_at).unwrap_or_else(|| identity.created_at.clone())
}

/// The errors as they are sent; `None` when there is nothing to say.
#[cfg(feature = "serve")]
pub fn diagnostics(state: &State, live: &Live, now: u64) -> Option<Diagnostics> {
    super::errors::diagnostics(&state.errors, &live.current_error_codes, now)
}

/// The funnel as it is sent.
pub fn activation(state: &State, ides: u64, policy: &ClientPolicy, now: u64) -> Activation {
    let Funnel {
        connected_server,
        mcp_client,
        retrieve_tools_call,
        real_tool_call,
        clients: names,
        later_flags: _,
    } = &state.funnel;
    Activation {
        first_connected_server_ever: *connected_server,
        first_mcp_client_ever: *mcp_client,
        first_retrieve_tools_call_ever: *retrieve_tools_call,
        first_real_tool_call_ever: *real_tool_call,
        // Again, although they were scanned when recorded: what is private may have changed since.
        mcp_clients_seen_ever: clients::sanitize(names, policy.known_only, &|name| {
            gate::scan(name, &policy.private).is_some()
        }),
        retrieve_tools_calls_24h: state.discovery_calls.value(now),
        estimated_tokens_saved_24h_bucket: TokensBucket::of(state.tokens_saved.value(now)),
        configured_ide_count: ides,
    }
}

/// The payload with what must be known again when it is retried or acknowledged.
pub fn pending(
    product: &Product,
    state: &State,
    identity: &Identity,
    live: &Live,
    policy: &ClientPolicy,
    now: u64,
) -> Pending {
    let payload = assemble(product, state, identity, live, policy, now);
    Pending {
        bytes: payload.encode(),
        made_at: now,
        anonymous_id: identity.anonymous_id.clone(),
        anonymous_id_created_at: identity.created_at.clone(),
        installer: payload.launch_source == LaunchSource::Installer,
        version: payload.version,
        previous_version: payload.previous_version.unwrap_or_default(),
        // What the bytes report: the counters of later programs are not in them.
        counters: state.counters.known(),
    }
}

/// What the gate must find in stored bytes. They may be of an earlier version of the product, which they say
/// themselves.
pub fn own(pending: &Pending, product: &Product, identity: &Identity) -> Own {
    let version = version_in(&pending.bytes).unwrap_or_else(|| product.version.clone());
    Own {
        product: Product { name: product.name.clone(), version },
        anonymous_id: identity.anonymous_id.clone(),
        anonymous_id_created_at: day_of_id(identity),
        version: pending.version.clone(),
        previous_version: Some(pending.previous_version.clone()),
        timestamp: timestamp::format(pending.made_at),
    }
}

/// The product's version in a payload, if it is spelled like one.
fn version_in(bytes: &[u8]) -> Option<String> {
    let payload = json::parse(bytes).ok()?;
    let version = payload.get("product")?.get("version")?.as_str()?;
    product::is_version(version).then(|| version.to_owned())
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;

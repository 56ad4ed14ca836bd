//! One payload out of identity, stored state and what the sending host says about itself.
//!
//! One rule: pure. The same inputs give the same bytes, so what is shown is what is sent.

use super::lifetime;
use super::live::Live;
use crate::activation::state::{Counters, Funnel, Install, Pending};
use crate::activation::{State, clients};
use crate::build_info;
use crate::contract::{
    Activation, CallBucket, LaunchSource, Payload, Product, Shutdown, TokensBucket, product,
    timestamp,
};
use crate::gate::{self, Own, PrivateWords};
use crate::identity::Identity;
use crate::json;

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
        env_kind: live.process.env_kind,
        env_markers: live.process.env_markers,
        agent_env: live.process.agent_env,
        launch_source: if installer { LaunchSource::Installer } else { live.process.launch_source },
        autostart_enabled: live.process.autostart_enabled,
        activation: activation(state, live.counts.configured_ide_count, policy, now),
        version: version.to_owned(),
        current_version: Some(version.to_owned()),
        previous_version: Some(previous_version.to_owned()),
        edition: build_info::EDITION,
        os: build_info::os(),
        arch: build_info::arch(),
        server_count: live.counts.server_count,
        connected_server_count: live.counts.connected_server_count,
        tool_count: live.counts.tool_count,
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
        server_protocol_counts: live.counts.server_protocol_counts,
        #[cfg(feature = "serve")]
        diagnostics: super::errors::diagnostics(
            &state.errors,
            &live.counts.current_error_codes,
            now,
        ),
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

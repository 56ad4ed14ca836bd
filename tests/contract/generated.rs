//! Any payload that our code can make.

use crate::payloads::minimal;
use mcpproxy::contract::{
    self, Activation, AgentEnv, Arch, BuiltinToolCalls, CallBucket, Diagnostics, Edition, EnvKind,
    EnvMarkers, LaunchSource, Os, Payload, Product, RoutingMode, ServerProtocolCounts, Shutdown,
    SurfaceRequests, TokensBucket, product, tables, timestamp,
};
use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

fn version() -> impl Strategy<Value = String> {
    "v(0|[1-9][0-9]{0,2})\\.(0|[1-9]{1,3})\\.(0|[1-9]{1,5})(-(rc1|beta\\.2|dev|nightly20261122))?"
}

fn activation() -> impl Strategy<Value = Activation> {
    (
        any::<[bool; 4]>(),
        btree_set("[a-z0-9][a-z0-9._-]{0,63}", 0..=contract::MAX_CLIENTS),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
    )
        .prop_map(|(flags, clients, calls, tokens, ides)| Activation {
            first_connected_server_ever: flags[0],
            first_mcp_client_ever: flags[1],
            first_retrieve_tools_call_ever: flags[2],
            first_real_tool_call_ever: flags[3],
            mcp_clients_seen_ever: clients.into_iter().collect(),
            retrieve_tools_calls_24h: calls,
            estimated_tokens_saved_24h_bucket: TokensBucket::of(tokens),
            configured_ide_count: ides,
        })
}

fn products() -> impl Strategy<Value = Product> {
    let name = "[a-z0-9][a-z0-9._-]{0,63}".prop_filter("fits", |name| product::is_name(name));
    (name, "\\PC{0,20}|v?[0-9]{1,3}\\.[0-9]\\.[0-9](-rc\\.[1-9]|-[a-z]{1,5})?")
        .prop_map(|(name, version)| Product { name, version: product::version_from(&version) })
}

fn code_counts() -> impl Strategy<Value = BTreeMap<String, u64>> {
    btree_map(select(tables::DIAGNOSTIC_CODES).prop_map(str::to_owned), any::<u64>(), 0..25)
}

prop_compose! {
    fn diagnostics()(
        (error_code_counts_24h, current_error_codes) in (code_counts(), code_counts()),
        numbers in any::<[u64; 3]>(),
        last in option::of(select(tables::DIAGNOSTIC_CODES)),
    ) -> Diagnostics {
        let [fix_attempted_24h, fix_succeeded_24h, unique_codes_ever] = numbers;
        Diagnostics {
            error_code_counts_24h,
            current_error_codes,
            fix_attempted_24h,
            fix_succeeded_24h,
            unique_codes_ever,
            last_error_code: last.map(str::to_owned),
        }
    }
}

prop_compose! {
    /// What v4 added, and nothing of v3.
    fn new_in_v4()(
        product in products(),
        agent_env in select(AgentEnv::ALL),
        carried_over in any::<bool>(),
        (days_since_install, active_days_30d) in (any::<u64>(), 0..40_u64),
        previous_shutdown in select(Shutdown::ALL),
        diagnostics in option::of(diagnostics()),
        counters in counters(),
    ) -> Payload {
        Payload {
            product,
            agent_env,
            carried_over,
            days_since_install,
            active_days_30d,
            previous_shutdown,
            diagnostics,
            ..counters
        }
    }
}

prop_compose! {
    fn counters()(
        surface in option::of(any::<[u64; 5]>()),
        builtin in option::of(any::<[u64; 3]>()),
        protocols in option::of(any::<[u64; 5]>()),
        upstream in option::of(select(CallBucket::ALL)),
    ) -> Payload {
        Payload {
            surface_requests: surface
                .map(|[mcp, cli, webui, tray, unknown]| SurfaceRequests { mcp, cli, webui, tray, unknown }),
            builtin_tool_calls: builtin.map(|[retrieve_tools, call_tool, telemetry_status]| {
                BuiltinToolCalls { retrieve_tools, call_tool, telemetry_status }
            }),
            server_protocol_counts: protocols.map(|[stdio, http, sse, streamable_http, auto]| {
                ServerProtocolCounts { stdio, http, sse, streamable_http, auto }
            }),
            upstream_tool_call_count_bucket: upstream,
            ..minimal()
        }
    }
}

prop_compose! {
    pub fn payloads()(
        new in new_in_v4(),
        id in "[0-9a-fA-F]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        (env_kind, launch_source) in (select(EnvKind::ALL), select(LaunchSource::ALL)),
        markers in any::<[bool; 5]>(),
        autostart_enabled in any::<Option<bool>>(),
        activation in activation(),
        versions in (version(), option::of(version()), option::of(prop_oneof![Just(String::new()), version()])),
        build in (select(Edition::ALL), select(Os::ALL), select(Arch::ALL)),
        counts in any::<[Option<u64>; 4]>(),
        routing_mode in option::of(select(RoutingMode::ALL)),
        (now, created) in (any::<u64>(), any::<u64>()),
    ) -> Payload {
        let [has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display] = markers;
        let [server_count, connected_server_count, tool_count, uptime_hours] = counts;
        Payload {
            anonymous_id: id,
            env_kind,
            env_markers: EnvMarkers { has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display },
            launch_source,
            autostart_enabled,
            activation,
            version: versions.0,
            current_version: versions.1,
            previous_version: versions.2,
            edition: build.0,
            os: build.1,
            arch: build.2,
            server_count,
            connected_server_count,
            tool_count,
            uptime_hours,
            routing_mode,
            timestamp: timestamp::format(now),
            anonymous_id_created_at: timestamp::day_of(&timestamp::format(created)).unwrap(),
            ..new
        }
    }
}

//! A valid heartbeat with every member.

use mcpproxy::contract::{
    Activation, AgentEnv, Arch, BuiltinToolCalls, CallBucket, Diagnostics, Edition, EnvKind,
    EnvMarkers, LaunchSource, Os, Payload, Product, RoutingMode, ServerProtocolCounts, Shutdown,
    SurfaceRequests, TokensBucket,
};
use mcpproxy::gate::Own;

/// The heartbeat of an install whose clients have these names.
pub fn of_clients(clients: Vec<String>) -> Payload {
    Payload {
        product: Product { name: "acme.notes-mcp".to_owned(), version: "1.4.0-rc.1".to_owned() },
        anonymous_id: "3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2".to_owned(),
        env_kind: EnvKind::Interactive,
        env_markers: EnvMarkers { has_tty: true, ..EnvMarkers::default() },
        agent_env: AgentEnv::Cloud,
        launch_source: LaunchSource::Cli,
        autostart_enabled: None,
        activation: Activation {
            first_connected_server_ever: true,
            first_mcp_client_ever: true,
            first_retrieve_tools_call_ever: false,
            first_real_tool_call_ever: true,
            mcp_clients_seen_ever: clients,
            retrieve_tools_calls_24h: 11,
            estimated_tokens_saved_24h_bucket: TokensBucket::UpTo10k,
            configured_ide_count: 0,
        },
        version: "v1.2.3".to_owned(),
        current_version: Some("v1.2.3".to_owned()),
        previous_version: Some("v1.2.2-rc1".to_owned()),
        edition: Edition::Personal,
        os: Os::Linux,
        arch: Arch::Amd64,
        server_count: Some(4),
        connected_server_count: Some(3),
        tool_count: Some(2026),
        uptime_hours: Some(80),
        routing_mode: Some(RoutingMode::RetrieveTools),
        timestamp: "2026-11-22T14:46:00Z".to_owned(),
        anonymous_id_created_at: "2026-01-11T00:00:00Z".to_owned(),
        carried_over: true,
        days_since_install: 315,
        active_days_30d: 21,
        previous_shutdown: Shutdown::Clean,
        surface_requests: Some(SurfaceRequests { mcp: 40, ..SurfaceRequests::default() }),
        builtin_tool_calls: Some(BuiltinToolCalls { retrieve_tools: 11, ..Default::default() }),
        upstream_tool_call_count_bucket: Some(CallBucket::UpTo100),
        server_protocol_counts: Some(ServerProtocolCounts { stdio: 4, ..Default::default() }),
        diagnostics: Some(Diagnostics {
            error_code_counts_24h: counts(&[("MCPX_HTTP_DNS", 2), ("MCPX_STDIO_EXITED", 1)]),
            current_error_codes: counts(&[("MCPX_STDIO_EXITED", 1)]),
            fix_attempted_24h: 1,
            fix_succeeded_24h: 0,
            unique_codes_ever: 2,
            last_error_code: Some("MCPX_STDIO_EXITED".to_owned()),
        }),
    }
}

fn counts(of: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    of.iter().map(|(code, count)| (code.to_string(), *count)).collect()
}

/// What the sender of this heartbeat vouches for.
pub fn own(payload: &Payload) -> Own {
    Own {
        product: payload.product.clone(),
        anonymous_id: payload.anonymous_id.clone(),
        anonymous_id_created_at: payload.anonymous_id_created_at.clone(),
        version: payload.version.clone(),
        previous_version: payload.previous_version.clone(),
        timestamp: payload.timestamp.clone(),
    }
}

//! What the tests of this room begin with.
//!
//! One rule: one usual heartbeat; each test changes what it is about.

use super::heartbeat::{DELTAS, Gauges, Heartbeat};
use super::row::Facts;
use crate::contract::{
    Arch, Edition, EnvKind, EnvMarkers, LaunchSource, Os, RoutingMode, timestamp,
};
use crate::gate::Unknown;

/// A usual heartbeat of that `timestamp`, as it is read.
pub fn heartbeat(claimed: u64) -> Heartbeat {
    Heartbeat {
        product: Some("notes-mcp".to_owned()),
        id: "1b4e28ba-2fa1-4d3b-883f-0016d3cca427".to_owned(),
        claimed,
        named: None,
        several_a_day: false,
        unknown: Unknown::default(),
        facts: Facts {
            kind: EnvKind::Interactive,
            markers: Some(EnvMarkers { has_tty: true, ..EnvMarkers::default() }),
            agent_env: None,
            launch_source: LaunchSource::Cli,
            os: Os::Linux,
            arch: Arch::Amd64,
            edition: Some(Edition::Personal),
            routing: Some(RoutingMode::Tap),
            version: "1.4.0".to_owned(),
        },
        steps: [true, false, false, false, false],
        clients: Vec::new(),
        carried_over: false,
        days_since_install: None,
        gauges: Gauges { servers: Some(1), ..Gauges::default() },
        deltas: [1; DELTAS],
        codes: Vec::new(),
    }
}

/// The bytes of a heartbeat of schema 3: the install number `install`, and its `timestamp`.
pub fn bytes_v3(install: u64, claimed: u64) -> Vec<u8> {
    let id = format!("1b4e28ba-2fa1-4d3b-883f-{install:012x}");
    let at = timestamp::format(claimed);
    format!(
        r#"{{"schema_version":3,"anonymous_id":"{id}","env_kind":"interactive","env_markers":{{"has_ci_env":false,"has_cloud_ide_env":false,"is_container":false,"has_tty":true,"has_display":false}},"launch_source":"cli","autostart_enabled":null,"activation":{{"first_connected_server_ever":true,"first_mcp_client_ever":true,"first_retrieve_tools_call_ever":false,"mcp_clients_seen_ever":["claude-code"],"retrieve_tools_calls_24h":0,"estimated_tokens_saved_24h_bucket":"0","configured_ide_count":0}},"version":"v0.1.0","edition":"personal","os":"linux","arch":"amd64","server_count":1,"timestamp":"{at}","surface_requests":{{"mcp":5,"cli":0,"webui":0,"tray":0,"unknown":0}}}}"#
    )
    .into_bytes()
}

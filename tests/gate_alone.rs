//! The gate is built and asked with nothing beside it but the contract and the JSON reader: what a collector
//! takes, without store, machine or configuration.
//!
//! One rule: no `mod` is added below. When this does not build, the gate or the contract has learnt of a
//! room that a collector does not have.
#![allow(dead_code, unused_imports, missing_docs)]

#[path = "../src/contract/mod.rs"]
mod contract;
#[path = "../src/gate/mod.rs"]
mod gate;
#[path = "../src/json/mod.rs"]
mod json;

const PAYLOAD: &str = concat!(
    r#"{"schema_version":3,"anonymous_id":"3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2","#,
    r#""env_kind":"interactive","env_markers":{"has_ci_env":false,"has_cloud_ide_env":false,"#,
    r#""is_container":false,"has_tty":true,"has_display":true},"launch_source":"cli","#,
    r#""autostart_enabled":null,"activation":{"first_connected_server_ever":true,"#,
    r#""first_mcp_client_ever":true,"first_retrieve_tools_call_ever":false,"#,
    r#""mcp_clients_seen_ever":["quuxify-toolbox2"],"retrieve_tools_calls_24h":0,"#,
    r#""estimated_tokens_saved_24h_bucket":"0","configured_ide_count":0},"version":"v1.2.3","#,
    r#""edition":"minimal","os":"linux","arch":"amd64","timestamp":"2026-11-22T14:46:00Z"}"#,
);

/// The members of a payload that v4 has and v3 has not, but for one of `activation`.
const NEW_IN_V4: &str = concat!(
    r#""schema_version":4,"product":{"name":"notes-mcp","version":"1.4.0"},"agent_env":"none","#,
    r#""anonymous_id_created_at":"2026-11-22T00:00:00Z","carried_over":false,"#,
    r#""days_since_install":0,"active_days_30d":1,"previous_shutdown":"unknown""#,
);

#[test]
fn the_gate_alone_accepts_a_payload_and_refuses_a_leak() {
    let v4 = PAYLOAD.replacen("\"schema_version\":3", NEW_IN_V4, 1).replacen(
        "\"mcp_clients",
        "\"first_real_tool_call_ever\":true,\"mcp_clients",
        1,
    );
    for payload in [PAYLOAD, &v4] {
        let check = |private: &gate::PrivateWords| gate::check(payload.as_bytes(), None, private);
        assert_eq!(check(&gate::PrivateWords::default()), Ok(()));
        let refusal = check(&gate::PrivateWords::new(["quuxify"], [""; 0])).expect_err("a leak");
        assert_eq!(refusal.rule, gate::RefusalRule::Leak);
    }
}

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
#[path = "../src/json.rs"]
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

#[test]
fn the_gate_alone_accepts_a_payload_and_refuses_a_leak() {
    let check = |private: &gate::PrivateWords| gate::check(PAYLOAD.as_bytes(), None, private);
    assert_eq!(check(&gate::PrivateWords::default()), Ok(()));
    let refusal = check(&gate::PrivateWords::new(["quuxify"], [""; 0])).expect_err("a leak");
    assert_eq!(refusal.rule, gate::RefusalRule::Leak);
}

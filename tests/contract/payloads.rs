//! What we encode is valid under the schema, as the independent `jsonschema` crate reads it, and what
//! is nearly a payload is not.

use crate::generated::payloads;
use jsonschema::Validator;
use mcpproxy::contract::{
    self, Activation, AgentEnv, Arch, BuiltinToolCalls, CallBucket, Diagnostics, Edition, EnvKind,
    EnvMarkers, LaunchSource, Os, Payload, Product, RoutingMode, SCHEMA_VERSION,
    ServerProtocolCounts, Shutdown, SurfaceRequests, TokensBucket, product, tables, timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn validator() -> Validator {
    validator_of(SCHEMA_VERSION)
}

pub fn validator_of(version: u64) -> Validator {
    let schema: Value = serde_json::from_str(contract::schema(version).unwrap().text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

pub fn decoded(payload: &Payload) -> Value {
    serde_json::from_slice(&payload.encode()).unwrap()
}

pub fn complaint(validator: &Validator, payload: &Value) -> Option<String> {
    validator.iter_errors(payload).next().map(|e| format!("{}: {e}", e.instance_path()))
}

/// A payload with nothing that may be omitted.
pub fn minimal() -> Payload {
    Payload {
        product: Product::own("v1.2.3"),
        anonymous_id: "00000000-0000-4000-8000-000000000000".into(),
        env_kind: EnvKind::Unknown,
        env_markers: EnvMarkers::default(),
        agent_env: AgentEnv::None,
        launch_source: LaunchSource::Unknown,
        autostart_enabled: None,
        activation: Activation {
            first_connected_server_ever: false,
            first_mcp_client_ever: false,
            first_retrieve_tools_call_ever: false,
            first_real_tool_call_ever: false,
            mcp_clients_seen_ever: vec![],
            retrieve_tools_calls_24h: 0,
            estimated_tokens_saved_24h_bucket: TokensBucket::Zero,
            configured_ide_count: 0,
        },
        version: "v1.2.3".into(),
        current_version: None,
        previous_version: None,
        edition: Edition::Minimal,
        os: Os::Other,
        arch: Arch::Other,
        server_count: None,
        connected_server_count: None,
        tool_count: None,
        uptime_hours: None,
        routing_mode: None,
        timestamp: timestamp::format(1_795_358_760),
        anonymous_id_created_at: "2026-11-22T00:00:00Z".into(),
        carried_over: false,
        days_since_install: 0,
        active_days_30d: 0,
        previous_shutdown: Shutdown::Unknown,
        surface_requests: None,
        builtin_tool_calls: None,
        upstream_tool_call_count_bucket: None,
        server_protocol_counts: None,
        diagnostics: None,
    }
}

/// A payload with everything in it.
pub fn maximal() -> Payload {
    Payload {
        product: Product { name: "notes-mcp".into(), version: "1.4.0".into() },
        anonymous_id: "8f14e45f-ceea-467f-9b1d-2c3a4d5e6f70".into(),
        env_kind: EnvKind::Interactive,
        env_markers: EnvMarkers { has_tty: true, has_display: true, ..EnvMarkers::default() },
        launch_source: LaunchSource::Cli,
        autostart_enabled: Some(false),
        activation: Activation {
            first_connected_server_ever: true,
            first_mcp_client_ever: true,
            first_retrieve_tools_call_ever: true,
            first_real_tool_call_ever: true,
            mcp_clients_seen_ever: vec!["claude-code".into(), "vscode".into()],
            retrieve_tools_calls_24h: 12,
            estimated_tokens_saved_24h_bucket: TokensBucket::of(54_300),
            configured_ide_count: 2,
        },
        current_version: Some("v1.2.3".into()),
        previous_version: Some("v1.2.2-rc1".into()),
        edition: Edition::Personal,
        os: Os::Linux,
        arch: Arch::Amd64,
        server_count: Some(4),
        connected_server_count: Some(3),
        tool_count: Some(57),
        uptime_hours: Some(26),
        routing_mode: Some(RoutingMode::RetrieveTools),
        anonymous_id_created_at: "2026-09-21T00:00:00Z".into(),
        days_since_install: 62,
        active_days_30d: 19,
        previous_shutdown: Shutdown::Clean,
        surface_requests: Some(SurfaceRequests { mcp: 40, cli: 3, webui: 2, tray: 0, unknown: 0 }),
        builtin_tool_calls: Some(BuiltinToolCalls {
            retrieve_tools: 12,
            call_tool: 25,
            telemetry_status: 1,
        }),
        upstream_tool_call_count_bucket: Some(CallBucket::of(25)),
        server_protocol_counts: Some(ServerProtocolCounts {
            stdio: 3,
            http: 0,
            sse: 0,
            streamable_http: 1,
            auto: 0,
        }),
        diagnostics: Some(Diagnostics {
            error_code_counts_24h: [("MCPX_HTTP_UNAUTHORIZED".into(), 2)].into(),
            current_error_codes: [("MCPX_HTTP_UNAUTHORIZED".into(), 1)].into(),
            fix_attempted_24h: 1,
            fix_succeeded_24h: 0,
            unique_codes_ever: 3,
            last_error_code: Some("MCPX_HTTP_UNAUTHORIZED".into()),
        }),
        ..minimal()
    }
}

#[test]
fn the_smallest_and_the_fullest_payload_are_valid() {
    let validator = validator();
    for payload in [minimal(), maximal()] {
        assert_eq!(complaint(&validator, &decoded(&payload)), None);
    }
}

#[test]
fn the_smallest_payload_has_exactly_the_required_members() {
    let required: Vec<&str> = members(&tables::V4, |m| m.required);
    let small = decoded(&minimal());
    let sent: Vec<&str> = small.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(sent, required);
    assert_eq!(small["autostart_enabled"], Value::Null);
    assert_eq!(small["activation"]["mcp_clients_seen_ever"], json!([]));
}

#[test]
fn the_fullest_payload_has_every_member_in_the_order_of_the_schema() {
    let full = decoded(&maximal());
    let sent: Vec<&str> = full.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(sent, members(&tables::V4, |_| true));
}

fn members(
    node: &'static contract::table::Node,
    keep: impl Fn(&contract::table::Member) -> bool,
) -> Vec<&'static str> {
    match node {
        contract::table::Node::Object(members) => {
            members.iter().filter(|m| keep(m)).map(|m| m.name).collect()
        }
        _ => panic!("not an object"),
    }
}

#[test]
fn the_bytes_are_compact_and_known() {
    let expected = concat!(
        r#"{"schema_version":4,"product":{"name":"mcpproxy","version":"v1.2.3"},"#,
        r#""anonymous_id":"00000000-0000-4000-8000-000000000000","#,
        r#""env_kind":"unknown","env_markers":{"has_ci_env":false,"has_cloud_ide_env":false,"#,
        r#""is_container":false,"has_tty":false,"has_display":false},"agent_env":"none","#,
        r#""launch_source":"unknown","#,
        r#""autostart_enabled":null,"activation":{"first_connected_server_ever":false,"#,
        r#""first_mcp_client_ever":false,"first_retrieve_tools_call_ever":false,"#,
        r#""first_real_tool_call_ever":false,"#,
        r#""mcp_clients_seen_ever":[],"retrieve_tools_calls_24h":0,"#,
        r#""estimated_tokens_saved_24h_bucket":"0","configured_ide_count":0},"version":"v1.2.3","#,
        r#""edition":"minimal","os":"other","arch":"other","timestamp":"2026-11-22T14:46:00Z","#,
        r#""anonymous_id_created_at":"2026-11-22T00:00:00Z","carried_over":false,"#,
        r#""days_since_install":0,"active_days_30d":0,"previous_shutdown":"unknown"}"#,
    );
    assert_eq!(String::from_utf8(minimal().encode()).unwrap(), expected);
}

#[test]
fn the_longest_payload_fits_the_gate() {
    let mut payload = maximal();
    payload.activation.mcp_clients_seen_ever =
        (0..contract::MAX_CLIENTS).map(|i| format!("{:-<64}", format!("client{i}"))).collect();
    payload.activation.retrieve_tools_calls_24h = u64::MAX;
    payload.product.name = "p".repeat(product::MAX_NAME_LENGTH);
    // The longest codes there are.
    let mut codes: Vec<&str> = tables::DIAGNOSTIC_CODES.to_vec();
    codes.sort_by_key(|code| std::cmp::Reverse(code.len()));
    let codes: BTreeMap<String, u64> =
        codes.iter().take(contract::MAX_CODES).map(|code| (code.to_string(), u64::MAX)).collect();
    payload.diagnostics = Some(Diagnostics {
        error_code_counts_24h: codes.clone(),
        current_error_codes: codes,
        ..payload.diagnostics.unwrap()
    });
    let bytes = payload.encode();
    assert_eq!(complaint(&validator(), &decoded(&payload)), None);
    assert!(bytes.len() < contract::MAX_PAYLOAD_BYTES, "{}", bytes.len());
}

#[test]
fn a_saturated_counter_is_written_as_a_number_every_receiver_can_read() {
    let mut payload = maximal();
    payload.tool_count = Some(u64::MAX);
    payload.server_count = Some(contract::MAX_COUNT);
    let value = decoded(&payload);
    assert_eq!(value["tool_count"], json!(9_007_199_254_740_991_u64));
    assert_eq!(value["server_count"], json!(9_007_199_254_740_991_u64));
}

#[test]
fn what_is_more_than_a_limit_is_written_as_the_limit() {
    let mut payload = maximal();
    payload.days_since_install = 367;
    payload.active_days_30d = u64::MAX;
    let all = tables::DIAGNOSTIC_CODES.iter().map(|code| (code.to_string(), 1));
    payload.diagnostics = Some(Diagnostics {
        error_code_counts_24h: all.collect(),
        fix_attempted_24h: 1001,
        fix_succeeded_24h: u64::MAX,
        unique_codes_ever: 1000,
        ..Diagnostics::default()
    });
    let value = decoded(&payload);
    assert_eq!(complaint(&validator(), &value), None);
    assert_eq!(
        (&value["days_since_install"], &value["active_days_30d"]),
        (&json!(366), &json!(30))
    );
    let diagnostics = &value["diagnostics"];
    assert_eq!(diagnostics["error_code_counts_24h"].as_object().unwrap().len(), 20);
    for name in ["fix_attempted_24h", "fix_succeeded_24h", "unique_codes_ever"] {
        assert_eq!(diagnostics[name], json!(1000), "{name}");
    }
}

#[test]
fn text_that_is_no_id_stays_one_json_string() {
    let mut payload = minimal();
    payload.anonymous_id = "\",\"x\":\"\\\n\u{1f600}".into();
    let value = decoded(&payload);
    assert_eq!(value["anonymous_id"], json!("\",\"x\":\"\\\n\u{1f600}"));
    assert!(complaint(&validator(), &value).is_some());
}

/// The members that v4 added, written a second time.
const ADDED: [&str; 8] = [
    "/product",
    "/agent_env",
    "/activation/first_real_tool_call_ever",
    "/carried_over",
    "/days_since_install",
    "/active_days_30d",
    "/previous_shutdown",
    "/diagnostics",
];

/// A payload v4 without them, as a payload v3.
pub fn as_v3(mut payload: Value) -> Value {
    for added in ADDED {
        let (parent, name) = added.rsplit_once('/').unwrap();
        payload.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().shift_remove(name);
    }
    payload["schema_version"] = json!(3);
    payload
}

#[test]
fn the_compiled_contract_knows_what_v4_added() {
    let added: Vec<String> =
        tables::ADDED_IN_V4.iter().map(|pointer| pointer.replace("/properties/", "/")).collect();
    assert_eq!(added, ADDED);
}

/// Every pointer of `value`, objects and leaves, parents first.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => vec![],
    };
    for (key, child) in children {
        pointers(child, &format!("{at}/{key}"), found);
    }
}

pub fn all_pointers(value: &Value) -> Vec<String> {
    let mut found = vec![];
    pointers(value, "", &mut found);
    found
}

#[test]
fn no_object_takes_a_member_it_does_not_know() {
    let validator = validator();
    let whole = decoded(&maximal());
    let mut objects = 0;
    for pointer in all_pointers(&whole) {
        let mut broken = whole.clone();
        let Some(members) = broken.pointer_mut(&pointer).and_then(Value::as_object_mut) else {
            continue;
        };
        objects += 1;
        members.insert("extra".into(), json!(0));
        assert!(complaint(&validator, &broken).is_some(), "{pointer} is open");
    }
    assert_eq!(objects, 10);
}

#[test]
fn a_payload_without_a_required_member_is_invalid() {
    let validator = validator();
    let whole = decoded(&minimal());
    for pointer in all_pointers(&whole).into_iter().skip(1) {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut broken = whole.clone();
        let members = broken.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
        members.shift_remove(key);
        assert!(complaint(&validator, &broken).is_some(), "{pointer} is not required");
    }
}

#[test]
fn no_member_takes_a_value_of_another_kind() {
    let validator = validator();
    let whole = decoded(&maximal());
    let others = [
        json!("/home/tim"),
        json!(""),
        json!(-1),
        json!(1.5),
        json!(null),
        json!([]),
        json!(["Tim's editor"]),
        json!({}),
        json!("Interactive"),
        json!("2026-11-22T12:06:00+01:00"),
    ];
    let fine = [
        ("/autostart_enabled", json!(null)),
        ("/activation/mcp_clients_seen_ever", json!([])),
        ("/previous_version", json!("")),
        ("/diagnostics/error_code_counts_24h", json!({})),
        ("/diagnostics/current_error_codes", json!({})),
    ];
    for pointer in all_pointers(&whole) {
        for other in &others {
            let mut broken = whole.clone();
            *broken.pointer_mut(&pointer).unwrap() = other.clone();
            let fine = fine.iter().any(|(at, value)| *at == pointer && value == other);
            assert_eq!(complaint(&validator, &broken).is_none(), fine, "{pointer} = {other}");
        }
    }
}

#[test]
fn a_seventeenth_client_and_a_repeated_client_are_invalid() {
    let validator = validator();
    let names = |count: usize| (0..count).map(|i| format!("client{i}")).collect::<Vec<_>>();
    for (clients, valid) in [
        (names(16), true),
        (names(17), false),
        (vec!["cursor".to_owned(), "cursor".to_owned()], false),
    ] {
        let mut payload = minimal();
        payload.activation.mcp_clients_seen_ever = clients;
        assert_eq!(complaint(&validator, &decoded(&payload)).is_none(), valid);
    }
}

proptest! {
    #[test]
    fn every_payload_is_valid(payload in payloads()) {
        let complaint = complaint(&validator(), &decoded(&payload));
        prop_assert_eq!(complaint, None);
    }

    /// A receiver of v3 that ignores what it does not know reads a heartbeat v4 unchanged.
    #[test]
    fn every_payload_is_valid_v3_without_the_new_members_and_with_its_version(payload in payloads()) {
        let new = decoded(&payload);
        prop_assert!(complaint(&validator_of(3), &new).is_some());
        let old = as_v3(new.clone());
        prop_assert_eq!(complaint(&validator_of(3), &old), None);
        // Nothing else was taken out.
        prop_assert!(complaint(&validator(), &old).is_some());
        let kept = |value: &Value| all_pointers(value).len();
        let added: usize = ADDED.iter().filter_map(|at| new.pointer(at)).map(kept).sum();
        prop_assert_eq!(kept(&old) + added, kept(&new));
    }
}

//! A valid heartbeat with every member, and ways to change it.
//!
//! One rule: the fuzz targets begin with the same one: `fuzz/src/lib.rs` takes this file.

use mcpproxy::contract::tables::ADDED_IN_V4;
use mcpproxy::contract::{
    Activation, AgentEnv, Arch, BuiltinToolCalls, CallBucket, Diagnostics, Edition, EnvKind,
    EnvMarkers, LaunchSource, Os, Payload, Product, RoutingMode, ServerProtocolCounts, Shutdown,
    SurfaceRequests, TokensBucket,
};
use mcpproxy::gate::Own;
use serde_json::Value;

/// A heartbeat with every member, of an install whose clients have these names.
pub fn of_clients(clients: &[impl AsRef<str>]) -> Payload {
    Payload {
        product: Product { name: "acme.notes-mcp".to_owned(), version: "1.4.0-rc.1".to_owned() },
        anonymous_id: "3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2".to_owned(),
        env_kind: EnvKind::Interactive,
        env_markers: EnvMarkers { has_tty: true, has_display: true, ..EnvMarkers::default() },
        agent_env: AgentEnv::Cloud,
        launch_source: LaunchSource::Cli,
        autostart_enabled: Some(false),
        activation: Activation {
            first_connected_server_ever: true,
            first_mcp_client_ever: true,
            first_retrieve_tools_call_ever: true,
            first_real_tool_call_ever: true,
            mcp_clients_seen_ever: clients.iter().map(|name| name.as_ref().to_owned()).collect(),
            retrieve_tools_calls_24h: 11,
            estimated_tokens_saved_24h_bucket: TokensBucket::UpTo10k,
            configured_ide_count: 2,
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

/// [`of_clients`] as it is sent.
pub fn bytes_of(clients: &[&str]) -> Vec<u8> {
    of_clients(clients).encode()
}

/// What the sender of [`of_clients`] vouches for.
pub fn own() -> Own {
    own_of(&of_clients(&[""; 0]))
}

/// What the sender of `payload` vouches for.
pub fn own_of(payload: &Payload) -> Own {
    Own {
        product: payload.product.clone(),
        anonymous_id: payload.anonymous_id.clone(),
        anonymous_id_created_at: payload.anonymous_id_created_at.clone(),
        version: payload.version.clone(),
        previous_version: payload.previous_version.clone(),
        timestamp: payload.timestamp.clone(),
    }
}

/// [`of_clients`] as a JSON value, to be changed.
pub fn value(clients: &[&str]) -> Value {
    serde_json::from_slice(&bytes_of(clients)).unwrap()
}

/// [`value`] as a program of the version before sent it: without the new members, with the second of the id.
pub fn value_v3(clients: &[&str]) -> Value {
    let mut value = value(clients);
    for added in ADDED_IN_V4 {
        let pointer = added.replace("/properties/", "/");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        value.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(name).unwrap();
    }
    value["schema_version"] = 3.into();
    value["anonymous_id_created_at"] = "2026-01-11T08:00:59Z".into();
    value
}

/// The pointers of all values below `value`, its own first.
pub fn pointers(value: &Value) -> Vec<String> {
    fn visit(value: &Value, at: String, out: &mut Vec<String>) {
        out.push(at.clone());
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(key, member)| visit(member, format!("{at}/{key}"), out));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, item)| visit(item, format!("{at}/{i}"), out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    visit(value, String::new(), &mut out);
    out
}

/// Every value that has `secret` somewhere that `base` has not: in place of and around every value, as
/// a key, and as an added member.
pub fn injections(base: &Value, secret: &str) -> Vec<Value> {
    let mut out = Vec::new();
    let mut change = |pointer: &str, edit: &dyn Fn(&mut Value)| {
        let mut changed = base.clone();
        edit(changed.pointer_mut(pointer).unwrap());
        out.push(changed);
    };
    for pointer in pointers(base) {
        change(&pointer, &|place| *place = secret.into());
        match base.pointer(&pointer).unwrap() {
            Value::String(text) => {
                let glued = [format!("{text}{secret}"), format!("{secret}{text}")];
                let apart = [format!("{text}-{secret}"), format!("{secret}.{text}")];
                // Inside a longer word (`optimal`) a private word is none, and a client may have any.
                let free = pointer.starts_with("/activation/mcp_clients");
                for around in glued.iter().filter(|_| !free).chain(&apart) {
                    change(&pointer, &|place| *place = around.as_str().into());
                }
            }
            Value::Array(items) => {
                for at in [0, items.len()] {
                    change(&pointer, &|place| {
                        place.as_array_mut().unwrap().insert(at, secret.into())
                    });
                }
                change(&pointer, &|place| *place = serde_json::json!([[secret]]));
            }
            Value::Object(members) => {
                for key in ["hostname", "x", "", "anonymous_id2"] {
                    change(&pointer, &|place| place[key] = secret.into());
                }
                change(&pointer, &|place| place[secret] = true.into());
                change(&pointer, &|place| place[secret] = secret.into());
                for name in members.keys() {
                    change(&pointer, &|place| {
                        let members = place.as_object_mut().unwrap();
                        let value = members.shift_remove(name).unwrap();
                        members.insert(secret.to_owned(), value);
                    });
                    change(&pointer, &|place| place[format!("{name}{secret}")] = 1.into());
                }
            }
            _ => {}
        }
    }
    out
}

//! Real clients that start the gateway themselves: `mcpproxy serve --stdio`.

use super::clients::home_of;
use super::host::is_alive;
use super::tour::{CLIENTS, Client, Target, check_full, full};
use super::upstreams;
use crate::parts::Parts;
use crate::session::{MCPPROXY, run};
use serde_json::{Value, json};
use std::ffi::OsString;

fn serve() -> Vec<OsString> {
    [MCPPROXY, "serve", "--stdio"].map(OsString::from).to_vec()
}

fn by_name(name: &str) -> &'static Client {
    CLIENTS.iter().find(|client| client.name == name).expect("a client")
}

/// One client, one home: the name is there once, and nothing the gateway started is left.
fn full_tour(name: &str) {
    let Some(parts) = Parts::find() else { return };
    let client = by_name(name);
    let root = tempfile::tempdir().expect("a directory");
    let home = home_of(&upstreams::for_tours(&parts, root.path()));
    let outcomes = client.play(&parts, &home, &Target::Command(&serve()), &full());
    check_full(client, &outcomes);
    let activation = &home.status()["activation"];
    assert_eq!(activation["mcp_clients_seen_ever"], json!([client.name]));
    assert_eq!(activation["retrieve_tools_calls_24h"], 1);
    assert_eq!(activation["first_connected_server_ever"], true);
    let left = || leftovers(&root.path().display().to_string());
    assert!(crate::session::happens(|| left().is_empty()), "still running: {:?}", left());
}

/// Processes whose command line names this directory.
fn leftovers(directory: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("this needs /proc");
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| is_alive(pid) && super::host::command_line(pid).contains(directory))
        .collect()
}

#[test]
fn the_typescript_sdk_of_the_handshake_era() {
    full_tour("typescript-1");
}

#[test]
fn the_typescript_sdk_asks_in_a_process_of_its_own_and_goes_on_in_the_modern_era() {
    full_tour("typescript-2-auto");
}

#[test]
fn the_typescript_sdk_in_the_modern_era() {
    full_tour("typescript-2-modern");
}

#[test]
fn the_python_sdk_with_a_handshake() {
    full_tour("python-legacy");
}

#[test]
fn the_python_sdk_that_asks_first() {
    full_tour("python-auto");
}

#[test]
fn the_python_sdk_in_the_modern_era() {
    full_tour("python-modern");
}

#[test]
fn the_fastmcp_client() {
    full_tour("fastmcp-auto");
}

#[test]
fn the_inspectors() {
    let Some(parts) = Parts::find() else { return };
    let home = home_of(&json!({}));
    for (script, era) in [
        ("@modelcontextprotocol/inspector/cli/build/cli.js", &[][..]),
        ("inspector-2/clients/launcher/build/index.js", &["--protocol-era", "modern"][..]),
    ] {
        let mut command: Vec<OsString> =
            vec!["node".into(), parts.node_modules().join(script).into()];
        command.push("--cli".into());
        command.extend(serve());
        command.extend(["--method", "tools/list"].iter().chain(era).map(OsString::from));
        let ended = run(&mut home.shell(&[], &command));
        assert!(ended.status.success(), "{script}: {}{}", ended.stdout, ended.stderr);
        let listed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(listed["tools"].as_array().map(Vec::len), Some(3), "{script}: {listed}");
    }
    let seen = &home.status()["activation"]["mcp_clients_seen_ever"];
    assert_eq!(seen, &json!(["inspector-cli"]));
}

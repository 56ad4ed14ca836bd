//! Started by a real SDK, whose servers get only `HOME LOGNAME PATH SHELL TERM USER`: what the user's
//! shell exports is found in the ancestors all the same.

use crate::parts::{Client, Parts, Server};
use crate::session::{Ended, Home, MCPPROXY, TAP, play, run};
use serde_json::{Value, json};
use std::ffi::OsString;

/// What the SDKs pass on.
const PASSED_ON: [&str; 6] = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"];

/// Runs a client from a shell that exports variables first: not its own initial environment.
fn below_a_shell(parts: &Parts, home: &Home, exports: &str, client: Vec<OsString>) -> Ended {
    let script = format!("{exports}\n\"$@\"\nexit $?");
    let mut command: Vec<OsString> = ["sh", "-c", &script, "sh"].map(OsString::from).into();
    command.extend(client);
    let ended = run(home.shell(&[], &command).env("NODE_PATH", parts.node_modules()));
    assert!(ended.status.success(), "the client failed: {}", ended.stderr);
    ended
}

/// A TypeScript session with the everything server behind a tap, asking for the server's environment.
fn asking_for_the_environment(parts: &Parts) -> Vec<OsString> {
    let session = json!({ "name": "claude-code", "calls": [["get-env", {}]] });
    let tap = [MCPPROXY, "tap", "--"].map(OsString::from);
    let served: Vec<OsString> = tap.into_iter().chain(Server::Everything.command(parts)).collect();
    Client::TypeScript(session).command(parts, &served)
}

fn environment_of_the_server(client: &Ended) -> Vec<String> {
    let answer: Value = serde_json::from_str(&client.stdout).expect("the client prints JSON");
    let text = answer["results"][0]["content"][0]["text"].as_str().expect("a text block");
    let environment: Value = serde_json::from_str(text).expect("get-env answers with JSON");
    environment.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn do_not_track_of_the_shell_reaches_a_tap_whose_own_environment_lacks_it() {
    let Some(parts) = Parts::find() else { return };
    for objection in ["export DO_NOT_TRACK=1", "export MCPPROXY_TELEMETRY=off"] {
        let home = Home::without_data_dir();
        let client = below_a_shell(&parts, &home, objection, asking_for_the_environment(&parts));
        let environment = environment_of_the_server(&client);
        assert!(environment.iter().all(|name| PASSED_ON.contains(&name.as_str())));
        assert!(!home.data_dir().exists(), "{objection}: something was written");
        assert!(!home.root().join(".mcpproxy").exists(), "{objection}: something was written");
    }
}

#[test]
fn without_an_objection_the_same_session_is_recorded_in_the_home_the_shell_named() {
    let Some(parts) = Parts::find() else { return };
    let home = Home::without_data_dir();
    below_a_shell(&parts, &home, "", asking_for_the_environment(&parts));
    assert!(home.data_dir().join("telemetry").is_dir(), "MCPPROXY_HOME of an ancestor");
    assert!(!home.root().join(".mcpproxy").exists(), "the default directory stays untouched");
    let seen = &home.status()["activation"]["mcp_clients_seen_ever"];
    assert_eq!(seen, &json!(["claude-code"]));
}

/// The server's command is a shell that asks the binary what it sees, then becomes the tap.
fn looking_around(parts: &Parts, home: &Home) -> Vec<OsString> {
    let root = home.root().display();
    let script = format!(
        "tr '\\0' '\\n' < /proc/$$/environ > {root}/environ
         {MCPPROXY} detect -o json > {root}/detect
         {MCPPROXY} telemetry show-payload > {root}/payload 2> /dev/null
         exec {MCPPROXY} tap -- \"$@\""
    );
    let mut served: Vec<OsString> = ["sh", "-c", &script, "sh"].map(OsString::from).into();
    served.extend(Server::Everything.command(parts));
    Client::echoing("claude-code").command(parts, &served)
}

fn seen_from_the_server(parts: &Parts, exports: &str) -> (Value, Value) {
    let home = Home::new();
    below_a_shell(parts, &home, exports, looking_around(parts, &home));
    let read = |name: &str| std::fs::read_to_string(home.root().join(name)).expect("written");
    for line in read("environ").lines() {
        let name = line.split('=').next().unwrap_or(line);
        assert!(PASSED_ON.contains(&name), "the SDK passed {name} on");
    }
    let parse = |name: &str| serde_json::from_str(&read(name)).expect("JSON");
    (parse("detect"), parse("payload"))
}

#[test]
fn a_ci_job_is_seen_from_a_server_that_got_none_of_its_variables() {
    if !std::path::Path::new("/proc/self/environ").exists() {
        return crate::parts::skip("ancestors' environments are read from /proc");
    }
    let Some(parts) = Parts::find() else { return };
    let exports = "export CI=true GITHUB_ACTIONS=true";
    let (detected, payload) = seen_from_the_server(&parts, exports);
    for seen in [&detected, &payload] {
        assert_eq!(seen["env_kind"], "ci", "{seen}");
        assert_eq!(seen["env_markers"]["has_ci_env"], true, "{seen}");
        assert_eq!(seen["env_markers"]["has_tty"], false, "{seen}");
        assert_eq!(seen["launch_source"], "unknown", "{seen}");
    }
    let (detected, payload) = seen_from_the_server(&parts, "export CI=false");
    for seen in [&detected, &payload] {
        assert_ne!(seen["env_kind"], "ci", "{seen}");
        assert_eq!(seen["env_markers"]["has_ci_env"], false, "{seen}");
    }
}

#[test]
fn the_python_sdk_reduces_the_environment_too_and_the_objection_is_found() {
    let Some(parts) = Parts::find() else { return };
    let home = Home::without_data_dir();
    let tap = [MCPPROXY, "tap", "--"].map(OsString::from);
    let served: Vec<OsString> = tap.into_iter().chain(Server::Time.command(&parts)).collect();
    let client = Client::Python(json!({ "name": "claude-ai" })).command(&parts, &served);
    below_a_shell(&parts, &home, "export DO_NOT_TRACK=true", client);
    assert!(!home.data_dir().exists(), "something was written");
}

#[test]
fn switched_off_in_the_config_a_session_writes_nothing() {
    let Some(parts) = Parts::find() else { return };
    let config = r#"{"telemetry": {"enabled": false}}"#;
    let home = Home::with_config(config);
    let played = play(&parts, &home, &Client::echoing("claude-code"), &Server::Everything, TAP);
    assert_eq!(played.at_client, played.at_server);
    let left: Vec<_> = std::fs::read_dir(home.data_dir())
        .expect("the data directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["mcp_config.json"]);
    let kept = std::fs::read_to_string(home.data_dir().join("mcp_config.json"));
    assert_eq!(kept.expect("the config"), config);
}

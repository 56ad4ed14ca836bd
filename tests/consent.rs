//! Consent as a user meets it: real processes, real environments, real files.

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const BIN: &str = env!("CARGO_BIN_EXE_mcpproxy");
const LOOPBACK: &str = "http://127.0.0.1:9";

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn status(home: &Path, env: &[(&str, &str)]) -> Value {
    let mut command = Command::new(BIN);
    command
        .args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"])
        .env_clear()
        .env("HOME", home);
    json(command.envs(env.iter().copied()).output().expect("it starts"))
}

fn json(output: Output) -> Value {
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).expect("JSON")
}

fn config(home: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(home.join(".mcpproxy")).expect("made");
    fs::write(home.join(".mcpproxy/mcp_config.json"), text).expect("written");
}

#[track_caller]
fn check(status: &Value, effective: &str, rule: &str) {
    assert_eq!((&status["effective"], &status["rule"]), (&effective.into(), &rule.into()));
}

#[test]
fn a_fresh_install_of_a_development_build_is_local_only_and_leaves_no_trace() {
    let home = home();
    let status = status(home.path(), &[]);
    check(&status, "local_only", "endpoint:none");
    assert_eq!(status["preference"], "unset");
    assert_eq!(status["anonymous_id"], Value::Null);
    assert_eq!(fs::read_dir(home.path()).expect("read").count(), 0);
}

/// What is true where nothing objects: a build without a sender sends nothing for that reason.
const WILLING: (&str, &str) =
    if cfg!(feature = "heartbeat") { ("on", "default") } else { ("local_only", "build:no-sender") };

#[cfg(feature = "heartbeat")]
#[test]
fn loopback_is_where_a_development_build_may_send() {
    let home = home();
    check(&status(home.path(), &[("MCPPROXY_TELEMETRY_ENDPOINT", LOOPBACK)]), "on", "default");
    config(home.path(), format!(r#"{{"telemetry":{{"endpoint":"{LOOPBACK}/v3"}}}}"#));
    let configured = status(home.path(), &[]);
    check(&configured, "on", "default");
    assert_eq!(configured["endpoint"], format!("{LOOPBACK}/v3/heartbeat"));
    let remote = [("MCPPROXY_TELEMETRY_ENDPOINT", "https://t.example")];
    check(&status(home.path(), &remote), "local_only", "build:no-release-version");
}

#[test]
fn variables_of_the_process_object_and_ci_does_not() {
    let home = home();
    let with = |name, value| {
        status(home.path(), &[(name, value), ("MCPPROXY_TELEMETRY_ENDPOINT", LOOPBACK)])
    };
    check(&with("DO_NOT_TRACK", "1"), "off", "env:DO_NOT_TRACK");
    check(&with("DO_NOT_TRACK", "FALSE"), "off", "env:DO_NOT_TRACK");
    check(&with("DO_NOT_TRACK", "false"), WILLING.0, WILLING.1);
    check(&with("MCPPROXY_TELEMETRY", "off"), "off", "env:MCPPROXY_TELEMETRY");
    check(&with("MCPPROXY_TELEMETRY", " Yes "), WILLING.0, WILLING.1);
    check(&with("CI", "true"), WILLING.0, WILLING.1);
}

/// Runs `status` below a shell that exports `export`, with nothing but HOME and PATH of its own, as the
/// official MCP SDKs start servers.
#[cfg(target_os = "linux")]
fn status_below_shell(export: (&str, &str), home: &Path) -> Value {
    let path = std::env::var("PATH").expect("PATH");
    let script = r#"env -i HOME="$HOME" PATH="$PATH" "$0" telemetry status --product mcpproxy -o json; true"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, BIN]).env_clear().env("HOME", home).env("PATH", path);
    json(shell.env(export.0, export.1).output().expect("a shell"))
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_shell_exports_reaches_a_server_with_a_reduced_environment() {
    let home = home();
    config(home.path(), r#"{"telemetry":{"enabled":true}}"#);
    let tracked = status_below_shell(("DO_NOT_TRACK", "1"), home.path());
    check(&tracked, "off", "ancestor-env:DO_NOT_TRACK");
    assert_eq!(tracked["preference"], "enabled");
    check(
        &status_below_shell(("MCPPROXY_TELEMETRY", "0"), home.path()),
        "off",
        "ancestor-env:MCPPROXY_TELEMETRY",
    );
    check(&status_below_shell(("DO_NOT_TRACK", "0"), home.path()), "local_only", "endpoint:none");
    // An endpoint is the process's own business.
    let endpoint = ("MCPPROXY_TELEMETRY_ENDPOINT", LOOPBACK);
    check(&status_below_shell(endpoint, home.path()), "local_only", "endpoint:none");
}

#[test]
#[cfg(target_os = "linux")]
fn every_variable_of_consent_objects_in_this_process_and_in_an_ancestor() {
    let home = home();
    for name in mcpproxy::consent::VARIABLES {
        check(&status(home.path(), &[(name, "x")]), "off", &format!("env:{name}"));
        let below = status_below_shell((name, "x"), home.path());
        check(&below, "off", &format!("ancestor-env:{name}"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_objection_at_the_end_of_a_huge_environment_counts() {
    let home = home();
    let path = std::env::var("PATH").expect("PATH");
    let script = r#"env -i HOME="$HOME" PATH="$PATH" "$0" telemetry status --product mcpproxy -o json; true"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, BIN]).env_clear().env("HOME", home.path()).env("PATH", path);
    shell.envs((0..8).map(|n| (format!("A{n}"), "x".repeat(100_000)))).env("DO_NOT_TRACK", "1");
    let found = json(shell.output().expect("a shell"));
    check(&found, "off", "ancestor-env:DO_NOT_TRACK");
}

#[test]
#[cfg(target_os = "linux")]
fn the_data_directory_is_found_through_ancestors_too() {
    let home = home();
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::write(elsewhere.join("mcp_config.json"), r#"{"telemetry":{"enabled":false}}"#)
        .expect("written");
    let found =
        status_below_shell(("MCPPROXY_HOME", elsewhere.to_str().expect("UTF-8")), home.path());
    check(&found, "off", "config:telemetry.enabled");
    assert_eq!(found["data_dir"], elsewhere.to_str().expect("UTF-8"));
}

#[test]
fn a_config_that_cannot_be_used_turns_telemetry_off_and_says_why() {
    for (text, why) in [
        (&b""[..], "empty"),
        (b"\0\0\0\0\0\0\0\0", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{} // comment", "not valid JSON"),
        (b"{\"a\":1,\"a\":2}", "duplicate key"),
        (b"[]", "not a JSON object"),
        (b"{\"telemetry\":true}", "`telemetry` must be an object"),
        (b"{\"telemetry\":{\"enabled\":\"false\"}}", "`telemetry.enabled`"),
        (b"{\"telemetry\":{\"anonymous_id\":1}}", "`telemetry.anonymous_id`"),
        (b"{\"telemetry\":{\"client_names\":\"some\"}}", "`telemetry.client_names`"),
    ] {
        let home = home();
        config(home.path(), text);
        let status = status(
            home.path(),
            &[("MCPPROXY_TELEMETRY", "1"), ("MCPPROXY_TELEMETRY_ENDPOINT", LOOPBACK)],
        );
        check(&status, "off", "config:unusable");
        let detail = status["detail"].as_str().expect("text");
        assert!(detail.contains(why) && detail.contains("<data dir>/mcp_config.json"), "{detail}");
    }
}

#[test]
fn what_stands_in_place_of_the_config_turns_telemetry_off_without_hanging() {
    let directory = home();
    fs::create_dir_all(directory.path().join(".mcpproxy/mcp_config.json")).expect("made");
    check(&status(directory.path(), &[]), "off", "config:unusable");
    let file = home();
    fs::write(file.path().join(".mcpproxy"), "").expect("written");
    check(&status(file.path(), &[]), "off", "config:unusable");
}

#[test]
#[cfg(unix)]
fn links_and_pipes_in_place_of_the_config_turn_telemetry_off_without_hanging() {
    use std::os::unix::fs::symlink;
    let dangling = home();
    fs::create_dir(dangling.path().join(".mcpproxy")).expect("made");
    symlink("/nowhere/config.json", dangling.path().join(".mcpproxy/mcp_config.json"))
        .expect("linked");
    check(&status(dangling.path(), &[]), "off", "config:unusable");
    let unmounted = home();
    symlink("/nowhere/else", unmounted.path().join(".mcpproxy")).expect("linked");
    check(&status(unmounted.path(), &[]), "off", "config:unusable");
    let pipe = home();
    fs::create_dir(pipe.path().join(".mcpproxy")).expect("made");
    let made = Command::new("mkfifo").arg(pipe.path().join(".mcpproxy/mcp_config.json")).status();
    assert!(made.expect("mkfifo").success());
    check(&status(pipe.path(), &[]), "off", "config:unusable");
}

#[test]
fn an_id_that_is_no_uuid_is_reported_and_not_shown() {
    let home = home();
    config(home.path(), r#"{"telemetry":{"anonymous_id":"secret-name"}}"#);
    let status = status(home.path(), &[]);
    assert_eq!(status["anonymous_id"], Value::Null);
    let trouble = status["anonymous_id_trouble"].as_str().expect("text");
    assert!(
        trouble.contains("reset-id") && !status.to_string().contains("secret-name"),
        "{trouble}"
    );
}

#[test]
fn without_a_place_to_write_status_says_that_nothing_is_sent() {
    let status = status(home().path(), &[("MCPPROXY_HOME", "/proc/nobody")]);
    assert_eq!(
        status["store"]["state"],
        if cfg!(feature = "activation") { "remote" } else { "not_built" }
    );
    assert!(status["store"]["detail"].is_string());
}

/// As a user who owns nothing: root may write everywhere. `None` where this program is out of its reach.
#[cfg(target_os = "linux")]
fn status_of_nobody(home: &Path) -> Option<Value> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(BIN);
    command
        .args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"])
        .env_clear()
        .env("HOME", home);
    command.env("MCPPROXY_TELEMETRY_ENDPOINT", LOOPBACK).current_dir("/");
    if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
        command.uid(65_534).gid(65_534);
    }
    match command.output() {
        Ok(output) => Some(json(output)),
        Err(error) => {
            skipped!("another user cannot run this program: {error}");
            None
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn where_no_id_can_be_kept_status_says_that_nothing_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    };
    // The data directory is open to everybody, what the config is a link to is not.
    let (data, kept) = (home.path().join(".mcpproxy"), home.path().join("kept"));
    for directory in [&data, &kept] {
        fs::create_dir(directory).expect("made");
    }
    fs::write(kept.join("config.json"), "{}").expect("written");
    std::os::unix::fs::symlink(kept.join("config.json"), data.join("mcp_config.json"))
        .expect("linked");
    for (path, bits) in [(home.path(), 0o755), (data.as_path(), 0o777), (kept.as_path(), 0o555)] {
        mode(path, bits);
    }
    let Some(status) = status_of_nobody(home.path()) else { return };
    let trouble = status["anonymous_id_trouble"].as_str().expect("text");
    assert!(trouble.contains("nothing is sent") && trouble.contains("<data dir>"), "{trouble}");
    assert_eq!(status["heartbeat"]["next_due"], Value::Null);
    mode(&kept, 0o777);
    let status = status_of_nobody(home.path()).expect("it could be run");
    assert_eq!(status["anonymous_id_trouble"], Value::Null);
    // Without its lock the config is not edited.
    fs::create_dir(data.join("config.lock")).expect("made");
    let status = status_of_nobody(home.path()).expect("it could be run");
    let trouble = status["anonymous_id_trouble"].as_str().expect("text");
    assert!(trouble.contains("<data dir>/config.lock cannot be used"), "{trouble}");
    let mut command = Command::new(BIN);
    command.args(["telemetry", "reset-id"]).env_clear().env("HOME", home.path());
    let out = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        !out.status.success()
            && said.contains("config.lock cannot be used: the lock file is not a file")
    );
}

#[test]
#[cfg(feature = "activation")]
fn reset_id_forgets_everything_of_the_old_install() {
    use mcpproxy::activation::{Mark, Store};
    use mcpproxy::paths::DataDir;
    let home = home();
    let dir = DataDir::at(home.path().join(".mcpproxy"));
    let old = mcpproxy::identity::ensure(&dir, 1_795_358_800).expect("an id").anonymous_id;
    let store = Store::open(&dir, 1_795_358_800).expect("a store");
    store.record(Mark::Client("claude-code"), 1_795_358_800);
    fs::create_dir_all(dir.sent()).expect("made");
    fs::write(dir.sent().join("2026-11-22T144600Z.json"), "{}").expect("written");
    let before = status(home.path(), &[]);
    assert_eq!(before["anonymous_id"], old);
    assert_eq!(before["activation"]["mcp_clients_seen_ever"][0], "claude-code");
    let run = Command::new(BIN)
        .args(["telemetry", "reset-id"])
        .env_clear()
        .env("HOME", home.path())
        .output();
    assert!(run.expect("it starts").status.success());
    let after = status(home.path(), &[]);
    assert!(after["anonymous_id"].is_string() && after["anonymous_id"] != old);
    assert_eq!(after["activation"]["first_mcp_client_ever"], false);
    assert_eq!(after["store"]["state"], "none");
    assert!(!dir.sent().exists() && !dir.checkpoint().exists());
}

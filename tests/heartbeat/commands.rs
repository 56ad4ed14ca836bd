//! `telemetry send` and `telemetry show-payload` as a user runs them.

use crate::receiver::{Receiver, Reply};
use std::path::Path;
use std::process::{Command, Output};

pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

pub fn run(home: &Path, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_mcpproxy"))
        .arg("telemetry")
        .args(args)
        .env_clear()
        .env("MCPPROXY_HOME", home.join("data"))
        .envs(variables.iter().copied())
        .output()
        .expect("the built command");
    Ran {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn send_now_shows_the_notice_sends_and_shows_the_same_bytes_while_they_are_pending() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([Reply::status(503)]);
    let endpoint = receiver.endpoint();
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];

    let first = run(home.path(), &["send", "--now"], &variables);
    assert_eq!((first.code, first.stdout.len()), (Some(1), 0), "{}", first.stderr);
    assert!(first.stderr.contains("show-payload") && first.stderr.contains("503"));
    let shown = run(home.path(), &["show-payload"], &variables);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    assert_eq!(shown.stdout, receiver.requests()[0].body);

    let second = run(home.path(), &["send", "--now"], &variables);
    assert_eq!((second.code, second.stderr.as_str()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&second.stdout).starts_with("sent: "));
    assert_eq!(receiver.requests()[1].body, shown.stdout);
    // Once more in the same second there is nothing new to say; in the next one there is.
    let again = run(home.path(), &["send", "--now"], &variables);
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.starts_with("not sent again: ") || said.starts_with("sent: "), "{said}");
    let sent = if said.starts_with("sent: ") { 3 } else { 2 };
    let third = run(home.path(), &["send"], &variables);
    assert_eq!(third.code, Some(0));
    let said = String::from_utf8_lossy(&third.stdout);
    assert!(said.starts_with("not due: next in "), "{said}");
    assert_eq!(receiver.connections(), sent);
}

#[test]
fn send_and_status_agree_about_the_next_attempt() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let version = mcpproxy::build_info::VERSION;
    let retired = format!(r#"{{"retired":{{"product":"mcpproxy","version":"{version}"}}}}"#);
    let again = |after: &str| Reply::Status(503, vec![("retry-after", after.to_owned())]);
    let receiver = Receiver::start([
        Reply::status(404),
        again("7200"),
        Reply::status(204),
        Reply::status(400),
        again("90000"),
        Reply::Body(410, retired),
    ]);
    let endpoint = receiver.endpoint();
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    let shown = |args: &[&str]| {
        let ran =
            run(home.path(), &[&["status", "--product", "mcpproxy"], args].concat(), &variables);
        String::from_utf8(ran.stdout).expect("text")
    };
    let next = || {
        let status: serde_json::Value =
            serde_json::from_str(&shown(&["-o", "json"])).expect("JSON");
        status["heartbeat"]["next_due"].as_str().map(str::to_owned)
    };
    // Nothing follows by itself before a host has started.
    let ran = run(home.path(), &["send", "--now"], &variables);
    let said = &ran.stderr;
    assert!(said.contains("the endpoint answered 404"), "{said}");
    assert!(said.contains("; the next attempt is made once a host has started"), "{said}");
    assert_eq!(said.contains("(MCPX_ENDPOINT_REFUSED)"), cfg!(feature = "cli"), "{said}");
    assert_eq!(next(), None);
    let row =
        |shown: &str| shown.lines().find(|line| line.starts_with("  next")).map(str::to_owned);
    assert!(row(&shown(&[])).is_some_and(|row| row.ends_with("when a host has started")));
    assert_eq!(
        run(home.path(), &["send"], &variables).stdout,
        b"not due: no host has started yet\n"
    );
    // Then each answer of the endpoint, and what `send` says of it at once and later.
    for (code, reply) in [(1, "503"), (0, "sent: "), (1, "400"), (1, "503"), (1, "410")] {
        // No two heartbeats of one second are taken.
        let sent = receiver.connections();
        let ran = loop {
            let ran = run(home.path(), &["send", "--now"], &variables);
            if receiver.connections() > sent {
                break ran;
            }
        };
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
        assert_eq!(ran.code, Some(code), "{said}");
        assert!(said.contains(reply), "{said}");
        let next = next().expect("a time");
        assert!(code == 0 || said.contains(&format!(", at {next}\n")), "{next} is not in {said}");
        assert!(row(&shown(&[])).is_some_and(|row| row.ends_with(&next)));
        let ran = run(home.path(), &["send"], &variables);
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(
            said.starts_with("not due: ") && said.contains(&format!(", at {next}")),
            "{next}: {said}"
        );
    }
}

#[test]
fn a_retired_version_is_said_and_asks_only_when_a_user_wants_it() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let version = mcpproxy::build_info::VERSION;
    let body = format!(r#"{{"retired":{{"product":"mcpproxy","version":"{version}"}}}}"#);
    let receiver = Receiver::start([Reply::Body(410, body)]);
    let endpoint = receiver.endpoint();
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&run(home.path(), args, &variables).stdout).expect("JSON")
    };
    let ran = run(home.path(), &["send", "--now"], &variables);
    assert!(ran.stderr.contains("410: this version is retired"), "{}", ran.stderr);
    assert_eq!(ran.stderr.contains("(MCPX_ENDPOINT_RETIRED)"), cfg!(feature = "cli"));
    let status = run(home.path(), &["status"], &variables);
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(said.contains("The endpoint retired this version: nothing is sent until "), "{said}");
    let until = json(&["status", "-o", "json"])["products"][0]["retired_until"].clone();
    assert!(until.is_string() && said.contains(until.as_str().expect("a time")), "{until}");
    let ran = run(home.path(), &["send"], &variables);
    assert_eq!(ran.stdout, b"not due: no host has started yet\n");
    let ran = run(home.path(), &["send", "--now"], &variables);
    assert!(ran.stdout.starts_with(b"sent: "), "{}", ran.stderr);
    assert_eq!(receiver.connections(), 2);
    let status = json(&["status", "--product", "mcpproxy", "-o", "json"]);
    assert_eq!(status["heartbeat"]["retired_until"], serde_json::Value::Null, "acknowledged since");
}

#[test]
fn eight_users_of_now_at_once_send_one() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([]);
    let endpoint = receiver.endpoint();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
                let ran = run(home.path(), &["send", "--now"], &variables);
                assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            });
        }
    });
    assert_eq!(receiver.connections(), 1);
}

#[test]
fn nothing_is_sent_and_nothing_is_made_without_consent() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([]);
    let endpoint = receiver.endpoint();
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str()), ("DO_NOT_TRACK", "1")];
    for args in [&["send"][..], &["send", "--now"]] {
        let ran = run(home.path(), args, &variables);
        assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0));
        assert!(ran.stderr.contains("DO_NOT_TRACK"), "{}", ran.stderr);
    }
    let shown = run(home.path(), &["show-payload"], &variables);
    assert_eq!(shown.code, Some(0), "what would be sent is shown all the same");
    assert!(shown.stderr.contains("telemetry is off"), "{}", shown.stderr);
    assert!(!home.path().join("data").exists());
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn without_any_host_nothing_is_due_and_nothing_is_made() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:9")];
    let ran = run(home.path(), &["send"], &variables);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.stdout, b"not due: no host has started yet\n");
    assert!(!home.path().join("data").exists());
}

#[test]
fn a_time_can_be_given_to_show_payload() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let at = |time: &str| run(home.path(), &["show-payload", "--at", time], &[]);
    let (seconds, text) = (at("1800000000"), at("2027-01-15T08:00:00Z"));
    assert_eq!(seconds.code, Some(0));
    assert_eq!(seconds.stdout, text.stdout);
    assert!(String::from_utf8_lossy(&text.stdout).contains("\"2027-01-15T08:00:00Z\""));
    assert_eq!(at("noon").code, Some(2));
    assert!(!home.path().join("data").exists());
}

#[test]
fn what_a_damaged_store_will_be_restored_to_is_shown() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([Reply::status(503)]);
    let endpoint = receiver.endpoint();
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    run(home.path(), &["send", "--now"], &variables);
    let data = home.path().join("data/telemetry/data.mdb");
    std::fs::write(&data, b"junk").expect("the damage");

    let shown = run(home.path(), &["show-payload"], &variables);
    assert_eq!(shown.stdout, receiver.requests()[0].body, "the pending bytes");
    assert!(shown.stderr.contains("damaged"), "{}", shown.stderr);
    let status = run(home.path(), &["status", "--product", "mcpproxy", "-o", "json"], &variables);
    let status = String::from_utf8_lossy(&status.stdout).replace([' ', '\n'], "");
    assert!(status.contains(r#""state":"damaged""#), "{status}");
    assert!(status.contains(r#""pending":true"#), "{status}");
    assert_eq!(std::fs::read(&data).expect("the damage"), b"junk", "a look repairs nothing");

    run(home.path(), &["send", "--now"], &variables);
    assert_eq!(receiver.requests()[1].body, shown.stdout);
}

#[test]
fn status_says_of_a_running_host_what_the_payload_says() {
    use mcpproxy::activation::{LiveCounts, LiveMark, LiveProcess, Store};
    use mcpproxy::contract::{AgentEnv, EnvKind, EnvMarkers, LaunchSource, RoutingMode};
    use mcpproxy::paths::DataDir;
    let home = tempfile::tempdir().expect("a temporary directory");
    let now = mcpproxy::machine::now();
    let mark = LiveMark {
        nonce: 7,
        at: now,
        started_at: now,
        routing_mode: RoutingMode::Direct,
        process: LiveProcess {
            launch_source: LaunchSource::Tray,
            autostart_enabled: Some(true),
            env_kind: EnvKind::CloudIde,
            env_markers: EnvMarkers { has_cloud_ide_env: true, ..EnvMarkers::default() },
            agent_env: AgentEnv::Cloud,
        },
        counts: LiveCounts {
            server_count: Some(2),
            configured_ide_count: 3,
            ..LiveCounts::default()
        },
    };
    let store = Store::open(&DataDir::at(home.path().join("data")), now).expect("a store");
    for installer in [false, true] {
        store
            .update(true, |state| {
                state.live_serve = Some(mark.clone());
                state.install.installer_pending = installer;
            })
            .expect("stored");
        let json = |args: &[&str]| -> serde_json::Value {
            serde_json::from_slice(&run(home.path(), args, &[]).stdout).expect("JSON")
        };
        let (status, payload) =
            (json(&["status", "--product", "mcpproxy", "-o", "json"]), json(&["show-payload"]));
        for key in [
            "env_kind",
            "env_markers",
            "agent_env",
            "launch_source",
            "autostart_enabled",
            "activation",
        ] {
            assert_eq!(status[key], payload[key], "{key}");
        }
        let said = if installer { "installer" } else { "tray" };
        assert_eq!(status["launch_source"], said);
    }
}

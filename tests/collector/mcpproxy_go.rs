//! Heartbeats of mcpproxy-go, schema 1 to 13: received where the operator asked for them, as a product of their
//! own, without what identifies a machine.

use crate::running::{Answer, Collector, heartbeat_v3, id, kept, now};
use crate::versions::{counts, found_in};
use mcpproxy::collector::code::{Code, Met};
use mcpproxy::collector::definitions::who::is_release;
use mcpproxy::collector::row::InstallRow;
use mcpproxy::contract::{AgentEnv, Arch, Edition, EnvKind, LaunchSource, Os, timestamp};
use serde_json::{Value, json};
use std::path::Path;

const GO: &str = "mcpproxy-go";

/// A heartbeat as version `version` of its contract builds it, from what each version added.
fn built(version: u64, install: u64, claimed: u64) -> Value {
    let mut beat = json!({
        "anonymous_id": id(install), "version": "v0.21.3", "edition": "personal", "os": "darwin", "arch": "arm64",
        "go_version": "go1.24.canary", "server_count": 7, "connected_server_count": 5, "tool_count": 61,
        "uptime_hours": 26, "routing_mode": "retrieve_tools", "quarantine_enabled": true,
        "timestamp": timestamp::format(claimed),
    });
    let mut add = |since: u64, members: Value| {
        if version >= since {
            let Value::Object(members) = members else { unreachable!("written above") };
            beat.as_object_mut().expect("an object").extend(members);
        }
    };
    add(
        2,
        json!({
            "schema_version": version, "anonymous_id_created_at": "2026-09-21T08:15:00Z",
            "current_version": "v0.21.3", "previous_version": "v0.21.2", "last_startup_outcome": "canary-success",
            "surface_requests": {"mcp": 40, "cli": 3, "webui": 2, "tray": 9, "unknown": 0},
            "builtin_tool_calls": {"retrieve_tools": 12, "call_tool_read": 3, "upstream_servers": 1},
            "upstream_tool_call_count_bucket": "11-100",
            "rest_endpoint_calls": {"GET /api/v1/canary": {"2xx": 4}},
            "feature_flags": {"enable_socket": true, "canary_oauth_types": ["canary-google"]},
            "error_category_counts": {"canary_timeout": 2},
            "doctor_checks": {"canary_check": {"pass": 1, "fail": 0}},
        }),
    );
    add(
        3,
        json!({
            "server_protocol_counts": {"stdio": 5, "http": 1, "sse": 0, "streamable_http": 1, "auto": 0},
            "server_docker_isolated_count": 2, "env_kind": "interactive",
            "env_markers": {"has_ci_env": false, "has_cloud_ide_env": false, "is_container": false, "has_tty": true,
                            "has_display": true},
            "launch_source": "tray", "autostart_enabled": true,
            "activation": {
                "first_connected_server_ever": true, "first_mcp_client_ever": true,
                "first_retrieve_tools_call_ever": true, "mcp_clients_seen_ever": ["claude-code", "acme-agent"],
                "retrieve_tools_calls_24h": 12, "estimated_tokens_saved_24h_bucket": "10k_100k",
                "configured_ide_count": 2,
            },
            // Servers x uptime / 30 s: not what the name says from version 11 on.
            "diagnostics": {"error_code_counts_24h": {"MCPX_CANARY": 2880}, "fix_attempted_24h": 0,
                            "fix_succeeded_24h": 0, "unique_codes_ever": 1},
        }),
    );
    add(
        4,
        json!({"connected_client_count": 1, "connected_client_ids": ["canary-client"], "wizard_step": "canary"}),
    );
    add(6, json!({"machine_id": "canary-machine-7c9e6679"}));
    add(
        7,
        json!({"days_since_install": 68, "active_days_30d": 21, "previous_shutdown": "crash",
               "last_error_code": "MCPX_CANARY", "web_ui_opened": true, "wizard_shown": false}),
    );
    add(
        8,
        json!({"tpa_scanner": {"canary": {"findings": {"high": 1}}}, "preflight": {"canary": true}}),
    );
    add(9, json!({"trust_mode_distribution": {"canary-strict": 4}}));
    add(10, json!({"tool_response_mode": "canary-full"}));
    if version >= 11 {
        beat["diagnostics"]["current_error_codes"] = json!({"MCPX_CANARY": 1});
    }
    if version >= 12 {
        beat["heartbeat_id"] = json!(format!("canary-{version}-{install}-{claimed}"));
    }
    if version >= 13 {
        beat["member_count_bucket"] = json!("canary-2-5");
        beat["server_edition_sso"] = json!(false);
    }
    beat
}

fn start(dir: &Path) -> Collector {
    Collector::start_with(dir, &["--accept", GO, "--product", "mcpproxy"], &[])
}

fn post(collector: &Collector, value: &Value) -> Answer {
    collector.post(value.to_string().as_bytes())
}

/// The only install.
fn row(collector: &Collector) -> InstallRow {
    let mut rows = collector.reader().rows(GO).expect("rows");
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn beats(collector: &Collector) -> u64 {
    let days = collector.reader().days(GO).expect("days");
    days.iter().map(|(_, day)| day.deltas[0]).sum::<u64>() / 40
}

#[test]
fn each_of_its_versions_is_read_by_what_it_says() {
    for version in 1..=13 {
        let place = tempfile::tempdir().expect("a temporary directory");
        let collector = start(place.path());
        let answer = post(&collector, &built(version, version, now()));
        assert!(answer.is_stored(), "{version}: {answer:?}");
        let row = row(&collector);
        let first = &row.first;
        assert_eq!((first.os, first.arch), (Os::Darwin, Arch::Arm64), "{version}");
        assert_eq!((first.edition, first.version.as_str()), (Some(Edition::Personal), "0.21.3"));
        assert_eq!(first.agent_env, None::<AgentEnv>, "none of its versions says");
        let days = collector.reader().days(GO).expect("days");
        let day = &days[0].1;
        assert_eq!((day.gauges.servers, day.gauges.tools), (Some(7), Some(61)));
        // What a version does not say is not made up.
        let says = |since: u64| version >= since;
        assert_eq!(day.deltas, if says(2) { [40, 3, 2, 9, 0, 12, 0, 0] } else { [0; 8] });
        assert_eq!(day.gauges.calls_bucket, says(2).then_some(2));
        assert_eq!(first.markers.map(|markers| markers.has_display), says(3).then_some(true));
        let kind = if says(3) { EnvKind::Interactive } else { EnvKind::Unknown };
        let source = if says(3) { LaunchSource::Tray } else { LaunchSource::Unknown };
        assert_eq!((first.kind, first.launch_source), (kind, source));
        let reached = [true, says(3), says(3), says(3), false];
        assert_eq!(row.steps.map(|step| step.is_some()), reached, "{version}");
        let clients: &[&str] = if says(3) { &["acme-agent", "claude-code"] } else { &[] };
        assert_eq!(row.clients, clients);
        assert_eq!(day.gauges.active_days, says(7).then_some(21));
        assert_eq!(day.gauges.shutdown, says(7).then_some(0), "crash");
        let other = Met { code: Code::OTHER, changes: 2880, servers: 1 };
        assert_eq!(day.codes, says(11).then_some(other).into_iter().collect::<Vec<_>>());
        // It ran here before this product's first day: no new install.
        assert_eq!(row.carried_over, says(7), "{version}");
        // Nothing that it is alone in saying is anywhere, and nothing of a machine.
        assert_eq!(found_in(place.path(), &["canary", "7c9e6679", &id(version)]), [""; 0]);
        let counted = counts(&collector.reader());
        assert_eq!(counted, json!({"stored": 1}), "it has no part in the counts of our contract");
    }
}

#[test]
fn without_accept_none_of_them_is_received_and_nothing_changes() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--any-product", "--product", "mcpproxy", "--product", GO];
    let collector = Collector::start_with(place.path(), &words, &[]);
    for version in 1..=13 {
        let answer = post(&collector, &built(version, version, now()));
        assert_eq!(answer.code, 400, "{version}: {answer:?}");
    }
    let beacon = json!({"event": "telemetry_disabled", "anonymous_id": id(1)});
    assert_eq!(post(&collector, &beacon).code, 400);
    assert!(collector.post(&heartbeat_v3(1, now())).is_stored(), "ours are received as ever");
    assert_eq!(collector.reader().rows(GO).map(|rows| rows.len()), Ok(0));
}

/// Both have a schema 3. Ours is closed, so the members that all of theirs have tell them apart.
#[test]
fn our_own_heartbeats_stay_ours() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = start(place.path());
    assert!(collector.post(&heartbeat_v3(1, now())).is_stored());
    assert!(post(&collector, &built(3, 2, now())).is_stored());
    let installs = |product: &str| collector.reader().rows(product).expect("rows").len();
    assert_eq!((installs("mcpproxy"), installs(GO)), (1, 1));
    // One of ours that the gate refuses does not become one of theirs.
    let ours = String::from_utf8(heartbeat_v3(3, now())).expect("text");
    for (from, to) in
        [("claude-code", "ghp-0123456789abcdefghijkl"), ("\"os\":\"linux\"", "\"os\":1")]
    {
        assert_eq!(collector.post(ours.replace(from, to).as_bytes()).code, 400);
    }
    // Nor do a later version without a product, or one that never was.
    for version in [0, 14, 15] {
        let mut beat = built(13, 4, now());
        beat["schema_version"] = json!(version);
        assert_eq!(post(&collector, &beat).code, 400, "{version}");
    }
    // A product makes it one of our later versions, whatever else it has.
    let mut beat = built(13, 5, now());
    beat["product"] = json!({"name": "notes-mcp", "version": "1.0.0"});
    assert_eq!(post(&collector, &beat).code, 400);
    assert_eq!((installs("mcpproxy"), installs(GO)), (1, 1));
}

#[test]
fn a_rebuilt_heartbeat_is_known_by_its_name_from_version_12_on() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = start(place.path());
    let at = now() - 60;
    let mut beat = built(12, 1, at);
    assert!(post(&collector, &beat).is_stored());
    assert!(post(&collector, &beat).is_duplicate());
    // Built again after a failed try: another timestamp.
    beat["timestamp"] = json!(timestamp::format(at + 30));
    assert!(post(&collector, &beat).is_duplicate());
    // Two processes in the same second.
    beat["heartbeat_id"] = json!("another");
    assert!(post(&collector, &beat).is_stored());
    // The same name under another id is another heartbeat.
    let mut other = beat.clone();
    other["anonymous_id"] = json!(id(2));
    assert!(post(&collector, &other).is_stored());
    // Before, and without a name, it is the timestamp.
    for version in [11, 13] {
        let mut beat = built(version, 3, at + version);
        beat.as_object_mut().expect("an object").remove("heartbeat_id");
        assert!(post(&collector, &beat).is_stored());
        assert!(post(&collector, &beat).is_duplicate());
        beat["timestamp"] = json!(timestamp::format(at + version + 20));
        assert!(post(&collector, &beat).is_stored());
    }
    assert_eq!(beats(&collector), 7);
}

/// One for each process, and one at its end: 24 a day are usual, more are a mistake.
#[test]
fn several_a_day_are_usual_and_add_up() {
    let place = tempfile::tempdir().expect("a temporary directory");
    // Noon, so that the day of receipt does not end.
    let noon = 21_000 * 86_400 + 12 * 3600;
    let offset = (i128::from(noon) - i128::from(now())).to_string();
    let words = ["--accept", GO];
    let collector =
        Collector::start_with(place.path(), &words, &[("MCPPROXY_TEST_CLOCK_OFFSET", &offset)]);
    for at in 0..24 {
        let version = if at % 2 == 0 { 11 } else { 13 };
        assert!(post(&collector, &built(version, 1, noon - 3600 + at)).is_stored(), "{at}");
    }
    let answer = post(&collector, &built(13, 1, noon));
    assert_eq!((answer.code, answer.header("retry-after").is_some()), (429, true));
    assert_eq!((beats(&collector), kept_of(&collector)), (24, 1));
    let row = row(&collector);
    assert_eq!((row.day0, row.last_day), (21_000, 21_000), "one install, seen on one day");
}

fn kept_of(collector: &Collector) -> usize {
    collector.reader().rows(GO).expect("rows").len()
}

#[test]
fn versions_with_and_without_v_are_one_and_development_is_no_release() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = start(place.path());
    let spelled = [
        ("v0.21.3", "0.21.3"),
        ("0.21.3", "0.21.3"),
        ("0.22.0-rc.1", "0.22.0-rc.1"),
        ("v0.21.3-dev", "0.21.3-dev"),
        ("v0.21.3-5-gcanary", "0.21.3-dev"),
        ("development", "0.0.0-dev"),
        ("dev", "0.0.0-dev"),
        ("192.168.178.20", "0.0.0-dev"),
        ("", "0.0.0-dev"),
    ];
    for (install, (said, _)) in (1..).zip(spelled) {
        let mut beat = built(13, install, now());
        beat["version"] = json!(said);
        assert!(post(&collector, &beat).is_stored(), "{said}");
    }
    let rows = collector.reader().rows(GO).expect("rows");
    let mut kept: Vec<&str> = rows.iter().map(|row| row.first.version.as_str()).collect();
    let mut expected = spelled.map(|(_, kept)| kept);
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected);
    // Which is what the default view counts.
    let releases = kept.iter().filter(|version| is_release(version)).count();
    assert_eq!(releases, 2);
    assert_eq!(found_in(place.path(), &["canary", "development"]), [""; 0]);
}

#[test]
fn a_user_who_says_no_there_leaves_nothing_here() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = start(place.path());
    let beacon = json!({"event": "telemetry_disabled", "anonymous_id": id(1)});
    for _ in 0..5 {
        let answer = post(&collector, &beacon);
        assert_eq!((answer.code, answer.body.as_str()), (204, ""));
    }
    assert_eq!(post(&collector, &json!({"event": "started", "anonymous_id": id(1)})).code, 400);
    assert!(collector.post(&heartbeat_v3(1, now())).is_stored(), "a commit");
    assert_eq!(kept_of(&collector), 0);
    assert_eq!(counts(&collector.reader()), json!({"refused.shape": 1, "stored": 1}));
    assert_eq!(found_in(place.path(), &["telemetry_disabled"]), [""; 0]);
}

#[test]
fn odd_ones_are_stored_as_far_as_they_can_be_read_or_refused_with_a_place() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = start(place.path());
    let mut odd = built(13, 1, now());
    odd["os"] = json!("canaryos");
    odd["arch"] = json!("riscv");
    odd["edition"] = json!("canary-teams");
    odd["routing_mode"] = json!("code_execution");
    odd["env_kind"] = json!("canary-kind");
    odd["launch_source"] = json!("canary-source");
    odd["previous_shutdown"] = json!("canary-end");
    odd["timestamp"] = json!(timestamp::format(now()).replace('Z', ".25Z"));
    odd["activation"]["first_real_tool_call_ever"] = json!(true);
    odd["activation"]["mcp_clients_seen_ever"] =
        json!(["zed", "Canary Client", "canary-10.0.0.1", "ghp-canary0123456789abcdefgh"]);
    assert!(post(&collector, &odd).is_stored());
    let row = row(&collector);
    assert_eq!((row.first.os, row.first.arch, row.first.edition), (Os::Other, Arch::Other, None));
    assert_eq!((row.first.kind, row.first.routing), (EnvKind::Unknown, None));
    assert_eq!((row.clients.as_slice(), row.steps[4].is_some()), (&["zed".to_owned()][..], true));
    assert_eq!(found_in(place.path(), &["canary", "riscv"]), [""; 0]);
    // Go writes a list without items as null.
    let mut none = built(3, 2, now());
    none["activation"]["mcp_clients_seen_ever"] = json!(null);
    none["autostart_enabled"] = json!(null);
    assert!(post(&collector, &none).is_stored());
    for (pointer, wrong, field) in [
        ("/anonymous_id", json!("canary"), "/anonymous_id"),
        ("/anonymous_id", json!(7), "/anonymous_id"),
        ("/timestamp", json!("canary"), ""),
        ("/server_count", json!("canary"), ""),
        ("/activation", json!("canary"), ""),
    ] {
        let mut beat = built(13, 3, now());
        *beat.pointer_mut(pointer).expect("it is there") = wrong;
        let answer = post(&collector, &beat);
        let expected = format!(r#"{{"rule":"shape","field":"{field}"}}"#);
        assert_eq!((answer.code, answer.body), (400, expected), "{pointer}");
    }
    let twice = built(13, 3, now()).to_string().replacen('{', "{\"os\":\"linux\",", 1);
    assert_eq!(collector.post(twice.as_bytes()).body, r#"{"rule":"syntax","field":""}"#);
    let mut long = built(13, 3, now());
    long["feature_flags"]["canary"] = json!("x".repeat(8192));
    assert_eq!(post(&collector, &long).code, 413);
    assert_eq!(kept(&collector.reader()).0, 0, "none of our product");
    assert_eq!(kept_of(&collector), 2);
}

#[test]
fn accept_knows_one_name_and_its_product_can_be_removed() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--accept", "mcpproxy-rust", "--ephemeral"];
    let output = crate::running::collector(place.path(), &words);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains("mcpproxy-go"), "{text}");
    let collector = start(place.path());
    let removed = crate::running::collector(place.path(), &["product", "remove", GO]);
    assert!(removed.status.success());
    assert_eq!(post(&collector, &built(13, 1, now())).code, 400);
    let added = crate::running::collector(place.path(), &["product", "add", GO, "--ephemeral"]);
    assert!(added.status.success());
    assert!(post(&collector, &built(13, 1, now())).is_stored());
}

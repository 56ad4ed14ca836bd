//! Heartbeats of later versions: what this program knows of them is kept, nothing of the rest is.

use crate::running::{
    Answer, Collector, PRODUCT, heartbeat, heartbeat_v3, kept, now, on_its_engine, program,
};
use mcpproxy::collector::code::{Code, Met};
use mcpproxy::collector::store::Reader;
use mcpproxy::contract::{EnvKind, LaunchSource, Os};
use serde_json::{Value, json};
use std::path::Path;

/// A heartbeat of this version, to be changed.
fn value(install: u64) -> Value {
    serde_json::from_slice(&heartbeat(install, now())).expect("JSON")
}

/// As a program after this one might send it.
fn later(install: u64) -> Value {
    let mut value = value(install);
    value["schema_version"] = json!(5);
    value
}

fn post(collector: &Collector, value: &Value) -> Answer {
    collector.post(value.to_string().as_bytes())
}

fn refused(field: &str) -> String {
    format!(r#"{{"rule":"shape","field":"{field}"}}"#)
}

/// What was counted, by name, of every day.
pub fn counts(reader: &Reader) -> Value {
    let counts = reader.counts(0).expect("counts").into_iter();
    Value::Object(counts.map(|(name, n)| (name, json!(n))).collect())
}

/// Whether one of these words is in a file of `dir`.
pub fn found_in(dir: &Path, words: &[&str]) -> Vec<String> {
    let files = std::fs::read_dir(dir).expect("the directory");
    let files = files.map(|entry| entry.expect("an entry").path());
    let mut found = Vec::new();
    for file in files.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).expect("its bytes").to_ascii_lowercase();
        for word in words.iter().map(|word| word.to_ascii_lowercase()) {
            if bytes.windows(word.len()).any(|window| window == word.as_bytes()) {
                found.push(format!("{word} in {}", file.display()));
            }
        }
    }
    found
}

#[test]
fn a_later_version_is_stored_without_what_is_not_known_of_it() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, log) = (place.path().join("data"), place.path().join("log"));
    let mut command = program();
    command
        .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", PRODUCT])
        .arg("--data-dir")
        .arg(&dir)
        .stderr(std::fs::File::create(&log).expect("a log"));
    let collector = Collector::spawn(command, &dir);
    let mut beat = later(1);
    beat["canary_member"] = json!("canary-text");
    beat["product"]["canary_edition"] = json!({"canary_inner": [1, "canary-item"]});
    beat["activation"]["canary_step"] = json!(true);
    beat["env_markers"]["canary_marker"] = json!(null);
    beat["surface_requests"]["canary_surface"] = json!(7);
    beat["agent_env"] = json!("canary_agent");
    beat["previous_shutdown"] = json!("canary_end");
    beat["os"] = json!("canary\u{ef}os");
    beat["diagnostics"] = json!({
        "error_code_counts_24h": {"MCPX_HTTP_DNS": 1, "MCPX_CANARY": 3},
        "current_error_codes": {},
        "fix_attempted_24h": 0,
        "fix_succeeded_24h": 0,
        "unique_codes_ever": 1,
        "last_error_code": "MCPX_CANARY_LAST",
    });
    assert!(post(&collector, &beat).is_stored());
    assert!(post(&collector, &beat).is_duplicate());
    let reader = collector.reader();
    assert_eq!(kept(&reader), (1, 1));
    let rows = reader.rows(PRODUCT).expect("rows");
    let first = &rows[0].first;
    assert_eq!((first.kind, first.os, first.agent_env), (EnvKind::Interactive, Os::Other, None));
    assert_eq!(first.version, "1.4.0");
    let counted = counts(&reader);
    assert_eq!(counted["projected"], 1, "the repetition is not counted again: {counted}");
    assert_eq!(counted["projected.members"], 5, "{counted}");
    assert_eq!((&counted["unknown.values"], &counted["unknown.codes"]), (&json!(4), &json!(1)));
    // A code that is not known is `other`, and both are told by the version that met them.
    let days = reader.days(PRODUCT).expect("days");
    let met = |code, changes| Met { code, changes, servers: 0 };
    assert_eq!(days[0].1.codes, [met(Code::OTHER, 3), met(Code::of("MCPX_HTTP_DNS"), 1)]);
    let mut report = program();
    report.args(["collector", "report", "versions", "-o", "csv", "--table", "error_codes"]);
    report.arg("--data-dir").arg(&dir).env("MCPPROXY_TEST_CLOCK_OFFSET", "86400");
    on_its_engine(&mut report, &dir);
    let said = String::from_utf8(report.output().expect("the built command").stdout).expect("text");
    let rows: Vec<String> =
        said.lines().map(|line| line.split(',').take(6).collect::<Vec<_>>().join(",")).collect();
    let of = |code: &str| format!("{PRODUCT},1.4.0,{code},1,1,1");
    assert_eq!(rows[1..], [of("other"), of("MCPX_HTTP_DNS")], "{said}");
    // What is refused later in the same heartbeat is told by its place alone.
    beat["tool_count"] = json!("canary-count");
    let answer = post(&collector, &beat);
    assert_eq!((answer.code, answer.body), (400, refused("/tool_count")));
    assert_eq!(found_in(&dir, &["canary"]), [""; 0], "with its log of changes");
    collector.stop();
    assert_eq!(found_in(&dir, &["canary"]), [""; 0], "and without");
    assert_eq!(found_in(place.path(), &["canary"]).len(), 0, "nor in what it said");
}

#[test]
fn what_is_known_of_a_later_version_is_judged_as_ever() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    // A later version adds; what every heartbeat has is there, or it is not one of ours.
    let required = ["product", "anonymous_id", "env_markers", "activation", "edition", "timestamp"];
    for name in required {
        let mut beat = later(1);
        beat.as_object_mut().expect("an object").remove(name);
        let answer = post(&collector, &beat);
        assert_eq!((answer.code, answer.body), (400, refused(&format!("/{name}"))));
    }
    for (pointer, wrong) in [
        ("/anonymous_id", json!("somebody")),
        ("/timestamp", json!("yesterday")),
        ("/product/version", json!("1.4.0-tims-laptop")),
        ("/env_markers/has_tty", json!("yes")),
        ("/os", json!(7)),
        ("/os", json!(null)),
        ("/agent_env", json!(["none"])),
        ("/days_since_install", json!(367)),
        ("/server_count", json!(-1)),
        ("/activation", json!([])),
        ("/schema_version", json!("5")),
        ("/schema_version", json!(5.5)),
        ("/schema_version", json!(-5)),
        ("/schema_version", json!(1e30)),
    ] {
        let mut beat = later(1);
        *beat.pointer_mut(pointer).expect("it is there") = wrong.clone();
        let answer = post(&collector, &beat);
        assert_eq!((answer.code, answer.body), (400, refused(pointer)), "{wrong}");
    }
    let mut leak = later(1);
    leak["activation"]["mcp_clients_seen_ever"] = json!(["zed", "ghp-0123456789abcdefghijklmnop"]);
    let leaks = r#"{"rule":"leak","field":"/activation/mcp_clients_seen_ever/1"}"#;
    assert_eq!(post(&collector, &leak).body, leaks);
    let mut codes = later(1);
    codes["diagnostics"] = json!({"error_code_counts_24h": {"MCPX_LATER": "many"}});
    assert_eq!(post(&collector, &codes).body, refused("/diagnostics/error_code_counts_24h"));
    // The bounds are those of every heartbeat.
    let mut deep = later(1);
    deep["later"] = json!({"a": {"b": {"c": [1]}}});
    let twice = later(1).to_string().replacen('{', "{\"later\":1,\"later\":2,", 1);
    let escaped = later(1).to_string().replacen('{', "{\"l\\u0061ter\":1,\"later\":2,", 1);
    for text in [deep.to_string(), twice, escaped] {
        let answer = collector.post(text.as_bytes());
        assert_eq!((answer.code, answer.body.as_str()), (400, r#"{"rule":"syntax","field":""}"#));
    }
    let mut long = later(1);
    long["later"] = json!("x".repeat(8192));
    assert_eq!(post(&collector, &long).code, 413);
    assert_eq!(kept(&collector.reader()), (0, 0));
    let mut far = later(1);
    far["schema_version"] = json!(u64::MAX);
    assert!(post(&collector, &far).is_stored());
}

/// A client of today knows its words; one of tomorrow says the same version with another word.
#[test]
fn unknown_words_and_codes_are_absent_in_every_version_and_unknown_members_are_not() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let mut v3: Value = serde_json::from_slice(&heartbeat_v3(1, now())).expect("JSON");
    let mut v4 = value(2);
    for (beat, product) in [(&mut v3, "mcpproxy"), (&mut v4, PRODUCT)] {
        for name in ["env_kind", "launch_source", "edition", "os", "arch", "routing_mode"] {
            beat[name] = json!("of-tomorrow");
        }
        beat["activation"]["estimated_tokens_saved_24h_bucket"] = json!("of-tomorrow");
        beat["upstream_tool_call_count_bucket"] = json!("of-tomorrow");
        assert!(post(&collector, beat).is_stored());
        let reader = collector.reader();
        let rows = reader.rows(product).expect("rows");
        let first = &rows[0].first;
        assert_eq!((first.kind, first.edition, first.routing), (EnvKind::Unknown, None, None));
        assert_eq!((first.launch_source, first.os), (LaunchSource::Unknown, Os::Other));
        let days = reader.days(product).expect("days");
        assert_eq!((days[0].1.gauges.tokens_bucket, days[0].1.gauges.calls_bucket), (None, None));
        // What its version has not is another contract.
        beat["of_tomorrow"] = json!(1);
        assert_eq!(post(&collector, beat).body, refused(""));
    }
    assert_eq!(counts(&collector.reader())["unknown.values"], 16);
    assert_eq!(counts(&collector.reader()).get("projected"), None, "no later version");
    assert_eq!(found_in(place.path(), &["tomorrow"]), [""; 0]);
    // Refusals are counted with the next commit.
    assert!(post(&collector, &value(3)).is_stored());
    assert_eq!(counts(&collector.reader())["refused.shape"], 2);
}

#[test]
fn four_and_more_without_a_product_are_not_ours() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start_with(place.path(), &["--any-product"], &[]);
    for version in [4, 5, 13, 14, 100] {
        let mut beat = later(1);
        beat["schema_version"] = json!(version);
        beat.as_object_mut().expect("an object").remove("product");
        let answer = post(&collector, &beat);
        assert_eq!((answer.code, answer.body), (400, refused("/product")), "{version}");
    }
}

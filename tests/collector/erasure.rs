//! Installs that are erased and versions that are retired, as clients meet it.

use crate::client::User;
use crate::running::{
    Answer, Client, Collector, PRODUCT, StoppedClock, collector, heartbeat, heartbeat_v3, id,
    is_on_a_server, kept, now, wait_until,
};
use std::path::Path;
use std::process::Stdio;

const JSON: &str = "content-type: application/json\r\n";
const DAY: i64 = 86_400;

fn delete(client: &mut Client, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "DELETE /installs HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    client.ask(request.as_bytes()).expect("an answer")
}

fn erased(running: &Collector, product: &str, install: u64) -> u16 {
    let body = format!(r#"{{"product":"{product}","id":"{}"}}"#, id(install));
    delete(&mut running.connect(), JSON, &body).code
}

fn said(dir: &Path, words: &[&str]) -> String {
    let output = collector(dir, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn who_holds_an_id_erases_its_install_and_late_heartbeats_do_not_bring_it_back() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let running = Collector::start(place.path());
    let (one, other, gateway) = (heartbeat(1, now()), heartbeat(2, now()), heartbeat_v3(1, now()));
    for beat in [&one, &other, &gateway] {
        assert!(running.post(beat).is_stored());
    }
    assert_eq!(erased(&running, PRODUCT, 1), 204);
    assert_eq!(kept(&running.reader()), (1, 1));
    let late = running.post(&one);
    assert_eq!((late.code, late.body.as_str()), (204, ""));
    assert_eq!(kept(&running.reader()), (1, 1));
    // Whether it was there or not, and whether anybody knows the product: the answer tells nothing.
    assert_eq!(erased(&running, PRODUCT, 77), 204);
    assert_eq!(erased(&running, "nobody-has-it", 2), 204);
    assert_eq!(running.post(&heartbeat(77, now())).code, 204, "it was erased before it came");
    // The install of another product with the same id is another one; schema 3 is erased as well.
    assert_eq!(running.reader().rows("mcpproxy").map(|rows| rows.len()), Ok(1));
    assert_eq!(erased(&running, "mcpproxy", 1), 204);
    assert_eq!(running.reader().rows("mcpproxy").map(|rows| rows.len()), Ok(0));
    // A product that is refused now is still erased from.
    said(place.path(), &["product", "remove", PRODUCT]);
    assert_eq!(erased(&running, PRODUCT, 2), 204);
    assert_eq!(kept(&running.reader()), (0, 0));
    running.stop();
}

#[test]
fn an_id_in_capitals_is_the_same_install() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let (capitals, at) = (id(1).to_ascii_uppercase(), now());
    let beat = |at| {
        let text = String::from_utf8(heartbeat(1, at)).expect("text");
        text.replace(&id(1), &capitals).into_bytes()
    };
    assert!(collector.post(&heartbeat(1, at)).is_stored());
    assert!(collector.post(&beat(at)).is_duplicate());
    let body = format!(r#"{{"product":"{PRODUCT}","id":"{capitals}"}}"#);
    assert_eq!(delete(&mut collector.connect(), JSON, &body).code, 204);
    assert_eq!(kept(&collector.reader()), (0, 0));
    for late in [heartbeat(1, at - 1), beat(at - 2)] {
        assert_eq!(collector.post(&late).code, 204, "it is erased in both forms");
    }
}

#[test]
fn an_erasure_that_cannot_be_meant_is_refused_with_a_rule_and_a_place() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let running = Collector::start(place.path());
    let good = format!(r#"{{"product":"{PRODUCT}","id":"{}"}}"#, id(1));
    let long = format!("{good}{}", " ".repeat(9_000));
    let cases = [
        (JSON, "", 400, r#"{"rule":"syntax","field":""}"#),
        (JSON, "[]", 400, r#"{"rule":"shape","field":""}"#),
        (JSON, &good.replace('}', r#","more":1}"#), 400, r#"{"rule":"shape","field":""}"#),
        (
            JSON,
            &good.replace("notes-mcp", "Secret Name"),
            400,
            r#"{"rule":"shape","field":"/product"}"#,
        ),
        (JSON, &good.replace("1b4e", "secret"), 400, r#"{"rule":"shape","field":"/id"}"#),
        (JSON, r#"{"product":"notes-mcp"}"#, 400, r#"{"rule":"shape","field":"/id"}"#),
        (JSON, &long, 413, r#"{"rule":"size","field":""}"#),
        ("", &good, 415, r#"{"rule":"type","field":""}"#),
    ];
    for (headers, body, code, text) in cases {
        let answer = delete(&mut running.connect(), headers, body);
        assert_eq!((answer.code, answer.body.as_str()), (code, text));
    }
    // A list of no parameters is none.
    let plain = "content-type: application/json;\r\n";
    assert_eq!(delete(&mut running.connect(), plain, &good).code, 204);
    let other = running.get("/installs");
    assert_eq!((other.code, other.header("allow")), (405, Some("DELETE")));
    running.stop();
}

#[test]
fn eleven_erasures_of_a_network_in_a_minute_are_one_too_many() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--product", PRODUCT, "--trusted-proxy", "127.0.0.0/8"];
    let today = now();
    let clock = StoppedClock::at(place.path().join("clock"), today);
    let running = Collector::start_with(&place.path().join("data"), &words, &[clock.variable()]);
    let body = format!(r#"{{"product":"{PRODUCT}","id":"{}"}}"#, id(1));
    let asked = |from: &str| {
        let headers = format!("{JSON}x-forwarded-for: {from}\r\n");
        delete(&mut running.connect(), &headers, &body)
    };
    let codes = || [(); 11].map(|()| asked("203.0.113.77").code);
    assert_eq!(codes(), [204, 204, 204, 204, 204, 204, 204, 204, 204, 204, 429]);
    let refused = asked("203.0.113.77");
    assert_eq!((refused.code, refused.header("retry-after")), (429, Some("6")));
    assert_eq!(refused.body, r#"{"erased":false}"#, "an erasure's own words");
    assert_eq!(asked("198.51.100.1").code, 204, "another network has a share of its own");
    // This machine itself, where the operator works, has no limit.
    for _ in 0..30 {
        assert_eq!(erased(&running, PRODUCT, 2), 204);
    }
    // Heartbeats have another share.
    let headers = format!("{JSON}x-forwarded-for: 203.0.113.77\r\n");
    let beat = running.connect().post_as(&headers, &heartbeat(5, now())).expect("an answer");
    assert!(beat.is_stored(), "{beat:?}");
    clock.set(today + 60);
    assert_eq!(asked("203.0.113.77").code, 204, "a minute later");
    running.stop();
}

#[test]
fn an_erasure_waits_for_the_disk_and_says_when_it_is_away() {
    let place = tempfile::tempdir().expect("a temporary directory");
    if is_on_a_server(place.path()) {
        return;
    }
    let running = Collector::start(place.path());
    assert!(running.post(&heartbeat(1, now())).is_stored());
    let (file, away) = (place.path().join("collector.db"), place.path().join("away"));
    std::fs::rename(&file, &away).expect("a move");
    let body = format!(r#"{{"product":"{PRODUCT}","id":"{}"}}"#, id(1));
    let answer = delete(&mut running.connect(), JSON, &body);
    assert_eq!((answer.code, answer.body.as_str()), (503, r#"{"erased":false}"#));
    std::fs::rename(&away, &file).expect("a move");
    assert_eq!(kept(&running.reader()), (1, 1), "nothing was erased");
    assert_eq!(erased(&running, PRODUCT, 1), 204);
    // Acknowledged is on disk: also after a kill.
    running.kill();
    let running = Collector::start(place.path());
    assert_eq!(kept(&running.reader()), (0, 0));
    assert_eq!(running.post(&heartbeat(1, now())).code, 204);
    running.stop();
}

#[test]
fn a_retired_version_stops_for_28_days_and_asks_once() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let version = mcpproxy::build_info::VERSION.trim_start_matches('v');
    let later = (29 * DAY).to_string();
    let running = Collector::start_with(place.path(), &["--product", "mcpproxy"], &[]);
    let user = User::new();
    assert!(user.sends(&running.endpoint()));
    // A running collector follows, under any spelling of the version.
    said(place.path(), &["retire", "mcpproxy", &format!("v{version}")]);
    assert!(said(place.path(), &["product", "list"]).contains(version));
    let gone = running.post(&heartbeat_v3(9, now()));
    let body = format!(r#"{{"retired":{{"product":"mcpproxy","version":"{version}"}}}}"#);
    if version == "0.1.0" {
        assert_eq!((gone.code, gone.body), (410, body));
    }
    // Two minutes later: in the second of an acknowledgement nothing is sent again.
    let minutes = 120;
    let ran = user
        .command(&running.endpoint())
        .env("MCPPROXY_TEST_CLOCK_OFFSET", minutes.to_string())
        .args(["telemetry", "send", "--now"])
        .output()
        .expect("the built command");
    let why = String::from_utf8_lossy(&ran.stderr);
    assert!(why.contains("410: this version is retired"), "{why}");
    let until = |offset: i64| {
        let offset = (minutes + offset).to_string();
        let output = user
            .command(&running.endpoint())
            .env("MCPPROXY_TEST_CLOCK_OFFSET", offset)
            .args(["telemetry", "status", "-o", "json"])
            .output()
            .expect("the built command");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        status["products"][0]["retired_until"].clone()
    };
    assert!(until(0).is_string());
    assert!(until(27 * DAY).is_string(), "it is quiet for 28 days");
    assert!(until(29 * DAY).is_null(), "then it asks");
    running.stop();
    let running = Collector::start_with(
        place.path(),
        &["--product", "mcpproxy"],
        &[("MCPPROXY_TEST_CLOCK_OFFSET", &later)],
    );
    let retired = || {
        let counts = running.reader().counts(0).expect("counts");
        counts.iter().find(|(name, _)| name == "retired").map_or(0, |(_, n)| *n)
    };
    let before = retired();
    let mut tap = user
        .command(&running.endpoint())
        .env("MCPPROXY_TEST_CLOCK_OFFSET", &later)
        .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0")
        .args(["tap", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the built command");
    wait_until("it asks once more", || retired() > before);
    drop(tap.stdin.take());
    assert!(crate::endure::end_within(&mut tap, crate::running::PATIENCE).is_some());
    assert_eq!(retired(), before + 1, "and once only");
    // Taken back, it is received when it asks.
    said(place.path(), &["unretire", "mcpproxy", version]);
    let ran = user
        .command(&running.endpoint())
        .env("MCPPROXY_TEST_CLOCK_OFFSET", &later)
        .args(["telemetry", "send", "--now"])
        .output()
        .expect("the built command");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    running.stop();
}

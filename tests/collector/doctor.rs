//! `collector doctor URL` against collectors that are well, and against what is in between when they are not.

use crate::running::{Collector, PRODUCT, kept, now, program};
use crate::tls::{Files, fixture};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;

fn doctor(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = program();
    command.args(["collector", "doctor"]).args(words).envs(variables.iter().copied());
    command.output().expect("the built command")
}

/// The level of each check by its name; the exit code agrees with them, and each failure says what to do.
fn checks(words: &[&str], variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let output = doctor(&[words, &["-o", "json"]].concat(), variables);
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let checks = json["checks"].as_array().expect("checks");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for check in checks {
        let wants_advice = text(&check["level"]) != "ok";
        assert_eq!(wants_advice, check["advice"].is_string(), "{check}");
    }
    let all: BTreeMap<_, _> =
        checks.iter().map(|check| (text(&check["name"]), text(&check["level"]))).collect();
    let failed = all.values().filter(|level| *level == "fail").count();
    assert_eq!(json["failed"], failed);
    assert_eq!(output.status.code(), Some(i32::from(failed > 0)), "{json}");
    all
}

fn failed(checks: &BTreeMap<String, String>) -> Vec<&str> {
    let failed = checks.iter().filter(|(_, level)| *level == "fail");
    failed.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_collector_that_is_well_passes_and_nothing_stays_in_it() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--product", PRODUCT, "--base-path", "/t"];
    let collector = Collector::start_with(place.path(), &words, &[]);
    let endpoint = collector.endpoint();
    let checks = checks(&[&endpoint, "--product", PRODUCT], &[]);
    assert!(checks.values().all(|level| level == "ok"), "{checks:?}");
    for name in ["heartbeat", "repetition", "erasure", "late retry", "forged header", "pages"] {
        assert!(checks.contains_key(name), "{name}: {checks:?}");
    }
    assert_eq!(kept(&collector.reader()), (0, 0));
    // For people, by the address of heartbeats, and without a product.
    let output = doctor(&[&format!("{endpoint}/heartbeat")], &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}");
    assert!(text.contains("skipped") && text.contains("--product NAME"), "{text}");
}

#[test]
fn a_product_that_is_not_received_and_a_header_that_is_believed_are_found() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--product", PRODUCT, "--trusted-proxy", "127.0.0.1"];
    let collector = Collector::start_with(place.path(), &words, &[]);
    let checks = checks(&[&collector.endpoint(), "--product", "other-mcp"], &[]);
    assert_eq!(failed(&checks), ["forged header", "heartbeat"], "{checks:?}");
    assert_eq!(checks["erasure"], "ok");
    // Each says what to do about this, and not about something else.
    let output = doctor(&[&collector.endpoint(), "--product", "other-mcp"], &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("receive the product: `mcpproxy collector product add NAME`"), "{text}");
    assert!(text.contains("ask through the proxy"), "{text}");
    let database = place.path().join("collector.db");
    std::fs::rename(&database, place.path().join("away")).expect("moved");
    let output = doctor(&[&collector.endpoint(), "--product", PRODUCT], &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("a heartbeat: it answers 503"), "{text}");
    assert!(text.contains("the database cannot be written"), "{text}");
    assert!(!text.contains("product add"), "{text}");
}

#[test]
fn a_certificate_is_looked_at_as_a_client_does() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = Files::new(place.path());
    let words = [&["--product", PRODUCT][..], &files.words()].concat();
    // It ends on 2049-12-31T23:59:59Z.
    let offset = 2_524_607_999 - 9 * 86_400 - i64::try_from(now()).expect("a time");
    let offset = offset.to_string();
    let clock = [("MCPPROXY_TEST_CLOCK_OFFSET", offset.as_str())];
    let collector = Collector::start_with(&place.path().join("data"), &words, &clock);
    let endpoint = collector.endpoint();
    let authority = fixture("authority.pem");
    let authority = authority.to_str().expect("text");
    let known = checks(&[&endpoint, "--ca", authority, "--product", PRODUCT], &clock);
    assert_eq!(failed(&known), Vec::<&str>::new());
    assert_eq!(known["certificate"], "warn", "it ends in eight days");
    assert_eq!(kept(&collector.reader()), (0, 0));
    assert_eq!(failed(&checks(&[&endpoint], &clock)), ["certificate"], "an authority of our own");
    // Plain HTTP to the port of TLS.
    let plain = checks(&[&endpoint.replace("https:", "http:")], &clock);
    assert!(failed(&plain).contains(&"alive"), "{plain:?}");
    collector.stop();
    // Years before its end.
    let collector = Collector::start_with(&place.path().join("data"), &words, &[]);
    let known = checks(&[&collector.endpoint(), "--ca", authority], &[]);
    assert_eq!(known["certificate"], "ok");
}

/// A server that answers every request with these bytes.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 64 << 10];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(bytes);
        }
    });
    format!("http://{address}")
}

#[test]
fn what_is_no_collector_fails_with_what_to_do() {
    // A page of somebody else, an answer that is cached, an answer to everything, and no HTTP.
    let page = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
    assert_eq!(failed(&checks(&[&page], &[])), ["alive"]);
    let all = answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1e\r\n{\"alive\":true,\"stored\":true   }\r\n0\r\n\r\n",
    );
    let checks_of_all = checks(&[&all, "--product", PRODUCT], &[]);
    assert_eq!(
        failed(&checks_of_all),
        [
            "erasure",
            "forged header",
            "fresh",
            "junk",
            "pages",
            "privacy page",
            "public page",
            "repetition",
            "size"
        ]
    );
    let noise = answering(b"SSH-2.0-noise\r\n");
    assert_eq!(failed(&checks(&[&noise], &[])), ["alive"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    assert_eq!(failed(&checks(&[&gone], &[])), ["connection"]);
}

#[test]
fn an_address_that_cannot_be_meant_is_a_usage_error() {
    for words in [
        &[][..],
        &["t.example.org"],
        &["https://t.example.org/?key=x"],
        &["https://t.example.org", "--product", "No Name"],
        &["https://t.example.org", "-o", "xml"],
    ] {
        let output = doctor(words, &[]);
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{words:?} {text}");
    }
    let output = doctor(&["https://t.example.org", "--ca", "/dev/null"], &[]);
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(1) && text.contains("--ca FILE"), "{text}");
}

//! The status API and the page on the wire.

use crate::gateway::{Gateway, Home, status_of};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

fn mode(path: std::path::PathBuf) -> u32 {
    std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn the_key_is_made_once_kept_private_and_needed() {
    let gateway = Gateway::start_in(Home::empty(), &[], &[]);
    assert_eq!(gateway.key.len(), 64, "256 bits in hexadecimal");
    assert_eq!(mode(gateway.home.config()), 0o600);
    for path in ["/api/v1/status", "/api/v1/telemetry/payload", "/api/v1/telemetry/sent", "/api/x"]
    {
        let wrong = "0".repeat(64);
        for headers in [&[][..], &[("X-API-Key", "")], &[("X-API-Key", wrong.as_str())]] {
            let (status, body) = gateway.ask("GET", path, headers, "");
            assert_eq!(status, 401, "{path}");
            let answer: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(answer["success"], false);
            assert!(answer["error"].as_str().expect("words").contains("X-API-Key"));
        }
    }
    let key = gateway.key.clone();
    let home = Home::empty();
    std::fs::create_dir(home.data()).expect("a directory");
    std::fs::copy(gateway.home.config(), home.config()).expect("a copy");
    let again = Gateway::start_in(home, &[], &[]);
    assert_eq!(again.key, key, "the key of the config is kept");
}

#[test]
fn a_config_that_others_could_read_is_closed_before_the_key_is_in_it() {
    let home = Home::with(&json!({"mcpServers": {}, "other": [1, 2]}));
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(home.config(), open).expect("a mode");
    let gateway = Gateway::start_in(home, &[], &[]);
    assert_eq!(mode(gateway.home.config()), 0o600);
    let config = std::fs::read_to_string(gateway.home.config()).expect("text");
    assert!(config.starts_with(r#"{"mcpServers":{},"other":[1,2]"#), "foreign keys stay");
}

#[test]
fn two_first_starts_at_once_agree_on_one_key() {
    let home = Home::empty();
    let start = || {
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        command.spawn().expect("it starts")
    };
    let children = [start(), start(), start(), start()];
    let keys = children.map(|mut child| {
        use std::io::{BufRead as _, BufReader};
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = lines.take(2).last().expect("two lines").expect("text");
        let _ = child.kill();
        let _ = child.wait();
        line.split_once("#key=").expect("a key").1.to_owned()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "different keys");
}

#[test]
fn foreign_hosts_and_origins_are_refused_everywhere() {
    let gateway = Gateway::start(&json!({}));
    let key = ("X-API-Key", gateway.key.as_str());
    let port = gateway.address.rsplit(':').next().expect("a port");
    for path in ["/", "/mcp", "/api/v1/status"] {
        for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:80"] {
            assert_eq!(
                gateway.ask("GET", path, &[("Host", host), key], "").0,
                403,
                "{path} {host}"
            );
        }
        for origin in ["http://evil.example", "null", "https://127.0.0.1:1"] {
            let (status, body) = gateway.ask("GET", path, &[("Origin", origin), key], "");
            assert_eq!(status, 403, "{path} {origin}");
            assert!(!body.contains("evil"), "what a stranger sends is not echoed");
        }
    }
    let own = format!("http://localhost:{port}");
    let host = format!("localhost:{port}");
    let same = [("Host", host.as_str()), ("Origin", own.as_str()), key];
    assert_eq!(gateway.ask("GET", "/api/v1/status", &same, "").0, 200);
    let switch = [("Origin", "http://evil.example"), ("Content-Type", "application/json"), key];
    let (status, _) = gateway.ask("PUT", "/api/v1/telemetry", &switch, r#"{"enabled":false}"#);
    assert_eq!(status, 403);
    assert_eq!(gateway.status()["telemetry"]["preference"], "unset");
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_in_json() {
    let gateway = Gateway::start(&json!({}));
    let key = ("X-API-Key", gateway.key.as_str());
    let kind = ("Content-Type", "application/json");
    let large = format!(r#"{{"enabled":{}}}"#, "1".repeat(5000));
    for (method, path, headers, body, expected) in [
        ("GET", "/api/v1/nothing", &[key][..], "", 404),
        ("GET", "/nothing", &[][..], "", 404),
        ("POST", "/api/v1/status", &[key], "", 405),
        ("DELETE", "/api/v1/telemetry", &[key], "", 405),
        ("GET", "/api/v1/telemetry", &[key], "", 405),
        ("PUT", "/api/v1/telemetry", &[key], r#"{"enabled":false}"#, 415),
        ("PUT", "/api/v1/telemetry", &[key, kind], r#"{"enabled":"no"}"#, 400),
        ("PUT", "/api/v1/telemetry", &[key, kind], r#"{"enabled":true,"x":1}"#, 400),
        ("PUT", "/api/v1/telemetry", &[key, kind], "", 400),
        ("PUT", "/api/v1/telemetry", &[key, kind], &large, 413),
    ] {
        let (status, answer) = gateway.ask(method, path, headers, body);
        assert_eq!(status, expected, "{method} {path} {body}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["success"], false);
        assert!(answer["error"].is_string());
    }
    assert_eq!(gateway.status()["telemetry"]["preference"], "unset", "nothing was changed");
}

#[test]
fn the_page_is_static_and_the_browser_is_told_what_it_may_do() {
    let gateway = Gateway::start(&json!({}));
    let (head, body) = gateway.raw("GET", "/", &[], "");
    assert_eq!(status_of(&head), 200);
    let head = head.to_ascii_lowercase();
    for part in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "cross-origin-opener-policy: same-origin",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(part), "{part} is not in {head}");
    }
    assert!(body.starts_with("<!doctype html>") || body.starts_with("<!DOCTYPE html>"));
    assert!(!body.contains(&gateway.key));
}

#[test]
fn no_answer_shares_its_window_or_its_bytes_with_another_site() {
    let gateway = Gateway::start(&json!({}));
    let key = ("X-API-Key", gateway.key.as_str());
    let foreign = ("Origin", "https://example.org");
    for (method, path, headers, code) in [
        ("GET", "/", &[][..], 200),
        ("GET", "/", &[foreign], 403),
        ("GET", "/api/v1/status", &[key], 200),
        ("GET", "/api/v1/status", &[], 401),
        ("POST", "/api/v1/status", &[key], 405),
        ("GET", "/nowhere", &[], 404),
        ("PUT", "/mcp", &[], 405),
        ("POST", "/mcp", &[foreign], 403),
    ] {
        let (head, _) = gateway.raw(method, path, headers, "");
        assert_eq!(status_of(&head), code, "{method} {path}: {head}");
        let head = head.to_ascii_lowercase();
        for policy in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            let line = format!("{policy}: same-origin");
            assert_eq!(head.matches(&line).count(), 1, "{method} {path}: {head}");
        }
    }
}

#[test]
fn a_key_that_is_none_is_refused_at_start() {
    for (key, part) in [
        (json!("short"), "16 characters"),
        (json!("with spaces and so on"), "letters"),
        (json!(7), "must be a string"),
    ] {
        let home = Home::with(&json!({"api_key": key}));
        let output = home.command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("api_key") && said.contains(part), "{said}");
        assert!(!said.contains("with spaces"), "{said}");
    }
}

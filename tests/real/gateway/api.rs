//! The status API against its description: docs/openapi.json.

use super::host::{Gateway, ask};
use crate::parts::Parts;
use crate::session::run;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;

const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");

#[test]
fn schemathesis_finds_no_answer_that_is_not_described() {
    let Some(parts) = Parts::find_all(&["api"]) else { return };
    let gateway = Gateway::before(&json!({
        "gone": { "command": "no-such-command-anywhere" },
        "\u{202e}odd \"name\"": { "command": "true", "disabled": true },
    }));
    let description = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let mut command: Vec<OsString> = vec![parts.api_python().into()];
    command.extend(["-m", "schemathesis.cli", "run"].map(OsString::from));
    command.push(description.into());
    let (url, key) =
        (format!("http://{}", gateway.address), format!("X-API-Key: {}", gateway.key()));
    let told =
        ["--url", &url, "-H", &key, "--max-examples", "60", "--checks", "all", "--seed", "1"];
    command.extend(told.map(OsString::from));
    // It writes reports and a database of examples where it stands.
    let mut shell = gateway.home.shell(&[], &command);
    let ended = run(shell.current_dir(gateway.home.root()));
    let cut = ended.stdout.rfind("=== FAILURES").unwrap_or(0);
    assert!(ended.status.success(), "{}{}", &ended.stdout[cut..], ended.stderr);
    assert!(ended.stdout.contains("9 selected / 9 total"), "{}", ended.stdout);
}

#[test]
fn without_the_key_every_path_of_the_api_is_refused() {
    let gateway = Gateway::before(&json!({}));
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    let described: Vec<&str> = paths.keys().map(String::as_str).collect();
    let of_the_api = described.iter().filter(|path| path.starts_with("/api/"));
    for path in of_the_api.chain(&["/api/", "/api/v1/nothing", "/api/v1/telemetry/../status"]) {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] {
            for key in
                ["", "\r\nX-API-Key: wrong", "\r\nAuthorization: Bearer wrong", "\r\nX-API-Key:"]
            {
                let answer = ask(&gateway.address, &format!("{method} {path} HTTP/1.1{key}"), "{}");
                assert_eq!(answer.code, 401, "{method} {path} {key}");
                if method != "HEAD" {
                    assert_eq!(answer.json()["success"], false, "{method} {path}");
                }
            }
        }
    }
}

//! `mcpproxy doctor`: what it finds, what it says to do, and that it changes nothing.
#![cfg(feature = "full")]

use mcpproxy::diagnostics::{Code, Severity};
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn run(home: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
    command.arg("doctor").args(args).env_clear().env("HOME", home);
    command.envs(variables.iter().copied()).output().expect("it starts")
}

/// Level and words of every check of that name.
fn checks(
    home: &Path,
    name: &str,
    args: &[&str],
    variables: &[(&str, &str)],
) -> Vec<(String, String)> {
    let output = run(home, &[&["-o", "json"], args].concat(), variables);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // One of the codes ends so.
    let said = text.replace("MCPX_CONFIG_MISSING_SECRET", "");
    assert!(!said.contains("SECRET"), "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let all = answer["checks"].as_array().expect("checks");
    let failed = all.iter().filter(|check| check["level"] == "fail").count();
    assert_eq!(answer["failed"], failed);
    assert_eq!(output.status.code(), Some(i32::from(failed > 0)));
    for check in all {
        let severity = match check["code"].as_str() {
            Some(code) => Code::parse(code).expect(code).severity(),
            None => continue,
        };
        let level = match severity {
            Severity::Info => "ok",
            Severity::Warn => "warn",
            // A server that does not work is no failure of the gateway.
            Severity::Error if check["name"] == "upstream_servers" => continue,
            Severity::Error => "fail",
        };
        assert_eq!(check["level"], level, "{check}");
    }
    let is_asked = |check: &&Value| check["name"] == name;
    let said = |check: &Value| {
        let words = format!("{} {} {}", check["found"], check["advice"], check["code"]);
        (check["level"].as_str().expect("a level").to_owned(), words)
    };
    for check in all {
        assert_eq!(check["level"] == "ok", check["advice"].is_null(), "{check}");
    }
    all.iter().filter(is_asked).map(said).collect()
}

#[track_caller]
fn finds(home: &Path, name: &str, level: &str, part: &str) {
    let found = checks(home, name, &[], &[]);
    let is_it = |(at, words): &(String, String)| at == level && words.contains(part);
    assert!(found.iter().any(is_it), "{name}: {part} is not {level} in {found:?}");
}

fn write(home: &Path, name: &str, text: &str) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
fn a_new_machine_is_healthy_and_nothing_is_made() {
    let home = tempfile::tempdir().expect("a directory");
    let output = run(home.path(), &[], &[]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{text}");
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
    for name in [
        "version",
        "data_dir",
        "config",
        "api_key",
        "consent",
        "identity",
        "notice",
        "store",
        "endpoint",
        "upstream_servers",
        "clients",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert_eq!(fs::read_dir(home.path()).expect("there").count(), 0);
}

#[cfg(unix)]
#[test]
fn what_is_wrong_is_found_and_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().expect("a directory");
    let home = home.path();
    let config = ".mcpproxy/mcp_config.json";
    write(
        home,
        config,
        "{\"api_key\": \"0123456789abcdef-SECRET\", \"mcpServers\": {\"a\": {\"args\": [\"SECRET\"]}, \"b\": {\"command\": \"${NO_SUCH}\"}}, \"telemetry\": {\"endpoint\": \"http://h.example/SECRET\"}}",
    );
    let mode = |name: &str, mode| {
        fs::set_permissions(home.join(name), fs::Permissions::from_mode(mode)).expect("set");
    };
    mode(config, 0o644);
    mode(".mcpproxy", 0o755);
    finds(home, "api_key", "warn", "chmod 600");
    finds(home, "data_dir", "warn", "chmod 700");
    finds(home, "endpoint", "fail", "https");
    finds(home, "endpoint", "fail", "MCPX_ENDPOINT_REFUSED");
    finds(home, "upstream_servers", "warn", "`command` nor `url`");
    finds(home, "upstream_servers", "warn", "NO_SUCH");
    finds(home, "consent", "ok", "local only");
    fs::create_dir(home.join(".mcpproxy/telemetry.corrupt-5")).expect("made");
    finds(home, "store", "warn", "put aside");
    mode(config, 0o600);
    mode(".mcpproxy", 0o700);
    finds(home, "api_key", "ok", "only its owner");
    finds(home, "data_dir", "ok", "private");
    write(home, config, "{\"mcpServers\": \"SECRET\"}");
    finds(home, "upstream_servers", "fail", "`mcpServers` must be an object");
    write(home, config, "{\"servers\": {\"a\": {\"command\": \"npx -y x\"}}}");
    finds(home, "upstream_servers", "fail", "`servers` is not read");
    write(home, config, "{\"mcpServers\": {\"a\": {\"command\": \"npx -y x\"}}}");
    finds(home, "upstream_servers", "warn", "whole command line");
    finds(home, "upstream_servers", "warn", "MCPX_CONFIG_INVALID_COMMAND");
    write(
        home,
        config,
        "{\"mcpServers\": {\"a\": {\"command\": \"no-such-program-here\"}, \"b\": {\"command\": \"sh\", \"cwd\": \"/nonexistent\"}}}",
    );
    finds(home, "upstream_servers", "warn", "MCPX_STDIO_NOT_FOUND");
    finds(home, "upstream_servers", "warn", "working directory");
    write(home, config, "{\"telemetry\": {\"anonymous_id\": \"SECRET\"}}");
    finds(home, "identity", "fail", "reset-id");
    write(home, config, "{\"telemetry\": SECRET}");
    finds(home, "config", "fail", "repair");
    finds(home, "config", "fail", "MCPX_CONFIG_UNREADABLE");
    finds(home, "consent", "fail", "off");
    finds(home, "consent", "fail", "MCPX_CONSENT_UNREADABLE");
    let text = String::from_utf8(run(home, &[], &[]).stdout).expect("UTF-8");
    assert!(text.contains("`mcpproxy explain MCPX_CONFIG_UNREADABLE`"), "{text}");
    write(home, ".mcpproxy/telemetry/data.mdb", "SECRET");
    finds(home, "store", "fail", "restores");
    finds(home, "store", "fail", "MCPX_STORE_DAMAGED");
    fs::remove_dir_all(home.join(".mcpproxy")).expect("there");
    write(home, ".mcpproxy", "");
    finds(home, "data_dir", "fail", "--data-dir");
    finds(home, "data_dir", "fail", "MCPX_STORE_READ_ONLY");
}

#[test]
fn wiring_that_leads_nowhere_is_found() {
    let home = tempfile::tempdir().expect("a directory");
    let home = home.path();
    write(
        home,
        ".cursor/mcp.json",
        "{\"mcpServers\": {\"mcpproxy\": {\"command\": \"/gone/mcpproxy\", \"args\": [\"serve\"]}}}",
    );
    write(home, ".gemini/settings.json", "{\"mcpServers\": SECRET}");
    finds(home, "clients", "fail", "mcpproxy connect cursor");
    finds(home, "clients", "warn", "Gemini CLI");
    finds(home, "clients", "ok", "connected: Cursor");
    let mut connect = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
    connect.args(["connect", "cursor"]).env_clear().env("HOME", home);
    assert!(connect.output().expect("it starts").status.success());
    assert!(checks(home, "clients", &[], &[]).iter().all(|(level, _)| level != "fail"));
}

#[test]
fn the_endpoint_is_connected_only_when_asked_for_and_gets_no_payload() {
    let home = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let endpoint = format!("http://{address}/v3");
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    assert_eq!(checks(home.path(), "reachability", &[], &variables), []);
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err(), "somebody connected");
    let found = checks(home.path(), "reachability", &["--online"], &variables);
    assert!(found[0].0 == "ok" && found[0].1.contains("accepts"), "{found:?}");
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_nonblocking(false).expect("set");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("read");
    assert!(bytes.is_empty());
    drop(listener);
    let found = checks(home.path(), "reachability", &["--online"], &variables);
    assert!(found[0].0 == "fail" && found[0].1.contains("refused"), "{found:?}");
    assert!(found[0].1.contains("MCPX_ENDPOINT_UNREACHABLE"), "{found:?}");
    assert_eq!(fs::read_dir(home.path()).expect("there").count(), 0);
}

#[test]
fn an_endpoint_that_speaks_no_tls_is_found_by_its_greeting_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).expect("a greeting");
        greeting
    });
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    let found = checks(home.path(), "reachability", &["--online"], &variables);
    assert!(found[0].0 == "fail" && found[0].1.contains("TLS fails"), "{found:?}");
    // A TLS handshake record, and so no request.
    assert_eq!(answer.join().expect("it ends")[..2], [22, 3]);
}

fn explain(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
    command.arg("explain").args(args).env_clear().output().expect("it starts")
}

#[test]
fn a_code_is_explained_however_it_is_typed() {
    let said = |args: &[&str]| {
        let output = explain(args);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = said(&["MCPX_STDIO_NOT_FOUND"]);
    assert_eq!(text, said(&["stdio_not_found"]));
    assert_eq!(text, said(&["mcpx_Stdio_Not_Found"]));
    for part in ["(error, permanent)", "does not exist", "Run: command -v PROGRAM", "#mcpx_stdio_"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let one: Value = serde_json::from_str(&said(&["HTTP_DNS", "-o", "json"])).expect("JSON");
    assert_eq!(one["code"], "MCPX_HTTP_DNS");
    assert_eq!((&one["severity"], &one["permanent"]), (&"error".into(), &false.into()));
    let kinds = one["steps"].as_array().expect("steps").iter().map(|step| &step["kind"]);
    assert!(kinds.eq(["advice", "command", "action"].iter()), "{one}");
    let yaml = said(&["HTTP_DNS", "-o", "yaml"]);
    assert!(yaml.starts_with("code: MCPX_HTTP_DNS\n"), "{yaml}");
    let all: Value = serde_json::from_str(&said(&["-o", "json"])).expect("JSON");
    let all = all["codes"].as_array().expect("codes");
    let list = said(&[]);
    assert_eq!(list.lines().count(), all.len());
    for (line, code) in list.lines().zip(all) {
        let words = ["code", "severity", "sentence"].map(|name| code[name].as_str().expect(name));
        assert!(words.iter().all(|word| line.contains(word)), "{line}: {code}");
    }
}

#[test]
fn a_code_with_a_slip_is_named() {
    for (typed, hint) in [
        ("MCPX_STDIO_NOTFOUND", "did you mean MCPX_STDIO_NOT_FOUND?"),
        ("http-dns", "did you mean MCPX_HTTP_DNS?"),
        ("zz", "`mcpproxy explain` lists them"),
    ] {
        let output = explain(&[typed]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains(hint) && said.lines().count() == 1, "{said}");
    }
}

//! `configured_ide_count`: what counts, and that counting writes nothing.

use crate::home::{CODEX, Home};
use std::process::{Command, Stdio};

fn counted(home: &Home) -> u64 {
    let output = home.run(&["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    status["activation"]["configured_ide_count"].as_u64().expect("a number")
}

#[test]
fn a_client_counts_when_its_file_really_holds_an_entry_of_ours() {
    let home = Home::new();
    assert_eq!(counted(&home), 0);
    home.write(
        ".cursor/mcp.json",
        "{\"mcpServers\": {\"x\": {\"command\": \"mcpproxy\", \"args\": [\"serve\"]}}}",
    );
    assert_eq!(counted(&home), 1);
    home.write(
        CODEX,
        "[mcp_servers.a]\ncommand = \"/opt/mcpproxy\"\nargs = [\"tap\", \"--\", \"npx\"]\n",
    );
    home.write(
        ".config/opencode/opencode.jsonc",
        "{\"mcp\": {\"mcpproxy\": {\"type\": \"remote\", \"url\": \"http://127.0.0.1:8080/mcp\"},},}",
    );
    home.write(".config/opencode/opencode.json", "{}");
    assert_eq!(counted(&home), 3);
    // A mention is no entry, a broken file holds none, and neither does another program of our name.
    home.write(".gemini/settings.json", "{\"note\": \"mcpproxy serve\", \"mcpServers\": {}}");
    home.write(
        ".config/zed/settings.json",
        "{\"context_servers\": {\"mcpproxy\": {\"command\": \"mcpproxy\",",
    );
    home.write(
        ".claude.json",
        "{\"mcpServers\": {\"mcpproxy\": {\"command\": \"node\", \"args\": [\"serve\"]}}}",
    );
    home.write(
        ".codeium/windsurf/mcp_config.json",
        "{\"mcpServers\": {\"a\": {\"command\": \"mcpproxy\", \"args\": [\"telemetry\"]}}}",
    );
    let large = format!(
        "{{\"mcpServers\": {{\"mcpproxy\": {{\"command\": \"mcpproxy\", \"args\": [\"serve\"]}}}}}}{}",
        " ".repeat(5 << 20)
    );
    home.write(".config/Code/User/mcp.json", &large);
    assert_eq!(counted(&home), 3);
    let payload = home.run(&["telemetry", "show-payload"]).stdout;
    assert!(String::from_utf8_lossy(&payload).contains("\"configured_ide_count\":3"));
}

/// Every file that a command opened for writing, made, renamed or removed, as `strace` saw it.
fn written(home: &Home, words: &[&str], ends: bool) -> Option<Vec<String>> {
    if Command::new("strace").arg("-V").output().is_err() {
        skipped!("there is no strace; nobody watched what counting opens");
        return None;
    }
    let log = tempfile::NamedTempFile::new().expect("a file");
    let calls = "trace=open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat,truncate,ftruncate,link,linkat,symlink,symlinkat";
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "300", "-e", calls, "-o"])
        .arg(log.path())
        .arg(crate::home::BIN)
        .args(words);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path(""));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    if !ends {
        // The host counts in the background, as soon as it has started.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    drop(child.stdin.take());
    child.wait().expect("it ends");
    let log = std::fs::read_to_string(log.path()).expect("a log");
    assert!(log.contains(".cursor/mcp.json"), "nobody counted: {log}");
    let reads = |line: &str| {
        line.contains("open")
            && line.contains("O_RDONLY")
            && !line.contains("O_CREAT")
            && !line.contains("O_TRUNC")
    };
    // A call that the tracer met half way has no name: it was not one of those asked for.
    let calls = log.lines().filter(|line| line.contains('(') && !line.contains("???("));
    let calls = calls.filter(|line| !reads(line));
    Some(
        calls
            .filter(|line| !line.contains("/.mcpproxy") && !line.contains("/dev/"))
            .map(str::to_owned)
            .collect(),
    )
}

#[test]
fn counting_opens_nothing_for_writing() {
    let home = Home::new();
    home.out(&["connect", "cursor", "--create"]);
    home.write(
        CODEX,
        "[mcp_servers.a]\ncommand = \"mcpproxy\"\nargs = [\"tap\", \"--\", \"npx\"]\n",
    );
    let before = home.names();
    for words in [
        &["telemetry", "status", "--product", "mcpproxy"][..],
        &["telemetry", "show-payload"],
        &["connect", "--list"],
    ] {
        let Some(written) = written(&home, words, true) else { return };
        assert_eq!(written, [""; 0], "{words:?}");
        assert_eq!(home.names(), before, "{words:?}");
    }
    for words in [&["tap", "cat"][..], &["serve", "--stdio"]] {
        let Some(written) = written(&home, words, false) else { return };
        assert_eq!(written, [""; 0], "{words:?}");
    }
    assert_eq!(counted(&home), 2);
}

#[test]
fn with_telemetry_off_no_host_looks_at_a_clients_file() {
    if Command::new("strace").arg("-V").output().is_err() {
        skipped!("there is no strace; nobody watched what a host opens with telemetry off");
        return;
    }
    let home = Home::new();
    home.out(&["connect", "cursor", "--create"]);
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=file", "-o"]).arg(log.path()).args([
        crate::home::BIN,
        "tap",
        "true",
    ]);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path(""))
        .env("DO_NOT_TRACK", "1");
    assert!(command.stdin(Stdio::null()).status().expect("it starts").success());
    let log = std::fs::read_to_string(log.path()).expect("a log");
    assert!(!log.contains(".cursor"), "{log}");
}

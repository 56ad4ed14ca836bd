//! Life in a shell: completions in real shells, manual pages through real formatters.
#![cfg(feature = "full")]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

const BIN: &str = env!("CARGO_BIN_EXE_mcpproxy");

fn out(args: &[&str]) -> String {
    let output = Command::new(BIN).args(args).env_clear().output().expect("it starts");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs another program; `None`, said aloud, when it is not installed.
fn other(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).env("TERM", "dumb").env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => Some(output),
        Err(_) => {
            skipped!("there is no {program}");
            None
        }
    }
}

/// A directory with the completions of one shell in it, and the path of the script.
fn script(shell: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("script");
    std::fs::write(&path, out(&["completions", shell])).expect("written");
    let path = path.to_str().expect("UTF-8").to_owned();
    (dir, path)
}

/// Words typed, what is offered.
const CASES: &[(&[&str], &[&str])] = &[
    (&["tele"], &["telemetry"]),
    (&["telemetry", "s"], &["status", "show-payload", "send", "sent", "schema"]),
    (&["telemetry", "status", "--o"], &["--output"]),
    (&["telemetry", "status", "-o", "j"], &["json"]),
    (&["--data-dir", "/x", "telemetry", "show"], &["show-payload"]),
    (&["connect", "c"], &["claude-code", "claude-desktop", "cursor", "codex"]),
    (&["connect", "cursor", "--dr"], &["--dry-run"]),
    (&["connect", "cursor", "z"], &[]),
    (&["completions", ""], &["bash", "zsh", "fish", "powershell"]),
    (&["serve", "--log-format", ""], &["text", "json"]),
    (&["tap", "--disc"], &["--discovery-tool"]),
    (&["upstream", "add", "x", "--en"], &["--env"]),
    (&["doctor", "--on"], &["--online"]),
    (&["explain", "MCPX_HTTP_D"], &["MCPX_HTTP_DNS"]),
];

fn check(offered: &str, words: &[&str], expected: &[&str]) {
    let offered: BTreeSet<&str> = offered
        .lines()
        .filter_map(|line| line.split('\t').next())
        .filter(|w| !w.is_empty())
        .collect();
    assert_eq!(offered, expected.iter().copied().collect(), "{words:?}");
}

#[test]
fn bash_completes_commands_options_and_values() {
    let (_dir, path) = script("bash");
    let run = r#"source "$0"; COMP_WORDS=(mcpproxy "$@"); COMP_CWORD=$#; _mcpproxy; printf '%s\n' "${COMPREPLY[@]}""#;
    for (words, expected) in CASES {
        let args = [&["--norc", "-c", run, &path], *words].concat();
        let Some(output) = other("bash", &args) else { return };
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        check(&String::from_utf8_lossy(&output.stdout), words, expected);
    }
    // What follows a server's command is not ours.
    let args = ["--norc", "-c", run, &path, "tap", "npx", "--disc"];
    let Some(output) = other("bash", &args) else { return };
    assert_eq!(output.stdout, b"\n");
}

#[test]
fn fish_completes_commands_options_and_values() {
    let (_dir, path) = script("fish");
    for (words, expected) in CASES {
        let line = format!("source {path}; complete -C 'mcpproxy {}'", words.join(" "));
        let Some(output) = other("fish", &["--no-config", "-c", &line]) else { return };
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        check(&String::from_utf8_lossy(&output.stdout), words, expected);
    }
}

#[test]
fn the_scripts_of_the_other_shells_can_be_read_by_them() {
    let (_dir, path) = script("zsh");
    if let Some(output) = other("zsh", &["-f", "-n", &path]) {
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    let (_dir, path) = script("powershell");
    let parse = format!(
        "$e = $null; [void][System.Management.Automation.Language.Parser]::ParseFile('{path}', [ref]$null, [ref]$e); exit $e.Count"
    );
    if let Some(output) = other("pwsh", &["-NoProfile", "-Command", &parse]) {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn every_script_knows_every_command_and_option() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let text = out(&["completions", shell]);
        for word in
            ["telemetry status", "upstream add", "connect", "discovery-tool", "online", "wrap"]
        {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    let output = Command::new(BIN).args(["completions", "tcsh"]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("tcsh") && said.contains("bash, zsh, fish or powershell"), "{said}");
}

#[test]
fn every_command_has_a_manual_page_that_formatters_accept() {
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("new/man1");
    let said = out(&["man", "--dir", pages.to_str().expect("UTF-8")]);
    let help = out(&["help"]);
    let commands = help.lines().take_while(|line| *line != "Options:");
    let count = commands.filter(|line| line.starts_with("  ")).count() + 1;
    assert_eq!(said, format!("{count} pages written.\n"));
    let found: Vec<_> = std::fs::read_dir(&pages).expect("there").flatten().collect();
    assert_eq!(found.len(), count);
    for page in &found {
        accept(&page.path());
    }
    let main = std::fs::read_to_string(pages.join("mcpproxy.1")).expect("there");
    assert_eq!(out(&["man"]), main);
    assert!(
        main.contains("telemetry show\\-payload") && main.contains(".BR mcpproxy\\-doctor (1)")
    );
    let connect = std::fs::read_to_string(pages.join("mcpproxy-connect.1")).expect("there");
    assert!(
        connect.contains("\\fB\\-\\-dry\\-run\\fR")
            && connect.contains("[\\fIOPTIONS\\fR] [CLIENT]")
    );
}

fn accept(page: &Path) {
    let page = page.to_str().expect("UTF-8");
    if let Some(output) = other("man", &["--warnings", "-l", page]) {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
        assert!(output.stdout.len() > 200, "{page}");
    }
    if let Some(output) = other("groff", &["-man", "-Tutf8", "-ww", page]) {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
    }
    if let Some(output) = other("mandoc", &["-T", "lint", "-W", "warning", page]) {
        // The date of a build is nobody's business.
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let bad: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

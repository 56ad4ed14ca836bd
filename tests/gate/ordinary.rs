//! Ordinary machines pass, whatever their users and hosts are called and their environment holds.

use crate::payload::{bytes_of, own};
use mcpproxy::activation::clients;
use mcpproxy::contract::client_name;
use mcpproxy::gate::{PrivateWords, check, scan};

const FIRST_NAMES: &str = include_str!("../data/first-names.txt");

/// Names of accounts and machines.
const COMMON: &[&str] = &[
    "root",
    "admin",
    "administrator",
    "user",
    "ubuntu",
    "debian",
    "fedora",
    "vscode",
    "runner",
    "linux",
    "localhost",
    "tim",
    "guest",
    "test",
    "dev",
    "developer",
    "node",
    "codespace",
    "gitpod",
    "coder",
    "jenkins",
    "docker",
    "ec2-user",
    "azureuser",
    "vagrant",
    "pi",
    "raspberrypi",
    "macbook",
    "MacBook-Pro.local",
    "DESKTOP-AB12CD3",
    "laptop",
    "workstation",
    "build",
    "server",
    "home",
    "owner",
    "me",
    "personal",
    "minimal",
    "interactive",
    "container",
    "headless",
    "cli",
    "tray",
    "tap",
    "direct",
    "darwin",
    "windows",
    "amd64",
    "arm64",
    "other",
    "timestamp",
    "version",
    "activation",
    "mcp",
    "stdio",
    "http",
    "auto",
    "claude",
    "cursor",
    "zed",
    "goose",
    "cline",
    "code",
    "x64",
    "3f2a9c1b7d4e",
    "2026",
    "v1.2.3",
    "mcpproxy",
    "schema_version",
    "has_tty",
    "null",
    "nobody",
    "José",
    "Łukasz",
    "Доктор",
    "李明华",
    "O'Brien",
    "Mary Ann",
    "john.doe",
    "a.b",
    "1000",
];

/// Values that make environments noisy.
const NOISE: &[&str] = &[
    "11",
    "80",
    "2026",
    "true",
    "false",
    "1",
    "0",
    "yes",
    "on",
    "xterm",
    "xterm-256color",
    "vim",
    "code",
    "/bin/bash",
    "/usr/local/bin:/usr/bin:/bin",
    "en_US.UTF-8",
    "C.UTF-8",
    ":0",
    "wayland-0",
    "truecolor",
    "x11",
    "GNOME",
    "interactive",
    "linux",
    "personal",
    "cli",
    "mcp",
    "2026-11-22",
    "14:46:00",
    "v1.2.3",
    "1.2.3",
    "amd64",
    "x86_64",
    "retrieve_tools",
    "unknown",
    "vscode",
    "claude-code",
    "11-100",
    "1k_10k",
    "stdio",
    "null",
    "-100",
    "0.5",
    "",
    " ",
    "2026-11-22T14:46:00Z",
    "v1.2.2-rc1",
    "node",
    "npm",
    "zed",
];

fn machine(name: &str) -> PrivateWords {
    let home = format!("/home/{name}");
    let host = format!("{name}-laptop.local");
    let values = NOISE.iter().copied().chain([name, &home, &host]);
    PrivateWords::new([name, &host, &home], values)
}

fn names() -> impl Iterator<Item = &'static str> {
    FIRST_NAMES.lines().chain(COMMON.iter().copied())
}

#[test]
fn the_list_of_first_names_is_long_enough() {
    assert!(FIRST_NAMES.lines().count() >= 1000);
}

#[test]
fn an_ordinary_payload_passes_on_every_machine() {
    let own = own();
    let full = bytes_of(&["claude-code", "vscode", "cursor-vscode", "mcp", "unknown", "zed"]);
    let empty = bytes_of(&[]);
    for name in names() {
        let private = machine(name);
        for bytes in [&full, &empty] {
            assert_eq!(check(bytes, Some(&own), &private), Ok(()), "{name}");
            assert_eq!(check(bytes, None, &private), Ok(()), "{name}");
        }
    }
}

#[test]
fn every_name_of_the_vocabulary_passes_on_every_machine() {
    let batches: Vec<_> = client_name::vocabulary().chunks(16).map(bytes_of).collect();
    for name in names().step_by(29).chain(client_name::vocabulary().iter().copied()) {
        for bytes in &batches {
            assert_eq!(check(bytes, Some(&own()), &machine(name)), Ok(()), "{name}");
        }
    }
}

#[test]
fn a_strange_client_passes_on_every_machine_whose_name_it_does_not_hold() {
    let bytes = bytes_of(&["quuxify-toolbox2", "frobnicator.plugin_v3", "timeline-optimizer"]);
    for name in names() {
        assert_eq!(check(&bytes, Some(&own()), &machine(name)), Ok(()), "{name}");
    }
}

#[test]
fn a_client_named_after_its_user_is_unknown_and_does_not_silence_the_install() {
    for name in FIRST_NAMES.lines().filter(|name| name.len() >= 3 && !client_name::is_known(name)) {
        let private = machine(name);
        let is_leak = |text: &str| scan(text, &private).is_some();
        let raw = format!("{name}s-{name}-client");
        assert_eq!(clients::canonical(&raw, &is_leak), "unknown", "{name}");
        let stored = [raw, "claude-code".to_owned()];
        let sent = clients::sanitize(&stored, false, &is_leak);
        assert_eq!(sent, ["unknown", "claude-code"]);
        let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
        assert_eq!(check(&bytes_of(&sent), Some(&own()), &private), Ok(()), "{name}");
    }
}

#[test]
fn a_user_called_tim_is_not_a_leak() {
    let private = PrivateWords::new(["tim", "linux", "/home/tim"], ["11", "2026", "vim", "xterm"]);
    assert_eq!(check(&bytes_of(&["vscode", "timer-tool"]), Some(&own()), &private), Ok(()));
    assert!(check(&bytes_of(&["tim-tool"]), Some(&own()), &private).is_err());
}

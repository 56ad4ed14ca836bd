//! Ordinary machines pass, whatever their users and hosts are called and their environment holds.

use crate::payload::{bytes_of, of_clients, own, own_of, value_v3};
use mcpproxy::activation::clients;
use mcpproxy::contract::client_name;
use mcpproxy::gate::{PrivateWords, check, product_name, scan};

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

/// One whose user is called so.
fn machine(name: &str) -> PrivateWords {
    let home = format!("/home/{name}");
    let host = format!("{name}-laptop.local");
    let values = NOISE.iter().copied().chain([name, &home, &host]);
    PrivateWords::new([name, &host, &home], values)
}

/// One that is called so itself, in the forms in which hosts are.
fn host(name: &str) -> PrivateWords {
    let bare = name.replace([' ', '\''], "-");
    let full = format!("{bare}.fritz.box");
    let values = NOISE.iter().copied().chain(["resident", "/home/resident", &bare, &full]);
    PrivateWords::new(["resident", "/home/resident", name, &bare, &full], values)
}

fn names() -> impl Iterator<Item = &'static str> {
    FIRST_NAMES.lines().chain(COMMON.iter().copied())
}

#[test]
fn the_list_of_first_names_is_long_enough() {
    assert!(FIRST_NAMES.lines().count() >= 1700);
}

#[test]
fn an_ordinary_payload_passes_on_every_machine() {
    let own = own();
    let clients = ["claude-code", "vscode", "cursor-vscode", "mcp", "unknown", "zed"];
    let sent = [bytes_of(&clients), bytes_of(&[])];
    let v3 = [&clients[..], &[]].map(|clients| value_v3(clients).to_string());
    for name in names() {
        for private in [machine(name), host(name)] {
            for bytes in &sent {
                assert_eq!(check(bytes, Some(&own), &private), Ok(()), "{name}");
                assert_eq!(check(bytes, None, &private), Ok(()), "{name}");
            }
            // Which is not sent any more, and still verified and received.
            for bytes in &v3 {
                assert_eq!(check(bytes.as_bytes(), None, &private), Ok(()), "{name}");
            }
        }
    }
}

/// Some maintainers are called like their users.
#[test]
fn a_product_named_after_its_user_or_host_passes() {
    let mut named = 0;
    for name in names() {
        let Ok(product) = product_name(name) else { continue };
        let mut payload = of_clients(&["claude-code"]);
        payload.product.name = product;
        let (bytes, own) = (payload.encode(), own_of(&payload));
        for private in [machine(name), host(name)] {
            assert_eq!(check(&bytes, Some(&own), &private), Ok(()), "{name}");
        }
        named += 1;
    }
    assert!(named >= 1700, "{named}");
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
    for name in names().step_by(29) {
        assert_eq!(check(&bytes, Some(&own()), &host(name)), Ok(()), "{name}");
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

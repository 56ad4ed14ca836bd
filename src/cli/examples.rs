//! A command line of every command that does something, for its help and its manual page.
//!
//! One rule: every command has one, and each line is parsed by a test.

use super::commands::Command;

const EXAMPLES: &[(&str, &[&str])] = &[
    ("tap", &["mcpproxy tap --product notes-mcp --product-version 1.4.0 -- npx -y notes-mcp"]),
    ("record", &["notes-server | mcpproxy record --product notes-mcp --product-version 1.4.0"]),
    ("connect", &["mcpproxy connect claude-code", "mcpproxy connect --list"]),
    ("disconnect", &["mcpproxy disconnect claude-code"]),
    (
        "upstream add",
        &[
            "mcpproxy upstream add files -- npx -y @modelcontextprotocol/server-filesystem ~/notes",
            "mcpproxy upstream add docs --url https://docs.example.com/mcp",
        ],
    ),
    ("upstream list", &["mcpproxy upstream list -o json"]),
    ("upstream remove", &["mcpproxy upstream remove files"]),
    ("upstream enable", &["mcpproxy upstream enable files"]),
    ("upstream disable", &["mcpproxy upstream disable files"]),
    ("upstream set-command", &["mcpproxy upstream set-command files /usr/local/bin/npx"]),
    ("upstream test", &["mcpproxy upstream test files"]),
    ("upstream logs", &["mcpproxy upstream logs files --follow"]),
    ("upstream restart", &["mcpproxy upstream restart files"]),
    ("autostart status", &["mcpproxy autostart status"]),
    ("autostart enable", &["mcpproxy autostart enable"]),
    ("autostart disable", &["mcpproxy autostart disable"]),
    ("serve", &["mcpproxy serve", "mcpproxy serve --listen 9000", "mcpproxy serve --stdio"]),
    ("collector", &["mcpproxy collector", "mcpproxy collector --demo"]),
    ("collector product add", &["mcpproxy collector product add notes-mcp"]),
    ("collector product list", &["mcpproxy collector product list"]),
    ("collector product rename", &["mcpproxy collector product rename notes-mcp notes"]),
    ("collector product remove", &["mcpproxy collector product remove notes-mcp"]),
    ("collector report", &["mcpproxy collector report retention --product notes-mcp"]),
    ("collector doctor", &["mcpproxy collector doctor https://telemetry.example.com"]),
    ("collector forget", &["mcpproxy collector forget 3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2"]),
    (
        "collector purge",
        &["mcpproxy collector purge --received 2026-11-01..2026-11-03 --reason flood"],
    ),
    ("collector retire", &["mcpproxy collector retire notes-mcp 1.4.0"]),
    ("collector unretire", &["mcpproxy collector unretire notes-mcp 1.4.0"]),
    ("collector note", &["mcpproxy collector note 2026-11-02 \"Released 1.4.0\""]),
    ("collector notes", &["mcpproxy collector notes"]),
    ("collector export", &["mcpproxy collector export installs.jsonl"]),
    ("collector import", &["mcpproxy collector import heartbeats.jsonl"]),
    ("collector backup", &["mcpproxy collector backup collector-backup.db"]),
    ("collector restore", &["mcpproxy collector restore collector-backup.db"]),
    ("collector verify", &["mcpproxy collector verify"]),
    ("collector simulate", &["mcpproxy collector simulate --installs 1000 --days 30 --out DIR"]),
    ("detect", &["mcpproxy detect --explain"]),
    (
        "telemetry status",
        &["mcpproxy telemetry status", "mcpproxy telemetry status --product mcpproxy"],
    ),
    ("telemetry show-payload", &["mcpproxy telemetry show-payload --explain"]),
    ("telemetry sent", &["mcpproxy telemetry sent"]),
    ("telemetry enable", &["mcpproxy telemetry enable"]),
    ("telemetry disable", &["mcpproxy telemetry disable"]),
    ("telemetry verify", &["mcpproxy telemetry verify ~/.mcpproxy/sent/*.json"]),
    ("telemetry send", &["mcpproxy telemetry send"]),
    ("telemetry reset-id", &["mcpproxy telemetry reset-id --product notes-mcp"]),
    ("telemetry forget", &["mcpproxy telemetry forget --product notes-mcp"]),
    ("telemetry schema", &["mcpproxy telemetry schema"]),
    ("uninstall", &["mcpproxy uninstall"]),
    ("doctor", &["mcpproxy doctor", "mcpproxy doctor --fix MCPX_STDIO_NOT_FOUND"]),
    ("explain", &["mcpproxy explain MCPX_HTTP_DNS"]),
    (
        "completions",
        &["mcpproxy completions bash > ~/.local/share/bash-completion/completions/mcpproxy"],
    ),
    ("man", &["mcpproxy man --dir ~/.local/share/man/man1"]),
    ("help", &["mcpproxy help telemetry"]),
];

/// Examples of a command.
pub(super) fn of(command: &Command) -> &'static [&'static str] {
    let path = command.path.join(" ");
    EXAMPLES.iter().find(|(name, _)| *name == path).map_or(&[], |(_, lines)| lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::{COMMANDS, Entry};
    use crate::cli::parse::{Request, parse};
    use std::ffi::OsString;

    /// The words of ours in a line of a shell: behind `mcpproxy`, up to where the shell goes on.
    fn words(line: &str) -> Vec<OsString> {
        let (_, ours) = line.split_once("mcpproxy ").unwrap_or(("", ""));
        let ours = ours.split(" > ").next().unwrap_or_default();
        let quoted: Vec<&str> = ours.split('"').collect();
        let mut words = Vec::new();
        for (at, part) in quoted.into_iter().enumerate() {
            match at % 2 {
                0 => words.extend(part.split_whitespace().map(OsString::from)),
                _ => words.push(part.into()),
            }
        }
        words
    }

    #[test]
    fn every_command_has_an_example_and_each_is_a_command_line() {
        let mut wrong = Vec::new();
        for command in COMMANDS.iter().filter(|c| !matches!(c.entry, Entry::Needs(_))) {
            let lines = of(command);
            assert!(!lines.is_empty(), "{:?}", command.path);
            for line in lines {
                match parse(words(line)) {
                    Ok(Request::Run(found, _)) if found.path == command.path => {}
                    other => wrong.push(format!("{line}: {other:?}")),
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

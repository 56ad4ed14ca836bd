//! What people type who mean something that we call otherwise.
//!
//! One rule: a hint is a whole command line that works, and nothing is run that was not asked for by its name.

use super::commands::{self, COMMANDS, Command, Entry, Opt};
use std::ffi::OsStr;

/// The group, the words that are typed there, and what they mean: a line that may be typed instead.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("", &["on", "optin", "opt-in"], "telemetry enable"),
    ("", &["off", "optout", "opt-out"], "telemetry disable"),
    ("", &["version"], "--version"),
    ("", &["status"], "telemetry status"),
    ("", &["start", "up", "gateway", "server", "proxy", "run"], "serve"),
    ("", &["wrap", "exec"], "tap"),
    ("", &["install", "setup"], "connect"),
    ("", &["ls", "list", "servers"], "upstream list"),
    ("", &["rm", "remove", "delete"], "upstream remove"),
    ("", &["add"], "upstream add"),
    ("", &["check", "diagnose"], "doctor"),
    ("telemetry", &["on", "optin", "opt-in", "start", "resume"], "enable"),
    ("telemetry", &["off", "optout", "opt-out", "stop", "pause"], "disable"),
    ("telemetry", &["show", "payload", "preview"], "show-payload"),
    ("telemetry", &["log", "history", "list", "ls"], "sent"),
    ("telemetry", &["delete", "erase", "rm"], "forget"),
    ("telemetry", &["reset"], "reset-id"),
    ("upstream", &["rm", "delete", "del", "uninstall"], "remove"),
    ("upstream", &["ls", "status"], "list"),
    ("upstream", &["on", "start"], "enable"),
    ("upstream", &["off", "stop"], "disable"),
    ("upstream", &["log"], "logs"),
    ("upstream", &["reload", "reconnect"], "restart"),
    ("upstream", &["check", "ping"], "test"),
    ("autostart", &["on"], "enable"),
    ("autostart", &["off"], "disable"),
    ("collector product", &["ls"], "list"),
    ("collector product", &["rm", "delete"], "remove"),
];

/// The command line that `word` after the words of `place` probably means.
pub(super) fn word(place: &str, word: &str) -> Option<String> {
    let typed = word.to_ascii_lowercase();
    let of_group = |(group, words, _): &&(&str, &[&str], &str)| {
        *group == place && words.contains(&typed.as_str())
    };
    let (_, _, line) = WORDS.iter().find(of_group)?;
    let space = if place.is_empty() { "" } else { " " };
    is_built(place, line).then(|| format!("mcpproxy {place}{space}{line}"))
}

/// The command of a group whose last word `word` probably is, typed without the group.
pub(super) fn of_a_group(word: &str) -> Option<String> {
    let typed = word.to_ascii_lowercase();
    // Of equal ones that of `telemetry`, which most people look for.
    let is_telemetry = |command: &&Command| command.path.first() == Some(&"telemetry");
    let built = || {
        let telemetry = COMMANDS.iter().filter(is_telemetry);
        let others = COMMANDS.iter().filter(move |command| !is_telemetry(command));
        let all = telemetry.chain(others);
        all.filter(|command| !matches!(command.entry, Entry::Needs(_)))
    };
    let last = |command: &Command| command.path.last().copied().unwrap_or_default();
    let lasts: Vec<&str> = built().map(last).collect();
    let meant = commands::nearest(&typed, &lasts)?;
    let command = built().find(|command| last(command) == meant)?;
    Some(format!("mcpproxy {}", command.path.join(" ")))
}

/// Whether this build has what a hint names.
fn is_built(place: &str, line: &str) -> bool {
    let words = place.split(' ').chain(line.split(' ')).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    line.starts_with('-')
        || commands::find(&words).is_some_and(|command| !matches!(command.entry, Entry::Needs(_)))
}

/// What an option that does not exist probably means, in words; `own` are the options that there are.
pub(super) fn option(long: &str, value: Option<&OsStr>, own: &[Opt]) -> Option<String> {
    let has = |name: &str| own.iter().any(|option| option.long == name);
    match long {
        "json" | "yaml" if has("output") => Some(format!("use -o {long}")),
        "format" if has("output") => Some("use -o FORMAT".to_owned()),
        "port" | "host" | "bind" | "address" if has("listen") => {
            let port = value.and_then(OsStr::to_str).filter(|_| long == "port");
            let port = port.and_then(|port| port.parse::<u16>().ok());
            let address = port.map_or("ADDRESS".to_owned(), |port| format!("127.0.0.1:{port}"));
            Some(format!("use --listen {address}"))
        }
        "config" | "dir" | "home" => Some("use --data-dir DIR".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_is_a_command_of_this_build() {
        for (place, words, line) in WORDS {
            for typed in *words {
                let hint = word(place, typed).unwrap_or_default();
                assert!(hint.ends_with(line), "{place} {typed}: {hint}");
            }
        }
        assert_eq!(of_a_group("stauts").as_deref(), Some("mcpproxy telemetry status"));
        assert_eq!(of_a_group("show-payload").as_deref(), Some("mcpproxy telemetry show-payload"));
        assert_eq!(of_a_group("zzzzzz"), None);
    }
}

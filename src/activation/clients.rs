//! Canonical client names: what `clientInfo.name` becomes before anything keeps it.
//!
//! One rule: raw names go in, canonical names come out; a raw name is never stored, logged or sent.
//! A name of the vocabulary ([`crate::contract::client_name`]) is nobody's secret and always passes; any
//! other must pass the leak scanner, when it is recorded ([`canonical`]) and again when a payload is
//! assembled ([`sanitize`]), because words become private after a name was recorded.

use crate::contract::MAX_CLIENTS;
use crate::contract::client_name::{MAX_LENGTH, UNKNOWN, is_canonical, is_known};

/// Well-known names that the pattern does not accept, and what they are called here. Compared without
/// regard to ASCII case, as the names that the pattern accepts are.
const RESCUED: [(&str, &str); 9] = [
    ("Visual Studio Code", "vscode"),
    ("Visual Studio Code - Insiders", "vscode"),
    ("Anthropic/ClaudeAI", "claude-ai"),
    ("Roo Code", "roo-code"),
    ("@cline/core", "cline"),
    ("Q DEV CLI", "amazon-q-cli"),
    ("@librechat/api-client", "librechat"),
    ("Cherry Studio", "cherry-studio"),
    ("@n8n/n8n-nodes-langchain.mcpClientTool", "n8n"),
];

/// `JetBrains-*/copilot-intellij`: one name for each of JetBrains' IDEs.
const RESCUED_JETBRAINS: (&str, &str, &str) =
    ("JetBrains-", "/copilot-intellij", "copilot-intellij");

/// Our own gateway, as a client of the servers behind it.
pub const OWN_GATEWAY: &str = "mcpproxy";

/// Whether a raw name is that of our own gateway. It introduces itself and lists tools when it starts, with no
/// client in front of it: only its calls are made for one.
pub fn is_own_gateway(raw: &str) -> bool {
    without_bridge(raw.trim()).trim().eq_ignore_ascii_case(OWN_GATEWAY)
}

/// The canonical form of a raw `clientInfo.name`; `unknown` when it has none or `is_leak` refuses it.
/// Raw names are never stored or logged.
///
/// `is_leak` is asked only about names outside the vocabulary.
pub fn canonical(raw: &str, is_leak: &dyn Fn(&str) -> bool) -> String {
    let name = without_bridge(raw.trim()).trim();
    // A name that the pattern refuses for its length alone need not be copied to find that out.
    if name.len() <= MAX_LENGTH {
        let lower = name.to_ascii_lowercase();
        if is_canonical(&lower) {
            let is_leak = || {
                let apart = |after| apart_at_capitals(name, after).is_some_and(|it| is_leak(&it));
                is_leak(&lower) || apart(false) || apart(true)
            };
            return if is_known(&lower) || !is_leak() { lower } else { UNKNOWN.to_owned() };
        }
    }
    rescued(name).unwrap_or(UNKNOWN).to_owned()
}

/// `name` in lower case with a hyphen where capitals tell where a word begins: boundaries that lower case
/// takes away. The last of several capitals begins a word (`MCPTim`) or, if `after_capitals`, ends one
/// (`TIMclient`, `IDEtim`). `None` when there is no such place.
fn apart_at_capitals(name: &str, after_capitals: bool) -> Option<String> {
    let mut apart = String::with_capacity(name.len() + 8);
    let (mut before, mut capitals) = (' ', 0);
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let is_boundary = if c.is_ascii_uppercase() {
            let last = rest.peek().is_some_and(char::is_ascii_lowercase);
            before.is_ascii_lowercase() || (!after_capitals && capitals > 0 && last)
        } else {
            after_capitals && capitals > 1 && c.is_ascii_lowercase()
        };
        if is_boundary {
            apart.push('-');
        }
        apart.push(c.to_ascii_lowercase());
        capitals = if c.is_ascii_uppercase() { capitals + 1 } else { 0 };
        before = c;
    }
    (apart.len() > name.len()).then_some(apart)
}

/// `name` without what mcp-remote appends to the name of the client behind it.
fn without_bridge(name: &str) -> &str {
    let Some((client, version)) =
        name.strip_suffix(')').and_then(|name| name.rsplit_once(" (via mcp-remote "))
    else {
        return name;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte);
    if !version.is_empty() && version.bytes().all(plain) { client } else { name }
}

fn rescued(name: &str) -> Option<&'static str> {
    let (before, after, jetbrains) = RESCUED_JETBRAINS;
    let starts = name.get(..before.len()).is_some_and(|start| start.eq_ignore_ascii_case(before));
    let ends = name.len().checked_sub(after.len()).filter(|at| *at >= before.len());
    if starts
        && ends.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(after))
    {
        return Some(jetbrains);
    }
    RESCUED.iter().find(|(raw, _)| name.eq_ignore_ascii_case(raw)).map(|(_, name)| *name)
}

/// Stored names as a payload may carry them: each one that is no canonical name, that `is_leak` refuses
/// by now, or that is outside the vocabulary when `known_only`, becomes `unknown`; without repetitions,
/// in order, at most [`MAX_CLIENTS`]. A bad name never silences an install.
pub fn sanitize(names: &[String], known_only: bool, is_leak: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut clean: Vec<String> = Vec::with_capacity(names.len().min(MAX_CLIENTS));
    for name in names {
        let passes = is_known(name) || (!known_only && is_canonical(name) && !is_leak(name));
        let name = if passes { name.as_str() } else { UNKNOWN };
        if clean.len() < MAX_CLIENTS && !clean.iter().any(|kept| kept == name) {
            clean.push(name.to_owned());
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::client_name::vocabulary;
    use proptest::prelude::*;

    fn clean(raw: &str) -> String {
        canonical(raw, &|_| false)
    }

    #[test]
    fn known_names_always_pass() {
        for name in vocabulary() {
            assert_eq!(canonical(name, &|_| true), *name);
        }
    }

    #[test]
    fn accepted_names_are_trimmed_and_lower_case() {
        for (raw, name) in [
            ("Zed", "zed"),
            (" \tclaude-code\n", "claude-code"),
            ("My_Client.v2", "my_client.v2"),
            ("7zip", "7zip"),
            ("X (via mcp-remote 0.1.29)", "x"),
            ("Claude-AI (via mcp-remote 0.1.x) ", "claude-ai"),
            ("Visual Studio Code (via mcp-remote 0.1.2-rc.1)", "vscode"),
        ] {
            assert_eq!(clean(raw), name, "{raw}");
        }
    }

    #[test]
    fn rescued_names_are_compared_without_case() {
        for (raw, name) in RESCUED {
            assert_eq!(clean(raw), name);
            assert_eq!(clean(&raw.to_uppercase()), name);
            assert!(is_known(name));
        }
        for ide in ["IU", "PY", "JBC", "x y", ""] {
            assert_eq!(clean(&format!("JetBrains-{ide}/copilot-intellij")), "copilot-intellij");
        }
        for raw in [
            "JetBrains/copilot-intellij",
            "JetBrains-IU/copilot",
            "xJetBrains-IU/copilot-intellij",
            "JetBrains-IU/copilot-intellij/x",
        ] {
            assert_eq!(clean(raw), "unknown", "{raw}");
        }
    }

    #[test]
    fn what_has_no_canonical_form_is_unknown() {
        for raw in [
            "",
            " ",
            "-x",
            ".x",
            "_x",
            "a..b",
            "a b",
            "a/b",
            "é",
            "Кодер",
            "ｚｅｄ",
            "x\u{0}",
            "a@b",
            "x (via mcp-remote)",
            "x (via mcp-remote )",
            "x (via mcp-remote a b)",
            "x (via other 1)",
            "(via mcp-remote 0.1.2)",
            " (via mcp-remote 0.1.2)",
            "K\u{212a}",
            &"a".repeat(65),
        ] {
            assert_eq!(clean(raw), "unknown", "{raw}");
        }
        assert_eq!(clean(&"a".repeat(64)), "a".repeat(64));
    }

    #[test]
    fn a_leak_is_unknown_unless_the_name_is_known() {
        let leak = |_: &str| true;
        assert_eq!(canonical("tims-tool", &leak), "unknown");
        assert_eq!(canonical("Zed", &leak), "zed");
        assert_eq!(canonical("Roo Code", &leak), "roo-code");
        assert_eq!(canonical("unknown", &leak), "unknown");
    }

    #[test]
    fn the_scanner_sees_the_name_that_would_be_kept() {
        assert_eq!(
            canonical(" Tims-Tool (via mcp-remote 1) ", &|name| name == "tims-tool"),
            "unknown"
        );
    }

    #[test]
    fn the_scanner_sees_the_words_that_capitals_begin() {
        for (raw, words) in [
            ("TimClient", Some("tim-client")),
            ("MCPTim", Some("mcp-tim")),
            ("myTIMTool", Some("my-tim-tool")),
            ("aB", Some("a-b")),
            ("ABc", Some("a-bc")),
            ("X-Tim", None),
            ("Tim", None),
            ("TIM", None),
            ("tim", None),
            ("", None),
        ] {
            assert_eq!(apart_at_capitals(raw, false).as_deref(), words, "{raw}");
        }
        for (raw, words) in [
            ("TIMclient", Some("tim-client")),
            ("IDEtim", Some("ide-tim")),
            ("myTIMtool", Some("my-tim-tool")),
            ("TimClient", Some("tim-client")),
            ("ABc", Some("ab-c")),
            ("Ab", None),
            ("AB1c", None),
            ("A-Bc", None),
            ("TIM", None),
        ] {
            assert_eq!(apart_at_capitals(raw, true).as_deref(), words, "{raw}");
        }
        assert_eq!(canonical("TIMclient", &|name| name == "tim-client"), "unknown");
        assert_eq!(canonical("TimClient", &|name| name == "tim-client"), "unknown");
        assert_eq!(canonical("TimClient", &|name| name == "tim"), "timclient");
    }

    #[test]
    fn stored_names_are_judged_again() {
        let names = |list: &[&str]| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let leak = |name: &str| name.starts_with("tim");
        let stored = names(&["zed", "tims", "other", "timo", "Not Canonical", "zed", "a..b"]);
        assert_eq!(sanitize(&stored, false, &leak), ["zed", "unknown", "other"]);
        assert_eq!(sanitize(&stored, true, &leak), ["zed", "unknown"]);
        assert_eq!(sanitize(&names(&["unknown", "tim"]), false, &leak), ["unknown"]);
        assert_eq!(sanitize(&[], false, &leak), [""; 0]);
        let many: Vec<String> = (0..40).map(|i| format!("c{i}")).collect();
        assert_eq!(sanitize(&many, false, &leak), many[..16]);
    }

    proptest! {
        #[test]
        fn any_raw_name_becomes_a_canonical_one(raw in any::<String>()) {
            let name = clean(&raw);
            prop_assert!(is_canonical(&name));
            prop_assert_eq!(clean(&name), name);
        }
    }
}

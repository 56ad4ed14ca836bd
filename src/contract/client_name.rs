//! The form and the vocabulary of client names.
//!
//! One rule: this is the only place that says how a client name is spelled. A name of the vocabulary
//! (`known-clients.txt`) says nothing about its user; any other may, and must pass the leak scanner before
//! it leaves.

use std::sync::OnceLock;

/// What a client is called whose name has no canonical form, or may not be kept.
pub const UNKNOWN: &str = "unknown";

/// Bytes of the longest canonical name.
pub const MAX_LENGTH: usize = 64;

/// The vocabulary: sorted, one name per line, `#` starts a comment line.
const VOCABULARY: &str = include_str!("known-clients.txt");

/// Whether `name` is spelled as a canonical name: `^[a-z0-9][a-z0-9._-]{0,63}$` without `..`.
pub fn is_canonical(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= MAX_LENGTH
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
        && !name.contains("..")
}

/// Whether `name` is in the known vocabulary ([`UNKNOWN`] included).
pub fn is_known(name: &str) -> bool {
    name == UNKNOWN || vocabulary().binary_search(&name).is_ok()
}

/// The names of the known vocabulary, sorted; without [`UNKNOWN`].
pub fn vocabulary() -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&str>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let lines = VOCABULARY.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_sorted_unique_and_canonical() {
        let names = vocabulary();
        assert!(names.len() > 40, "the file was not read");
        assert!(names.is_sorted_by(|a, b| a < b), "sort it: LC_ALL=C sort -u");
        for name in names {
            assert!(is_canonical(name), "{name}");
            assert!(is_known(name), "{name}");
        }
        assert!(is_canonical(UNKNOWN) && is_known(UNKNOWN));
    }

    #[test]
    fn every_name_of_the_contract_is_known() {
        for name in [
            "vscode",
            "claude-ai",
            "roo-code",
            "cline",
            "amazon-q-cli",
            "copilot-intellij",
            "librechat",
            "cherry-studio",
            "n8n",
            "claude-code",
            "cursor-vscode",
            "codex-mcp-client",
            "gemini-cli-mcp-client",
            "inspector-cli",
            "mcp",
            "mcp-cli",
            "chuk-mcp-client",
            "rmcp",
            "goose",
            "zed",
            "unknown",
        ] {
            assert!(is_known(name), "{name}");
        }
        assert!(!is_known("") && !is_known("Zed") && !is_known("zed ") && !is_known("# "));
    }
}

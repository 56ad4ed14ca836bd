//! The MCP clients that are known: where their configuration is, and what an entry of theirs looks like.
//!
//! One rule: what stands here was looked up in the client's documentation or source, not guessed.

use super::document::Entry;
use super::places::Places;
use crate::config::NewValue;
use crate::json::write_str;
use std::path::PathBuf;

/// One client.
#[derive(Debug)]
pub struct Client {
    /// What it is called on the command line.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// How its file is written.
    pub(super) format: Format,
    /// The member of the root that holds the servers.
    pub(super) container: &'static str,
    /// What an entry looks like.
    shape: Shape,
    /// Where servers of single projects are, if the client has such.
    pub(super) projects: Option<Projects>,
    /// See [`Self::files`].
    places: fn(&Places) -> Vec<PathBuf>,
}

impl Client {
    /// Where its file may be; the first is made when there is none.
    pub fn files(&self, places: &Places) -> Vec<PathBuf> {
        (self.places)(places)
    }
}

/// Where the servers of single projects are, beside those of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Projects {
    /// The member of the root that holds an object for each directory; that one's servers are in the container.
    pub(super) member: &'static str,
    /// The file in the directory itself, which is written as the client's own.
    pub(super) file: &'static str,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON, with comments and trailing commas where somebody wrote some.
    Json,
    /// TOML.
    Toml,
}

impl Format {
    /// A word as the format spells strings. A basic string of TOML may hold what a string of JSON may.
    pub(super) fn spell(self, word: &str) -> String {
        let mut out = String::new();
        write_str(&mut out, word);
        // The only character that must be escaped in TOML and need not be in JSON.
        out.replace('\u{7f}', "\\u007f")
    }
}

/// Members of an entry, in order.
pub(super) type Members = Vec<(String, NewValue)>;

/// What an entry looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `command`, `args`; no URL.
    Commands,
    /// `command`, `args`, after these members; or a URL after these, under this key.
    Both {
        first: &'static [(&'static str, &'static str)],
        url: (&'static [(&'static str, &'static str)], &'static str),
    },
    /// Type, all words under `command`, and a switch.
    OpenCode,
}

const STDIO: &[(&str, &str)] = &[("type", "stdio")];
const HTTP: &[(&str, &str)] = &[("type", "http")];

/// Every client, in the order of lists.
pub const CLIENTS: &[Client] = &[
    Client {
        id: "claude-code",
        name: "Claude Code",
        format: Format::Json,
        container: "mcpServers",
        shape: Shape::Both { first: STDIO, url: (HTTP, "url") },
        projects: Some(Projects { member: "projects", file: ".mcp.json" }),
        // With the variable, the file moves into that directory.
        places: |at| {
            vec![
                at.dir("CLAUDE_CONFIG_DIR").unwrap_or_else(|| at.home.clone()).join(".claude.json"),
            ]
        },
    },
    Client {
        id: "claude-desktop",
        name: "Claude Desktop",
        format: Format::Json,
        container: "mcpServers",
        shape: Shape::Commands,
        projects: None,
        places: |at| vec![at.application_data().join("Claude").join("claude_desktop_config.json")],
    },
    Client {
        id: "cursor",
        name: "Cursor",
        format: Format::Json,
        container: "mcpServers",
        shape: Shape::Both { first: &[], url: (&[], "url") },
        projects: None,
        places: |at| vec![at.home.join(".cursor").join("mcp.json")],
    },
    Client {
        id: "windsurf",
        name: "Windsurf",
        format: Format::Json,
        container: "mcpServers",
        shape: Shape::Both { first: &[], url: (&[], "serverUrl") },
        projects: None,
        places: |at| vec![at.home.join(".codeium").join("windsurf").join("mcp_config.json")],
    },
    Client {
        id: "vscode",
        name: "VS Code",
        format: Format::Json,
        container: "servers",
        shape: Shape::Both { first: STDIO, url: (HTTP, "url") },
        projects: None,
        places: |at| {
            let portable = at.dir("VSCODE_PORTABLE").map(|dir| dir.join("user-data"));
            let data = portable.unwrap_or_else(|| at.application_data().join("Code"));
            vec![data.join("User").join("mcp.json")]
        },
    },
    Client {
        id: "codex",
        name: "Codex",
        format: Format::Toml,
        container: "mcp_servers",
        shape: Shape::Both { first: &[], url: (&[], "url") },
        projects: None,
        places: |at| {
            let home = at.dir("CODEX_HOME").unwrap_or_else(|| at.home.join(".codex"));
            vec![home.join("config.toml")]
        },
    },
    Client {
        id: "gemini",
        name: "Gemini CLI",
        format: Format::Json,
        container: "mcpServers",
        shape: Shape::Both { first: &[], url: (&[], "httpUrl") },
        projects: None,
        // The variable stands for the home directory, not for `.gemini`.
        places: |at| {
            let home = at.dir("GEMINI_CLI_HOME").unwrap_or_else(|| at.home.clone());
            vec![home.join(".gemini").join("settings.json")]
        },
    },
    Client {
        id: "opencode",
        name: "OpenCode",
        format: Format::Json,
        container: "mcp",
        shape: Shape::OpenCode,
        projects: None,
        // All of them are read; the directory is the same on every system.
        places: |at| {
            let dir = at.config_home().join("opencode");
            ["opencode.json", "opencode.jsonc", "config.json"].map(|name| dir.join(name)).into()
        },
    },
    Client {
        id: "zed",
        name: "Zed",
        format: Format::Json,
        container: "context_servers",
        shape: Shape::Both { first: &[("source", "custom")], url: (&[], "url") },
        projects: None,
        places: |at| {
            let dir = match at.system {
                "windows" => at.application_data().join("Zed"),
                "macos" => at.home.join(".config").join("zed"),
                _ => at
                    .dir("FLATPAK_XDG_CONFIG_HOME")
                    .unwrap_or_else(|| at.config_home())
                    .join("zed"),
            };
            vec![dir.join("settings.json")]
        },
    },
];

/// What they are called on the command line.
pub const IDS: &[&str] = &[
    "claude-code",
    "claude-desktop",
    "cursor",
    "windsurf",
    "vscode",
    "codex",
    "gemini",
    "opencode",
    "zed",
];

/// The client of that id.
pub fn client(id: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.id == id)
}

impl Client {
    /// The members of our entry; `None` where the client knows no such entry.
    pub(super) fn entry(&self, entry: &Entry) -> Option<Members> {
        let list =
            |words: &[String]| NewValue::List(words.iter().map(|w| NewValue::text(w)).collect());
        let texts = |pairs: &[(&str, &str)]| -> Members {
            pairs.iter().map(|(key, text)| ((*key).to_owned(), NewValue::text(text))).collect()
        };
        let mut members = match (self.shape, entry) {
            (Shape::Commands, Entry::Command(_)) => Vec::new(),
            (Shape::Both { first, .. }, Entry::Command(_)) => texts(first),
            (Shape::Both { url: (first, _), .. }, Entry::Url(_)) => texts(first),
            (Shape::OpenCode, Entry::Command(_)) => texts(&[("type", "local")]),
            (Shape::OpenCode, Entry::Url(_)) => texts(&[("type", "remote")]),
            (Shape::Commands, Entry::Url(_)) => return None,
        };
        match (self.shape, entry) {
            (Shape::OpenCode, Entry::Command(words)) => {
                members.push(("command".into(), list(words)))
            }
            (_, Entry::Command(words)) => {
                let (program, args) = words.split_first()?;
                members.push(("command".into(), NewValue::text(program)));
                members.push(("args".into(), list(args)));
            }
            (shape, Entry::Url(url)) => {
                let key = if let Shape::Both { url: (_, key), .. } = shape { key } else { "url" };
                members.push((key.into(), NewValue::text(url)));
            }
        }
        if self.shape == Shape::OpenCode {
            members.push(("enabled".into(), NewValue::bool(true)));
        }
        Some(members)
    }
}

/// Every key under which some client keeps a server's address.
pub(super) const URL_KEYS: &[&str] = &["url", "serverUrl", "httpUrl"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_named_once() {
        assert!(CLIENTS.iter().map(|client| client.id).eq(IDS.iter().copied()));
    }
}

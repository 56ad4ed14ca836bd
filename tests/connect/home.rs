//! A user's home directory with clients in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub const BIN: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// Client, its file below the home directory, the member that holds its servers.
pub const JSON_CLIENTS: &[(&str, &str, &str)] = &[
    ("claude-code", ".claude.json", "mcpServers"),
    ("claude-desktop", ".config/Claude/claude_desktop_config.json", "mcpServers"),
    ("cursor", ".cursor/mcp.json", "mcpServers"),
    ("windsurf", ".codeium/windsurf/mcp_config.json", "mcpServers"),
    ("vscode", ".config/Code/User/mcp.json", "servers"),
    ("gemini", ".gemini/settings.json", "mcpServers"),
    ("opencode", ".config/opencode/opencode.json", "mcp"),
    ("zed", ".config/zed/settings.json", "context_servers"),
];
pub const CODEX: &str = ".codex/config.toml";

pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read")
    }

    /// Names below the home directory, directories left out.
    pub fn names(&self) -> Vec<String> {
        fn walk(dir: &Path, root: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(dir).expect("read").flatten() {
                match entry.path() {
                    path if path.is_dir() => walk(&path, root, out),
                    path => out.push(path.strip_prefix(root).expect("below").display().to_string()),
                }
            }
        }
        let mut out = Vec::new();
        walk(self.0.path(), self.0.path(), &mut out);
        out.sort();
        out
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(BIN);
        command.args(words).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("it starts")
    }

    #[track_caller]
    pub fn out(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{words:?}");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!out.contains("SECRET"), "{words:?}: {out}");
        out
    }

    #[track_caller]
    pub fn fails(&self, words: &[&str], code: i32, parts: &[&str]) {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(output.stdout.is_empty(), "{words:?}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{words:?}: {part} is not in {said}");
        }
        assert!(!said.contains("SECRET"), "{said}");
    }
}

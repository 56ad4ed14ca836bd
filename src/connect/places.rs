//! Where clients keep their configurations: directories of this user, by the variables each client honours.
//!
//! One rule: pure but for [`Places::here`]; a variable that is empty, or relative, names nothing.

use crate::machine::Surroundings;
use crate::paths::HOME_VARIABLE;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

type Variable = Box<dyn Fn(&str) -> Option<OsString>>;

/// The directories of one user.
pub struct Places {
    /// As `std::env::consts::OS` spells it.
    pub(super) system: &'static str,
    pub(super) home: PathBuf,
    variable: Variable,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Places {
    /// Those of this process's user; `None` without a home directory that exists: making it is not ours. A
    /// variable of this process counts, and `XDG_CONFIG_HOME` also of an ancestor: clients start servers with less
    /// than they have.
    pub fn here() -> Option<Self> {
        let home = std::env::var_os(HOME_VARIABLE).map(PathBuf::from)?;
        if !home.is_absolute() || !home.is_dir() {
            return None;
        }
        let variable = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).or_else(|| {
                let around = Surroundings::of_this_process();
                let found = (name == "XDG_CONFIG_HOME").then(|| around.nearest(name)).flatten();
                found.map(OsString::from)
            })
        };
        Some(Self::new(std::env::consts::OS, home, variable))
    }

    /// Those of a user of `system` with that home directory and those variables.
    pub fn new(
        system: &'static str,
        home: PathBuf,
        variable: impl Fn(&str) -> Option<OsString> + 'static,
    ) -> Self {
        Self { system, home, variable: Box::new(variable) }
    }

    /// The directory that a variable names.
    pub(super) fn dir(&self, variable: &str) -> Option<PathBuf> {
        let named = (self.variable)(variable)?;
        let named = PathBuf::from(named);
        let is_absolute = match self.system {
            "windows" => named.to_string_lossy().contains(':') || named.has_root(),
            _ => named.is_absolute(),
        };
        is_absolute.then_some(named)
    }

    /// `$XDG_CONFIG_HOME`, else `~/.config`, on every system.
    pub(super) fn config_home(&self) -> PathBuf {
        self.dir("XDG_CONFIG_HOME").unwrap_or_else(|| self.home.join(".config"))
    }

    /// Where desktop applications keep what is theirs.
    pub(super) fn application_data(&self) -> PathBuf {
        match self.system {
            "macos" => self.home.join("Library").join("Application Support"),
            "windows" => {
                self.dir("APPDATA").unwrap_or_else(|| self.home.join("AppData").join("Roaming"))
            }
            _ => self.config_home(),
        }
    }

    /// A path as it is shown: `~` for the home directory.
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) => format!("~{}{}", std::path::MAIN_SEPARATOR, rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::{CLIENTS, client};

    fn place(
        system: &'static str,
        variables: &'static [(&'static str, &'static str)],
        id: &str,
    ) -> String {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let at = Places::new(system, "/h".into(), variable);
        let client = client(id).expect("known");
        client.files(&at)[0].to_string_lossy().replace('\\', "/")
    }

    #[test]
    fn every_client_has_its_place_on_every_system() {
        for (id, linux, macos, windows) in [
            ("claude-code", "/h/.claude.json", "/h/.claude.json", "/h/.claude.json"),
            (
                "claude-desktop",
                "/h/.config/Claude/claude_desktop_config.json",
                "/h/Library/Application Support/Claude/claude_desktop_config.json",
                "C:/r/Claude/claude_desktop_config.json",
            ),
            ("cursor", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json"),
            (
                "windsurf",
                "/h/.codeium/windsurf/mcp_config.json",
                "/h/.codeium/windsurf/mcp_config.json",
                "/h/.codeium/windsurf/mcp_config.json",
            ),
            (
                "vscode",
                "/h/.config/Code/User/mcp.json",
                "/h/Library/Application Support/Code/User/mcp.json",
                "C:/r/Code/User/mcp.json",
            ),
            ("codex", "/h/.codex/config.toml", "/h/.codex/config.toml", "/h/.codex/config.toml"),
            (
                "gemini",
                "/h/.gemini/settings.json",
                "/h/.gemini/settings.json",
                "/h/.gemini/settings.json",
            ),
            (
                "opencode",
                "/h/.config/opencode/opencode.json",
                "/h/.config/opencode/opencode.json",
                "/h/.config/opencode/opencode.json",
            ),
            (
                "zed",
                "/h/.config/zed/settings.json",
                "/h/.config/zed/settings.json",
                "C:/r/Zed/settings.json",
            ),
        ] {
            assert_eq!(place("linux", &[], id), linux);
            assert_eq!(place("macos", &[], id), macos);
            assert_eq!(place("windows", &[("APPDATA", "C:/r")], id), windows);
        }
        assert_eq!(CLIENTS.len(), 9);
    }

    #[test]
    fn a_variable_that_a_client_honours_moves_its_file_unless_it_names_nothing() {
        for (id, name, place_there) in [
            ("claude-code", "CLAUDE_CONFIG_DIR", "/v/.claude.json"),
            ("claude-desktop", "XDG_CONFIG_HOME", "/v/Claude/claude_desktop_config.json"),
            ("vscode", "VSCODE_PORTABLE", "/v/user-data/User/mcp.json"),
            ("codex", "CODEX_HOME", "/v/config.toml"),
            ("gemini", "GEMINI_CLI_HOME", "/v/.gemini/settings.json"),
            ("opencode", "XDG_CONFIG_HOME", "/v/opencode/opencode.json"),
            ("zed", "FLATPAK_XDG_CONFIG_HOME", "/v/zed/settings.json"),
        ] {
            let client = client(id).expect("known");
            let at = |value: &'static str| {
                let variable = move |asked: &str| (asked == name).then(|| OsString::from(value));
                let at = Places::new("linux", "/h".into(), variable);
                client.files(&at)[0].to_string_lossy().into_owned()
            };
            assert_eq!(at("/v"), place_there);
            assert_eq!(at("relative"), place("linux", &[], id));
        }
    }
}

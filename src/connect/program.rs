//! This program, as an entry starts it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Whether a command is this program, by the name of its file.
pub(super) fn is_ours(command: &str) -> bool {
    let name = command.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = match name.len().checked_sub(4).and_then(|at| name.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".exe") => stem,
        _ => name,
    };
    stem == "mcpproxy"
        || (Path::new(command).is_absolute() && own().is_some_and(|own| own == command))
}

fn own() -> Option<&'static str> {
    static OWN: OnceLock<Option<String>> = OnceLock::new();
    OWN.get_or_init(|| this_program().ok()).as_deref()
}

/// Why an entry cannot name this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// The system does not tell where it is.
    Unknown(io::ErrorKind),
    /// Its path is not UTF-8.
    Utf8,
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(kind) => write!(f, "this program's path is not known: {kind}"),
            Self::Utf8 => f.write_str("this program's path is not UTF-8"),
        }
    }
}

impl std::error::Error for ProgramError {}

/// This program's absolute path. Where `PATH` leads to it under a name of its own (a link that a package
/// manager moves from version to version), that name.
pub fn this_program() -> Result<String, ProgramError> {
    let own = std::env::current_exe().map_err(|e| ProgramError::Unknown(e.kind()))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = Path::new(own.file_name().unwrap_or_default());
    let mut named = std::env::split_paths(&path).map(|dir| dir.join(name));
    let leads_here = |candidate: &PathBuf| {
        candidate.is_absolute() && candidate.canonicalize().is_ok_and(|target| target == own)
    };
    let found = named.find(leads_here).unwrap_or(own);
    found.into_os_string().into_string().map_err(|_| ProgramError::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_known_by_its_name_wherever_it_is() {
        for command in ["mcpproxy", "/usr/bin/mcpproxy", "C:\\bin\\mcpproxy.EXE", "./mcpproxy"] {
            assert!(is_ours(command), "{command}");
        }
        for command in
            ["", "npx", "/opt/mcpproxy/bin/node", "mcpproxy-plus", "mcpproxy.js", "\u{e4}.exe"]
        {
            assert!(!is_ours(command), "{command}");
        }
    }
}

//! This machine as [`Evidence`]: each answer is one observation of the platform.

use super::Surroundings;
use crate::environment::{Evidence, OsKind};
use mcpproxy_platform::host;
use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

/// Bytes of the marker files that are looked at: they hold one word.
const SMALL_FILE_BYTES: usize = 4096;

/// This machine, with the variables of `around`.
pub struct LiveEvidence<'a> {
    around: &'a Surroundings,
}

impl<'a> LiveEvidence<'a> {
    /// Evidence of this machine; variables come from `around`, ancestors' only with `detect-ppid`.
    pub fn new(around: &'a Surroundings) -> Self {
        Self { around }
    }

    fn counts(&self, origin: usize) -> bool {
        origin == 0 || cfg!(feature = "detect-ppid")
    }
}

/// Standard input is a terminal; never without `detect-tty`.
pub(super) fn stdin_is_terminal() -> bool {
    cfg!(feature = "detect-tty") && host::stdin_is_terminal()
}

/// `/proc/self/cgroup`, read at most once: the launch source asks as well.
pub(super) fn cgroup() -> Option<&'static str> {
    static CGROUP: OnceLock<Option<String>> = OnceLock::new();
    CGROUP.get_or_init(host::cgroup).as_deref()
}

impl Evidence for LiveEvidence<'_> {
    fn variables(&self, visit: &mut dyn FnMut(&str, &str)) {
        for variable in &self.around.variables {
            if self.counts(variable.origin) {
                visit(&variable.name, &variable.value);
            }
        }
    }

    fn path_exists(&self, path: &str) -> bool {
        Path::new(path).exists()
    }

    fn file(&self, path: &str) -> Option<Cow<'_, str>> {
        let bytes = host::read_bounded(Path::new(path), SMALL_FILE_BYTES).ok()?;
        Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn cgroup(&self) -> Option<Cow<'_, str>> {
        cgroup().map(Cow::Borrowed)
    }

    fn mountinfo(&self) -> Option<Cow<'_, str>> {
        host::mountinfo().map(Cow::Owned)
    }

    fn display_socket(&self) -> Option<Cow<'_, str>> {
        host::display_socket().map(Cow::Owned)
    }

    fn os(&self) -> OsKind {
        match std::env::consts::OS {
            "linux" => OsKind::Linux,
            "macos" => OsKind::Darwin,
            "windows" => OsKind::Windows,
            _ => OsKind::Unknown,
        }
    }

    fn stdin_is_terminal(&self) -> bool {
        stdin_is_terminal()
    }

    fn controlling_terminal(&self) -> Option<usize> {
        self.around.terminal.filter(|&origin| self.counts(origin))
    }

    fn os_release(&self) -> Option<Cow<'_, str>> {
        host::os_release().map(Cow::Owned)
    }
}

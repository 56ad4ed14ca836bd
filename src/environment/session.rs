//! Is a person near: display (`detect-display`), terminals (`detect-tty`), a Linux inside of another system.

use super::marks::class;
use super::seen::Seen;
use super::{Evidence, Found};

/// Where a distribution of WSL shows that it is one, whatever kernel it runs on.
const GUEST_PATHS: &[&str] = &[
    "/proc/sys/fs/binfmt_misc/WSLInterop",
    "/proc/sys/fs/binfmt_misc/WSLInterop-late",
    "/run/WSL",
    "/mnt/wslg",
];

/// A display variable, or, where the environment was reduced, a display socket of this user.
pub(super) fn display(evidence: &dyn Evidence, seen: &Seen, found: &mut Found) -> bool {
    if !cfg!(feature = "detect-display") {
        return false;
    }
    let socket = if seen.has(class::DISPLAY) { None } else { evidence.display_socket() };
    if let Some(path) = &socket {
        found.push("path:", path);
    }
    socket.is_some() || seen.has(class::DISPLAY)
}

/// Standard input is a terminal.
pub(super) fn terminal(evidence: &dyn Evidence, found: &mut Found) -> bool {
    cfg!(feature = "detect-tty") && found.note("tty", evidence.stdin_is_terminal())
}

/// This process has a controlling terminal, or an ancestor has: a person started it, though its input is a pipe.
pub(super) fn controlling_terminal(evidence: &dyn Evidence, found: &mut Found) -> bool {
    let nearest = if cfg!(feature = "detect-tty") { evidence.controlling_terminal() } else { None };
    let name = if nearest == Some(0) { "terminal" } else { "terminal:ancestor" };
    found.note(name, nearest.is_some())
}

/// A Windows user's Linux or a phone's: a variable, a kernel that Microsoft built, or, outside of containers, the paths.
pub(super) fn guest(
    evidence: &dyn Evidence,
    seen: &Seen,
    in_container: bool,
    found: &mut Found,
) -> bool {
    let kernel = evidence
        .os_release()
        .is_some_and(|release| release.to_ascii_lowercase().contains("microsoft"));
    // Each is noted, whatever the others say.
    let mut guest = found.note("osrelease", kernel) | seen.has(class::GUEST);
    if !in_container {
        GUEST_PATHS.iter().for_each(|path| guest |= found.path(evidence, path));
    }
    guest
}

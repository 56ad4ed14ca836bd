//! Is a person near: display (`detect-display`), terminal (`detect-tty`), WSL.

use super::names::{CONTAINER, DISPLAY, WSL};
use super::{Evidence, Found};

/// A display variable, or, where the environment was reduced, a display socket of this user.
pub(super) fn display(evidence: &dyn Evidence, found: &mut Found) -> bool {
    if !cfg!(feature = "detect-display") {
        return false;
    }
    if found.variables(evidence, DISPLAY) {
        return true;
    }
    match evidence.display_socket() {
        Some(path) => {
            found.push(format!("path:{path}"));
            true
        }
        None => false,
    }
}

/// Standard input is a terminal.
pub(super) fn terminal(evidence: &dyn Evidence, found: &mut Found) -> bool {
    cfg!(feature = "detect-tty") && found.note("tty", evidence.stdin_is_terminal())
}

/// A Windows user's Linux: the variable, systemd's name for it, or a kernel that Microsoft built.
pub(super) fn wsl(evidence: &dyn Evidence, found: &mut Found) -> bool {
    let named = found.variables(evidence, &[WSL]);
    let container = evidence.env(CONTAINER).is_some_and(|value| value.trim() == "wsl");
    if container {
        found.variable(CONTAINER);
    }
    let kernel = evidence
        .os_release()
        .is_some_and(|release| release.to_ascii_lowercase().contains("microsoft"));
    // Noted whatever the others say.
    let kernel = found.note("osrelease", kernel);
    named || container || kernel
}

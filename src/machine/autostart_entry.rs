//! Our own entry in the operating system's list of what starts at login.
//!
//! Linux: an XDG autostart entry (the user's hides the system's of the same name) or an enabled
//! systemd user unit. macOS: our LaunchAgent. Windows: our value in the `Run` key, unless the user switched it off.

use super::Surroundings;
use crate::environment::autostart::{
    DESKTOP_ENTRY, RUN_ENTRY, SYSTEMD_UNIT, desktop_entry_is_enabled, launch_agent_is_enabled,
};
use crate::environment::launch_source::LAUNCH_AGENT_LABEL;
use mcpproxy_platform::{host, login};
use std::path::{Path, PathBuf};

/// Longer than any desktop entry.
const DESKTOP_ENTRY_BYTES: usize = 64 * 1024;
/// Where an administrator enables a unit for every user.
const SYSTEMD_FOR_EVERY_USER: &str = "/etc/systemd/user";

/// `Some(true)` when an entry starts us, `Some(false)` when the only entry is switched off, `None`
/// without an entry.
pub(super) fn enabled() -> Option<bool> {
    match std::env::consts::OS {
        "linux" => {
            let system = Surroundings::of_this_process().nearest("XDG_CONFIG_DIRS");
            let system = system.filter(|dirs| !dirs.is_empty()).unwrap_or("/etc/xdg");
            let system = system.split(':').map(PathBuf::from);
            enabled_in(config_home().as_deref(), system, Path::new(SYSTEMD_FOR_EVERY_USER))
        }
        "macos" => launch_agent(&home()?),
        _ => login::is_enabled(RUN_ENTRY),
    }
}

/// The user's home directory, if it exists: making it is not ours. A `HOME` that is relative names none.
pub fn home() -> Option<PathBuf> {
    let told = Surroundings::of_this_process().nearest("HOME").filter(|home| !home.is_empty());
    let home = told.map(PathBuf::from).or_else(|| host::user().map(|user| user.home.into()));
    home.filter(|home| home.is_absolute() && home.is_dir())
}

/// `$XDG_CONFIG_HOME`, else `~/.config`.
pub fn config_home() -> Option<PathBuf> {
    let told = Surroundings::of_this_process().nearest("XDG_CONFIG_HOME").map(PathBuf::from);
    // A relative path is invalid by the XDG specification.
    let told = told.filter(|path| path.is_absolute());
    told.or_else(|| home().map(|home| home.join(".config")))
}

/// Whether an administrator has enabled our unit for every user.
#[cfg(feature = "autostart")]
pub fn system_unit_is_enabled() -> bool {
    is_unit_enabled(Path::new(SYSTEMD_FOR_EVERY_USER))
}

fn enabled_in(
    config_home: Option<&Path>,
    config_dirs: impl Iterator<Item = PathBuf>,
    systemd: &Path,
) -> Option<bool> {
    let user_units = config_home.map(|config| config.join("systemd/user"));
    if user_units.iter().map(PathBuf::as_path).chain([systemd]).any(is_unit_enabled) {
        return Some(true);
    }
    config_home
        .map(Path::to_path_buf)
        .into_iter()
        .chain(config_dirs)
        .find_map(|config| desktop_entry(&config.join("autostart").join(DESKTOP_ENTRY)))
}

fn desktop_entry(path: &Path) -> Option<bool> {
    let bytes = host::read_bounded(path, DESKTOP_ENTRY_BYTES).ok()?;
    Some(desktop_entry_is_enabled(&String::from_utf8_lossy(&bytes)))
}

fn launch_agent(home: &Path) -> Option<bool> {
    let name = format!("Library/LaunchAgents/{LAUNCH_AGENT_LABEL}.plist");
    let bytes = host::read_bounded(&home.join(name), DESKTOP_ENTRY_BYTES).ok()?;
    Some(launch_agent_is_enabled(&String::from_utf8_lossy(&bytes)))
}

/// `systemctl --user enable` makes a link in the `.wants` of a target; the unit itself need not be
/// readable.
fn is_unit_enabled(units: &Path) -> bool {
    let Ok(entries) = units.read_dir() else { return false };
    entries.flatten().any(|entry| {
        entry.file_name().as_encoded_bytes().ends_with(b".wants")
            && host::is_symlink(&entry.path().join(SYSTEMD_UNIT))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn entry(&self, directory: &str, text: &str) -> &Self {
            let autostart = self.0.path().join(directory).join("autostart");
            fs::create_dir_all(&autostart).unwrap();
            fs::write(autostart.join("mcpproxy.desktop"), text).unwrap();
            self
        }

        fn enabled(&self) -> Option<bool> {
            let root = self.0.path();
            enabled_in(
                Some(&root.join("config")),
                [root.join("xdg")].into_iter(),
                &root.join("systemd"),
            )
        }
    }

    const ON: &str = "[Desktop Entry]\nType=Application\nExec=mcpproxy serve\n";

    #[test]
    fn without_an_entry_nothing_is_known() {
        assert_eq!(Machine::new().enabled(), None);
    }

    #[test]
    fn a_users_entry_hides_the_systems() {
        assert_eq!(Machine::new().entry("xdg", ON).enabled(), Some(true));
        let hidden = format!("{ON}Hidden=true\n");
        assert_eq!(Machine::new().entry("xdg", ON).entry("config", &hidden).enabled(), Some(false));
        assert_eq!(Machine::new().entry("xdg", &hidden).entry("config", ON).enabled(), Some(true));
    }

    #[test]
    fn a_launch_agent_that_loads_at_login_and_is_not_disabled_is_enabled() {
        let machine = Machine::new();
        assert_eq!(launch_agent(machine.0.path()), None);
        let agents = machine.0.path().join("Library/LaunchAgents");
        fs::create_dir_all(&agents).unwrap();
        for (text, expected) in [
            ("<key>RunAtLoad</key>\n<true/>", true),
            ("<key>KeepAlive</key><true/>", true),
            ("<key>RunAtLoad</key><false/>", false),
            ("<key>RunAtLoad</key><true/><key>Disabled</key><true/>", false),
            ("", false),
        ] {
            fs::write(agents.join("io.github.mcpproxy.mcpproxy.plist"), text).unwrap();
            assert_eq!(launch_agent(machine.0.path()), Some(expected), "{text}");
        }
    }

    #[cfg(not(windows))]
    #[test]
    fn a_unit_is_enabled_by_a_link_and_by_nothing_else() {
        for units in ["config/systemd/user", "systemd"] {
            let machine = Machine::new();
            let wants = machine.0.path().join(units).join("default.target.wants");
            fs::create_dir_all(&wants).unwrap();
            fs::write(wants.join("other.service"), "").unwrap();
            fs::write(wants.parent().unwrap().join("mcpproxy.service"), "").unwrap();
            assert_eq!(machine.enabled(), None, "{units}");
            let linked = std::process::Command::new("ln")
                .args(["-s", "/nowhere/mcpproxy.service", "mcpproxy.service"])
                .current_dir(&wants)
                .status()
                .unwrap();
            assert!(linked.success());
            assert_eq!(machine.enabled(), Some(true), "{units}");
        }
    }
}

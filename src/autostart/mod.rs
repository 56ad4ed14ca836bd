//! Starting at login: our entry in the operating system's list, made and taken away.
//!
//! One rule: only entries of ours are touched, by their name, and no process is started for it.

mod entries;
pub mod offer;

use crate::environment::autostart::{DESKTOP_ENTRY, RUN_ENTRY, SYSTEMD_UNIT};
use crate::environment::launch_source::LAUNCH_AGENT_LABEL;
use crate::machine::{self, autostart_entry};
use crate::paths::DataDir;
use entries::{Spelling, Start};
use mcpproxy_platform::files;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The target whose start is a login for systemd.
const WANTS: &str = "default.target.wants";

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `~/.config/autostart/mcpproxy.desktop`: started by the desktop.
    Desktop,
    /// An enabled systemd user unit: started with the user's first session.
    Systemd,
    /// `~/Library/LaunchAgents`: started by launchd.
    LaunchAgent,
    /// `HKCU\..\Run`: started by the Explorer.
    RunKey,
}

impl Way {
    /// The word that `autostart status` shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "xdg_autostart",
            Self::Systemd => "systemd_user_unit",
            Self::LaunchAgent => "launch_agent",
            Self::RunKey => "run_key",
        }
    }

    /// The way of this system and session.
    pub fn usual() -> Result<Self, AutostartError> {
        match std::env::consts::OS {
            "macos" => Ok(Self::LaunchAgent),
            "windows" => Ok(Self::RunKey),
            "linux" if machine::classification().markers.has_display => Ok(Self::Desktop),
            // The directory exists exactly where systemd is the init system (see `sd_booted(3)`).
            "linux" if Path::new("/run/systemd/system").is_dir() => Ok(Self::Systemd),
            _ => Err(AutostartError::NoWay),
        }
    }
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum AutostartError {
    /// The system starts nothing at login that we know of.
    NoWay,
    /// It is not known where the user's configuration is.
    NoHome,
    /// It is not known where this program is.
    NoProgram,
    /// The program or the data directory has a name that an entry cannot hold.
    Name,
    /// The entry could not be written or removed.
    Write(Way, io::ErrorKind),
    /// An administrator starts it for every user.
    ForEveryUser,
    /// The user's own entry starts it, and we did not write that.
    Foreign(PathBuf),
}

impl fmt::Display for AutostartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWay => f.write_str(
                "this system starts nothing at login that is known here: there is no desktop session and no systemd; start `mcpproxy serve` by your own means, with --launched-by login_item",
            ),
            Self::NoHome => f.write_str("it is not known where your configuration is: set HOME"),
            Self::NoProgram => f.write_str("it is not known where this program is"),
            Self::Name => f.write_str(
                "the path of this program or of the data directory is not UTF-8 or holds a line break; move it",
            ),
            Self::Write(way, kind) => {
                write!(f, "the entry ({}) cannot be changed: {kind}", way.as_str())
            }
            Self::ForEveryUser => f.write_str(
                "an administrator starts it for every user (/etc/systemd/user); only an administrator can end that",
            ),
            Self::Foreign(path) => write!(
                f,
                "{} starts it, and `mcpproxy autostart enable` did not write that: it stays as it is; remove it, or switch it off in the settings of your desktop",
                path.display()
            ),
        }
    }
}

impl std::error::Error for AutostartError {}

/// Makes the entry: at the next login `mcpproxy serve` starts, and says that the login started it.
/// `dir` is named in the entry unless it is the default one.
pub fn enable(way: Way, dir: Option<&DataDir>) -> Result<(), AutostartError> {
    let program = std::env::current_exe().map_err(|_| AutostartError::NoProgram)?;
    let start = Start::new(&program, dir.map(|dir| dir.root())).ok_or(AutostartError::Name)?;
    let failed = |error: io::Error| AutostartError::Write(way, error.kind());
    match way {
        Way::Desktop => write(&desktop_entry()?, &entries::desktop(&start)).map_err(failed),
        Way::Systemd => {
            let unit = user_units()?.join(SYSTEMD_UNIT);
            write(&unit, &entries::unit(&start)).map_err(failed)?;
            link(&unit, &user_units()?.join(WANTS)).map_err(failed)
        }
        Way::LaunchAgent => write(&launch_agent()?, &entries::agent(&start)).map_err(failed),
        Way::RunKey => {
            mcpproxy_platform::login::set(RUN_ENTRY, &entries::command_line(&start)).map_err(failed)
        }
    }
}

/// Whether an entry starts it at login that [`enable`] wrote for this user. On Linux a person may have written one
/// of the same name; elsewhere the name is ours alone.
pub fn is_ours() -> bool {
    if matches!(std::env::consts::OS, "macos" | "windows") {
        return machine::autostart_entry().is_some();
    }
    !ours().is_empty()
}

/// Whether every entry that [`enable`] wrote for this user starts it with this data directory. One that cannot be
/// read (Windows) counts as such.
pub fn is_for(dir: &DataDir) -> bool {
    let is_default = dir.users().is_none();
    ours().iter().all(|(text, spelling)| entries::is_for(text, *spelling, dir.root(), is_default))
}

/// The entries that [`enable`] wrote for this user.
fn ours() -> Vec<(String, Spelling)> {
    let read = |path: Result<PathBuf, AutostartError>| std::fs::read_to_string(path.ok()?).ok();
    let unit = || user_units().map(|units| units.join(SYSTEMD_UNIT));
    let (agents, desktops, units) = match std::env::consts::OS {
        "macos" => (read(launch_agent()), None, None),
        "windows" => (None, None, None),
        _ => (None, read(desktop_entry()), read(unit())),
    };
    let desktops = desktops.filter(|text| entries::is_our_desktop(text));
    let units = units.filter(|text| entries::is_ours(text));
    let all = [(agents, entries::AGENT), (desktops, entries::DESKTOP), (units, entries::UNIT)];
    all.into_iter().filter_map(|(text, spelling)| Some((text?, spelling))).collect()
}

/// Takes every entry of ours away. That there was none is fine.
pub fn disable() -> Result<(), AutostartError> {
    match std::env::consts::OS {
        "macos" => {
            remove(&launch_agent()?).map_err(|e| AutostartError::Write(Way::LaunchAgent, e.kind()))
        }
        "windows" => mcpproxy_platform::login::remove(RUN_ENTRY)
            .map_err(|e| AutostartError::Write(Way::RunKey, e.kind())),
        _ => disable_on_linux(),
    }
}

fn disable_on_linux() -> Result<(), AutostartError> {
    let failed = |way| move |error: io::Error| AutostartError::Write(way, error.kind());
    let entry = desktop_entry()?;
    let is_foreign = match std::fs::read(&entry) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            text != entries::HIDDEN && !entries::is_our_desktop(&text)
        }
        Err(_) => false,
    };
    if !is_foreign {
        remove(&entry).map_err(failed(Way::Desktop))?;
    }
    let units = user_units()?;
    if let Ok(targets) = units.read_dir() {
        for target in targets.flatten() {
            if target.file_name().as_encoded_bytes().ends_with(b".wants") {
                remove(&target.path().join(SYSTEMD_UNIT)).map_err(failed(Way::Systemd))?;
            }
        }
    }
    let unit = units.join(SYSTEMD_UNIT);
    if std::fs::read_to_string(&unit).is_ok_and(|text| entries::is_ours(&text)) {
        remove(&unit).map_err(failed(Way::Systemd))?;
    }
    match machine::autostart_entry() {
        Some(true) if autostart_entry::system_unit_is_enabled() => {
            Err(AutostartError::ForEveryUser)
        }
        Some(true) if is_foreign => Err(AutostartError::Foreign(entry)),
        // The system's entry starts us: the user's own one of the same name hides it.
        Some(true) => write(&entry, entries::HIDDEN).map_err(failed(Way::Desktop)),
        _ => Ok(()),
    }
}

fn desktop_entry() -> Result<PathBuf, AutostartError> {
    let config = autostart_entry::config_home().ok_or(AutostartError::NoHome)?;
    Ok(config.join("autostart").join(DESKTOP_ENTRY))
}

fn user_units() -> Result<PathBuf, AutostartError> {
    let config = autostart_entry::config_home().ok_or(AutostartError::NoHome)?;
    Ok(config.join("systemd/user"))
}

fn launch_agent() -> Result<PathBuf, AutostartError> {
    let home = autostart_entry::home().ok_or(AutostartError::NoHome)?;
    Ok(home.join("Library/LaunchAgents").join(format!("{LAUNCH_AGENT_LABEL}.plist")))
}

/// Others read these files, too: the desktop's settings, the service manager.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    files::write_atomically(path, text.as_bytes(), 0o644)
}

fn link(unit: &Path, wants: &Path) -> io::Result<()> {
    std::fs::create_dir_all(wants)?;
    let link = wants.join(SYSTEMD_UNIT);
    remove(&link)?;
    files::link(unit, &link)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
        result => result,
    }
}

/// Writes what was decided to the sidecar, for the heartbeat and for whoever asks again.
pub fn remember(dir: &DataDir, enabled: bool, now: u64) -> io::Result<()> {
    files::create_private_dir(dir.root())?;
    let at = crate::contract::timestamp::format(now);
    let text = format!("{{\"enabled\":{enabled},\"updated_at\":\"{at}\"}}\n");
    files::write_atomically(&dir.autostart_sidecar(), text.as_bytes(), 0o600)
}

//! How this process was launched: pure rules over observations.
//!
//! One rule: who was told knows best, and `unknown` is better than a guess. `installer` never comes
//! from here: it is an overlay of the store until a heartbeat is acknowledged.

use super::cgroup;
use crate::contract::LaunchSource;

/// The variable by which our tray and our autostart entries say that it was them.
pub const VARIABLE: &str = "MCPPROXY_LAUNCHED_BY";
/// The label of our macOS LaunchAgent.
pub const LAUNCH_AGENT_LABEL: &str = "io.github.mcpproxy.mcpproxy";
/// Our systemd user unit, and the unit that systemd makes of our XDG autostart entry.
pub const LINUX_UNITS: &[&str] = &["mcpproxy.service", "app-mcpproxy@autostart.service"];
/// A Windows login item starts this soon (in seconds) after its parent, `explorer.exe`.
pub const LOGIN_WINDOW_SECONDS: u64 = 120;

/// What the operating system says about a login job, by system.
#[derive(Clone, Copy, Debug)]
pub enum LoginJob<'a> {
    /// Linux.
    Linux {
        /// The text of `/proc/self/cgroup`.
        cgroup: Option<&'a str>,
    },
    /// macOS. Both are needed: `launchd` is the parent of everything.
    MacOs {
        /// Name of the parent process.
        parent: Option<&'a str>,
        /// `XPC_SERVICE_NAME`
        xpc_service_name: Option<&'a str>,
    },
    /// Windows.
    Windows {
        /// Name of the parent process.
        parent: Option<&'a str>,
        /// Whether our `Run` entry exists.
        run_entry: bool,
        /// Seconds between the starts of the parent and of this process.
        seconds_after_parent: Option<u64>,
    },
    /// A system without login jobs that we know.
    Unobserved,
}

impl LoginJob<'_> {
    /// Whether the system says that this process is our login job.
    pub fn is_ours(&self) -> bool {
        match *self {
            LoginJob::Linux { cgroup: text } => text.is_some_and(|text| {
                cgroup::segments(text).any(|(segment, _)| LINUX_UNITS.contains(&segment))
            }),
            LoginJob::MacOs { parent, xpc_service_name } => {
                parent == Some("launchd") && xpc_service_name == Some(LAUNCH_AGENT_LABEL)
            }
            LoginJob::Windows { parent, run_entry, seconds_after_parent } => {
                parent.is_some_and(|name| name.eq_ignore_ascii_case("explorer.exe"))
                    && run_entry
                    && seconds_after_parent.is_some_and(|seconds| seconds <= LOGIN_WINDOW_SECONDS)
            }
            LoginJob::Unobserved => false,
        }
    }
}

/// Decides, first match wins. `told` is what the embedding host or `--launched-by` said, `variable`
/// this process's own [`VARIABLE`]; of both only `tray` and `login_item` count, exactly spelled. The
/// system is asked only if neither does.
pub fn decide(
    told: Option<LaunchSource>,
    variable: Option<&str>,
    is_login_job: impl FnOnce() -> bool,
    stdin_is_terminal: impl FnOnce() -> bool,
) -> LaunchSource {
    let was_told = |source: LaunchSource| told == Some(source) || variable == Some(source.as_str());
    if was_told(LaunchSource::Tray) {
        LaunchSource::Tray
    } else if was_told(LaunchSource::LoginItem) || is_login_job() {
        LaunchSource::LoginItem
    } else if stdin_is_terminal() {
        LaunchSource::Cli
    } else {
        LaunchSource::Unknown
    }
}

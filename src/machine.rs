//! This machine, read once: variables of this process and its ancestors, evidence, launch source, clock.
//!
//! One rule: with [`crate::paths`], the only place of the root crate where the world comes in.

pub(crate) mod autostart_entry;
mod live_evidence;

use crate::contract::{EnvKind, LaunchSource};
use crate::environment::autostart::{self, SidecarCache};
use crate::environment::launch_source::{self, LoginJob};
use crate::environment::{Classification, classify, names};
use crate::visible;
use mcpproxy_platform::host;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

pub use crate::environment::{Surroundings, Variable};
pub use live_evidence::LiveEvidence;

/// Kept of every environment, besides what classification asks for and what can object.
const KEPT: &[&str] = &["MCPPROXY_HOME", "HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"];
/// Kept of this process only: they speak to one process.
const KEPT_OF_OWN: &[&str] =
    &[launch_source::VARIABLE, "XPC_SERVICE_NAME", "MCPPROXY_TEST_CLOCK_OFFSET"];
/// Settings for tests, kept of this process only.
const KEPT_OF_OWN_PREFIX: &str = "MCPPROXY_TELEMETRY_";

impl Surroundings {
    /// Those of this process, read at the first call.
    pub fn of_this_process() -> &'static Surroundings {
        static SURROUNDINGS: OnceLock<Surroundings> = OnceLock::new();
        SURROUNDINGS.get_or_init(Self::read)
    }

    /// Reads this process's environment and its ancestors', again at every call.
    pub fn read() -> Surroundings {
        let mut around = Self::read_own();
        let variables = &mut around.variables;
        around.ancestors_readable = host::visit_ancestors(
            &mut |origin, name, value| {
                let value = || String::from_utf8_lossy(value);
                if let Some(value) = kept(name, value)
                    && let Ok(name) = str::from_utf8(name)
                {
                    variables.push(Variable { origin, name: name.to_owned(), value });
                }
            },
            &mut around.terminal,
        );
        around
    }

    /// Reads this process's environment only.
    pub fn read_own() -> Surroundings {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                let of_own = KEPT_OF_OWN.contains(&name.as_str())
                    || names::OF_PRODUCTS.contains(&name.as_str())
                    || name.starts_with(KEPT_OF_OWN_PREFIX);
                let value = if of_own {
                    lossy(value)
                } else {
                    kept(name.as_bytes(), || value.to_string_lossy())?
                };
                Some(Variable { origin: 0, name, value })
            })
            .collect();
        let has_terminal = cfg!(feature = "detect-tty") && host::has_controlling_terminal();
        Self { variables, ancestors_readable: false, terminal: has_terminal.then_some(0) }
    }
}

/// What is kept of a variable: its value where a rule of ours wants that, else the word that classification needs.
fn kept<'v>(name: &[u8], value: impl FnOnce() -> Cow<'v, str>) -> Option<String> {
    if names::OBJECTIONS.iter().chain(KEPT).any(|kept| kept.as_bytes() == name) {
        return Some(value().into_owned());
    }
    // Asked first: most names are not, and their values are not touched.
    if !names::is_asked_for(name) {
        return None;
    }
    names::reduced(name, &value()).map(str::to_owned)
}

fn lossy(value: std::ffi::OsString) -> String {
    value.into_string().unwrap_or_else(|value| value.to_string_lossy().into_owned())
}

/// The classification of this machine, made at the first call.
pub fn classification() -> &'static Classification {
    static CLASSIFICATION: OnceLock<Classification> = OnceLock::new();
    CLASSIFICATION.get_or_init(|| classify(&LiveEvidence::new(Surroundings::of_this_process())))
}

/// How this process was launched, found at the first call. `told` is what the embedding host or
/// `--launched-by` said; it counts only at the first call.
pub fn launch_source(told: Option<LaunchSource>) -> LaunchSource {
    static SOURCE: OnceLock<LaunchSource> = OnceLock::new();
    *SOURCE.get_or_init(|| {
        let variable = Surroundings::of_this_process().own(launch_source::VARIABLE);
        launch_source::decide(told, variable, is_login_job, live_evidence::stdin_is_terminal)
    })
}

fn is_login_job() -> bool {
    match std::env::consts::OS {
        "linux" => LoginJob::Linux { cgroup: live_evidence::cgroup() }.is_ours(),
        "macos" => {
            let xpc_service_name = Surroundings::of_this_process().own("XPC_SERVICE_NAME");
            LoginJob::MacOs { parent: parent_name().as_deref(), xpc_service_name }.is_ours()
        }
        "windows" => LoginJob::Windows {
            parent: parent_name().as_deref(),
            run_entry: mcpproxy_platform::login::is_enabled(autostart::RUN_ENTRY).is_some(),
            seconds_after_parent: host::seconds_after_parent(),
        }
        .is_ours(),
        _ => LoginJob::Unobserved.is_ours(),
    }
}

/// The name of the parent process; `None` without `detect-ppid`.
pub fn parent_name() -> Option<String> {
    if cfg!(feature = "detect-ppid") { host::process_name(host::parent_id()?) } else { None }
}

/// What our own entry in the operating system says; `None` without one. Looked up at every call.
#[cfg(feature = "autostart")]
pub fn autostart_entry() -> Option<bool> {
    autostart_entry::enabled()
}

/// `autostart_enabled` of section 4 of the contract. The `sidecar` (a file of the data directory) is
/// cached for an hour once it could be read; the OS entry is looked up at every call.
pub fn autostart_enabled(sidecar: &Path) -> Option<bool> {
    static SIDECAR: Mutex<Option<(PathBuf, SidecarCache)>> = Mutex::new(None);
    /// Longer than any sidecar; what follows makes it malformed.
    const SIDECAR_BYTES: usize = 64 * 1024;

    let told_by_sidecar = || {
        let mut slot = SIDECAR.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|(cached, _)| cached != sidecar) {
            *slot = Some((sidecar.to_path_buf(), SidecarCache::default()));
        }
        let (_, cache) = slot.as_mut()?;
        cache.enabled(now(), || host::read_bounded(sidecar, SIDECAR_BYTES).ok())
    };
    let desktop_session = || classification().env_kind == EnvKind::Interactive;
    autostart::decide(autostart_entry::enabled(), told_by_sidecar, desktop_session)
}

/// Writes one line to stderr. Never fails: a host must not end because the program that
/// started it closed the other side (which `eprintln!` would do).
pub(crate) fn complain(text: &dyn fmt::Display) {
    // Arguments are quoted back: a line stays one line, and a terminal gets no commands.
    let text = text.to_string();
    let line = visible::line(&text);
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// By how many seconds the clock of this process is shifted, for tests.
static SHIFT: AtomicI64 = AtomicI64::new(0);
/// The clock of this process stays that of the system.
const UNSHIFTED_FOR_GOOD: i64 = i64::MIN;

/// Shifts the clock of this process, for tests that send to loopback.
pub fn shift_clock(seconds: i64) {
    let _ = SHIFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, |shift| {
        (shift != UNSHIFTED_FOR_GOOD).then_some(seconds)
    });
}

/// Sets the clock of this process right, for good: what leaves this machine says the time that it is.
pub fn never_shift_clock() {
    SHIFT.store(UNSHIFTED_FOR_GOOD, Ordering::Release);
}

/// Seconds since 1970 by the system clock (0 for a clock before 1970), shifted if a test wants that.
pub fn now() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    match SHIFT.load(Ordering::Acquire) {
        0 | UNSHIFTED_FOR_GOOD => now,
        shift => now.saturating_add_signed(shift),
    }
}

/// What must never leave this machine: every environment value of this process and its ancestors,
/// host name, user name, home directory name. The names first, then the values, as plain lists for
/// `PrivateWords` of the gate. Read at every call (rarely needed), never kept.
pub fn private_words() -> (Vec<String>, Vec<String>) {
    let mut names = Vec::new();
    let mut values = Vec::new();
    let mut add = |name: &[u8], value: String| {
        match name {
            // Under `sudo` the process is root's; the person is only here.
            b"USER" | b"LOGNAME" | b"USERNAME" | b"SUDO_USER" => names.extend(person(&value)),
            // Who commits says who they are.
            b"GIT_AUTHOR_NAME" | b"GIT_COMMITTER_NAME" | b"DEBFULLNAME" => {
                names.extend(person(&value))
            }
            b"EMAIL" | b"GIT_AUTHOR_EMAIL" | b"GIT_COMMITTER_EMAIL" | b"DEBEMAIL" => {
                names.extend(value.split('@').next().into_iter().flat_map(person));
            }
            b"HOSTNAME" | b"COMPUTERNAME" => names.push(value.clone()),
            b"HOME" | b"USERPROFILE" => names.extend(home(&value)),
            _ => {}
        }
        // What a product is called is said to everybody.
        if !name.starts_with(names::PREFIX_OF_PRODUCTS.as_bytes()) {
            values.push(value);
        }
    };
    for (name, value) in std::env::vars_os() {
        add(name.as_encoded_bytes(), lossy(value));
    }
    host::visit_ancestors(
        &mut |_, name, value| add(name, String::from_utf8_lossy(value).into_owned()),
        // Not looked for.
        &mut Some(0),
    );
    if let Some(user) = host::user() {
        names.extend(home(&user.home));
        names.extend(person(&user.name));
        names.extend(person(&user.full_name));
    }
    if let Some(host) = host::host_name() {
        // `laptop.example.org` is also known as `laptop`.
        names.extend(host.split_once('.').map(|(short, _)| short.to_owned()));
        names.push(host);
    }
    for words in [&mut names, &mut values] {
        words.sort_unstable();
        words.dedup();
    }
    (names, values)
}

/// What the names of accounts without a person are made of: `ec2-user` does not make `user` a name.
const OF_ACCOUNTS: [&str; 10] =
    ["user", "admin", "cloud", "data", "default", "service", "system", "network", "test", "www"];

/// The name of a person or an account, and its parts: `alice.liddell` is Liddell as well.
fn person(name: &str) -> impl Iterator<Item = String> {
    let parts = name.split(|c: char| !c.is_alphanumeric());
    let named = parts.filter(|part| !OF_ACCOUNTS.contains(&part.to_ascii_lowercase().as_str()));
    std::iter::once(name.to_owned()).chain(named.map(str::to_owned))
}

/// The name of a home directory, which is a person's.
fn home(path: &str) -> impl Iterator<Item = String> {
    path.rsplit(['/', '\\']).find(|component| !component.is_empty()).into_iter().flat_map(person)
}

//! This machine, read once: variables of this process and its ancestors, evidence, launch source, clock.
//!
//! One rule: with [`crate::paths`], the only place of the root crate where the world comes in.

use crate::contract::LaunchSource;
use crate::environment::Classification;

/// One environment variable of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// 0 for this process, n for its n-th same-user ancestor.
    pub origin: usize,
    /// Its name.
    pub name: String,
    /// Its value. Never logged, never in an error.
    pub value: String,
}

/// Variables of interest of this process and its ancestors (initial environments, at most 8
/// same-user ancestors), reduced to a fixed list of names while reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// In order of origin.
    pub variables: Vec<Variable>,
    /// Whether this system lets ancestors' environments be read.
    pub ancestors_readable: bool,
}

impl Surroundings {
    /// Those of this process, read at the first call.
    pub fn of_this_process() -> &'static Surroundings {
        todo!("environment room")
    }

    /// This process's own value of `name`.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|v| v.origin == 0 && v.name == name).map(|v| v.value.as_str())
    }

    /// The value nearest to this process: its own, else its nearest ancestor's.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|v| v.name == name).map(|v| v.value.as_str())
    }

    /// Every occurrence of `name`, nearest first.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Variable> {
        self.variables.iter().filter(move |v| v.name == name)
    }
}

/// The classification of this machine, made at the first call.
pub fn classification() -> &'static Classification {
    todo!("environment room")
}

/// How this process was launched, found at the first call. `told` is what the embedding host or
/// `--launched-by` said; it counts only at the first call.
pub fn launch_source(_told: Option<LaunchSource>) -> LaunchSource {
    todo!("environment room")
}

/// `autostart_enabled` of section 4 of the contract, a good read cached for an hour.
pub fn autostart_enabled(_dir: &crate::paths::DataDir) -> Option<bool> {
    todo!("environment room")
}

/// Seconds since 1970 by the system clock (0 for a clock before 1970).
pub fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// What must never leave this machine: every environment value of this process and its ancestors,
/// host name, user name, home directory name. Read at every call (rarely needed), never kept.
pub fn private_words() -> crate::gate::PrivateWords {
    todo!("environment room")
}

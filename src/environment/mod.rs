//! Environment classification: evidence in, verdict out.
//!
//! One rule: pure. Nothing here reads the machine; an [`Evidence`] is asked, cheapest question first.

pub mod autostart;
mod cgroup;
#[cfg_attr(not(feature = "detect-container"), path = "container_absent.rs")]
mod container;
mod evidence;
pub mod launch_source;
pub mod names;
mod recording;
mod session;
mod surroundings;
mod variables;

pub use evidence::{Evidence, OsKind};
pub use recording::{RecordedEvidence, RecordingError};
pub use surroundings::{Surroundings, Variable};

use crate::contract::{EnvKind, EnvMarkers};

/// The probes, and whether this build has them; a probe that is compiled out finds nothing.
pub const PROBES: &[(&str, bool)] = &[
    ("detect-container", cfg!(feature = "detect-container")),
    ("detect-display", cfg!(feature = "detect-display")),
    ("detect-tty", cfg!(feature = "detect-tty")),
    ("detect-ppid", cfg!(feature = "detect-ppid")),
];

/// The verdict on one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The kind that won.
    pub env_kind: EnvKind,
    /// All five markers, whichever rule won.
    pub markers: EnvMarkers,
    /// The rule that decided.
    pub rule: Rule,
    /// Names (never values) of what was found: `env:CI`, `path:/.dockerenv`, `file:..`, `cgroup`, `mountinfo`, `tty`, `osrelease`.
    pub evidence: Vec<String>,
}

/// The rules of classification, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A workspace marker.
    CloudIde,
    /// A CI marker.
    Ci,
    /// A container that is no desktop toolbox.
    Container,
    /// macOS or Windows.
    DesktopOs,
    /// Linux with display, terminal, WSL or desktop toolbox.
    DesktopLinux,
    /// Any other Linux.
    Headless,
    /// Nothing decided.
    None,
}

impl Rule {
    /// The spelling of `detect`'s `rule`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::CloudIde => "cloud_ide",
            Rule::Ci => "ci",
            Rule::Container => "container",
            Rule::DesktopOs => "desktop_os",
            Rule::DesktopLinux => "desktop_linux",
            Rule::Headless => "headless",
            Rule::None => "none",
        }
    }

    /// What the rule says, once it has won.
    pub const fn env_kind(self) -> EnvKind {
        match self {
            Rule::CloudIde => EnvKind::CloudIde,
            Rule::Ci => EnvKind::Ci,
            Rule::Container => EnvKind::Container,
            Rule::DesktopOs | Rule::DesktopLinux => EnvKind::Interactive,
            Rule::Headless => EnvKind::Headless,
            Rule::None => EnvKind::Unknown,
        }
    }
}

/// What the container probe found.
#[derive(Clone, Copy, Default)]
struct Container {
    /// Inside any container, toolboxes included.
    is_container: bool,
    /// Inside a person's desktop toolbox (Toolbox, Distrobox).
    toolbox: bool,
    /// The container interface names WSL.
    wsl: bool,
}

/// Classifies one machine. Variables count when they are set and not empty.
///
/// Everything but `/proc` texts is always asked, so that the evidence of a verdict is complete;
/// `cgroup` and `mountinfo` only while nothing cheaper has proved a container.
pub fn classify(evidence: &dyn Evidence) -> Classification {
    let mut found = Found::default();
    let cloud = variables::cloud_ide(evidence, &mut found);
    let ci = variables::ci(evidence, &mut found);
    let container = container::probe(evidence, &mut found);
    let has_display = session::display(evidence, &mut found);
    let has_tty = session::terminal(evidence, &mut found);
    let os = evidence.os();
    let wsl = os == OsKind::Linux && (session::wsl(evidence, &mut found) | container.wsl);

    let rule = if cloud.strong || (cloud.weak && !ci.provider) {
        Rule::CloudIde
    } else if ci.provider || ci.generic {
        Rule::Ci
    } else if container.is_container && !container.toolbox {
        Rule::Container
    } else {
        match os {
            OsKind::Darwin | OsKind::Windows => Rule::DesktopOs,
            OsKind::Linux if has_display || has_tty || wsl || container.toolbox => {
                Rule::DesktopLinux
            }
            OsKind::Linux => Rule::Headless,
            OsKind::Unknown => Rule::None,
        }
    };
    let markers = EnvMarkers {
        has_ci_env: ci.provider || ci.generic,
        has_cloud_ide_env: cloud.strong || cloud.weak,
        is_container: container.is_container,
        has_tty,
        has_display,
    };
    Classification { env_kind: rule.env_kind(), markers, rule, evidence: found.names }
}

/// The names of what was found. Values have no way in.
#[derive(Default)]
struct Found {
    names: Vec<String>,
}

impl Found {
    fn push(&mut self, name: String) {
        self.names.push(name);
    }

    fn variable(&mut self, name: &str) {
        self.names.push(format!("env:{name}"));
    }

    /// Whether any of `names` is set; all that are get noted.
    fn variables(&mut self, evidence: &dyn Evidence, names: &[&str]) -> bool {
        let before = self.names.len();
        for name in names {
            if variables::is_set(evidence, name) {
                self.variable(name);
            }
        }
        self.names.len() > before
    }

    #[cfg(feature = "detect-container")]
    fn path(&mut self, evidence: &dyn Evidence, path: &str) -> bool {
        let exists = evidence.path_exists(path);
        if exists {
            self.names.push(format!("path:{path}"));
        }
        exists
    }

    fn note(&mut self, name: &str, seen: bool) -> bool {
        if seen {
            self.names.push(name.to_owned());
        }
        seen
    }
}

//! Environment classification: evidence in, verdict out.
//!
//! One rule: pure. Nothing here reads the machine; an [`Evidence`] is asked, cheapest question first.

pub mod autostart;
mod evidence;
pub mod launch_source;

pub use evidence::{Evidence, OsKind, RecordedEvidence};

use crate::contract::{EnvKind, EnvMarkers};

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
}

/// Classifies one machine.
pub fn classify(_evidence: &dyn Evidence) -> Classification {
    todo!("environment room")
}

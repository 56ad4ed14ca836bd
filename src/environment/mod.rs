//! Environment classification: evidence in, verdict out.
//!
//! One rule: pure. Nothing here reads the machine; an [`Evidence`] is asked, cheapest question first.

mod agent;
pub mod autostart;
mod cgroup;
#[cfg_attr(not(feature = "detect-container"), path = "container_absent.rs")]
mod container;
mod evidence;
pub mod launch_source;
mod marks;
pub mod names;
mod recording;
mod seen;
mod session;
mod surroundings;

pub use evidence::{Evidence, OsKind};
pub use recording::{RecordedEvidence, RecordingError};
pub use surroundings::{Surroundings, Variable};

use crate::contract::{AgentEnv, EnvKind, EnvMarkers};
use marks::class;
use seen::Seen;

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
    /// Whether it is an agent's environment without a person, whichever rule won.
    pub agent_env: AgentEnv,
    /// The rule that decided.
    pub rule: Rule,
    /// Names (never values) of what was found: `env:CI`, `path:/.dockerenv`, `file:..`, `cgroup`, `mountinfo`, `tty`,
    /// `terminal`, `terminal:ancestor`, `osrelease`.
    pub evidence: Vec<String>,
}

/// The rules of classification, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A workspace marker: a strong one, or further down a weak one.
    CloudIde,
    /// An agent's cloud or sandbox.
    Agent,
    /// The same, as a job of a build server.
    AgentInCi,
    /// A CI marker.
    Ci,
    /// A container that is no desktop toolbox.
    Container,
    /// A platform that runs servers.
    Hosting,
    /// macOS or Windows.
    DesktopOs,
    /// Linux with display, terminal, editor, WSL, Termux or desktop toolbox.
    DesktopLinux,
    /// Linux with a controlling terminal, here or in an ancestor.
    RemotePerson,
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
            Rule::Agent | Rule::AgentInCi => "agent",
            Rule::Ci => "ci",
            Rule::Container => "container",
            Rule::Hosting => "hosting",
            Rule::DesktopOs => "desktop_os",
            Rule::DesktopLinux => "desktop_linux",
            Rule::RemotePerson => "remote_person",
            Rule::Headless => "headless",
            Rule::None => "none",
        }
    }

    /// What the rule says, once it has won.
    pub const fn env_kind(self) -> EnvKind {
        match self {
            Rule::CloudIde => EnvKind::CloudIde,
            Rule::Ci | Rule::AgentInCi => EnvKind::Ci,
            Rule::Container | Rule::Agent | Rule::Hosting => EnvKind::Container,
            Rule::DesktopOs | Rule::DesktopLinux | Rule::RemotePerson => EnvKind::Interactive,
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
    /// The container interface names a person's Linux inside of another system (WSL, Termux).
    guest: bool,
}

/// A workspace whose programs have no variable that says so.
const WORKSPACE_PATH: &str = "/google/idx";

/// Classifies one machine. Variables count when they are set and not empty.
///
/// Everything but `/proc` texts is always asked, so that the evidence of a verdict is complete;
/// `cgroup` and `mountinfo` only while nothing cheaper has proved a container.
pub fn classify(evidence: &dyn Evidence) -> Classification {
    let mut seen = Seen::among(evidence);
    let mut found = Found::default();
    let container = container::probe(evidence, &seen, &mut found);
    let in_container = container.is_container && !container.toolbox;
    let strong = seen.has(class::STRONG) | found.path(evidence, WORKSPACE_PATH);
    let weak = seen.has(class::WEAK);
    let bare = in_container && !strong && !weak;
    let agent_env = agent::probe(evidence, &mut seen, bare, &mut found);
    let has_display = session::display(evidence, &seen, &mut found);
    let has_tty = session::terminal(evidence, &mut found);
    let is_remote = session::controlling_terminal(evidence, &mut found);
    let os = evidence.os();
    let guest = os == OsKind::Linux
        && (session::guest(evidence, &seen, in_container, &mut found) | container.guest);
    let near = has_display || has_tty || guest || container.toolbox || seen.has(class::EDITOR);
    let (vendor, generic) = (seen.has(class::CI), seen.has(class::CI_GENERIC));
    let evidence = [seen.names(), found.names].concat();

    let rule = if strong {
        Rule::CloudIde
    } else if agent_env != AgentEnv::None {
        if vendor { Rule::AgentInCi } else { Rule::Agent }
    // Agents set `CI` for their children, so that these ask nothing.
    } else if vendor || (generic && !seen.has(class::AGENT)) {
        Rule::Ci
    } else if weak {
        Rule::CloudIde
    } else if in_container {
        Rule::Container
    } else if seen.has(class::HOSTING) {
        Rule::Hosting
    } else {
        match os {
            OsKind::Darwin | OsKind::Windows => Rule::DesktopOs,
            OsKind::Linux if near => Rule::DesktopLinux,
            // After everything else: sandboxes have terminals as well.
            OsKind::Linux if is_remote => Rule::RemotePerson,
            OsKind::Linux => Rule::Headless,
            OsKind::Unknown => Rule::None,
        }
    };
    let markers = EnvMarkers {
        has_ci_env: vendor || generic,
        has_cloud_ide_env: strong || weak,
        is_container: container.is_container,
        has_tty,
        has_display,
    };
    Classification { env_kind: rule.env_kind(), markers, agent_env, rule, evidence }
}

/// The names of what was found. Values have no way in.
#[derive(Default)]
struct Found {
    names: Vec<String>,
}

impl Found {
    fn push(&mut self, kind: &str, name: &str) {
        self.names.push([kind, name].concat());
    }

    fn path(&mut self, evidence: &dyn Evidence, path: &str) -> bool {
        let exists = evidence.path_exists(path);
        if exists {
            self.push("path:", path);
        }
        exists
    }

    fn note(&mut self, name: &str, seen: bool) -> bool {
        if seen {
            self.push(name, "");
        }
        seen
    }
}

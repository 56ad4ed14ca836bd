//! Who counts as a person, and what a view shows.
//!
//! One rule: decided by the values of the first heartbeat. An agent's environment is never a person.

use crate::contract::EnvKind;

/// What an install was at its first heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A desktop, a terminal or a hosted workspace, and no agent's environment.
    Person,
    /// An agent's environment, whatever its kind.
    Agent,
    /// A job of continuous integration.
    Ci,
    /// A container.
    Container,
    /// A Linux machine without display and terminal.
    Headless,
    /// Nothing decided.
    Unknown,
}

/// Which installs a view counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    /// People with release versions: the default.
    #[default]
    People,
    /// Everything that is no person, with release versions. Neither counts floods.
    Machines,
    /// All installs of all versions.
    All,
}

impl Who {
    /// All of them, people first.
    pub const ALL: [Self; 6] =
        [Self::Person, Self::Agent, Self::Ci, Self::Container, Self::Headless, Self::Unknown];

    /// Who runs in this kind of environment. `is_agent`: the agent environment is other than `none`.
    pub fn of(kind: EnvKind, is_agent: bool) -> Self {
        match kind {
            _ if is_agent => Self::Agent,
            EnvKind::Interactive | EnvKind::CloudIde => Self::Person,
            EnvKind::Ci => Self::Ci,
            EnvKind::Container => Self::Container,
            EnvKind::Headless => Self::Headless,
            EnvKind::Unknown => Self::Unknown,
        }
    }

    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Agent => "agent",
            Self::Ci => "ci",
            Self::Container => "container",
            Self::Headless => "headless",
            Self::Unknown => "unknown",
        }
    }
}

impl Audience {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::People, Self::Machines, Self::All];

    /// Whether it counts such an install that came in no flood.
    pub fn counts(self, who: Who, is_release: bool) -> bool {
        match self {
            Self::People => who == Who::Person && is_release,
            Self::Machines => who != Who::Person && is_release,
            Self::All => true,
        }
    }

    /// The name that addresses and options use.
    pub fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Machines => "machines",
            Self::All => "all",
        }
    }

    /// The audience of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|audience| audience.name() == name)
    }
}

/// Whether a version is a release: a semantic version without a pre-release part (`-dev`, `-rc.1`).
pub fn is_release(version: &str) -> bool {
    let core = version.split('+').next().unwrap_or_default();
    !core.is_empty() && !core.contains('-')
}

//! One install with what it said of itself: at its first heartbeat, and at its last.
//!
//! One rule: installs are chosen by the values of the first heartbeat; those of now are shown, and choose nothing.

use super::day::Day;
use super::install::Install;
use crate::collector::code::Code;
use crate::collector::row::{AgentEnv, Facts};
use crate::contract::{Edition, EnvKind, EnvMarkers, LaunchSource, Os};

/// Where an install runs, in a few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// The declared kind.
    pub kind: EnvKind,
    /// `None`: schema 3 does not say.
    pub agent: Option<AgentEnv>,
    /// How the sending process was launched.
    pub launch: LaunchSource,
    /// Operating system.
    pub os: Os,
    /// `None`: not one that this program knows.
    pub edition: Option<Edition>,
    /// The kind that its markers speak for; `None`: it does not say them.
    pub recomputed: Option<EnvKind>,
}

/// An install, and the words that it said.
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// Its days and steps.
    pub install: Install,
    /// As of its first heartbeat.
    pub first: Traits,
    /// As of its last one.
    pub now: Traits,
    /// The version of its first heartbeat.
    pub first_version: &'r str,
    /// The version of its last one, by its place in `words`.
    pub version: u32,
    /// The last eight versions with the UTC day of the first report of each, earliest first; by their place in `words`.
    pub versions: &'r [(u32, u32)],
    /// The versions of its last 28 complete days; none unless the days were read.
    pub said: &'r [SaidVersion],
    /// The codes of the same days, each once for each of these versions.
    pub codes: &'r [SaidCode],
    /// The clients that it has seen, by their place in `words`.
    pub clients: &'r [u32],
    /// What the places mean.
    pub words: &'r [String],
}

/// What an install said with one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidVersion {
    /// The place of the version.
    pub version: u32,
    /// The last day on which it said it.
    pub last: Day,
    /// The last day on which it said that a host had crashed.
    pub crashed: Option<Day>,
}

/// What an install said of one code with one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidCode {
    /// The place of the version.
    pub version: u32,
    /// The code.
    pub code: Code,
    /// The last day on which something changed into its state.
    pub met: Option<Day>,
    /// The last day on which a server was in its state.
    pub standing: Option<Day>,
}

impl SaidVersion {
    /// What is left of it when `first` is the first day that is looked at.
    pub fn since(self, first: Day) -> Option<Self> {
        let crashed = self.crashed.filter(|day| *day >= first);
        (self.last >= first).then_some(Self { crashed, ..self })
    }
}

impl SaidCode {
    /// What is left of it when `first` is the first day that is looked at.
    pub fn since(self, first: Day) -> Option<Self> {
        let [met, standing] =
            [self.met, self.standing].map(|last| last.filter(|day| *day >= first));
        (met.is_some() || standing.is_some()).then_some(Self { met, standing, ..self })
    }
}

/// What installs are chosen by beside who they are: values of the first heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// The declared kind.
    pub kind: Option<EnvKind>,
    /// The agent's environment; an install of schema 3, which does not say, has none.
    pub agent: Option<AgentEnv>,
    /// How it was launched.
    pub launch: Option<LaunchSource>,
    /// Operating system.
    pub os: Option<Os>,
    /// Edition.
    pub edition: Option<Edition>,
    /// Version, without a leading `v`.
    pub version: Option<String>,
}

impl From<&Facts> for Traits {
    fn from(facts: &Facts) -> Self {
        let recomputed =
            facts.markers.map(|markers| recomputed(markers, facts.agent_env, facts.os));
        Self {
            kind: facts.kind,
            agent: facts.agent_env,
            launch: facts.launch_source,
            os: facts.os,
            edition: facts.edition,
            recomputed,
        }
    }
}

/// The kind that the markers of a heartbeat speak for.
pub fn recomputed(markers: EnvMarkers, agent: Option<AgentEnv>, os: Os) -> EnvKind {
    let EnvMarkers { has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display } = markers;
    let is_agent = !matches!(agent, None | Some(AgentEnv::None));
    if is_agent {
        if has_ci_env { EnvKind::Ci } else { EnvKind::Container }
    } else if has_cloud_ide_env {
        EnvKind::CloudIde
    } else if has_ci_env {
        EnvKind::Ci
    } else if is_container {
        EnvKind::Container
    } else if matches!(os, Os::Darwin | Os::Windows) || has_tty || has_display {
        EnvKind::Interactive
    } else if os == Os::Linux {
        EnvKind::Headless
    } else {
        EnvKind::Unknown
    }
}

impl Filters {
    /// Whether they let everything through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an install is one of those that are asked for.
    pub fn hold(&self, record: &Record<'_>) -> bool {
        let first = &record.first;
        self.kind.is_none_or(|kind| first.kind == kind)
            && self.agent.is_none_or(|agent| first.agent.unwrap_or(AgentEnv::None) == agent)
            && self.launch.is_none_or(|launch| first.launch == launch)
            && self.os.is_none_or(|os| first.os == os)
            && self.edition.is_none_or(|edition| first.edition == Some(edition))
            && self.version.as_ref().is_none_or(|version| record.first_version == version)
    }

    /// Each that is set: its name in addresses, and its value.
    pub fn set(&self) -> Vec<(&'static str, &str)> {
        [
            ("kind", self.kind.map(EnvKind::as_str)),
            ("agent_env", self.agent.map(AgentEnv::as_str)),
            ("launch_source", self.launch.map(LaunchSource::as_str)),
            ("os", self.os.map(Os::as_str)),
            ("edition", self.edition.map(Edition::as_str)),
            ("version", self.version.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// The values that the one of this name may have; none where there are too many to say.
    pub fn words(name: &str) -> &'static [&'static str] {
        match name {
            "kind" => EnvKind::SPELLINGS,
            "agent_env" => AgentEnv::SPELLINGS,
            "launch_source" => LaunchSource::SPELLINGS,
            "os" => Os::SPELLINGS,
            "edition" => Edition::SPELLINGS,
            _ => &[],
        }
    }

    /// Sets the one of this name.
    pub fn put(&mut self, name: &str, value: &str) -> Result<(), FilterError> {
        let wrong = FilterError::Value;
        match name {
            "kind" => self.kind = Some(EnvKind::from_spelling(value).ok_or(wrong)?),
            "agent_env" => self.agent = Some(AgentEnv::from_spelling(value).ok_or(wrong)?),
            "launch_source" => {
                self.launch = Some(LaunchSource::from_spelling(value).ok_or(wrong)?);
            }
            "os" => self.os = Some(Os::from_spelling(value).ok_or(wrong)?),
            "edition" => self.edition = Some(Edition::from_spelling(value).ok_or(wrong)?),
            "version" => {
                let version = value.strip_prefix('v').unwrap_or(value);
                let is_version = crate::contract::is_version(format!("v{version}").as_bytes());
                self.version = Some(is_version.then(|| version.to_owned()).ok_or(wrong)?);
            }
            _ => return Err(FilterError::Name),
        }
        Ok(())
    }
}

/// Why a filter is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// There is no filter of this name.
    Name,
    /// It has no such value.
    Value,
}

//! How rows are written: facts as words, days as few bytes.
//!
//! One rule: what does not read back exactly is an error, never a guess.

mod day;
#[cfg(test)]
mod tests;

pub use day::DayRow;

use crate::collector::row::Facts;
use crate::contract::{
    AgentEnv, Arch, Edition, EnvKind, EnvMarkers, LaunchSource, Os, RoutingMode,
};

/// Facts as nine words with commas between; `-` is a word that was not said.
pub fn facts(facts: &Facts) -> String {
    let markers = facts.markers.map(|of| {
        let EnvMarkers { has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display } = of;
        let markers = [has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display];
        markers.map(|marker| if marker { '1' } else { '0' }).iter().collect::<String>()
    });
    [
        facts.kind.as_str(),
        markers.as_deref().unwrap_or("-"),
        facts.agent_env.map_or("-", AgentEnv::as_str),
        facts.launch_source.as_str(),
        facts.os.as_str(),
        facts.arch.as_str(),
        facts.edition.map_or("-", Edition::as_str),
        facts.routing.map_or("-", RoutingMode::as_str),
        &facts.version,
    ]
    .join(",")
}

/// Facts in two parts: what few installs say that others do not say too, which is the version, and what stands before it.
pub fn split_facts(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(',')
}

/// The inverse of `facts`.
pub fn read_facts(text: &str) -> Option<Facts> {
    let mut all = text.split(',');
    let words = [(); 9].map(|()| all.next().unwrap_or_default());
    if all.next().is_some() {
        return None;
    }
    let [kind, markers, agent, launch, os, arch, edition, routing, version] = words;
    if version.is_empty() {
        return None;
    }
    let agent_env = match agent {
        "-" => None,
        _ => Some(AgentEnv::from_spelling(agent)?),
    };
    let routing = match routing {
        "-" => None,
        _ => Some(RoutingMode::from_spelling(routing)?),
    };
    Some(Facts {
        kind: EnvKind::from_spelling(kind)?,
        markers: match markers {
            "-" => None,
            _ => Some(read_markers(markers)?),
        },
        agent_env,
        launch_source: LaunchSource::from_spelling(launch)?,
        os: Os::from_spelling(os)?,
        arch: Arch::from_spelling(arch)?,
        edition: match edition {
            "-" => None,
            _ => Some(Edition::from_spelling(edition)?),
        },
        routing,
        version: version.to_owned(),
    })
}

fn read_markers(text: &str) -> Option<EnvMarkers> {
    let markers: &[u8; 5] = text.as_bytes().try_into().ok()?;
    if markers.iter().any(|marker| !b"01".contains(marker)) {
        return None;
    }
    let [has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display] =
        markers.map(|marker| marker == b'1');
    Some(EnvMarkers { has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display })
}

/// Versions and their first days: `1.4.0=20785,1.5.0=20790`.
pub fn versions(versions: &[(String, u32)]) -> String {
    let all: Vec<String> = versions.iter().map(|(name, day)| format!("{name}={day}")).collect();
    all.join(",")
}

/// The inverse of [`versions()`].
pub fn read_versions(text: &str) -> Option<Vec<(String, u32)>> {
    each_version(text).map(|one| one.map(|(name, day)| (name.to_owned(), day))).collect()
}

/// The same, one after the other, where they lie; `None` for what is no version and day.
pub fn each_version(text: &str) -> impl Iterator<Item = Option<(&str, u32)>> {
    each_word(text).map(|text| {
        let (name, day) = text.split_once('=')?;
        Some((name, day.parse().ok()?))
    })
}

/// Words with commas between.
pub fn read_words(text: &str) -> Vec<String> {
    each_word(text).map(str::to_owned).collect()
}

/// The same, one after the other, where they lie.
pub fn each_word(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|word| !word.is_empty())
}

/// The bits of days, lowest first.
pub fn bits(days: &[u64; 6]) -> [u8; 48] {
    let mut bytes = [0; 48];
    for (to, word) in bytes.chunks_exact_mut(8).zip(days) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The inverse of [`bits()`].
pub fn read_bits(bytes: &[u8]) -> Option<[u64; 6]> {
    let bytes: &[u8; 48] = bytes.try_into().ok()?;
    let mut days = [0; 6];
    for (word, from) in days.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(from.try_into().ok()?);
    }
    Some(days)
}

/// Pairs of times, 16 bytes each.
pub fn times(times: &[(u64, u64)]) -> Vec<u8> {
    times
        .iter()
        .flat_map(|(one, other)| [one.to_le_bytes(), other.to_le_bytes()])
        .flatten()
        .collect()
}

/// Whether bytes may be pairs of times.
pub fn are_times(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(16)
}

/// The inverse of [`times()`].
pub fn read_times(bytes: &[u8]) -> Option<Vec<(u64, u64)>> {
    if !are_times(bytes) {
        return None;
    }
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    bytes.chunks_exact(16).map(|pair| Some((number(&pair[..8])?, number(&pair[8..])?))).collect()
}

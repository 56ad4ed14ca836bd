//! How rows are written: facts as words, days as few bytes.
//!
//! One rule: what does not read back exactly is an error, never a guess.

use super::sum::Sum;
use crate::collector::heartbeat::{DELTAS, Gauges, Heartbeat};
use crate::collector::row::Facts;
use crate::contract::{
    AgentEnv, Arch, Edition, EnvKind, EnvMarkers, LaunchSource, MAX_COUNT, Os, RoutingMode,
    Shutdown,
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

/// The inverse of [`facts()`].
pub fn read_facts(text: &str) -> Option<Facts> {
    let words: [&str; 9] = text.split(',').collect::<Vec<_>>().try_into().ok()?;
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
    let one = |text: &str| {
        let (name, day) = text.split_once('=')?;
        Some((name.to_owned(), day.parse().ok()?))
    };
    text.split(',').filter(|part| !part.is_empty()).map(one).collect()
}

/// Words with commas between.
pub fn read_words(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
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

/// The inverse of [`times()`].
pub fn read_times(bytes: &[u8]) -> Option<Vec<(u64, u64)>> {
    if !bytes.len().is_multiple_of(16) {
        return None;
    }
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    bytes.chunks_exact(16).map(|pair| Some((number(&pair[..8])?, number(&pair[8..])?))).collect()
}

/// The form of a day row that is written: its first four bytes are a sum over its key and the rest.
const FORM: u8 = 2;
/// The form of schema 1: without a sum.
const FORM_1: u8 = 1;

/// In place of a range that was not said, where 0 is the first of them.
const NOT_SAID: u8 = 0xff;

/// One install on one day: the state of its last heartbeat, and what its heartbeats add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// Version of the product, without a leading `v`.
    pub version: String,
    /// The declared kind.
    pub kind: EnvKind,
    /// How the sending process was launched.
    pub launch_source: LaunchSource,
    /// State at the last heartbeat.
    pub gauges: Gauges,
    /// Sums over the day, each cut at [`MAX_COUNT`].
    pub deltas: [u64; DELTAS],
}

impl DayRow {
    /// The row of a day with this heartbeat, beside those of `before`, none of which is later if it `is_latest`.
    pub fn with(heartbeat: &Heartbeat, before: Option<&DayRow>, is_latest: bool) -> Self {
        let mut deltas = before.map_or([0; DELTAS], |before| before.deltas);
        for (sum, delta) in deltas.iter_mut().zip(heartbeat.deltas) {
            *sum = sum.saturating_add(delta).min(MAX_COUNT);
        }
        let crash = Some(Shutdown::Crash as u8);
        let shutdowns = [heartbeat.gauges.shutdown, before.and_then(|row| row.gauges.shutdown)];
        let mut row = match before.filter(|_| !is_latest) {
            Some(before) => Self { deltas, ..before.clone() },
            None => Self {
                version: heartbeat.facts.version.clone(),
                kind: heartbeat.facts.kind,
                launch_source: heartbeat.facts.launch_source,
                gauges: heartbeat.gauges.clone(),
                deltas,
            },
        };
        // Whichever heartbeat told of it: a later one speaks of the time since.
        if shutdowns.contains(&crash) {
            row.gauges.shutdown = crash;
        }
        row
    }

    /// Whether a sum of this row, made [`Self::with`] these, was cut.
    pub fn is_capped(&self, heartbeat: &Heartbeat, before: Option<&DayRow>) -> bool {
        let before = before.map_or([0; DELTAS], |before| before.deltas);
        let parts = before.iter().zip(heartbeat.deltas);
        parts.zip(self.deltas).any(|((before, delta), sum)| before.saturating_add(delta) > sum)
    }

    /// The row in few bytes: a count below 128 is one.
    pub fn pack(&self, install: &[u8], day: u32) -> Vec<u8> {
        let gauges = &self.gauges;
        let autostart = gauges.autostart.map_or(0, |is| 1 + u8::from(is));
        let mut out = vec![FORM, 0, 0, 0, 0];
        out.extend([self.kind as u8, self.launch_source as u8, autostart]);
        out.push(gauges.tokens_bucket.unwrap_or(NOT_SAID));
        out.push(gauges.calls_bucket.map_or(0, |bucket| 1 + bucket));
        out.push(gauges.shutdown.map_or(0, |how| 1 + how));
        for maybe in [
            gauges.servers,
            gauges.connected,
            gauges.tools,
            gauges.uptime_hours,
            gauges.active_days,
        ] {
            number(&mut out, maybe.map_or(0, |count| count.saturating_add(1)));
        }
        number(&mut out, gauges.configured_clients);
        number(&mut out, gauges.searches_24h);
        for delta in self.deltas {
            number(&mut out, delta);
        }
        out.extend_from_slice(self.version.as_bytes());
        let sum = sum(&out[5..], install, day);
        out[1..5].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// The inverse of [`Self::pack`]: `None` for a row that was damaged, or is that of another install or day.
    pub fn unpack(bytes: &[u8], install: &[u8], day: u32) -> Option<Self> {
        let rest = match *bytes {
            [FORM, a, b, c, d, ref rest @ ..] => {
                let is_whole = u32::from_le_bytes([a, b, c, d]) == sum(rest, install, day);
                is_whole.then_some(rest)?
            }
            [FORM_1, ref rest @ ..] => rest,
            _ => return None,
        };
        let (head, mut rest) = rest.split_first_chunk::<6>()?;
        let [kind, launch, autostart, tokens_bucket, calls, shutdown] = *head;
        let mut next = || read_number(&mut rest);
        let mut gauges = Gauges {
            autostart: autostart.checked_sub(1).map(|is| is == 1),
            tokens_bucket: Some(tokens_bucket).filter(|bucket| *bucket != NOT_SAID),
            calls_bucket: calls.checked_sub(1),
            shutdown: shutdown.checked_sub(1),
            ..Gauges::default()
        };
        for maybe in [
            &mut gauges.servers,
            &mut gauges.connected,
            &mut gauges.tools,
            &mut gauges.uptime_hours,
            &mut gauges.active_days,
        ] {
            *maybe = next()?.checked_sub(1);
        }
        gauges.configured_clients = next()?;
        gauges.searches_24h = next()?;
        let mut deltas = [0; DELTAS];
        for delta in &mut deltas {
            *delta = next()?;
        }
        Some(Self {
            version: str::from_utf8(rest).ok()?.to_owned(),
            kind: *EnvKind::ALL.get(usize::from(kind))?,
            launch_source: *LaunchSource::ALL.get(usize::from(launch))?,
            gauges,
            deltas,
        })
    }
}

fn sum(row: &[u8], install: &[u8], day: u32) -> u32 {
    let mut sum = Sum::default();
    sum.bytes(install);
    sum.word(u64::from(day));
    sum.bytes(row);
    sum.get()
}

/// Seven bits a byte, lowest first; the eighth says that more follow.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::heartbeat;
    use proptest::prelude::*;

    #[test]
    fn facts_read_back_as_they_were_written() {
        let mut one = heartbeat(0).facts;
        assert_eq!(read_facts(&facts(&one)), Some(one.clone()));
        one.agent_env = Some(AgentEnv::Sandbox);
        one.routing = None;
        one.markers = one.markers.map(|markers| EnvMarkers { has_display: true, ..markers });
        assert_eq!(read_facts(&facts(&one)), Some(one.clone()));
        (one.markers, one.edition) = (None, None);
        assert_eq!(read_facts(&facts(&one)), Some(one.clone()));
        for bad in ["", "interactive", &facts(&one).replace("sandbox", "box"), "a,b,c,d,e,f,g,h,i"]
        {
            assert_eq!(read_facts(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_read_back_as_they_were_written() {
        let list = vec![("1.4.0".to_owned(), 20_785), ("1.5.0-rc.1".to_owned(), 20_790)];
        assert_eq!(read_versions(&versions(&list)), Some(list));
        assert_eq!(read_versions(""), Some(Vec::new()));
        assert_eq!(read_versions("1.4.0"), None);
        let days = [1, 0, u64::MAX, 7, 0, 1 << 63];
        assert_eq!(read_bits(&bits(&days)), Some(days));
        assert_eq!(read_bits(&[0; 47]), None);
        let pairs = vec![(1, 2), (u64::MAX, 0)];
        assert_eq!(read_times(&times(&pairs)), Some(pairs));
        assert_eq!(read_times(&[0; 15]), None);
    }

    #[test]
    fn a_day_remembers_the_crash_that_any_of_its_heartbeats_told_of() {
        let beat = |how: Shutdown| {
            let mut beat = heartbeat(0);
            beat.gauges.shutdown = Some(how as u8);
            beat
        };
        let (crash, clean) = (beat(Shutdown::Crash), beat(Shutdown::Clean));
        for (first, second) in [(&crash, &clean), (&clean, &crash)] {
            let before = DayRow::with(first, None, true);
            for is_latest in [true, false] {
                let day = DayRow::with(second, Some(&before), is_latest);
                assert_eq!(day.gauges.shutdown, Some(Shutdown::Crash as u8), "{is_latest}");
            }
        }
        let before = DayRow::with(&clean, None, true);
        let day = DayRow::with(&clean, Some(&before), true);
        assert_eq!(day.gauges.shutdown, Some(Shutdown::Clean as u8));
    }

    #[test]
    fn a_usual_day_takes_about_forty_bytes() {
        let row = DayRow::with(&heartbeat(0), None, true);
        let packed = row.pack(&[7; 32], 20_785);
        assert!(packed.len() <= 40, "{}", packed.len());
    }

    proptest! {
        #[test]
        fn a_day_reads_back_as_it_was_written(
            counts in proptest::array::uniform8(0..=MAX_COUNT),
            maybe in proptest::array::uniform5(proptest::option::of(0..=MAX_COUNT)),
            small in proptest::option::of(0_u8..3),
            autostart in proptest::option::of(any::<bool>()),
            two in (0..=MAX_COUNT, 0..=MAX_COUNT),
        ) {
            let [servers, connected, tools, uptime_hours, active_days] = maybe;
            let row = DayRow {
                version: "1.4.0-rc.1".to_owned(),
                kind: EnvKind::Headless,
                launch_source: LaunchSource::Cli,
                gauges: Gauges {
                    autostart, servers, connected, tools, uptime_hours, active_days,
                    configured_clients: two.0,
                    searches_24h: two.1,
                    tokens_bucket: small,
                    calls_bucket: small,
                    shutdown: small,
                },
                deltas: counts,
            };
            let packed = row.pack(&[7; 32], 20_785);
            prop_assert_eq!(DayRow::unpack(&packed, &[7; 32], 20_785), Some(row.clone()));
            prop_assert_eq!(DayRow::unpack(&packed, &[7; 32], 20_786), None);
            // As schema 1 wrote it.
            let old = [&[FORM_1], &packed[5..]].concat();
            prop_assert_eq!(DayRow::unpack(&old, &[7; 32], 20_785), Some(row));
            for bit in 8..packed.len() * 8 {
                let mut damaged = packed.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                prop_assert_eq!(DayRow::unpack(&damaged, &[7; 32], 20_785), None);
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = DayRow::unpack(&bytes, &[7; 32], 20_785);
        }
    }
}

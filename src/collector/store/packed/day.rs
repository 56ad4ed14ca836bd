//! One install on one day, in few bytes.
//!
//! One rule: every form that was ever written is read; the last one is written.

use crate::collector::code::{self, Code, Met};
use crate::collector::heartbeat::{DELTAS, Gauges, Heartbeat};
use crate::collector::store::sum::Sum;
use crate::contract::{EnvKind, LaunchSource, MAX_COUNT, Shutdown};

/// The third form of a day row, which is written: four bytes of a sum over its key and the rest, then the rest. Its
/// number is 4, so that one flipped bit makes no other form of it.
pub(super) const FORM: u8 = 4;
/// The second form, of schema 2: without codes.
pub(super) const FORM_2: u8 = 2;
/// The first form, of schema 1: without codes and without a sum.
pub(super) const FORM_1: u8 = 1;

/// In place of a range that was not said, where 0 is the first of them.
const NOT_SAID: u8 = 0xff;

/// One install on one day: the state of its last heartbeat, and what its heartbeats add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow<Version = String> {
    /// Version of the product, without a leading `v`.
    pub version: Version,
    /// The declared kind.
    pub kind: EnvKind,
    /// How the sending process was launched.
    pub launch_source: LaunchSource,
    /// State at the last heartbeat; but if one of them said that a host had crashed, the day says so.
    pub gauges: Gauges,
    /// Sums over the day, each cut at [`MAX_COUNT`].
    pub deltas: [u64; DELTAS],
    /// The error codes of the day, in the order of their numbers.
    pub codes: Vec<Met>,
}

impl DayRow {
    /// The row of a day with this heartbeat, beside those of `before`, none of which is later if it `is_latest`.
    pub fn with(heartbeat: &Heartbeat, before: Option<&DayRow>, is_latest: bool) -> Self {
        let mut deltas = before.map_or([0; DELTAS], |before| before.deltas);
        for (sum, delta) in deltas.iter_mut().zip(heartbeat.deltas) {
            *sum = sum.saturating_add(delta).min(MAX_COUNT);
        }
        let of_before = before.map_or(&[][..], |before| &before.codes[..]);
        let codes = code::merged(of_before, &heartbeat.codes, is_latest || before.is_none());
        let crashed = |gauges: &Gauges| gauges.shutdown == Some(Shutdown::Crash as u8);
        let has_crashed =
            crashed(&heartbeat.gauges) || before.is_some_and(|before| crashed(&before.gauges));
        let mut day = match before.filter(|_| !is_latest) {
            Some(before) => Self { deltas, codes, ..before.clone() },
            None => Self {
                version: heartbeat.facts.version.clone(),
                kind: heartbeat.facts.kind,
                launch_source: heartbeat.facts.launch_source,
                gauges: heartbeat.gauges.clone(),
                deltas,
                codes,
            },
        };
        if has_crashed {
            day.gauges.shutdown = Some(Shutdown::Crash as u8);
        }
        day
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
        number(&mut out, self.codes.len() as u64);
        for met in &self.codes {
            out.push(met.code.number());
            number(&mut out, met.changes);
            number(&mut out, met.servers);
        }
        out.extend_from_slice(self.version.as_bytes());
        let sum = sum(&out[5..], install, day);
        out[1..5].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// The inverse of [`Self::pack`]: `None` for a row that was damaged, or is that of another install or day.
    pub fn unpack(bytes: &[u8], install: &[u8], day: u32) -> Option<Self> {
        let row = DayRow::read(bytes, install, day)?;
        let DayRow { version, kind, launch_source, gauges, deltas, codes } = row;
        Some(Self { version: version.to_owned(), kind, launch_source, gauges, deltas, codes })
    }
}

impl<Version> DayRow<Version> {
    /// Whether one of its heartbeats said that a host had crashed.
    pub fn has_crashed(&self) -> bool {
        self.gauges.shutdown == Some(Shutdown::Crash as u8)
    }
}

impl<'b> DayRow<&'b str> {
    /// As [`DayRow::unpack`], with the version where it lies: most rows are read for a moment, and by the million.
    pub fn read(bytes: &'b [u8], install: &[u8], day: u32) -> Option<Self> {
        let form = *bytes.first()?;
        let rest = match *bytes {
            [FORM | FORM_2, a, b, c, d, ref rest @ ..] => {
                let is_whole = u32::from_le_bytes([a, b, c, d]) == sum(rest, install, day);
                is_whole.then_some(rest)?
            }
            [FORM_1, ref rest @ ..] => rest,
            _ => return None,
        };
        let (head, mut rest) = rest.split_first_chunk::<6>()?;
        let [kind, launch, autostart, tokens_bucket, calls, shutdown] = *head;
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
            *maybe = read_number(&mut rest)?.checked_sub(1);
        }
        gauges.configured_clients = read_number(&mut rest)?;
        gauges.searches_24h = read_number(&mut rest)?;
        let mut deltas = [0; DELTAS];
        for delta in &mut deltas {
            *delta = read_number(&mut rest)?;
        }
        let codes = if form == FORM { read_codes(&mut rest)? } else { Vec::new() };
        Some(Self {
            version: str::from_utf8(rest).ok()?,
            kind: *EnvKind::ALL.get(usize::from(kind))?,
            launch_source: *LaunchSource::ALL.get(usize::from(launch))?,
            gauges,
            deltas,
            codes,
        })
    }
}

fn read_codes(bytes: &mut &[u8]) -> Option<Vec<Met>> {
    let mut codes = Vec::new();
    for _ in 0..read_number(bytes)? {
        let (number, rest) = bytes.split_first()?;
        *bytes = rest;
        let code = Code::numbered(*number)?;
        let (changes, servers) = (read_number(bytes)?, read_number(bytes)?);
        codes.push(Met { code, changes, servers });
    }
    Some(codes)
}

pub(super) fn sum(row: &[u8], install: &[u8], day: u32) -> u32 {
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

#[inline]
fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    match *first {
        // Most are.
        one @ 0..0x80 => Some(u64::from(one)),
        first => read_more(bytes, u64::from(first & 0x7f)),
    }
}

fn read_more(bytes: &mut &[u8], mut value: u64) -> Option<u64> {
    for shift in (7..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

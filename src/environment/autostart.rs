//! Whether we start at login: pure rules over what the OS entry and the sidecar say.
//!
//! One rule: our own entry in the operating system, else what the tray wrote, else what the kind of
//! session implies.

use crate::json;
use miniserde::Deserialize;

/// A sidecar older than this many seconds is ignored.
pub const SIDECAR_MAX_AGE: u64 = 30 * 24 * 60 * 60;
/// A sidecar that could be read is read again after this many seconds.
pub const CACHE_SECONDS: u64 = 60 * 60;
/// Our XDG autostart entry.
pub const DESKTOP_ENTRY: &str = "mcpproxy.desktop";
/// Our systemd user unit.
pub const SYSTEMD_UNIT: &str = "mcpproxy.service";

/// Our value in the `Run` key of Windows.
pub const RUN_ENTRY: &str = "mcpproxy";

/// `autostart_enabled`: `entry` is our own OS entry (`Some(false)`: it is there and switched off),
/// `sidecar` what the tray says, asked only without an entry.
pub fn decide(
    entry: Option<bool>,
    sidecar: impl FnOnce() -> Option<bool>,
    desktop_session: impl FnOnce() -> bool,
) -> Option<bool> {
    entry.or_else(sidecar).or_else(|| desktop_session().then_some(false))
}

/// Whether an XDG autostart entry starts its program. `Hidden=true` is how a user deletes an entry,
/// `X-GNOME-Autostart-enabled=false` how desktop settings switch one off; a file that is no desktop
/// entry (an empty one masks the system's) starts nothing.
pub fn desktop_entry_is_enabled(text: &str) -> bool {
    let mut group = "";
    let mut is_entry = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            group = name;
            is_entry |= group == "Desktop Entry";
            continue;
        }
        if group != "Desktop Entry" {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let off = match key.trim() {
            "Hidden" => is_word(value, ["true", "1"]),
            "X-GNOME-Autostart-enabled" => is_word(value, ["false", "0"]),
            _ => false,
        };
        if off {
            return false;
        }
    }
    is_entry
}

/// Whether a macOS LaunchAgent (a property list in XML) starts its program at login. Users switch one off
/// with `launchctl disable`, which is kept elsewhere and cannot be read; tools that edit the file set `Disabled`.
pub fn launch_agent_is_enabled(text: &str) -> bool {
    let is_true = |key: &str| {
        let after =
            text.split_once(&format!("<key>{key}</key>")).map(|(_, after)| after.trim_start());
        after.is_some_and(|value| value.starts_with("<true"))
    };
    (is_true("RunAtLoad") || is_true("KeepAlive")) && !is_true("Disabled")
}

/// Old desktop entries spell booleans as numbers.
fn is_word(value: &str, words: [&str; 2]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// What a sidecar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sidecar {
    enabled: bool,
    updated_at: i64,
}

impl Sidecar {
    /// Reads `{"enabled":bool,"updated_at":string}`; `None` when it is malformed. Further keys are
    /// the tray's own business.
    pub fn parse(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Written {
            enabled: bool,
            updated_at: String,
        }

        // Two values of one key are no answer, and only the strict reader sees both.
        json::parse(text).ok()?;
        let written: Written = miniserde::json::from_str(str::from_utf8(text).ok()?).ok()?;
        Some(Self { enabled: written.enabled, updated_at: rfc3339_seconds(&written.updated_at)? })
    }

    /// What it says at `now`; too old, it says nothing. A date in the future is not older than 30
    /// days: clocks of a dual-boot machine differ by hours.
    pub fn enabled(self, now: u64) -> Option<bool> {
        let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(self.updated_at);
        (age <= SIDECAR_MAX_AGE as i64).then_some(self.enabled)
    }
}

/// The last sidecar that could be read, malformed ones included.
#[derive(Debug, Default)]
pub struct SidecarCache {
    read: Option<(u64, Option<Sidecar>)>,
}

impl SidecarCache {
    /// What the sidecar says at `now`. `read` gives its bytes, or `None` when it is missing or
    /// unreadable: that is asked again the next time, for the tray may write it a moment later.
    pub fn enabled(&mut self, now: u64, read: impl FnOnce() -> Option<Vec<u8>>) -> Option<bool> {
        // A clock that was set back makes the cached read one of the future: read again.
        let fresh = |at: u64| at <= now && now - at < CACHE_SECONDS;
        let sidecar = match self.read {
            Some((at, sidecar)) if fresh(at) => sidecar,
            _ => {
                self.read = read().map(|bytes| (now, Sidecar::parse(&bytes)));
                self.read.and_then(|(_, sidecar)| sidecar)
            }
        };
        sidecar?.enabled(now)
    }
}

/// Seconds since 1970 of an RFC 3339 time with any offset; fractions are cut. `None` for anything
/// else, dates that do not exist included.
fn rfc3339_seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| -> Option<i64> {
        bytes.get(from..from + digits)?.iter().try_fold(0, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
        })
    };
    let is = |at: usize, expected: u8| {
        bytes.get(at).is_some_and(|byte| byte.eq_ignore_ascii_case(&expected))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let separators = is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':');
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !separators || !in_range {
        return None;
    }
    let mut at = 19;
    if is(at, b'.') {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        at += 1 + digits;
    }
    let offset = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && is(at + 3, b':') => {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let days = days_since_1970(year, month, day);
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Proleptic Gregorian; years are counted from March, so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

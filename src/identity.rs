//! The install's anonymous id: that of our own product in the config, that of any other in its place.
//!
//! One rule: an id that is there is kept byte for byte, and a new one is only made under a lock (the
//! config's, or that of the products), so that eight first starts at once agree on one.

pub mod install;

use crate::config::{self, ConfigState, EDIT_DEADLINE, EditError, TelemetryConfig};
use crate::consent::Configs;
use crate::contract::table::Text;
use crate::contract::timestamp;
use crate::paths::Place;
use install::InstallError;
use std::fmt;
use std::io;
use std::time::Duration;

/// Stands for the id before there is one.
pub const PROVISIONAL_ID: &str = "00000000-0000-4000-8000-000000000000";

/// After so many seconds (365 days) a new id takes the place of the old one.
pub const LIFETIME: u64 = 365 * 86_400;

/// 2025-01-01: an older clock has not been set yet and must not date anything.
pub(crate) const FIRST_PLAUSIBLE_TIME: u64 = 1_735_689_600;

/// The id and when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// A UUID, byte for byte as in the config.
    pub anonymous_id: String,
    /// RFC 3339 UTC.
    pub created_at: String,
    /// The id that this one took the place of after a year. A store that still belongs to that id is
    /// this install's: it keeps its flags and starts its clients again. Any other store is not.
    pub rotated_from: Option<String>,
    /// It follows an earlier id of the same install: after a year, or towards another endpoint host.
    pub carried_over: bool,
}

/// What is kept of an identity, as it is written: nothing of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The id, if there is one.
    pub anonymous_id: Option<String>,
    /// When it was made.
    pub created_at: Option<String>,
    /// The id before the last yearly rotation.
    pub rotated_from: Option<String>,
    /// It follows an earlier id of the same install.
    pub carried_over: bool,
}

impl From<&TelemetryConfig> for Kept {
    fn from(telemetry: &TelemetryConfig) -> Self {
        Self {
            anonymous_id: telemetry.anonymous_id.clone(),
            created_at: telemetry.anonymous_id_created_at.clone(),
            rotated_from: telemetry.rotated_from.clone(),
            // Our own product keeps its id whatever its endpoint is.
            carried_over: telemetry.rotated_from.is_some(),
        }
    }
}

/// Why there is no id. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// `telemetry.anonymous_id` of the config, or that of a product, is not a UUID.
    NotAUuid,
    /// Telemetry is off, so none is made.
    Off,
    /// The system gave no random bytes.
    NoRandomness,
    /// The config could not be edited.
    Config(EditError),
    /// What is kept of a product could not be read or edited.
    Install(InstallError),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAUuid => write!(
                f,
                "the anonymous id (`telemetry.anonymous_id` in {}; of a product: in its install.json) is not a UUID: nothing is sent; `mcpproxy telemetry reset-id` makes a new one",
                config::DISPLAY_NAME
            ),
            Self::Off => f.write_str("telemetry is off: no id is made"),
            Self::NoRandomness => f.write_str("the system gave no random bytes for a new id"),
            Self::Config(error) => error.fmt(f),
            Self::Install(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IdentityError {}

impl From<EditError> for IdentityError {
    fn from(error: EditError) -> Self {
        Self::Config(error)
    }
}

impl From<InstallError> for IdentityError {
    fn from(error: InstallError) -> Self {
        Self::Install(error)
    }
}

/// What [`ensure`] has to do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Keep(Identity),
    /// The id stays, its date is set to now.
    Date,
    Create,
    Rotate {
        from: String,
    },
}

fn next_step(kept: &Kept, now: u64) -> Result<Step, IdentityError> {
    let Some(id) = &kept.anonymous_id else { return Ok(Step::Create) };
    if !Text::Uuid.matches(id) {
        return Err(IdentityError::NotAUuid);
    }
    let made = kept.created_at.as_deref().and_then(seconds_of);
    let keep = |made| {
        Step::Keep(Identity {
            anonymous_id: id.clone(),
            created_at: timestamp::format(made),
            rotated_from: kept.rotated_from.clone(),
            carried_over: kept.carried_over,
        })
    };
    Ok(match made {
        // A clock that was never set would date the id so early that setting it rotates the id.
        Some(made) if now < FIRST_PLAUSIBLE_TIME => keep(made),
        Some(made) if made > now => Step::Date,
        Some(made) if now - made >= LIFETIME => Step::Rotate { from: id.clone() },
        Some(made) => keep(made),
        None => Step::Date,
    })
}

/// The id as it is, without any effect; `None` when the next heartbeat needs a new one. A date that is
/// missing, corrupt or in the future is shown as `now`, which is what [`ensure`] makes of it.
pub fn current(kept: &Kept, now: u64) -> Result<Option<Identity>, IdentityError> {
    let to_be_made = matches!(next_step(kept, now)?, Step::Create | Step::Rotate { .. });
    Ok(if to_be_made { None } else { Some(expected(kept, now)?) })
}

/// What [`ensure`] would return at `now`, without any effect: [`PROVISIONAL_ID`] stands for an id that
/// would be made.
pub fn expected(kept: &Kept, now: u64) -> Result<Identity, IdentityError> {
    let created_at = timestamp::format(now);
    Ok(match next_step(kept, now)? {
        Step::Keep(identity) => identity,
        Step::Date => Identity {
            anonymous_id: kept.anonymous_id.clone().unwrap_or_default(),
            created_at,
            rotated_from: kept.rotated_from.clone(),
            carried_over: kept.carried_over,
        },
        Step::Create => Identity {
            anonymous_id: PROVISIONAL_ID.into(),
            created_at,
            rotated_from: None,
            carried_over: kept.carried_over,
        },
        Step::Rotate { from } => Identity {
            anonymous_id: PROVISIONAL_ID.into(),
            created_at,
            rotated_from: Some(from),
            carried_over: true,
        },
    })
}

/// Whether [`ensure`] has to write at `now`: an id is missing, undated or due to rotate.
pub fn is_to_be_written(kept: &Kept, now: u64) -> bool {
    !matches!(next_step(kept, now), Ok(Step::Keep(_)) | Err(_))
}

/// The id of this install: read, made, dated or rotated as needed. Writes nothing while the config
/// says that telemetry is off; other objections are the caller's to ask for. That of a product is made in
/// the directory of its place, which must be there.
pub fn ensure(place: &Place, now: u64) -> Result<Identity, IdentityError> {
    ensure_within(place, now, EDIT_DEADLINE)
}

/// As [`ensure`], waiting for another edit no longer than `deadline`.
pub(crate) fn ensure_within(
    place: &Place,
    now: u64,
    deadline: Duration,
) -> Result<Identity, IdentityError> {
    let dir = place.data_dir();
    let configs = Configs::read(&dir);
    let configured = match &configs.given {
        ConfigState::Unusable(why) => return Err(EditError::Unusable(why.clone()).into()),
        _ if configs.objects_to(place.product()) => return Err(IdentityError::Off),
        ConfigState::Missing => TelemetryConfig::default(),
        ConfigState::Loaded(telemetry) => telemetry.clone(),
    };
    if !place.is_own() {
        return ensure_of_product(place, now, deadline);
    }
    if let Step::Keep(identity) = next_step(&(&configured).into(), now)? {
        return Ok(identity);
    }
    config::edit(&dir, deadline, |editing| {
        if editing.telemetry().objects_to(place.product()) {
            return Err(IdentityError::Off);
        }
        let kept = Kept::from(editing.telemetry());
        match next_step(&kept, now)? {
            Step::Keep(identity) => return Ok(identity),
            Step::Date => {
                editing.set_str("anonymous_id_created_at", &timestamp::format(now))?;
            }
            Step::Create => write_new(editing, None, now)?,
            Step::Rotate { from } => write_new(editing, Some(&from), now)?,
        }
        expected(&editing.telemetry().into(), now)
    })
}

fn ensure_of_product(
    place: &Place,
    now: u64,
    deadline: Duration,
) -> Result<Identity, IdentityError> {
    let kept = install::read(place)?.unwrap_or_default().kept;
    if let Step::Keep(identity) = next_step(&kept, now)? {
        return Ok(identity);
    }
    install::edit(place, deadline, |editing| {
        let kept = editing.file().kept.clone();
        match next_step(&kept, now)? {
            Step::Keep(identity) => return Ok(identity),
            Step::Date => {
                editing.set_time(&["anonymous_id_created_at"], now)?;
            }
            Step::Create => write_new_of_product(editing, None, kept.carried_over, now)?,
            Step::Rotate { from } => write_new_of_product(editing, Some(&from), true, now)?,
        }
        expected(&editing.file().kept, now)
    })
}

/// A new install: a new id that nothing links to the old one. Works while telemetry is off, too; the
/// store, its checkpoint and the copies of what was sent are the caller's to remove, afterwards.
pub fn reset_id(place: &Place, now: u64) -> Result<Identity, IdentityError> {
    if !place.is_own() {
        return replace_of_product(place, |editing| {
            write_new_of_product(editing, None, false, now)?;
            expected(&editing.file().kept, now)
        });
    }
    forget_notice(place)?;
    config::edit(&place.data_dir(), EDIT_DEADLINE, |editing| {
        write_new(editing, None, now)?;
        expected(&editing.telemetry().into(), now)
    })
}

/// No install: the id goes, and with it the notice that names it; the next host makes a new one. What else lies
/// in the place is the caller's to remove, before.
pub fn forget(place: &Place) -> Result<(), IdentityError> {
    if !place.is_own() {
        return replace_of_product(place, |_| Ok(()));
    }
    forget_notice(place)?;
    config::edit(&place.data_dir(), EDIT_DEADLINE, |editing| Ok(editing.forget_identity()?))
}

/// Begins the file of a product anew. What hosts said of it stays, as far as it can be read.
fn replace_of_product<R>(
    place: &Place,
    change: impl FnOnce(&mut install::Editing) -> Result<R, IdentityError>,
) -> Result<R, IdentityError> {
    let known = install::read(place).ok().flatten().unwrap_or_default();
    install::replace(place, |editing| {
        editing.set_said(
            known.endpoint.as_deref(),
            known.version.as_deref(),
            known.require_visible_notice,
            known.used_at,
        )?;
        change(editing)
    })
}

/// Removes the file of our own product, which holds the notice alone: under the id for which it was shown.
fn forget_notice(place: &Place) -> Result<(), IdentityError> {
    let _lock = config::lock(&place.data_dir(), EDIT_DEADLINE)?;
    match std::fs::remove_file(place.install()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(InstallError::from(error).into())
        }
        _ => Ok(()),
    }
}

fn write_new(
    editing: &mut config::Editing,
    from: Option<&str>,
    now: u64,
) -> Result<(), IdentityError> {
    editing.set_str("anonymous_id", &new_id()?)?;
    editing.set_str("anonymous_id_created_at", &timestamp::format(now))?;
    if from.is_some() || editing.telemetry().rotated_from.is_some() {
        editing.set_str("rotated_from", from.unwrap_or_default())?;
    }
    Ok(())
}

/// Writes a new id into the file of a product.
pub(crate) fn write_new_of_product(
    editing: &mut install::Editing,
    from: Option<&str>,
    carried_over: bool,
    now: u64,
) -> Result<(), IdentityError> {
    editing.set_str(&["anonymous_id"], &new_id()?)?;
    editing.set_time(&["anonymous_id_created_at"], now)?;
    editing.set_str(&["rotated_from"], from.unwrap_or_default())?;
    editing.set_bool(&["carried_over"], carried_over)?;
    Ok(())
}

/// A version 4 UUID of the system's randomness, in lower case.
fn new_id() -> Result<String, IdentityError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| IdentityError::NoRandomness)?;
    let bits = u128::from_be_bytes(bytes);
    let bits = bits & !(0xf << 76) | 4 << 76;
    let bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// Seconds since 1970 of an RFC 3339 time. Other programs that write this config use fractions and
/// offsets; those are dates, not damage.
fn seconds_of(text: &str) -> Option<u64> {
    let whole = timestamp::parse(&format!("{}Z", text.get(..19)?))?;
    let rest = text.get(19..)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            fraction.get(digits..).filter(|_| digits > 0)?
        }
        None => rest,
    };
    if rest == "Z" {
        return Some(whole);
    }
    let (hours, minutes) = rest.get(1..)?.split_once(':')?;
    let two = |digits: &str, below: u64| {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|&value| plain && value < below)
    };
    let offset = two(hours, 24)? * 3600 + two(minutes, 60)? * 60;
    match rest.as_bytes().first() {
        Some(b'+') => whole.checked_sub(offset),
        Some(b'-') => whole.checked_add(offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "A1B2c3d4-0000-1000-8000-00805F9B34FB";
    /// 2026-11-22T14:46:40Z
    const NOW: u64 = 1_795_358_800;

    fn config(id: Option<&str>, made: Option<&str>) -> Kept {
        Kept {
            anonymous_id: id.map(str::to_owned),
            created_at: made.map(str::to_owned),
            ..Kept::default()
        }
    }

    fn made_at(seconds: u64) -> Kept {
        config(Some(ID), Some(&timestamp::format(seconds)))
    }

    #[test]
    fn new_ids_are_version_4_in_lower_case_and_differ() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let id = new_id().unwrap();
            assert!(Text::Uuid.matches(&id), "{id}");
            assert_eq!(id, id.to_lowercase());
            assert_eq!(id.as_bytes()[14], b'4', "{id}");
            assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
            assert!(seen.insert(id));
        }
    }

    #[test]
    fn an_id_rotates_after_365_days_and_not_a_second_earlier() {
        assert!(matches!(next_step(&made_at(NOW - LIFETIME + 1), NOW), Ok(Step::Keep(_))));
        let rotated = Step::Rotate { from: ID.into() };
        assert_eq!(next_step(&made_at(NOW - LIFETIME), NOW), Ok(rotated));
        assert_eq!(current(&made_at(NOW - LIFETIME), NOW), Ok(None));
        let next = expected(&made_at(NOW - LIFETIME), NOW).unwrap();
        assert_eq!(
            (next.anonymous_id.as_str(), next.rotated_from.as_deref(), next.carried_over),
            (PROVISIONAL_ID, Some(ID), true)
        );
    }

    #[test]
    fn a_date_that_is_missing_corrupt_or_in_the_future_is_set_and_never_rotates() {
        let future = timestamp::format(NOW + 1);
        let cases = [
            None,
            Some("yesterday"),
            Some("2020-13-01T00:00:00Z"),
            Some("2020-01-01"),
            Some(&*future),
        ];
        for made in cases {
            let config = config(Some(ID), made);
            assert_eq!(next_step(&config, NOW), Ok(Step::Date), "{made:?}");
            let identity = current(&config, NOW).unwrap().unwrap();
            assert_eq!(identity.anonymous_id, ID);
            assert_eq!(identity.created_at, timestamp::format(NOW));
        }
    }

    #[test]
    fn a_clock_that_was_never_set_dates_nothing() {
        assert!(matches!(next_step(&made_at(NOW), 60), Ok(Step::Keep(_))));
    }

    #[test]
    fn an_id_that_is_no_uuid_is_an_error() {
        for id in
            ["x", "00000000-0000-4000-8000-00000000000", "{00000000-0000-4000-8000-000000000000}"]
        {
            assert_eq!(current(&config(Some(id), None), NOW), Err(IdentityError::NotAUuid));
        }
    }

    #[test]
    fn dates_with_fractions_and_offsets_are_dates() {
        let noon = timestamp::parse("2026-01-02T12:00:00Z");
        for text in [
            "2026-01-02T12:00:00Z",
            "2026-01-02T12:00:00.123456789Z",
            "2026-01-02T14:30:00+02:30",
            "2026-01-02T03:00:00.5-09:00",
        ] {
            assert_eq!(seconds_of(text), noon, "{text}");
        }
        for text in [
            "",
            "2026-01-02T12:00:00",
            "2026-01-02T12:00:00.Z",
            "2026-01-02T12:00:00+2:00",
            "2026-01-02T12:00:00+0200",
            "2026-01-02T12:00:00x01:00",
            "2026-02-30T12:00:00Z",
            "2026-01-02T12:00:00\u{e4}",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }
}

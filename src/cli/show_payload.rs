//! `telemetry show-payload`: the next heartbeat, exactly as it would be sent.
//!
//! One rule: no side effects, telemetry on or off, host running or not.

use super::about::About;
use super::{Call, Failure};
use crate::consent::Effective;
use crate::contract::timestamp;
use crate::heartbeat::preview::Preview;
use crate::identity::PROVISIONAL_ID;
use crate::json;
use crate::machine::{self, Surroundings};
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let place = "telemetry show-payload";
    if call.value("output").is_some_and(|format| format != "json") {
        return Err(Failure::usage(place, "the payload is shown as json only: use -o json"));
    }
    let around = Surroundings::of_this_process();
    let subject = About::in_use(call, around)?.subject;
    let now = match call.value("at") {
        Some(at) => time(at).ok_or_else(|| {
            let how = "--at takes seconds since 1970 or a time such as 2026-11-22T14:46:00Z";
            Failure::usage(place, how)
        })?,
        None => machine::now(),
    };
    let preview = Preview::read(&subject, None, around, now);
    explain(&preview);
    #[cfg(feature = "cli")]
    if call.has("explain") {
        return super::output::write(&meanings::of(&preview.bytes(), preview.has_provisional_id()));
    }
    let is_exact = call.has("exact") || call.value("output").is_some();
    match write(&preview, is_exact) {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write the payload: {}", error.kind())))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(feature = "cli")]
mod meanings;

/// Seconds since 1970, or RFC 3339 as in payloads.
fn time(text: &OsStr) -> Option<u64> {
    let text = text.to_str()?;
    let seconds = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    seconds.or_else(|| timestamp::parse(text))
}

/// What the bytes alone do not say, on stderr.
fn explain(preview: &Preview) {
    let say = |text: &str| machine::complain(&format_args!("mcpproxy: {text}"));
    if let Err(error) = &preview.store {
        say(&format!("{error}; shown is what its checkpoint holds"));
    }
    if let Err(error) = &preview.identity {
        say(&format!("{error}; {PROVISIONAL_ID} stands for the id"));
    } else if preview.has_provisional_id() {
        say(&format!(
            "there is no anonymous id yet, or a new one is due; {PROVISIONAL_ID} stands for it. The real one is made when a \
             host such as `mcpproxy tap` next starts with telemetry on"
        ));
    }
    let consent = &preview.permission.consent;
    let detail = &consent.detail;
    match consent.effective {
        Effective::On => {}
        Effective::LocalOnly => say(&format!("local only, this is not sent: {detail}")),
        Effective::Off => say(&format!("telemetry is off, this is not sent: {detail}")),
    }
}

/// To a file or a pipe go the exact bytes. A terminal gets a line end after them, and eight digits of the id
/// unless it is asked for: see [`shortened`].
fn write(preview: &Preview, is_exact: bool) -> io::Result<()> {
    let bytes = preview.bytes();
    let mut out = io::stdout().lock();
    if !out.is_terminal() {
        out.write_all(&bytes)?;
        return out.flush();
    }
    match shortened(&bytes).filter(|_| !is_exact && !preview.has_provisional_id()) {
        Some(shown) => {
            out.write_all(shown.as_bytes())?;
            let hint = "mcpproxy: eight digits of the id are shown; --exact shows the exact bytes";
            machine::complain(&hint);
        }
        None => out.write_all(&bytes)?,
    }
    out.write_all(b"\n")?;
    out.flush()
}

/// The payload with eight digits of its id, for a screen that others may see: all of it is what asks to erase
/// what was received under it.
fn shortened(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    let id = json::parse(bytes).ok()?.get("anonymous_id")?.as_str()?.to_owned();
    let start = id.get(..8)?;
    Some(text.replace(&id, &format!("{start}...")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_of_the_id_are_shown() {
        let payload =
            br#"{"schema_version":4,"anonymous_id":"3f0c9f7e-8f0e-4c5a-9d7b-0c1b2a3d4e5f","x":1}"#;
        let shown = r#"{"schema_version":4,"anonymous_id":"3f0c9f7e...","x":1}"#;
        assert_eq!(shortened(payload).as_deref(), Some(shown));
        assert_eq!(shortened(b"{}"), None);
    }

    #[test]
    fn a_time_is_seconds_or_rfc_3339() {
        let at = |text: &str| time(OsStr::new(text));
        assert_eq!(at("1800000000"), Some(1_800_000_000));
        assert_eq!(at("1970-01-02T00:00:00Z"), Some(86_400));
        for bad in ["", "+5", "-1", "tomorrow", "1970-01-02", "99999999999999999999"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}

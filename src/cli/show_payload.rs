//! `telemetry show-payload`: the next heartbeat, exactly as it would be sent.
//!
//! One rule: no side effects, telemetry on or off, host running or not.

use super::{Call, Failure};
use crate::consent::Effective;
use crate::contract::timestamp;
use crate::heartbeat::preview::{self, Preview};
use crate::identity::PROVISIONAL_ID;
use crate::machine::{self, Surroundings};
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let place = "telemetry show-payload";
    if call.value("output").is_some_and(|format| format != "json") {
        return Err(Failure::usage(place, "the payload is shown as json only: use -o json"));
    }
    let dir = call.dir()?;
    let now = match call.value("at") {
        Some(at) => time(at).ok_or_else(|| {
            let how = "--at takes seconds since 1970 or a time such as 2026-11-22T14:46:00Z";
            Failure::usage(place, how)
        })?,
        None => machine::now(),
    };
    let around = Surroundings::of_this_process();
    let preview = preview::preview(&dir, around, now, &|| preview::own_fields(&dir));
    explain(&preview);
    match write(&preview.bytes) {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write the payload: {}", error.kind())))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Seconds since 1970, or RFC 3339 as in payloads.
fn time(text: &OsStr) -> Option<u64> {
    let text = text.to_str()?;
    let seconds = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    seconds.or_else(|| timestamp::parse(text))
}

/// What the bytes alone do not say, on stderr.
fn explain(preview: &Preview) {
    let say = |text: &str| machine::complain(&format_args!("mcpproxy: {text}"));
    if let Some(error) = &preview.store_error {
        say(&format!("{error}; shown is what its checkpoint holds"));
    }
    if let Some(error) = &preview.identity_error {
        say(&format!("{error}; {PROVISIONAL_ID} stands for the id"));
    } else if preview.provisional_id {
        say(&format!(
            "there is no anonymous id yet, or a new one is due; {PROVISIONAL_ID} stands for it. The real one is made when a \
             host such as `mcpproxy tap` next starts with telemetry on"
        ));
    }
    let detail = &preview.consent.detail;
    match preview.consent.effective {
        Effective::On => {}
        Effective::LocalOnly => say(&format!("local only, this is not sent: {detail}")),
        Effective::Off => say(&format!("telemetry is off, this is not sent: {detail}")),
    }
}

/// To a file or a pipe go the exact bytes; a terminal gets a line end after them.
fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    if out.is_terminal() {
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

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

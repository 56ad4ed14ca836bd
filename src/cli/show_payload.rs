//! `telemetry show-payload`: the next heartbeat, exactly as it would be sent.
//!
//! One rule: no side effects, telemetry on or off, host running or not.

use crate::consent::Effective;
use crate::contract::timestamp;
use crate::heartbeat::preview::{self, Preview};
use crate::identity::PROVISIONAL_ID;
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: mcpproxy telemetry show-payload [--at TIME] [--data-dir DIR]

Prints the exact bytes of the next heartbeat: those that are stored and will be tried again, else what
would be assembled now. Changes nothing and sends nothing.

  --at TIME       as if it were this time: seconds since 1970, or 2026-11-22T14:46:00Z
  --data-dir DIR  the data directory (default: MCPPROXY_HOME, else ~/.mcpproxy)
";

#[derive(Default)]
struct Options {
    at: Option<u64>,
    data_dir: Option<OsString>,
    help: bool,
}

/// Runs the command; `args` are those after its name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    match parse(args) {
        Err(error) => {
            eprintln!("mcpproxy telemetry show-payload: {error}; see --help");
            ExitCode::from(2)
        }
        Ok(options) if options.help => {
            let _ = io::stdout().write_all(USAGE.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(options) => show(&options),
    }
}

fn parse(args: Vec<OsString>) -> Result<Options, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("at") => options.at = Some(parser.value()?.parse_with(time)?),
            Long("data-dir") => options.data_dir = Some(parser.value()?),
            // The output is JSON in any case.
            Short('o') | Long("output") => parser.value()?.parse_with(json_only)?,
            Short('h') | Long("help") => options.help = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn json_only(text: &str) -> Result<(), &'static str> {
    if text == "json" { Ok(()) } else { Err("the payload is shown as json only") }
}

fn time(text: &str) -> Result<u64, &'static str> {
    let seconds = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    seconds
        .or_else(|| timestamp::parse(text))
        .ok_or("neither seconds since 1970 nor a time such as 2026-11-22T14:46:00Z")
}

fn show(options: &Options) -> ExitCode {
    let around = Surroundings::of_this_process();
    let dir = match DataDir::resolve(options.data_dir.as_deref(), around) {
        Ok(dir) => dir,
        Err(error) => {
            eprintln!("mcpproxy telemetry show-payload: {error}");
            return ExitCode::FAILURE;
        }
    };
    let now = options.at.unwrap_or_else(machine::now);
    let preview = preview::preview(&dir, around, now, &|| preview::own_fields(&dir));
    explain(&preview);
    match write(&preview.bytes) {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!(
                "mcpproxy telemetry show-payload: cannot write the payload: {}",
                error.kind()
            );
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// What the bytes alone do not say, on stderr.
fn explain(preview: &Preview) {
    if let Some(error) = &preview.store_error {
        eprintln!("mcpproxy: {error}; shown is what its checkpoint holds");
    }
    if let Some(error) = &preview.identity_error {
        eprintln!("mcpproxy: {error}; {PROVISIONAL_ID} stands for the id");
    } else if preview.provisional_id {
        eprintln!(
            "mcpproxy: there is no anonymous id yet; {PROVISIONAL_ID} stands for it. The real one is \
             made when a host such as `mcpproxy tap` next starts with telemetry on"
        );
    }
    match preview.consent.effective {
        Effective::On => {}
        Effective::LocalOnly => {
            eprintln!("mcpproxy: local only, this is not sent: {}", preview.consent.detail);
        }
        Effective::Off => {
            eprintln!("mcpproxy: telemetry is off, this is not sent: {}", preview.consent.detail);
        }
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

    fn at(text: &str) -> Option<u64> {
        parse(vec!["--at".into(), text.into()]).ok().and_then(|options| options.at)
    }

    #[test]
    fn a_time_is_seconds_or_rfc_3339() {
        assert_eq!(at("1800000000"), Some(1_800_000_000));
        assert_eq!(at("1970-01-02T00:00:00Z"), Some(86_400));
        for bad in ["", "+5", "-1", "tomorrow", "1970-01-02", "99999999999999999999"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_its_own_options_are_taken() {
        for args in [vec!["--nwo"], vec!["-o", "yaml"], vec!["extra"], vec!["--data-dir"]] {
            assert!(parse(args.iter().map(OsString::from).collect()).is_err(), "{args:?}");
        }
        let options = parse(vec!["-o".into(), "json".into(), "--data-dir=x".into()]);
        assert!(options.is_ok_and(|options| options.data_dir == Some("x".into())));
    }
}

//! The command line: one file per command.

pub mod send;
pub mod show_payload;

use std::ffi::OsString;
use std::process::ExitCode;

pub mod detect;
#[cfg(feature = "tap")]
pub mod tap;

/// Runs one command line (without the program's name).
pub fn run(mut args: Vec<OsString>) -> ExitCode {
    if args.first().is_some_and(|command| command == "detect") {
        return detect::run(args.split_off(1));
    }
    #[cfg(feature = "tap")]
    if args.first().is_some_and(|command| command == "tap") {
        return tap::run(args.split_off(1));
    }
    ExitCode::SUCCESS
}

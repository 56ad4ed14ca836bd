//! The command line: one file per command.

use std::ffi::OsString;
use std::process::ExitCode;

pub mod detect;

/// Runs one command line (without the program's name).
pub fn run(mut args: Vec<OsString>) -> ExitCode {
    if args.first().is_some_and(|command| command == "detect") {
        return detect::run(args.split_off(1));
    }
    ExitCode::SUCCESS
}

//! The command line: one table, one file per command.
//!
//! One rule: results on stdout, everything else on stderr; exit code 2 for usage, 1 for failure.

pub mod commands;
pub mod detect;
mod help;
mod output;
pub mod parse;
mod reset_id;
mod schema;
pub mod send;
pub mod show_payload;
mod status;
mod switch;
#[cfg(feature = "tap")]
pub mod tap;
mod version;

use crate::machine::Surroundings;
use crate::paths::DataDir;
use commands::{Command, Entry};
use parse::Request;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::ExitCode;

/// One parsed command line.
#[derive(Clone, Debug, Default)]
pub struct Call {
    data_dir: Option<OsString>,
    help: bool,
    options: Vec<(&'static str, Option<OsString>)>,
    operands: Vec<OsString>,
}

impl Call {
    /// The last value of an option.
    fn value(&self, long: &str) -> Option<&OsStr> {
        self.options.iter().rev().find(|(name, _)| *name == long)?.1.as_deref()
    }

    /// The data directory of this call.
    fn dir(&self) -> Result<DataDir, Failure> {
        DataDir::resolve(self.data_dir.as_deref(), Surroundings::of_this_process())
            .map_err(|e| Failure::Failed(e.to_string()))
    }

    /// The arguments in canonical order, for entries that parse themselves.
    fn into_args(self, command: &Command) -> Vec<OsString> {
        let mut args = Vec::new();
        let data_dir = self.data_dir.filter(|_| command.data_dir);
        for (long, value) in
            data_dir.map(|dir| ("data-dir", Some(dir))).into_iter().chain(self.options)
        {
            args.push(format!("--{long}").into());
            args.extend(value);
        }
        if !self.operands.is_empty() {
            args.push("--".into());
            args.extend(self.operands);
        }
        args
    }
}

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// The command failed: exit code 1.
    Failed(String),
}

impl Failure {
    fn compiled_out(command: &Command, feature: &str) -> Self {
        let place = command.path.join(" ");
        Self::Usage(format!(
            "{place}: not in this build; it comes with the cargo feature `{feature}`"
        ))
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}

/// Runs one command line (without the program's name).
pub fn run(args: Vec<OsString>) -> ExitCode {
    match answer(args) {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

fn answer(args: Vec<OsString>) -> Result<ExitCode, Failure> {
    match parse::parse(args)? {
        Request::Help(words) => help::show(&words),
        Request::Version { verbose } => version::run(verbose),
        Request::Run(command, call) => match command.entry {
            Entry::Parsed(run) => run(&call),
            Entry::Raw(run) => Ok(run(call.into_args(command))),
            Entry::Needs(feature) => Err(Failure::compiled_out(command, feature)),
        },
    }
}

//! The command line: one table, one file per command.
//!
//! One rule: results on stdout, everything else on stderr; exit code 2 for usage, 1 for failure.

mod about;
#[cfg(feature = "autostart")]
mod autostart;
#[cfg(feature = "collector")]
mod collector;
#[cfg(feature = "collector")]
mod collector_clock;
#[cfg(feature = "collector")]
mod collector_data;
#[cfg(feature = "collector")]
mod collector_demo;
#[cfg(feature = "collector")]
mod collector_doctor;
#[cfg(feature = "collector")]
mod collector_erase;
#[cfg(feature = "collector")]
mod collector_keep;
#[cfg(feature = "collector")]
mod collector_report;
#[cfg(feature = "simulate")]
mod collector_simulate;
#[cfg(feature = "collector")]
mod collector_verify;
pub mod commands;
#[cfg(feature = "cli")]
mod completions;
#[cfg(feature = "connect")]
mod connect;
mod detect;
#[cfg(feature = "cli")]
mod doctor;
#[cfg(feature = "cli")]
mod examples;
#[cfg(feature = "cli")]
mod explain;
#[cfg(feature = "heartbeat")]
mod forget;
mod help;
#[cfg(feature = "cli")]
mod hints;
#[cfg(feature = "cli")]
mod man;
mod output;
pub mod parse;
#[cfg(feature = "record")]
mod record;
mod reset_id;
mod schema;
#[cfg(feature = "heartbeat")]
mod send;
#[cfg(feature = "cli")]
mod sent;
#[cfg(feature = "serve")]
mod serve;
mod show_payload;
mod status;
mod switch;
#[cfg(feature = "tap")]
pub mod tap;
mod uninstall;
#[cfg(feature = "serve")]
mod upstream;
mod verify;
mod version;

use crate::config;
#[cfg(any(feature = "record", feature = "serve"))]
use crate::contract::LaunchSource;
use crate::heartbeat::permission::Permission;
use crate::heartbeat::timing::CLOCK_VARIABLE;
use crate::machine::{self, Surroundings};
use crate::notice;
use crate::paths::{DataDir, PathError};
use crate::products::Subject;
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

    /// An option that was given twice: the second would silently win.
    #[cfg(feature = "collector")]
    fn repeated(&self) -> Option<&'static str> {
        let names = self.options.iter().map(|(name, _)| *name);
        let mut before = names.clone().enumerate();
        before
            .find(|(at, name)| names.clone().take(*at).any(|one| one == *name))
            .map(|(_, name)| name)
    }

    /// Whether a switch was given.
    fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// The operand of a command that takes exactly one.
    #[cfg(any(feature = "cli", feature = "collector", feature = "connect", feature = "serve"))]
    fn operand(&self) -> &OsStr {
        self.operands.first().map(OsString::as_os_str).unwrap_or_default()
    }

    /// The data directory of this call.
    fn dir(&self) -> Result<DataDir, Failure> {
        let around = Surroundings::of_this_process();
        let dir =
            DataDir::resolve(self.data_dir.as_deref(), around).map_err(|error| match error {
                PathError::EmptyFlag => Failure { code: 2, ..Failure::failed(error.to_string()) },
                _ => Failure::failed(error.to_string()),
            })?;
        #[cfg(feature = "cli")]
        output::show_data_dir(dir.root());
        if around.own(CLOCK_VARIABLE).is_some() {
            // What is shown has the time of the hosts: the reading shifts the clock, if it leads to loopback.
            let _ = Permission::read(&self.subject(&dir), around);
        }
        Ok(dir)
    }

    /// `--launched-by`
    #[cfg(any(feature = "record", feature = "serve"))]
    fn launched_by(&self) -> Result<Option<LaunchSource>, Failure> {
        let Some(source) = self.value("launched-by") else { return Ok(None) };
        let wrong = "--launched-by needs one of tray, login_item, cli, installer, unknown";
        let found = source.to_str().and_then(LaunchSource::from_spelling);
        found.map(Some).ok_or_else(|| Failure { code: 2, ..Failure::failed(wrong) })
    }

    /// Whose hosts this call is about, as far as that can be told: ours, where it cannot.
    fn subject(&self, dir: &DataDir) -> Subject {
        let named = self.product().ok().flatten();
        let known = named.and_then(|name| Subject::known(dir, &name));
        let subject = known.unwrap_or_else(|| Subject::own(dir.clone()));
        let told = self.value("endpoint").filter(|_| !subject.is_own());
        let told = told.map(|endpoint| endpoint.to_string_lossy().into_owned());
        Subject { endpoint: told.or(subject.endpoint), ..subject }
    }

    /// The product of this call, spelled as in the contract; ours is one of them.
    fn product(&self) -> Result<Option<String>, Failure> {
        let Some(text) = self.value("product") else { return Ok(None) };
        let named = config::product_name(&text.to_string_lossy());
        let wrong = |error| Failure { code: 2, ..Failure::failed(format!("--product: {error}")) };
        named.map(Some).map_err(wrong)
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

/// Why a command did not do what was asked: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The words of the command, as far as they are known.
    place: Option<String>,
    text: String,
    code: u8,
}

impl Failure {
    /// The command line is wrong at `place`: exit code 2.
    fn usage(place: &str, text: impl Into<String>) -> Self {
        Self { place: Some(place.to_owned()), text: text.into(), code: 2 }
    }

    /// The command failed: exit code 1.
    fn failed(text: impl Into<String>) -> Self {
        Self { place: None, text: text.into(), code: 1 }
    }

    fn compiled_out(command: &Command, feature: &str) -> Self {
        let text = format!("not in this build; it comes with the cargo feature `{feature}`");
        Self::usage(&command.path.join(" "), text)
    }

    /// A failure of `command`, unless it says of what.
    fn of(mut self, command: &Command) -> Self {
        self.place.get_or_insert_with(|| command.path.join(" "));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_deref() {
            None | Some("") => write!(f, "mcpproxy: {}", self.text),
            Some(place) => write!(f, "mcpproxy {place}: {}", self.text),
        }
    }
}

/// Runs one command line (without the program's name).
pub fn run(args: Vec<OsString>) -> ExitCode {
    notice::set_program();
    match answer(args) {
        Ok(code) => code,
        Err(failure) => {
            let text = failure.to_string();
            match failure.place.as_deref() {
                // What starts these keeps what they say in a log, and no log holds a path.
                Some("serve" | "record" | "tap" | "collector") => machine::complain(&text),
                _ => machine::complain(&output::for_a_person(&text)),
            }
            ExitCode::from(failure.code)
        }
    }
}

fn answer(args: Vec<OsString>) -> Result<ExitCode, Failure> {
    match parse::parse(args)? {
        Request::Help(words) => help::show(&words),
        Request::Version { verbose } => version::run(verbose),
        Request::Run(command, call) => match command.entry {
            Entry::Parsed(run) => run(&call).map_err(|failure| failure.of(command)),
            Entry::Raw(run) => Ok(run(call.into_args(command))),
            Entry::Needs(feature) => Err(Failure::compiled_out(command, feature)),
        },
    }
}

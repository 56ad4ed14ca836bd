//! From arguments to a [`Call`], by the command table.
//!
//! One rule: a usage error is one line that says what is wrong, where, and how to find out more.

use super::commands::{self, Command, Entry, GLOBAL, Operands, Opt, PROGRAM};
use super::{Call, Failure};
use lexopt::prelude::*;
use std::ffi::{OsStr, OsString};

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// Run a command.
    Run(&'static Command, Call),
    /// Show help about these words.
    Help(Vec<String>),
    /// Show the version.
    Version {
        /// With all about the build.
        verbose: bool,
    },
}

/// Parses one command line (without the program's name).
pub fn parse(args: Vec<OsString>) -> Result<Request, Failure> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut call = Call::default();
    let mut words: Vec<String> = Vec::new();
    let (mut version, mut verbose) = (false, false);
    let command = loop {
        let place = place(&words);
        match parser.next().map_err(|e| usage(&place, &e))? {
            None if version => return Ok(Request::Version { verbose }),
            None => return without_command(words, call),
            Some(Value(word)) => {
                let word = word.to_string_lossy().into_owned();
                words.push(word);
                if let Some(command) = commands::find(&words) {
                    if let Entry::Needs(feature) = command.entry {
                        return Err(Failure::compiled_out(command, feature));
                    }
                    // `collector` is a command, and so is `collector product add`.
                    let longer = commands::choices(&words);
                    let goes_on = parser.try_raw_args().is_some_and(|args| {
                        let next = args.peek().and_then(|next| next.to_str());
                        next.is_some_and(|next| longer.contains(&next))
                    });
                    if goes_on {
                        continue;
                    }
                    break command;
                }
                if commands::choices(&words).is_empty() && commands::compiled_out(&words).is_none()
                {
                    return Err(unknown_word(&words));
                }
            }
            Some(Long("help") | Short('h')) => return Ok(Request::Help(words)),
            Some(Long("data-dir")) => call.data_dir = Some(value(&mut parser, &place)?),
            Some(Long("version") | Short('V')) if words.is_empty() => version = true,
            Some(Long("verbose") | Short('v')) if words.is_empty() => verbose = true,
            Some(other) => return Err(unknown_option(&place, &other, None, &[])),
        }
    };
    arguments(&mut parser, command, &mut call)?;
    Ok(if call.help { Request::Help(words) } else { Request::Run(command, call) })
}

/// Parses what follows the words of a command.
fn arguments(
    parser: &mut lexopt::Parser,
    command: &'static Command,
    call: &mut Call,
) -> Result<(), Failure> {
    let place = command.path.join(" ");
    while let Some(argument) = parser.next().map_err(|e| usage(&place, &e))? {
        let found = match &argument {
            Long(name) => all_options(command).find(|option| option.long == *name),
            Short(name) => all_options(command).find(|option| option.short == Some(*name)),
            Value(_) => None,
        };
        match (found, argument) {
            (Some(option), _) if option.long == "help" => {
                call.help = true;
                return Ok(());
            }
            (Some(option), _) => {
                let value = match option.value {
                    Some(_) => Some(value(parser, &place)?),
                    None => None,
                };
                if option.long == "data-dir" {
                    call.data_dir = value;
                } else {
                    call.options.push((option.long, value));
                }
            }
            (None, Value(operand)) => match command.operands {
                Operands::One(_) | Operands::Optional(_) | Operands::OneAndRest(..)
                    if call.operands.is_empty() =>
                {
                    call.operands.push(operand);
                }
                Operands::Two(..) if call.operands.len() < 2 => call.operands.push(operand),
                Operands::Rest(_) | Operands::OneAndRest(..) => {
                    call.operands.push(operand);
                    call.operands.extend(parser.raw_args().map_err(|e| usage(&place, &e))?);
                }
                Operands::Words(_) | Operands::Many(_) => call.operands.push(operand),
                Operands::One(_) | Operands::Two(..) | Operands::Optional(_) | Operands::None => {
                    return Err(Failure::usage(
                        &place,
                        format!("unexpected argument {operand:?}; see `mcpproxy {place} --help`"),
                    ));
                }
            },
            // What it means may depend on its value.
            #[cfg(feature = "cli")]
            (None, Long(name)) => {
                let name = name.to_owned();
                let value = parser.optional_value().or_else(|| parser.value().ok());
                let own = command.options;
                return Err(unknown_option(&place, &Long(&name), value.as_deref(), own));
            }
            (None, other) => return Err(unknown_option(&place, &other, None, command.options)),
        }
    }
    match command.operands {
        Operands::One(name)
        | Operands::Many(name)
        | Operands::Two(name, _)
        | Operands::Rest(name)
        | Operands::OneAndRest(name, _)
            if call.operands.is_empty() =>
        {
            Err(missing(&place, name))
        }
        Operands::Two(_, name) if call.operands.len() < 2 => Err(missing(&place, name)),
        _ => Ok(()),
    }
}

fn missing(place: &str, name: &str) -> Failure {
    Failure::usage(place, format!("{name} is missing; see `mcpproxy {place} --help`"))
}

fn all_options(command: &'static Command) -> impl Iterator<Item = &'static Opt> {
    command.options.iter().chain(GLOBAL)
}

fn value(parser: &mut lexopt::Parser, place: &str) -> Result<OsString, Failure> {
    parser.value().map_err(|e| usage(place, &e))
}

fn place(words: &[String]) -> String {
    words.join(" ")
}

fn usage(place: &str, error: &lexopt::Error) -> Failure {
    Failure::usage(place, format!("{error}; see {}", help_on(place)))
}

fn unknown_option(
    place: &str,
    argument: &lexopt::Arg<'_>,
    value: Option<&OsStr>,
    own: &'static [Opt],
) -> Failure {
    let (shown, typed) = match argument {
        Long(name) => (format!("--{name}"), *name),
        Short(name) => (format!("-{name}"), ""),
        Value(value) => (format!("{value:?}"), ""),
    };
    let known = own.iter().chain(GLOBAL).chain(if place.is_empty() { PROGRAM } else { &[] });
    let known: Vec<&str> = known.map(|option| option.long).collect();
    let hint = match (meant(typed, value, own), commands::nearest(typed, &known)) {
        (Some(meant), _) => meant,
        (None, Some(near)) => format!("did you mean --{near}?"),
        (None, None) => format!("see {}", help_on(place)),
    };
    Failure::usage(place, format!("unknown option {shown}; {hint}"))
}

/// What a build for people knows of other spellings.
#[cfg(feature = "cli")]
fn meant(typed: &str, value: Option<&OsStr>, own: &[Opt]) -> Option<String> {
    super::hints::option(typed, value, own)
}

#[cfg(not(feature = "cli"))]
fn meant(_: &str, _: Option<&OsStr>, _: &[Opt]) -> Option<String> {
    None
}

fn help_on(place: &str) -> String {
    if place.is_empty() { "`mcpproxy help`".into() } else { format!("`mcpproxy {place} --help`") }
}

/// What a group without a command asks for: its help. `telemetry` alone asks for its status.
fn without_command(mut words: Vec<String>, call: Call) -> Result<Request, Failure> {
    if let Some((command, feature)) = commands::compiled_out(&words) {
        return Err(Failure::compiled_out(command, feature));
    }
    if words == ["telemetry"] {
        words.push("status".to_owned());
        if let Some(command) = commands::find(&words) {
            return Ok(Request::Run(command, call));
        }
    }
    Ok(Request::Help(words))
}

fn unknown_word(words: &[String]) -> Failure {
    let (word, before) =
        words.split_last().map_or(("", words), |(word, before)| (word.as_str(), before));
    let place = place(before);
    let near = || {
        let near = commands::nearest(word, &commands::choices(before))?;
        Some(format!("mcpproxy {}", [before.join(" ").as_str(), near].join(" ").trim_start()))
    };
    #[cfg(feature = "cli")]
    let meant = super::hints::word(&place, word)
        .or_else(near)
        .or_else(|| super::hints::of_a_group(word).filter(|_| place.is_empty()));
    #[cfg(not(feature = "cli"))]
    let meant = near();
    let hint = match meant {
        Some(line) => format!("did you mean `{line}`?"),
        None => format!("see {}", help_on(&place)),
    };
    Failure::usage(&place, format!("unknown command {word:?}; {hint}"))
}

//! Help, generated from the command table.

use super::commands::{self, COMMANDS, Command, Entry, GLOBAL, GROUPS, Operands, Opt, PROGRAM};
use super::{Call, Failure, output};
use crate::build_info;
use std::fmt::Write as _;
use std::process::ExitCode;

/// `mcpproxy help [COMMAND]`
pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let words: Vec<String> =
        call.operands.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    show(&words)
}

/// Prints help about a command, a group, or (no words) the program.
pub(super) fn show(words: &[String]) -> Result<ExitCode, Failure> {
    if let Some((command, feature)) = commands::compiled_out(words) {
        return Err(Failure::compiled_out(command, feature));
    }
    if let Some(command) = commands::find(words) {
        return output::print(&of_command(command));
    }
    if !words.is_empty() && commands::choices(words).is_empty() {
        return Err(Failure::usage(
            "help",
            format!("unknown command {:?}; see `mcpproxy help`", words.join(" ")),
        ));
    }
    output::print(&of_group(words))
}

fn of_group(words: &[String]) -> String {
    let mut out = String::new();
    let start = words.iter().map(|word| format!("{word} ")).collect::<String>();
    if words.is_empty() {
        let _ =
            writeln!(out, "mcpproxy {}: {}\n", build_info::VERSION, env!("CARGO_PKG_DESCRIPTION"));
    } else if let Some((_, summary)) = GROUPS.iter().find(|(name, _)| *name == words.join(" ")) {
        let _ = writeln!(out, "{summary}\n");
    }
    let _ = writeln!(out, "Usage: mcpproxy {start}COMMAND [OPTIONS]");
    let listed: Vec<_> = COMMANDS
        .iter()
        .filter(|command| !matches!(command.entry, Entry::Needs(_)))
        .filter(|command| command.path.get(..words.len()).is_some_and(|start| start == words))
        .collect();
    match words {
        #[cfg(feature = "cli")]
        [] => sections(&mut out, &listed),
        _ => {
            out.push_str("\nCommands:\n");
            rows(&mut out, &listed, 0);
        }
    }
    match listed.first() {
        // Every command of a group understands them as the first one does.
        Some(first) if !words.is_empty() => options(&mut out, commands::globals(first)),
        _ => options(&mut out, PROGRAM.iter().chain(GLOBAL)),
    }
    out.push_str("\n`mcpproxy COMMAND --help` says more about a command.\n");
    out
}

/// What the first words of commands are about, in the order of help.
#[cfg(feature = "cli")]
const SECTIONS: &[(&str, &[&str])] = &[
    ("What is sent", &["telemetry", "detect", "uninstall"]),
    ("In front of one server", &["tap", "record"]),
    ("In front of many servers", &["serve", "upstream", "connect", "disconnect", "autostart"]),
    ("The maintainer's end", &["collector"]),
    ("This program", &["doctor", "explain", "completions", "man", "help"]),
];

/// The commands under the headings of [`SECTIONS`], all in one width.
#[cfg(feature = "cli")]
fn sections(out: &mut String, listed: &[&Command]) {
    let width = listed.iter().map(|command| command.path.join(" ").len()).max().unwrap_or(0);
    for (heading, firsts) in SECTIONS {
        let its: Vec<&Command> = listed
            .iter()
            .copied()
            .filter(|command| command.path.first().is_some_and(|first| firsts.contains(first)))
            .collect();
        if !its.is_empty() {
            let _ = writeln!(out, "\n{heading}:");
            rows(out, &its, width);
        }
    }
}

fn rows(out: &mut String, listed: &[&Command], width: usize) {
    let rows: Vec<_> = listed.iter().map(|c| (c.path.join(" "), c.summary)).collect();
    columns(out, &rows, width);
}

fn of_command(command: &Command) -> String {
    let place = command.path.join(" ");
    let operands = operands(command.operands);
    let mut out = format!("{}.\n\nUsage: mcpproxy {place} [OPTIONS]{operands}\n", command.summary);
    if !command.about.is_empty() {
        let _ = write!(out, "\n{}\n", command.about);
    }
    let parts: Vec<_> = commands::below(command).map(|c| (c.path.join(" "), c.summary)).collect();
    if !parts.is_empty() {
        out.push_str("\nCommands:\n");
        columns(&mut out, &parts, 0);
    }
    options(&mut out, command.options.iter().chain(commands::globals(command)));
    #[cfg(feature = "cli")]
    {
        let lines = super::examples::of(command);
        out.push_str(if lines.len() == 1 { "\nExample:\n" } else { "\nExamples:\n" });
        lines.iter().for_each(|line| {
            let _ = writeln!(out, "  {line}");
        });
    }
    out
}

/// The operands of a command, as a usage line shows them.
pub(super) fn operands(operands: Operands) -> String {
    match operands {
        Operands::None => String::new(),
        Operands::One(name) => format!(" {name}"),
        Operands::Many(name) => format!(" {name}..."),
        Operands::Two(name, other) => format!(" {name} {other}"),
        Operands::Optional(name) => format!(" [{name}]"),
        Operands::Rest(name) => format!(" [--] {name}"),
        Operands::OneAndRest(name, rest) => format!(" {name} [[--] {rest}]"),
        Operands::Words(name) => format!(" [{name}]"),
    }
}

fn options<'o>(out: &mut String, options: impl Iterator<Item = &'o Opt>) {
    out.push_str("\nOptions:\n");
    let rows: Vec<_> = options
        .map(|option| {
            let short = option.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
            let value = option.value.map_or(String::new(), |value| format!(" {value}"));
            (format!("{short}--{}{value}", option.long), option.help)
        })
        .collect();
    columns(out, &rows, 0);
}

fn columns(out: &mut String, rows: &[(String, &str)], least: usize) {
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0).max(least);
    for (left, right) in rows {
        let _ = writeln!(out, "  {left:width$}  {right}");
    }
}

//! `mcpproxy man`: manual pages, generated from the command table.
//!
//! One rule: nothing is spelled here that stands in the table.

use super::commands::{self, COMMANDS, Command, Entry, GLOBAL, Opt, PROGRAM};
use super::{Call, Failure, examples, help, output};
use crate::build_info;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let Some(dir) = call.value("dir") else { return output::print(&program()) };
    let dir = Path::new(dir);
    let failed =
        |e: std::io::Error| Failure::failed(format!("--dir cannot be written: {}", e.kind()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut count = 1;
    std::fs::write(dir.join("mcpproxy.1"), program()).map_err(failed)?;
    for command in built() {
        let name = format!("mcpproxy-{}.1", command.path.join("-"));
        std::fs::write(dir.join(name), of_command(command)).map_err(failed)?;
        count += 1;
    }
    output::print(&format!("{count} pages written.\n"))
}

fn built() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(|command| !matches!(command.entry, Entry::Needs(_)))
}

fn begin(name: &str, summary: &str) -> String {
    let title = name.to_uppercase();
    let version = build_info::VERSION;
    let mut out = format!(
        ".TH \"{}\" 1 \"\" \"mcpproxy {}\" \"User Commands\"\n",
        escaped(&title),
        escaped(version)
    );
    let _ = writeln!(out, ".SH NAME\n{} \\- {}", escaped(name), escaped(&lower_first(summary)));
    out
}

fn program() -> String {
    let mut out = begin("mcpproxy", env!("CARGO_PKG_DESCRIPTION"));
    out.push_str(".SH SYNOPSIS\n.B mcpproxy\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH COMMANDS\n");
    for command in built() {
        let path = command.path.join(" ");
        let _ = writeln!(out, ".TP\n\\fB{}\\fR\n{}.", escaped(&path), escaped(command.summary));
    }
    options(&mut out, PROGRAM.iter().chain(GLOBAL));
    let first = built().filter_map(|command| examples::of(command).first().copied());
    ends(&mut out, first);
    let pages: Vec<String> = built()
        .map(|command| {
            format!(".BR {} (1)", escaped(&format!("mcpproxy-{}", command.path.join("-"))))
        })
        .collect();
    let _ = writeln!(out, ".SH \"SEE ALSO\"\n{}", pages.join(",\n"));
    out
}

fn of_command(command: &'static Command) -> String {
    let path = command.path.join(" ");
    let mut out = begin(&format!("mcpproxy-{}", command.path.join("-")), command.summary);
    let operands = help::operands(command.operands);
    let _ = writeln!(
        out,
        ".SH SYNOPSIS\n\\fBmcpproxy {}\\fR [\\fIOPTIONS\\fR]{}",
        escaped(&path),
        escaped(&operands)
    );
    let _ = writeln!(out, ".SH DESCRIPTION\n{}.", escaped(command.summary));
    about(&mut out, command.about);
    options(&mut out, command.options.iter().chain(commands::globals(command)));
    ends(&mut out, examples::of(command).iter().copied());
    out.push_str(".SH \"SEE ALSO\"\n.BR mcpproxy (1)\n");
    out
}

/// Variables of every command: a name and a sentence each.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("MCPPROXY_HOME", "The data directory, where --data-dir is not given."),
    ("MCPPROXY_TELEMETRY", "Set to 0: nothing is sent. DO_NOT_TRACK=1 does the same."),
    ("MCPPROXY_TELEMETRY_ENDPOINT", "Where heartbeats of mcpproxy itself go."),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy that requests to other machines go through.",
    ),
];

/// Files of every command: a path and a sentence each.
const FILES: &[(&str, &str)] = &[
    (
        "~/.mcpproxy/mcp_config.json",
        "The configuration: telemetry, and the servers of the gateway.",
    ),
    ("~/.mcpproxy/sent/", "A copy of each acknowledged heartbeat, the last 30."),
    ("~/.mcpproxy/products/", "The state of other products than mcpproxy itself."),
];

/// What stands at the end of every page.
fn ends(out: &mut String, examples: impl Iterator<Item = &'static str>) {
    for (title, rows) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        let _ = writeln!(out, ".SH {title}");
        for (name, about) in rows {
            let _ = writeln!(out, ".TP\n\\fB{}\\fR\n{}", escaped(name), escaped(about));
        }
    }
    let mut examples = examples.peekable();
    if examples.peek().is_some() {
        out.push_str(".SH EXAMPLES\n.nf\n");
        examples.for_each(|line| {
            let _ = writeln!(out, "{}", escaped(line));
        });
        out.push_str(".fi\n");
    }
    out.push_str(".SH \"EXIT STATUS\"\n0 on success, 1 on failure, 2 for a wrong command line.\n");
}

/// Lines of text; those that are indented are examples, and stay as they are.
fn about(out: &mut String, text: &str) {
    let (mut is_example, mut begins) = (false, true);
    for line in text.lines() {
        let indented = line.starts_with("  ");
        if line.is_empty() {
            begins = true;
            continue;
        }
        if indented != is_example {
            out.push_str(if indented { ".PP\n.nf\n" } else { ".fi\n" });
        }
        if !indented && (begins || is_example) {
            out.push_str(".PP\n");
        }
        (is_example, begins) = (indented, false);
        let _ = writeln!(out, "{}", escaped(line));
    }
    if is_example {
        out.push_str(".fi\n");
    }
}

fn options<'o>(out: &mut String, options: impl Iterator<Item = &'o Opt>) {
    out.push_str(".SH OPTIONS\n");
    for option in options {
        let short = option.short.map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
        let value =
            option.value.map(|value| format!(" \\fI{}\\fR", escaped(value))).unwrap_or_default();
        let long = escaped(&format!("--{}", option.long));
        let _ = writeln!(out, ".TP\n{short}\\fB{long}\\fR{value}\n{}.", escaped(option.help));
    }
}

/// Text that roff takes as text.
fn escaped(text: &str) -> String {
    let text =
        text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq").replace('`', "\\(ga");
    // A line must not begin like a request.
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(letters).collect()
}

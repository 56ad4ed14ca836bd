//! `mcpproxy explain`: what a code means, and what helps; without a code, all of them.
//!
//! One rule: every word is the catalog's.

use super::commands::nearest;
use super::output::{Format, Report};
use super::{Call, Failure, output};
use crate::diagnostics::{CODES, Code, PREFIX, Step, document};
use crate::json::Node;
use crate::status::diagnostic;
use std::fmt::Write as _;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "explain")?;
    let Some(typed) = call.operands.first() else {
        let node = || {
            let codes = Code::ALL.into_iter().map(diagnostic::node).collect();
            Node::Object(vec![("codes", Node::List(codes))])
        };
        return Report { node, table: list }.print(format);
    };
    let typed = typed.to_string_lossy();
    let code = known("explain", &typed)?;
    Report { node: || diagnostic::node(code), table: || page(code) }.print(format)
}

/// The code that was typed at `place` of the command line.
pub(super) fn known(place: &str, typed: &str) -> Result<Code, Failure> {
    if let Some(code) = Code::parse(typed) {
        return Ok(code);
    }
    let names = CODES.map(|code| &code[PREFIX.len()..]);
    let capitals = typed.to_ascii_uppercase().replace('-', "_");
    let hint = match nearest(capitals.strip_prefix(PREFIX).unwrap_or(&capitals), &names) {
        Some(near) => format!("did you mean {PREFIX}{near}?"),
        None => "`mcpproxy explain` lists them".to_owned(),
    };
    Err(Failure::usage(place, format!("unknown code {typed:?}; {hint}")))
}

fn list() -> String {
    let row =
        |code: Code| [code.as_str(), code.severity().as_str(), code.sentence()].map(str::to_owned);
    output::columns(&Code::ALL.map(row))
}

fn page(code: Code) -> String {
    let lasting = if code.is_permanent() { ", permanent" } else { "" };
    let mut out =
        format!("{code} ({}{lasting})\n{}\n\n", code.severity().as_str(), code.sentence());
    if code.is_reserved() {
        out.push_str("Reserved: no part of the program says it yet.\n\n");
    }
    for (at, step) in code.steps().iter().enumerate() {
        let _ = match *step {
            Step::Advice(text) => writeln!(out, "{}. {text}", at + 1),
            Step::Command(text) => writeln!(out, "{}. Run: {text}", at + 1),
            Step::Page(path) => writeln!(out, "{}. Read: {}", at + 1, document(path)),
            Step::Action(action) => {
                writeln!(out, "{}. The gateway can do this: {}", at + 1, action.sentence())
            }
        };
    }
    let _ = writeln!(out, "\n{}", code.page());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::{Request, parse};

    /// Programs that our advice may name: each is in the base system or belongs to what fails.
    const OTHERS: [&str; 9] =
        ["command", "curl", "df", "docker", "env", "file", "ls", "nslookup", "openssl"];

    #[test]
    fn every_command_of_a_step_exists() {
        for code in Code::ALL {
            for step in code.steps() {
                let Step::Command(line) = step else { continue };
                let mut words = line.split_whitespace().map(Into::into);
                let program: std::ffi::OsString = words.next().expect("a program");
                if program != "mcpproxy" {
                    let is_known = OTHERS.iter().any(|other| program == *other);
                    assert!(is_known, "{code}: {line}");
                    continue;
                }
                let parsed = parse(words.collect());
                let is_command = matches!(parsed, Ok(Request::Run(..) | Request::Version { .. }));
                assert!(is_command, "{code}: `{line}`: {parsed:?}");
            }
        }
    }
}

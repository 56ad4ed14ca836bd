//! `mcpproxy telemetry verify`: the anonymity gate over JSON lines.
//!
//! One rule: a verdict names a line, a layer and a place, never a value; what cannot be judged is
//! refused.

use crate::contract::MAX_PAYLOAD_BYTES;
use crate::gate::{self, PrivateWords, Refusal};
use crate::{json, machine};
use lexopt::prelude::*;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

/// Runs `mcpproxy telemetry verify` with the arguments behind `verify`. Exit code 0 when all lines are
/// clean, 1 when one is not or they cannot be read, 2 for a wrong command line.
pub fn run(args: Vec<OsString>) -> ExitCode {
    let source = match parse(args) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("mcpproxy telemetry verify: {error}; see mcpproxy telemetry verify --help");
            return ExitCode::from(2);
        }
    };
    match judge_source(&source) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            if let Some(message) = failure.message(&source) {
                eprintln!("mcpproxy telemetry verify: {message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The source of lines. Help and options are the command table's.
fn parse(args: Vec<OsString>) -> Result<OsString, lexopt::Error> {
    let mut source = None;
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Value(value) if source.is_none() => source = Some(value),
            _ => return Err(arg.unexpected()),
        }
    }
    match source {
        Some(source) if source.is_empty() => Err("the name of the file is empty".into()),
        Some(source) => Ok(source),
        None => Err("name a file of JSON lines, or - for standard input".into()),
    }
}

fn judge_source(source: &OsStr) -> Result<bool, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    // Read from the environment only when a name outside the vocabulary has to be compared.
    let private = PrivateWords::lazy(machine::private_words);
    if source == "-" {
        return judge_lines(io::stdin().lock(), &mut out, &private);
    }
    let file = File::open(source).map_err(Failure::Read)?;
    judge_lines(BufReader::new(file), &mut out, &private)
}

/// Why lines could not be judged to the end.
#[derive(Debug)]
pub enum Failure {
    /// The source cannot be opened or read.
    Read(io::Error),
    /// The verdicts cannot be written.
    Write(io::Error),
}

impl Failure {
    /// One line for the user; `None` when whoever reads the verdicts has seen enough (`| head -1`).
    fn message(&self, source: &OsStr) -> Option<String> {
        match self {
            Failure::Read(error) if source == "-" => {
                Some(format!("cannot read standard input: {error}"))
            }
            Failure::Read(error) => {
                Some(format!("cannot read {source:?}: {error}; give a file of JSON lines, or -"))
            }
            Failure::Write(error) if error.kind() == ErrorKind::BrokenPipe => None,
            Failure::Write(error) => Some(format!("cannot write the verdicts: {error}")),
        }
    }
}

/// Writes one verdict per line of `lines` to `out`; lines of white space are passed over, but counted.
/// Returns whether every line was clean. Memory is bounded whatever the length of a line.
pub fn judge_lines(
    mut lines: impl BufRead,
    out: &mut impl Write,
    private: &PrivateWords,
) -> Result<bool, Failure> {
    let mut clean = true;
    let mut line = Vec::with_capacity(KEPT);
    for number in 1u64.. {
        if !read_line(&mut lines, &mut line).map_err(Failure::Read)? {
            break;
        }
        if line.trim_ascii().is_empty() && line.len() <= MAX_PAYLOAD_BYTES {
            continue;
        }
        let verdict = gate::check(&line, None, private);
        clean &= verdict.is_ok();
        out.write_all(spell(number, &verdict).as_bytes()).map_err(Failure::Write)?;
        // Whoever pipes lines in one by one gets each answer at once.
        out.flush().map_err(Failure::Write)?;
    }
    Ok(clean)
}

fn spell(number: u64, verdict: &Result<(), Refusal>) -> String {
    match verdict {
        Ok(()) => format!("{{\"line\":{number},\"ok\":true}}\n"),
        Err(refusal) => {
            let rule = refusal.rule;
            let mut text =
                format!("{{\"line\":{number},\"ok\":false,\"rule\":\"{rule}\",\"field\":");
            json::write_str(&mut text, &refusal.field);
            text.push_str(",\"detail\":");
            json::write_str(&mut text, &refusal.detail);
            text.push_str("}\n");
            text
        }
    }
}

/// Bytes of a line that are kept: one more than a payload may have, so that the gate refuses it, and one
/// for the carriage return of a line that another system ended.
const KEPT: usize = MAX_PAYLOAD_BYTES + 2;

/// Reads the next line without its end into `line`, but at most [`KEPT`] bytes; `false` at the end.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut started = false;
    loop {
        let chunk = match lines.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        started = true;
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        let room = KEPT - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(chunk.len(), |end| end + 1);
        lines.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(started)
}

//! `mcpproxy telemetry verify`: the anonymity gate over JSON lines.
//!
//! One rule: a verdict names a line, a layer and a place, never a value; what cannot be judged is
//! refused.

use super::{Call, Failure};
use crate::contract::{self, MAX_PAYLOAD_BYTES, Payload, SCHEMA_VERSION};
use crate::gate::{self, PrivateWords, Refusal, RefusalRule};
use crate::{json, machine};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let source = call.operand();
    if source.is_empty() {
        return Err(Failure::usage("telemetry verify", "the name of the file is empty"));
    }
    match judge_source(source) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(trouble) => match trouble.message(source) {
            Some(message) => Err(Failure::failed(message)),
            None => Ok(ExitCode::FAILURE),
        },
    }
}

fn judge_source(source: &OsStr) -> Result<bool, Trouble> {
    let mut out = BufWriter::new(io::stdout().lock());
    // Read from the environment only when a name outside the vocabulary has to be compared.
    let private = PrivateWords::lazy(machine::private_words);
    if source == "-" {
        return judge_lines(io::stdin().lock(), &mut out, &private);
    }
    let file = File::open(source).map_err(Trouble::Read)?;
    judge_lines(BufReader::new(file), &mut out, &private)
}

/// Why lines could not be judged to the end.
#[derive(Debug)]
enum Trouble {
    /// The source cannot be opened or read.
    Read(io::Error),
    /// The verdicts cannot be written.
    Write(io::Error),
}

impl Trouble {
    /// One line for the user; `None` when whoever reads the verdicts has seen enough (`| head -1`).
    fn message(&self, source: &OsStr) -> Option<String> {
        match self {
            Self::Read(error) if source == "-" => {
                Some(format!("cannot read standard input: {error}"))
            }
            Self::Read(error) => {
                Some(format!("cannot read {source:?}: {error}; give a file of JSON lines, or -"))
            }
            Self::Write(error) if error.kind() == ErrorKind::BrokenPipe => None,
            Self::Write(error) => Some(format!("cannot write the verdicts: {error}")),
        }
    }
}

/// Writes one verdict per line of `lines` to `out`; lines of white space are passed over, but counted.
/// Returns whether every line was clean. Memory is bounded whatever the length of a line.
fn judge_lines(
    mut lines: impl BufRead,
    out: &mut impl Write,
    private: &PrivateWords,
) -> Result<bool, Trouble> {
    let mut clean = true;
    let mut line = Vec::with_capacity(KEPT);
    for number in 1u64.. {
        if !read_line(&mut lines, &mut line).map_err(Trouble::Read)? {
            break;
        }
        if line.trim_ascii().is_empty() && line.len() <= MAX_PAYLOAD_BYTES {
            continue;
        }
        let verdict = gate::check(&line, None, private).and_then(|()| typed(&line));
        clean &= verdict.is_ok();
        out.write_all(spell(number, &verdict).as_bytes()).map_err(Trouble::Write)?;
        // Whoever pipes lines in one by one gets each answer at once.
        out.flush().map_err(Trouble::Write)?;
    }
    Ok(clean)
}

/// Reads what the gate has passed as a receiver does: as one typed heartbeat of the version that is sent.
fn typed(line: &[u8]) -> Result<(), Refusal> {
    if contract::version_of(line).is_some_and(|version| version != SCHEMA_VERSION) {
        return Ok(());
    }
    Payload::decode(line).map(|_| ()).ok_or_else(|| Refusal {
        rule: RefusalRule::Shape,
        field: String::new(),
        detail: "cannot be read as a heartbeat".to_owned(),
    })
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

//! `mcpproxy telemetry verify`: the anonymity gate over heartbeats in files.
//!
//! One rule: a verdict names a line, a layer and a place, never a value; what cannot be judged is
//! refused.

mod documents;
mod scanner;

use super::output::Format;
use super::{Call, Failure};
use crate::contract::{self, Payload, SCHEMA_VERSION};
use crate::gate::{self, PrivateWords, Refusal, RefusalRule};
use crate::{json, machine, visible};
use documents::Documents;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::process::ExitCode;

const PLACE: &str = "telemetry verify";

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let is_in_words = match (call.value("output"), Format::of(call, PLACE)?) {
        (None, _) => io::stdout().is_terminal(),
        (Some(_), Format::Table) => true,
        (Some(_), Format::Json) => false,
        #[cfg(feature = "cli")]
        (Some(_), Format::Yaml) => {
            return Err(Failure::usage(
                PLACE,
                "verdicts are JSON lines or a table: use json or table",
            ));
        }
    };
    let files = &call.operands;
    if files.iter().any(|file| file.is_empty()) {
        return Err(Failure::usage(PLACE, "the name of the file is empty"));
    }
    let verdicts = Verdicts {
        out: BufWriter::new(io::stdout().lock()),
        // Read from the environment only when a name outside the vocabulary has to be compared.
        private: PrivateWords::lazy(machine::private_words),
        is_in_words,
        names_files: files.len() > 1,
        clean: 0,
        refused: 0,
    };
    match judge(files, verdicts) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        // Whoever reads the verdicts has seen enough (`| head -1`).
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::FAILURE),
        Err(error) => Err(Failure::failed(format!("cannot write the verdicts: {error}"))),
    }
}

/// Whether every file can be read and is clean. The error is that of writing.
fn judge(files: &[OsString], mut verdicts: Verdicts<impl Write>) -> io::Result<bool> {
    let mut are_read = true;
    for file in files {
        let unread = match file.as_os_str() {
            name if name == "-" => verdicts.read(name, io::stdin().lock())?,
            name => match File::open(name) {
                Ok(file) => verdicts.read(name, BufReader::new(file))?,
                Err(error) => Some(error),
            },
        };
        if let Some(error) = unread {
            are_read = false;
            machine::complain(&match file.as_os_str() {
                name if name == "-" => {
                    format!("mcpproxy {PLACE}: cannot read standard input: {error}")
                }
                name => format!(
                    "mcpproxy {PLACE}: cannot read {name:?}: {error}; give files of JSON, or -"
                ),
            });
        }
    }
    if are_read {
        verdicts.sum_up()?;
    }
    Ok(are_read && verdicts.refused == 0)
}

/// Judges, and writes what comes of it.
struct Verdicts<W> {
    out: W,
    private: PrivateWords,
    is_in_words: bool,
    names_files: bool,
    clean: u64,
    refused: u64,
}

impl<W: Write> Verdicts<W> {
    /// Writes one verdict for each document of `input`; the error that ended reading, if one did.
    fn read(&mut self, file: &OsStr, input: impl BufRead) -> io::Result<Option<io::Error>> {
        let file = self.names_files.then(|| file.to_string_lossy());
        let mut documents = Documents::new(input);
        loop {
            let document = match documents.next() {
                Ok(Some(document)) => document,
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(error)),
            };
            let bytes = &document.bytes;
            let verdict = gate::check(bytes, None, &self.private).and_then(|()| typed(bytes));
            let count = if verdict.is_ok() { &mut self.clean } else { &mut self.refused };
            *count += 1;
            let text = match self.is_in_words {
                true => in_words(file.as_deref(), document.line, &verdict),
                false => spell(file.as_deref(), document.line, &verdict),
            };
            self.out.write_all(visible::lines(&text).as_bytes())?;
            // Whoever pipes lines in one by one gets each answer at once.
            self.out.flush()?;
        }
    }

    /// Says in words how many there were.
    fn sum_up(&mut self) -> io::Result<()> {
        if !self.is_in_words {
            return Ok(());
        }
        let Self { clean, refused, .. } = self;
        let text = match (*clean, *refused) {
            (0, 0) => "There is no heartbeat to judge.".to_owned(),
            (1, 0) => "The heartbeat is clean: the gate would let it pass.".to_owned(),
            (clean, 0) => {
                format!("All {clean} heartbeats are clean: the gate would let them pass.")
            }
            (clean, refused) => format!("{clean} clean, {refused} refused."),
        };
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }
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

/// A verdict for people.
fn in_words(file: Option<&str>, line: u64, verdict: &Result<(), Refusal>) -> String {
    let file = file.map(|file| format!("{file}, ")).unwrap_or_default();
    match verdict {
        Ok(()) => format!("{file}line {line}: clean\n"),
        Err(Refusal { rule, field, detail }) if field.is_empty() => {
            format!("{file}line {line}: refused ({rule}): {detail}\n")
        }
        Err(Refusal { rule, field, detail }) => {
            format!("{file}line {line}: refused ({rule}) at {field}: {detail}\n")
        }
    }
}

/// A verdict as a line of JSON; of several files, each names its own.
fn spell(file: Option<&str>, line: u64, verdict: &Result<(), Refusal>) -> String {
    let mut text = String::from("{");
    if let Some(file) = file {
        text.push_str("\"file\":");
        json::write_str(&mut text, file);
        text.push(',');
    }
    text.push_str(&format!("\"line\":{line},\"ok\":{}", verdict.is_ok()));
    if let Err(refusal) = verdict {
        text.push_str(&format!(",\"rule\":\"{}\",\"field\":", refusal.rule));
        json::write_str(&mut text, &refusal.field);
        text.push_str(",\"detail\":");
        json::write_str(&mut text, &refusal.detail);
    }
    text.push_str("}\n");
    text
}

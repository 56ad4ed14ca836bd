//! `mcpproxy collector export|import|note|notes`: what goes out of a database and comes into it.
//!
//! One rule: a file that exists is not written over, and standard output is `-`.

use super::collector::{key, located};
use super::collector_clock::now;
use super::collector_erase::product;
use super::output::{Format, Report};
use super::{Call, Failure, output};
use crate::collector::definitions::Day;
use crate::collector::export::{self, ExportError};
use crate::collector::import::{self, ImportError, ImportReport};
use crate::collector::report::words::counted;
use crate::collector::row::Standing;
use crate::collector::store::{self, Location, Note, NoteError, Reader, StoreOptions};
use crate::json::Node;
use mcpproxy_platform::files;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Cursor, Read as _};
use std::path::Path;
use std::process::ExitCode;

/// Bytes of standard input that are imported: they are held in memory.
const MOST: u64 = 256 << 20;

pub(super) fn export(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector export";
    let only = product(call, place)?;
    let reader =
        Reader::open(&located(call)?).map_err(|error| Failure::failed(error.to_string()))?;
    let all = reader.products().map_err(|error| Failure::failed(error.to_string()))?;
    let all = all.into_iter().filter(|product| match &only {
        Some(only) => product.name == *only,
        // What is not shown is exported by its name only.
        None => product.standing == Standing::Added,
    });
    let products: Vec<String> = all.map(|product| product.name).collect();
    if products.is_empty() && only.is_some() {
        return Err(Failure::failed(
            "no product has this name; `mcpproxy collector product list` shows those that there are",
        ));
    }
    let file = call.operand();
    if file == "-" {
        let written = export::write(&reader, &products, &mut BufWriter::new(io::stdout().lock()));
        return match written {
            Ok(_) => Ok(ExitCode::SUCCESS),
            // The reader has seen enough.
            Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => Err(not_exported(&error)),
        };
    }
    let mut out = BufWriter::new(create(file)?);
    match export::write(&reader, &products, &mut out) {
        Ok(installs) => {
            output::print(&format!("Exported {}.\n", counted(installs, "install", "installs")))
        }
        Err(error) => {
            // Half an export would be taken for a whole one.
            let _ = fs::remove_file(file);
            Err(not_exported(&error))
        }
    }
}

fn create(file: &OsStr) -> Result<File, Failure> {
    files::create_private(Path::new(file)).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::failed("the file exists already: name a new one, or `-` for standard output")
        }
        kind => Failure::failed(format!("the file cannot be made: {kind}")),
    })
}

fn not_exported(error: &ExportError) -> Failure {
    Failure::failed(match error {
        ExportError::Store(error) => error.to_string(),
        ExportError::Write(error) => {
            format!("the export cannot be written: {}; make room, and repeat it", error.kind())
        }
    })
}

pub(super) fn import(call: &Call) -> Result<ExitCode, Failure> {
    let now = now()?;
    let Location { dir, server } = located(call)?;
    let options = StoreOptions { dir, server, key: key(call)?, ..StoreOptions::default() };
    let file = call.operand();
    let source = if file == "-" { None } else { Some(open(file)?) };
    let mut store =
        store::write_beside(&options).map_err(|error| Failure::failed(error.to_string()))?;
    let done = match source {
        Some(file) => import::run(&mut *store, file, now),
        None => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes);
            read.map_err(|error| Failure::failed(ImportError::File(error.kind()).to_string()))?;
            if bytes.len() as u64 > MOST {
                return Err(Failure::failed(
                    "standard input has more than 256 MiB: save it as a file, and import that",
                ));
            }
            import::run(&mut *store, Cursor::new(bytes), now)
        }
    };
    let report = done.map_err(|error| Failure::failed(error.to_string()))?;
    output::print(&said(&report))?;
    if report.damaged > 0 {
        return Err(Failure::failed(
            "rows of collector.db are damaged, and heartbeats of their installs were not stored: put a copy of it in \
             its place, and import again",
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn open(file: &OsStr) -> Result<File, Failure> {
    let failed = |kind| Failure::failed(format!("the file cannot be read: {kind}"));
    let file = File::open(file).map_err(|error| failed(error.kind()))?;
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    if is_file {
        Ok(file)
    } else {
        Err(Failure::failed("this is no file: name one, or `-` for standard input"))
    }
}

fn said(report: &ImportReport) -> String {
    let mut text = format!("Stored {}", counted(report.stored, "heartbeat", "heartbeats"));
    let others = [
        (report.duplicates, "were there already"),
        (report.unknown, "are of products that are not received"),
        (report.too_many, "are a fourth of their install and day, or later ones"),
        (report.unwanted, "are of installs that were erased or of versions that are retired"),
        (report.damaged, "are of installs whose rows are damaged"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("; {count} {what}"));
    }
    text.push_str(".\n");
    if report.others > 0 {
        text.push_str(&format!("{} no received heartbeats.\n", are(report.others)));
    }
    if report.before > 0 {
        text.push_str(&format!("{} imported before.\n", were(report.before)));
    }
    text
}

fn are(lines: u64) -> String {
    format!("{} {}", counted(lines, "line", "lines"), if lines == 1 { "is" } else { "are" })
}

fn were(lines: u64) -> String {
    format!("{} {}", counted(lines, "line", "lines"), if lines == 1 { "was" } else { "were" })
}

pub(super) fn note(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector note";
    let day = call.operand().to_str().and_then(Day::parse);
    let day = day.ok_or_else(|| Failure::usage(place, "DATE must be a day such as 2026-11-02"))?;
    let text = call.operands.get(1).map(OsString::as_os_str).unwrap_or_default().to_str();
    let note = Note::new(day.0, text.unwrap_or_default());
    let note = note.map_err(|error| Failure::usage(place, error.to_string()))?;
    let failed = |error: NoteError| Failure::failed(error.to_string());
    let dir = located(call)?;
    if call.has("remove") {
        return match note.remove(&dir).map_err(failed)? {
            true => output::print("Removed.\n"),
            false => Err(Failure::failed(
                "there is no such note: `mcpproxy collector notes` shows them, each with its day and text",
            )),
        };
    }
    output::print(match note.keep(&dir).map_err(failed)? {
        true => "Noted: the charts have a mark in the week of this day.\n",
        false => "It is noted already.\n",
    })
}

pub(super) fn notes(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "collector notes")?;
    let notes =
        store::notes(&located(call)?).map_err(|error| Failure::failed(error.to_string()))?;
    let node = || {
        let node = |note: &Note| {
            let day = Day(note.day).to_string();
            Node::Object(vec![("day", day.into()), ("text", note.text.as_str().into())])
        };
        Node::Object(vec![("notes", Node::List(notes.iter().map(node).collect()))])
    };
    let table = || {
        if notes.is_empty() {
            return "No notes; `mcpproxy collector note DATE TEXT` adds one.\n".to_owned();
        }
        let row = |note: &Note| [Day(note.day).to_string(), note.text.clone()];
        output::columns(&notes.iter().map(row).collect::<Vec<_>>())
    };
    Report { node, table }.print(format)
}

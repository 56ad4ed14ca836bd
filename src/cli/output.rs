//! Results: formats, and writing them as a whole.
//!
//! One rule: a result is on stdout completely or not at all, and a closed pipe is no error.

use super::{Call, Failure};
use crate::visible;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a status-like command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Table,
    Json,
    #[cfg(feature = "cli")]
    Yaml,
}

impl Format {
    /// The format that a call asks for.
    pub(super) fn of(call: &Call, place: &str) -> Result<Self, Failure> {
        let Some(value) = call.value("output") else { return Ok(Self::Table) };
        Self::from_value(value).map_err(|why| Failure::usage(place, why))
    }

    /// The format of that name; else how to fix it.
    pub(super) fn from_value(value: &OsStr) -> Result<Self, String> {
        match value.to_str() {
            Some("table") => Ok(Self::Table),
            Some("json") => Ok(Self::Json),
            #[cfg(feature = "cli")]
            Some("yaml") => Ok(Self::Yaml),
            #[cfg(not(feature = "cli"))]
            Some("yaml") => {
                Err("yaml is not in this build; it comes with the cargo feature `cli`".into())
            }
            _ => {
                let formats =
                    if cfg!(feature = "cli") { "table, json or yaml" } else { "table or json" };
                Err(format!("unknown output format {value:?}; use {formats}"))
            }
        }
    }
}

/// A result as YAML; else why not.
#[cfg(feature = "cli")]
pub(super) fn yaml(result: &impl serde::Serialize) -> Result<String, Failure> {
    serde_norway::to_string(result).map_err(|e| Failure::failed(format!("cannot write YAML: {e}")))
}

/// Writes a result to stdout as a whole; what cannot be seen of it is spelled out.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    let text = visible::lines(text);
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(Failure::failed(format!("cannot write to standard output: {}", e.kind()))),
    }
}

/// An id as it is shown on a screen that others may see: all of it is what asks to erase what was received under
/// it.
pub(super) fn shortened(id: &str) -> String {
    match id.get(..8) {
        Some(start) => format!("{start}... (--exact shows all of it)"),
        None => id.to_owned(),
    }
}

/// Rows of cells below each other, the last one as long as it is.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    // What stands in a file must not command a terminal.
    let rows: Vec<_> =
        rows.iter().map(|row| row.each_ref().map(|cell| visible::line(cell))).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let gap = if at > 0 { "  " } else { "" };
            line.push_str(&format!("{gap}{cell:0$}", widths[at]));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

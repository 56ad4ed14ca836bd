//! Results: formats, and writing them as a whole.
//!
//! One rule: a result is on stdout completely or not at all, and a closed pipe is no error.

use super::{Call, Failure};
use crate::json::Node;
use crate::visible;
#[cfg(feature = "cli")]
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
#[cfg(feature = "cli")]
use std::path::{MAIN_SEPARATOR, Path};
use std::process::ExitCode;
#[cfg(feature = "cli")]
use std::sync::OnceLock;

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
        Self::from_value(value).map_err(|error| Failure::usage(place, error.to_string()))
    }

    /// The format of that name.
    pub(super) fn from_value(value: &OsStr) -> Result<Self, FormatError> {
        match value.to_str() {
            Some("table") => Ok(Self::Table),
            Some("json") => Ok(Self::Json),
            #[cfg(feature = "cli")]
            Some("yaml") => Ok(Self::Yaml),
            #[cfg(not(feature = "cli"))]
            Some("yaml") => Err(FormatError::NotBuilt),
            _ => Err(FormatError::Unknown(value.to_owned())),
        }
    }
}

/// Why there is no format of that name.
#[derive(Debug)]
pub(super) enum FormatError {
    /// YAML, in a build without it.
    #[cfg(not(feature = "cli"))]
    NotBuilt,
    /// It is none of ours.
    Unknown(OsString),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(not(feature = "cli"))]
            Self::NotBuilt => {
                f.write_str("yaml is not in this build; it comes with the cargo feature `cli`")
            }
            Self::Unknown(value) => {
                let formats =
                    if cfg!(feature = "cli") { "table, json or yaml" } else { "table or json" };
                write!(f, "unknown output format {value:?}; use {formats}")
            }
        }
    }
}

/// A result in each form that a command shows it in; only the one that is asked for is made.
pub(super) struct Report<N, T> {
    pub(super) node: N,
    pub(super) table: T,
}

impl<N: FnOnce() -> Node, T: FnOnce() -> String> Report<N, T> {
    /// Writes it to stdout.
    pub(super) fn print(self, format: Format) -> Result<ExitCode, Failure> {
        match format {
            Format::Table => print(&(self.table)()),
            Format::Json => write(&(self.node)().to_json()),
            #[cfg(feature = "cli")]
            Format::Yaml => write(&yaml(&(self.node)())?),
        }
    }
}

/// A result as YAML; else why not. A text with characters that cannot be seen stands in double quotes, spelled so
/// that a reader of YAML finds it as it is.
#[cfg(feature = "cli")]
pub(super) fn yaml(result: &impl serde::Serialize) -> Result<String, Failure> {
    let failed =
        |error: serde_norway::Error| Failure::failed(format!("cannot write YAML: {error}"));
    let text = serde_norway::to_string(result).map_err(failed)?;
    if matches!(visible::lines(&text), Cow::Borrowed(_)) {
        return Ok(text);
    }
    let mut value = serde_norway::to_value(result).map_err(failed)?;
    let mut texts = Vec::new();
    set_aside(&mut value, &mut texts);
    let text = serde_norway::to_string(&value).map_err(failed)?;
    // They come back in the order in which they were taken out.
    let mut parts = text.split(ASIDE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (text, part) in texts.iter().zip(parts) {
        out.push_str(&quoted(text));
        out.push_str(part);
    }
    Ok(out)
}

/// Stands for a text that is written by [`quoted`].
#[cfg(feature = "cli")]
const ASIDE: &str = "mcpproxy_text_set_aside";

#[cfg(feature = "cli")]
fn set_aside(value: &mut serde_norway::Value, texts: &mut Vec<String>) {
    use serde_norway::Value;
    match value {
        Value::String(text) if text.contains(visible::is_hidden) || text.contains(ASIDE) => {
            texts.push(std::mem::replace(text, ASIDE.to_owned()));
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| set_aside(item, texts)),
        Value::Mapping(members) => {
            members.iter_mut().for_each(|(_, member)| set_aside(member, texts));
        }
        _ => {}
    }
}

/// A text in double quotes, as YAML reads it: other than JSON it knows no surrogate pairs.
#[cfg(feature = "cli")]
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if !visible::is_hidden(c) => out.push(c),
            '\0'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

// A build for containers keeps the placeholder: its reader knows what was mounted.
/// How messages name the data directory where they may reach others: a log, or the file of a bug report.
#[cfg(feature = "cli")]
const DATA_DIR: &str = "<data dir>";

#[cfg(feature = "cli")]
static SHOWN_DATA_DIR: OnceLock<String> = OnceLock::new();

/// From now on a person reads where the data directory of this call is.
#[cfg(feature = "cli")]
pub(super) fn show_data_dir(dir: &Path) {
    let home = std::env::home_dir().filter(|home| home.parent().is_some());
    let shown = match home.and_then(|home| dir.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~{MAIN_SEPARATOR}{}", rest.display()),
        None => dir.display().to_string(),
    };
    let _ = SHOWN_DATA_DIR.set(shown);
}

/// `text` for the person who typed the command.
#[cfg(feature = "cli")]
pub(super) fn for_a_person(text: &str) -> Cow<'_, str> {
    match SHOWN_DATA_DIR.get() {
        Some(shown) if text.contains(DATA_DIR) => text.replace(DATA_DIR, shown).into(),
        _ => text.into(),
    }
}

#[cfg(not(feature = "cli"))]
pub(super) fn for_a_person(text: &str) -> &str {
    text
}

/// Writes words for a person to stdout as a whole.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    write(&for_a_person(text))
}

/// Writes a result to stdout as a whole; what cannot be seen of it is spelled out.
pub(super) fn write(text: &str) -> Result<ExitCode, Failure> {
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

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use serde_norway::Value;

    #[test]
    fn yaml_spells_out_what_cannot_be_seen_and_says_the_same() {
        for text in [
            "plain",
            "a\u{202e}b",
            "\u{feff}",
            "it's \"\u{200b}\" \\ \u{1b}[2J",
            "tag\u{e0041} of U+E0041",
            "two\nlines\u{a0}",
            ASIDE,
            "- x: \u{2066}",
        ] {
            let texts = ["before", text, "after"].map(|text| Value::String(text.into()));
            let written = yaml(&Value::Sequence(texts.to_vec())).expect("YAML");
            assert_eq!(visible::lines(&written), written, "{text:?}");
            let read: Value = serde_norway::from_str(&written).expect("YAML");
            assert_eq!(read, Value::Sequence(texts.to_vec()), "{written}");
        }
    }
}

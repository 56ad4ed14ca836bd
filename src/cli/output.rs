//! Results: formats, and writing them as a whole.
//!
//! One rule: a result is on stdout completely or not at all, and a closed pipe is no error.

use super::{Call, Failure};
use crate::json::write_str;
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

/// JSON as YAML; else why not.
#[cfg(feature = "cli")]
pub(super) fn yaml(json: &str) -> Result<String, String> {
    let failed = |e: &dyn std::fmt::Display| format!("cannot write YAML: {e}");
    let value: serde_json::Value = serde_json::from_str(json).map_err(|e| failed(&e))?;
    serde_norway::to_string(&value).map_err(|e| failed(&e))
}

/// A JSON value to print. Keys are ours.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Count(u64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Node {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<&str> for Node {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Node {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Node {
    /// The value as indented JSON, with a line end.
    pub(super) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    /// The value as YAML.
    #[cfg(feature = "cli")]
    pub(super) fn to_yaml(&self) -> Result<String, Failure> {
        yaml(&self.to_json()).map_err(Failure::failed)
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Count(value) => out.push_str(&value.to_string()),
            Self::Text(text) => write_str(out, text),
            Self::List(items) => {
                Self::sequence(out, depth, ['[', ']'], items, |out, item| {
                    item.write(out, depth + 1)
                });
            }
            Self::Object(members) => {
                Self::sequence(out, depth, ['{', '}'], members, |out, (key, value)| {
                    write_str(out, key);
                    out.push_str(": ");
                    value.write(out, depth + 1);
                });
            }
        }
    }

    fn sequence<T>(
        out: &mut String,
        depth: usize,
        [open, close]: [char; 2],
        items: &[T],
        write: impl Fn(&mut String, &T),
    ) {
        let line = |out: &mut String, depth| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        };
        out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            line(out, depth + 1);
            write(out, item);
        }
        if !items.is_empty() {
            line(out, depth);
        }
        out.push(close);
    }
}

/// Writes a result to stdout as a whole.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(Failure::failed(format!("cannot write to standard output: {}", e.kind()))),
    }
}

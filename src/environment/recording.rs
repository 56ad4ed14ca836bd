//! Evidence recorded as one JSON line: how a misclassified machine is debugged from a bug report.
//!
//! One rule: strict. A recording that is not understood completely gets no verdict.

use super::{Evidence, OsKind};
use crate::json::{self, Data, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

const KEYS: &str = "env, paths, files, cgroup, mountinfo, os, tty, osrelease, terminal, ancestors";

/// Evidence recorded as one JSON line, as `detect --evidence` reads it.
///
/// What is missing was not observed; a missing or unknown `os` is an unknown one. A path is known to
/// exist when `paths` lists it or `files` has its content. A display socket is a path of the form
/// `/run/user/<digits>/wayland-*` (no `.lock`) or `/tmp/.X11-unix/X<digits>` in `paths`. `terminal` is the
/// controlling terminal of the process, `tty` its standard input; ancestors come nearest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RecordedEvidence {
    env: BTreeMap<String, String>,
    paths: Vec<String>,
    files: BTreeMap<String, String>,
    cgroup: Option<String>,
    mountinfo: Option<String>,
    os: Option<String>,
    tty: bool,
    os_release: Option<String>,
    has_terminal: bool,
    ancestors: Vec<Ancestor>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Ancestor {
    env: BTreeMap<String, String>,
    has_terminal: bool,
}

impl RecordedEvidence {
    /// Reads one line.
    pub fn from_json(line: &[u8]) -> Result<Self, RecordingError> {
        let value = json::parse(line).map_err(RecordingError::Json)?;
        let members = value.members().ok_or(RecordingError::NotAnObject)?;
        let mut recorded = Self::default();
        for member in members {
            let value = &member.value;
            match member.key.as_ref() {
                "env" => recorded.env = text_map("env", value)?,
                "paths" => recorded.paths = text_list("paths", value)?,
                "files" => recorded.files = text_map("files", value)?,
                "cgroup" => recorded.cgroup = Some(text("cgroup", value)?),
                "mountinfo" => recorded.mountinfo = Some(text("mountinfo", value)?),
                "os" => recorded.os = Some(text("os", value)?),
                "tty" => recorded.tty = flag("tty", value)?,
                "osrelease" => recorded.os_release = Some(text("osrelease", value)?),
                "terminal" => recorded.has_terminal = flag("terminal", value)?,
                "ancestors" => {
                    let Data::Array(items) = &value.data else { return Err(no_ancestors()) };
                    recorded.ancestors = items.iter().map(ancestor).collect::<Result<_, _>>()?;
                }
                unknown => return Err(RecordingError::UnknownKey(shown(unknown))),
            }
        }
        Ok(recorded)
    }
}

/// Values are what a bug reporter may not want to see repeated.
impl fmt::Debug for RecordedEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedEvidence").finish_non_exhaustive()
    }
}

/// Why a line is no recording. Holds keys, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingError {
    /// It is not strict JSON.
    Json(json::Error),
    /// It is JSON, but no object.
    NotAnObject,
    /// A key that no recording has.
    UnknownKey(String),
    /// A value of the wrong type.
    WrongType {
        /// The key, with the key inside of it after a dot.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "not valid JSON: {error}"),
            Self::NotAnObject => write!(f, "must be a JSON object with the keys {KEYS}"),
            Self::UnknownKey(key) => write!(f, "unknown key {key}; known are {KEYS}"),
            Self::WrongType { key, expected } => write!(f, "{key} must be {expected}"),
        }
    }
}

impl std::error::Error for RecordingError {}

/// A key as errors show it: cut, so that a stray megabyte stays where it is.
fn shown(key: &str) -> String {
    const LONGEST: usize = 64;
    match key.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}..", &key[..end]),
        None if key.is_empty() => "(empty)".to_owned(),
        None => key.to_owned(),
    }
}

fn wrong_type(key: &str, expected: &'static str) -> RecordingError {
    RecordingError::WrongType { key: key.to_owned(), expected }
}

fn flag(key: &str, value: &Value<'_>) -> Result<bool, RecordingError> {
    value.as_bool().ok_or_else(|| wrong_type(key, "a boolean"))
}

fn no_ancestors() -> RecordingError {
    wrong_type("ancestors", "an array of objects with the keys env, terminal")
}

fn ancestor(value: &Value<'_>) -> Result<Ancestor, RecordingError> {
    let mut recorded = Ancestor::default();
    for member in value.members().ok_or_else(no_ancestors)? {
        match member.key.as_ref() {
            "env" => recorded.env = text_map("ancestors.env", &member.value)?,
            "terminal" => recorded.has_terminal = flag("ancestors.terminal", &member.value)?,
            _ => return Err(no_ancestors()),
        }
    }
    Ok(recorded)
}

fn text(key: &str, value: &Value<'_>) -> Result<String, RecordingError> {
    value.as_str().map(str::to_owned).ok_or_else(|| wrong_type(key, "a string"))
}

fn text_list(key: &str, value: &Value<'_>) -> Result<Vec<String>, RecordingError> {
    let Data::Array(items) = &value.data else {
        return Err(wrong_type(key, "an array of strings"));
    };
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong_type(key, "an array of strings"))
}

fn text_map(key: &str, value: &Value<'_>) -> Result<BTreeMap<String, String>, RecordingError> {
    let Data::Object(members) = &value.data else {
        return Err(wrong_type(key, "an object with string values"));
    };
    members
        .iter()
        .map(|member| match member.value.as_str() {
            Some(text) => Ok((member.key.to_string(), text.to_owned())),
            None => Err(wrong_type(&format!("{key}.{}", shown(&member.key)), "a string")),
        })
        .collect()
}

impl Evidence for RecordedEvidence {
    fn variables(&self, visit: &mut dyn FnMut(&str, &str)) {
        let ancestors = self.ancestors.iter().map(|ancestor| &ancestor.env);
        for (name, value) in std::iter::once(&self.env).chain(ancestors).flatten() {
            visit(name, value);
        }
    }

    fn path_exists(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.paths.iter().any(|recorded| recorded == path)
    }

    fn file(&self, path: &str) -> Option<Cow<'_, str>> {
        self.files.get(path).map(|text| text.as_str().into())
    }

    fn cgroup(&self) -> Option<Cow<'_, str>> {
        self.cgroup.as_deref().map(Cow::Borrowed)
    }

    fn mountinfo(&self) -> Option<Cow<'_, str>> {
        self.mountinfo.as_deref().map(Cow::Borrowed)
    }

    fn display_socket(&self) -> Option<Cow<'_, str>> {
        self.paths.iter().find(|path| is_display_socket(path)).map(|path| path.as_str().into())
    }

    fn os(&self) -> OsKind {
        match self.os.as_deref() {
            Some("linux") => OsKind::Linux,
            Some("darwin") => OsKind::Darwin,
            Some("windows") => OsKind::Windows,
            _ => OsKind::Unknown,
        }
    }

    fn stdin_is_terminal(&self) -> bool {
        self.tty
    }

    fn controlling_terminal(&self) -> Option<usize> {
        let ancestors = self.ancestors.iter().map(|ancestor| ancestor.has_terminal);
        std::iter::once(self.has_terminal).chain(ancestors).position(|has_terminal| has_terminal)
    }

    fn os_release(&self) -> Option<Cow<'_, str>> {
        self.os_release.as_deref().map(Cow::Borrowed)
    }
}

fn is_display_socket(path: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = path.strip_prefix("/tmp/.X11-unix/X") {
        return is_number(number);
    }
    path.strip_prefix("/run/user/").and_then(|rest| rest.split_once('/')).is_some_and(
        |(user, name)| {
            is_number(user)
                && name.starts_with("wayland-")
                && !name.contains('/')
                && !name.ends_with(".lock")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> String {
        RecordedEvidence::from_json(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_key_as_far_as_it_is_short() {
        let known = format!("known are {KEYS}");
        assert_eq!(error(r#"{"host":1}"#), format!("unknown key host; {known}"));
        assert_eq!(error(r#"{"":1}"#), format!("unknown key (empty); {known}"));
        let long = "k".repeat(64);
        assert_eq!(error(&format!("{{\"{long}\":1}}")), format!("unknown key {long}; {known}"));
        assert_eq!(error(&format!("{{\"{long}k\":1}}")), format!("unknown key {long}..; {known}"));
        assert_eq!(error(r#"{"env":{"A":1}}"#), "env.A must be a string");
        assert_eq!(error(r#"{"tty":"x"}"#), "tty must be a boolean");
    }

    #[test]
    fn values_are_not_shown() {
        let recorded = RecordedEvidence::from_json(br#"{"env":{"A":"secret"}}"#).unwrap();
        assert_eq!(format!("{recorded:?}"), "RecordedEvidence { .. }");
    }
}

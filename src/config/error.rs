//! Why a config, or a text like it, cannot be read or changed.
//!
//! One rule: a name of ours or a place, and never a value out of the file.

use super::reader::MAX_BYTES;
use super::trust::Distrust;
use super::{Step, Which};
use crate::contract::product::NameError;
use crate::diagnostics::Code;
use crate::json;
use std::fmt;
use std::io;

/// Why a config cannot be read or changed. In words it is what is wrong with "it", the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// It or its directory is in the hands of others.
    Untrusted(Distrust, Which),
    /// It is behind a link whose target is gone.
    Dangling,
    /// A file stands where its directory should be.
    Directory,
    /// The system does not let us read it.
    Io(io::ErrorKind),
    /// It is a directory, a pipe or the like.
    NotAFile,
    /// It is longer than [`MAX_BYTES`].
    TooLarge,
    /// Nothing stands in it.
    Empty,
    /// It is no strict JSON.
    Json(json::Error),
    /// It is not UTF-8.
    Utf8,
    /// Its root is no object.
    NotAnObject,
    /// A key in it is almost this one of ours.
    NearMiss(&'static str),
    /// The member at this place must be something else: what.
    Wrong(String, &'static str),
    /// A name in `telemetry.products` is no product's.
    Product(NameError),
    /// An edit asks for a member or item that is not there.
    NotThere(String),
    /// An edit names no member.
    NoMember,
}

impl ConfigError {
    /// The member at `path` must be `what`.
    pub(super) fn wrong(path: &[Step<'_>], what: &'static str) -> Self {
        Self::Wrong(place(path), what)
    }

    /// Nothing is at `path`.
    pub(super) fn not_there(path: &[Step<'_>]) -> Self {
        Self::NotThere(place(path))
    }

    /// Its code in the catalog.
    pub fn code(&self) -> Code {
        match self {
            Self::NearMiss(_) | Self::Wrong(..) | Self::Product(_) => Code::ConfigInvalidEntry,
            _ => Code::ConfigUnreadable,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted(why, which) => return f.write_str(&why.in_words(*which)),
            Self::Dangling => "it is behind a link to something that does not exist",
            Self::Directory => "its data directory is a file, or its path leads through one",
            Self::Io(kind) => return write!(f, "it cannot be read: {kind}"),
            Self::NotAFile => "it is not a regular file",
            Self::TooLarge => return write!(f, "it is larger than {} MiB", MAX_BYTES >> 20),
            Self::Empty => "it is empty",
            Self::Json(error) => return write!(f, "it is not valid JSON: {error}"),
            Self::Utf8 => "it is not UTF-8",
            Self::NotAnObject => "it is not a JSON object",
            Self::NearMiss(key) => {
                return write!(f, "a key in it is almost `{key}`: repair its spelling");
            }
            Self::Wrong(place, what) => return write!(f, "`{place}` must be {what}"),
            Self::Product(error) => {
                return write!(
                    f,
                    "a name in `telemetry.products` is no product's ({error}): repair its spelling"
                );
            }
            Self::NotThere(place) => return write!(f, "`{place}` is not there"),
            Self::NoMember => "no member is named",
        })
    }
}

impl std::error::Error for ConfigError {}

/// A path as messages name it.
fn place(path: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                out.push_str(if out.is_empty() { "" } else { "." });
                out.push_str(key);
            }
            Step::Item(at) => {
                out.push('[');
                out.push_str(&at.to_string());
                out.push(']');
            }
        }
    }
    out
}

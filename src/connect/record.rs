//! What `connect` wrote into a client's file, kept beside it.
//!
//! One rule: an entry is ours when it says exactly what the record says, and a file is ours when the record
//! says that it was made. What no record proves is the user's.

use super::clients::{Client, Members};
use super::document;
use super::file::{self, Reason};
use crate::config::NewValue;
use crate::json;
use std::path::{Path, PathBuf};

/// The largest record that is read: it holds one entry.
const MAX_BYTES: usize = 64 << 10;
/// The version that this program writes and believes.
const VERSION: u64 = 1;

/// What `connect` did to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// There was no file, and one was made.
    pub(super) made: bool,
    /// Our entry as it was written, as a JSON object.
    entry: String,
}

impl Record {
    /// The record of an entry that is about to be written.
    pub(super) fn new(made: bool, members: Members) -> Self {
        Self { made, entry: NewValue::Object(members).to_json() }
    }

    /// The record of a file; `None` when none can be read.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let bytes = file::read(&place(path), MAX_BYTES).ok().flatten()?;
        let root = json::parse(&bytes).ok()?;
        if root.get("version")?.as_u64()? != VERSION {
            return None;
        }
        let entry = root.get("entry").filter(|entry| entry.members().is_some())?;
        let spelled = std::str::from_utf8(bytes.get(entry.span.clone())?).ok()?;
        Some(Self { made: root.get("made")?.as_bool()?, entry: spelled.to_owned() })
    }

    /// Whether the entry of our name in a text is the one that was written.
    pub(super) fn proves(&self, client: &Client, text: &[u8]) -> bool {
        document::is_entry(client, text, &self.entry)
    }

    /// The bytes of the record.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Self { made, entry } = self;
        format!("{{\"version\": {VERSION}, \"made\": {made}, \"entry\": {entry}}}\n").into_bytes()
    }
}

/// Where the record of a file is: beside its name, as the copy of the original.
pub(super) fn place(path: &Path) -> PathBuf {
    file::beside(path, ".mcpproxy-record")
}

/// Forgets what was written: it is there no longer.
pub(super) fn forget(path: &Path) -> Result<(), Reason> {
    match std::fs::remove_file(place(path)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("its .mcpproxy-record cannot be removed: {}", e.kind()))
        }
        _ => Ok(()),
    }
}

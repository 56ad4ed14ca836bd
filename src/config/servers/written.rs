//! What a change makes of the text of an entry, before anything is written.
//!
//! One rule: the change itself is made, to a copy. What is shown is what would be written.

use super::ChangeError;
use super::change::{at, find};
use crate::config::{EditError, Editing, reader};
use crate::paths::DataDir;

/// A member of an entry, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Key and value.
    pub text: String,
    /// The value alone.
    pub value: String,
}

/// The text of the config before `change` and after it. Nothing is written.
pub fn rehearse(
    dir: &DataDir,
    change: impl FnOnce(&mut Editing) -> Result<(), ChangeError>,
) -> Result<[Vec<u8>; 2], ChangeError> {
    let before = reader::load_trusted(dir).map_err(EditError::Unusable)?.unwrap_or_default();
    let mut editing = Editing::of(before.clone())?;
    change(&mut editing)?;
    Ok([before, editing.bytes().to_vec()])
}

/// The member `key` of the server of that name.
pub fn written(config: &[u8], name: &str, key: &str) -> Option<Written> {
    let root = reader::root(config).ok()?;
    let (text, _) = reader::without_bom(config);
    let entry = at(&root, &find(&root, name).ok()??)?;
    let member = entry.members()?.iter().find(|member| member.key == key)?;
    let span = &member.value.span;
    let part = |from: usize, to: usize| {
        text.get(from..to).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let before = text.get(..member.key_span.start)?;
    Some(Written {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        text: part(member.key_span.start, span.end)?,
        value: part(span.start, span.end)?,
    })
}

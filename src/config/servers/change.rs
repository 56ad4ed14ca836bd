//! Adding, removing and switching servers in the config, in whichever shape it has.
//!
//! One rule: what is in the file is found by its raw name, so that a broken entry can be repaired, too.

use super::{EntryError, SECTION, ServerEntry, entry, name_of, names, not_a_list};
use crate::config::{EditError, Editing, NewValue, Step, reader};
use crate::json::{self, Data, Value};
use std::fmt;

/// Why a change of the servers did not happen. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// There is a server of that name.
    Exists,
    /// There is another server whose name looks the same.
    LooksAlike,
    /// There is none.
    NotFound,
    /// There are many.
    Ambiguous,
    /// It has no command: it is reached over HTTP, or its entry is broken.
    NoCommand,
    /// What is to be its command cannot be one.
    Unusable,
    /// The config could not be edited.
    Edit(EditError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("there is a server of that name"),
            Self::LooksAlike => f.write_str(
                "there is a server whose name differs from that one only in case or in how a letter is written; choose another name",
            ),
            Self::NotFound => f.write_str("there is no server of that name"),
            Self::Ambiguous => f.write_str(
                "more than one entry has that name; give each a `name` of its own in the file",
            ),
            Self::NoCommand => f.write_str("the server's entry has no `command`"),
            Self::Unusable => f.write_str("the command is empty, or holds what no command can hold"),
            Self::Edit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

impl From<EditError> for ChangeError {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

/// The entry that `members` would be; else what is wrong with it.
pub fn check(name: &str, members: &[(String, NewValue)]) -> Result<ServerEntry, EntryError> {
    if let Some(error) = names::error(name) {
        return Err(EntryError::Name(error));
    }
    let text = NewValue::Object(members.to_vec()).to_json();
    let value = json::parse(text.as_bytes()).map_err(EntryError::Json)?;
    let read = entry::read(name.to_owned(), &value, text.as_bytes());
    match read.trouble() {
        Some(error) => Err(error),
        None => Ok(read),
    }
}

/// Adds a server at the end; with `replace`, in the place of one of that name. Says whether one was
/// replaced.
pub fn add(
    editing: &mut Editing,
    name: &str,
    members: Vec<(String, NewValue)>,
    replace: bool,
) -> Result<bool, ChangeError> {
    let (is_array, looks_alike, place) = {
        let root = root(editing)?;
        let section = root.get(SECTION);
        let is_array = section.is_some_and(|s| s.items().is_some());
        let folded = names::folded(name);
        let is_alike = |other: &str| other != name && names::folded(other) == folded;
        let looks_alike = section.is_some_and(|section| match &section.data {
            Data::Object(members) => members.iter().any(|member| is_alike(&member.key)),
            Data::Array(items) => items.iter().filter_map(name_of).any(is_alike),
            _ => false,
        });
        (is_array, looks_alike, find(&root, name)?)
    };
    let own_name = is_array.then(|| ("name".to_owned(), NewValue::text(name)));
    let value = NewValue::Object(own_name.into_iter().chain(members).collect());
    let found = place.is_some();
    match place {
        Some(_) if !replace => return Err(ChangeError::Exists),
        _ if looks_alike => return Err(ChangeError::LooksAlike),
        Some(path) => editing.set_at(&path, &value)?,
        None if is_array => editing.push(&[Step::Key(SECTION)], &value)?,
        None => editing.set_at(&[Step::Key(SECTION), Step::Key(name)], &value)?,
    }
    Ok(found)
}

/// Removes a server.
pub fn remove(editing: &mut Editing, name: &str) -> Result<(), ChangeError> {
    let path = find(&root(editing)?, name)?.ok_or(ChangeError::NotFound)?;
    Ok(editing.remove(&path)?)
}

/// Sets `enabled` of a server. A `disabled` that is there is made to say the same.
pub fn set_enabled(editing: &mut Editing, name: &str, enabled: bool) -> Result<(), ChangeError> {
    let (path, has_disabled) = {
        let root = root(editing)?;
        let path = find(&root, name)?.ok_or(ChangeError::NotFound)?;
        let has_disabled = at(&root, &path).is_some_and(|entry| entry.get("disabled").is_some());
        (path, has_disabled)
    };
    editing.set_at(&[path[0], path[1], Step::Key("enabled")], &NewValue::bool(enabled))?;
    if has_disabled {
        editing.set_at(&[path[0], path[1], Step::Key("disabled")], &NewValue::bool(!enabled))?;
    }
    Ok(())
}

/// Writes `command` of a server that has one; every other byte stays.
pub fn set_command(editing: &mut Editing, name: &str, command: &str) -> Result<(), ChangeError> {
    if command.trim().is_empty() || command.contains('\0') {
        return Err(ChangeError::Unusable);
    }
    let path = {
        let root = root(editing)?;
        let path = find(&root, name)?.ok_or(ChangeError::NotFound)?;
        let entry = at(&root, &path);
        let has_one = entry.and_then(|entry| entry.get("command")?.as_str()).is_some();
        if has_one { path } else { return Err(ChangeError::NoCommand) }
    };
    Ok(editing.set_at(&[path[0], path[1], Step::Key("command")], &NewValue::text(command))?)
}

/// What is at the place of a server.
pub(super) fn at<'v, 't>(root: &'v Value<'t>, place: &[Step<'_>; 2]) -> Option<&'v Value<'t>> {
    let section = root.get(SECTION)?;
    match place[1] {
        Step::Key(key) => section.get(key),
        Step::Item(at) => section.items()?.get(at),
    }
}

fn root(editing: &Editing) -> Result<Value<'_>, ChangeError> {
    reader::root(editing.bytes()).map_err(|error| EditError::Unusable(error).into())
}

/// Where the server of that name is.
pub(super) fn find<'n>(
    root: &Value<'_>,
    name: &'n str,
) -> Result<Option<[Step<'n>; 2]>, ChangeError> {
    let Some(section) = root.get(SECTION) else { return Ok(None) };
    match &section.data {
        Data::Object(_) => Ok(section.get(name).map(|_| [Step::Key(SECTION), Step::Key(name)])),
        Data::Array(items) => {
            let mut places = (0..items.len()).filter(|at| name_of(&items[*at]) == Some(name));
            match (places.next(), places.next()) {
                (_, Some(_)) => Err(ChangeError::Ambiguous),
                (at, None) => Ok(at.map(|at| [Step::Key(SECTION), Step::Item(at)])),
            }
        }
        _ => Err(EditError::Unusable(not_a_list()).into()),
    }
}

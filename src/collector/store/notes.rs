//! Notes: what the operator has to say about a day, shown as a mark on charts.
//!
//! One rule: they are few, short, and one line each.

use super::engine::{Database, Engine};
use super::error::StoreError;
use super::place::Location;
use super::sql;
use rusqlite::params;
use std::fmt;

/// Characters of a note.
pub const LONGEST: usize = 120;
/// Notes that are kept.
pub const MOST: u64 = 500;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The UTC day that it is about, counted from 1970-01-01.
    pub day: u32,
    /// What it says.
    pub text: String,
}

/// Why a note is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// It is empty, too long, or has a control character.
    Text,
    /// There are as many as can be kept.
    Full,
    /// The database cannot be used.
    Store(StoreError),
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => write!(f, "a note is one line of 1 to {LONGEST} characters"),
            Self::Full => write!(f, "there are {MOST} notes already: remove one with --remove"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NoteError {}

impl<E: Into<StoreError>> From<E> for NoteError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl Note {
    /// A note that can be kept.
    pub fn new(day: u32, text: &str) -> Result<Self, NoteError> {
        let text = text.trim();
        let is_short = (1..=LONGEST).contains(&text.chars().count());
        let is_line = !text.chars().any(is_unseen);
        (is_short && is_line).then(|| Self { day, text: text.to_owned() }).ok_or(NoteError::Text)
    }

    /// Keeps it; whether that changes anything.
    pub fn keep(&self, place: impl Into<Location>) -> Result<bool, NoteError> {
        Database::open(&place.into())?.change(|change| {
            let is_new = change.execute(sql::NOTE_INSERT, params![self.day, self.text])? > 0;
            let kept = change.one::<u64>(sql::NOTES_COUNT, &[])?.unwrap_or(0);
            // A change that is not committed is undone.
            if is_new && kept > MOST { Err(NoteError::Full) } else { Ok(is_new) }
        })
    }

    /// Removes it; whether it was there.
    pub fn remove(&self, place: impl Into<Location>) -> Result<bool, NoteError> {
        Database::open(&place.into())?.change(|change| {
            Ok(change.execute(sql::NOTE_DELETE, params![self.day, self.text])? > 0)
        })
    }
}

/// Control characters, line ends, and those that turn the direction of what follows.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Every note, by day.
pub fn notes(place: impl Into<Location>) -> Result<Vec<Note>, StoreError> {
    read(Database::open_to_read(&place.into())?.engine())
}

pub(super) fn read(engine: &dyn Engine) -> Result<Vec<Note>, StoreError> {
    engine.all(sql::NOTES, &[], |row| Ok(Note { day: row.get(0)?, text: row.get(1)? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::store::database;

    #[test]
    fn a_note_is_one_short_line() {
        assert_eq!(Note::new(1, " On HN ").map(|note| note.text), Ok("On HN".to_owned()));
        for bad in ["", "  ", "a\nb", "a\u{7}b", "a\u{202e}b", "a\u{2028}b", &"x".repeat(121)] {
            assert_eq!(Note::new(1, bad), Err(NoteError::Text), "{bad:?}");
        }
        assert!(Note::new(1, &"\u{e9}".repeat(LONGEST)).is_ok());
    }

    #[test]
    fn a_note_that_is_kept_is_no_news_when_the_list_is_full() {
        let place = tempfile::tempdir().expect("a directory");
        drop(database::open_or_begin(place.path()).expect("a database"));
        let note = |number: u64| Note::new(1, &format!("note {number}")).expect("a note");
        for number in 0..MOST {
            assert_eq!(note(number).keep(place.path()), Ok(true));
        }
        assert_eq!(note(7).keep(place.path()), Ok(false));
        assert_eq!(note(MOST).keep(place.path()), Err(NoteError::Full));
        assert_eq!(notes(place.path()).map(|all| all.len() as u64), Ok(MOST));
    }
}

//! `telemetry enable` and `disable`: what they write, and where.
//!
//! One rule: off is written wherever it can be, and what could not be written is told.

use super::configs;
use crate::config::{self, ConfigState, EDIT_DEADLINE, EditError, Editing, Step, Which};
use crate::paths::DataDir;

/// What is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch<'a> {
    /// Every product.
    All,
    /// One.
    Product(&'a str),
}

/// What became of switching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switched {
    /// These say it now.
    pub written: Vec<Which>,
    /// These could not be edited, and are as they were.
    pub failed: Vec<(Which, EditError)>,
}

/// Switches in the config of `dir` and in the user's own.
pub fn switch(dir: &DataDir, what: Switch<'_>, enabled: bool) -> Switched {
    let mut switched = Switched::default();
    for (which, place) in places(dir) {
        if !is_needed(which, &place, what, enabled) {
            continue;
        }
        let edited = config::edit(&place, EDIT_DEADLINE, |editing| write(editing, what, enabled));
        match edited {
            Ok(()) => switched.written.push(which),
            Err(error) => switched.failed.push((which, error)),
        }
    }
    switched
}

/// The user's own first: it speaks for every data directory.
fn places(dir: &DataDir) -> impl Iterator<Item = (Which, DataDir)> {
    let users = configs::users(dir).map(|users| (Which::Users, users));
    users.into_iter().chain(std::iter::once((Which::Given, dir.clone())))
}

/// A config that is not there objects to nothing, so none is made to take an objection back. The given one
/// keeps the preference all the same.
fn is_needed(which: Which, place: &DataDir, what: Switch<'_>, enabled: bool) -> bool {
    let is_missing = || match which {
        Which::Users => config::read_users(place) == ConfigState::Missing,
        Which::Given => config::read(place) == ConfigState::Missing,
    };
    let keeps = which == Which::Given && what == Switch::All;
    !enabled || keeps || !is_missing()
}

fn write(editing: &mut Editing, what: Switch<'_>, enabled: bool) -> Result<(), EditError> {
    match what {
        Switch::Product(name) => editing.switch_product(name, enabled),
        Switch::All => {
            editing.set_bool("enabled", enabled)?;
            // The near name would still object.
            match enabled && editing.telemetry().disabled == Some(true) {
                true => editing.remove(&[Step::Key("telemetry"), Step::Key("disabled")]),
                false => Ok(()),
            }
        }
    }
}

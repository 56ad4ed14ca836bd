//! The audit of what could name somebody: every string of the database through the leak scanner.
//!
//! One rule: the scanner of the gate, which let each of them in; what it refuses now must not stay.

use super::{Check, Known};
use crate::gate::{self, PrivateWords};

pub(super) fn check(known: &Known) -> Check {
    let mut check = Check::new("words");
    let private = PrivateWords::default();
    for (table, word) in &known.words {
        check.looked_at += 1;
        // A cell is a group, a name, and what a heartbeat said.
        let said = match *table {
            "frozen" => word.rsplit_once('|').map_or(word.as_str(), |(_, name)| {
                name.split_once('.').map_or(name, |(_, said)| said)
            }),
            _ => word.as_str(),
        };
        // A code stands behind the version that met it.
        let mut parts = said.split(|c| c == ' ' && *table == "frozen");
        if let Some(kind) = parts.find_map(|part| gate::scan(part, &private)) {
            check.find(format!("the table {table} holds a word that {kind}"));
        }
    }
    check
}

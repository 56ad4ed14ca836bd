//! The gate of a collector, which reads what later versions of the client wrote.
//!
//! One rule: what this program does not know passes, is counted, and is nowhere kept. What it knows is judged as
//! on a client, required members included: a later version adds to the contract and takes nothing away.

use super::shape::{self, Passing};
use super::{MAX_DEPTH, PrivateWords, Refusal, not_json, scan, too_large};
use crate::contract::{MAX_PAYLOAD_BYTES, SCHEMA_VERSION};
use crate::json;
use std::cell::Cell;

/// How much of a heartbeat this program does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    /// It is of a later version than any that this program knows.
    pub is_later: bool,
    /// Members, of later versions only: the known ones are closed.
    pub members: u32,
    /// Texts that are not one of an enum's: they count as absent.
    pub values: u32,
    /// Codes that are not in the catalog: they count as others.
    pub codes: u32,
}

/// Checks what somebody else sent: as [`super::check`] without `own` and private words, but open for
/// [`Unknown`].
pub fn check_received(bytes: &[u8]) -> Result<Unknown, Refusal> {
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(too_large());
    }
    let value = json::parse_with_depth(bytes, MAX_DEPTH).map_err(not_json)?;
    let (passed, nothing) = (Cell::new(Unknown::default()), PrivateWords::default());
    shape::check_passing(&value, &|text| scan(text, &nothing), &Counting(&passed))?;
    Ok(passed.get())
}

struct Counting<'a>(&'a Cell<Unknown>);

impl Counting<'_> {
    fn note(&self, change: impl FnOnce(&mut Unknown)) -> bool {
        let mut unknown = self.0.get();
        change(&mut unknown);
        self.0.set(unknown);
        true
    }
}

impl Passing for Counting<'_> {
    fn version(&self, version: u64) -> bool {
        version > SCHEMA_VERSION && self.note(|unknown| unknown.is_later = true)
    }

    fn member(&self) -> bool {
        self.0.get().is_later && self.note(|unknown| unknown.members += 1)
    }

    fn value(&self) -> bool {
        self.note(|unknown| unknown.values += 1)
    }

    fn code(&self) -> bool {
        self.note(|unknown| unknown.codes += 1)
    }
}

//! What is committed at once, and what becomes of each heartbeat of it.
//!
//! One rule: plain data. How it is written is the store's.

use super::erase::Erasure;
use crate::collector::answer::names;
use crate::collector::floods::Origin;
use crate::collector::heartbeat::{Heartbeat, day};
use std::collections::BTreeMap;

/// A heartbeat that the gate has let through, and when it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// What it says.
    pub heartbeat: &'a Heartbeat,
    /// When it arrived: seconds since 1970.
    pub received: u64,
    /// The network that it came from; `None` where that is not known, or does not matter.
    pub origin: Option<Origin>,
}

impl<'a> Incoming<'a> {
    /// A heartbeat that arrived at `received`, of no known origin.
    pub fn new(heartbeat: &'a Heartbeat, received: u64) -> Self {
        Self { heartbeat, received, origin: None }
    }
}

/// What happened to a heartbeat of a batch that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk.
    Stored,
    /// It was on disk before.
    Duplicate,
    /// Its install has had its share of this day.
    TooMany,
    /// Its product is not received here.
    UnknownProduct,
    /// Its install was erased: nothing of it is stored.
    Erased,
    /// Its version of its product is to stop.
    Retired,
    /// The row of its install does not read.
    Damaged,
}

impl Outcome {
    /// The name under which it is counted.
    pub(super) fn counted(self) -> &'static str {
        match self {
            Self::Stored => names::STORED,
            Self::Duplicate => names::DUPLICATE,
            Self::TooMany => names::TOO_MANY,
            Self::UnknownProduct => names::PRODUCT,
            Self::Erased => names::ERASED,
            Self::Retired => names::RETIRED,
            Self::Damaged => "damaged",
        }
    }
}

/// How often something was answered, by UTC day of receipt.
pub type Counts = BTreeMap<(u32, &'static str), u64>;

/// How far a file of heartbeats is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The SHA-256 of the file.
    pub file: [u8; 32],
    /// Lines of it that are applied.
    pub lines: u64,
}

/// What is committed at once: erasures, then heartbeats. Of an install that is erased, nothing is stored.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// Installs to erase.
    pub erasures: &'a [Erasure],
    /// Heartbeats to store.
    pub batch: &'a [Incoming<'a>],
    /// How far the file is imported that the batch is of.
    pub imported: Option<Imported>,
}

/// Adds one to a count.
pub fn count(counts: &mut Counts, received: u64, name: &'static str) {
    *counts.entry((day(received), name)).or_default() += 1;
}

//! `telemetry.checkpoint`: what brings the store back after damage or a power failure.
//!
//! One rule: it is written after what it holds is on disk, and never replaces a newer one.
//!
//! It has a version of its own (see the head of `codec`), its records have theirs. It is written as a whole:
//! what a later program added to the file told about that one checkpoint, and ends with it.

use super::parts;
use crate::activation::codec::{Damaged, Reader, Writer, is_later};
use crate::paths::Place;
use mcpproxy_platform::files::Replacement;
use mcpproxy_platform::lmdb::Records;
use std::fs::File;
use std::io::{self, Read as _};

/// Its name under the checksum.
const NAME: &[u8] = b"checkpoint";
const LAYOUT: u8 = 1;
/// Much more than any state needs. The first programs read no more than that.
const MAX_BYTES: u64 = 256 * 1024;

/// One checkpoint.
pub struct Checkpoint {
    /// The store it was taken from.
    pub generation: u64,
    /// The transaction it holds.
    pub transaction: u64,
    /// The records of that transaction, without those of live processes.
    pub records: Records,
}

impl Checkpoint {
    /// The checkpoint in `dir`, if there is one and it is good.
    pub fn read(dir: &Place) -> Option<Self> {
        let checkpoint = Self::decode(&bytes_of(dir)?).ok()?;
        parts::assemble(parts::borrowed(&checkpoint.records))?;
        Some(checkpoint)
    }

    /// Whether the checkpoint in `dir` is whole, but of a later version than this program knows.
    pub fn is_newer(dir: &Place) -> bool {
        let Some(bytes) = bytes_of(dir) else { return false };
        match Self::decode(&bytes) {
            Ok(checkpoint) => parts::are_newer(parts::borrowed(&checkpoint.records)),
            Err(Damaged) => is_later(NAME, &bytes),
        }
    }

    /// Puts this checkpoint beside the one in `dir`, on disk but not yet in its place.
    pub fn prepare(&self, dir: &Place) -> io::Result<Replacement> {
        Replacement::prepare(&dir.checkpoint(), &self.encode(), 0o600)
    }

    /// Whether `other` is of the same store and newer.
    pub fn is_older_than(&self, other: &Checkpoint) -> bool {
        self.generation == other.generation && self.transaction < other.transaction
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Writer::start(LAYOUT);
        body.numbers([self.generation, self.transaction, self.records.len() as u64]);
        for (key, value) in &self.records {
            body.bytes(key);
            body.bytes(value);
        }
        body.seal(NAME).to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut body = Reader::open(NAME, bytes, LAYOUT)?;
        let [generation, transaction, count] = body.numbers()?;
        let mut records = Records::new();
        for _ in 0..count {
            records.push((body.bytes()?.to_vec(), body.bytes()?.to_vec()));
        }
        body.end()?;
        Ok(Self { generation, transaction, records })
    }
}

/// The bytes of the checkpoint file, if there is one that can be read.
fn bytes_of(dir: &Place) -> Option<Vec<u8>> {
    let path = dir.checkpoint();
    // A pipe would block.
    if !std::fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(&path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

//! Importing: a file of heartbeats with the times of their receipt, as JSON lines.
//!
//! One rule: everything is looked at before anything is stored, and a line is stored once, by the digest of its file
//! and its number: an import that was killed goes on when it is repeated.

use super::answer::Refused;
use super::heartbeat::Heartbeat;
use super::mcpproxy_go::Said;
use super::receive;
use super::store::{Change, Counts, Imported, Incoming, Outcome, StoreError, Writer};
use crate::json::{self, Data, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Bytes of the longest line.
const LONGEST: u64 = 64 << 10;
/// Heartbeats of one commit.
const BATCH: usize = 512;

/// What a line is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// JSON of one object, of at most 64 KiB.
    Syntax,
    /// It has no `received`, or none that is a whole number of seconds since 1970.
    Received,
    /// It was received after now.
    Future,
    /// It was received before the line before it.
    Order,
    /// It has no `body`.
    Body,
    /// The body is no heartbeat.
    Heartbeat(Refused),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("is not one JSON object of at most 64 KiB"),
            Self::Received => f.write_str("has no `received` in whole seconds since 1970"),
            Self::Future => f.write_str("was received in the future"),
            Self::Order => {
                f.write_str("was received before the line before it: sort by `received`")
            }
            Self::Body => f.write_str("has no `body`"),
            Self::Heartbeat(Refused { rule, field }) if field.is_empty() => {
                write!(f, "has no heartbeat as its `body` (rule {rule})")
            }
            Self::Heartbeat(Refused { rule, field }) => {
                write!(f, "has no heartbeat as its `body` (rule {rule}, at {field})")
            }
        }
    }
}

/// Why a file is not imported.
#[derive(Debug)]
pub enum ImportError {
    /// The file cannot be read.
    File(io::ErrorKind),
    /// Lines that are wrong, the first of them by number: nothing was stored.
    Lines {
        /// Counted from 1.
        first: u64,
        /// What is wrong with it.
        why: LineError,
        /// How many more are wrong.
        more: u64,
    },
    /// The file is another one than a moment ago.
    Changed,
    /// The database cannot be used; what was stored stays, and is not stored again.
    Store(StoreError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(kind) => write!(f, "the file cannot be read: {kind}"),
            Self::Lines { first, why, more } => {
                write!(f, "line {first} {why}")?;
                match more {
                    0 => {}
                    1 => f.write_str("; 1 more line is wrong")?,
                    more => write!(f, "; {more} more lines are wrong")?,
                }
                f.write_str(
                    "; nothing was imported: correct or remove them, and repeat the command",
                )
            }
            Self::Changed => f.write_str(
                "the file was changed while it was imported: import it again when it is complete",
            ),
            Self::Store(error) => {
                write!(f, "{error}; what is imported already stays: repeat the command then")
            }
        }
    }
}

impl std::error::Error for ImportError {}

impl From<io::Error> for ImportError {
    fn from(error: io::Error) -> Self {
        Self::File(error.kind())
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What became of the lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Lines that an earlier import of the same file has applied.
    pub before: u64,
    /// Lines that are no received heartbeats: other events of a log, heartbeats that were lost on their way.
    pub others: u64,
    /// Heartbeats that were stored.
    pub stored: u64,
    /// Heartbeats that were there already.
    pub duplicates: u64,
    /// Heartbeats of products that are not received here.
    pub unknown: u64,
    /// The fourth of an install and day, and later ones.
    pub too_many: u64,
    /// Heartbeats of installs that were erased, and of versions that are retired.
    pub unwanted: u64,
    /// Heartbeats of installs whose rows are damaged.
    pub damaged: u64,
}

impl ImportReport {
    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Stored => &mut self.stored,
            Outcome::Duplicate => &mut self.duplicates,
            Outcome::UnknownProduct => &mut self.unknown,
            Outcome::TooMany => &mut self.too_many,
            Outcome::Erased | Outcome::Retired => &mut self.unwanted,
            Outcome::Damaged => &mut self.damaged,
        } += 1;
    }
}

/// Imports `file` into a database that it fits; `now` is the time of this machine.
pub fn run(
    store: &mut dyn Writer,
    mut file: impl Read + Seek,
    now: u64,
) -> Result<ImportReport, ImportError> {
    let digest = look(&mut file, now)?;
    let before = store.imported(&digest)?;
    file.seek(SeekFrom::Start(0))?;
    let mut report = ImportReport { before, ..ImportReport::default() };
    let mut lines = Lines::new(file);
    let mut batch: Vec<(Heartbeat, u64)> = Vec::with_capacity(BATCH);
    let mut applied = before;
    while let Some(line) = lines.next_line()? {
        if lines.number > before {
            match received(&line, now) {
                Ok(Some(one)) => batch.push(one),
                Ok(None) => report.others += 1,
                Err(_) => return Err(ImportError::Changed),
            }
        }
        if batch.len() == BATCH {
            commit(store, &mut batch, Imported { file: digest, lines: lines.number }, &mut report)?;
            applied = lines.number;
        }
    }
    if lines.number != applied || !batch.is_empty() {
        commit(store, &mut batch, Imported { file: digest, lines: lines.number }, &mut report)?;
    }
    if lines.digest() != digest {
        return Err(ImportError::Changed);
    }
    Ok(report)
}

fn commit(
    store: &mut dyn Writer,
    batch: &mut Vec<(Heartbeat, u64)>,
    imported: Imported,
    report: &mut ImportReport,
) -> Result<(), StoreError> {
    let incoming: Vec<_> =
        batch.iter().map(|(heartbeat, received)| Incoming::new(heartbeat, *received)).collect();
    let change = Change { erasures: &[], batch: &incoming, imported: Some(imported) };
    for outcome in store.commit(&change, &Counts::new())? {
        report.add(outcome);
    }
    batch.clear();
    Ok(())
}

/// Looks at every line; the digest of the file.
fn look(file: impl Read, now: u64) -> Result<[u8; 32], ImportError> {
    let mut lines = Lines::new(file);
    let (mut wrong, mut last) = (BTreeMap::new(), 0);
    let mut count = 0_u64;
    while let Some(line) = lines.next_line()? {
        let judged = received(&line, now).and_then(|one| match one {
            Some((_, received)) if received < last => Err(LineError::Order),
            Some((_, received)) => {
                last = received;
                Ok(())
            }
            None => Ok(()),
        });
        if let Err(why) = judged {
            count += 1;
            if wrong.is_empty() {
                wrong.insert(lines.number, why);
            }
        }
    }
    match wrong.pop_first() {
        Some((first, why)) => Err(ImportError::Lines { first, why, more: count - 1 }),
        None => Ok(lines.digest()),
    }
}

/// The heartbeat of a line, and when it was received; `None` for other events of a log.
fn received(line: &[u8], now: u64) -> Result<Option<(Heartbeat, u64)>, LineError> {
    if line.len() as u64 > LONGEST {
        return Err(LineError::Syntax);
    }
    let value = json::parse(line).map_err(|_| LineError::Syntax)?;
    if value.members().is_none() {
        return Err(LineError::Syntax);
    }
    if value.get("event").is_some_and(|event| event.as_str() != Some("sent")) {
        return Ok(None);
    }
    let received = match value.get("received") {
        Some(Value { data: Data::Null, .. }) => return Ok(None),
        given => given.and_then(Value::as_u64).ok_or(LineError::Received)?,
    };
    if received > now {
        return Err(LineError::Future);
    }
    let body = value.get("body").ok_or(LineError::Body)?;
    let bytes = line.get(body.span.clone()).ok_or(LineError::Body)?;
    // Those of mcpproxy-go too: a file is the operator's own, and their product is refused until it is added.
    match receive::read(bytes, true).map_err(LineError::Heartbeat)? {
        Said::Heartbeat(heartbeat) => Ok(Some((*heartbeat, received))),
        Said::OptedOut => Ok(None),
    }
}

/// The lines of a file, with their numbers and a digest of them all.
struct Lines<R> {
    from: BufReader<R>,
    /// The number of the line that was read last; the first is 1.
    number: u64,
    sum: hmac_sha256::Hash,
}

impl<R: Read> Lines<R> {
    fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(256 << 10, from),
            number: 0,
            sum: hmac_sha256::Hash::new(),
        }
    }

    /// The next line without its end. Of one that is too long, so much that this is seen.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if (&mut self.from).take(LONGEST + 2).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.sum.update(&line);
        self.number += 1;
        let mut is_whole = line.last() == Some(&b'\n');
        let mut rest = Vec::new();
        while !is_whole && line.len() as u64 > LONGEST {
            rest.clear();
            let more = (&mut self.from).take(LONGEST).read_until(b'\n', &mut rest)?;
            self.sum.update(&rest);
            is_whole = more == 0 || rest.last() == Some(&b'\n');
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(line))
    }

    fn digest(self) -> [u8; 32] {
        self.sum.finalize()
    }
}

#[cfg(test)]
mod tests;

//! The write-ahead log of a database that was not closed, looked at before SQLite reads it.
//!
//! One rule: SQLite leaves out all that follows a page which is not as it was written, and says nothing. Commits
//! are synced one after the other, so after a crash at most the last one is broken: two that follow a broken page
//! were acknowledged.

use super::error::StoreError;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes of the head of the log.
const HEAD: usize = 32;
/// Bytes before each page.
const FRAME: usize = 24;

/// Checks the log at `path`, if there is one.
pub fn check(path: &Path) -> Result<(), StoreError> {
    match read(path) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StoreError::LogDamaged),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::Directory(error.kind())),
    }
}

/// Whether SQLite will see all of it that was ever acknowledged, as far as the log can tell.
fn read(path: &Path) -> io::Result<bool> {
    let mut log = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut head = [0; HEAD];
    // A log whose head is not there yet holds nothing.
    if fill(&mut log, &mut head)? < HEAD {
        return Ok(true);
    }
    let is_big = match word(&head, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return Ok(false),
    };
    let mut sums = Sums { is_big, one: 0, two: 0 };
    sums.add(&head[..24]);
    let page = match word(&head, 8) {
        1 => 65_536,
        page => page as usize,
    };
    if !sums.are(&head[24..]) || !(512..=65_536).contains(&page) || !page.is_power_of_two() {
        return Ok(false);
    }
    let salts = &head[16..24];
    let mut frame = vec![0; FRAME + page];
    let (mut is_broken, mut commits) = (false, 0);
    while fill(&mut log, &mut frame)? == frame.len() {
        let is_of_this_log = frame[8..16] == *salts;
        if !is_broken {
            sums.add(&frame[..8]);
            sums.add(&frame[FRAME..]);
            is_broken = !is_of_this_log || !sums.are(&frame[16..24]);
        }
        if is_broken && is_of_this_log && word(&frame, 4) != 0 {
            commits += 1;
        }
    }
    Ok(commits < 2)
}

/// Reads until `bytes` are full or the file has ended; how many were read.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut full = 0;
    while full < bytes.len() {
        match log.read(&mut bytes[full..])? {
            0 => break,
            more => full += more,
        }
    }
    Ok(full)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(word)
}

/// The running sums of the log: the order of bytes is that of the machine that made it.
struct Sums {
    is_big: bool,
    one: u32,
    two: u32,
}

impl Sums {
    fn add(&mut self, bytes: &[u8]) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for pair in pairs {
            let (one, two) = (word(pair, 0), word(pair, 4));
            let (one, two) =
                if self.is_big { (one, two) } else { (one.swap_bytes(), two.swap_bytes()) };
            self.one = self.one.wrapping_add(one).wrapping_add(self.two);
            self.two = self.two.wrapping_add(two).wrapping_add(self.one);
        }
    }

    fn are(&self, bytes: &[u8]) -> bool {
        word(bytes, 0) == self.one && word(bytes, 4) == self.two
    }
}

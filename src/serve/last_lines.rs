//! The last lines that a server wrote on standard error.
//!
//! One rule: they stay in memory, and there are never many of them: 50, and 8 KiB, the newest kept whole. They live as
//! long as the server's entry stays as it is, over all its processes, and only what is scrubbed leaves this file.

use super::scrub::Scrubber;
use crate::machine;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// So many are kept.
pub const MOST_LINES: usize = 50;
/// So many bytes of them.
pub const MOST_BYTES: usize = 8 << 10;

/// One line of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How many the server had written before it.
    pub number: u64,
    /// In which of the server's runs it was written: 1 for the first process, 2 for the next.
    pub run: u64,
    /// When it was read; seconds since 1970.
    pub at: u64,
    /// What it says, scrubbed.
    pub text: String,
}

/// The last lines of one server.
#[derive(Default)]
pub struct LastLines {
    scrubber: Scrubber,
    kept: Mutex<Kept>,
}

/// As they were written: a flood is not worth the time to scrub it.
#[derive(Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    written: u64,
    run: u64,
}

impl LastLines {
    /// None yet; of a server whose secrets `scrubber` knows.
    pub fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, kept: Mutex::default() }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Kept) -> R) -> R {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A line of the server as it may be shown.
    pub fn scrubbed(&self, line: &str) -> String {
        self.scrubber.scrub(line)
    }

    /// A process is started: lines from now on are its own.
    pub fn begin_run(&self) {
        self.with(|kept| kept.run += 1);
    }

    /// Takes over a line. Of one that is longer than all that is kept, the end.
    pub fn push(&self, text: &str) {
        let mut start = text.len().saturating_sub(MOST_BYTES);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let (text, at) = (text[start..].to_owned(), machine::now());
        self.with(|kept| {
            kept.bytes += text.len();
            kept.lines.push_back(Line { number: kept.written, run: kept.run, at, text });
            kept.written += 1;
            while kept.lines.len() > MOST_LINES || kept.bytes > MOST_BYTES {
                let oldest = kept.lines.pop_front();
                kept.bytes -= oldest.map_or(0, |line| line.text.len());
            }
        });
    }

    /// How many lines the server has written.
    pub fn written(&self) -> u64 {
        self.with(|kept| kept.written)
    }

    /// All that is kept, the oldest first.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.with(|kept| kept.lines.iter().cloned().collect());
        for line in &mut lines {
            line.text = self.scrubbed(&line.text);
        }
        lines
    }

    /// What is kept of the newest run.
    pub fn lines_of_last_run(&self) -> Vec<Line> {
        let run = self.with(|kept| kept.run);
        self.lines().into_iter().filter(|line| line.run == run).collect()
    }

    /// The texts of [`Self::lines_of_last_run`].
    pub fn of_last_run(&self) -> Vec<String> {
        self.lines_of_last_run().into_iter().map(|line| line.text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &LastLines) -> Vec<String> {
        lines.lines().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_last_fifty_lines_are_kept_with_their_numbers() {
        let lines = LastLines::default();
        assert_eq!(lines.lines(), []);
        lines.begin_run();
        (0..70).for_each(|number| lines.push(&format!("line {number}")));
        let kept = lines.lines();
        let numbers: Vec<u64> = kept.iter().map(|line| line.number).collect();
        assert_eq!(numbers, (20..70).collect::<Vec<u64>>());
        assert!(kept.iter().all(|line| line.text == format!("line {}", line.number)));
    }

    #[test]
    fn the_newest_line_is_kept_whole_and_older_ones_make_room_for_it() {
        let lines = LastLines::default();
        lines.push("old");
        lines.push("older than the long one");
        let whole = "w".repeat(MOST_BYTES);
        lines.push(&whole);
        assert_eq!(texts(&lines), [whole.as_str()]);
        let half = "h".repeat(MOST_BYTES / 2);
        lines.push(&half);
        lines.push(&half);
        assert_eq!(texts(&lines), [half.as_str(), half.as_str()]);
        lines.push("");
        assert_eq!(texts(&lines), [half.as_str(), half.as_str(), ""]);
        lines.push("x");
        assert_eq!(texts(&lines), [half.as_str(), "", "x"]);
        // Between characters.
        let long = format!("begin{}end", "\u{e4}".repeat(MOST_BYTES));
        lines.push(&long);
        let kept = texts(&lines);
        assert_eq!((kept.len(), kept[2].len()), (3, MOST_BYTES - 1));
        assert!(long.ends_with(&kept[2]));
    }

    #[test]
    fn lines_of_an_earlier_process_are_kept_and_told_apart() {
        let lines = LastLines::default();
        lines.begin_run();
        lines.push("first");
        lines.begin_run();
        assert_eq!(lines.of_last_run(), [""; 0]);
        lines.push("second");
        assert_eq!(lines.of_last_run(), ["second"]);
        let runs: Vec<u64> = lines.lines().iter().map(|line| line.run).collect();
        assert_eq!(runs, [1, 2]);
    }
}

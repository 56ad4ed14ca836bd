//! The event log: one line of JSON for everything that happened, in order of time.
//!
//! One rule: whoever reads the log needs nothing else to know the truth.

use std::fmt;
use std::io::{self, Write};

/// Events that are not written yet.
#[derive(Debug, Default)]
pub struct Log {
    events: Vec<(u64, String)>,
}

impl Log {
    /// Adds an event; `members` are those behind its time.
    pub fn add(&mut self, at: u64, members: fmt::Arguments<'_>) {
        self.events.push((at, format!(r#"{{"at":{at},{members}}}"#)));
    }

    /// Writes the events before `end`, in order of their time, and of their coming for the same second.
    pub fn write(&mut self, end: u64, out: &mut dyn Write) -> io::Result<()> {
        self.events.sort_by_key(|(at, _)| *at);
        let ready = self.events.partition_point(|(at, _)| *at < end);
        for (_, line) in self.events.drain(..ready) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// A text of ours as JSON: none needs an escape.
pub fn json(text: &str) -> String {
    debug_assert!(
        text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    );
    format!("\"{text}\"")
}

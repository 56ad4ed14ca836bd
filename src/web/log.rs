//! What a server of ours says about itself on standard error.
//!
//! One rule: only our own events, in characters that can be seen. The SDK logs whole messages, and messages are the
//! user's.

use crate::visible;
use std::io;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Format {
    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Spells out what cannot be seen. A line comes in one piece.
struct Seen<W>(W);

impl<W: io::Write> io::Write for Seen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(visible::lines(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Begins to log events of at least `level`. A second call changes nothing.
pub fn begin(format: Format, level: LevelFilter) {
    let ours = Targets::new().with_target("mcpproxy", level);
    let layer = match format {
        Format::Text => fmt::layer().with_target(false).with_writer(|| Seen(io::stderr())).boxed(),
        Format::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_writer(|| Seen(io::stderr()))
            .boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(ours)).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_line_is_written_in_characters_that_can_be_seen_and_stays_json() {
        let mut seen = Seen(Vec::new());
        writeln!(seen, "{{\"server\":\"a\u{202e}b\"}}").expect("a line");
        seen.flush().expect("it is in memory");
        assert_eq!(str::from_utf8(&seen.0), Ok("{\"server\":\"a\\u202eb\"}\n"));
        let value: serde_json::Value = serde_json::from_slice(&seen.0).expect("JSON");
        assert_eq!(value["server"], "a\u{202e}b");
    }
}

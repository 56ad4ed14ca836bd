//! What a server of ours says about itself on standard error.
//!
//! One rule: only our own events, in characters that can be seen. The SDK logs whole messages, and messages are the
//! user's.

use crate::{json, visible};
use std::io;
use std::sync::OnceLock;
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

/// How lines are written, once that was begun.
static FORMAT: OnceLock<Format> = OnceLock::new();

/// A line that `name`, a process of ours, wrote on its standard error, as it stands beside the log.
pub fn line_of(name: &str, line: &str) -> String {
    written(FORMAT.get().copied().unwrap_or_default(), name, line)
}

fn written(format: Format, name: &str, line: &str) -> String {
    let mut text = match format {
        Format::Text => format!("{name}: {line}"),
        Format::Json => {
            let mut text = String::from("{\"server\":");
            json::write_str(&mut text, name);
            text.push_str(",\"stderr\":");
            json::write_str(&mut text, line);
            text + "}"
        }
    };
    text = visible::line(&text).into_owned();
    text.push('\n');
    text
}

/// Begins to log events of at least `level`. A second call changes nothing.
pub fn begin(format: Format, level: LevelFilter) {
    let _ = FORMAT.set(format);
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

    #[test]
    fn lines_of_servers_carry_their_names_in_either_form() {
        let line = "\u{1b}[31mno \"file\"\u{202e}";
        let text = written(Format::Text, "files", line);
        assert_eq!(text, "files: \\u001b[31mno \"file\"\\u202e\n");
        let text = written(Format::Json, "a\"b", line);
        assert_eq!((text.lines().count(), text.contains('\u{202e}')), (1, false));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&value["server"], &value["stderr"]), (&"a\"b".into(), &line.into()));
    }
}

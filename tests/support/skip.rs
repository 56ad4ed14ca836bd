//! Saying that a test cannot do here what it is for.
//!
//! One rule: it is seen although the test passes, and `.ci/run` holds it against `.ci/skips`.

use std::fmt;
use std::io::Write as _;

/// Says why this test is skipped, as `format!` takes it.
macro_rules! skipped {
    ($($words:tt)*) => { crate::skip::note(&format_args!($($words)*)) };
}

/// Past the harness, which hides what a passing test prints; and as a line of the file that `MCPPROXY_SKIPS` names.
pub fn note(why: &fmt::Arguments<'_>) {
    let thread = std::thread::current();
    // One line, whatever a reason says.
    let why = why.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    let _ = write!(std::io::stderr().lock(), "SKIPPED: {line}");
    let Some(path) = std::env::var_os("MCPPROXY_SKIPS") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the skip is noted");
}

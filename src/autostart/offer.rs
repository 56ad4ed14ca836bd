//! The offer to start at login: made once, to a person at a terminal.
//!
//! One rule: nobody is asked who cannot answer, and nobody twice. Silence is no answer.

use super::{Way, enable, remember};
use crate::contract::EnvKind;
use crate::machine;
use crate::paths::DataDir;
use mcpproxy_platform::host;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::mpsc;
use std::time::Duration;

/// Who has not answered by then is not there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks, if this is the first interactive run of this install; acts on the answer, and remembers it.
/// `named`: the data directory, where it is not the default one.
pub fn once(dir: &DataDir, named: Option<&DataDir>) {
    let Ok(way) = Way::usual() else { return };
    if !may_ask(dir) {
        return;
    }
    let mut out = io::stderr().lock();
    let question = "Start mcpproxy at login, so that your MCP clients always find it? [Y/n] ";
    if out.write_all(question.as_bytes()).and_then(|()| out.flush()).is_err() {
        return;
    }
    drop(out);
    let answer = answer();
    let now = machine::now();
    match answer {
        Some(true) => match enable(way, named) {
            Ok(()) => {
                let _ = remember(dir, true, now);
                say("It starts at login. `mcpproxy autostart disable` ends that.");
            }
            Err(error) => say(&format!("It does not start at login: {error}")),
        },
        Some(false) => {
            let _ = remember(dir, false, now);
            say("It does not start at login. `mcpproxy autostart enable` changes that.");
        }
        None => say("\nNo answer: it does not start at login, for now."),
    }
}

fn may_ask(dir: &DataDir) -> bool {
    let markers = &machine::classification().markers;
    let is_person = machine::classification().env_kind == EnvKind::Interactive;
    // The sidecar, however old or damaged it is, says that somebody was asked.
    let was_asked = dir.autostart_sidecar().exists();
    let is_settled = machine::autostart_entry().is_some();
    io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && host::has_stderr()
        && is_person
        && !markers.has_ci_env
        && !markers.is_container
        && !was_asked
        && !is_settled
}

/// `None` when nobody answers. An empty line is the default: yes.
fn answer() -> Option<bool> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut line = String::new();
        let answer = match io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(meaning(&line)),
        };
        let _ = sender.send(answer);
    };
    // A thread that nobody answers is left to its terminal.
    std::thread::Builder::new().name("mcpproxy-question".into()).spawn(read).ok()?;
    receiver.recv_timeout(PATIENCE).ok().flatten()
}

/// What is no clear yes is a no.
fn meaning(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || ["y", "yes"].iter().any(|word| line.eq_ignore_ascii_case(word))
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_is_a_yes_and_what_is_unclear_a_no() {
        for yes in ["\n", "y\n", "YES\n", " y \r\n"] {
            assert!(meaning(yes), "{yes:?}");
        }
        for no in ["n\n", "no\n", "N\n", "maybe\n", "yn\n", "0\n"] {
            assert!(!meaning(no), "{no:?}");
        }
    }
}

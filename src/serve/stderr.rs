//! What a stdio server writes on standard error: read, kept, and shown where that is wanted.
//!
//! One rule: it is always read, so that no server waits for a reader, and it ends with the server: others that hold the
//! pipe open are not listened to.

use super::last_lines::LastLines;
use crate::web::log;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A longer line is taken as several.
const LONGEST_LINE: usize = 8 << 10;
/// They are cut after a blank, if one is that near.
const WORD: usize = 1 << 10;
/// Lines that are read and not yet shown.
const MOST_WAITING: usize = 64;
/// A thread that only copies lines.
const STACK: usize = 64 << 10;

/// Reads `said` to its end, or until `is_over`; returns when what came until then is kept and shown.
pub async fn follow(
    said: impl AsyncRead + Unpin,
    lines: Arc<LastLines>,
    shown_as: Option<Arc<str>>,
    is_over: CancellationToken,
) {
    let shown = shown_as.and_then(Shown::begin);
    let mut reader = Reader::new(said);
    loop {
        let (line, is_last) = tokio::select! {
            line = reader.next() => (line, false),
            () = is_over.cancelled() => (reader.unfinished(), true),
        };
        let Some(line) = line else { break };
        lines.push(&line);
        if let Some(shown) = &shown {
            let line = lines.scrubbed(&line);
            tokio::select! {
                _ = shown.lines.send(line) => {}
                () = is_over.cancelled() => {}
            }
        }
        if is_last {
            break;
        }
    }
    if let Some(Shown { lines, ended }) = shown {
        drop(lines);
        tokio::select! {
            _ = ended => {}
            () = is_over.cancelled() => {}
        }
    }
}

/// What goes to our standard error. A thread writes it: that may wait, and one server's lines wait for no other's.
struct Shown {
    lines: mpsc::Sender<String>,
    ended: oneshot::Receiver<()>,
}

impl Shown {
    /// `None` where there is no thread to be had: a server is worth more than its lines.
    fn begin(name: Arc<str>) -> Option<Self> {
        let (lines, mut waiting) = mpsc::channel::<String>(MOST_WAITING);
        let (end, ended) = oneshot::channel();
        let copy = move || {
            while let Some(line) = waiting.blocking_recv() {
                // In one piece, so that lines of several servers do not mix.
                let _ = io::stderr().write_all(log::line_of(&name, &line).as_bytes());
            }
            let _ = end.send(());
        };
        let thread = thread::Builder::new().name("mcpproxy-stderr".into()).stack_size(STACK);
        thread.spawn(copy).ok().map(|_| Self { lines, ended })
    }
}

/// Takes lines apart; longer ones in parts that are cut between words, or at least between characters.
struct Reader<R> {
    said: BufReader<R>,
    line: Vec<u8>,
    was_cut: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    fn new(said: R) -> Self {
        Self { said: BufReader::new(said), line: Vec::new(), was_cut: false }
    }

    /// The next line or part of one. Loses nothing when it is not waited for.
    async fn next(&mut self) -> Option<String> {
        loop {
            let room = LONGEST_LINE.saturating_sub(self.line.len()) as u64;
            let mut said = (&mut self.said).take(room);
            let read = said.read_until(b'\n', &mut self.line).await.unwrap_or(0);
            if read == 0 {
                return self.unfinished();
            }
            if self.line.last() == Some(&b'\n') {
                let was_cut = std::mem::take(&mut self.was_cut);
                let line = std::mem::take(&mut self.line);
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if !(was_cut && line.is_empty()) {
                    return Some(String::from_utf8_lossy(line).into_owned());
                }
            } else if self.line.len() >= LONGEST_LINE {
                let rest = self.line.split_off(cut(&self.line));
                let part = std::mem::replace(&mut self.line, rest);
                self.was_cut = true;
                return Some(String::from_utf8_lossy(&part).into_owned());
            }
        }
    }

    /// What was written of a line that has no end.
    fn unfinished(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

/// Where a line that is too long is cut.
fn cut(line: &[u8]) -> usize {
    let blank = line.iter().rposition(|byte| matches!(byte, b' ' | b'\t'));
    match (blank, str::from_utf8(line)) {
        (Some(at), _) if at + WORD >= line.len() => at + 1,
        // The beginning of a character whose rest is still to come.
        (_, Err(error)) if error.error_len().is_none() => error.valid_up_to(),
        _ => line.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(said: &[u8]) -> Vec<String> {
        let (mut reader, mut lines) = (Reader::new(said), Vec::new());
        while let Some(line) = reader.next().await {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn lines_are_bounded_and_cut_between_characters() {
        assert_eq!(lines(b"one\r\n\ntwo\xff\nend").await, ["one", "", "two\u{fffd}", "end"]);
        assert_eq!(lines(b"").await, [""; 0]);
        let long = format!("x{}", "\u{e4}".repeat(LONGEST_LINE));
        let cut = lines(format!("{long}\nnext\n").as_bytes()).await;
        assert_eq!((cut.len(), cut.concat()), (4, format!("{long}next")));
        assert!(cut.iter().all(|line| line.len() <= LONGEST_LINE));
        let whole = "y".repeat(LONGEST_LINE);
        let two = lines(format!("{whole}\nnext").as_bytes()).await;
        assert_eq!(two, [whole.as_str(), "next"]);
        // A character that is never finished is shown as what it is.
        assert_eq!(lines(b"\xe2\x82").await, ["\u{fffd}"]);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_between_words() {
        let words = "a-word ".repeat(LONGEST_LINE / 4);
        let cut = lines(words.as_bytes()).await;
        assert_eq!(cut.concat(), words);
        assert!(cut.len() > 1 && cut.iter().all(|part| part.ends_with("a-word ")));
    }

    #[tokio::test]
    async fn what_others_that_hold_the_pipe_open_write_is_not_waited_for() {
        let (mut by, said) = tokio::io::duplex(64);
        let (kept, is_over) = (Arc::new(LastLines::default()), CancellationToken::new());
        let followed = tokio::spawn(follow(said, kept.clone(), None, is_over.clone()));
        tokio::io::AsyncWriteExt::write_all(&mut by, b"whole\nunfinished").await.expect("room");
        while kept.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        is_over.cancel();
        followed.await.expect("its end");
        assert_eq!(kept.of_last_run(), ["whole", "unfinished"]);
    }
}

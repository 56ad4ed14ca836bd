//! The processes of one stdio server, from their start to the end of the last of them.
//!
//! One rule: nothing of a process group outlives what it was started for. Whatever the SDK is busy with, a
//! task of ours closes the group's standard input, asks it to end, and kills it.

use crate::web::log;
use mcpproxy_platform::group::Group;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long a group may take to end once its standard input has ended, and again once it was asked to.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the system may take to carry out a kill.
const KILLED: Duration = Duration::from_secs(1);
/// The pauses between two looks at a group.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(100);
/// How long after the end of the first process its output is still looked at. The end may be heard of before the
/// system's word that there is something to read.
const LAST_LOOK: Duration = Duration::from_millis(100);
/// How long its last words on standard error are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A longer line on standard error is shown as several.
const LONGEST_LINE: usize = 8 << 10;
/// A thread that only waits, or copies lines.
const STACK: usize = 64 << 10;

/// All processes that are started for one server.
#[derive(Default)]
pub struct Processes {
    /// The name before each line of what they write on standard error, where that is shown.
    shown_as: Option<Arc<str>>,
    stop: Mutex<CancellationToken>,
    keepers: TaskTracker,
}

impl Processes {
    /// What they write on standard error goes to ours, each line with `name` before it.
    pub fn shown_as(name: Arc<str>) -> Self {
        Self { shown_as: Some(name), ..Self::default() }
    }

    /// Starts `program` in a group of its own, which ends when both of the pipes are dropped, when its first
    /// process has ended, or with [`Self::end`]. `dress` gives it its environment and its directory.
    pub fn start(
        &self,
        program: &OsStr,
        arguments: &[String],
        dress: impl Fn(&mut Command),
    ) -> io::Result<(Output, Input)> {
        let (said, by) = match self.shown_as {
            Some(_) => io::pipe().map(|(said, by)| (Some(said), Some(by)))?,
            None => (None, None),
        };
        let dress = |command: &mut Command| {
            dress(command);
            command.stderr(match &by {
                Some(by) => Stdio::from(by.try_clone()?),
                None => Stdio::null(),
            });
            Ok(())
        };
        let (group, input, output) = Group::start(program, arguments, dress)?;
        // The end of the lines is that of the processes.
        drop(by);
        let group = Arc::new(group);
        let (input, output) = (ChildStdin::from_std(input)?, ChildStdout::from_std(output)?);
        let token = self.stop.lock().unwrap_or_else(PoisonError::into_inner).child_token();
        let over = CancellationToken::new();
        let pipe = Arc::new(Mutex::new(Pipe { input: Some(input), writer: None }));
        let output = Output {
            output,
            is_over: Box::pin(over.clone().cancelled_owned()),
            last_look: None,
            _ends: Arc::new(token.clone().drop_guard()),
        };
        let input = Input { pipe: pipe.clone(), _ends: output._ends.clone() };
        let first = first_end(group.clone())?;
        let shown = match (&self.shown_as, said) {
            (Some(name), Some(said)) => Some(show(name.clone(), said)?),
            _ => None,
        };
        self.keepers.spawn(async move {
            keep(group, first, pipe, token, over).await;
            // The last words; others that hold the pipe open are not waited for.
            if let Some(shown) = shown {
                let _ = timeout(LAST_WORDS, shown).await;
            }
        });
        Ok((output, input))
    }

    /// Ends all of them; returns when nothing of them lives any more, after 9 s at the latest.
    pub async fn end(&self) {
        let stop = std::mem::take(&mut *self.stop.lock().unwrap_or_else(PoisonError::into_inner));
        stop.cancel();
        self.keepers.close();
        self.keepers.wait().await;
        self.keepers.reopen();
    }
}

/// Copies lines to our standard error until none can come any more, and tells when that is. A thread of its own: no
/// system lets a runtime wait for every pipe, and one server's lines wait for no other's.
fn show(name: Arc<str>, said: io::PipeReader) -> io::Result<oneshot::Receiver<()>> {
    let (ended, shown) = oneshot::channel();
    let copy = move || {
        each_line(said, |line| {
            // In one piece, so that lines of several servers do not mix.
            let _ = io::stderr().write_all(log::line_of(&name, line).as_bytes());
        });
        let _ = ended.send(());
    };
    thread::Builder::new().name("mcpproxy-stderr".into()).stack_size(STACK).spawn(copy)?;
    Ok(shown)
}

/// Visits the lines of `said`; longer ones in parts that are cut between characters.
fn each_line(said: impl io::Read, mut visit: impl FnMut(&str)) {
    let mut said = io::BufReader::new(said);
    let (mut line, mut was_cut) = (Vec::new(), false);
    loop {
        let room = LONGEST_LINE.saturating_sub(line.len()) as u64;
        let read = said.by_ref().take(room).read_until(b'\n', &mut line).unwrap_or(0);
        let is_cut = read > 0 && line.last() != Some(&b'\n') && line.len() >= LONGEST_LINE;
        // The beginning of a character whose rest is still to come.
        let rest = match str::from_utf8(&line) {
            Err(error) if is_cut && error.error_len().is_none() => {
                line.split_off(error.valid_up_to())
            }
            _ => Vec::new(),
        };
        if read == 0 && line.is_empty() {
            return;
        }
        let shown = line.strip_suffix(b"\n").unwrap_or(&line);
        let shown = shown.strip_suffix(b"\r").unwrap_or(shown);
        if !(was_cut && shown.is_empty()) {
            visit(&String::from_utf8_lossy(shown));
        }
        (line, was_cut) = (rest, is_cut);
    }
}

/// Tells when the first process of the group has ended. A thread of its own: it works on every system, and
/// leaves the process unreaped, so that the group keeps its number.
fn first_end(group: Arc<Group>) -> io::Result<oneshot::Receiver<()>> {
    let (ended, first) = oneshot::channel();
    let wait = move || {
        group.wait_for_first();
        drop(group);
        let _ = ended.send(());
    };
    thread::Builder::new().name("mcpproxy-child".into()).stack_size(STACK).spawn(wait)?;
    Ok(first)
}

/// Sees a group to its end.
async fn keep(
    group: Arc<Group>,
    mut first: oneshot::Receiver<()>,
    pipe: Arc<Mutex<Pipe>>,
    end: CancellationToken,
    over: CancellationToken,
) {
    tokio::select! {
        _ = &mut first => {}
        () = end.cancelled() => {
            close(&pipe);
            let _ = timeout(PATIENCE, &mut first).await;
        }
    }
    // What the first process has left in the pipe is still read; others that hold it open are not waited for.
    over.cancel();
    close(&pipe);
    if is_gone_within(&group, Duration::ZERO).await
        || (group.ask_to_end() && is_gone_within(&group, PATIENCE).await)
    {
        return;
    }
    group.kill();
    is_gone_within(&group, KILLED).await;
}

async fn is_gone_within(group: &Arc<Group>, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let mut pause = FIRST_LOOK;
    loop {
        let looked_at = group.clone();
        let look = tokio::task::spawn_blocking(move || looked_at.is_alive());
        if !look.await.unwrap_or(true) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

/// The group's standard input, until it is closed, and who waits to write to it.
struct Pipe {
    input: Option<ChildStdin>,
    writer: Option<Waker>,
}

fn close(pipe: &Mutex<Pipe>) {
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    pipe.input = None;
    if let Some(writer) = pipe.writer.take() {
        writer.wake();
    }
}

/// The standard input of a group: a server that does not read cannot keep it open.
pub struct Input {
    pipe: Arc<Mutex<Pipe>>,
    _ends: Arc<DropGuard>,
}

impl Input {
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        work: impl FnOnce(Pin<&mut ChildStdin>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(input) = &mut pipe.input else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let result = work(Pin::new(input), context);
        pipe.writer = result.is_pending().then(|| context.waker().clone());
        result
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |input, context| input.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |input, context| input.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.pipe);
        Poll::Ready(Ok(()))
    }
}

/// The standard output of a group. It ends with the first process, once what can be read was read.
pub struct Output {
    output: ChildStdout,
    is_over: Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>,
    last_look: Option<Pin<Box<Sleep>>>,
    _ends: Arc<DropGuard>,
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Before the read: what came until then is read.
        let is_over = this.is_over.as_mut().poll(context).is_ready() && {
            let last_look = this.last_look.get_or_insert_with(|| Box::pin(sleep(LAST_LOOK)));
            last_look.as_mut().poll(context).is_ready()
        };
        match Pin::new(&mut this.output).poll_read(context, into) {
            Poll::Pending if is_over => Poll::Ready(Ok(())),
            result => result,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Stdio;
    use tokio::io::AsyncReadExt as _;

    #[test]
    fn lines_are_bounded_and_cut_between_characters() {
        let lines = |said: &[u8]| {
            let mut lines = Vec::new();
            each_line(said, |line| lines.push(line.to_owned()));
            lines
        };
        assert_eq!(lines(b"one\r\n\ntwo\xff\nend"), ["one", "", "two\u{fffd}", "end"]);
        assert_eq!(lines(b""), [""; 0]);
        let long = format!("x{}", "\u{e4}".repeat(LONGEST_LINE));
        let cut = lines(format!("{long}\nnext\n").as_bytes());
        assert_eq!((cut.len(), cut.concat()), (4, format!("{long}next")));
        assert!(cut.iter().all(|line| line.len() <= LONGEST_LINE));
        let whole = "y".repeat(LONGEST_LINE);
        assert_eq!(lines(format!("{whole}\nnext").as_bytes()), [whole.as_str(), "next"]);
        // A character that is never finished is shown as what it is.
        assert_eq!(lines(b"\xe2\x82"), ["\u{fffd}"]);
    }

    /// One thread: while it is blocked, the runtime hears nothing of the pipe.
    #[tokio::test]
    async fn what_a_server_writes_before_it_ends_is_read_even_if_its_end_is_heard_of_first() {
        let script = "read go; echo last; sleep 60 & echo $! >&2";
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("sh");
        let stdout = ChildStdout::from_std(child.stdout.take().expect("a pipe")).expect("one");
        let over = CancellationToken::new();
        let mut output = Output {
            output: stdout,
            is_over: Box::pin(over.clone().cancelled_owned()),
            last_look: None,
            _ends: Arc::new(CancellationToken::new().drop_guard()),
        };
        let mut line = [0; 5];
        assert!(timeout(LAST_LOOK, output.read_exact(&mut line)).await.is_err());
        drop(child.stdin.take());
        child.wait().expect("its end");
        over.cancel();
        let read = timeout(Duration::from_secs(60), output.read_exact(&mut line)).await;
        read.expect("in time").expect("what it wrote");
        assert_eq!(&line, b"last\n");
        // Another process holds the pipe open, and is not waited for.
        let rest = timeout(Duration::from_secs(30), output.read(&mut line)).await;
        assert_eq!(rest.expect("an end").expect("nothing"), 0);
        let mut sleeper = String::new();
        let mut stderr = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
        std::io::BufRead::read_line(&mut stderr, &mut sleeper).expect("its id");
        Command::new("kill").arg(sleeper.trim()).status().expect("kill");
    }
}

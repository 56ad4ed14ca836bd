//! The processes of one stdio server, from their start to the end of the last of them.
//!
//! One rule: nothing of a process group outlives what it was started for. Whatever the SDK is busy with, a
//! task of ours closes the group's standard input, asks it to end, and kills it.

use super::last_lines::LastLines;
use super::stderr;
use mcpproxy_platform::group::{Exit, Group};
use std::ffi::OsStr;
use std::io;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
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
/// A thread that only waits.
const STACK: usize = 64 << 10;

/// All processes that are started for one server.
pub struct Processes {
    /// What they write on standard error.
    lines: Arc<LastLines>,
    /// The name before each line of it, where that goes to our standard error as well.
    shown_as: Option<Arc<str>>,
    last_exit: LastExit,
    stop: Mutex<CancellationToken>,
    keepers: TaskTracker,
}

/// How the newest process ended.
type LastExit = Arc<Mutex<Option<Exit>>>;

impl Processes {
    /// What they write on standard error is kept in `lines`; it goes to ours as well if a name is given, which stands
    /// before each line.
    pub fn new(lines: Arc<LastLines>, shown_as: Option<Arc<str>>) -> Self {
        let (last_exit, stop) = Default::default();
        Self { lines, shown_as, last_exit, stop, keepers: TaskTracker::new() }
    }

    /// How the newest of them ended: `None` while it runs, where the system does not say, and when it took our signal
    /// to end it. One that ended because its standard input did has ended by itself. Known after [`Self::end`].
    pub fn last_exit(&self) -> Option<Exit> {
        *self.last_exit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines that the newest of them wrote on standard error. Complete after [`Self::end`].
    pub fn last_lines(&self) -> Vec<String> {
        self.lines.of_last_run()
    }

    /// Starts `program` in a group of its own, which ends when both of the pipes are dropped, when its first
    /// process has ended, or with [`Self::end`]. `dress` gives it its environment and its directory.
    pub fn start(
        &self,
        program: &OsStr,
        arguments: &[String],
        dress: impl Fn(&mut Command),
    ) -> io::Result<(Output, Input)> {
        *self.last_exit.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.lines.begin_run();
        let dress = |command: &mut Command| {
            dress(command);
            Ok(())
        };
        let (group, pipes) = Group::start(program, arguments, dress)?;
        let group = Arc::new(group);
        let input = ChildStdin::from_std(pipes.input)?;
        let output = ChildStdout::from_std(pipes.output)?;
        let said = ChildStderr::from_std(pipes.error)?;
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
        let no_more = CancellationToken::new();
        let said = stderr::follow(said, self.lines.clone(), self.shown_as.clone(), no_more.clone());
        let mut said = tokio::spawn(said);
        let last_exit = self.last_exit.clone();
        self.keepers.spawn(async move {
            keep(group, first, last_exit, pipe, token, over).await;
            // The last words; others that hold the pipe open are not waited for.
            if timeout(LAST_WORDS, &mut said).await.is_err() {
                no_more.cancel();
                let _ = said.await;
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

/// Tells when and how the first process of the group has ended. A thread of its own: it works on every system, and
/// leaves the process unreaped, so that the group keeps its number.
fn first_end(group: Arc<Group>) -> io::Result<oneshot::Receiver<Option<Exit>>> {
    let (ended, first) = oneshot::channel();
    let wait = move || {
        let exit = group.wait_for_first();
        drop(group);
        let _ = ended.send(exit);
    };
    thread::Builder::new().name("mcpproxy-child".into()).stack_size(STACK).spawn(wait)?;
    Ok(first)
}

/// Sees a group to its end.
async fn keep(
    group: Arc<Group>,
    mut first: oneshot::Receiver<Option<Exit>>,
    last_exit: LastExit,
    pipe: Arc<Mutex<Pipe>>,
    end: CancellationToken,
    over: CancellationToken,
) {
    let exit = tokio::select! {
        exit = &mut first => exit.ok().flatten(),
        () = end.cancelled() => {
            close(&pipe);
            timeout(PATIENCE, &mut first).await.ok().and_then(Result::ok).flatten()
        }
    };
    *last_exit.lock().unwrap_or_else(PoisonError::into_inner) = exit;
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

    #[tokio::test]
    async fn how_a_server_ended_and_its_last_words_are_known_once_it_is_over() {
        let lines = Arc::new(LastLines::default());
        let processes = Processes::new(lines.clone(), None);
        for (script, code, signal) in [
            ("echo first >&2; printf last >&2; exit 3", Some(3), None),
            ("echo first >&2; printf last >&2; kill -9 $$", None, Some(9)),
            // Another process holds the pipe open.
            ("sleep 600 & echo first >&2; printf last >&2; exit 4", Some(4), None),
            // The end of its input is a reason to end.
            ("read line; echo first >&2; printf last >&2; exit 5", Some(5), None),
        ] {
            let args = ["-c".to_owned(), script.to_owned()];
            let streams = processes.start(OsStr::new("sh"), &args, |_| ()).expect("sh");
            assert_eq!(processes.last_exit(), None, "{script}");
            if code != Some(5) {
                let mut rest = String::new();
                let (mut output, _input) = streams;
                output.read_to_string(&mut rest).await.expect("its end");
            }
            processes.end().await;
            assert_eq!(processes.last_exit(), Some(Exit { code, signal }), "{script}");
            assert_eq!(processes.last_lines(), ["first", "last"], "{script}");
        }
        assert_eq!(lines.lines().len(), 8);
    }

    #[tokio::test]
    async fn a_flood_on_standard_error_keeps_no_server_waiting() {
        let lines = Arc::new(LastLines::default());
        let processes = Processes::new(lines.clone(), None);
        let flood = "yes 'a line of a flood' | head -n 1000000 >&2; echo done";
        let args = ["-c".to_owned(), flood.to_owned()];
        let streams = processes.start(OsStr::new("sh"), &args, |_| ()).expect("sh");
        let (mut output, _input) = streams;
        let mut said = String::new();
        let read = timeout(Duration::from_secs(300), output.read_to_string(&mut said)).await;
        read.expect("in time").expect("what it wrote");
        assert_eq!(said, "done\n");
        processes.end().await;
        let kept = lines.lines();
        assert_eq!(kept.len(), super::super::last_lines::MOST_LINES);
        assert!(kept.iter().all(|line| line.text == "a line of a flood"));
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

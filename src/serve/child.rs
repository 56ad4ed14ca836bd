//! The processes of one stdio server, from their start to the end of the last of them.
//!
//! One rule: nothing of a process group outlives what it was started for. Whatever the SDK is busy with, a
//! task of ours closes the group's standard input, asks it to end, and kills it.

use mcpproxy_platform::group::Group;
use std::io;
use std::pin::Pin;
use std::process::Command;
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
/// A thread that only waits.
const STACK: usize = 64 << 10;

/// All processes that are started for one server.
#[derive(Default)]
pub struct Processes {
    stop: Mutex<CancellationToken>,
    keepers: TaskTracker,
}

impl Processes {
    /// Starts `command` in a group of its own, which ends when both of the pipes are dropped, when its first
    /// process has ended, or with [`Self::end`].
    pub fn start(&self, command: &mut Command) -> io::Result<(Output, Input)> {
        let (group, input, output) = Group::start(command)?;
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
        self.keepers.spawn(keep(group, first, pipe, token, over));
        Ok((output, input))
    }

    /// Ends all of them; returns when nothing of them lives any more, after 8 s at the latest.
    pub async fn end(&self) {
        let stop = std::mem::take(&mut *self.stop.lock().unwrap_or_else(PoisonError::into_inner));
        stop.cancel();
        self.keepers.close();
        self.keepers.wait().await;
        self.keepers.reopen();
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

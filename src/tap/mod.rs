//! `tap`: a transparent wrapper around one stdio MCP server.
//!
//! One rule: the traffic comes first. Two threads forward every byte and know nothing of its meaning;
//! they leave a copy in a bounded `queue`, and an [`Observer`] looks at it when there is time. With
//! telemetry off there is no copy and no observer.
//!
//! Three threads besides the main one: one for each direction, and one that waits for the server and
//! for signals, and ends the process as the server ended. The main thread starts telemetry and then
//! observes, so nothing that storage, consent or observation does can delay traffic, signals or exit.

mod ending;
mod grammar;
mod listing;
mod messages;
mod observer;
mod outstanding;
mod queue;
mod reader;
mod strings;
mod tokens;
mod variables;

pub use observer::{Direction, Observer};

use crate::contract::{LaunchSource, RoutingMode, ServerProtocolCounts};
use crate::diagnostics::{Code, page_of};
use crate::machine;
use crate::products::told::{Command, Told};
use crate::{Event, Host, LiveCounts, Telemetry};
use ending::{Ending, Streams};
use mcpproxy_platform::files::{self, coarse_time};
use mcpproxy_platform::process::{self, Sink, Source, Spawned};
use queue::{Batch, Queue};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes forwarded at once: what a pipe holds.
const CHUNK: usize = 64 << 10;
/// How long the end of a session waits for the observer: not at all unless it ends with a burst. Clients
/// give a server two seconds.
const LAST_LOOK: Duration = Duration::from_millis(1000);

/// How long telemetry leaves the processor to the server that is just starting. Storage and ancestors cost
/// two milliseconds; where there are few processors, the first answer would come that much later.
const HEAD_START: Duration = Duration::from_millis(20);

/// How long a first request may go unanswered before the server counts as one that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said where the product does not fit.
const TOLD: Command =
    Command { name: "tap", goes_on: "the server runs", uncounted: "this session is not counted" };

/// The discovery tool when none is named.
pub const DEFAULT_DISCOVERY_TOOL: &str = "retrieve_tools";

/// What to wrap, and what to tell telemetry.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's program, looked up in `PATH`.
    pub command: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Tools whose calls are discovery.
    pub discovery_tools: Vec<String>,
    /// `--data-dir`, or `None` for the default.
    pub data_dir: Option<PathBuf>,
    /// `--launched-by`
    pub launched_by: Option<LaunchSource>,
    /// What was said about the product.
    pub told: Told,
}

/// Runs one session on the main thread, and ends this process as the server ended.
///
/// # Errors
/// Returns only when there is no session: the server could not be started (`NotFound` when there is
/// no such program), or there are no threads to be had.
pub fn run(options: Options) -> io::Error {
    let session = match Session::start(&options) {
        Ok(session) => session,
        Err(error) => return error,
    };
    // Observation may fail; the session may not. (A build that aborts on panic relies on there
    // being none.)
    let _ = catch_unwind(AssertUnwindSafe(|| observe(options, &session)));
    session.queue.close();
    // The supervisor ends the process; this returns only if it could not.
    let _ = session.supervisor.join();
    io::Error::other("the session was not supervised to its end")
}

struct Session {
    queue: Arc<Queue>,
    /// How the server ended, once it has.
    ending: Arc<OnceLock<Ending>>,
    supervisor: JoinHandle<()>,
}

impl Session {
    fn start(options: &Options) -> io::Result<Self> {
        let Spawned { client_in, server_in, server_out, client_out, mut server } =
            process::spawn(&options.command, &options.arguments, &variables::kept_back())?;
        let queue = Arc::new(Queue::new());
        let requests = queue.clone();
        let streams = Arc::new(Streams::default());
        let input = streams.clone();
        start_thread("requests", move || {
            let copy = |bytes: &[u8]| requests.push(Direction::ToServer, bytes);
            forward(client_in, server_in, copy, || input.input_ended(), || ());
        })?;
        let answers = queue.clone();
        let output = streams.clone();
        let pump = start_thread("answers", move || {
            let copy = |bytes: &[u8]| {
                output.answered();
                answers.push(Direction::ToClient, bytes);
            };
            let (ended, broken) = (|| output.output_ended(), || output.output_broken());
            forward(server_out, client_out, copy, ended, broken);
        })?;
        let observed = queue.clone();
        let ending = Arc::new(OnceLock::new());
        let noted = ending.clone();
        let supervisor = start_thread("supervisor", move || {
            let end = server.wait();
            server.drain(&pump);
            let ending = streams.judge(end, || server.was_told(end));
            if streams.is_early(ending) {
                const CODE: &str = Code::StdioExitedEarly.as_str();
                machine::complain(&format_args!(
                    "mcpproxy: tap: the server ended before it answered ({CODE}: {})",
                    page_of(CODE)
                ));
            }
            _ = noted.set(ending);
            observed.end(LAST_LOOK);
            files::abandon_unfinished();
            end.leave()
        })?;
        Ok(Self { queue, ending, supervisor })
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(work)
}

/// Forwards bytes as they come until one side is gone, then drops both ends, so that each side sees
/// what the other one did. `copy` sees bytes before the receiver does: a request is always copied
/// before its answer. `ended` is told that nothing more comes, `broken` that nobody reads any more.
fn forward(
    mut from: Source,
    mut to: Sink,
    copy: impl Fn(&[u8]),
    ended: impl FnOnce(),
    broken: impl FnOnce(),
) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => return ended(),
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return ended(),
        };
        copy(bytes);
        if to.write_all(bytes).is_err() {
            return broken();
        }
    }
}

/// Starts telemetry and feeds it until the session ends. Returns at once when telemetry is off.
fn observe(options: Options, session: &Session) {
    let queue = &*session.queue;
    queue.wait_for_end(HEAD_START);
    let Ok(product) = options.told.product(&TOLD) else { return };
    let telemetry = Telemetry::start(Host {
        routing_mode: RoutingMode::Tap,
        data_dir: options.data_dir,
        launched_by: options.launched_by,
        product,
    });
    if !telemetry.is_on() {
        return;
    }
    let contact = Arc::new(Contact::default());
    let seen = contact.clone();
    telemetry.provide_live(move || live_counts(seen.connected_servers(coarse_time())));
    let mut observer = Observer::new(options.discovery_tools, |event| {
        contact.note(&event, coarse_time());
        telemetry.record(event);
    });
    let mut batch = Batch::default();
    while queue.take(&mut batch, observer.wants_answers()) {
        observer.want_results(!telemetry.has_result());
        for (direction, after_loss, bytes) in batch.iter() {
            if after_loss {
                observer.lost(direction);
            }
            observer.feed(direction, bytes);
        }
    }
    observer.finish();
    if let Some(ending) = session.ending.get() {
        telemetry.stop_as(*ending);
    }
    let dropped = queue.dropped();
    if dropped > 0 {
        let _ = writeln!(
            io::stderr(),
            "mcpproxy: tap: {dropped} bytes passed too fast to be looked at; they were forwarded, but \
             this session's counts may be low"
        );
    }
}

/// Whether the server answers, as far as the client has tried it.
#[derive(Default)]
struct Contact {
    is_connected: AtomicBool,
    /// When ([`coarse_time`]) the client first asked it something, in milliseconds and one more; 0 is never.
    asked: AtomicU64,
}

impl Contact {
    fn note(&self, event: &Event<'_>, now: Duration) {
        match event {
            Event::ServerConnected => self.is_connected.store(true, Ordering::Relaxed),
            _ if self.asked.load(Ordering::Relaxed) == 0 => {
                self.asked.store(now.as_millis() as u64 + 1, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// How many servers answer; `None` while that is not known: no wrong 0.
    fn connected_servers(&self, now: Duration) -> Option<u64> {
        if self.is_connected.load(Ordering::Relaxed) {
            return Some(1);
        }
        let asked = self.asked.load(Ordering::Relaxed).checked_sub(1)?;
        let waited = (now.as_millis() as u64).saturating_sub(asked);
        (waited >= PATIENCE.as_millis() as u64).then_some(0)
    }
}

/// A tap has one server, over stdio; what tools it has, it does not know.
fn live_counts(connected: Option<u64>) -> LiveCounts {
    LiveCounts {
        server_count: Some(1),
        connected_server_count: connected,
        tool_count: None,
        server_protocol_counts: Some(ServerProtocolCounts { stdio: 1, ..Default::default() }),
        configured_ide_count: crate::connect::configured_ide_count(),
        ..LiveCounts::default()
    }
}

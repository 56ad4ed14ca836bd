//! `tap`: a transparent wrapper around one stdio MCP server.
//!
//! One rule: the traffic comes first. Two threads forward every byte and know nothing of its meaning;
//! they leave a copy in a bounded `queue`, and an [`Observer`] looks at it when there is time. With
//! telemetry off there is no copy and no observer.
//!
//! Three threads besides the main one: one for each direction, and one that waits for the server and
//! for signals, and ends the process as the server ended. The main thread starts telemetry and then
//! observes, so nothing that storage, consent or observation does can delay traffic, signals or exit.

mod grammar;
mod listing;
mod messages;
mod observer;
mod outstanding;
mod product;
mod queue;
mod reader;
mod strings;
mod tokens;

pub use observer::{Direction, Observer};
pub use product::Told;

use crate::contract::{LaunchSource, RoutingMode, ServerProtocolCounts};
use crate::{Event, Host, LiveCounts, Telemetry};
use mcpproxy_platform::files;
use mcpproxy_platform::process::{self, Sink, Source, Spawned};
use queue::{Batch, Queue};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    let _ = catch_unwind(AssertUnwindSafe(|| observe(options, &session.queue)));
    session.queue.close();
    // The supervisor ends the process; this returns only if it could not.
    let _ = session.supervisor.join();
    io::Error::other("the session was not supervised to its end")
}

struct Session {
    queue: Arc<Queue>,
    supervisor: JoinHandle<()>,
}

impl Session {
    fn start(options: &Options) -> io::Result<Self> {
        let Spawned { client_in, server_in, server_out, client_out, mut server } =
            process::spawn(&options.command, &options.arguments, &product::kept_back())?;
        let queue = Arc::new(Queue::new());
        let requests = queue.clone();
        start_thread("requests", move || {
            forward(client_in, server_in, |bytes| requests.push(Direction::ToServer, bytes));
        })?;
        let answers = queue.clone();
        let output = start_thread("answers", move || {
            forward(server_out, client_out, |bytes| answers.push(Direction::ToClient, bytes));
        })?;
        let observed = queue.clone();
        let supervisor = start_thread("supervisor", move || {
            let end = server.wait();
            server.drain(&output);
            observed.end(LAST_LOOK);
            files::abandon_unfinished();
            end.leave()
        })?;
        Ok(Self { queue, supervisor })
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(work)
}

/// Forwards bytes as they come until one side is gone, then drops both ends, so that each side sees
/// what the other one did. `copy` sees bytes before the receiver does: a request is always copied
/// before its answer.
fn forward(mut from: Source, mut to: Sink, copy: impl Fn(&[u8])) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        copy(bytes);
        if to.write_all(bytes).is_err() {
            return;
        }
    }
}

/// Starts telemetry and feeds it until the session ends. Returns at once when telemetry is off.
fn observe(options: Options, queue: &Queue) {
    queue.wait_for_end(HEAD_START);
    let Ok(product) = options.told.product() else { return };
    let telemetry = Telemetry::start(Host {
        routing_mode: RoutingMode::Tap,
        data_dir: options.data_dir,
        launched_by: options.launched_by,
        product,
    });
    if !telemetry.is_on() {
        return;
    }
    let is_connected = Arc::new(AtomicBool::new(false));
    let connected = is_connected.clone();
    telemetry.provide_live(move || live_counts(connected.load(Ordering::Relaxed)));
    let mut observer = Observer::new(options.discovery_tools, |event| {
        if matches!(event, Event::ServerConnected) {
            is_connected.store(true, Ordering::Relaxed);
        }
        telemetry.record(event);
    });
    let mut batch = Batch::default();
    while queue.take(&mut batch, observer.wants_answers()) {
        for (direction, after_loss, bytes) in batch.iter() {
            if after_loss {
                observer.lost(direction);
            }
            observer.feed(direction, bytes);
        }
    }
    observer.finish();
    let dropped = queue.dropped();
    if dropped > 0 {
        let _ = writeln!(
            io::stderr(),
            "mcpproxy: tap: {dropped} bytes passed too fast to be looked at; they were forwarded, but \
             this session's counts may be low"
        );
    }
}

/// A tap has one server, over stdio; what tools it has, it does not know.
fn live_counts(is_connected: bool) -> LiveCounts {
    LiveCounts {
        server_count: Some(1),
        connected_server_count: Some(u64::from(is_connected)),
        tool_count: None,
        server_protocol_counts: Some(ServerProtocolCounts { stdio: 1, ..Default::default() }),
        configured_ide_count: crate::connect::configured_ide_count(),
    }
}

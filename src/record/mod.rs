//! `record`: what a host that `tap` cannot wrap says of its sessions, one JSON object on a line of standard input.
//!
//! One rule: the host comes first. Its lines are read as they come, whatever becomes of them, so that it never
//! waits; where telemetry is off they are read and nothing else happens.

mod lines;
mod pace;
mod sessions;

pub use lines::{LONGEST, Lines, TooLong};
pub use sessions::{BadLine, Sessions};

use crate::contract::{LaunchSource, RoutingMode};
use crate::machine;
use crate::products::told::{Command, Told};
use crate::{Event, Host, LiveCounts, Telemetry};
use mcpproxy_platform::files::coarse_time;
use mcpproxy_platform::process::Input;
use pace::{MOST_LINES, Pace, Unsaid};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// What is said where the product does not fit.
const TOLD: Command =
    Command { name: "record", goes_on: "events are read", uncounted: "nothing is counted" };

/// Whom to count for.
#[derive(Clone, Debug)]
pub struct Options {
    /// What was said about the product.
    pub told: Told,
    /// `--data-dir`, or `None` for the default.
    pub data_dir: Option<PathBuf>,
    /// `--launched-by`
    pub launched_by: Option<LaunchSource>,
    /// `--count-remote`
    pub count_remote: bool,
}

/// Reads standard input to its end, or until this process is asked to end.
pub fn run(options: Options) {
    // First: what comes before is a signal to a process that counts nothing.
    let mut input = Input::open();
    let mut recorder = Recorder::new(options);
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = input.read(&mut chunk) {
        lines.feed(chunk.get(..length).unwrap_or_default(), |line| recorder.read(line));
    }
    lines.finish(|line| recorder.read(line));
    recorder.end();
}

/// Counts what lines say.
struct Recorder {
    /// `None` when what was said about the product does not fit.
    host: Option<Host>,
    /// Started with the first event that counts: before it there is nothing to keep.
    telemetry: Option<Telemetry>,
    is_connected: Arc<AtomicBool>,
    sessions: Sessions,
    pace: Pace,
    /// Lines so far.
    lines: u64,
}

impl Recorder {
    fn new(options: Options) -> Self {
        let Options { told, data_dir, launched_by, count_remote } = options;
        // Its discovery tools are not ours, and a live gateway sends before it.
        let routing_mode = RoutingMode::Tap;
        let host = |product| Host { routing_mode, data_dir, launched_by, product };
        Self {
            host: told.product(&TOLD).ok().map(host),
            telemetry: None,
            is_connected: Arc::default(),
            sessions: Sessions::new(count_remote),
            pace: Pace::default(),
            lines: 0,
        }
    }

    fn read(&mut self, line: Result<&[u8], TooLong>) {
        self.lines += 1;
        let Some(host) = &self.host else { return };
        let now = coarse_time();
        if let Some(unsaid) = self.pace.due(now) {
            self.tell(unsaid);
        }
        if line.is_ok_and(|line| line.trim_ascii().is_empty()) || !self.pace.admits(now) {
            return;
        }
        let (telemetry, is_connected) = (&mut self.telemetry, &self.is_connected);
        let count = |event: Event<'_>| {
            let telemetry = telemetry.get_or_insert_with(|| start(host, is_connected));
            if matches!(event, Event::ServerConnected) {
                is_connected.store(true, Ordering::Relaxed);
            }
            telemetry.record(event);
        };
        let verdict = line.map_err(BadLine::from).and_then(|line| self.sessions.read(line, count));
        if let Err(why) = verdict
            && self.pace.names(now)
            && !self.is_off()
        {
            let number = self.lines;
            machine::complain(&format_args!("mcpproxy record: line {number} is skipped: {why}"));
        }
    }

    /// Whether telemetry is off: then nothing is said of what nobody counts.
    fn is_off(&self) -> bool {
        match (&self.telemetry, &self.host) {
            (Some(telemetry), _) => !telemetry.is_on(),
            (None, Some(host)) => !Telemetry::is_allowed(host),
            (None, None) => true,
        }
    }

    fn tell(&self, unsaid: Unsaid) {
        if self.is_off() {
            return;
        }
        let Unsaid { dropped, bad } = unsaid;
        machine::complain(&format_args!(
            "mcpproxy record: {dropped} lines came faster than {MOST_LINES} a second and were not read; {bad} more \
             bad lines were skipped"
        ));
    }

    /// The input has ended. Why the host did is known only if it said so.
    fn end(mut self) {
        if let Some(unsaid) = self.pace.rest() {
            self.tell(unsaid);
        }
        match &self.telemetry {
            Some(telemetry) if self.sessions.has_said_goodbye() => telemetry.stop(),
            Some(telemetry) => telemetry.stop_untold(),
            None => {}
        }
    }
}

fn start(host: &Host, is_connected: &Arc<AtomicBool>) -> Telemetry {
    let telemetry = Telemetry::start(host.clone());
    let is_connected = is_connected.clone();
    telemetry.provide_live(move || LiveCounts {
        server_count: Some(1),
        // Not 0: what its host has not said, it does not know.
        connected_server_count: is_connected.load(Ordering::Relaxed).then_some(1),
        configured_ide_count: crate::connect::configured_ide_count(),
        ..LiveCounts::default()
    });
    telemetry
}

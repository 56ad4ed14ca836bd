//! The facade that hosts embed: start, record, live counts, snapshot, drop.
//!
//! One rule: it never fails, delays or outlives its host. Without a data directory, without consent or
//! without a store it does nothing, quietly.

mod crash;
mod snapshot;

pub use snapshot::Snapshot;

use crate::activation::LiveCounts;
use crate::activation::{DAY, DEADLINE, Ending, ErrorMark, Mark, Recorded, clients};
#[cfg(feature = "record")]
use crate::consent::Effective;
use crate::contract::RoutingMode;
use crate::contract::product::NameError;
use crate::contract::{BuiltinTool, Surface};
use crate::gate::{self, PrivateWords};
use crate::heartbeat::host::Host;
#[cfg(feature = "record")]
use crate::heartbeat::permission::Permission;
use crate::heartbeat::session::Session;
use crate::heartbeat::worker;
use crate::machine::{self, Surroundings};
use crate::paths::{DataDir, PathError};
use crate::products::Subject;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Something that happened in the host.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client introduced itself by this raw name.
    ClientSeen {
        /// `clientInfo.name`, raw; canonicalized here, never kept.
        name: &'a str,
    },
    /// A server answered for the first time.
    ServerConnected,
    /// A discovery tool was called. Counts as a request over MCP; in a gateway also as a call of its own
    /// `retrieve_tools`. Say so once for each call, when its answer is known or there will be none.
    Discovery {
        /// Tools that were searched, if the answer told.
        indexed: Option<u64>,
        /// Tools that were returned, if the answer told.
        returned: Option<u64>,
    },
    /// Any other tool of an upstream server was called. Counts as a request over MCP. Say so once for each call,
    /// when it is made, whatever becomes of it.
    UpstreamCall,
    /// Such a call returned a result: neither an error nor `isError`, and neither a question nor a task in its
    /// place. Counts nothing; say [`Event::UpstreamCall`], too.
    UpstreamResult,
    /// A gateway's own tool was called, other than through one of the events above.
    BuiltinCall {
        /// Which.
        tool: BuiltinTool,
    },
    /// A client made a request that another event counts later, as [`Event::Discovery`] does. Every other request over
    /// MCP says so itself: it makes today an active day.
    ClientActive,
    /// A request arrived that no event above stands for.
    Request {
        /// Where.
        surface: Surface,
    },
    /// A state with a code began, or a fix was tried or ended one.
    Error(ErrorMark),
}

/// Telemetry of one host process. Never fails the host; inert when telemetry is off.
///
/// Share it between threads by reference or in an `Arc`; dropping it stops it, and never waits.
pub struct Telemetry {
    /// Else why nothing is ever counted.
    session: Result<Arc<Session>, Inert>,
    seen: Seen,
}

/// Why there is nothing to count in, or nobody to count for.
#[derive(Clone, Copy, Debug)]
enum Inert {
    Directory(PathError),
    Name(NameError),
}

/// What this process has stored before, so that saying it again costs an atomic load.
struct Seen {
    /// The file it was stored in.
    file: AtomicU64,
    /// [`Session::installs`] at that time.
    installs: AtomicU64,
    server: AtomicBool,
    /// An upstream tool returned a result.
    result: AtomicBool,
    /// The UTC day on which a client was active last.
    day: AtomicU64,
    /// Keyed hashes of raw client names; 0 is free.
    clients: [AtomicU64; 8],
    hasher: RandomState,
}

impl Seen {
    fn new() -> Self {
        Self {
            file: AtomicU64::new(0),
            installs: AtomicU64::new(0),
            server: AtomicBool::new(false),
            result: AtomicBool::new(false),
            day: AtomicU64::new(0),
            clients: Default::default(),
            hasher: RandomState::new(),
        }
    }

    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name).max(1)
    }

    fn has_server(&self) -> bool {
        self.server.load(Ordering::Acquire)
    }

    fn has_result(&self) -> bool {
        self.result.load(Ordering::Acquire)
    }

    fn is_active(&self, now: u64) -> bool {
        self.day.load(Ordering::Acquire) == now / DAY
    }

    fn has_client(&self, hash: u64) -> bool {
        self.clients.iter().any(|seen| seen.load(Ordering::Acquire) == hash)
    }

    /// When all places are taken the store's own cache has to do.
    fn add_client(&self, hash: u64) {
        for place in &self.clients {
            let free = place.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire);
            if free.is_ok() || free.is_err_and(|seen| seen == hash) {
                return;
            }
        }
    }

    /// Another file, after `reset-id` or damage: perhaps nothing is stored yet.
    fn follow(&self, file: u64) {
        if self.file.load(Ordering::Acquire) != file
            && self.file.swap(file, Ordering::AcqRel) != file
        {
            self.forget();
        }
    }

    /// Another install, or this one again after an objection; true when it is.
    fn begin_again(&self, installs: u64) -> bool {
        let is_other = self.installs.load(Ordering::Acquire) != installs
            && self.installs.swap(installs, Ordering::AcqRel) != installs;
        if is_other {
            self.forget();
        }
        is_other
    }

    /// Nothing is stored yet.
    fn forget(&self) {
        self.server.store(false, Ordering::Release);
        self.result.store(false, Ordering::Release);
        self.day.store(0, Ordering::Release);
        for place in &self.clients {
            place.store(0, Ordering::Release);
        }
    }
}

/// Stores what one event means: all of it or nothing.
fn write(session: &Session, event: Event<'_>, now: u64) -> Recorded {
    let gateway = session.host.routing_mode != RoutingMode::Tap;
    let searches = session.host.routing_mode == RoutingMode::RetrieveTools;
    let mcp = Mark::Request(Surface::Mcp);
    let record = |marks: &[Mark<'_>]| match session.store() {
        Some(store) => session.with_claim(&store, |claim| store.record_event(marks, now, claim)),
        None => {
            session.wait_for_store(marks, now);
            Recorded::NoStore
        }
    };
    match event {
        Event::ClientSeen { name } => {
            record(&[Mark::Client(&canonical_name(name)), Mark::ClientActive])
        }
        Event::ServerConnected => record(&[Mark::ServerConnected]),
        Event::Discovery { indexed, returned } => {
            let own = Mark::Builtin(BuiltinTool::RetrieveTools);
            let marks = [Mark::Discovery { indexed, returned }, mcp, Mark::ClientActive, own];
            record(if gateway { &marks } else { &marks[..3] })
        }
        Event::UpstreamCall => {
            let own = Mark::Builtin(BuiltinTool::CallTool);
            let marks = [Mark::UpstreamCall, mcp, Mark::ClientActive, own];
            record(if searches { &marks } else { &marks[..3] })
        }
        Event::UpstreamResult => record(&[Mark::UpstreamResult]),
        Event::BuiltinCall { tool } => record(&[Mark::Builtin(tool), mcp, Mark::ClientActive]),
        Event::ClientActive => record(&[Mark::ClientActive]),
        Event::Request { surface: Surface::Mcp } => record(&[mcp, Mark::ClientActive]),
        Event::Request { surface } => record(&[Mark::Request(surface)]),
        Event::Error(mark) => record(&[Mark::Error(mark)]),
    }
}

/// The private words of this machine are gathered only for names that the vocabulary does not know.
fn canonical_name(raw: &str) -> String {
    let words = PrivateWords::lazy(machine::private_words);
    clients::canonical(raw, &|name| gate::scan(name, &words).is_some())
}

/// Where a host counts, and for whom.
fn subject(host: &Host, around: &Surroundings) -> Result<Subject, Inert> {
    let flag = host.data_dir.as_ref().map(|path| path.as_os_str());
    let dir = DataDir::resolve(flag, around).map_err(Inert::Directory)?;
    Subject::of_host(dir, host.product.as_ref()).map_err(Inert::Name)
}

/// Starts the background thread, unless there is nothing it could do.
fn spawn(session: &Arc<Session>) {
    if !session.is_storeless() {
        worker::spawn(Arc::clone(session));
    }
}

impl Telemetry {
    /// Decides consent, opens the store, starts the sender. Returns at once.
    pub fn start(host: Host) -> Telemetry {
        let around = Surroundings::of_this_process();
        let session =
            subject(&host, around).map(|subject| Arc::new(Session::new(subject, host, around)));
        let telemetry = Telemetry { session, seen: Seen::new() };
        if let Ok(session) = &telemetry.session
            && session.allowed()
        {
            // Opened here and not in the background, so that the first event is stored and not lost.
            let _ = session.store();
            session.settle(DEADLINE);
            spawn(session);
        }
        if let Ok(session) = &telemetry.session {
            crash::watch(session);
        }
        telemetry
    }

    /// Whether a host like this would record anything if it started now. Nothing is made.
    #[cfg(feature = "record")]
    pub(crate) fn is_allowed(host: &Host) -> bool {
        let around = Surroundings::of_this_process();
        subject(host, around).is_ok_and(|subject| {
            Permission::read(&subject, around).consent.effective != Effective::Off
        })
    }

    /// Whether anything is recorded: telemetry was not off when it was last looked at.
    pub fn is_on(&self) -> bool {
        self.session.as_ref().is_ok_and(|session| session.allowed())
    }

    /// Whether recording this would change nothing, as far as this process knows: atomic loads and a clock.
    pub fn is_known(&self, event: &Event<'_>) -> bool {
        let Ok(session) = &self.session else { return false };
        self.seen.follow(session.opened());
        session.allowed()
            && !session.is_look_due()
            && self.seen.installs.load(Ordering::Acquire) == session.installs()
            && match event {
                Event::ServerConnected => self.seen.has_server(),
                Event::UpstreamResult => self.seen.has_result(),
                Event::ClientActive => self.seen.is_active(machine::now()),
                Event::ClientSeen { name } => {
                    self.seen.has_client(self.seen.hash(name))
                        && self.seen.is_active(machine::now())
                }
                _ => false,
            }
    }

    /// Records one event. Cached atomic loads when there is nothing new, microseconds when there is.
    /// [`Recorded::NoStore`] when telemetry is off: an objection stops what comes a second after it.
    pub fn record(&self, event: Event<'_>) -> Recorded {
        let Ok(session) = &self.session else { return Recorded::NoStore };
        if matches!(event, Event::ServerConnected) {
            session.server_answered();
        }
        if self.is_known(&event) {
            return Recorded::Unchanged;
        }
        let name = match event {
            Event::ClientSeen { name } => Some(self.seen.hash(name)),
            _ => None,
        };
        let is_rare =
            name.is_some() || matches!(event, Event::ServerConnected | Event::UpstreamResult);
        // What comes once in a session is worth a look of its own: it belongs to the install that is current.
        if !(if is_rare { session.look() } else { session.look_if_due() }) {
            return Recorded::NoStore;
        }
        self.follow(session);
        if is_rare && let Some(store) = session.store() {
            // What is cached of these must be of the file that is there now.
            session.note_file(&store);
            self.seen.follow(session.opened());
        }
        let now = machine::now();
        let recorded = write(session, event, now);
        if matches!(recorded, Recorded::Stored | Recorded::Unchanged) {
            if let Some(hash) = name {
                self.seen.add_client(hash);
            }
            match event {
                Event::UpstreamResult => {
                    self.seen.result.store(true, Ordering::Release);
                    if recorded == Recorded::Stored {
                        // On the first day a second heartbeat may be due soon.
                        session.refresh();
                    }
                }
                Event::ClientSeen { .. } | Event::ClientActive => {
                    self.seen.day.store(now / DAY, Ordering::Release);
                }
                _ => {}
            }
            if matches!(event, Event::ServerConnected) {
                self.seen.server.store(true, Ordering::Release);
                // The live counts have just changed.
                session.refresh();
            }
        }
        recorded
    }

    /// Another install than before is told to the background thread, which begins with it at once; after an
    /// objection there is none, and it begins anew.
    fn follow(&self, session: &Arc<Session>) {
        if self.seen.begin_again(session.installs()) {
            let _ = session.store();
            session.settle(DEADLINE);
            session.refresh();
            spawn(session);
        }
    }

    /// Says where live counts come from; asked before each heartbeat and each live mark.
    pub fn provide_live(&self, counts: impl Fn() -> LiveCounts + Send + Sync + 'static) {
        if let Ok(session) = &self.session {
            session.provide_live(Arc::new(counts));
        }
    }

    /// Says that the live counts have changed: a new mark is made soon.
    pub fn live_changed(&self) {
        if let Ok(session) = &self.session {
            session.refresh();
        }
    }

    /// Looks at the config now instead of with a later event: telemetry may have been switched.
    pub fn look_again(&self) {
        let Ok(session) = &self.session else { return };
        if session.look() {
            self.follow(session);
        }
    }

    /// Whether an upstream tool is known to have returned a result. An observer need not look for another.
    #[cfg(feature = "tap")]
    pub(crate) fn has_result(&self) -> bool {
        let Ok(session) = &self.session else { return false };
        self.seen.follow(session.opened());
        self.seen.installs.load(Ordering::Acquire) == session.installs() && self.seen.has_result()
    }

    /// What dropping it does, for a host that shares it: ends the background thread (without waiting for
    /// it), withdraws the mark of this process, and notes that it ended as it was meant to, or by a panic
    /// if this thread is unwinding.
    pub fn stop(&self) {
        let panics = std::thread::panicking();
        self.stop_as(if panics { Ending::Crash } else { Ending::Clean });
    }

    /// As [`Self::stop`], for a host that knows better how it ended. The first word holds.
    pub fn stop_as(&self, ending: Ending) {
        self.stop_with(Some(ending));
    }

    /// As [`Self::stop`], for a host that ended nobody knows how: the heartbeat does not guess.
    #[cfg(feature = "record")]
    pub(crate) fn stop_untold(&self) {
        self.stop_with(None);
    }

    fn stop_with(&self, ending: Option<Ending>) {
        if let Ok(session) = &self.session {
            session.stop();
            session.withdraw(ending);
        }
    }

    /// What to show on the host's own status page. Changes nothing.
    pub fn snapshot(&self) -> Snapshot {
        match &self.session {
            Ok(session) => snapshot::take(session),
            Err(Inert::Directory(error)) => snapshot::blank("data-dir:none", error.to_string()),
            Err(Inert::Name(error)) => snapshot::blank("product:name", error.to_string()),
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.stop();
    }
}

//! The upstream servers of the gateway: which there are, how each is doing, what they offer together.
//!
//! One rule: every server has a task of its own, and nothing one does or fails to do reaches another.

use super::catalog::Catalog;
use super::forward::{CallError, is_modern};
use super::last_lines::LastLines;
use super::offer::Offer;
use super::progress::Routes;
use super::reason::{Diagnosis, Reason};
use super::recorder::{Happened, Recorder};
use super::scrub::Scrubber;
use super::starts::Starts;
use super::tools::Missing;
use super::{scrub, supervisor};
use crate::activation::LiveCounts;
use crate::config::servers::{SEPARATOR, ServerEntry, faults};
use crate::contract::{Protocol, ServerProtocolCounts};
use crate::diagnostics::Code;
use crate::paths::DataDir;
use rmcp::RoleClient;
use rmcp::service::Peer;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

mod restart;

pub use restart::RestartError;

/// How long after the start questions wait for servers that are still being connected.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a call waits for its server to be connected again.
const PATIENCE_OF_CALLS: Duration = Duration::from_secs(10);
/// How long what servers offer waits for others that are still being tried, to be merged with it.
const TOGETHER: Duration = Duration::from_millis(250);

/// How a server is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its entry says so.
    Disabled,
    /// Its entry is wrong.
    Failed(Diagnosis),
    /// It is being connected.
    Connecting,
    /// It answers.
    Connected,
    /// It is not connected, and will be tried again.
    Waiting {
        /// Why.
        why: Diagnosis,
        /// Seconds since 1970.
        retry_at: u64,
    },
    /// It cannot be connected, and is tried again when its entry or its program changes.
    Parked(Diagnosis),
}

impl Status {
    /// The word of the status API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Failed(_) => "failed",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Waiting { .. } => "waiting",
            Self::Parked(_) => "parked",
        }
    }

    /// Why it is not connected.
    pub fn why(&self) -> Option<&Diagnosis> {
        match self {
            Self::Failed(why) | Self::Parked(why) | Self::Waiting { why, .. } => Some(why),
            Self::Disabled | Self::Connecting | Self::Connected => None,
        }
    }

    /// What becomes of it, of one that is not connected.
    pub fn then(&self) -> &'static str {
        match self {
            Self::Disabled => "its entry in the config says so",
            Self::Failed(_) => "its entry in the config has to be repaired",
            Self::Parked(_) => "it is tried again when its entry or its program has changed",
            Self::Connecting | Self::Connected | Self::Waiting { .. } => {
                "it is tried again by itself"
            }
        }
    }
}

/// A server that answers.
pub struct Live {
    /// How it is asked.
    pub peer: Peer<RoleClient>,
    /// Where progress goes.
    pub routes: Routes,
    /// What it offers.
    pub offer: Arc<Offer>,
}

/// One upstream server.
pub struct Server {
    /// As the config has it.
    pub entry: ServerEntry,
    /// Its name, shared.
    pub name: Arc<str>,
    /// What it wrote on standard error.
    pub lines: Arc<LastLines>,
    /// Cancelled when its entry is gone or changed.
    pub(super) stop: CancellationToken,
    /// Cancelled when nothing of it lives any more.
    pub(super) over: CancellationToken,
    /// Woken when a call makes one doubt that it still answers.
    pub(super) suspect: Notify,
    /// Woken when somebody needs it who does not want to wait.
    pub(super) needed: Notify,
    /// How many attempts to connect it have ended.
    pub(super) attempts: watch::Sender<u64>,
    state: Mutex<State>,
}

/// What is known of a server.
struct State {
    status: Status,
    live: Option<Arc<Live>>,
    /// Why it is not connected, also while it is tried again.
    standing: Option<Code>,
    /// Why the last call came to no answer of its.
    call: Option<CallError>,
}

impl Server {
    /// `before`: the code that stands for the server whose place it takes. It stands on until something is known of
    /// this one, so that another try is no change.
    fn new(entry: ServerEntry, stop: CancellationToken, before: Option<Code>) -> Self {
        let status = match entry.trouble() {
            _ if !entry.enabled => Status::Disabled,
            Some(error) => Status::Failed(Reason::Entry(error).into()),
            None => Status::Connecting,
        };
        let name = entry.name.as_str().into();
        let standing = match &status {
            Status::Connecting => before,
            status => status.why().map(Diagnosis::code),
        };
        let state = Mutex::new(State { status, live: None, standing, call: None });
        let over = CancellationToken::new();
        let (suspect, needed) = (Notify::new(), Notify::new());
        let lines = Arc::new(LastLines::new(Scrubber::of(&entry, &scrub::variables())));
        let attempts = watch::Sender::new(0);
        Self { entry, name, lines, stop, over, suspect, needed, attempts, state }
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        self.state().status.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its connection, if it answers.
    pub fn live(&self) -> Option<Arc<Live>> {
        self.state().live.clone()
    }

    /// A call failed in a way that makes one doubt that it still answers.
    pub fn doubt(&self) {
        self.suspect.notify_one();
    }

    /// An attempt to connect it has ended, well or not.
    pub(super) fn attempted(&self) {
        self.attempts.send_modify(|count| *count += 1);
    }

    /// Takes over what became of a call: none, if its server answered it. The code, if it is another one than that of
    /// the call before.
    fn called(&self, error: Option<CallError>) -> Option<Code> {
        let code = |error: &Option<CallError>| error.as_ref().and_then(CallError::code);
        let mut state = self.state();
        let before = code(&state.call);
        state.call = error;
        code(&state.call).filter(|code| before != Some(*code))
    }

    /// The code of what is wrong with it, also while it is tried again.
    fn standing(&self) -> Option<Code> {
        let standing = self.state().standing;
        standing.or_else(|| Some(self.trouble()?.0))
    }

    /// What is wrong with it now: its code, and a sentence.
    pub fn trouble(&self) -> Option<(Code, String)> {
        let state = self.state();
        if let Some(why) = state.status.why() {
            return Some((why.code(), why.to_string()));
        }
        let call = state.call.as_ref().and_then(|call| Some((call.code()?, call.to_string())));
        let faults = || {
            let faults = &state.live.as_ref()?.offer.faults;
            Some((faults.code()?, faults.to_string()))
        };
        call.or_else(faults)
    }

    /// Tries at once to connect it if it waits to be tried again, and waits for what comes of it.
    pub async fn connect_now(&self) {
        let mut attempts = self.attempts.subscribe();
        let before = *attempts.borrow_and_update();
        match self.status() {
            Status::Waiting { .. } => self.needed.notify_one(),
            Status::Connecting => {}
            _ => return,
        }
        let ended = attempts.wait_for(|ended| *ended > before);
        let _ = tokio::time::timeout(PATIENCE_OF_CALLS, ended).await;
    }

    /// The protocol as counted.
    pub fn protocol(&self) -> Protocol {
        self.entry.spoken()
    }
}

/// All upstream servers.
pub struct Hub {
    servers: RwLock<Vec<Arc<Server>>>,
    /// Those whose entry is gone and whose processes may not be.
    leaving: Mutex<Vec<Arc<Server>>>,
    catalog: watch::Sender<Arc<Catalog>>,
    stale: Notify,
    /// How often something changed, and up to which change the catalog is merged.
    changes: AtomicU64,
    merged: watch::Sender<u64>,
    /// Up to which change it has to be merged before questions are answered: servers that came or went. What servers
    /// that stay change is found once it is merged.
    awaited: AtomicU64,
    hurry: Notify,
    started: Instant,
    /// First attempts that have not ended.
    starting: watch::Sender<usize>,
    pub(super) recorder: Arc<Recorder>,
    /// Where what is off in what servers offer is kept.
    faults_in: OnceLock<DataDir>,
    pub(super) show_stderr: bool,
    /// How often a server behind HTTP is asked whether it is there.
    pub(super) look: Duration,
    pub(super) starts: Starts,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Hub {
    /// Without servers. `show_stderr`: what child processes write there goes to ours.
    pub fn new(recorder: Arc<Recorder>, show_stderr: bool) -> Arc<Self> {
        Self::looking(recorder, show_stderr, supervisor::LOOK)
    }

    /// The same, with another time between looks.
    pub(super) fn looking(recorder: Arc<Recorder>, show_stderr: bool, look: Duration) -> Arc<Self> {
        let hub = Arc::new(Self {
            servers: RwLock::default(),
            leaving: Mutex::default(),
            catalog: watch::Sender::new(Arc::new(Catalog::new(Vec::new()))),
            stale: Notify::new(),
            changes: AtomicU64::new(0),
            merged: watch::Sender::new(0),
            awaited: AtomicU64::new(0),
            hurry: Notify::new(),
            started: Instant::now(),
            starting: watch::Sender::new(0),
            recorder,
            faults_in: OnceLock::new(),
            show_stderr,
            look,
            starts: Starts::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        hub.tasks.spawn(merge(hub.clone()));
        hub
    }

    /// Keeps what is off in what servers offer in this data directory as well.
    pub fn keep_faults_in(&self, dir: DataDir) {
        let _ = self.faults_in.set(dir);
    }

    /// Takes over what is off in what `server` offers.
    pub(super) fn note_faults(&self, server: &Server, faults: Vec<String>) {
        let Some(dir) = self.faults_in.get().cloned() else { return };
        let name = server.name.clone();
        let all: Vec<Arc<str>> = self.servers().iter().map(|server| server.name.clone()).collect();
        tokio::task::spawn_blocking(move || {
            faults::keep(&dir, &name, faults, &all.iter().map(|name| &**name).collect::<Vec<_>>());
        });
    }

    /// The servers, in the order of the config.
    pub fn servers(&self) -> Vec<Arc<Server>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server of that name.
    pub fn server(&self, name: &str) -> Option<Arc<Server>> {
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        servers.iter().find(|server| *server.name == *name).cloned()
    }

    /// Whether the server of that name speaks the modern era.
    pub fn is_modern(&self, name: &str) -> bool {
        let live = self.server(name).and_then(|server| server.live());
        let info = live.and_then(|live| live.peer.peer_info());
        is_modern(info.map(|info| info.protocol_version.clone()).as_ref())
    }

    /// What all of them offer, as far as it is merged.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.borrow().clone()
    }

    /// Tells when the catalog has become another one.
    pub fn catalogs(&self) -> watch::Receiver<Arc<Catalog>> {
        self.catalog.subscribe()
    }

    /// The tool of that full name as its server offers it now, merged or not: the server, and its own name for it.
    pub fn tool_now(&self, full_name: &str) -> Option<(String, String)> {
        let (server, tool) = full_name.split_once(SEPARATOR)?;
        let live = self.server(server)?.live()?;
        let is_there = live.offer.tools.iter().any(|offered| offered.name == tool);
        is_there.then(|| (server.to_owned(), tool.to_owned()))
    }

    /// Makes the servers those of `entries`: an entry that stayed the same keeps its connection.
    pub fn apply(self: &Arc<Self>, entries: Vec<ServerEntry>) {
        let mut started = Vec::new();
        {
            let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
            let mut before = std::mem::take(&mut *servers);
            for entry in entries {
                let kept = before.iter().position(|server| server.entry == entry);
                let server = match kept {
                    Some(at) => before.swap_remove(at),
                    None => {
                        let old = before.iter().find(|server| *server.name == *entry.name);
                        let stood = old.and_then(|server| server.state().standing);
                        let server = Server::new(entry, self.stop.child_token(), stood);
                        let server = Arc::new(server);
                        started.push((server.clone(), stood));
                        server
                    }
                };
                servers.push(server);
            }
            before.iter().for_each(|gone| gone.stop.cancel());
            self.leaving.lock().unwrap_or_else(PoisonError::into_inner).extend(before);
        }
        for (server, stood) in started {
            match server.status() {
                Status::Connecting => {
                    self.starting.send_modify(|count| *count += 1);
                    let before = self.leaving_as(&server.name);
                    self.tasks.spawn(supervisor::run(self.clone(), server, before));
                }
                status => {
                    if let Status::Failed(why) = status {
                        warn!(server = %server.name, "server not used: {why}");
                        if stood != Some(why.code()) {
                            self.recorder.record(Happened::ErrorCode(why.code()));
                        }
                    }
                    server.over.cancel();
                }
            }
        }
        self.changed();
    }

    /// Tells when the earlier servers of this name are over.
    fn leaving_as(&self, name: &str) -> Vec<CancellationToken> {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|server| !server.over.is_cancelled());
        let same = leaving.iter().filter(|server| *server.name == *name);
        same.map(|server| server.over.clone()).collect()
    }

    /// What all of them offer, once every server was tried: a client that starts the gateway asks it at
    /// once. Not beyond [`PATIENCE`] after the start, so that a slow server delays only the first questions.
    pub async fn settled(&self) -> Arc<Catalog> {
        if !self.is_starting() && *self.merged.borrow() >= self.awaited.load(Ordering::Acquire) {
            return self.catalog();
        }
        let mut starting = self.starting.subscribe();
        let tried = starting.wait_for(|count| *count == 0);
        let _ = tokio::time::timeout_at(self.started + PATIENCE, tried).await;
        let known = self.awaited.load(Ordering::Acquire);
        let mut merged = self.merged.subscribe();
        let _ = tokio::time::timeout(PATIENCE, merged.wait_for(|up_to| *up_to >= known)).await;
        self.catalog()
    }

    /// The servers that are not searched, and why.
    pub fn missing(&self) -> Missing {
        let of = |server: &Arc<Server>| {
            let status = server.status();
            let why = status.why()?;
            Some((server.name.clone(), why.code(), why.to_string()))
        };
        Missing {
            is_starting: self.is_starting(),
            offline: self.servers().iter().filter_map(of).collect(),
        }
    }

    /// Whether some server was not tried yet.
    pub fn is_starting(&self) -> bool {
        *self.starting.borrow() > 0
    }

    pub(super) fn first_attempt_ended(&self) {
        self.starting.send_modify(|count| *count = count.saturating_sub(1));
        self.recorder.telemetry().live_changed();
    }

    /// Takes over how `server` is doing.
    pub(super) fn set(&self, server: &Server, status: Status, live: Option<Arc<Live>>) {
        let entered = {
            let mut state = server.state();
            let before = state.standing;
            match status.why().map(Diagnosis::code) {
                Some(code) => state.standing = Some(code),
                // While it is tried again, what was wrong stands.
                None if status != Status::Connecting => state.standing = None,
                None => {}
            }
            state.call.take_if(|_| live.is_none());
            (state.status, state.live) = (status, live);
            state.standing.filter(|code| before != Some(*code))
        };
        if let Some(code) = entered {
            self.recorder.record(Happened::ErrorCode(code));
        }
        self.changed();
    }

    /// Takes over what became of a call to `server`: none, if it answered.
    pub(super) fn called(&self, server: &Server, error: Option<CallError>) {
        if let Some(code) = server.called(error) {
            self.recorder.record(Happened::ErrorCode(code));
        }
    }

    /// How many servers have each code now.
    fn standing(&self) -> Vec<(Code, u32)> {
        let mut counts = BTreeMap::new();
        for code in self.servers().iter().filter_map(|server| server.standing()) {
            *counts.entry(code).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// Takes over what `server`, which stays connected, offers now. No question waits for that.
    pub(super) fn refreshed(&self, server: &Server, live: Live) {
        {
            let mut state = server.state();
            (state.status, state.live) = (Status::Connected, Some(Arc::new(live)));
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.stale.notify_one();
        self.recorder.telemetry().live_changed();
    }

    fn changed(&self) {
        let change = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        self.awaited.fetch_max(change, Ordering::AcqRel);
        self.stale.notify_one();
        self.hurry.notify_one();
        self.recorder.telemetry().live_changed();
    }

    /// What the heartbeat says of the servers: nothing of how many answer, and with what, before each was tried.
    pub fn known_counts(&self) -> LiveCounts {
        let counts = self.counts();
        if self.is_starting() {
            return LiveCounts { connected_server_count: None, tool_count: None, ..counts };
        }
        counts
    }

    /// The servers, true at this moment.
    pub fn counts(&self) -> LiveCounts {
        let servers = self.servers();
        let live: Vec<_> = servers.iter().filter_map(|server| server.live()).collect();
        let mut protocols = ServerProtocolCounts::default();
        for server in &servers {
            *protocols.of(server.protocol()) += 1;
        }
        LiveCounts {
            server_count: Some(servers.len() as u64),
            connected_server_count: Some(live.len() as u64),
            tool_count: Some(live.iter().map(|live| live.offer.tools.len() as u64).sum()),
            server_protocol_counts: Some(protocols),
            // Counted where waiting for a disk is no harm: by whoever asks for a heartbeat.
            configured_ide_count: 0,
            current_error_codes: self.standing().into(),
        }
    }

    /// Ends all connections; whatever does not end in time is left behind.
    pub async fn close(&self, within: Duration) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(within, self.tasks.wait()).await;
    }
}

/// Keeps the catalog: changes that come together are merged together, and what changes nothing that is
/// offered makes no new one.
async fn merge(hub: Arc<Hub>) {
    let mut merged: Offers = Vec::new();
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = hub.stale.notified() => {}
        }
        // At the start every server would make an index over those before it, and the last would wait for
        // that; who asks then waits for all of them anyway.
        let mut starting = hub.starting.subscribe();
        tokio::select! {
            () = hub.stop.cancelled() => return,
            _ = tokio::time::timeout(TOGETHER, starting.wait_for(|count| *count == 0)) => {}
        }
        let up_to = hub.changes.load(Ordering::Acquire);
        let live = |server: &Arc<Server>| Some((server.name.clone(), server.live()?.offer.clone()));
        let offers: Offers = hub.servers().iter().filter_map(live).collect();
        let began = Instant::now();
        let is_new = !is_same(&offers, &merged);
        if is_new {
            merged.clone_from(&offers);
            // An index over thousands of tools takes a while.
            if let Ok(catalog) = tokio::task::spawn_blocking(|| Catalog::new(offers)).await {
                hub.catalog.send_replace(Arc::new(catalog));
            }
        }
        hub.merged.send_replace(up_to);
        if is_new {
            // Servers that change without end get one part in five of a processor.
            tokio::select! {
                () = hub.stop.cancelled() => return,
                () = hub.hurry.notified() => {}
                () = tokio::time::sleep(began.elapsed() * 4) => {}
            }
        }
    }
}

type Offers = Vec<(Arc<str>, Arc<Offer>)>;

fn is_same(one: &Offers, other: &Offers) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|((name, offer), (other_name, other))| {
            name == other_name && (Arc::ptr_eq(offer, other) || offer == other)
        })
}

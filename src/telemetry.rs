//! The facade that hosts embed: start, record, live counts, snapshot, drop.
//!
//! One rule: it never fails, delays or outlives its host. Without a data directory, without consent or
//! without a store it does nothing, quietly.

use crate::activation::{BuiltinTool, Mark, Recorded, Surface, clients};
use crate::consent::{Consent, Effective};
use crate::contract::{
    Activation, EnvKind, EnvMarkers, LaunchSource, RoutingMode, ServerProtocolCounts,
};
use crate::gate;
use crate::heartbeat::session::{Look, Session};
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;
use std::cell::OnceCell;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a host says about itself when it starts telemetry.
#[derive(Clone, Debug)]
pub struct Host {
    /// How it routes: decides its priority as a sender (`Tap` yields to a live gateway).
    pub routing_mode: RoutingMode,
    /// `--data-dir`, or `None` for the default.
    pub data_dir: Option<PathBuf>,
    /// How the host was launched, when it knows.
    pub launched_by: Option<LaunchSource>,
}

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
    /// A discovery tool answered. Counts as a request over MCP; in a gateway also as a call of its own
    /// `retrieve_tools`.
    Discovery {
        /// Tools that were searched, if the answer told.
        indexed: Option<u64>,
        /// Tools that were returned, if the answer told.
        returned: Option<u64>,
    },
    /// Any other tool of an upstream server was called. Counts as a request over MCP.
    UpstreamCall,
    /// A gateway's own tool was called, other than through one of the events above.
    BuiltinCall {
        /// Which.
        tool: BuiltinTool,
    },
    /// A request arrived that no event above stands for.
    Request {
        /// Where.
        surface: Surface,
    },
}

/// What only the live host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Configured servers.
    pub server_count: Option<u64>,
    /// Servers that answer.
    pub connected_server_count: Option<u64>,
    /// Tools of all servers.
    pub tool_count: Option<u64>,
    /// Servers by protocol.
    pub server_protocol_counts: Option<ServerProtocolCounts>,
    /// IDE configurations that hold our entry.
    pub configured_ide_count: u64,
}

/// What a host shows on its own status page.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Whether telemetry is on, and the rule that decided.
    pub consent: Consent,
    /// The install's id, once it has one.
    pub anonymous_id: Option<String>,
    /// The environment.
    pub env_kind: EnvKind,
    /// The markers behind it.
    pub env_markers: EnvMarkers,
    /// As the next heartbeat would say it, installer overlay included.
    pub launch_source: LaunchSource,
    /// Whether we start at login.
    pub autostart_enabled: Option<bool>,
    /// The funnel, as the next heartbeat would say it; `None` without a store.
    pub activation: Option<Activation>,
    /// The last recorded acknowledgement, seconds since 1970.
    pub last_heartbeat: Option<u64>,
    /// When the next heartbeat is due, seconds since 1970; `None` when none is scheduled.
    pub next_heartbeat: Option<u64>,
    /// Failed attempts since the last acknowledgement.
    pub failures: u32,
    /// Payloads that the anonymity gate refused.
    pub anonymity_violations: u64,
}

/// Telemetry of one host process. Never fails the host; inert when telemetry is off.
///
/// Share it between threads by reference or in an `Arc`; dropping it stops it, and never waits.
pub struct Telemetry {
    session: Option<Arc<Session>>,
    seen: Seen,
}

/// What this process has stored before, so that saying it again costs an atomic load.
struct Seen {
    server: AtomicBool,
    /// Keyed hashes of raw client names; 0 is free.
    clients: [AtomicU64; 8],
    hasher: RandomState,
}

impl Telemetry {
    /// Decides consent, opens the store, starts the sender. Returns at once.
    pub fn start(host: Host) -> Telemetry {
        let around = Surroundings::of_this_process();
        let flag = host.data_dir.as_ref().map(|path| path.as_os_str());
        let session = match DataDir::resolve(flag, around) {
            Ok(dir) => Some(Arc::new(Session::new(dir, host, around))),
            Err(_) => None,
        };
        let telemetry = Telemetry { session, seen: Seen::new() };
        if let Some(session) = telemetry.session.as_ref().filter(|session| session.allowed()) {
            // Opened here and not in the background, so that the first event is stored and not lost.
            let _ = session.store();
            spawn(session);
        }
        telemetry
    }

    /// Whether anything is recorded: telemetry was not off when it was last looked at.
    pub fn is_on(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.allowed())
    }

    /// Records one event. A cached atomic load when there is nothing new, microseconds when there is.
    /// [`Recorded::NoStore`] when telemetry is off.
    pub fn record(&self, event: Event<'_>) -> Recorded {
        let Some(session) = &self.session else { return Recorded::NoStore };
        let name = match event {
            Event::ServerConnected if session.allowed() && self.seen.has_server() => {
                return Recorded::Unchanged;
            }
            Event::ClientSeen { name } => Some(self.seen.hash(name)),
            _ => None,
        };
        if name.is_some_and(|hash| session.allowed() && self.seen.has_client(hash)) {
            return Recorded::Unchanged;
        }
        match session.look() {
            Look::Off => return Recorded::NoStore,
            Look::Same => {}
            Look::OtherInstall => self.seen.forget(),
            Look::Resumed => {
                self.seen.forget();
                spawn(session);
            }
        }
        let Some(store) = session.store() else { return Recorded::NoStore };
        let recorded = write(session, &store, event);
        if matches!(recorded, Recorded::Stored | Recorded::Unchanged) {
            if let Some(hash) = name {
                self.seen.add_client(hash);
            }
            if matches!(event, Event::ServerConnected) {
                self.seen.server.store(true, Ordering::Release);
                // The live counts have just changed.
                session.refresh();
            }
        }
        recorded
    }

    /// Says where live counts come from; asked before each heartbeat and each live mark.
    pub fn provide_live(&self, counts: impl Fn() -> LiveCounts + Send + Sync + 'static) {
        if let Some(session) = &self.session {
            session.provide_live(Arc::new(counts));
        }
    }

    /// What to show on the host's own status page. Changes nothing.
    pub fn snapshot(&self) -> Snapshot {
        snapshot::take(self.session.as_deref())
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.stop();
            session.withdraw();
        }
    }
}

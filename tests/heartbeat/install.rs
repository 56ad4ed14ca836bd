//! One install in a temporary directory, with a receiver and a clock of its own.

use crate::receiver::{Receiver, Reply};
use mcpproxy::activation::{LiveCounts, LiveProcess, State, Store};
use mcpproxy::contract::{AgentEnv, EnvKind, EnvMarkers, LaunchSource, RoutingMode};
use mcpproxy::heartbeat::attempt::{Attempt, Outcome};
use mcpproxy::heartbeat::live::{self, Live};
use mcpproxy::heartbeat::preview::Preview;
use mcpproxy::heartbeat::schedule::{self, HostStart};
use mcpproxy::heartbeat::timing::Timing;
use mcpproxy::identity::{self, Identity};
use mcpproxy::machine::{Surroundings, Variable};
use mcpproxy::paths::DataDir;
use mcpproxy::products::Subject;
use std::cell::Cell;

/// 2026-11-22T09:00:00Z
pub const MORNING: u64 = 1_795_338_000;

/// An install whose first heartbeat is due, on a clock that begins at [`MORNING`].
pub struct Install {
    pub dir: DataDir,
    pub store: Store,
    pub receiver: Receiver,
    pub around: Surroundings,
    pub clock: Cell<u64>,
    pub timing: Timing,
    _home: tempfile::TempDir,
}

/// What is shown of the next heartbeat.
#[derive(Debug, PartialEq)]
pub struct Shown {
    pub bytes: Vec<u8>,
    pub pending: bool,
    pub provisional_id: bool,
}

/// What a tap would say about itself.
pub fn live() -> Live {
    Live {
        routing_mode: Some(RoutingMode::Tap),
        started_at: None,
        process: LiveProcess {
            launch_source: LaunchSource::Cli,
            autostart_enabled: Some(false),
            env_kind: EnvKind::Interactive,
            env_markers: EnvMarkers { has_tty: true, ..EnvMarkers::default() },
            agent_env: AgentEnv::None,
        },
        counts: LiveCounts {
            server_count: Some(1),
            connected_server_count: Some(1),
            ..LiveCounts::default()
        },
    }
}

/// Variables of a process that has only these.
pub fn surroundings(own: &[(&str, &str)]) -> Surroundings {
    let variable = |(name, value): &(&str, &str)| Variable {
        origin: 0,
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    Surroundings {
        variables: own.iter().map(variable).collect(),
        ancestors_readable: true,
        terminal: None,
    }
}

impl Install {
    pub fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::sending_to(Receiver::start(script), None)
    }

    /// `endpoint` instead of the receiver's.
    pub fn sending_to(receiver: Receiver, endpoint: Option<&str>) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let dir = DataDir::at(home.path().join("data"));
        let now = MORNING;
        let identity = identity::ensure(&dir, now).expect("an id");
        let store = Store::open(&dir, now).expect("a store");
        let endpoint = endpoint.map_or_else(|| receiver.endpoint(), str::to_owned);
        let around = surroundings(&[("MCPPROXY_TELEMETRY_ENDPOINT", &endpoint)]);
        let install = Self {
            dir,
            store,
            receiver,
            around,
            clock: Cell::new(now),
            timing: Timing::default(),
            _home: home,
        };
        install.started(&identity, now - 1000);
        install
    }

    fn started(&self, identity: &Identity, at: u64) {
        let start = HostStart {
            identity,
            version: mcpproxy::build_info::VERSION,
            installer_stamp: None,
            initial_delay: 300,
            started_at: at,
        };
        self.change(|state| {
            schedule::host_started(state, &start, at);
            state.install.notice_shown_at = at;
        });
    }

    /// A host starts, and has said so in the store.
    pub fn starts_a_host(&self) {
        let identity = identity::ensure(&self.dir, self.clock.get()).expect("the id");
        self.started(&identity, self.clock.get());
    }

    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.store.update(false, change).expect("a store that answers")
    }

    pub fn state(&self) -> State {
        self.store.read().expect("a store that answers")
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.set(self.clock.get() + seconds);
    }

    pub fn attempt(&self) -> Outcome {
        self.attempt_as(7, false, &|_| live())
    }

    pub fn attempt_as(&self, nonce: u64, force: bool, live: &dyn Fn(&State) -> Live) -> Outcome {
        self.attempt_with(nonce, force, live, &|| false)
    }

    /// `stopped` is asked when the bytes are stored and the connection is not yet opened.
    pub fn attempt_with(
        &self,
        nonce: u64,
        force: bool,
        live: &dyn Fn(&State) -> Live,
        stopped: &dyn Fn() -> bool,
    ) -> Outcome {
        let clock = || self.clock.get();
        let attempt = Attempt {
            subject: &Subject::own(self.dir.clone()),
            store: &self.store,
            around: &self.around,
            timing: self.timing,
            nonce,
            asked_at: force.then(|| self.clock.get()),
            running_since: None,
            clock: &clock,
            stopped,
        };
        attempt.run(live)
    }

    pub fn preview(&self) -> Shown {
        let (subject, now) = (Subject::own(self.dir.clone()), self.clock.get());
        let sender = |state: &State| live::live_host(state, now).map_or_else(live, Live::from);
        let preview = Preview::read_as(&subject, None, &self.around, sender, now);
        Shown {
            bytes: preview.bytes(),
            pending: preview.pending().is_some(),
            provisional_id: preview.has_provisional_id(),
        }
    }

    pub fn disable(&self) {
        disable(&self.dir);
    }
}

/// What `telemetry disable` does to the config.
pub fn disable(dir: &DataDir) {
    let path = dir.config();
    let text = std::fs::read_to_string(&path).expect("a config");
    let text = text.replacen("\"anonymous_id\"", "\"enabled\":false,\"anonymous_id\"", 1);
    std::fs::write(path, text).expect("a config that can be written");
}

/// A member of a payload.
pub fn member(body: &[u8], pointer: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    value.pointer(pointer).cloned().unwrap_or_default()
}

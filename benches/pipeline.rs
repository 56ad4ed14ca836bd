//! What telemetry costs its host, step by step, each beside what it is compared with.
//!
//! `cargo bench --bench pipeline` prints medians of one run; what is compared takes turns, so that a
//! noisy machine is noisy for both. The store lives in the current temporary directory: `TMPDIR` chooses
//! the file system.

use mcpproxy::activation::{LiveProcess, Mark, State, Store, state::Counters};
use mcpproxy::build_info;
use mcpproxy::contract::{AgentEnv, EnvKind, EnvMarkers, LaunchSource, Product, RoutingMode};
use mcpproxy::contract::{BuiltinTool, Surface};
use mcpproxy::environment::{Evidence, OsKind, classify};
use mcpproxy::gate::{self, PrivateWords};
use mcpproxy::heartbeat::assemble::{self, ClientPolicy};
use mcpproxy::heartbeat::live::Live;
use mcpproxy::identity::Identity;
use mcpproxy::machine::{LiveEvidence, Surroundings};
use mcpproxy::paths::DataDir;
use mcpproxy::{Event, Host, LiveCounts, Telemetry};
use mcpproxy_platform::lmdb::plain::Plain;
use mcpproxy_platform::lmdb::{Environment, Failure, Transaction};
use std::borrow::Cow;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// Rounds of turns, and the calls whose mean is one sample.
const ROUNDS: usize = 400;
const NOW: u64 = 1_790_000_000;

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    classification();
    payload();
    store(directory.path());
    events(directory.path());
}

/// One thing that is measured: its name, how many calls make a sample, and what makes them.
struct Subject<'a> {
    name: &'static str,
    calls: u32,
    /// Loops itself: a call through a pointer would cost more than some of what is measured.
    run: Box<dyn FnMut(u32) + 'a>,
    /// What the subjects after it are compared with.
    is_yardstick: bool,
    /// Microseconds of one call.
    samples: Vec<f64>,
}

impl<'a> Subject<'a> {
    fn new(name: &'static str, calls: u32, mut call: impl FnMut() + 'a) -> Self {
        let run = move |calls| (0..calls).for_each(|_| call());
        Self { name, calls, run: Box::new(run), is_yardstick: false, samples: Vec::new() }
    }

    fn yardstick(name: &'static str, calls: u32, call: impl FnMut() + 'a) -> Self {
        Self { is_yardstick: true, ..Self::new(name, calls, call) }
    }

    fn sample(&mut self) {
        let start = Instant::now();
        (self.run)(self.calls);
        self.samples.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(self.calls));
    }

    /// The median in microseconds.
    fn median(&mut self) -> f64 {
        self.samples.sort_unstable_by(f64::total_cmp);
        self.samples.get(self.samples.len() / 2).copied().unwrap_or_default()
    }
}

/// Measures the subjects in turns, and compares each with the first and with every yardstick.
fn compare(title: &str, mut subjects: Vec<Subject<'_>>) {
    for subject in &mut subjects {
        subject.sample();
        subject.samples.clear();
    }
    for _ in 0..ROUNDS {
        subjects.iter_mut().for_each(Subject::sample);
    }
    println!("{title}");
    let mut bases = Vec::new();
    for (index, subject) in subjects.iter_mut().enumerate() {
        let median = subject.median();
        if index == 0 || subject.is_yardstick {
            bases.push(median);
        }
        let (figure, unit) = if median < 0.1 { (median * 1e3, "ns") } else { (median, "us") };
        print!("  {:54} {figure:>7.2} {unit}", subject.name);
        bases.iter().for_each(|base| print!("  {:>6.2} x", median / base));
        println!();
    }
}

/// This machine without the files of `/proc` that cost most and without marker files, so that every
/// machine answers the same questions; `full` reads them all.
struct Reduced<'a> {
    live: LiveEvidence<'a>,
    full: bool,
}

impl Evidence for Reduced<'_> {
    fn variables(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.live.variables(visit);
    }
    fn path_exists(&self, path: &str) -> bool {
        // Asked for its cost; a container's answer would spare the dearer questions.
        black_box(self.live.path_exists(path));
        false
    }
    fn file(&self, path: &str) -> Option<Cow<'_, str>> {
        black_box(self.live.file(path));
        None
    }
    fn cgroup(&self) -> Option<Cow<'_, str>> {
        // Read anew: the product reads it once per process, a bench must not profit from that.
        self.full.then(|| std::fs::read_to_string("/proc/self/cgroup").ok().map(Cow::Owned))?
    }
    fn mountinfo(&self) -> Option<Cow<'_, str>> {
        self.full.then(|| self.live.mountinfo())?
    }
    fn display_socket(&self) -> Option<Cow<'_, str>> {
        self.live.display_socket()
    }
    fn os(&self) -> OsKind {
        self.live.os()
    }
    fn stdin_is_terminal(&self) -> bool {
        self.live.stdin_is_terminal()
    }
    fn controlling_terminal(&self) -> Option<usize> {
        self.live.controlling_terminal()
    }
    fn os_release(&self) -> Option<Cow<'_, str>> {
        self.live.os_release()
    }
}

fn classification() {
    let run = |around: &Surroundings, full: bool| {
        let evidence = Reduced { live: LiveEvidence::new(around), full };
        black_box(classify(&evidence));
    };
    compare(
        "classification of this machine",
        vec![
            Subject::new("own environment, files, terminal", 20, || {
                run(&Surroundings::read_own(), false);
            }),
            Subject::new("with ancestors, cgroup and mountinfo", 20, || {
                run(&Surroundings::read(), true);
            }),
        ],
    );
}

fn payload() {
    let identity = Identity {
        anonymous_id: "3f0c9f7e-8f0e-4c5a-9d7b-0c1b2a3d4e5f".to_owned(),
        created_at: "2026-11-22T14:46:00Z".to_owned(),
        rotated_from: None,
        carried_over: false,
    };
    let product = Product::own(build_info::VERSION);
    let mut state = State { counters: Counters::default(), ..State::default() };
    for name in ["claude-code", "cursor-vscode", "vscode", "zed"] {
        state.apply(&Mark::Client(name), NOW);
    }
    for hour in 0..24 {
        let mark = Mark::Discovery { indexed: Some(200), returned: Some(5) };
        state.apply(&mark, NOW - hour * 3600);
    }
    let live = Live {
        routing_mode: Some(RoutingMode::Tap),
        started_at: Some(NOW - 7200),
        process: LiveProcess {
            launch_source: LaunchSource::Unknown,
            autostart_enabled: Some(false),
            env_kind: EnvKind::Interactive,
            env_markers: EnvMarkers::default(),
            agent_env: AgentEnv::None,
        },
        counts: LiveCounts {
            server_count: Some(1),
            connected_server_count: Some(1),
            ..LiveCounts::default()
        },
    };
    let policy = ClientPolicy::default();
    let private = PrivateWords::default();
    let pending = assemble::pending(&product, &state, &identity, &live, &policy, NOW);
    let own = assemble::own(&pending, &product, &identity);
    compare(
        "one heartbeat",
        vec![
            Subject::new("assemble, encode and gate", 20, || {
                let pending = assemble::pending(&product, &state, &identity, &live, &policy, NOW);
                gate::check(&pending.bytes, Some(&own), &private).expect("a clean payload");
            }),
            Subject::new("of it, assemble and encode", 20, || {
                black_box(assemble::pending(&product, &state, &identity, &live, &policy, NOW));
            }),
            Subject::new("of it, the gate", 20, || {
                gate::check(&pending.bytes, Some(&own), &private).expect("a clean payload");
            }),
        ],
    );
}

fn store(directory: &Path) {
    let dir = DataDir::at(directory.join("data"));
    let store = Store::open(&dir, NOW).expect("a store");
    // Flags first: they are synced to disk, once in the life of an install.
    store.record(Mark::Discovery { indexed: None, returned: None }, NOW);
    store.record(Mark::ServerConnected, NOW);
    store.record(Mark::Client("zed"), NOW);

    let wait = Duration::from_secs(1);
    let mut unlocked = bare(&directory.join("bare"));
    let mut session = unlocked.lock(wait).expect("its lock");
    session.ready().expect("a sound file");
    std::fs::create_dir(directory.join("plain")).expect("a directory");
    let plain = Plain::at(&directory.join("plain")).expect("an environment");
    // As deep as the store: the look walks the whole path.
    let mut locked = bare(&directory.join("locked/telemetry"));
    let mut counts = [0; 3];
    let [count, plain_count, locked_count] = &mut counts;
    compare(
        "one event that changes something",
        vec![
            Subject::yardstick(
                "LMDB, no lock at all: begin, get, put 16 bytes, commit",
                20,
                || {
                    session.write(|transaction| raise(transaction, count)).expect("a commit");
                },
            ),
            Subject::yardstick("LMDB with its own lock: the same", 20, || {
                plain.write(|transaction| raise(transaction, plain_count)).expect("a commit");
            }),
            Subject::new("LMDB with our lock and look at the file: the same", 20, || {
                let mut session = locked.lock(wait).expect("its lock");
                session.ready().expect("the same file");
                session.write(|transaction| raise(transaction, locked_count)).expect("a commit");
            }),
            Subject::new("record an upstream call", 20, || {
                black_box(store.record(Mark::UpstreamCall, NOW));
            }),
            Subject::new("record a discovery call", 20, || {
                let mark = Mark::Discovery { indexed: Some(200), returned: Some(5) };
                black_box(store.record(mark, NOW));
            }),
        ],
    );
    compare(
        "one event that changes nothing",
        vec![
            Subject::new("record a server that is connected already", 100_000, || {
                black_box(store.record(Mark::ServerConnected, NOW));
            }),
            Subject::new("record a client that was seen already", 100_000, || {
                black_box(store.record(Mark::Client("zed"), NOW));
            }),
        ],
    );
}

/// What the hosts call: one public function, which decides consent, the install and what the event means.
fn events(directory: &Path) {
    let start = |name: &str, routing_mode| {
        let data_dir = Some(directory.join(name));
        let telemetry =
            Telemetry::start(Host { routing_mode, data_dir, launched_by: None, product: None });
        assert!(telemetry.is_on(), "an objection in the environment of this bench");
        for event in [Event::ServerConnected, Event::ClientSeen { name: "zed" }, DISCOVERY] {
            telemetry.record(event);
        }
        telemetry
    };
    let (tap, serve) = (start("tap", RoutingMode::Tap), start("serve", RoutingMode::RetrieveTools));
    // Their background threads begin with an id, a notice and a mark.
    std::thread::sleep(Duration::from_secs(1));
    std::fs::create_dir(directory.join("yardstick")).expect("a directory");
    let plain = Plain::at(&directory.join("yardstick")).expect("an environment");
    let mut count = 0;
    compare(
        "one event through `Telemetry::record`",
        vec![
            Subject::yardstick("LMDB with its own lock: get, put 16 bytes, commit", 20, || {
                plain.write(|transaction| raise(transaction, &mut count)).expect("a commit");
            }),
            one("tap: UpstreamCall", &tap, Event::UpstreamCall),
            one("tap: Discovery", &tap, DISCOVERY),
            one("serve: UpstreamCall", &serve, Event::UpstreamCall),
            one("serve: Discovery", &serve, DISCOVERY),
            one("serve: BuiltinCall", &serve, BUILTIN),
            one("serve: Request", &serve, Event::Request { surface: Surface::Mcp }),
        ],
    );
    compare(
        "one event through `Telemetry::record` that changes nothing",
        vec![
            Subject::new("a server that is connected already", 100_000, || {
                black_box(tap.record(Event::ServerConnected));
            }),
            Subject::new("a client that was seen already", 100_000, || {
                black_box(tap.record(Event::ClientSeen { name: "zed" }));
            }),
        ],
    );
}

fn one<'a>(name: &'static str, host: &'a Telemetry, event: Event<'a>) -> Subject<'a> {
    Subject::new(name, 20, move || {
        black_box(host.record(event));
    })
}

const DISCOVERY: Event<'static> = Event::Discovery { indexed: Some(200), returned: Some(5) };
const BUILTIN: Event<'static> = Event::BuiltinCall { tool: BuiltinTool::TelemetryStatus };

/// A new environment in `directory`, and its lock file beside it.
fn bare(directory: &Path) -> Environment {
    std::fs::create_dir_all(directory).expect("a directory");
    let lock = directory.with_extension("lock");
    let mut environment = Environment::at(directory, &lock).expect("an environment");
    let mut session = environment.lock(Duration::from_secs(1)).expect("its lock");
    session.create(&Vec::new()).expect("a data file");
    drop(session);
    environment
}

/// What an event at least needs: one value read and written.
fn raise(transaction: &mut Transaction<'_>, count: &mut u64) -> Result<(), Failure> {
    black_box(transaction.get(b"key")?);
    *count += 1;
    let mut value = [0; 16];
    value[..8].copy_from_slice(&count.to_le_bytes());
    transaction.put(b"key", &value)
}

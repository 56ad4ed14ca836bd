//! The gateway: many MCP servers behind one, its status API and its page.
//!
//! One rule: it starts whatever is configured and serves whatever works. A server that is broken, slow or
//! gone is that server's trouble.

mod backpressure;
mod batches;
mod brief;
mod catalog;
mod changes;
mod child;
mod connection;
mod doorstep;
mod engines;
mod era;
mod event_stream;
mod events;
mod exact;
pub(crate) mod faults;
pub(crate) mod fixes;
mod forward;
mod gateway;
mod greeting;
mod handshake;
mod http;
mod http_client;
mod hub;
mod joined;
pub(crate) mod key;
mod last_lines;
mod limits;
mod lines;
mod listener;
mod logs;
mod messages;
mod offer;
mod outline;
mod page;
mod pauses;
mod post;
mod programs;
mod progress;
mod reason;
mod recorder;
mod report;
mod scrub;
pub mod search;
mod sessions;
mod starts;
mod stderr;
mod stray;
mod streams;
mod supervisor;
mod tools;
pub(crate) mod trial;
mod unknown;
mod unreachable;
mod welcome;
mod wire;

use crate::activation::LiveCounts;
use crate::config::{self, servers};
use crate::connect;
use crate::consent;
use crate::contract::{LaunchSource, RoutingMode};
use crate::heartbeat::host::Host;
use crate::machine;
use crate::paths::DataDir;
use crate::telemetry::Telemetry;
use crate::web::connections::{self, Bounds, HEAD_WAIT, Plain, Serving};
use crate::web::guard::Guard;
use crate::web::key::ApiKey;
use crate::web::listen::Front;
use crate::web::log;
use backpressure::{Answers, Bounded, Source};
use doorstep::Doorstep;
use fixes::running::Fixes;
use gateway::Gateway;
use http::Shared;
use hub::Hub;
use lines::Lines;
use mcpproxy_platform::{group, limits as system, memory, service};
use messages::OfClient;
use recorder::Recorder;
use rmcp::ServiceExt as _;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use welcome::Welcome;

/// Where it listens unless it is told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// Connections of clients at once, whatever the limit of files is.
const LEAST_CONNECTIONS: usize = 32;
const MOST_CONNECTIONS: usize = 2048;
/// How long a client may take nothing of an answer.
const STALL: Duration = Duration::from_secs(120);
/// How often the config is looked at: two `stat`s.
const CONFIG_LOOK: Duration = Duration::from_secs(1);
/// After so many looks what was freed goes back to the system: once a minute.
const LOOKS_A_MINUTE: u32 = 60;
/// How long calls may take to finish once it was asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long servers may take to end after that: longer than the farewell to each, so that none is cut off.
const CLOSE: Duration = supervisor::FAREWELL.saturating_add(Duration::from_secs(2));
/// How long the last answers may take to be written, and the last events to be recorded.
const LAST: Duration = Duration::from_millis(500);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory.
    pub dir: DataDir,
    /// `--launched-by`
    pub launched_by: Option<LaunchSource>,
    /// `--listen`; `None` with `--stdio` means not at all.
    pub listen: Option<SocketAddr>,
    /// Serve one client on the standard streams.
    pub stdio: bool,
    /// Names besides those of loopback that it is reached under.
    pub allowed_hosts: Vec<String>,
    /// What stdio servers write on standard error goes to ours.
    pub server_stderr: bool,
    /// How the log is written.
    pub log_format: log::Format,
}

/// Why it did not start, or ended.
#[derive(Debug)]
pub enum ServeError {
    /// The config cannot be used; what is wrong with it.
    Config(String),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::ErrorKind),
    /// Others can reach the address, and nobody said under which name.
    Open(SocketAddr),
    /// The system does not give what a server needs.
    System(&'static str, io::ErrorKind),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) => f.write_str(why),
            Self::Listen(address, kind) => write!(
                f,
                "cannot listen on {address}: {kind}; choose another address with --listen HOST:PORT"
            ),
            Self::Open(address) => write!(
                f,
                "{address} can be reached from other machines: say under which name with --allowed-host NAME (clients also \
                 need the API key on /mcp then), or listen on {DEFAULT_LISTEN}"
            ),
            Self::System(what, kind) => write!(f, "{what}: {kind}"),
        }
    }
}

/// Serves until it is asked to stop (SIGINT, SIGTERM, SIGHUP, or the end of standard input).
pub fn run(options: Options) -> Result<(), ServeError> {
    // Before there are threads.
    let _guard = group::guard();
    let files = system::raise_files();
    // The provider of the whole program; that another one was chosen before is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config::trust::check(&options.dir).map_err(|why| {
        let place = config::DISPLAY_NAME;
        ServeError::Config(format!(
            "the servers of {place} are not used: {}",
            why.in_words(config::Which::Given)
        ))
    })?;
    let entries = servers::servers(&options.dir)
        .map_err(|why| ServeError::Config(format!("{why}; repair it")))?;
    let door = match options.listen {
        Some(address) => Some(Door::open(address, &options, files)?),
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("mcpproxy-serve")
        .build()
        .map_err(|error| ServeError::System("no threads could be started", error.kind()))?;
    let result = runtime.block_on(serve(options, entries, door));
    // A thread that waits for standard input cannot be asked to stop.
    runtime.shutdown_background();
    group::kill_all();
    result
}

/// The listening socket, and the key to what is behind it.
struct Door {
    front: Front,
    key: ApiKey,
    /// How many files may be open, where the system says so.
    files: Option<u64>,
}

impl Door {
    fn open(wanted: SocketAddr, options: &Options, files: Option<u64>) -> Result<Self, ServeError> {
        let front =
            Front::open(wanted).map_err(|error| ServeError::Listen(wanted, error.kind()))?;
        if front.is_open() && options.allowed_hosts.is_empty() {
            return Err(ServeError::Open(front.address));
        }
        let kept = key::ensure(&options.dir).map_err(|e| ServeError::Config(e.to_string()))?;
        if let Some(error) = kept.only_now {
            warn!("the API key holds for this run only: {error}");
        }
        if let Some(mode) = kept.exposed {
            warn!(
                "{} has mode {mode:04o}: others may read the API key; make it 0600 (chmod 600), then remove `api_key`, \
                 and a new one is made",
                config::DISPLAY_NAME
            );
        }
        Ok(Self { front, key: kept.key, files })
    }

    /// Says where it listens. The address with the key is for the person who started it, never for a log.
    fn announce(&self, options: &Options, hub: &Arc<Hub>) {
        let url = format!("http://{}", self.front.address);
        let is_logged = options.log_format == log::Format::Json
            || options.stdio
            || std::env::var_os("JOURNAL_STREAM").is_some();
        if is_logged {
            info!(mcp = %format_args!("{url}/mcp"), page = %format_args!("{url}/"), "listening; the page asks for `api_key` of {}", config::DISPLAY_NAME);
            return;
        }
        let addresses = format!(
            "MCP over HTTP:  {url}/mcp\nStatus page:    {url}/#key={}\n",
            self.key.reveal()
        );
        let say = |text: &str| {
            // A reader that has gone away needs nothing.
            let _ = io::stdout().lock().write_all(text.as_bytes());
        };
        // A program that starts this one waits for the addresses alone.
        if !io::stdout().is_terminal() {
            return say(&addresses);
        }
        let hub = hub.clone();
        tokio::spawn(async move {
            let welcome = Welcome::of(&hub).await;
            say(&format!("{welcome}{addresses}"));
        });
    }
}

async fn serve(
    options: Options,
    entries: Vec<servers::ServerEntry>,
    door: Option<Door>,
) -> Result<(), ServeError> {
    let stop = stop_signal()?;
    // Only the first who asks can tell; a request for the status must not come before this.
    machine::launch_source(options.launched_by.filter(|told| *told != LaunchSource::Installer));
    let telemetry = Arc::new(Telemetry::start(Host {
        routing_mode: RoutingMode::RetrieveTools,
        data_dir: Some(PathBuf::from(options.dir.root())),
        launched_by: options.launched_by,
        product: None,
    }));
    let recorder = Recorder::new(telemetry.clone());
    let hub = Hub::new(recorder.clone(), options.server_stderr);
    hub.keep_faults_in(options.dir.clone());
    // Before they are counted: no heartbeat says that there are none.
    hub.apply(entries);
    // Weak: the provider lives in what the hub holds.
    let counted = Arc::downgrade(&hub);
    telemetry.provide_live(move || {
        let counts = counted.upgrade().map(|hub| hub.known_counts()).unwrap_or_default();
        LiveCounts { configured_ide_count: connect::configured_ide_count(), ..counts }
    });
    let gateway = Gateway::new(hub.clone(), options.dir.clone());
    let sessions = CancellationToken::new();
    let closing = CancellationToken::new();
    let watching = tokio::spawn(follow_config(hub.clone(), options.dir.clone()));
    let served = match door {
        None => None,
        Some(door) => {
            door.announce(&options, &hub);
            let app = (options.clone(), hub.clone(), gateway.clone(), sessions.clone());
            Some(tokio::spawn(listen(door, app, closing.clone())))
        }
    };
    service::notify("READY=1");
    let ending = CancellationToken::new();
    let mut streams =
        tokio::spawn(standard_streams(options.stdio, gateway.clone(), ending.clone()));
    tokio::select! {
        () = stop.notified() => info!("stopping: calls that are under way finish"),
        _ = &mut streams => {}
    }
    service::notify("STOPPING=1");
    watching.abort();
    closing.cancel();
    if !gateway.finish(Instant::now() + GRACE).await {
        warn!("stopping: some calls did not finish within {} s", GRACE.as_secs());
    }
    ending.cancel();
    if !streams.is_finished() {
        let _ = tokio::time::timeout(LAST, streams).await;
    }
    if let Some(mut served) = served {
        // The last answers are still being written; streams that only wait would not end by themselves.
        if tokio::time::timeout(LAST, &mut served).await.is_err() {
            sessions.cancel();
            let _ = tokio::time::timeout(LAST, served).await;
        }
    }
    hub.close(CLOSE).await;
    recorder.drained(LAST).await;
    let _ = tokio::task::spawn_blocking(move || telemetry.stop()).await;
    Ok(())
}

/// How much clients over HTTP may have, where so many files may be open: half of them are for the servers.
fn bounds(files: Option<u64>) -> Bounds {
    let half = files.and_then(|files| usize::try_from(files / 2).ok()).unwrap_or(usize::MAX);
    let most = half.clamp(LEAST_CONNECTIONS, MOST_CONNECTIONS);
    Bounds {
        most,
        spare: most / 16,
        of_one_address: most / 4,
        head: 64 << 10,
        head_wait: HEAD_WAIT,
        // Streams last for as long as their client is there.
        lifetime: None,
        stall: STALL,
    }
}

/// Serves HTTP until `closing`; then what was asked is still answered.
async fn listen(
    Door { front, key, files }: Door,
    (options, hub, gateway, sessions): (Options, Arc<Hub>, Gateway, CancellationToken),
    closing: CancellationToken,
) {
    let guard = Guard::new(http::SURFACE, key, front.address, &options.allowed_hosts);
    let fixes = Fixes::new(hub.clone(), options.dir.clone());
    let shared = Shared { hub, dir: options.dir, fixes, guard, started_at: machine::now() };
    let bounds = bounds(files);
    let router = http::router(Arc::new(shared), gateway, sessions, bounds.most);
    match TcpListener::from_std(front.into_listener()) {
        Ok(listener) => {
            let watch = Arc::new(());
            let serving = Serving { greeter: Plain, router, closing, watch, bounds };
            connections::serve(listener, serving).await;
        }
        Err(error) => warn!("not listening: {}", error.kind()),
    }
}

/// Serves one client on the standard streams until it is gone, or until `ending`; without `--stdio`, only until
/// then.
async fn standard_streams(is_wanted: bool, gateway: Gateway, ending: CancellationToken) {
    if !is_wanted {
        return ending.cancelled().await;
    }
    let answers = Answers::new(backpressure::PATIENCE);
    let (input, output) = rmcp::transport::stdio();
    let streams = Lines::new(input, output, OfClient::default());
    let streams = Bounded::new(streams, answers.clone(), Source::Stream);
    let streams = Doorstep::new(streams, gateway.clone(), GRACE);
    let session = tokio::select! {
        session = gateway.serve(streams) => session,
        () = ending.cancelled() => return,
    };
    match session {
        Ok(session) => {
            let close = session.cancellation_token();
            let ended = session.waiting();
            tokio::pin!(ended);
            tokio::select! {
                _ = &mut ended => {}
                () = ending.cancelled() => {
                    close.cancel();
                    // The last answers are still being written.
                    let _ = ended.await;
                }
            }
        }
        Err(_) => warn!("the client on standard input ended before a session began"),
    }
    if let Some(why) = answers.given_up() {
        warn!("the client on standard input is disconnected: {why}");
    }
}

/// Follows the config: servers that come, go or change, and the switch of telemetry. Gives memory back.
async fn follow_config(hub: Arc<Hub>, dir: DataDir) {
    let mut stamps = consent::stamps(&dir);
    for look in 1_u32.. {
        tokio::time::sleep(CONFIG_LOOK).await;
        if look.is_multiple_of(LOOKS_A_MINUTE) {
            let _ = tokio::task::spawn_blocking(memory::give_back).await;
        }
        let now = consent::stamps(&dir);
        if now == stamps {
            continue;
        }
        // The user's own config has a say in consent, and no servers for this gateway.
        let is_given = now.0 != stamps.0;
        stamps = now;
        match servers::servers(&dir) {
            _ if !is_given => {}
            Ok(entries) => hub.apply(entries),
            Err(why) => warn!("the servers stay as they are: {why}"),
        }
        let telemetry = hub.recorder.telemetry().clone();
        let _ = tokio::task::spawn_blocking(move || telemetry.look_again()).await;
    }
}

/// Woken when somebody asks this process to stop. Who asks twice does not want to wait.
fn stop_signal() -> Result<Arc<Notify>, ServeError> {
    let stop = Arc::new(Notify::new());
    let (asked, woken) = (AtomicBool::new(false), stop.clone());
    let installed = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::AcqRel) {
            group::kill_all();
            mcpproxy_platform::files::abandon_unfinished();
            std::process::exit(130);
        }
        woken.notify_one();
    });
    match installed {
        Ok(()) => Ok(stop),
        Err(ctrlc::Error::System(error)) => {
            Err(ServeError::System("signals cannot be handled", error.kind()))
        }
        Err(_) => Err(ServeError::System("signals cannot be handled", io::ErrorKind::Other)),
    }
}

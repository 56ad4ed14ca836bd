//! The life of one upstream server: connect, follow, notice the end, try again or wait for a change.
//!
//! One rule: it ends only when its entry is gone or the gateway stops.

use super::changes::Pace;
use super::child::Processes;
use super::connection::{self, Connection, Way};
use super::engines;
use super::era;
use super::http_client::{Failed, Probe, REFUSED, was_answered};
use super::hub::{Hub, Live, Server, Status};
use super::messages::OfServer;
use super::offer::{self, Offer};
use super::pauses::Pauses;
use super::programs::{self, Program};
use super::reason::{Diagnosis, Reason};
use super::recorder::Happened;
use super::starts::Turn;
use crate::config::servers::{ServerEntry, Transport};
use crate::machine;
use mcpproxy_platform::group::Exit;
use rmcp::RoleClient;
use rmcp::model::{
    ClientRequest, DiscoverRequest, DiscoverRequestParams, PingRequest, ProtocolVersion,
};
use rmcp::service::{Peer, PeerRequestOptions, QuitReason, ServiceError};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A connection that lasted so long was a good one: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(60);
/// The shortest time between two attempts, however often a call needs the server.
const APART: Duration = Duration::from_secs(1);
/// How often a server behind HTTP is asked whether it is there: nothing tells when it goes.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// How long it may take to say so.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a server behind HTTP may take to end its session, and a little longer than the processes of one over
/// standard streams may take to end.
pub(super) const FAREWELL: Duration = Duration::from_secs(8);

/// Runs until `server` is to stop, and nothing of it lives any more. It begins when those `before` it, which
/// had its name, have come so far.
pub(super) async fn run(hub: Arc<Hub>, server: Arc<Server>, before: Vec<CancellationToken>) {
    let _over = server.over.clone().drop_guard();
    for earlier in before {
        earlier.cancelled().await;
    }
    let shown_as = hub.show_stderr.then(|| server.name.clone());
    let processes = Processes::new(server.lines.clone(), shown_as);
    let memory = era::Memory::default();
    let mut pauses = Pauses::default();
    let mut is_first = true;
    loop {
        let began = Instant::now();
        let attempt = tokio::select! {
            () = server.stop.cancelled() => Err(Reason::Stopped.into()),
            result = attempt(&hub, &server, &processes, &memory) => result,
        };
        let why = match attempt {
            Ok((connection, live)) => {
                info!(server = %server.name, tools = live.offer.tools.len(), "server connected");
                tell_faults(&hub, &server, &live.offer);
                hub.set(&server, Status::Connected, Some(Arc::new(live)));
                hub.recorder.record(Happened::ServerConnected);
                first_is_over(&hub, &mut is_first);
                server.attempted();
                follow(&hub, &server, &processes, connection).await.into()
            }
            Err(why) => why,
        };
        let why = after_the_end(&server.entry, &processes, why).await;
        if began.elapsed() > STEADY {
            pauses = Pauses::after_a_good_connection();
        }
        let parked = why.reason.is_parked().then(|| Program::of(&server.entry));
        let wait = pauses.next(why.reason.retry_after());
        let wait = wait + jitter(wait);
        if !server.stop.is_cancelled() {
            let code = why.code().as_str();
            if parked.is_some() {
                warn!(server = %server.name, code, "server not connected, and not tried again until it changes: {why}");
                hub.set(&server, Status::Parked(why), None);
            } else {
                warn!(server = %server.name, code, retry_in_seconds = wait.as_secs(), "server not connected: {why}");
                let retry_at = machine::now() + wait.as_secs();
                hub.set(&server, Status::Waiting { why, retry_at }, None);
            }
        }
        first_is_over(&hub, &mut is_first);
        server.attempted();
        // Whatever became of the connection: before anything is started again, or given up, all is gone.
        processes.end().await;
        if server.stop.is_cancelled() {
            hub.set(&server, Status::Disabled, None);
            return;
        }
        let again = async {
            match &parked {
                Some(program) => program.changed().await,
                None => tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = server.needed.notified() => tokio::time::sleep_until(began + APART).await,
                },
            }
        };
        tokio::select! {
            () = server.stop.cancelled() => return,
            () = again => {}
        }
        hub.set(&server, Status::Connecting, None);
    }
}

/// What the end of its process adds to a reason.
pub(super) async fn after_the_end(
    entry: &ServerEntry,
    processes: &Processes,
    why: Diagnosis,
) -> Diagnosis {
    if !matches!(why.reason, Reason::EndedEarly(_) | Reason::Ended(_)) {
        return why;
    }
    // Then it is known how it ended, and all that it wrote.
    processes.end().await;
    let exit = processes.last_exit();
    let is_early = matches!(why.reason, Reason::EndedEarly(_));
    let lines = processes.last_lines();
    let of_engine = match &entry.transport {
        Ok(Transport::Stdio { command, .. }) if is_early && programs::is_engine(command) => {
            engines::code(lines.iter().map(String::as_str), exit.and_then(|exit| exit.code))
        }
        _ => None,
    };
    match of_engine {
        Some(code) => Reason::Engine(code).into(),
        None => Diagnosis { reason: why.reason.with_exit(exit), hint: why.hint },
    }
}

fn first_is_over(hub: &Hub, is_first: &mut bool) {
    if std::mem::take(is_first) {
        hub.first_attempt_ended();
    }
}

/// Up to a fifth more, so that servers that failed together are not tried together.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 1000;
    pause.mul_f64(0.2 * random as f64 / 1000.0)
}

/// Connects and asks for everything that is offered.
async fn attempt(
    hub: &Hub,
    server: &Server,
    processes: &Processes,
    memory: &era::Memory,
) -> Result<(Connection, Live), Diagnosis> {
    let transport = server.entry.expanded(&|name| std::env::var(name).ok());
    let transport = transport.map_err(Reason::Entry)?;
    let within = server.entry.startup_timeout;
    let turn = match transport {
        Transport::Stdio { .. } => hub.starts.turn().await,
        Transport::Http { .. } => Turn::free(),
    };
    let began = Instant::now();
    let is_http = matches!(transport, Transport::Http { .. });
    let started = async {
        let connection = connection::connect(&transport, processes, memory, within).await?;
        let peer = connection.service.peer().clone();
        let left = within.saturating_sub(began.elapsed());
        let offer = offer::list(&peer, connection.reader.faults(), left).await;
        let offer = offer.map_err(|error| Reason::Lists { error, is_http })?;
        let live = Live { peer, routes: connection.routes.clone(), offer: Arc::new(offer) };
        Ok((connection, live))
    };
    turn.with(tokio::time::timeout(within, started)).await.unwrap_or_else(|_| {
        memory.forget();
        Err(Diagnosis { reason: Reason::Slow { within, is_http }, hint: transport.hint() })
    })
}

/// Follows a connection to its end, and says how it ended. It is to stop whatever it is waiting for.
async fn follow(
    hub: &Hub,
    server: &Server,
    processes: &Processes,
    connection: Connection,
) -> Reason {
    let Connection { service, routes, changed, nameless, answers, probe, reader } = connection;
    let peer = service.peer().clone();
    let close = service.cancellation_token();
    let ended = service.waiting();
    tokio::pin!(ended);
    let mut background = JoinSet::new();
    background.spawn(subscribe(peer.clone(), changed.clone()));
    let way = server.entry.transport.as_ref().map_or(Way::Stdio, Way::to);
    let is_http = way.is_http();
    let mut look = tokio::time::interval(hub.look);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    look.reset();
    let (mut pace, mut due) = (Pace::default(), None);
    let watched = async {
        loop {
            let health = tokio::select! {
                () = changed.notified(), if due.is_none() => {
                    let now = Instant::now();
                    due = Some(now + pace.pause(now));
                    continue;
                }
                () = at(due) => {
                    due = None;
                    // What changed until now is asked for now.
                    let _ = tokio::time::timeout(Duration::ZERO, changed.notified()).await;
                    let began = Instant::now();
                    refresh(hub, server, &peer, &routes, &reader).await;
                    pace.asked(Instant::now(), began.elapsed());
                    continue;
                }
                () = reader.found_fault() => {
                    note_faults(hub, server, &reader);
                    continue;
                }
                () = server.suspect.notified() => is_there(&peer, &probe, &way).await,
                // Of a stdio server it is a complaint about a line; of an HTTP server it may be the end of the session.
                () = nameless.notified(), if is_http => tokio::select! {
                    health = is_there(&peer, &probe, &way) => health,
                    () = nameless.notified() => Some(Reason::Forgotten),
                },
                // Only a refusal counts: a server may well be silent while it is busy.
                _ = look.tick(), if is_http => {
                    let health = is_there(&peer, &probe, &way).await;
                    health.filter(|why| !matches!(why, Reason::Silent { .. }))
                }
            };
            if let Some(why) = health {
                break why;
            }
        }
    };
    let lost = if is_http { Reason::Lost } else { Reason::Ended(Exit::default()) };
    let reason = tokio::select! {
        () = server.stop.cancelled() => Reason::Stopped,
        _ = &mut ended => return answers.given_up().map_or(lost, Reason::GivenUp),
        // A look that comes upon a connection that was given up finds it gone; why is known better.
        reason = watched => answers.given_up().map_or(reason, Reason::GivenUp),
    };
    tokio::join!(farewell(close, ended), processes.end());
    reason
}

async fn farewell(
    close: rmcp::service::RunningServiceCancellationToken,
    ended: std::pin::Pin<&mut impl Future<Output = Result<QuitReason, JoinError>>>,
) {
    close.cancel();
    let _ = tokio::time::timeout(FAREWELL, ended).await;
}

/// Says what is left out of what a server offers, unless it was said before.
fn tell_faults(hub: &Hub, server: &Server, offer: &Offer) {
    let is_known = server.live().is_some_and(|before| before.offer.faults == offer.faults);
    if !offer.faults.is_empty() && !is_known {
        warn!(server = %server.name, "server connected, not all of it is used: {}", offer.faults);
    }
    hub.note_faults(server, offer.faults.sentences());
}

/// Takes over what turned out to be off since it was asked what is offered.
fn note_faults(hub: &Hub, server: &Server, reader: &OfServer) {
    let Some(live) = server.live() else { return };
    let known = live.offer.faults.sentences();
    let mut new = reader.faults();
    new.retain(|fault| !known.contains(fault));
    if new.is_empty() {
        return;
    }
    let mut offer = Offer::clone(&live.offer);
    offer.faults.extend(new);
    tell_faults(hub, server, &offer);
    let (peer, routes) = (live.peer.clone(), live.routes.clone());
    hub.set(
        server,
        Status::Connected,
        Some(Arc::new(Live { peer, routes, offer: Arc::new(offer) })),
    );
}

/// At this time; never, without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Asks again what is offered. The same as before is no change.
async fn refresh(
    hub: &Hub,
    server: &Server,
    peer: &Peer<RoleClient>,
    routes: &super::progress::Routes,
    reader: &OfServer,
) {
    let within = server.entry.startup_timeout;
    let listed = tokio::time::timeout(within, offer::list(peer, reader.faults(), within)).await;
    match listed {
        Ok(Ok(offer)) if server.live().is_some_and(|live| *live.offer == offer) => {}
        Ok(Ok(offer)) => {
            info!(server = %server.name, tools = offer.tools.len(), "server changed what it offers");
            tell_faults(hub, server, &offer);
            let live = Live { peer: peer.clone(), routes: routes.clone(), offer: Arc::new(offer) };
            hub.refreshed(server, live);
        }
        _ => server.doubt(),
    }
}

/// Servers of the modern era say that lists change only to those who listen.
async fn subscribe(peer: Peer<RoleClient>, changed: Arc<Notify>) {
    while let Some(filter) = connection::wanted_changes(&peer) {
        match peer.listen(filter).await {
            Ok(mut subscription) => {
                while let Ok(Some(_)) = subscription.next().await {
                    changed.notify_one();
                }
            }
            // It says that lists change, and does not say when.
            Err(ServiceError::McpError(_)) => return,
            Err(_) => {}
        }
        if peer.is_transport_closed() {
            return;
        }
        tokio::time::sleep(ANSWER).await;
        // What changed meanwhile was not heard.
        changed.notify_one();
    }
}

/// `None` when the server answers, whatever it says (that it is busy, for one); else why it is taken to be gone.
async fn is_there(peer: &Peer<RoleClient>, probe: &Probe, way: &Way) -> Option<Reason> {
    let silent = || Reason::Silent { is_http: way.is_http() };
    let modern = peer.peer_info().is_some_and(|info| {
        info.protocol_version.as_str() >= ProtocolVersion::V_2026_07_28.as_str()
    });
    if modern {
        match tokio::time::timeout(ANSWER, probe.ask()).await {
            Ok(Some(Ok(status))) => {
                return REFUSED.contains(&status).then(|| way.of_status(status, None));
            }
            Ok(Some(Err(error))) => return Some(way.of_transport(&error)),
            Err(_) => return Some(silent()),
            // Over standard streams there is no queue to wait in.
            Ok(None) => {}
        }
    }
    let question = if modern {
        ClientRequest::DiscoverRequest(DiscoverRequest::new(DiscoverRequestParams {}))
    } else {
        ClientRequest::PingRequest(PingRequest::default())
    };
    let options = PeerRequestOptions::with_timeout(ANSWER);
    let answer = match peer.send_request_with_option(question, options).await {
        Ok(handle) => handle.await_response().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(_) | Err(ServiceError::McpError(_) | ServiceError::UnexpectedResponse) => None,
        Err(ServiceError::Timeout { .. }) => Some(silent()),
        Err(ServiceError::TransportSend(error)) => match error.error.downcast_ref::<Failed>() {
            // So do some say that they do not know the session any more.
            Some(Failed::UnexpectedServerResponse(words)) if words.starts_with("HTTP 400") => {
                Some(Reason::Forgotten)
            }
            Some(error) if was_answered(error) => None,
            _ => Some(way.of_transport(error.error.as_ref())),
        },
        Err(_) => Some(Reason::Lost),
    }
}

#[cfg(test)]
mod tests;

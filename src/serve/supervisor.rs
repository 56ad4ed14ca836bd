//! The life of one upstream server: connect, follow, notice the end, try again.
//!
//! One rule: it ends only when its entry is gone or the gateway stops.

use super::changes::Pace;
use super::child::Processes;
use super::connection::{self, Connection};
use super::era;
use super::http_client::{Failed, Probe, was_answered};
use super::hub::{Hub, Live, Server, Status};
use super::messages::OfServer;
use super::offer::{self, Offer};
use super::recorder::Happened;
use super::starts::Turn;
use crate::config::servers::Transport;
use crate::machine;
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

/// The first pause before another attempt; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A connection that lasted so long was a good one: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(60);
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
    let processes = match hub.show_stderr {
        true => Processes::shown_as(server.name.clone()),
        false => Processes::default(),
    };
    let memory = era::Memory::default();
    let mut pause = FIRST_PAUSE;
    let mut is_first = true;
    loop {
        let began = Instant::now();
        let attempt = tokio::select! {
            () = server.stop.cancelled() => Err(String::new()),
            result = attempt(&hub, &server, &processes, &memory) => result,
        };
        let reason = match attempt {
            Ok((connection, live)) => {
                info!(server = %server.name, tools = live.offer.tools.len(), "server connected");
                tell_faults(&hub, &server, &live.offer);
                hub.set(&server, Status::Connected, Some(Arc::new(live)));
                hub.recorder.record(Happened::ServerConnected);
                first_is_over(&hub, &mut is_first);
                follow(&hub, &server, &processes, connection).await
            }
            Err(reason) => reason,
        };
        if began.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        let wait = pause + jitter(pause);
        if !server.stop.is_cancelled() {
            warn!(server = %server.name, retry_in_seconds = wait.as_secs(), "server not connected: {reason}");
            let retry_at = machine::now() + wait.as_secs();
            hub.set(&server, Status::Waiting { reason, retry_at }, None);
        }
        first_is_over(&hub, &mut is_first);
        // Whatever became of the connection: before anything is started again, or given up, all is gone.
        processes.end().await;
        if server.stop.is_cancelled() {
            hub.set(&server, Status::Disabled, None);
            return;
        }
        tokio::select! {
            () = server.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        hub.set(&server, Status::Connecting, None);
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
) -> Result<(Connection, Live), String> {
    let transport = server.entry.expanded(&|name| std::env::var(name).ok())?;
    let within = server.entry.startup_timeout;
    let turn = match transport {
        Transport::Stdio { .. } => hub.starts.turn().await,
        Transport::Http { .. } => Turn::free(),
    };
    let began = Instant::now();
    let started = async {
        let connection = connection::connect(&transport, processes, memory, within).await?;
        let peer = connection.service.peer().clone();
        let left = within.saturating_sub(began.elapsed());
        let offer = offer::list(&peer, connection.reader.faults(), left).await;
        let offer = offer.map_err(|error| error.to_string())?;
        let live = Live { peer, routes: connection.routes.clone(), offer: Arc::new(offer) };
        Ok((connection, live))
    };
    turn.with(tokio::time::timeout(within, started)).await.unwrap_or_else(|_| {
        memory.forget();
        let seconds = within.as_secs_f64();
        let hint = transport.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        Err(format!(
            "it did not start within {seconds} s; a larger `startup_timeout_sec` in its entry gives it more time{hint}"
        ))
    })
}

/// Follows a connection to its end, and says how it ended. It is to stop whatever it is waiting for.
async fn follow(
    hub: &Hub,
    server: &Server,
    processes: &Processes,
    connection: Connection,
) -> String {
    let Connection { service, routes, changed, nameless, answers, probe, reader } = connection;
    let peer = service.peer().clone();
    let close = service.cancellation_token();
    let ended = service.waiting();
    tokio::pin!(ended);
    let mut background = JoinSet::new();
    background.spawn(subscribe(peer.clone(), changed.clone()));
    let is_http = matches!(server.entry.transport, Ok(Transport::Http { .. }));
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
                () = server.suspect.notified() => is_there(&peer, &probe).await,
                // Of a stdio server it is a complaint about a line; of an HTTP server it may be the end of the session.
                () = nameless.notified(), if is_http => tokio::select! {
                    health = is_there(&peer, &probe) => health,
                    () = nameless.notified() => Some(FORGOTTEN),
                },
                // Only a refusal counts: a server may well be silent while it is busy.
                _ = look.tick(), if is_http => is_there(&peer, &probe).await.filter(|why| *why != SILENT),
            };
            if let Some(why) = health {
                break why.to_owned();
            }
        }
    };
    let reason = tokio::select! {
        () = server.stop.cancelled() => String::new(),
        _ = &mut ended => return answers.given_up().unwrap_or("its connection ended").into(),
        // A look that comes upon a connection that was given up finds it gone; why is known better.
        reason = watched => answers.given_up().map_or(reason, str::to_owned),
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

/// The server answers, but not in the session that it began.
const FORGOTTEN: &str = "it does not know its session any more";
/// The server gave no answer at all.
const SILENT: &str = "it does not answer any more";

/// The server could not be asked.
const GONE: &str = "it is gone";

/// `None` when the server answers, whatever it says (that it is busy, for one); else why it is taken to be gone.
async fn is_there(peer: &Peer<RoleClient>, probe: &Probe) -> Option<&'static str> {
    let modern = peer.peer_info().is_some_and(|info| {
        info.protocol_version.as_str() >= ProtocolVersion::V_2026_07_28.as_str()
    });
    if modern {
        match tokio::time::timeout(ANSWER, probe.ask()).await {
            Ok(Some(Ok(is_for_us))) => return (!is_for_us).then_some(GONE),
            Ok(Some(Err(_))) => return Some(GONE),
            Err(_) => return Some(SILENT),
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
        Err(ServiceError::Timeout { .. }) => Some(SILENT),
        Err(ServiceError::TransportSend(error)) => match error.error.downcast_ref::<Failed>() {
            // So do some say that they do not know the session any more.
            Some(Failed::UnexpectedServerResponse(words)) if words.starts_with("HTTP 400") => {
                Some(FORGOTTEN)
            }
            Some(error) if was_answered(error) => None,
            _ => Some(GONE),
        },
        Err(_) => Some(GONE),
    }
}

#[cfg(test)]
mod tests;

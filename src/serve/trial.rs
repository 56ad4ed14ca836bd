//! One attempt to connect a server, outside a gateway.
//!
//! One rule: it is the gateway's own attempt, step by step, and nothing of the server lives on after it.

use super::child::Processes;
use super::last_lines::LastLines;
use super::programs;
use super::reason::{Diagnosis, Reason};
use super::scrub::{self, Scrubber};
use super::supervisor::FAREWELL;
use super::supervisor::after_the_end;
use super::{connection, era, offer};
use crate::config::servers::{ServerEntry, Transport};
use crate::diagnostics::Code;
use mcpproxy_platform::group;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What came of it.
pub enum Trial {
    /// It answers.
    Connected(Found),
    /// It does not.
    Failed(Failed),
}

/// A server that answers.
pub struct Found {
    /// How long it took to say what it offers.
    pub took: Duration,
    /// The version of the protocol that it speaks.
    pub version: String,
    /// How many tools it offers.
    pub tools: usize,
    /// How many prompts.
    pub prompts: usize,
    /// How many resources and templates of resources.
    pub resources: usize,
    /// What is left out of what it offers.
    pub faults: Vec<String>,
    /// The code of that.
    #[cfg(feature = "cli")]
    pub fault: Option<Code>,
}

/// A server that does not.
pub struct Failed {
    /// The code of what went wrong.
    pub code: Code,
    /// Why, in words.
    pub why: String,
    /// What it wrote last on standard error, scrubbed.
    pub lines: Vec<String>,
}

/// Servers that are tried side by side.
#[cfg(feature = "cli")]
const AT_ONCE: usize = 4;

/// Connects, lists and ends the server of `entry`. Before there are other threads.
///
/// # Errors
/// When the system gives no runtime.
pub fn run(entry: &ServerEntry) -> io::Result<Trial> {
    finish(attempt(entry))
}

/// The same for each of `entries`, a few at once, in their order. `None`: it did not end `within` this time, and
/// nothing of it lives on. Before there are other threads.
///
/// # Errors
/// When the system gives no runtime.
#[cfg(feature = "cli")]
pub fn all(entries: &[ServerEntry], within: Duration) -> io::Result<Vec<Option<Trial>>> {
    finish(async {
        let until = tokio::time::Instant::now() + within;
        let turns = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        let trials = entries.iter().cloned().map(|entry| {
            let turns = turns.clone();
            tokio::spawn(tokio::time::timeout_at(until, async move {
                let _turn = turns.acquire().await;
                attempt(&entry).await
            }))
        });
        let trials: Vec<_> = trials.collect();
        let mut ended = Vec::new();
        for trial in trials {
            ended.push(trial.await.ok().and_then(Result::ok));
        }
        ended
    })
}

/// Runs to the end what starts servers.
fn finish<R>(work: impl Future<Output = R>) -> io::Result<R> {
    let _guard = group::guard();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("mcpproxy-test")
        .build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    group::kill_all();
    Ok(result)
}

/// What is wrong with a server, as far as it shows without connecting it: in its entry, with the variables of this
/// process, and with the program that it names.
pub fn wrong(entry: &ServerEntry) -> Option<(Code, String)> {
    let lookup = |name: &str| std::env::var(name).ok();
    match entry.trouble().map_or_else(|| entry.expanded(&lookup), Err) {
        Err(error) => Some((error.code(), error.to_string())),
        Ok(transport) => {
            programs::trouble(&transport).map(|reason| (reason.code(), reason.to_string()))
        }
    }
}

async fn attempt(entry: &ServerEntry) -> Trial {
    let lines = Arc::new(LastLines::new(Scrubber::of(entry, &scrub::variables())));
    let processes = Processes::new(lines, None);
    let began = Instant::now();
    let found = tried(entry, &processes, began).await;
    let trial = match found {
        Ok(found) => Trial::Connected(found),
        Err(why) => {
            let why = after_the_end(entry, &processes, why).await;
            processes.end().await;
            Trial::Failed(Failed {
                code: why.code(),
                why: why.to_string(),
                lines: processes.last_lines(),
            })
        }
    };
    processes.end().await;
    trial
}

async fn tried(
    entry: &ServerEntry,
    processes: &Processes,
    began: Instant,
) -> Result<Found, Diagnosis> {
    if let Some(error) = entry.trouble() {
        return Err(Reason::Entry(error).into());
    }
    let transport = entry.expanded(&|name| std::env::var(name).ok()).map_err(Reason::Entry)?;
    let is_http = matches!(transport, Transport::Http { .. });
    let (memory, within) = (era::Memory::default(), entry.startup_timeout);
    let listed = async {
        let connection = connection::connect(&transport, processes, &memory, within).await?;
        let peer = connection.service.peer().clone();
        let left = within.saturating_sub(began.elapsed());
        let offer = offer::list(&peer, connection.reader.faults(), left).await;
        let offer = offer.map_err(|error| Reason::Lists { error, is_http })?;
        let version = peer.peer_info().map(|info| info.protocol_version.as_str().to_owned());
        let found = Found {
            took: began.elapsed(),
            version: version.unwrap_or_default(),
            tools: offer.tools.len(),
            prompts: offer.prompts.len(),
            resources: offer.resources.len() + offer.templates.len(),
            faults: offer.faults.sentences(),
            #[cfg(feature = "cli")]
            fault: offer.faults.code(),
        };
        Ok((found, connection.service))
    };
    let listed = tokio::time::timeout(within, listed).await.unwrap_or_else(|_| {
        Err(Diagnosis { reason: Reason::Slow { within, is_http }, hint: transport.hint() })
    });
    let (found, service) = listed?;
    let _ = tokio::time::timeout(FAREWELL, service.cancel()).await;
    Ok(found)
}

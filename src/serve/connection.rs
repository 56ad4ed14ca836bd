//! One live connection to an upstream server: how it is made, what it offers, why it failed.
//!
//! One rule: a failure is told in our own words. What a server answers or writes may hold anything.

use super::backpressure::{Answers, Bounded, PATIENCE, Source};
use super::changes::Paced;
use super::child::Processes;
use super::era::{self, Begin, Beginning};
use super::events::LONGEST;
use super::http_client::{HttpClient, Probe};
use super::lines::Lines;
use super::listener::Listener;
use super::messages::OfServer;
use super::post::PACKED;
use super::progress::{Routed, Routes};
use super::stray::Sorted;
use super::unreachable;
use crate::config::servers::relative::is_relative_command;
use crate::config::servers::{Transport, passed_variables};
use crate::heartbeat::proxy;
use axum::http::header::ACCEPT_ENCODING;
use mcpproxy_platform::limits;
use rmcp::model::{ErrorCode, ProtocolVersion, SubscriptionFilter};
use rmcp::service::{ClientInitializeError, ClientServiceExt, Peer, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    HttpStatusError, StreamableHttpClientTransportConfig, StreamableHttpError,
};
use std::error::Error;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often a server may send us to another path for one request.
const MOST_REDIRECTS: usize = 5;
/// Calls to one HTTP server that are open at once; the SDK keeps further ones waiting, quick ones as well.
const MOST_CALLS: usize = 1024;
/// What a tool of an HTTP server may answer at most.
const MOST_BYTES: usize = 128 << 20;

/// A connection that is established. Ends when `service` is dropped or cancelled.
pub struct Connection {
    /// Runs the connection.
    pub service: RunningService<RoleClient, Listener>,
    /// Where progress goes.
    pub routes: Routes,
    /// Wakes when a list changed.
    pub changed: Arc<Notify>,
    /// Wakes when the server answered with an error that names no request.
    pub nameless: Arc<Notify>,
    /// What the server was answered, and why it was given up if it does not read that.
    pub answers: Answers,
    /// Asks an HTTP server of the modern era whether it is there.
    pub probe: Probe,
    /// Reads what the server sends.
    pub reader: OfServer,
}

/// Connects, in the era that the server speaks, which `memory` may know. The error is one sentence without
/// values. What is started for it is among `processes`; all has to be done within `startup`.
pub async fn connect(
    transport: &Transport,
    processes: &Processes,
    memory: &era::Memory,
    startup: Duration,
) -> Result<Connection, String> {
    let mut begin = memory.begin();
    loop {
        let silence = begin.silence(startup);
        let reader = OfServer::default();
        let result = match transport {
            Transport::Stdio { .. } => {
                let streams = start(transport, processes, reader.clone())?;
                let streams = Beginning::new(streams, memory.clone(), silence);
                establish(Link::over_streams(streams, reader), begin).await
            }
            Transport::Http { url, headers } => {
                establish(http(url, headers, silence, reader)?, begin).await
            }
        };
        let trouble = match result {
            Ok(connection) => {
                let info = connection.service.peer().peer_info();
                memory.learn(info.as_ref().map(|info| &info.protocol_version));
                return Ok(connection);
            }
            Err(trouble) => trouble,
        };
        let is_http = matches!(transport, Transport::Http { .. });
        let Some(next) = trouble.otherwise(begin, is_http, memory.answered_late()) else {
            memory.forget();
            // A process that answered was started right.
            let may_be_of_entry = is_http || matches!(trouble, Trouble::Closed);
            let words = trouble.into_words(is_http);
            return Err(if may_be_of_entry { with_hint(&words, transport) } else { words });
        };
        begin = next;
        processes.end().await;
    }
}

/// A transport, and what is known of it beside what it carries.
struct Link<T> {
    transport: Bounded<T>,
    answers: Answers,
    probe: Probe,
    reader: OfServer,
}

impl<T> Link<T> {
    fn over_streams(transport: T, reader: OfServer) -> Self {
        let answers = Answers::new(PATIENCE);
        let transport = Bounded::new(transport, answers.clone(), Source::Stream);
        Self { transport, answers, probe: Probe::default(), reader }
    }
}

async fn establish<T>(link: Link<T>, begin: Begin) -> Result<Connection, Trouble>
where
    T: rmcp::transport::Transport<RoleClient> + 'static,
{
    let routes = Routes::default();
    let (changed, nameless) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let Link { transport, answers, probe, reader } = link;
    let transport = Sorted::new(Paced::new(transport, changed.clone()), nameless.clone());
    let transport = Routed::new(transport, routes.clone());
    let service =
        Listener.serve_with_lifecycle(transport, begin.lifecycle()).await.map_err(Trouble::of)?;
    Ok(Connection { service, routes, changed, nameless, answers, probe, reader })
}

/// Starts the child process of a stdio server, in a process group of its own, so that Ctrl-C at our
/// terminal does not end it before the calls it is busy with.
fn start(
    transport: &Transport,
    processes: &Processes,
    reader: OfServer,
) -> Result<impl rmcp::transport::Transport<RoleClient> + use<>, String> {
    let Transport::Stdio { command, args, env, cwd } = transport else {
        return Err("it is not a child process".into());
    };
    // Where the system looks for a relative one depends on the system.
    let program = match cwd {
        Some(cwd) if is_relative_command(command) => std::path::absolute(cwd.join(command)).ok(),
        _ => None,
    };
    let program = program.unwrap_or_else(|| command.into());
    let dress = |child: &mut Command| {
        child.env_clear();
        child.envs(std::env::vars_os().filter(|(name, _)| is_passed(name)));
        child.envs(env.iter().map(|(name, value)| (name, value)));
        if let Some(cwd) = cwd {
            child.current_dir(cwd);
        }
    };
    let started =
        processes.start(program.as_ref(), args, dress).map_err(|e| match (e.kind(), cwd) {
            (io::ErrorKind::NotFound, Some(dir)) if !dir.is_dir() => {
                with_hint("its working directory (`cwd`) does not exist", transport)
            }
            (io::ErrorKind::NotFound, _) if is_relative_command(command) => {
                with_hint("its command cannot be started: no such file", transport)
            }
            _ => cannot_start(&e),
        });
    started.map(|(output, input)| Lines::new(output, input, reader))
}

/// With what may be wrong with the entry.
fn with_hint(words: &str, transport: &Transport) -> String {
    match transport.hint() {
        Some(hint) => format!("{words}; {hint}"),
        None => words.to_owned(),
    }
}

fn is_passed(name: &std::ffi::OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let same = |passed: &str| {
        if cfg!(windows) { passed.eq_ignore_ascii_case(name) } else { passed == name }
    };
    passed_variables().any(same)
}

fn cannot_start(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "its command cannot be started: no such command; is it installed and in PATH?".into()
        }
        kind => {
            let why = limits::in_words(error).unwrap_or_else(|| kind.to_string());
            format!("its command cannot be started: {why}")
        }
    }
}

fn http(
    url: &str,
    headers: &[(String, String)],
    silence: Option<Duration>,
    reader: OfServer,
) -> Result<Link<StreamableHttpClientTransport<HttpClient>>, String> {
    let mut custom = std::collections::HashMap::new();
    for (name, value) in headers {
        let bad = || {
            format!(
                "its header `{name}` cannot be sent: it holds characters that HTTP does not allow"
            )
        };
        let name = name.parse::<axum::http::HeaderName>().map_err(|_| bad())?;
        let mut value = value.parse::<axum::http::HeaderValue>().map_err(|_| bad())?;
        value.set_sensitive(true);
        custom.insert(name, value);
    }
    // Connecting is bounded here; how long an answer may take is the call's own time-out.
    let mut plain = axum::http::HeaderMap::new();
    // Nothing here unpacks an answer; without this, a server may pack it.
    plain.insert(ACCEPT_ENCODING, axum::http::HeaderValue::from_static("identity"));
    let client = builder_for(url)
        .default_headers(plain)
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("mcpproxy/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::custom(only_to_itself))
        .build()
        .map_err(|_| "no HTTP client could be made on this system".to_owned())?;
    let mut config = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(custom)
        .max_json_response_size(MOST_BYTES)
        .max_sse_event_size(MOST_BYTES)
        .max_concurrent_requests(MOST_CALLS)
        .reinit_on_expired_session(true);
    let mut pauses = ExponentialBackoff::default();
    pauses.max_delay = Some(LONGEST);
    config.retry_config = Arc::new(pauses);
    let answers = Answers::new(PATIENCE);
    let client = HttpClient::new(client, answers.clone(), silence, reader.clone());
    let probe = client.probe();
    let transport = StreamableHttpClientTransport::with_client(client, config);
    let transport = Bounded::new(transport, answers.clone(), Source::Events);
    Ok(Link { transport, answers, probe, reader })
}

/// A client that goes through the proxy of the environment, if the server is elsewhere: headers and bodies for a
/// server on this machine stay on it.
fn builder_for(url: &str) -> reqwest::ClientBuilder {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let variable = |name: &str| std::env::var(name).ok();
    match host.is_some_and(|host| proxy::is_direct(&host, &variable)) {
        true => reqwest::Client::builder().no_proxy(),
        false => reqwest::Client::builder(),
    }
}

/// A server may send us to another path of its own. Elsewhere, the headers that are for it would go along,
/// and what answers only to this machine would be asked in its name.
fn only_to_itself(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    // With these a POST becomes a GET, and the message is lost.
    let keeps_method = !matches!(attempt.status().as_u16(), 301..=303);
    let is_its_own = attempt.previous().first().is_some_and(|first| {
        first.scheme() == attempt.url().scheme()
            && first.host_str() == attempt.url().host_str()
            && first.port_or_known_default() == attempt.url().port_or_known_default()
    });
    if keeps_method && is_its_own && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Why a connection was not established.
enum Trouble {
    /// It ended before it answered.
    Closed,
    /// It answered, but not with a session.
    Refused(String),
    /// It knows no handshake.
    ModernOnly,
    /// It was not reached.
    Unreachable(String),
    /// It wants to know who we are.
    Unauthorized,
    /// As the words say.
    Other(String),
}

impl Trouble {
    /// How else the session may be begun.
    fn otherwise(&self, begin: Begin, is_http: bool, answered_late: bool) -> Option<Begin> {
        match (begin, self) {
            (Begin::Probing | Begin::Older, Self::ModernOnly) => Some(Begin::Modern),
            // It was too slow for the probe, and knows no handshake.
            (Begin::Probing, Self::Refused(_)) if answered_late => Some(Begin::Modern),
            // A server that ended at the sight of the probe gets a second life without it.
            (Begin::Probing, Self::Closed) => Some(Begin::Older),
            // Servers of the older era refuse the probe in many ways, not all of them by the book.
            (Begin::Probing, Self::Refused(_)) if is_http => Some(Begin::Older),
            _ => None,
        }
    }

    fn of(error: ClientInitializeError) -> Self {
        if error.is_authorization_required() {
            return Self::Unauthorized;
        }
        match error {
            ClientInitializeError::ConnectionClosed(_) => Self::Closed,
            ClientInitializeError::LegacyFallbackFailed { fallback, .. } => Self::of(*fallback),
            ClientInitializeError::TransportError { error, .. } => {
                Self::of_transport(error.error.as_ref())
            }
            ClientInitializeError::JsonRpcError(error)
                if error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION =>
            {
                Self::ModernOnly
            }
            ClientInitializeError::JsonRpcError(error) => {
                Self::Refused(format!("it refused to start a session (error {})", error.code.0))
            }
            ClientInitializeError::NoCompatibleProtocolVersion { .. } => {
                Self::Other("it speaks no protocol version that this build speaks".into())
            }
            _ => Self::Refused("it did not answer as an MCP server does".into()),
        }
    }

    fn of_transport(error: &(dyn Error + 'static)) -> Self {
        let mut source = Some(error);
        while let Some(cause) = source {
            if let Some(status) = cause.downcast_ref::<HttpStatusError>() {
                return Self::of_status(status.status);
            }
            if let Some(words) = unreachable::words(cause) {
                return Self::Unreachable(words);
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                return match error.kind() {
                    io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Self::Closed,
                    _ => Self::Unreachable(unreachable::of_system(error)),
                };
            }
            source = match cause.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
                // The SDK does not call these its sources.
                Some(StreamableHttpError::Client(error)) => Some(error),
                Some(StreamableHttpError::HttpStatus(status)) => {
                    return Self::of_status(status.status);
                }
                Some(StreamableHttpError::UnexpectedServerResponse(words)) => {
                    return Self::of_answer(words);
                }
                Some(StreamableHttpError::UnexpectedContentType(_)) => {
                    return Self::Refused(
                        "by its Content-Type, its answer is neither JSON nor events".into(),
                    );
                }
                _ => cause.source(),
            };
            if let Some(error) = cause.downcast_ref::<reqwest::Error>()
                && error.is_timeout()
            {
                return Self::Unreachable("it cannot be reached: timed out".into());
            }
        }
        Self::Refused("it did not answer as an MCP server does".into())
    }

    /// What the SDK says of an answer: it has no other place for the status, and quotes the body.
    fn of_answer(words: &str) -> Self {
        let status = words.strip_prefix("HTTP ").and_then(|rest| rest.get(..3)?.parse().ok());
        match status {
            Some(status) => Self::of_status(status),
            None if words.contains(PACKED) => {
                Self::Refused(format!("its answer cannot be read: {PACKED}"))
            }
            None => Self::Refused("it did not answer as an MCP server does".into()),
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Unauthorized,
            300..=399 => Self::Refused(format!(
                "it redirects (HTTP status {status}) and is not followed there, because its headers are for its \
                 own address alone: put the address it redirects to into `url` of its entry"
            )),
            _ => Self::Refused(format!("it answered with HTTP status {status}")),
        }
    }

    fn into_words(self, is_http: bool) -> String {
        match self {
            Self::Closed if is_http => "it did not answer as an MCP server does".into(),
            Self::Closed => "it ended before it answered; run its command by hand, or see \
                             `mcpproxy serve --server-stderr`"
                .into(),
            Self::ModernOnly => "it refused the protocol version that it was offered".into(),
            Self::Unauthorized => "it wants authorization: add it to `headers` of its entry".into(),
            Self::Refused(words) | Self::Unreachable(words) | Self::Other(words) => words,
        }
    }
}

/// Asks a server of the modern era to say when lists change; what it does not offer is not asked for.
pub fn wanted_changes(peer: &Peer<RoleClient>) -> Option<SubscriptionFilter> {
    let info = peer.peer_info()?;
    if info.protocol_version.as_str() < ProtocolVersion::V_2026_07_28.as_str() {
        return None;
    }
    let offered = &info.capabilities;
    let mut filter = SubscriptionFilter::new();
    filter.tools_list_changed = offered.tools.as_ref().and_then(|c| c.list_changed);
    filter.prompts_list_changed = offered.prompts.as_ref().and_then(|c| c.list_changed);
    filter.resources_list_changed = offered.resources.as_ref().and_then(|c| c.list_changed);
    (filter != SubscriptionFilter::new()).then_some(filter)
}

//! One live connection to an upstream server: how it is made, what it offers, why it failed.
//!
//! One rule: a failure is a [`Reason`]. What a server answers or writes may hold anything, and is not in it.

use super::backpressure::{Answers, Bounded, PATIENCE, Source};
use super::changes::Paced;
use super::child::Processes;
use super::era::{self, Begin, Beginning};
use super::events::LONGEST;
use super::http_client::{HttpClient, Probe};
use super::lines::Lines;
use super::listener::Listener;
use super::messages::OfServer;
use super::post::{PACKED, PACKED_ANSWER};
use super::programs;
use super::progress::{Routed, Routes};
use super::reason::{Diagnosis, Reason};
use super::stray::Sorted;
use super::unreachable::Unreachable;
use crate::config::servers::relative::is_relative_command;
use crate::config::servers::{Transport, passed_variables};
use crate::heartbeat::{proxy, retry_after};
use crate::machine;
use axum::http::header::ACCEPT_ENCODING;
use mcpproxy_platform::group::Exit;
use mcpproxy_platform::limits;
use rmcp::model::{ErrorCode, ProtocolVersion, SubscriptionFilter};
use rmcp::service::{ClientInitializeError, ClientServiceExt, Peer, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError,
    StreamableHttpClientTransportConfig, StreamableHttpError,
};
use std::error::Error;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
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

/// Connects, in the era that the server speaks, which `memory` may know. What is started for it is among
/// `processes`; all has to be done within `startup`.
pub async fn connect(
    transport: &Transport,
    processes: &Processes,
    memory: &era::Memory,
    startup: Duration,
) -> Result<Connection, Diagnosis> {
    let mut begin = memory.begin();
    loop {
        let silence = begin.silence(startup);
        let result = match transport {
            Transport::Stdio { .. } => {
                let reader = OfServer::of_lines();
                let streams = start(transport, processes, reader.clone())?;
                let streams = Beginning::new(streams, memory.clone(), silence);
                let link = Link::over_streams(streams, reader.clone());
                establish(link, begin).await.map_err(|error| Way::Stdio.reason(error))
            }
            Transport::Http { url, headers } => {
                let (way, reader) = (Way::to(transport), OfServer::default());
                let link = http(url, headers, silence, reader)?;
                establish(link, begin).await.map_err(|error| way.reason(error))
            }
        };
        let reason = match result {
            Ok(connection) => {
                let info = connection.service.peer().peer_info();
                memory.learn(info.as_ref().map(|info| &info.protocol_version));
                return Ok(connection);
            }
            Err(reason) => reason,
        };
        let is_http = matches!(transport, Transport::Http { .. });
        let Some(next) = otherwise(&reason, begin, is_http, memory.answered_late()) else {
            memory.forget();
            let is_early = matches!(reason, Reason::EndedEarly(_));
            let reason = match transport {
                Transport::Stdio { command, env, .. }
                    if is_early && programs::is_foreign(command, env) =>
                {
                    Reason::NotExecutable
                }
                _ => reason,
            };
            // A process that answered was started right.
            let may_be_of_entry = is_http || is_early;
            return Err(match may_be_of_entry {
                true => with_hint(reason, transport),
                false => reason.into(),
            });
        };
        begin = next;
        processes.end().await;
    }
}

/// How else the session may be begun.
fn otherwise(reason: &Reason, begin: Begin, is_http: bool, answered_late: bool) -> Option<Begin> {
    match (begin, reason) {
        (Begin::Probing | Begin::Older, Reason::RefusedVersion) => Some(Begin::Modern),
        // It was too slow for the probe, and knows no handshake.
        (Begin::Probing, reason) if reason.is_refusal() && answered_late => Some(Begin::Modern),
        // A server that ended at the sight of the probe gets a second life without it.
        (Begin::Probing, Reason::EndedEarly(_) | Reason::Unreachable(Unreachable::Reset)) => {
            Some(Begin::Older)
        }
        // Servers of the older era refuse the probe in many ways, not all of them by the book.
        (Begin::Probing, reason) if reason.is_refusal() && is_http => Some(Begin::Older),
        _ => None,
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

async fn establish<T>(link: Link<T>, begin: Begin) -> Result<Connection, ClientInitializeError>
where
    T: rmcp::transport::Transport<RoleClient> + 'static,
{
    let routes = Routes::default();
    let (changed, nameless) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let Link { transport, answers, probe, reader } = link;
    let transport = Sorted::new(Paced::new(transport, changed.clone()), nameless.clone());
    let transport = Routed::new(transport, routes.clone());
    let service = Listener.serve_with_lifecycle(transport, begin.lifecycle()).await?;
    Ok(Connection { service, routes, changed, nameless, answers, probe, reader })
}

/// Starts the child process of a stdio server, in a process group of its own, so that Ctrl-C at our
/// terminal does not end it before the calls it is busy with.
fn start(
    transport: &Transport,
    processes: &Processes,
    reader: OfServer,
) -> Result<impl rmcp::transport::Transport<RoleClient> + use<>, Diagnosis> {
    let Transport::Stdio { command, args, env, cwd } = transport else {
        return Err(Reason::NotStarted("it is not a child process".into()).into());
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
    let started = processes.start(program.as_ref(), args, dress);
    let (output, input) = started.map_err(|error| {
        let reason = not_started(&error, command, program.as_os_str(), env, cwd.as_deref());
        match reason {
            Reason::NoDirectory => with_hint(reason, transport),
            Reason::NotFound { is_path: true } => with_hint(reason, transport),
            reason => reason.into(),
        }
    })?;
    Ok(Lines::new(output, input, reader))
}

/// With what may be wrong with the entry.
fn with_hint(reason: Reason, transport: &Transport) -> Diagnosis {
    Diagnosis { reason, hint: transport.hint() }
}

fn is_passed(name: &std::ffi::OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let same = |passed: &str| {
        if cfg!(windows) { passed.eq_ignore_ascii_case(name) } else { passed == name }
    };
    passed_variables().any(same)
}

/// Why the system started nothing.
fn not_started(
    error: &io::Error,
    command: &str,
    program: &OsStr,
    env: &[(String, String)],
    cwd: Option<&Path>,
) -> Reason {
    let is_path = command.contains(std::path::is_separator);
    match error.kind() {
        io::ErrorKind::NotFound if cwd.is_some_and(|dir| !dir.is_dir()) => Reason::NoDirectory,
        // The program is there: it is what its first line names that is not.
        io::ErrorKind::NotFound if programs::found(program, env).is_some() => Reason::NotExecutable,
        io::ErrorKind::NotFound if programs::is_engine(command) => Reason::NoEngine,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Reason::NotFound { is_path },
        io::ErrorKind::PermissionDenied => Reason::NoPermission,
        _ if mcpproxy_platform::programs::is_no_program(error) => Reason::NotExecutable,
        kind => Reason::NotStarted(limits::in_words(error).unwrap_or_else(|| kind.to_string())),
    }
}

fn http(
    url: &str,
    headers: &[(String, String)],
    silence: Option<Duration>,
    reader: OfServer,
) -> Result<Link<StreamableHttpClientTransport<HttpClient>>, Reason> {
    let mut custom = std::collections::HashMap::new();
    for (name, value) in headers {
        let bad = || Reason::Header(name.clone());
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
        .map_err(|_| Reason::NotStarted("this system gives no HTTP client".into()))?;
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

/// How a server is reached: what of it an error does not say.
pub enum Way {
    /// Over standard streams.
    Stdio,
    /// Over HTTP.
    Http {
        /// Whether its address looks like one of the older HTTP transport.
        is_sse_address: bool,
        /// Whether a proxy is asked to lead there.
        has_proxy: bool,
        /// Whether its entry says who we are.
        is_authorized: bool,
    },
}

impl Way {
    /// To a server, as its entry says.
    pub fn to(transport: &Transport) -> Self {
        let Transport::Http { url, headers } = transport else { return Self::Stdio };
        let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let variable = |name: &str| std::env::var(name).ok();
        Self::Http {
            is_sse_address: transport.is_sse_address(),
            has_proxy: host.is_some_and(|host| proxy::for_host(&host, &variable).is_some()),
            is_authorized: headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("authorization")),
        }
    }

    /// Whether it is over HTTP.
    pub fn is_http(&self) -> bool {
        matches!(self, Self::Http { .. })
    }

    /// Why no session began.
    fn reason(&self, error: ClientInitializeError) -> Reason {
        let is_http = self.is_http();
        match error {
            ClientInitializeError::ConnectionClosed(_) if is_http => self.not_mcp(None),
            ClientInitializeError::ConnectionClosed(_) => Reason::EndedEarly(Exit::default()),
            ClientInitializeError::LegacyFallbackFailed { fallback, .. } => self.reason(*fallback),
            ClientInitializeError::TransportError { error, .. } => {
                self.of_transport(error.error.as_ref())
            }
            ClientInitializeError::JsonRpcError(error)
                if error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION =>
            {
                Reason::RefusedVersion
            }
            ClientInitializeError::JsonRpcError(error) => {
                Reason::Refused { error: error.code.0, is_http }
            }
            ClientInitializeError::NoCompatibleProtocolVersion { .. } => Reason::NoVersion,
            _ => self.not_mcp(None),
        }
    }

    fn not_mcp(&self, why: Option<&'static str>) -> Reason {
        Reason::NotMcp { why, is_http: self.is_http() }
    }

    /// What an error on the way says: the nearest cause that says anything.
    pub fn of_transport(&self, error: &(dyn Error + 'static)) -> Reason {
        let mut source = Some(error);
        let mut is_connecting = false;
        while let Some(cause) = source {
            if let Some(status) = cause.downcast_ref::<HttpStatusError>() {
                return self.of_status(status.status, status.retry_after.as_deref());
            }
            if let Some(asked) = cause.downcast_ref::<AuthRequiredError>() {
                return self.of_challenge(&asked.www_authenticate_header);
            }
            if cause.downcast_ref::<InsufficientScopeError>().is_some() {
                return self.of_status(403, None);
            }
            if let Some(why) = Unreachable::of(cause) {
                return self.unreachable(why, is_connecting);
            }
            source = match cause.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
                // The SDK does not call these its sources.
                Some(StreamableHttpError::Client(error)) => Some(error),
                Some(StreamableHttpError::HttpStatus(status)) => {
                    return self.of_status(status.status, status.retry_after.as_deref());
                }
                Some(StreamableHttpError::UnexpectedServerResponse(words)) => {
                    return self.of_answer(words);
                }
                Some(StreamableHttpError::UnexpectedContentType(_)) => {
                    return self.not_mcp(Some(
                        "by its Content-Type, its answer is neither JSON nor events",
                    ));
                }
                Some(StreamableHttpError::SessionExpired) => return Reason::Forgotten,
                _ => cause.source(),
            };
            if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
                is_connecting = error.is_connect();
                if error.is_timeout() {
                    return self.unreachable(Unreachable::TimedOut, is_connecting);
                }
            }
        }
        // Nothing that the proxy says of itself has a type of its own.
        match is_connecting && self.has_proxy() {
            true => Reason::Unreachable(Unreachable::Proxy),
            false => self.not_mcp(None),
        }
    }

    fn has_proxy(&self) -> bool {
        matches!(self, Self::Http { has_proxy: true, .. })
    }

    fn unreachable(&self, why: Unreachable, is_connecting: bool) -> Reason {
        let is_of_server = matches!(why, Unreachable::Certificate | Unreachable::Tls);
        match (self, why) {
            (Self::Stdio, Unreachable::Reset) => Reason::EndedEarly(Exit::default()),
            // It is the proxy that is connected to.
            _ if is_connecting && self.has_proxy() && !is_of_server => {
                Reason::Unreachable(Unreachable::Proxy)
            }
            (_, why) => Reason::Unreachable(why),
        }
    }

    /// What the SDK says of an answer: it has no other place for the status, and quotes the body.
    fn of_answer(&self, words: &str) -> Reason {
        let status = words.strip_prefix("HTTP ").and_then(|rest| rest.get(..3)?.parse().ok());
        match status {
            Some(status) => self.of_status(status, None),
            None if words.contains(PACKED) => self.not_mcp(Some(PACKED_ANSWER)),
            None => self.not_mcp(None),
        }
    }

    /// What a status says that is no success.
    pub fn of_status(&self, status: u16, retry_after: Option<&str>) -> Reason {
        let now = machine::now();
        let seconds = retry_after.and_then(|value| retry_after::parse(value, now));
        let is_sse_address = matches!(self, Self::Http { is_sse_address: true, .. });
        let retry_after = seconds.map(Duration::from_secs);
        Reason::Status { status, retry_after, is_sse_address }
    }

    /// A server that takes tokens of a sign-in says where one gets them.
    fn of_challenge(&self, asked: &str) -> Reason {
        let is_login = asked.to_ascii_lowercase().contains("resource_metadata");
        match self {
            Self::Http { is_authorized: false, .. } if is_login => Reason::Login,
            _ => self.of_status(401, None),
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

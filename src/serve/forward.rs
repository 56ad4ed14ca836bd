//! One request, handed on to the server it is for: progress and cancellation included.
//!
//! One rule: what the server answers is what the client gets, errors as well; what goes wrong on the way
//! is told in our own words.

use super::connection::Way;
use super::exact::Exact;
use super::hub::{Live, Server, Status};
use super::messages::Answer;
use super::progress::route;
use super::reason::{Diagnosis, Reason};
use crate::config::servers::Transport;
use crate::diagnostics::Code;
use mcpproxy_platform::group::Exit;
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientRequest, ErrorCode, ErrorData,
    GetExtensions as _, ProgressNotificationParam, ProgressToken, ProtocolVersion, RequestId,
    RequestMetaObject,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, ServiceError};
use rmcp::{RoleClient, RoleServer};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Keys of `_meta` that belong to one hop.
const OF_ONE_HOP: &[&str] = &[
    "progressToken",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
];
/// What the client can be asked; the rest of what it says of itself is between it and us.
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const ASKED: &[&str] = &["elicitation", "sampling", "roots"];

/// Why there is no answer.
pub enum Failed {
    /// The server refused, in its own words.
    ByServer(ErrorData),
    /// It did not come to an answer.
    OnTheWay(CallError),
}

/// Why a call did not come to an answer of its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The name of the server.
    pub server: Arc<str>,
    /// What happened.
    pub kind: CallErrorKind,
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// The client cancelled it.
    Cancelled,
    /// The gateway stopped.
    Cut,
    /// The answer cannot be read, in words.
    Unreadable(String),
    /// The answer is too long, in words.
    TooLong(String),
    /// The answer is no object.
    NoObject,
    /// The answer is one to another request.
    Unexpected,
    /// No answer and no progress for so long.
    Silent(Duration),
    /// The server did not take it.
    Lost(Reason),
    /// The server is not connected.
    NotConnected(Status),
    /// There is no such server any more.
    NotConfigured,
}

impl CallError {
    /// Its code in the catalog; none where nothing is wrong with the server.
    pub fn code(&self) -> Option<Code> {
        match &self.kind {
            CallErrorKind::Cancelled | CallErrorKind::Cut | CallErrorKind::NotConfigured => None,
            CallErrorKind::Unreadable(_) | CallErrorKind::NoObject | CallErrorKind::Unexpected => {
                Some(Code::ProtocolInvalidAnswer)
            }
            CallErrorKind::TooLong(_) => Some(Code::ProtocolTooLarge),
            CallErrorKind::Silent(_) => Some(Code::ProtocolCallTimeout),
            CallErrorKind::Lost(reason) => Some(reason.code()),
            CallErrorKind::NotConnected(status) => status.why().map(Diagnosis::code),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.server;
        match &self.kind {
            CallErrorKind::Cancelled => f.write_str("the call was cancelled"),
            CallErrorKind::Cut => write!(
                f,
                "the gateway stopped before server `{name}` answered; what was asked of it may be done or not"
            ),
            CallErrorKind::Unreadable(why) | CallErrorKind::TooLong(why) => {
                write!(f, "server `{name}` gave an answer that cannot be read: {why}")
            }
            CallErrorKind::NoObject => {
                write!(f, "server `{name}` gave an answer that is no result: it is no object")
            }
            CallErrorKind::Unexpected => {
                write!(f, "server `{name}` gave an answer that does not belong to the request")
            }
            CallErrorKind::Silent(timeout) => write!(
                f,
                "server `{name}` gave no answer and no sign of progress for {} s; a larger `tool_timeout_sec` in its \
                 entry gives it more time",
                timeout.as_secs_f64()
            ),
            CallErrorKind::Lost(Reason::Ended(_) | Reason::Lost) => {
                write!(f, "the connection to server `{name}` was lost before it answered")
            }
            CallErrorKind::Lost(reason) => {
                write!(f, "server `{name}` did not take the call: {reason}")
            }
            CallErrorKind::NotConnected(status) => {
                write!(f, "server `{name}` is not connected at the moment ({}", status.as_str())?;
                if let Some(why) = status.why() {
                    write!(f, ", {}: {why}", why.code().as_str())?;
                }
                write!(f, "); {}", status.then())
            }
            CallErrorKind::NotConfigured => {
                write!(f, "server `{name}` is not configured any more")
            }
        }
    }
}

impl From<Failed> for ErrorData {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::ByServer(error) => error,
            Failed::OnTheWay(error) => {
                ErrorData::new(ErrorCode::INTERNAL_ERROR, error.to_string(), None)
            }
        }
    }
}

/// Asks `server` what a client asked us in `context`.
pub async fn forward(
    server: &Server,
    live: &Live,
    mut request: ClientRequest,
    context: &RequestContext<RoleServer>,
) -> Result<Exact, Failed> {
    let failed = |kind| Failed::OnTheWay(CallError { server: server.name.clone(), kind });
    let token = context.meta.get_progress_token();
    let progress = token.is_some().then(|| {
        let (route, progress) = route();
        request.extensions_mut().insert(route);
        progress
    });
    let mut options =
        PeerRequestOptions::with_timeout(server.entry.tool_timeout).reset_timeout_on_progress();
    options.meta = passed_on(&context.meta, &live.peer);
    let sent = live.peer.send_cancellable_request(request, options).await;
    let handle = sent.map_err(|error| server.failed(error))?;
    let mut pending = Pending {
        peer: live.peer.clone(),
        id: Some(handle.id.clone()),
        routes: live.routes.clone(),
        token: handle.progress_token.clone(),
    };
    let answer = handle.await_response();
    tokio::pin!(answer);
    let mut echo = Echo { context, token, progress };
    let result = loop {
        tokio::select! {
            // Progress first: it must not come after the answer.
            biased;
            Some(step) = next(&mut echo.progress) => echo.pass(step).await,
            result = &mut answer => break result,
            // Dropping `pending` tells the server.
            () = context.ct.cancelled() => return Err(failed(CallErrorKind::Cancelled)),
        }
    };
    pending.id = None;
    while let Some(step) = echo.progress.as_mut().and_then(|progress| progress.try_recv().ok()) {
        echo.pass(step).await;
    }
    match Answer::of(result.map_err(|error| server.failed(error))?) {
        Answer::Text(text) => match Exact::read(&text) {
            Ok(Some(mut result)) => {
                result.for_client(is_modern(context.protocol_version().as_ref()));
                Ok(result)
            }
            Ok(None) => Err(failed(CallErrorKind::NoObject)),
            Err(why) => Err(failed(CallErrorKind::Unreadable(why.to_string()))),
        },
        Answer::Unreadable(why) => Err(failed(CallErrorKind::Unreadable(why))),
        Answer::TooLong(why) => Err(failed(CallErrorKind::TooLong(why))),
    }
}

/// Whether a peer speaks the modern era.
pub fn is_modern(version: Option<&ProtocolVersion>) -> bool {
    version.is_some_and(|it| it.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// The client's side of progress.
struct Echo<'a> {
    context: &'a RequestContext<RoleServer>,
    token: Option<ProgressToken>,
    progress: Option<mpsc::Receiver<ProgressNotificationParam>>,
}

/// The next step; never, for a client that asked for none.
async fn next(
    progress: &mut Option<mpsc::Receiver<ProgressNotificationParam>>,
) -> Option<ProgressNotificationParam> {
    match progress {
        Some(progress) => progress.recv().await,
        None => std::future::pending().await,
    }
}

impl Echo<'_> {
    /// Passes one step on, under the client's own token.
    async fn pass(&self, mut step: ProgressNotificationParam) {
        if let Some(token) = &self.token {
            step.progress_token = token.clone();
            // A client that is gone cancels the call by itself.
            let _ = self.context.peer.notify_progress(step).await;
        }
    }
}

/// A request that the server is busy with. Dropped before it is answered, the server is told.
struct Pending {
    peer: Peer<RoleClient>,
    id: Option<RequestId>,
    routes: super::progress::Routes,
    token: ProgressToken,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.routes.end(&self.token);
        let Some(id) = self.id.take() else { return };
        let peer = self.peer.clone();
        let reason = Some("cancelled by the client".to_owned());
        let params = CancelledNotificationParam::new(Some(id), reason);
        // Always inside the runtime: requests are only ever handled there.
        tokio::spawn(async move {
            let _ = peer.send_notification(CancelledNotification::new(params).into()).await;
        });
    }
}

impl Server {
    /// What an error of the SDK says of a call.
    fn failed(&self, error: ServiceError) -> Failed {
        let kind = match error {
            ServiceError::McpError(error) => return Failed::ByServer(error),
            ServiceError::Timeout { timeout } => {
                self.doubt();
                CallErrorKind::Silent(timeout)
            }
            ServiceError::UnexpectedResponse => CallErrorKind::Unexpected,
            error => {
                self.doubt();
                CallErrorKind::Lost(self.lost(&error))
            }
        };
        Failed::OnTheWay(CallError { server: self.name.clone(), kind })
    }

    fn lost(&self, error: &ServiceError) -> Reason {
        match (error, &self.entry.transport) {
            (ServiceError::TransportSend(error), Ok(transport @ Transport::Http { .. })) => {
                Way::to(transport).of_transport(error.error.as_ref())
            }
            (_, Ok(Transport::Http { .. })) => Reason::Lost,
            _ => Reason::Ended(Exit::default()),
        }
    }
}

/// What of a client's `_meta` is for the server, and what the client can be asked: in the modern era a server puts
/// its question into its answer, and the client asks again with what it was told.
fn passed_on(meta: &RequestMetaObject, peer: &Peer<RoleClient>) -> Option<RequestMetaObject> {
    let mut meta = meta.clone();
    let of_client = meta.get(CAPABILITIES).cloned();
    for key in OF_ONE_HOP {
        meta.remove(*key);
    }
    let is_modern = peer.peer_info().is_some_and(|info| !info.protocol_version.has_initialize());
    if is_modern && let Some(Value::Object(mut of_client)) = of_client {
        of_client.retain(|name, _| ASKED.contains(&name.as_str()));
        meta.insert(CAPABILITIES.to_owned(), of_client.into());
    }
    (!meta.is_empty()).then_some(meta)
}

/// A server and its connection, or why it cannot be asked now.
pub fn reach(server: Option<Arc<Server>>, name: &str) -> Result<(Arc<Server>, Arc<Live>), Failed> {
    let failed = |kind| Failed::OnTheWay(CallError { server: name.into(), kind });
    let server = server.ok_or_else(|| failed(CallErrorKind::NotConfigured))?;
    match server.live() {
        Some(live) => Ok((server, live)),
        None => Err(failed(CallErrorKind::NotConnected(server.status()))),
    }
}

//! The era of a server: how it is found out, and what is remembered of it.
//!
//! One rule: the handshake belongs to the versions before 2026-07-28. A server is modern when it answers
//! `server/discover`, never because it repeats a version.
//!
//! The SDK waits ten seconds for the answer to `server/discover`, takes a server for a modern one that
//! answers `initialize` with any later version, and gives a server up that refuses under another id than that of
//! the request. All three are corrected where the transport is read.

use rmcp::RoleClient;
use rmcp::model::{
    ClientRequest, ErrorData, JsonRpcMessage, ProtocolVersion, RequestId, ServerResult,
};
use rmcp::service::{ClientLifecycleMode, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What `initialize` offers.
pub const OFFERED: ProtocolVersion = ProtocolVersion::LATEST_WITH_INITIALIZE;
/// How long a server may be silent to `server/discover` at most.
const SILENCE: Duration = Duration::from_secs(2);

/// How a session is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With `server/discover`, and after a refusal or silence with `initialize`.
    Probing,
    /// With `initialize`.
    Older,
    /// With `server/discover` alone, however long the answer takes.
    Modern,
}

impl Begin {
    /// As the SDK calls it.
    pub fn lifecycle(self) -> ClientLifecycleMode {
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        match self {
            Self::Probing => {
                ClientLifecycleMode::Auto { preferred_versions, legacy_version: Some(OFFERED) }
            }
            Self::Older => ClientLifecycleMode::Initialize,
            Self::Modern => ClientLifecycleMode::Discover { preferred_versions },
        }
    }

    /// How long the answer to `server/discover` is waited for, of all the time the server has to start.
    pub fn silence(self, startup: Duration) -> Option<Duration> {
        (self == Self::Probing).then(|| SILENCE.min(startup / 4))
    }
}

/// What is remembered of one server, for as long as the gateway runs.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Remembered>>);

#[derive(Default)]
struct Remembered {
    begin: Option<Begin>,
    answered_late: bool,
}

impl Memory {
    fn locked<R>(&self, work: impl FnOnce(&mut Remembered) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How the next session begins.
    pub fn begin(&self) -> Begin {
        self.locked(|it| {
            it.answered_late = false;
            it.begin.unwrap_or(Begin::Probing)
        })
    }

    /// A session began, in this version. (A server that needed longer than it had to answer the probe is
    /// given the time the next time.)
    pub fn learn(&self, version: Option<&ProtocolVersion>) {
        let is_modern = version.is_some_and(|version| !version.has_initialize());
        self.locked(|it| {
            let modern = is_modern || it.answered_late;
            it.begin = Some(if modern { Begin::Modern } else { Begin::Older });
        });
    }

    /// No session began: the server may have become another one.
    pub fn forget(&self) {
        self.locked(|it| it.begin = None);
    }

    /// Whether the server answered the probe after it was given up.
    pub fn answered_late(&self) -> bool {
        self.locked(|it| it.answered_late)
    }
}

/// The answer in place of a server that is silent to `server/discover`.
pub fn refusal(id: RequestId) -> RxJsonRpcMessage<RoleClient> {
    let words = "no answer to server/discover in time";
    RxJsonRpcMessage::<RoleClient>::error(ErrorData::invalid_request(words, None), Some(id))
}

/// Makes the answer to `initialize` one of the older era, whatever version the server names in it.
pub fn without_modern_version(message: &mut RxJsonRpcMessage<RoleClient>) {
    if let JsonRpcMessage::Response(response) = message
        && let ServerResult::InitializeResult(result) = &mut response.result
        && !result.protocol_version.has_initialize()
    {
        result.protocol_version = OFFERED;
    }
}

/// A transport over which a session begins in the right era.
pub struct Beginning<T> {
    inner: T,
    memory: Memory,
    silence: Option<Duration>,
    probe: Option<RequestId>,
    /// Until when the answer to the probe is waited for.
    until: Option<Instant>,
    is_greeted: bool,
    /// Requests that begin the session and have no answer, the newest last: a probe that was given up is one.
    open: Vec<RequestId>,
}

impl<T> Beginning<T> {
    /// Waits `silence` for the answer to `server/discover`; for ever without it.
    pub fn new(inner: T, memory: Memory, silence: Option<Duration>) -> Self {
        Self { inner, memory, silence, probe: None, until: None, is_greeted: false, open: vec![] }
    }

    /// Gives an error under an id of the server's own, or none, to the request that waits for longest: frameworks
    /// refuse a method that they do not know so. Without one, the message stays as it is.
    fn name(&mut self, message: &mut RxJsonRpcMessage<RoleClient>) {
        let id = match &*message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => return,
        };
        if let Some(place) = self.open.iter().position(|open| Some(open) == id) {
            self.open.remove(place);
        } else if let JsonRpcMessage::Error(error) = message
            && !self.open.is_empty()
        {
            error.id = Some(self.open.remove(0));
        }
    }

    fn look(&mut self, message: &mut RxJsonRpcMessage<RoleClient>) {
        let id = match &*message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => return,
        };
        if id == self.probe.as_ref() || !self.is_greeted {
            self.until = None;
        }
        let is_discovery = matches!(message, JsonRpcMessage::Response(response)
            if matches!(response.result, ServerResult::DiscoverResult(_)));
        if self.is_greeted && is_discovery {
            self.memory.locked(|it| it.answered_late = true);
        }
        // Some answer every method with an empty result.
        if let (JsonRpcMessage::Response(response), Some(probe)) = (&*message, &self.probe)
            && response.id == *probe
            && !is_discovery
        {
            *message = refusal(probe.clone());
        }
        without_modern_version(message);
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Beginning<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        if let JsonRpcMessage::Request(message) = &item {
            match &message.request {
                ClientRequest::DiscoverRequest(_) if !self.is_greeted => {
                    self.probe = Some(message.id.clone());
                    self.open.push(message.id.clone());
                    self.until = self.silence.map(|silence| Instant::now() + silence);
                }
                ClientRequest::InitializeRequest(_) => {
                    self.is_greeted = true;
                    self.open.push(message.id.clone());
                }
                // The session has begun: what comes from now on answers other requests.
                _ => self.open.clear(),
            }
        }
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let mut message = match (self.until, &self.probe) {
            (Some(until), Some(probe)) => {
                let silent = refusal(probe.clone());
                tokio::select! {
                    message = self.inner.receive() => message?,
                    () = sleep_until(until) => {
                        self.until = None;
                        return Some(silent);
                    }
                }
            }
            _ => self.inner.receive().await?,
        };
        self.name(&mut message);
        self.look(&mut message);
        Some(message)
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests;

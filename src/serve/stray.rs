//! Answers that belong to no question that waits: late ones and nameless ones.
//!
//! One rule: such an answer is not the answer to the next question, and not nothing either.
//!
//! Late: the probe for the modern era is given up after a while and hands are shaken; a server that needs
//! longer to start answers both, and the SDK would take the first answer for a wrong one. Nameless: many HTTP
//! servers that were restarted answer requests of the lost session with an error without an id (and status
//! 400, not 404); the SDK drops it, and the question would wait for its time-out.

use rmcp::RoleClient;
use rmcp::model::{ClientRequest, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::sync::Arc;
use tokio::sync::Notify;

/// A transport that drops the answer to a probe that was given up, and tells of errors without an id.
pub struct Sorted<T> {
    inner: T,
    nameless: Arc<Notify>,
    probe: Option<RequestId>,
    given_up: bool,
}

impl<T> Sorted<T> {
    /// Watches `inner`; wakes `nameless`.
    pub fn new(inner: T, nameless: Arc<Notify>) -> Self {
        Self { inner, nameless, probe: None, given_up: false }
    }

    fn is_late(&self, message: &RxJsonRpcMessage<RoleClient>) -> bool {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        self.given_up && id.is_some() && id == self.probe.as_ref()
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Sorted<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        if let JsonRpcMessage::Request(message) = &item {
            match &message.request {
                ClientRequest::DiscoverRequest(_) => self.probe = Some(message.id.clone()),
                ClientRequest::InitializeRequest(_) => self.given_up = true,
                _ => {}
            }
        }
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = self.inner.receive().await?;
            if matches!(&message, JsonRpcMessage::Error(error) if error.id.is_none()) {
                self.nameless.notify_one();
            }
            if !self.is_late(&message) {
                return Some(message);
            }
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

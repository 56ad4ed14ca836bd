//! The client of the standard streams, between the streams and the SDK.
//!
//! One rule: what was asked is answered. A greeting that lacks something is told what, and the end of standard
//! input waits for the calls that are under way.

use super::gateway::Gateway;
use super::greeting;
use super::unknown;
use rmcp::RoleServer;
use rmcp::model::{ClientRequest, CustomRequest, ErrorData, JsonRpcMessage};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// A transport whose end is held back.
pub struct Doorstep<T> {
    inner: T,
    gateway: Gateway,
    grace: Duration,
    /// Until when calls may finish, once the streams have ended.
    until: Option<Instant>,
}

impl<T> Doorstep<T> {
    /// Calls have `grace` to finish after the end of `inner`.
    pub fn new(inner: T, gateway: Gateway, grace: Duration) -> Self {
        Self { inner, gateway, grace, until: None }
    }
}

/// What is wrong with a greeting that the SDK could not read.
fn refusal(request: &ClientRequest) -> Option<ErrorData> {
    let ClientRequest::CustomRequest(CustomRequest { method, params, .. }) = request else {
        return None;
    };
    let params = params.as_ref().unwrap_or(&Value::Null);
    let words = (method == "initialize").then(|| greeting::lacking(params)).flatten()?;
    Some(ErrorData::invalid_params(words, None))
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Doorstep<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        mut item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        if let JsonRpcMessage::Error(message) = &mut item {
            unknown::explain(&mut message.error);
        }
        self.inner.send(item)
    }

    /// (The SDK drops this future whenever something else happens: that the end was reached stands in `self`.)
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        while self.until.is_none() {
            let Some(message) = self.inner.receive().await else {
                self.until = Some(Instant::now() + self.grace);
                break;
            };
            let JsonRpcMessage::Request(asked) = &message else { return Some(message) };
            let Some(error) = refusal(&asked.request) else { return Some(message) };
            let refused = TxJsonRpcMessage::<RoleServer>::error(error, Some(asked.id.clone()));
            tokio::spawn(self.inner.send(refused));
        }
        if let Some(until) = self.until {
            self.gateway.finish(until).await;
        }
        None
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests;

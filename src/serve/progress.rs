//! Progress of upstream calls, in the order it was sent.
//!
//! One rule: a notification is handed on where the transport is read, because the SDK runs its handlers
//! side by side, and progress that overtakes itself or its answer is wrong.

use rmcp::RoleClient;
use rmcp::model::{
    GetExtensions as _, GetMeta as _, JsonRpcMessage, ProgressNotificationParam, ProgressToken,
    ServerNotification,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Notifications that wait for a slow client; more are dropped, which progress allows.
const WAITING: usize = 256;
/// A longer message waits only behind none: that many of them would fill the memory.
const LONG: usize = 16 << 10;

/// Where the progress of one call goes: put into the extensions of its request.
#[derive(Clone)]
pub struct Route(mpsc::Sender<ProgressNotificationParam>);

/// A route and its other end.
pub fn route() -> (Route, mpsc::Receiver<ProgressNotificationParam>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Route(sender), receiver)
}

/// The routes of one connection.
#[derive(Clone, Default)]
pub struct Routes(Arc<Mutex<HashMap<ProgressToken, Route>>>);

impl Routes {
    fn locked<R>(&self, work: impl FnOnce(&mut HashMap<ProgressToken, Route>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the route of a call that is over.
    pub fn end(&self, token: &ProgressToken) {
        self.locked(|routes| routes.remove(token));
    }
}

/// Puts a step among those that wait, if there is room.
fn hand_on(
    waiting: &mpsc::Sender<ProgressNotificationParam>,
    progress: &ProgressNotificationParam,
) {
    let length = progress.message.as_ref().map_or(0, String::len);
    if length <= LONG || waiting.capacity() == WAITING {
        let _ = waiting.try_send(progress.clone());
    }
}

/// A transport that registers routes as their requests pass, and serves them.
pub struct Routed<T> {
    inner: T,
    routes: Routes,
}

impl<T> Routed<T> {
    /// Watches `inner`.
    pub fn new(inner: T, routes: Routes) -> Self {
        Self { inner, routes }
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Routed<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        if let JsonRpcMessage::Request(message) = &item
            && let Some(route) = message.request.extensions().get::<Route>()
            && let Some(token) = message.request.get_meta().get_progress_token()
        {
            // Before the server can see the request: no notification comes too early.
            self.routes.locked(|routes| routes.insert(token, route.clone()));
        }
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await?;
        if let JsonRpcMessage::Notification(message) = &message
            && let ServerNotification::ProgressNotification(progress) = &message.notification
        {
            let token = &progress.params.progress_token;
            if let Some(Route(sender)) = self.routes.locked(|routes| routes.get(token).cloned()) {
                hand_on(&sender, &progress.params);
            }
        }
        // Handed on all the same: the SDK's time-outs are reset by progress.
        Some(message)
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::NumberOrString;

    #[test]
    fn steps_that_wait_are_bounded_in_number_and_in_size() {
        let token = ProgressToken(NumberOrString::Number(1));
        let short = ProgressNotificationParam::new(token.clone(), 1.0).with_message("short");
        let long = ProgressNotificationParam::new(token, 1.0).with_message("x".repeat(LONG + 1));
        let (Route(sender), mut steps) = route();
        (0..3).for_each(|_| hand_on(&sender, &long));
        assert_eq!(steps.len(), 1);
        (0..300).for_each(|_| hand_on(&sender, &short));
        assert_eq!(steps.len(), WAITING);
        while steps.try_recv().is_ok() {}
        hand_on(&sender, &long);
        assert_eq!(steps.len(), 1);
    }
}

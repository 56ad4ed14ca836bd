//! How much a peer may ask before it reads what it was answered.
//!
//! One rule: requests are not received while more than 64 answers (or 16 MiB of them) are unwritten, and a peer
//! that keeps 64 of them so for 30 s is disconnected. What is no request is received however many are handled.
//!
//! The SDK receives a request, runs its handler and writes the answer in three places that do not wait for
//! each other: a peer that asks and never reads fills the memory. The bound is put around the transport. Over
//! standard streams [`Bounded`] does not read while the bound is reached. Over HTTP one task of the SDK reads
//! the events and posts the answers, and it would wait for itself: there [`Gate`] holds the events back, before
//! that task.

use rmcp::model::{
    ClientRequest, ErrorCode, ErrorData, GetExtensions as _, JsonRpcMessage, ServerRequest,
};
use rmcp::service::{RxJsonRpcMessage, ServiceRole, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Serialize;
use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

/// With more unwritten answers than this, no request is received.
const MOST_UNWRITTEN: usize = 64;
/// Nor with more bytes of them. An answer of that size is no fault of the peer: it only has to be written first.
const MOST_BYTES: usize = 16 << 20;
/// Requests of one peer that are handled at once.
const MOST_HANDLED: usize = 256;
/// Pings beside them, which the SDK answers by itself: full is not gone.
const MOST_PINGS: usize = 64;
/// How long the next message waits for one of them to end. After that it is received all the same, and a request
/// is refused: a cancellation may be what they wait for.
const PLACE: Duration = Duration::from_secs(1);
/// How long a peer may leave the bound reached without reading one answer.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long the end of a transport over HTTP may take, and how long it has to be silent before.
const CLOSE: Duration = Duration::from_secs(6);
const SILENCE: Duration = Duration::from_millis(50);
/// Why a peer was disconnected.
pub const UNREAD: &str = "it sends requests and does not read the answers";

/// The unwritten answers of one connection.
#[derive(Clone)]
pub struct Answers(Arc<Inner>);

struct Inner {
    state: watch::Sender<State>,
    patience: Duration,
    /// Cancelled when the connection is given up or closed.
    gone: CancellationToken,
    why: Mutex<Option<&'static str>>,
}

#[derive(Clone, Copy, Default)]
struct State {
    unwritten: usize,
    bytes: usize,
    /// Since when the bound is reached and no answer was written.
    stalled: Option<Instant>,
}

impl State {
    fn is_full(&self) -> bool {
        self.unwritten > MOST_UNWRITTEN || self.bytes > MOST_BYTES
    }

    fn owe(&mut self, bytes: usize, now: Instant) {
        self.unwritten += 1;
        self.bytes += bytes;
        if self.unwritten > MOST_UNWRITTEN {
            self.stalled.get_or_insert(now);
        }
    }

    /// An answer that could not be written frees its place, and is no sign that the peer reads.
    fn settle(&mut self, bytes: usize, was_written: bool, now: Instant) {
        self.unwritten = self.unwritten.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if was_written || self.unwritten == 0 {
            self.stalled = (self.unwritten > MOST_UNWRITTEN).then_some(now);
        }
    }
}

impl Answers {
    /// None yet. `patience`: how long the peer may leave the bound reached.
    pub fn new(patience: Duration) -> Self {
        Self(Arc::new(Inner {
            state: watch::Sender::new(State::default()),
            patience,
            gone: CancellationToken::new(),
            why: Mutex::default(),
        }))
    }

    /// Why the connection was given up, if it was.
    pub fn given_up(&self) -> Option<&'static str> {
        *self.0.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owe(&self, bytes: usize) -> Owed {
        self.0.state.send_modify(|state| state.owe(bytes, Instant::now()));
        Owed { answers: self.clone(), bytes, is_written: false }
    }

    /// Waits until another request may be received.
    async fn room(&self) {
        let mut state = self.0.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| !state.is_full()).await;
    }

    /// Waits until the peer has left the bound reached for too long. (The time is kept beside the answers: the
    /// SDK drops this future whenever something else happens.)
    async fn stalled(&self) {
        let mut changes = self.0.state.subscribe();
        loop {
            let since = changes.borrow_and_update().stalled;
            let overdue = async {
                match since {
                    Some(since) => tokio::time::sleep_until(since + self.0.patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = overdue => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    fn give_up(&self) {
        *self.0.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(UNREAD);
        self.0.gone.cancel();
    }
}

/// An answer that is on its way to the peer.
struct Owed {
    answers: Answers,
    bytes: usize,
    is_written: bool,
}

impl Drop for Owed {
    fn drop(&mut self) {
        let (bytes, was_written) = (self.bytes, self.is_written);
        let state = &self.answers.0.state;
        state.send_modify(|state| state.settle(bytes, was_written, Instant::now()));
    }
}

/// How long a message is when it is written.
pub fn length(message: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // One that cannot be written takes no place: sending it fails.
    let _ = serde_json::to_writer(&mut count, message);
    count.0
}

/// What the bound holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The transport itself: it reads only when it is asked.
    Stream,
    /// Events before the transport; see [`Gate`].
    Events,
}

/// A transport that keeps to the bound.
pub struct Bounded<T> {
    inner: T,
    answers: Answers,
    source: Source,
    handled: Arc<Semaphore>,
    pings: Arc<Semaphore>,
    place: Option<OwnedSemaphorePermit>,
    /// Since when a place is waited for.
    waits_since: Option<Instant>,
}

/// Kept in the extensions of a request, which live for as long as it is handled.
#[derive(Clone)]
struct Place(#[expect(dead_code, reason = "dropped, not read")] Arc<OwnedSemaphorePermit>);

impl<T> Bounded<T> {
    /// Bounds `inner`.
    pub fn new(inner: T, answers: Answers, source: Source) -> Self {
        let handled = Arc::new(Semaphore::new(MOST_HANDLED));
        let pings = Arc::new(Semaphore::new(MOST_PINGS));
        Self { inner, answers, source, handled, pings, place: None, waits_since: None }
    }

    /// The next message, once there is room for one.
    async fn next<R: ServiceRole>(&mut self) -> Option<RxJsonRpcMessage<R>>
    where
        T: Transport<R>,
    {
        if self.source == Source::Events {
            return self.inner.receive().await;
        }
        loop {
            self.answers.room().await;
            self.wait_for_place().await;
            let mut message = self.inner.receive().await?;
            let JsonRpcMessage::Request(asked) = &mut message else { return Some(message) };
            if let Some(place) = self.place_for(&asked.request) {
                asked.request.extensions_mut().insert(Place(Arc::new(place)));
                return Some(message);
            }
            // It is owed like any other answer: a peer that does not read it is not received from.
            let refusal = TxJsonRpcMessage::<R>::error(busy(), Some(asked.id.clone()));
            tokio::spawn(Transport::<R>::send(self, refusal));
        }
    }

    /// Waits for the place of a request that may come next, but not for long. (The SDK drops this future
    /// whenever something else happens: what it came to stands in `self`.)
    async fn wait_for_place(&mut self) {
        if self.place.is_some() {
            return;
        }
        let until = *self.waits_since.get_or_insert_with(Instant::now) + PLACE;
        let place = tokio::time::timeout_at(until, self.handled.clone().acquire_owned()).await;
        self.place = place.ok().and_then(Result::ok);
        if self.place.is_some() {
            self.waits_since = None;
        }
    }

    fn place_for(&mut self, request: &dyn Any) -> Option<OwnedSemaphorePermit> {
        let free = || self.handled.clone().try_acquire_owned().ok();
        let place = self.place.take().or_else(free);
        let for_ping = || self.pings.clone().try_acquire_owned().ok();
        place.or_else(|| is_ping(request).then(for_ping).flatten())
    }
}

fn is_ping(request: &dyn Any) -> bool {
    matches!(request.downcast_ref(), Some(ClientRequest::PingRequest(_)))
        || matches!(request.downcast_ref(), Some(ServerRequest::PingRequest(_)))
}

fn busy() -> ErrorData {
    ErrorData::new(ErrorCode(-32000), "too many requests are open; wait for answers", None)
}

impl<R: ServiceRole, T: Transport<R>> Transport<R> for Bounded<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<R>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let is_answer = matches!(item, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_));
        let owed = is_answer.then(|| self.answers.owe(length(&item)));
        let gone = self.answers.0.gone.clone();
        let sent = self.inner.send(item);
        async move {
            tokio::select! {
                biased;
                result = sent => {
                    if let Some(mut owed) = owed {
                        owed.is_written = result.is_ok();
                    }
                    result
                }
                // A write that the peer never takes would keep the transport from being closed.
                () = gone.cancelled() => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<R>> {
        let answers = self.answers.clone();
        tokio::select! {
            message = self.next() => message,
            () = answers.stalled() => {
                answers.give_up();
                None
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.answers.0.gone.cancel();
        if self.source == Source::Stream {
            return self.inner.close().await;
        }
        // The SDK's task does not hear of the end while it waits to hand a message over.
        while let Ok(Some(_)) = tokio::time::timeout(SILENCE, self.inner.receive()).await {}
        tokio::time::timeout(CLOSE, self.inner.close()).await.unwrap_or(Ok(()))
    }
}

/// Events of an HTTP server, held back while the bound is reached; they end with the connection.
pub struct Gate<S> {
    events: Pin<Box<S>>,
    answers: Answers,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Gate<S> {
    /// Holds `events` back.
    pub fn new(events: S, answers: Answers) -> Self {
        let gone = Box::pin(answers.0.gone.clone().cancelled_owned());
        Self { events: Box::pin(events), answers, waiting: None, gone }
    }
}

impl<S: Stream> Stream for Gate<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.get_mut();
        if this.gone.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if this.waiting.is_none() && this.answers.0.state.borrow().is_full() {
            let answers = this.answers.clone();
            this.waiting = Some(Box::pin(async move { answers.room().await }));
        }
        if let Some(waiting) = &mut this.waiting {
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.waiting = None;
        }
        this.events.as_mut().poll_next(context)
    }
}

#[cfg(test)]
mod tests;

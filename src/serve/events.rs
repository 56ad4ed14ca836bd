//! The server-sent events of one HTTP server, as the SDK may see them.
//!
//! One rule: a message is an event without a type or of the type `message`; all others are skipped. A stream that
//! ends without having brought anything is opened again after a pause that grows.
//!
//! The SDK reads the first answer out of any event, waits exactly as long as `retry` says, even nothing, and
//! does not wait at all after a stream that broke.

use rmcp::transport::streamable_http_client::{SseError, StreamableHttpPostResponse};
use sse_stream::Sse;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio_stream::Stream;

/// The events of one stream.
pub type Events = Pin<Box<dyn Stream<Item = Result<Sse, SseError>> + Send>>;

/// The shortest pause before a stream is opened again, whatever the server says.
const SHORTEST: Duration = Duration::from_secs(1);
/// The pause doubles up to this.
pub const LONGEST: Duration = Duration::from_secs(60);
/// A stream that lasted so long was a good one, though it brought nothing.
const STEADY: Duration = Duration::from_secs(30);
/// Streams that ended and may come back; what is beyond is forgotten.
const MOST_ENDED: usize = 1024;

/// What time it is.
type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Puts the events of one client in order: the pauses, by one clock.
#[derive(Clone)]
pub struct Tidy {
    pauses: Arc<Mutex<Pauses>>,
    clock: Clock,
}

/// How often streams brought nothing. One that comes back is known by the last event that it had.
#[derive(Default)]
struct Pauses(HashMap<Option<String>, Ended>);

struct Ended {
    at: Instant,
    in_vain: u32,
}

impl Pauses {
    /// How often the stream brought nothing, and how long to wait before it is opened again.
    fn of(&self, last: &Option<String>, now: Instant) -> (u32, Duration) {
        let Some(&Ended { at, in_vain }) = self.0.get(last) else { return (0, Duration::ZERO) };
        let doubled = SHORTEST.saturating_mul(2_u32.saturating_pow(in_vain.saturating_sub(1)));
        let waited = now.saturating_duration_since(at);
        (in_vain, doubled.min(LONGEST).saturating_sub(waited))
    }

    fn put(&mut self, last: Option<String>, ended: Ended) {
        if self.0.len() >= MOST_ENDED {
            self.0.clear();
        }
        self.0.insert(last, ended);
    }
}

impl Tidy {
    /// Of streams that were not opened yet.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(Instant::now))
    }

    fn with_clock(clock: Clock) -> Self {
        Self { pauses: Arc::default(), clock }
    }

    /// An answer whose events, if it has some, are in order.
    pub fn tidied(&self, answer: StreamableHttpPostResponse) -> StreamableHttpPostResponse {
        match answer {
            StreamableHttpPostResponse::Sse(events, session) => {
                StreamableHttpPostResponse::Sse(self.in_order(events, None, 0), session)
            }
            answer => answer,
        }
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Pauses) -> R) -> R {
        work(&mut self.pauses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a stream, or opens it again after its event `last`, when it is time.
    pub async fn open<E>(
        &self,
        last: Option<String>,
        open: impl Future<Output = Result<Events, E>>,
    ) -> Result<Events, E> {
        let (in_vain, wait) = self.locked(|it| it.of(&last, (self.clock)()));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        match open.await {
            Ok(events) => {
                self.locked(|it| it.0.remove(&last));
                Ok(self.in_order(events, Some(last), in_vain))
            }
            Err(error) => {
                let ended = Ended { at: (self.clock)(), in_vain: in_vain.saturating_add(1) };
                self.locked(|it| it.put(last, ended));
                Err(error)
            }
        }
    }

    /// `last`: the last event of a stream that was opened with it, or without one.
    fn in_order(&self, events: Events, last: Option<Option<String>>, in_vain: u32) -> Events {
        let began = (self.clock)();
        let tidy = self.clone();
        Box::pin(Tidied { events, tidy, last, in_vain, brought: false, began })
    }
}

/// A stream on its way to the SDK.
struct Tidied {
    events: Events,
    tidy: Tidy,
    /// How it is known when it is opened again; not at all, when it is an answer without ids.
    last: Option<Option<String>>,
    in_vain: u32,
    brought: bool,
    began: Instant,
}

impl Stream for Tidied {
    type Item = Result<Sse, SseError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let polled = this.events.as_mut().poll_next(context);
        polled.map(|event| {
            let mut event = event?;
            if let Ok(event) = &mut event {
                this.tidy(event);
            }
            Some(event)
        })
    }
}

impl Tidied {
    /// An event of another type keeps what it says of the stream, and brings nothing.
    fn tidy(&mut self, event: &mut Sse) {
        if !matches!(event.event.as_deref(), None | Some("" | "message")) {
            (event.event, event.data) = (None, None);
        }
        self.brought |= event.data.as_ref().is_some_and(|data| !data.trim().is_empty());
        if let Some(id) = &event.id {
            self.last = Some(Some(id.clone()));
        }
        let shortest = SHORTEST.as_millis() as u64;
        event.retry = event.retry.map(|retry| retry.max(shortest));
    }
}

impl Drop for Tidied {
    fn drop(&mut self) {
        let Some(last) = self.last.take() else { return };
        let now = (self.tidy.clock)();
        let was_good = self.brought || now.saturating_duration_since(self.began) >= STEADY;
        let in_vain = if was_good { 0 } else { self.in_vain.saturating_add(1) };
        self.tidy.locked(|it| it.put(last, Ended { at: now, in_vain }));
    }
}

#[cfg(test)]
mod tests;

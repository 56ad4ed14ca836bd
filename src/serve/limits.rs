//! How much the HTTP clients of `/mcp` may have open.
//!
//! One rule: at a bound a new request gets 503 and when to come again; what is open is not touched.

use super::sessions::Refusal;
use crate::web::answer::failure;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::StreamExt as _;

/// Requests and streams that are open at once, of all clients.
const MOST_OPEN: usize = 1024;
/// What their bodies may come to, in KiB.
const MOST_KIB: usize = 256 << 10;
/// What a body counts that does not say how long it is, in KiB.
const UNKNOWN_KIB: usize = 1 << 10;
/// When a place may be free again: calls come and go.
const SOON: Duration = Duration::from_secs(1);

/// What is left.
pub struct Limits {
    open: Arc<Semaphore>,
    kib: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        let semaphore = |count| Arc::new(Semaphore::new(count));
        Self { open: semaphore(MOST_OPEN), kib: semaphore(MOST_KIB) }
    }
}

impl Limits {
    fn place(&self, headers: &HeaderMap) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let length =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let kib = length.map_or(UNKNOWN_KIB, |length: usize| length.div_ceil(1024));
        // A longer body is refused by its own limit.
        let kib = u32::try_from(kib.min(MOST_KIB)).ok()?;
        let open = self.open.clone().try_acquire_owned().ok()?;
        Some((open, self.kib.clone().try_acquire_many_owned(kib).ok()?))
    }
}

/// Lets a request to `/mcp` through if there is room for it.
pub async fn limited(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let Some(place) = limits.place(request.headers()) else {
        return busy(SOON, "too many requests are open; try again later");
    };
    let refusal = Refusal::default();
    let response = refusal.heard(next.run(request)).await;
    if let Some(wait) = refusal.try_again_after() {
        return busy(wait, "all sessions are in use; try again later, or end one with DELETE");
    }
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
    if !is_stream {
        return response;
    }
    response.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |part| {
            let _held = &place;
            part
        }))
    })
}

fn busy(wait: Duration, words: &str) -> Response {
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, words);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(length: Option<&str>) -> HeaderMap {
        let length = length.map(|length| (CONTENT_LENGTH, length.parse().expect("a value")));
        length.into_iter().collect()
    }

    #[test]
    fn what_is_open_is_bounded_in_number() {
        let limits = Limits::default();
        let open: Vec<_> = (0..MOST_OPEN).filter_map(|_| limits.place(&with(Some("2")))).collect();
        assert_eq!(open.len(), MOST_OPEN);
        assert!(limits.place(&with(Some("2"))).is_none());
        drop(open);
        assert!(limits.place(&with(Some("2"))).is_some());
    }

    #[test]
    fn what_is_open_is_bounded_in_size() {
        let limits = Limits::default();
        let large = || limits.place(&with(Some("33554432")));
        let open: Vec<_> = std::iter::from_fn(large).collect();
        assert_eq!(open.len(), 8);
        // One without a body is let in, and what holds none of a place is given back.
        assert!(limits.place(&with(Some("0"))).is_some());
        assert!(limits.place(&with(None)).is_none());
        drop(open);
        assert_eq!(limits.open.available_permits(), MOST_OPEN);
        assert!(limits.place(&with(None)).is_some());
    }
}

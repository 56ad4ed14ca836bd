//! How much the HTTP clients of `/mcp` may have open.
//!
//! One rule: at a bound a new request gets 503 and when to come again; what is open is not touched. A place is for
//! what is really there: a body that does not come gives its place back.

use super::messages::unreadable_request;
use super::sessions::Refusal;
use crate::config::halves::replace_halves;
use crate::web::answer::failure;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::StreamExt as _;

/// Requests and streams that are open at once, of all clients.
const MOST_OPEN: usize = 1024;
/// The largest request of an MCP client: arguments may hold pictures.
pub const MOST_BYTES: usize = 32 << 20;
/// What the bodies that are being read may come to, in KiB.
const MOST_KIB: usize = 256 << 10;
/// What a body counts that does not say how long it is, in KiB.
const UNKNOWN_KIB: usize = 1 << 10;
/// How long a body may take in all, and how long it may stand still.
const BODY: Pace = Pace { in_all: Duration::from_secs(120), silence: Duration::from_secs(30) };
/// When a place may be free again: calls come and go.
const SOON: Duration = Duration::from_secs(1);

/// How slowly a body may come.
#[derive(Clone, Copy)]
struct Pace {
    in_all: Duration,
    silence: Duration,
}

/// What is left.
pub struct Limits {
    open: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    pace: Pace,
}

/// What one request holds.
struct Place {
    /// Until its answer, or the stream of its answer, ends.
    open: OwnedSemaphorePermit,
    /// Until its answer begins.
    kib: OwnedSemaphorePermit,
}

impl Default for Limits {
    fn default() -> Self {
        let semaphore = |count| Arc::new(Semaphore::new(count));
        Self { open: semaphore(MOST_OPEN), kib: semaphore(MOST_KIB), pace: BODY }
    }
}

impl Limits {
    /// Of a request other than POST no body is read.
    fn place(&self, method: &Method, length: Option<usize>) -> Option<Place> {
        let kib = match length.map(|length| length.div_ceil(1024)) {
            _ if method != Method::POST => 0,
            None => UNKNOWN_KIB,
            Some(kib) => kib.min(MOST_KIB),
        };
        let open = self.open.clone().try_acquire_owned().ok()?;
        let kib = self.kib.clone().try_acquire_many_owned(u32::try_from(kib).ok()?).ok()?;
        Some(Place { open, kib })
    }
}

/// How long the body says it is.
fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Lets a request to `/mcp` through if there is room for it.
pub async fn limited(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let length = declared(request.headers());
    if length.is_some_and(|length| length > MOST_BYTES) {
        return too_large();
    }
    let Some(Place { open, kib }) = limits.place(request.method(), length) else {
        return busy(SOON, "too many requests are open; try again later");
    };
    let request = match whole(request, limits.pace).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let refusal = Refusal::default();
    let response = refusal.heard(next.run(request)).await;
    drop(kib);
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
            let _held = &open;
            part
        }))
    })
}

/// The request with its body read, if it has one; else the answer to it.
async fn whole(request: Request, pace: Pace) -> Result<Request, Response> {
    if request.method() != Method::POST {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    match tokio::time::timeout(pace.in_all, read(body, pace.silence)).await {
        Ok(body) => {
            let mut body = body?;
            replace_halves(&mut body);
            match unreadable_request(&body) {
                Some(answer) => Err(unreadable(answer)),
                None => Ok(Request::from_parts(head, Body::from(body))),
            }
        }
        Err(_) => Err(too_slow()),
    }
}

async fn read(body: Body, silence: Duration) -> Result<Vec<u8>, Response> {
    let mut parts = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        match tokio::time::timeout(silence, parts.next()).await {
            Ok(None) => return Ok(whole),
            Ok(Some(Ok(part))) if whole.len() + part.len() > MOST_BYTES => return Err(too_large()),
            Ok(Some(Ok(part))) => whole.extend_from_slice(&part),
            Ok(Some(Err(_))) => {
                return Err(failure(StatusCode::BAD_REQUEST, "the body cannot be read"));
            }
            Err(_) => return Err(too_slow()),
        }
    }
}

fn unreadable(answer: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn too_large() -> Response {
    let words = format!("the body is longer than {} MiB", MOST_BYTES >> 20);
    failure(StatusCode::PAYLOAD_TOO_LARGE, &words)
}

fn too_slow() -> Response {
    failure(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
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
    use axum::body::Bytes;

    use axum::middleware::from_fn_with_state;
    use axum::routing::any;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(60);

    fn post(limits: &Limits, length: Option<usize>) -> Option<Place> {
        limits.place(&Method::POST, length)
    }

    #[test]
    fn what_is_open_is_bounded_in_number() {
        let limits = Limits::default();
        let open: Vec<_> = (0..MOST_OPEN).filter_map(|_| post(&limits, Some(2))).collect();
        assert_eq!(open.len(), MOST_OPEN);
        assert!(post(&limits, Some(2)).is_none());
        drop(open);
        assert!(post(&limits, Some(2)).is_some());
    }

    #[test]
    fn what_is_open_is_bounded_in_size() {
        let limits = Limits::default();
        let open: Vec<_> = std::iter::from_fn(|| post(&limits, Some(MOST_BYTES))).collect();
        assert_eq!(open.len(), 8);
        // One without a body is let in, and what holds none of a place is given back.
        assert!(post(&limits, Some(0)).is_some());
        assert!(post(&limits, None).is_none());
        for method in [Method::GET, Method::DELETE] {
            assert!(limits.place(&method, None).is_some(), "{method}");
        }
        drop(open);
        assert_eq!(limits.open.available_permits(), MOST_OPEN);
        assert!(post(&limits, None).is_some());
    }

    #[test]
    fn streams_that_listen_take_nothing_from_bodies() {
        let limits = Limits::default();
        let listen = |_| limits.place(&Method::GET, None);
        let streams: Vec<_> = (0..512).filter_map(listen).collect();
        assert_eq!((streams.len(), limits.kib.available_permits()), (512, MOST_KIB));
    }

    /// Answers each request with a stream that does not end, behind the limits.
    async fn serve(limits: Arc<Limits>) -> std::net::SocketAddr {
        let answer = || async {
            let body = Body::from_stream(tokio_stream::pending::<Result<Bytes, std::io::Error>>());
            Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).expect("one")
        };
        let router = axum::Router::new()
            .route("/mcp", any(answer))
            .layer(from_fn_with_state(limits, limited));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Sends `text`; the stream, and the status of the answer.
    async fn send(address: std::net::SocketAddr, text: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(address).await.expect("a listener");
        stream.write_all(text.as_bytes()).await.expect("a reader");
        let mut answer = [0; 12];
        let read = tokio::time::timeout(LONG, stream.read_exact(&mut answer)).await;
        read.expect("an answer").expect("a status");
        (stream, String::from_utf8_lossy(&answer[9..]).into_owned())
    }

    #[tokio::test]
    async fn a_stream_holds_its_place_and_none_of_its_body() {
        let limits = Arc::new(Limits::default());
        let address = serve(limits.clone()).await;
        let post = "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
        let (_get, status) = send(address, "GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(status, "200");
        let (_post, status) = send(address, post).await;
        assert_eq!(status, "200");
        assert_eq!(limits.open.available_permits(), MOST_OPEN - 2);
        assert_eq!(limits.kib.available_permits(), MOST_KIB);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_or_is_too_long_gives_its_place_back() {
        let short = Duration::from_millis(200);
        let slow = |in_all, silence| Limits { pace: Pace { in_all, silence }, ..Limits::default() };
        let head =
            |length| format!("POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        for (limits, length, expected) in [
            (slow(LONG, short), MOST_BYTES, "408"),
            (slow(short, LONG), MOST_BYTES, "408"),
            (slow(LONG, LONG), MOST_BYTES + 1, "413"),
            (slow(LONG, LONG), 256 << 20, "413"),
        ] {
            let limits = Arc::new(limits);
            let address = serve(limits.clone()).await;
            let (_half_sent, status) = send(address, &(head(length) + "{")).await;
            assert_eq!(status, expected, "{length}");
            assert_eq!(limits.open.available_permits(), MOST_OPEN);
            assert_eq!(limits.kib.available_permits(), MOST_KIB);
        }
    }
}

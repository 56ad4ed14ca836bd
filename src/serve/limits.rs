//! How much the HTTP clients of `/mcp` may have open.
//!
//! One rule: at a bound a new request gets 503 and when to come again; what is open is not touched. A place is for
//! what is really there: a body takes room as it comes, whatever length it says, and before it is there as a whole
//! its request has no place, nor has its connection one that it keeps from a newcomer.

use super::messages::unreadable_request;
use super::sessions::Refusal;
use crate::config::halves::replace_halves;
use crate::web::answer::failure;
use crate::web::held::Held;
use crate::web::places::Place;
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
/// What bodies may come to until what they ask for is done, in KiB: four of the largest.
const MOST_KIB: usize = 128 << 10;
/// So much of each is not counted: large bodies, finished or not, keep no usual request out.
const USUAL: usize = 64 << 10;
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

impl Default for Limits {
    fn default() -> Self {
        let semaphore = |count| Arc::new(Semaphore::new(count));
        Self { open: semaphore(MOST_OPEN), kib: semaphore(MOST_KIB), pace: BODY }
    }
}

impl Limits {
    /// Fewer than there are connections: one is left for the status, and to say that there is no room.
    pub fn within(connections: usize) -> Self {
        let open = MOST_OPEN.min(connections - connections / 8);
        Self { open: Arc::new(Semaphore::new(open)), ..Self::default() }
    }

    /// Room for one more request, until its answer, or the stream of its answer, ends.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.open.clone().try_acquire_owned().ok()
    }
}

/// What the body of one request holds, until what it asks for is done.
#[derive(Default)]
struct Room(Option<OwnedSemaphorePermit>);

impl Room {
    /// Whether there is room for the body to be `length` bytes long.
    fn grow(&mut self, length: usize, kib: &Arc<Semaphore>) -> bool {
        let wanted = length.saturating_sub(USUAL).div_ceil(1024);
        let held = self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(missing) = wanted.checked_sub(held).filter(|missing| *missing > 0) else {
            return true;
        };
        let more = u32::try_from(missing).ok().map(|more| kib.clone().try_acquire_many_owned(more));
        let Some(Ok(more)) = more else { return false };
        match &mut self.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        true
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
    let request = match whole(request, &limits).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let answering = request.extensions().get().map(Place::answering);
    let Some(open) = limits.place() else { return full() };
    let refusal = Refusal::default();
    let response = refusal.heard(next.run(request)).await;
    if let Some(wait) = refusal.try_again_after() {
        return busy(wait, "all sessions are in use; try again later, or end one with DELETE");
    }
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
    let held = (answering, is_stream.then_some(open));
    response.map(|body| Body::new(Held::new(body, held)))
}

/// The request with its body read, if it has one; else the answer to it.
async fn whole(request: Request, limits: &Limits) -> Result<Request, Response> {
    if request.method() != Method::POST {
        return Ok(request);
    }
    let (mut head, body) = request.into_parts();
    match tokio::time::timeout(limits.pace.in_all, read(body, limits)).await {
        Ok(read) => {
            let (mut body, room) = read?;
            replace_halves(&mut body);
            match unreadable_request(&body) {
                Some(answer) => Err(unreadable(answer)),
                None => {
                    // The SDK keeps it with the request, for as long as that is being handled.
                    head.extensions.insert(Arc::new(room));
                    Ok(Request::from_parts(head, Body::from(body)))
                }
            }
        }
        Err(_) => Err(too_slow()),
    }
}

async fn read(body: Body, limits: &Limits) -> Result<(Vec<u8>, Room), Response> {
    let mut parts = body.into_data_stream();
    let (mut whole, mut room) = (Vec::new(), Room::default());
    loop {
        match tokio::time::timeout(limits.pace.silence, parts.next()).await {
            Ok(None) => return Ok((whole, room)),
            Ok(Some(Ok(part))) => {
                let length = whole.len() + part.len();
                if length > MOST_BYTES {
                    return Err(too_large());
                }
                if !room.grow(length, &limits.kib) {
                    return Err(full());
                }
                whole.extend_from_slice(&part);
            }
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

fn full() -> Response {
    busy(SOON, "too many requests are open; try again later")
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
    use tokio::sync::Notify;

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_open_is_bounded_in_number() {
        let limits = Limits::default();
        let open: Vec<_> = (0..MOST_OPEN).filter_map(|_| limits.place()).collect();
        assert_eq!(open.len(), MOST_OPEN);
        assert!(limits.place().is_none());
        drop(open);
        assert!(limits.place().is_some());
        assert_eq!(Limits::within(80).open.available_permits(), 70);
        assert_eq!(Limits::within(9000).open.available_permits(), MOST_OPEN);
    }

    #[test]
    fn what_is_open_is_bounded_in_what_has_come_of_it_and_usual_requests_always_fit() {
        let limits = Limits::default();
        let grown = |length| {
            let mut room = Room::default();
            (room.grow(length / 2, &limits.kib) && room.grow(length, &limits.kib)).then_some(room)
        };
        let large: Vec<_> = std::iter::from_fn(|| grown(MOST_BYTES)).collect();
        assert_eq!(large.len(), 4);
        assert!(grown(2 * USUAL + 512 * 1024).is_none());
        assert!(grown(USUAL).is_some());
        drop(large);
        assert_eq!(limits.kib.available_permits(), MOST_KIB);
        assert!(grown(MOST_BYTES).is_some());
    }

    /// Answers each request with a stream that does not end, behind the limits, and is busy with it until it is told.
    async fn serve(limits: Arc<Limits>, done: Arc<Notify>) -> std::net::SocketAddr {
        let answer = move |request: Request| async move {
            let (head, _) = request.into_parts();
            tokio::spawn(async move {
                done.notified().await;
                drop(head);
            });
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
    async fn a_stream_holds_its_place_and_a_body_its_room_until_what_it_asks_for_is_done() {
        let (limits, done) = (Arc::new(Limits::default()), Arc::new(Notify::new()));
        let address = serve(limits.clone(), done.clone()).await;
        let length = USUAL + 5 * 1024;
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let body = format!("{ping}{}", " ".repeat(length - ping.len()));
        let post =
            format!("POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
        let (stream, status) = send(address, &post).await;
        assert_eq!(status, "200");
        assert_eq!(limits.open.available_permits(), MOST_OPEN - 1);
        assert_eq!(limits.kib.available_permits(), MOST_KIB - 5);
        // A client that is gone gives its place back, and what it asked for is still being done.
        drop(stream);
        let place = limits.open.clone().acquire_many_owned(MOST_OPEN as u32);
        drop(tokio::time::timeout(LONG, place).await.expect("a place").expect("open"));
        assert_eq!(limits.kib.available_permits(), MOST_KIB - 5);
        done.notify_one();
        let room = limits.kib.clone().acquire_many_owned(MOST_KIB as u32);
        drop(tokio::time::timeout(LONG, room).await.expect("room").expect("open"));
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
            let address = serve(limits.clone(), Arc::default()).await;
            let (_half_sent, status) = send(address, &(head(length) + "{")).await;
            assert_eq!(status, expected, "{length}");
            assert_eq!(limits.open.available_permits(), MOST_OPEN);
            assert_eq!(limits.kib.available_permits(), MOST_KIB);
        }
    }
}

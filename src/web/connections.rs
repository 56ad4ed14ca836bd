//! Connections of a surface: how many there are at once, and how long a peer may take.
//!
//! One rule: every number here is bounded, and a request that has arrived gets its answer: during a stop, and when
//! there is no place left. What gives its place to a newcomer is the connection that has waited longest.

use super::addresses::Addresses;
use super::answer;
use super::places::{Place, Places};
use super::stalls::Stalls;
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mcpproxy_platform::limits;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// How long a head may take to arrive, and how long a connection may wait for the next one.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long answers may take to be written once it was asked to stop.
const GRACE: Duration = Duration::from_secs(15);
/// How long to wait when the system has no more connections to give.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How often that is said.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// The other end of the connection that a request came on: an extension of the request.
#[derive(Clone, Copy)]
pub struct Peer(pub IpAddr);

/// How much the peers of a surface may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once.
    pub most: usize,
    /// Of those, so many are for newcomers while the ones that have waited longest are closed.
    pub spare: usize,
    /// Connections of one other machine.
    pub of_one_address: usize,
    /// Bytes of a request's head, and of the read-ahead buffer.
    pub head: usize,
    /// How long a head may take; see [`HEAD_WAIT`].
    pub head_wait: Duration,
    /// How long a whole connection may last, where no answer is longer: one that trickles does not stay for ever.
    pub lifetime: Option<Duration>,
    /// How long a peer may take nothing of an answer.
    pub stall: Duration,
}

/// Hears of connections.
pub trait Watch: Send + Sync {
    /// One more is open.
    fn opened(&self) {}
    /// One is closed.
    fn closed(&self) {}
    /// One is closed in favour of a newcomer.
    fn gave_away(&self) {}
}

/// Hears nothing.
impl Watch for () {}

/// What comes before HTTP on a connection.
pub trait Greet: Clone + Send + Sync + 'static {
    /// The connection after it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The connection that HTTP is spoken on; `None` when there is none.
    fn greet(&self, stream: TcpStream) -> impl Future<Output = Option<Self::Stream>> + Send;
}

/// HTTP as it is.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Greet for Plain {
    type Stream = TcpStream;

    async fn greet(&self, stream: TcpStream) -> Option<TcpStream> {
        Some(stream)
    }
}

/// What every connection needs.
#[derive(Clone)]
pub struct Serving<G> {
    /// What is spoken before HTTP.
    pub greeter: G,
    /// What answers.
    pub router: Router,
    /// Cancelled when it was asked to stop.
    pub closing: CancellationToken,
    /// Counts connections.
    pub watch: Arc<dyn Watch>,
    /// How much there may be.
    pub bounds: Bounds,
}

/// Serves HTTP until it is asked to stop; then what has arrived is still answered.
pub async fn serve<G: Greet>(listener: TcpListener, serving: Serving<G>) {
    let places = Places::new(serving.bounds.most, serving.bounds.spare, serving.watch.clone());
    let open = TaskTracker::new();
    accept(listener, serving, places, &open).await;
    open.close();
    if tokio::time::timeout(GRACE, open.wait()).await.is_err() {
        warn!("stopping: some answers were not taken within {} s", GRACE.as_secs());
    }
}

async fn accept<G: Greet>(
    listener: TcpListener,
    serving: Serving<G>,
    places: Places,
    open: &TaskTracker,
) {
    let closing = serving.closing.clone();
    let addresses = Addresses::new(serving.bounds.of_one_address);
    let mut said = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // One that has too many is not told: it would take a place.
                let Some(counted) = addresses.take(peer.ip()) else { continue };
                let place = tokio::select! {
                    place = places.take() => place,
                    () = closing.cancelled() => return,
                };
                let connection = serving.clone().greet(stream, Peer(peer.ip()), place);
                open.spawn(async move {
                    connection.await;
                    drop(counted);
                });
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                say_exhausted(&error, &mut said);
                // What the system lacks is most likely files, and each connection has one.
                places.make_room();
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Says why no connection can be taken, once a minute.
fn say_exhausted(error: &io::Error, said: &mut Option<Instant>) {
    if said.is_some_and(|said| said.elapsed() < SAID_AGAIN) {
        return;
    }
    *said = Some(Instant::now());
    let why = limits::in_words(error).unwrap_or_else(|| error.kind().to_string());
    warn!("new connections wait: {why}");
}

/// Whether only the connection that was about to be taken is gone.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Counts a connection as open for as long as it lives.
struct Open(Arc<dyn Watch>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl<G: Greet> Serving<G> {
    /// A greeting waits as a head does, and its place may be given away.
    async fn greet(self, stream: TcpStream, peer: Peer, place: Place) {
        self.watch.opened();
        let _open = Open(self.watch.clone());
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let greeted = tokio::select! {
            greeted = self.greeter.greet(stream) => greeted,
            () = place.is_given_away() => return,
        };
        if let Some(stream) = greeted {
            let stream = Stalls::new(stream, self.bounds.stall);
            connection(stream, peer, place, self.router, self.closing, self.bounds).await;
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    place: Place,
    router: Router,
    closing: CancellationToken,
    bounds: Bounds,
) {
    let (router, of_request) = (TowerToHyperService::new(router), place.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let framing = Framing::of(&request);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(of_request.clone());
        let answer = (framing != Framing::Doubtful).then(|| router.call(request));
        async move {
            let mut response = match answer {
                Some(answer) => answer.await?,
                None => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    answer::secure(&mut response);
                    response
                }
            };
            if framing != Framing::Plain {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_wait)
        .max_buf_size(bounds.head)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let end = async {
        tokio::select! {
            () = closing.cancelled() => {}
            () = lifetime(bounds.lifetime) => {}
        }
    };
    tokio::select! {
        // First, so that an answer that is there is written before its place is given away.
        biased;
        // An error of one connection concerns its client alone.
        _ = serving.as_mut() => return,
        () = place.is_given_away() => return,
        () = end => serving.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(GRACE, serving).await;
}

async fn lifetime(lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => tokio::time::sleep(lifetime).await,
        None => std::future::pending().await,
    }
}

/// How a request says where it ends and whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// In one way that all readers understand alike.
    Plain,
    /// In chunks: a proxy that reads a length instead would see another request behind it, so that it is the last
    /// one of its connection.
    Chunked,
    /// In another encoding, whose end readers see in different places; or with no host or several; or it wants to be
    /// a tunnel. Two lengths never arrive here, nor does a length beside chunks: hyper refuses the former, and drops
    /// the latter for the chunks (RFC 9112, 6.3).
    Doubtful,
}

impl Framing {
    fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
        let encoding = encodings.next();
        let is_chunks = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
        let hosts = headers.get_all(HOST).iter().count();
        if encoding.is_some_and(|value| !is_chunks(value))
            || encodings.next().is_some()
            || hosts > 1
            || hosts == 0 && request.version() == Version::HTTP_11
            || request.method() == Method::CONNECT
        {
            return Self::Doubtful;
        }
        if encoding.is_some() { Self::Chunked } else { Self::Plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const LONG: Duration = Duration::from_secs(60);
    const BOUNDS: Bounds = Bounds {
        most: 4,
        spare: 1,
        of_one_address: 1,
        head: 16 << 10,
        head_wait: LONG,
        lifetime: None,
        stall: LONG,
    };

    async fn serving(bounds: Bounds) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let serving = Serving {
            greeter: Plain,
            router: Router::new().route("/", get(async || "here")),
            closing: CancellationToken::new(),
            watch: Arc::new(()),
            bounds,
        };
        tokio::spawn(serve(listener, serving));
        address
    }

    async fn begun(address: std::net::SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("a listener");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.expect("a reader");
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(LONG, stream.read_to_string(&mut text));
        let _ = read.await.expect("an end");
        text
    }

    #[tokio::test]
    async fn half_a_request_ends_after_a_while() {
        let bounds = Bounds { head_wait: Duration::from_millis(20), ..BOUNDS };
        let address = serving(bounds).await;
        assert_eq!(rest(begun(address).await).await, "");
        assert_eq!(rest(TcpStream::connect(address).await.expect("a listener")).await, "");
    }

    #[tokio::test]
    async fn many_halves_of_requests_keep_no_whole_one_out() {
        let address = serving(BOUNDS).await;
        let mut halves = Vec::new();
        for _ in 0..20 {
            halves.push(begun(address).await);
        }
        let mut whole = begun(address).await;
        whole.write_all(b"Connection: close\r\n\r\n").await.expect("a reader");
        assert!(rest(whole).await.ends_with("here"));
        // Those that have waited longest made room for the others.
        assert_eq!(rest(halves.remove(0)).await, "");
    }
}

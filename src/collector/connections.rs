//! Connections: how many there are at once, and how long a sender may take.
//!
//! One rule: every number here is bounded, and a request that has arrived gets its answer: during a stop, and when
//! there is no place left. What gives its place to a newcomer is the connection that has waited longest.

use super::metrics::Metrics;
use super::places::{Place, Places};
use super::tls::Greeter;
use crate::web::answer;
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Connections at once: fewer than the 1,024 files that a process may usually open.
const MOST: usize = 900;
/// Of those, so many are for newcomers while the ones that have waited longest are closed.
const SPARE: usize = 64;
/// Bytes of a request's head, and of the read-ahead buffer.
const MOST_HEAD: usize = 16 << 10;
/// How long a head may take to arrive, and how long a connection may wait for the next one.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long a whole connection may last: one that trickles does not stay for ever.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long answers may take to be written once it was asked to stop.
const GRACE: Duration = Duration::from_secs(15);
/// How long to wait when the system has no more connections to give.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The other end of the connection that a request came on: an extension of the request.
#[derive(Clone, Copy)]
pub struct Peer(pub IpAddr);

/// What every connection needs.
#[derive(Clone)]
pub struct Serving {
    /// Where TLS is spoken here.
    pub greeter: Option<Greeter>,
    /// What answers.
    pub router: Router,
    /// Cancelled when it was asked to stop.
    pub closing: CancellationToken,
    /// Counts open connections, and those that gave their place away.
    pub metrics: Arc<Metrics>,
}

/// Serves HTTP on every listener until it is asked to stop; then what has arrived is still answered.
pub async fn serve(listeners: Vec<TcpListener>, serving: Serving) {
    let places = Places::new(MOST, SPARE, serving.metrics.clone());
    let open = TaskTracker::new();
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            tokio::spawn(accept(listener, serving.clone(), places.clone(), open.clone()))
        })
        .collect();
    for accepting in accepting {
        let _ = accepting.await;
    }
    open.close();
    if tokio::time::timeout(GRACE, open.wait()).await.is_err() {
        warn!("stopping: some answers were not taken within {} s", GRACE.as_secs());
    }
}

async fn accept(listener: TcpListener, serving: Serving, places: Places, open: TaskTracker) {
    let closing = serving.closing.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = tokio::select! {
                    place = places.take() => place,
                    () = closing.cancelled() => return,
                };
                open.spawn(serving.clone().greet(stream, Peer(peer.ip()), place));
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(_) => tokio::time::sleep(EXHAUSTED).await,
        }
    }
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

impl Serving {
    /// Through TLS where it is spoken here. A handshake waits as a head does, and its place may be given away.
    async fn greet(self, stream: TcpStream, peer: Peer, place: Place) {
        let metrics = self.metrics.clone();
        let _open = metrics.connect();
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let Some(greeter) = &self.greeter else {
            return connection(stream, peer, place, self.router, self.closing).await;
        };
        let greeted = tokio::select! {
            greeted = greeter.greet(stream) => greeted,
            () = place.is_given_away() => return,
        };
        if let Some(stream) = greeted {
            connection(stream, peer, place, self.router, self.closing).await;
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    place: Place,
    router: Router,
    closing: CancellationToken,
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
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let end = async {
        tokio::select! {
            () = closing.cancelled() => {}
            () = tokio::time::sleep(LIFETIME) => {}
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

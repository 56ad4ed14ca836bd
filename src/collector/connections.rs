//! Connections: how many there are at once, and how long a sender may take.
//!
//! One rule: every number here is bounded, and a request that has arrived gets its answer during a stop as well.

use super::tls::Greeter;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Connections at once: fewer than the 1,024 files that a process may usually open.
const MOST: usize = 900;
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

/// Serves HTTP on every listener until `closing`; then what has arrived is still answered.
pub async fn serve(
    listeners: Vec<TcpListener>,
    greeter: Option<Greeter>,
    router: Router,
    closing: CancellationToken,
) {
    let (free, open) = (Arc::new(Semaphore::new(MOST)), TaskTracker::new());
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let (greeter, router) = (greeter.clone(), router.clone());
            let take =
                accept(listener, greeter, router, free.clone(), open.clone(), closing.clone());
            tokio::spawn(take)
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

async fn accept(
    listener: TcpListener,
    greeter: Option<Greeter>,
    router: Router,
    free: Arc<Semaphore>,
    open: TaskTracker,
    closing: CancellationToken,
) {
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (greeter, router) = (greeter.clone(), router.clone());
                let closing = closing.clone();
                open.spawn(async move {
                    // Answers are small and waited for.
                    let _ = stream.set_nodelay(true);
                    match greeter {
                        None => connection(stream, router, closing).await,
                        Some(greeter) => {
                            if let Some(stream) = greeter.greet(stream).await {
                                connection(stream, router, closing).await;
                            }
                        }
                    }
                    drop(permit);
                });
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

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    closing: CancellationToken,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    let end = async {
        tokio::select! {
            () = closing.cancelled() => {}
            () = tokio::time::sleep(LIFETIME) => {}
        }
    };
    tokio::select! {
        // An error of one connection concerns its client alone.
        _ = serving.as_mut() => return,
        () = end => serving.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(GRACE, serving).await;
}

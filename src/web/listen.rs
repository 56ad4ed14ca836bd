//! The listening socket: opened before anything else is started, and closed after the last answer.
//!
//! One rule: a service manager may have opened it for us; a stop answers what was asked.

use axum::Router;
use axum::serve::ListenerExt as _;
use listenfd::ListenFd;
use std::io;
use std::net::{SocketAddr, TcpListener};
use tokio_util::sync::CancellationToken;

/// Connections that wait to be taken; the system has a limit of its own.
#[cfg(feature = "collector")]
const BACKLOG: i32 = 1024;

/// A socket that listens.
#[derive(Debug)]
pub struct Front {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Front {
    /// The socket that a service manager passed, else one at `wanted`.
    pub fn open(wanted: SocketAddr) -> io::Result<Self> {
        let passed = ListenFd::from_env().take_tcp_listener(0).ok().flatten();
        let listener = passed.map_or_else(|| bind(wanted), Ok)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Whether other machines can reach it.
    pub fn is_open(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// The socket itself, for a surface that takes connections its own way.
    #[cfg(feature = "collector")]
    pub fn into_listener(self) -> TcpListener {
        self.listener
    }

    /// Serves HTTP until `closing`; then what was asked is still answered. An error is of the socket.
    pub async fn serve(self, router: Router, closing: CancellationToken) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        // Answers are small and waited for.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let closed = async move { closing.cancelled().await };
        axum::serve(listener, router).with_graceful_shutdown(closed).await
    }
}

/// A socket that listens at `wanted`. `[::]` is both families, whatever the system's default for it is.
#[cfg(feature = "collector")]
fn bind(wanted: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};

    if !(wanted.is_ipv6() && wanted.ip().is_unspecified()) {
        return TcpListener::bind(wanted);
    }
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    // As the standard library does: elsewhere the option has another meaning.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&wanted.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(not(feature = "collector"))]
fn bind(wanted: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(wanted)
}

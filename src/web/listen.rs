//! The listening socket: opened before anything else is started.
//!
//! One rule: a service manager may have opened it for us.

use listenfd::ListenFd;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};

/// Connections that wait to be taken; the system has a limit of its own.
#[cfg(feature = "collector")]
const BACKLOG: i32 = 1024;

/// The address that `--listen` names. A port alone, as `8080` or `:8080`, is one of this machine, which nobody else
/// reaches.
pub fn address(text: &str) -> Option<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Some(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.to_socket_addrs().ok()?.next()
}

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

    /// The socket itself, for its connections.
    pub fn into_listener(self) -> TcpListener {
        self.listener
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

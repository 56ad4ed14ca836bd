//! service: see `crate::service`.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

pub fn notify(state: &str) {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET").as_deref().and_then(address) else {
        return;
    };
    if let Ok(socket) = UnixDatagram::unbound() {
        // A manager that does not listen need not know.
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

/// A path, or a name in the abstract name space (written with `@`).
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        _ => None,
    }
}

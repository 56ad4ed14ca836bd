//! Sockets that listen.
//!
//! One rule: where a system has no such call, what `std` does is enough.

use std::net::TcpListener;

/// Lets up to `many` connections wait to be taken, where `std` lets 128: of a burst beyond that, systems drop the
/// connections of all senders, and each of them tries again after a second.
pub fn let_wait(listener: &TcpListener, many: u16) {
    #[cfg(all(any(target_os = "linux", target_os = "macos"), not(mcpproxy_platform_other)))]
    {
        use std::os::fd::AsRawFd as _;
        // SAFETY: it takes two numbers; the descriptor is open while the listener is borrowed. A socket may be told
        // to listen again, and an error leaves it as it was.
        unsafe {
            libc::listen(listener.as_raw_fd(), libc::c_int::from(many));
        }
    }
    #[cfg(not(all(any(target_os = "linux", target_os = "macos"), not(mcpproxy_platform_other))))]
    let _ = (listener, many);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_listener_takes_connections_as_before() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let waiting = TcpStream::connect(address).expect("a connection");
        let_wait(&listener, 4096);
        let other = TcpStream::connect(address).expect("a connection");
        for waiting in [waiting, other] {
            let (_, peer) = listener.accept().expect("taken");
            assert_eq!(Some(peer), waiting.local_addr().ok());
        }
    }
}

//! A receiver of heartbeats on loopback: accepts, keeps the body, answers 204.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::time::Duration;

/// A listening receiver.
pub struct Receiver {
    address: SocketAddr,
    inbox: Inbox<Vec<u8>>,
}

impl Receiver {
    /// Listens on a free loopback port.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (sender, inbox) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A malformed request is its sender's problem; the next one is accepted all the same.
                let _ = answer(stream, &sender);
            }
        });
        Ok(Self { address, inbox })
    }

    /// What to configure as `telemetry.endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The body of the next heartbeat.
    pub fn wait_for_heartbeat(&self, patience: Duration) -> Option<Vec<u8>> {
        self.inbox.recv_timeout(patience).ok()
    }
}

fn answer(stream: TcpStream, sender: &Sender<Vec<u8>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body)?;
    let is_heartbeat = request.starts_with("POST /heartbeat ");
    let status = if is_heartbeat { "204 No Content" } else { "404 Not Found" };
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    if is_heartbeat {
        // The story may have ended; then nobody waits for this body.
        let _ = sender.send(body);
    }
    Ok(())
}

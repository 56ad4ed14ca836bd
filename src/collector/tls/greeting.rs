//! The handshake of a connection.
//!
//! One rule: it has a time limit, so have all that wait for theirs, and a client that speaks plain HTTP is told.

use super::Tls;
use crate::web::connections::Greet;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take, its wait for others included.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes at once; those who have begun to speak leave room for others.
const MOST: usize = 256;
/// The answer to a request without TLS.
const PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 46\r\n\
                       connection: close\r\n\r\nThis port speaks HTTPS: begin with https://..\n";
/// So much of a plain request is read, so that its sender sees the answer.
const DRAINED: usize = 64 << 10;
/// How long that may take.
const DRAIN: Duration = Duration::from_secs(1);

/// Greets connections with the newest certificate.
#[derive(Clone)]
pub struct Greeter {
    tls: Arc<Tls>,
    free: Arc<Semaphore>,
}

impl Greeter {
    /// A greeter with this certificate.
    pub fn new(tls: Arc<Tls>) -> Self {
        Self { tls, free: Arc::new(Semaphore::new(MOST)) }
    }
}

impl Greet for Greeter {
    type Stream = TlsStream<TcpStream>;

    async fn greet(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let greeting = async {
            let _permit = self.free.acquire().await.ok()?;
            let mut first = [0];
            // It waits for the first byte and leaves it where it is.
            if stream.peek(&mut first).await.ok()? == 0 {
                return None;
            }
            // A method; a TLS record begins with 0x16.
            if first[0].is_ascii_uppercase() {
                return Some(Err(stream));
            }
            TlsAcceptor::from(self.tls.config()).accept(stream).await.ok().map(Ok)
        };
        match tokio::time::timeout(HANDSHAKE, greeting).await.ok()?? {
            Ok(greeted) => Some(greeted),
            Err(stream) => {
                let _ = tokio::time::timeout(DRAIN, refuse(&stream)).await;
                None
            }
        }
    }
}

/// Answers a plain request, and reads the rest of it.
async fn refuse(stream: &TcpStream) -> io::Result<()> {
    stream.writable().await?;
    stream.try_write(PLAIN)?;
    let (mut bytes, mut drained) = ([0; 4096], 0);
    while drained < DRAINED {
        stream.readable().await?;
        match stream.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => drained += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

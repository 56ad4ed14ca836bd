//! HTTP/1.1 as a client of a collector speaks it: a connection, requests in a row, their answers.
//!
//! One rule: everything has a time limit and a bound; an answer is read as it is, and no redirect is followed.

use crate::collector::tls;
use rustls::pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// More addresses of one name are not tried.
const ADDRESSES: usize = 4;
/// Bytes of an answer that are read.
const MOST: u64 = 256 << 10;

/// Where a collector is, as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://`
    pub is_secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What `Host` says.
    authority: String,
    /// Empty, or such as `/t`.
    pub base: String,
}

impl Endpoint {
    /// The endpoint that `text` names; with or without the final `/heartbeat`.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: axum::http::Uri = text.parse().ok()?;
        let is_secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|it| !it.as_str().contains('@'))?;
        if uri.query().is_some() || text.contains('#') || authority.host().is_empty() {
            return None;
        }
        let path = uri.path().trim_end_matches('/');
        let base = path.strip_suffix("/heartbeat").unwrap_or(path);
        Some(Self {
            is_secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            base: base.to_owned(),
        })
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum WireError {
    /// The name has no address.
    Name,
    /// Nothing listens, or the way is closed.
    Connect(io::ErrorKind),
    /// TLS does not come about.
    Tls(rustls::Error),
    /// The connection broke, or the answer took too long.
    Broken(io::ErrorKind),
    /// What came was no HTTP.
    NoHttp,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("its name has no address"),
            Self::Connect(kind) => write!(f, "it cannot be connected: {kind}"),
            Self::Tls(error) => write!(f, "TLS fails: {error}"),
            Self::Broken(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                f.write_str("it does not answer in time")
            }
            Self::Broken(kind) => write!(f, "the connection ends without an answer: {kind}"),
            Self::NoHttp => f.write_str("it answers with something that is not HTTP"),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Broken(error.kind()),
        }
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub code: u16,
    /// Its body, as far as it is text.
    pub body: String,
}

/// What a client of the collector trusts.
pub struct Dialer {
    endpoint: Endpoint,
    config: Arc<rustls::ClientConfig>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection.
pub struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    /// Seconds since 1970 at which the certificate of the other end ends.
    pub certificate_ends: Option<u64>,
}

impl Dialer {
    /// A client that trusts the roots of the web, and these.
    pub fn new(
        endpoint: Endpoint,
        more: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        for root in more {
            roots.add(root)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { endpoint, config: Arc::new(config) })
    }

    /// Where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A new connection, through TLS where the endpoint says so.
    pub fn connect(&self) -> Result<Wire, WireError> {
        let (host, port) = (self.endpoint.host.as_str(), self.endpoint.port);
        let addresses = (host, port).to_socket_addrs().map_err(|_| WireError::Name)?;
        let (mut found, mut error) = (None, WireError::Name);
        for address in addresses.take(ADDRESSES) {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    found = Some(stream);
                    break;
                }
                Err(why) => error = WireError::Connect(why.kind()),
            }
        }
        let mut stream = found.ok_or(error)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        if !self.endpoint.is_secure {
            return Ok(Wire { stream: BufReader::new(Box::new(stream)), certificate_ends: None });
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| WireError::Name)?;
        let mut session =
            rustls::ClientConnection::new(self.config.clone(), name).map_err(WireError::Tls)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let first = session.peer_certificates().and_then(<[_]>::first);
        let certificate_ends = first.and_then(|certificate| tls::ends_at(certificate));
        let stream = rustls::StreamOwned::new(session, stream);
        Ok(Wire { stream: BufReader::new(Box::new(stream)), certificate_ends })
    }

    /// The answer to one request over a connection of its own.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<Answer, WireError> {
        let mut wire = self.connect()?;
        // A sender of far too much may get the answer before all is sent.
        let sent = wire.send(&self.request(method, path, headers, body));
        wire.answer(method).or_else(|error| sent.map_err(WireError::from).and(Err(error)))
    }

    /// The bytes of a request for a path below the base.
    pub fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let Endpoint { authority, base, .. } = &self.endpoint;
        let length = body.len();
        let head = format!(
            "{method} {base}{path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: mcpproxy-doctor\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        [head.as_bytes(), body].concat()
    }
}

impl Wire {
    /// Sends a request, or several.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// The next answer.
    pub fn answer(&mut self, method: &str) -> Result<Answer, WireError> {
        let mut line = self.line()?;
        // 100 and its like come before the answer.
        let code = loop {
            let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
            let code: u16 = code.and_then(|code| code.parse().ok()).ok_or(WireError::NoHttp)?;
            if code >= 200 {
                break code;
            }
            while !self.line()?.is_empty() {}
            line = self.line()?;
        };
        let (mut length, mut is_chunked) = (None, false);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse::<u64>().ok(),
                "transfer-encoding" => is_chunked = true,
                _ => {}
            }
        }
        let body = match length {
            _ if method == "HEAD" || code == 204 || code == 304 => Vec::new(),
            _ if is_chunked => self.chunks()?,
            Some(length) => self.exactly(length)?,
            None => self.exactly(u64::MAX)?,
        };
        Ok(Answer { code, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn line(&mut self) -> Result<String, WireError> {
        let mut bytes = Vec::new();
        (&mut self.stream).take(8 << 10).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Err(WireError::Broken(io::ErrorKind::UnexpectedEof));
        }
        let text = String::from_utf8(bytes).map_err(|_| WireError::NoHttp)?;
        text.strip_suffix('\n').map(|it| it.trim_end().to_owned()).ok_or(WireError::NoHttp)
    }

    fn exactly(&mut self, length: u64) -> Result<Vec<u8>, WireError> {
        let mut bytes = Vec::new();
        (&mut self.stream).take(length.min(MOST)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, WireError> {
        let mut bytes = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default();
            let length = u64::from_str_radix(digits, 16).map_err(|_| WireError::NoHttp)?;
            if length == 0 || bytes.len() as u64 > MOST {
                while !self.line()?.is_empty() {}
                return Ok(bytes);
            }
            bytes.extend(self.exactly(length)?);
            self.line()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_as_clients_know_it() {
        let of = |text: &str| {
            let it = Endpoint::parse(text)?;
            Some((it.is_secure, it.host, it.port, it.base))
        };
        let is = |secure, host: &str, port, base: &str| {
            Some((secure, host.to_owned(), port, base.to_owned()))
        };
        for (text, expected) in [
            ("https://t.example.org", is(true, "t.example.org", 443, "")),
            ("https://t.example.org/", is(true, "t.example.org", 443, "")),
            ("https://t.example.org:8443/a/b/heartbeat", is(true, "t.example.org", 8443, "/a/b")),
            ("http://127.0.0.1:8787/t/", is(false, "127.0.0.1", 8787, "/t")),
            ("http://[::1]:8787", is(false, "::1", 8787, "")),
            ("t.example.org", None),
            ("ftp://t.example.org", None),
            ("https://user@t.example.org", None),
            ("https://t.example.org/?key=x", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}

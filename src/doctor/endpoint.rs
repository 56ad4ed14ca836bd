//! Where heartbeats go, and whether somebody is there.
//!
//! One rule: a connection is made only when asked for, and nothing is sent over it but a TLS greeting.

use super::Check;
use crate::consent::{self, Configs, EndpointError, Target, Whose};
use crate::contract::timestamp;
use crate::diagnostics::Code;
use crate::machine::Surroundings;
use crate::products::Subject;
use crate::status::Status;
use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

const ENDPOINT: &str = "endpoint";
/// As long as a heartbeat waits for a connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// More addresses of one name are not tried.
const ADDRESSES: usize = 4;

/// Where heartbeats of a product go.
pub(super) fn target(
    subject: &Subject,
    around: &Surroundings,
) -> Option<Result<Target, EndpointError>> {
    let whose = Whose { product: &subject.product.name, endpoint: subject.endpoint.as_deref() };
    consent::endpoint(around, &Configs::read(&subject.dir), whose)
}

pub(super) fn check(target: Option<Result<Target, EndpointError>>, is_online: bool) -> Vec<Check> {
    let target = match target {
        None => {
            return vec![Check::ok(ENDPOINT, "none is compiled in or configured: nothing is sent")];
        }
        Some(Err(error)) => {
            let advice = "correct `telemetry.endpoint` (of a product: `telemetry.products.NAME.endpoint`, or --endpoint of its host), or the variable MCPPROXY_TELEMETRY_ENDPOINT";
            return vec![Check::fail(ENDPOINT, error.to_string(), advice).with(error.code())];
        }
        Some(Ok(target)) => target,
    };
    let mut checks = vec![Check::ok(ENDPOINT, "it is spelled as an endpoint has to be")];
    if is_online {
        checks.push(match reach(&target) {
            Ok(found) => Check::ok("reachability", found),
            Err(error) => Check::fail(
                "reachability",
                error.to_string(),
                "check network, proxy variables and firewall; heartbeats wait until it is reachable",
            )
            .with(Code::EndpointUnreachable),
        });
    }
    checks
}

/// The endpoint wants no heartbeat of this version.
pub(super) fn retirement(status: &Status) -> Option<Check> {
    let until = timestamp::format(status.retired_until()?);
    let found = format!("it retired this version: nothing is sent until {until}");
    Some(Check::ok(ENDPOINT, found).with(Code::EndpointRetired))
}

/// Why the endpoint cannot be reached.
#[derive(Debug)]
enum ReachError {
    /// The proxy in between cannot be connected.
    Proxy(ConnectError),
    /// It cannot be connected.
    Endpoint(ConnectError),
    /// It can, and no TLS session begins.
    Tls(TlsError),
}

impl fmt::Display for ReachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proxy(error) => write!(f, "the proxy cannot be connected: {error}"),
            Self::Endpoint(error) => write!(f, "it cannot be connected: {error}"),
            Self::Tls(error) => write!(f, "it accepts connections, but TLS fails: {error}"),
        }
    }
}

/// Why there is no connection to a host.
#[derive(Debug)]
enum ConnectError {
    /// Its name cannot be looked up.
    Name,
    /// Its name leads to no address.
    Address,
    /// The last address that was tried.
    Io(io::ErrorKind),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("its name is not known"),
            Self::Address => f.write_str("its name has no address"),
            Self::Io(kind) => kind.fmt(f),
        }
    }
}

/// Why no TLS session begins.
#[derive(Debug)]
enum TlsError {
    /// The name of the host is none that a certificate could have.
    Name(rustls::pki_types::InvalidDnsNameError),
    /// The session cannot be set up.
    Session(rustls::Error),
    /// It does not answer in time.
    Timeout,
    /// What is exchanged is not as it should be.
    Io(io::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::Timeout => f.write_str("it does not answer in time"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Session(error)
    }
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::Timeout,
            _ => Self::Io(error),
        }
    }
}

/// Connects, to the proxy where one is in between.
fn reach(target: &Target) -> Result<String, ReachError> {
    if let Some(proxy) = proxy(target) {
        let rest = proxy.split_once("://").map_or(proxy.as_str(), |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let (host, port) = host_and_port(rest.split('/').next().unwrap_or_default(), 1080);
        connect(&host, port).map_err(ReachError::Proxy)?;
        return Ok("the proxy answers; what is behind it was not asked".to_owned());
    }
    let authority = target.url().split_once("://").map_or("", |(_, rest)| rest);
    let default = if target.is_secure() { 443 } else { 80 };
    let (host, port) = host_and_port(authority.split('/').next().unwrap_or_default(), default);
    let stream = connect(&host, port).map_err(ReachError::Endpoint)?;
    if !target.is_secure() {
        return Ok("it accepts connections".to_owned());
    }
    greet(&host, stream).map_err(ReachError::Tls)?;
    Ok("it accepts connections, and TLS succeeds".to_owned())
}

#[cfg(feature = "heartbeat")]
fn proxy(target: &Target) -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok();
    let is_asked = target.is_secure() && !target.is_loopback();
    is_asked.then(|| crate::heartbeat::proxy::for_host(target.host(), &variable)).flatten()
}

#[cfg(not(feature = "heartbeat"))]
fn proxy(_target: &Target) -> Option<String> {
    None
}

fn host_and_port(authority: &str, default: u16) -> (String, u16) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(default)),
        _ => (authority, default),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

fn connect(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let addresses = (host, port).to_socket_addrs().map_err(|_| ConnectError::Name)?;
    let mut last = ConnectError::Address;
    for address in addresses.take(ADDRESSES) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = ConnectError::Io(e.kind()),
        }
    }
    Err(last)
}

fn greet(host: &str, mut stream: TcpStream) -> Result<(), TlsError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(TlsError::Name)?;
    let mut session = rustls::ClientConnection::new(Arc::new(config), name)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(())
}

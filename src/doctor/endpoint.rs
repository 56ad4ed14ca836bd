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
            Err(found) => Check::fail(
                "reachability",
                found,
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

/// Connects, to the proxy where one is in between.
fn reach(target: &Target) -> Result<String, String> {
    if let Some(proxy) = proxy(target) {
        let rest = proxy.split_once("://").map_or(proxy.as_str(), |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let (host, port) = host_and_port(rest.split('/').next().unwrap_or_default(), 1080);
        connect(&host, port).map_err(|why| format!("the proxy cannot be connected: {why}"))?;
        return Ok("the proxy answers; what is behind it was not asked".to_owned());
    }
    let authority = target.url().split_once("://").map_or("", |(_, rest)| rest);
    let default = if target.is_secure() { 443 } else { 80 };
    let (host, port) = host_and_port(authority.split('/').next().unwrap_or_default(), default);
    let stream = connect(&host, port).map_err(|why| format!("it cannot be connected: {why}"))?;
    if !target.is_secure() {
        return Ok("it accepts connections".to_owned());
    }
    greet(&host, stream).map_err(|why| format!("it accepts connections, but TLS fails: {why}"))?;
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

fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses =
        (host, port).to_socket_addrs().map_err(|_| "its name is not known".to_owned())?;
    let mut why = "its name has no address".to_owned();
    for address in addresses.take(ADDRESSES) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(e) => why = e.kind().to_string(),
        }
    }
    Err(why)
}

fn greet(host: &str, mut stream: TcpStream) -> Result<(), String> {
    let said = |e: &dyn std::fmt::Display| e.to_string();
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| said(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|e| said(&e))?;
    let mut session =
        rustls::ClientConnection::new(Arc::new(config), name).map_err(|e| said(&e))?;
    let timed = |e: io::Error| match e.kind() {
        io::ErrorKind::WouldBlock => "it does not answer in time".to_owned(),
        _ => said(&e),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(timed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(timed)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(timed)?;
    }
    Ok(())
}

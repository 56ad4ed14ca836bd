//! One HTTP request: the exact bytes out, a status in.
//!
//! One rule: nothing that identifies anyone beyond what the gate saw: no cookies, no redirects, no header
//! but what HTTP needs and our version.

#[cfg(feature = "heartbeat")]
use crate::build_info::VERSION;
use crate::consent::Target;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status, with the value of `Retry-After`.
    Status(u16, Option<String>),
    /// 410, with the beginning of the body: it may say that a version is retired.
    Gone(Vec<u8>),
    /// No answer: why, without addresses.
    NetworkError(&'static str),
    /// This build cannot reach such an endpoint.
    NotBuilt(&'static str),
}

/// As much of the body of a 410 as is read.
#[cfg(feature = "heartbeat")]
const GONE_BYTES: u64 = 2048;

/// Posts `body`. Takes at most ten seconds.
#[cfg(feature = "heartbeat")]
pub fn post(target: &Target, body: &[u8], variable: &dyn Fn(&str) -> Option<String>) -> Answer {
    request(target, None, body, variable)
}

/// Sends `body` with `DELETE` to [`Target::installs_url`]. Takes at most ten seconds.
#[cfg(feature = "heartbeat")]
pub fn delete(target: &Target, body: &[u8], variable: &dyn Fn(&str) -> Option<String>) -> Answer {
    request(target, Some(&target.installs_url()), body, variable)
}

#[cfg(feature = "heartbeat")]
fn request(
    target: &Target,
    deleted: Option<&str>,
    body: &[u8],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Answer {
    use super::timing::{CONNECT_TIMEOUT, REQUEST_TIMEOUT};
    use std::io::Read as _;
    use std::time::Duration;

    if target.is_secure() && !cfg!(feature = "tls") {
        return Answer::NotBuilt("this build has no TLS: only http:// to loopback works");
    }
    let proxy = if target.is_loopback() {
        None
    } else {
        match super::proxy::for_host(target.host(), variable).map(|url| ureq::Proxy::new(&url)) {
            None => None,
            Some(Ok(proxy)) => Some(proxy),
            // Going around a proxy that someone configured is worse than not sending.
            Some(Err(_)) => {
                return Answer::NetworkError("the proxy variable holds no proxy address");
            }
        }
    };
    let agent = ureq::Agent::config_builder();
    #[cfg(feature = "tls")]
    let agent = agent.tls_config(super::tls::config());
    let agent = agent
        .proxy(proxy)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(format!("mcpproxy/{}", VERSION.trim_start_matches('v')))
        .accept(ureq::config::AutoHeaderValue::None)
        .accept_encoding(ureq::config::AutoHeaderValue::None)
        .timeout_connect(Some(Duration::from_secs(CONNECT_TIMEOUT)))
        .timeout_global(Some(Duration::from_secs(REQUEST_TIMEOUT)))
        .max_idle_connections(0)
        .build()
        .new_agent();
    let request = match deleted {
        None => agent.post(target.url()),
        Some(url) => agent.delete(url).force_send_body(),
    };
    let sent =
        request.header("content-type", "application/json").header("connection", "close").send(body);
    match sent {
        Ok(response) if response.status().as_u16() == 410 => {
            let mut body = Vec::new();
            // One that is longer, or cut off, is not what we look for.
            let _ = response.into_body().into_reader().take(GONE_BYTES).read_to_end(&mut body);
            Answer::Gone(body)
        }
        Ok(response) => {
            let after = response.headers().get("retry-after").and_then(|v| v.to_str().ok());
            // The body says nothing we need, and is not read.
            Answer::Status(response.status().as_u16(), after.map(str::to_owned))
        }
        Err(error) => Answer::NetworkError(kind_of(&error)),
    }
}

/// What a lookup of its name says.
#[cfg(feature = "heartbeat")]
const HOST_UNKNOWN: &str = "the name of the endpoint's host could not be looked up";

/// Names the kind of error only: error texts may hold addresses.
#[cfg(feature = "heartbeat")]
pub(super) fn kind_of(error: &ureq::Error) -> &'static str {
    use std::io::ErrorKind;
    match error {
        ureq::Error::Timeout(_) => "timed out",
        ureq::Error::HostNotFound => HOST_UNKNOWN,
        ureq::Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionRefused => "connection refused",
            ErrorKind::TimedOut | ErrorKind::WouldBlock => "timed out",
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => "the connection was closed before an answer",
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable => "no network leads to the endpoint",
            ErrorKind::PermissionDenied => "this system does not let it connect",
            // What rustls finds wrong comes as this.
            #[cfg(feature = "tls")]
            ErrorKind::InvalidData => {
                let tls = io.get_ref().and_then(|why| why.downcast_ref::<rustls::Error>());
                tls.map_or("network error", super::tls::kind_of)
            }
            // A failed lookup of a name has no kind of its own.
            _ if io.to_string().starts_with("failed to lookup address") => HOST_UNKNOWN,
            _ => "network error",
        },
        ureq::Error::ConnectionFailed => "connection failed",
        ureq::Error::ConnectProxyFailed(_) => "the proxy refused the connection",
        #[cfg(feature = "tls")]
        ureq::Error::Rustls(why) => super::tls::kind_of(why),
        ureq::Error::Tls(_) => "the endpoint and this program find no common TLS",
        ureq::Error::Protocol(_) => "the answer was not HTTP",
        _ => "network error",
    }
}

/// This build does not send.
#[cfg(not(feature = "heartbeat"))]
pub fn post(_: &Target, _: &[u8], _: &dyn Fn(&str) -> Option<String>) -> Answer {
    Answer::NotBuilt("this build does not send (feature `heartbeat`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_build_cannot_reach_is_an_honest_error() {
        let target = Target::new("https://127.0.0.1:1").expect("an endpoint");
        let answer = post(&target, b"{}", &|_| None);
        if cfg!(feature = "tls") {
            assert_eq!(answer, Answer::NetworkError("connection refused"));
        } else {
            assert!(matches!(answer, Answer::NotBuilt(_)));
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn what_is_wrong_with_a_connection_is_named() {
        // A name that no name server is asked for.
        let error = std::net::ToSocketAddrs::to_socket_addrs(&("nobody..here", 443));
        let error = ureq::Error::Io(error.expect_err("no such name"));
        assert_eq!(kind_of(&error), HOST_UNKNOWN, "{error}");
        // A server of plain HTTP, and one that hangs up.
        for (said, kind) in [
            (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "the endpoint does not speak TLS"),
            (b"", "the connection was closed before an answer"),
        ] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("its address");
            let server = std::thread::spawn(move || {
                use std::io::{Read as _, Write as _};
                let (mut stream, _) = listener.accept().expect("a connection");
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(said);
            });
            let target = Target::new(&format!("https://{address}")).expect("an endpoint");
            assert_eq!(post(&target, b"{}", &|_| None), Answer::NetworkError(kind));
            server.join().expect("its end");
        }
    }
}

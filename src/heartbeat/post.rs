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

/// Names the kind of error only: error texts may hold addresses.
#[cfg(feature = "heartbeat")]
fn kind_of(error: &ureq::Error) -> &'static str {
    use std::io::ErrorKind;
    match error {
        ureq::Error::Timeout(_) => "timed out",
        ureq::Error::HostNotFound => "the endpoint's host was not found",
        ureq::Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionRefused => "connection refused",
            ErrorKind::TimedOut | ErrorKind::WouldBlock => "timed out",
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => "the connection was closed before an answer",
            _ => "network error",
        },
        ureq::Error::ConnectionFailed => "connection failed",
        ureq::Error::ConnectProxyFailed(_) => "the proxy refused the connection",
        ureq::Error::Tls(_) => "TLS error",
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
}

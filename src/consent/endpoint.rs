//! Where heartbeats go: the only two kinds of address that are ever connected to.
//!
//! One rule: what could be read in two ways is not an endpoint, so what is judged here is what is
//! connected to.

use crate::diagnostics::Code;

/// `<endpoint>/heartbeat`, checked: HTTPS, or plain HTTP to loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: String,
    host: String,
    port: Option<u16>,
    loopback: bool,
    secure: bool,
}

/// Why an endpoint is not usable. Never holds the endpoint: it may carry a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// Not `https://` or `http://`.
    Scheme,
    /// No host, or one that is spelled wrong, or a port that is no port.
    Host,
    /// User name or password in it.
    UserInfo,
    /// A query, a fragment, blanks or control characters.
    Path,
    /// Plain HTTP to another machine.
    PlainHttp,
}

impl std::fmt::Display for EndpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the endpoint must start with https:// (http:// only for loopback)",
            Self::Host => "the endpoint names no valid host and port",
            Self::UserInfo => "the endpoint must not hold a user name or password",
            Self::Path => "the endpoint must not hold a query, a fragment or blanks",
            Self::PlainHttp => "plain http is only used towards loopback; use https",
        })
    }
}

impl std::error::Error for EndpointError {}

impl EndpointError {
    /// Its code.
    pub const fn code(self) -> Code {
        Code::EndpointRefused
    }
}

impl Target {
    /// Checks an endpoint as it stands in the config.
    pub fn new(endpoint: &str) -> Result<Self, EndpointError> {
        let endpoint = endpoint.trim();
        let (scheme, rest) = endpoint.split_once("://").ok_or(EndpointError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(EndpointError::Scheme),
        };
        if rest.contains(['?', '#', '\\']) || rest.bytes().any(|b| b <= b' ' || b >= 0x7f) {
            return Err(EndpointError::Path);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let (host, port) = host_of(authority).ok_or(EndpointError::Host)?;
        let loopback = is_loopback(&host);
        if !secure && !loopback {
            return Err(EndpointError::PlainHttp);
        }
        let scheme = if secure { "https" } else { "http" };
        let path = path.trim_end_matches('/');
        let separator = if path.is_empty() { "" } else { "/" };
        let url = format!("{scheme}://{authority}{separator}{path}/heartbeat");
        let port = port.or((!secure).then_some(80)).filter(|port| *port != 443);
        Ok(Self { url, host, port, loopback, secure })
    }

    /// The address that is posted to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address that is asked to erase an install.
    pub fn installs_url(&self) -> String {
        format!("{}/installs", self.endpoint())
    }

    /// The endpoint itself.
    pub fn endpoint(&self) -> &str {
        self.url.strip_suffix("/heartbeat").unwrap_or(&self.url)
    }

    /// The host, without port and brackets, lower-case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as state is kept for it and notices name it: with its port unless that is 443.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        self.port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether it is HTTPS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

fn host_of(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, after)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return None,
        Some(digits) => {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            Some(digits.parse::<u16>().ok().filter(|port| plain && *port != 0)?)
        }
    };
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    let plain = !host.is_empty() && host.bytes().all(known);
    plain.then(|| (host.to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeat_is_appended_to_the_endpoint() {
        for (endpoint, url) in [
            ("https://t.example.org", "https://t.example.org/heartbeat"),
            ("https://t.example.org/", "https://t.example.org/heartbeat"),
            ("HTTPS://t.example.org:8443/v3/x//", "https://t.example.org:8443/v3/x/heartbeat"),
            (" http://127.0.0.1:9 ", "http://127.0.0.1:9/heartbeat"),
            ("http://[::1]:9/a", "http://[::1]:9/a/heartbeat"),
        ] {
            assert_eq!(Target::new(endpoint).map(|t| t.url), Ok(url.to_owned()), "{endpoint}");
        }
    }

    #[test]
    fn the_host_of_state_and_notice_has_its_port_unless_443() {
        for (endpoint, host) in [
            ("https://T.Example.org/a", "t.example.org"),
            ("https://t.example.org:443", "t.example.org"),
            ("https://t.example.org:0443", "t.example.org"),
            ("https://t.example.org:8443/a", "t.example.org:8443"),
            ("http://localhost", "localhost:80"),
            ("http://127.0.0.1:9", "127.0.0.1:9"),
            ("https://[::1]", "[::1]"),
            ("http://[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(Target::new(endpoint).map(|t| t.authority()), Ok(host.into()), "{endpoint}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST"] {
            let target = Target::new(&format!("http://{host}:1"));
            assert!(target.is_ok_and(|t| t.loopback && !t.secure), "{host}");
        }
        for host in
            ["example.org", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org", "[::2]"]
        {
            assert_eq!(
                Target::new(&format!("http://{host}")),
                Err(EndpointError::PlainHttp),
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_not_an_endpoint_is_refused() {
        use EndpointError::*;
        for (endpoint, why) in [
            ("", Scheme),
            ("example.org", Scheme),
            ("ftp://example.org", Scheme),
            ("https://", Host),
            ("https:///x", Host),
            ("https://a:b", Host),
            ("https://a:70000", Host),
            ("https://a:+80", Host),
            ("https://[::1", Host),
            ("https://[zz]", Host),
            ("https://user:secret@example.org", UserInfo),
            ("http://127.0.0.1@example.org", UserInfo),
            ("https://example.org/?id=1", Path),
            ("https://example.org/#x", Path),
            ("https://exam ple.org/", Path),
            ("https://ex\u{e4}mple.org/", Path),
            ("http://127.0.0.1\\@example.org", Path),
        ] {
            assert_eq!(Target::new(endpoint), Err(why), "{endpoint}");
        }
    }
}

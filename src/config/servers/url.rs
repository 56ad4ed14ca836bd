//! What must be right about a URL, and what of it may be shown.
//!
//! One rule: user info, path and query can be secrets; only the origin is ever shown.

use super::expand::without_defaults;
use std::fmt;

/// Why a URL cannot be used. In words it is what follows the key that the URL stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It has blanks or control characters.
    Blanks,
    /// Its scheme is neither `http` nor `https`.
    Scheme,
    /// It names a container image, as `docker://IMAGE` does.
    Image,
    /// It has no host.
    Host,
    /// Its port is no number.
    Port,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blanks => "has blanks or control characters; write them as %20 and the like",
            Self::Scheme => "must start with http:// or https://",
            Self::Image => {
                "names a container image; an image is run by a command, such as docker with the `args` run, -i, --rm and the image"
            }
            Self::Host => "has no host; write it as https://host/path",
            Self::Port => {
                "has a port that is no number; encode what is special in a user name or password"
            }
        })
    }
}

impl std::error::Error for UrlError {}

/// What is wrong with a URL as it is written. One that starts with a variable is judged once that is
/// expanded.
pub(super) fn error(url: &str) -> Option<UrlError> {
    if url.starts_with("${") { None } else { expanded_error(url) }
}

/// What is wrong with a URL.
pub(super) fn expanded_error(url: &str) -> Option<UrlError> {
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some(UrlError::Blanks);
    }
    let Some(rest) = after_scheme(url, &["http://", "https://"]) else {
        let is_image = after_scheme(url, &["docker://", "podman://"]).is_some();
        return Some(if is_image { UrlError::Image } else { UrlError::Scheme });
    };
    match host_and_port(rest) {
        ("", _) => Some(UrlError::Host),
        (_, Some(port)) if !is_port(port) => Some(UrlError::Port),
        _ => None,
    }
}

/// Scheme, host and port; of one that is a variable, the variable's name.
pub(super) fn origin(url: &str) -> String {
    let url = without_defaults(url);
    match after_scheme(&url, &["http://", "https://"]) {
        Some(rest) => {
            let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
            match host_and_port(rest) {
                (host, Some(port)) if is_port(port) => format!("{scheme}://{host}:{port}"),
                // What else stands there may be a password.
                (host, _) => format!("{scheme}://{host}"),
            }
        }
        None => match url.split_once('}').filter(|_| url.starts_with("${")) {
            Some((variable, _)) => format!("{variable}}}"),
            None => String::new(),
        },
    }
}

/// Whether the path ends in `/sse`, as it does for servers of HTTP with SSE (2024-11-05).
pub fn is_sse_address(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    path.len() > 4 && path.to_ascii_lowercase().ends_with("/sse") && !path.ends_with("//sse")
}

fn after_scheme<'u>(url: &'u str, schemes: &[&str]) -> Option<&'u str> {
    schemes.iter().find_map(|scheme| {
        let start = url.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    })
}

/// Host and port of what follows the scheme.
fn host_and_port(rest: &str) -> (&str, Option<&str>) {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    // The colons of an IPv6 address and of `${NAME:-default}` are none of a port.
    let mut depth = 0_usize;
    for (at, c) in place.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return (&place[..at], Some(&place[at + 1..])),
            _ => {}
        }
    }
    (place, None)
}

/// Digits, or a variable.
fn is_port(text: &str) -> bool {
    text.starts_with("${")
        || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_is_shown() {
        for (url, shown) in [
            ("https://h.example/mcp?token=s", "https://h.example"),
            ("HTTPS://h.example", "https://h.example"),
            ("http://user:s@h.example:8080/s", "http://h.example:8080"),
            ("http://u:a@s@h.example#s", "http://h.example"),
            ("http://[::1]:9/s", "http://[::1]:9"),
            ("http://h\\@s", "http://h"),
            ("http://user:pa/ss@h", "http://user"),
            ("http://h:${PORT}/s", "http://h:${PORT}"),
            ("https://h?s", "https://h"),
            ("https://${HOST}/s", "https://${HOST}"),
            ("https://${HOST:-a/s?s}/s", "https://${HOST}"),
            ("https://${USER}:s@h/", "https://h"),
            ("${URL}/s", "${URL}"),
            ("${URL:-https://u:s@h}", "${URL}"),
            ("ftp://s", ""),
        ] {
            assert_eq!(origin(url), shown, "{url}");
        }
    }

    #[test]
    fn what_is_no_http_url_is_named() {
        for (url, part) in [
            ("ftp://h", "https://"),
            ("docker://image", "docker with"),
            ("Podman://image", "docker with"),
            ("h.example/mcp", "https://"),
            ("", "https://"),
            ("https://", "no host"),
            ("https:///x", "no host"),
            ("https://u@/x", "no host"),
            ("https://user:pa/ss@h", "port"),
            ("https://h:99999", "port"),
            ("https://h:", "port"),
            ("https://h/a b", "blanks"),
            ("https://h/\r\nX: y", "blanks"),
            ("\u{e4}\u{e4}\u{e4}\u{e4}", "https://"),
        ] {
            let why = error(url).expect(url).to_string();
            assert!(why.contains(part), "{url}: {why}");
        }
        for url in ["http://h", "HTTPS://h/x?y#z", "${URL}", "https://${HOST}:1/x", "http://[::1]/"]
        {
            assert_eq!(error(url), None, "{url}");
        }
    }
}

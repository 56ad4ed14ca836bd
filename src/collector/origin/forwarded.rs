//! Forwarding headers: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! One rule: a hop that is not exactly an address is `None`, and a line of `Forwarded` that does not follow its
//! grammar is one `None`: where a client's quote swallows the hop that a proxy wrote, nothing of it is believed.

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use std::net::{IpAddr, Ipv6Addr};

const LIST: &str = "x-forwarded-for";

/// Whether a request says that it was forwarded.
pub(super) fn is_in(headers: &HeaderMap) -> bool {
    headers.contains_key(LIST) || headers.contains_key(FORWARDED)
}

/// The hops of `X-Forwarded-For`, the client first; `None` without the header.
pub(super) fn list(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    for line in headers.get_all(LIST) {
        let parts = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        // RFC 9110, 5.6.1.2: empty elements of a list are nothing.
        for part in parts.filter(|part| !part.is_empty()) {
            hops.push(str::from_utf8(part).ok().and_then(node));
        }
    }
    headers.contains_key(LIST).then_some(hops)
}

/// The hops of `Forwarded`, the client first; `None` without the header.
pub(super) fn standard(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    for line in headers.get_all(FORWARDED) {
        match line.to_str().ok().and_then(elements) {
            Some(of_line) => hops.extend(of_line),
            None => hops.push(None),
        }
    }
    headers.contains_key(FORWARDED).then_some(hops)
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: Ipv6Addr = address.parse().ok().filter(|_| is_port)?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    let address = match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => {
            Some(address).filter(|_| is_port(port)).and_then(|it| it.parse().ok())
        }
        _ => text.parse().ok(),
    };
    address.map(|address: IpAddr| address.to_canonical())
}

/// A port, or the name that stands for one (`_hidden`).
fn is_port(text: &str) -> bool {
    let is_hidden = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    match text.strip_prefix('_') {
        Some(name) => is_hidden(name),
        None => {
            (1..=5).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_digit())
                && text.parse::<u16>().is_ok()
        }
    }
}

/// The `for` of each element of a line; `None` when the line does not follow the grammar.
fn elements(line: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    // Of the element that is read: whether it has pairs, and its `for`.
    let (mut pairs, mut hop) = (0, None);
    let mut rest = line.trim_start_matches([' ', '\t']);
    loop {
        if !rest.is_empty() && !rest.starts_with([',', ';']) {
            let (name, value, after) = pair(rest)?;
            if name.eq_ignore_ascii_case("for") && hop.replace(value).is_some() {
                return None;
            }
            pairs += 1;
            rest = after.trim_start_matches([' ', '\t']);
        }
        if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start_matches([' ', '\t']);
            continue;
        }
        if pairs > 0 {
            // Without `for`, with `unknown` or with a hidden name, a hop cannot be followed.
            hops.push(hop.take().and_then(|value| node(&value)));
            pairs = 0;
        }
        let Some(after) = rest.strip_prefix(',') else { break };
        rest = after.trim_start_matches([' ', '\t']);
    }
    rest.is_empty().then_some(hops)
}

/// The pair at the start of a text: name, value without quotes, and what follows.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(text)?;
    let rest = rest.strip_prefix('=')?;
    let Some(mut quoted) = rest.strip_prefix('"') else {
        let (value, rest) = token(rest)?;
        return Some((name, value.to_owned(), rest));
    };
    let mut value = String::new();
    loop {
        let mut chars = quoted.chars();
        match chars.next()? {
            '"' => return Some((name, value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
        quoted = chars.as_str();
    }
}

/// The token at the start of a text, and what follows. A colon is taken as well: some proxies leave out the quotes
/// around `192.0.2.1:80`.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_of_token =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(byte);
    let length = text.bytes().take_while(|byte| is_of_token(byte)).count();
    let (token, rest) = text.split_at_checked(length)?;
    (!token.is_empty()).then_some((token, rest))
}

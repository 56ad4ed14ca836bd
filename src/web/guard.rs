//! Who may ask: a page of another site may not, and what a [`Rule`] covers needs the key.
//!
//! One rule: checked before anything else, for every path. A browser on this machine is not its user.

use super::key::ApiKey;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use std::net::{IpAddr, SocketAddr};

/// The header of the key.
pub const KEY_HEADER: &str = "x-api-key";
/// The scheme of `Authorization`, in any case.
const BEARER: &[u8] = b"Bearer ";

/// What a surface says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// The paths that need the key. All others need none.
    pub rules: &'static [Rule],
    /// The answer to a request whose `Host` names something else.
    pub foreign_host: &'static str,
    /// The answer to a request without the key.
    pub no_key: &'static str,
}

/// Paths that need the key.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The path and all below it; with a final `/`, only those below it.
    pub path: &'static str,
    /// Needed even where only this machine can ask.
    pub on_loopback: bool,
    /// `Authorization: Bearer` will do as well.
    pub bearer: bool,
}

impl Rule {
    fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.path).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        })
    }
}

/// What is checked.
pub struct Guard {
    surface: Surface,
    key: ApiKey,
    /// Lower-case names and addresses that this server is reached under.
    hosts: Vec<String>,
    /// Other machines can ask.
    is_open: bool,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `Host` does not name this server.
    ForeignHost,
    /// A page of another origin asks.
    ForeignOrigin,
    /// The key is missing or wrong.
    NoKey,
}

impl Surface {
    /// One sentence for the answer.
    pub fn words(&self, refusal: Refusal) -> &'static str {
        match refusal {
            Refusal::ForeignHost => self.foreign_host,
            Refusal::ForeignOrigin => "requests of pages of another origin are not answered",
            Refusal::NoKey => self.no_key,
        }
    }
}

impl Guard {
    /// For a surface that listens on `listen` and is reached under `allowed` names as well.
    pub fn new(surface: Surface, key: ApiKey, listen: SocketAddr, allowed: &[String]) -> Self {
        let is_local = listen.ip().is_loopback();
        let mut hosts: Vec<String> = allowed.iter().map(|host| plain(host)).collect();
        hosts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        if !listen.ip().is_unspecified() {
            hosts.push(listen.ip().to_string());
        }
        Self { surface, key, hosts, is_open: !is_local }
    }

    /// What the surface says of `refusal`.
    pub fn words(&self, refusal: Refusal) -> &'static str {
        self.surface.words(refusal)
    }

    /// Whether a request for `uri` may be answered.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = only(headers, &HOST).and_then(authority).ok_or(Refusal::ForeignHost)?;
        if !self.is_ours(&host) || uri.authority().is_some_and(|named| !self.is_ours(named)) {
            return Err(Refusal::ForeignHost);
        }
        if headers.contains_key(ORIGIN) && !is_same_origin(headers, &host) {
            return Err(Refusal::ForeignOrigin);
        }
        if is_foreign_page(headers) {
            return Err(Refusal::ForeignOrigin);
        }
        let mut rules = self.surface.rules.iter().filter(|rule| rule.covers(uri.path()));
        let may_pass = |rule: &Rule| {
            (!rule.on_loopback && !self.is_open) || self.has_key(headers, rule.bearer)
        };
        if rules.all(may_pass) { Ok(()) } else { Err(Refusal::NoKey) }
    }

    fn is_ours(&self, host: &Authority) -> bool {
        // Of any port: a tunnel may lead here from another one, and a rebound name is what gives itself away.
        let name = plain(host.host());
        host.as_str().find('@').is_none() && self.hosts.contains(&name)
    }

    fn has_key(&self, headers: &HeaderMap, bearer: bool) -> bool {
        let name = HeaderName::from_static(KEY_HEADER);
        if headers.contains_key(&name) {
            return only(headers, &name).is_some_and(|given| self.key.is(given.as_bytes()));
        }
        let given = only(headers, &AUTHORIZATION).filter(|_| bearer);
        given
            .and_then(|given| given.as_bytes().split_at_checked(BEARER.len()))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(BEARER))
            .is_some_and(|(_, given)| self.key.is(given))
    }
}

/// The value of a header that came exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    value.to_str().ok()?.parse().ok()
}

/// A host as it is compared: lower-case, without brackets, without the final dot of a full name.
fn plain(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // One spelling of an IPv6 address.
    host.parse::<IpAddr>().map_or(host, |address| address.to_string())
}

/// Whether a browser says that a page of elsewhere asks. It sends no `Origin` with a picture or a script that
/// a page wants to have, but says so in `Sec-Fetch-Site`; a link that its user follows is the user's own wish.
fn is_foreign_page(headers: &HeaderMap) -> bool {
    let says = |name: &'static str, words: &[&str]| {
        let mut all = headers.get_all(HeaderName::from_static(name)).iter();
        all.any(|value| words.iter().any(|word| value.as_bytes() == word.as_bytes()))
    };
    says("sec-fetch-site", &["cross-site", "same-site"])
        && !(says("sec-fetch-mode", &["navigate"]) && says("sec-fetch-dest", &["document"]))
}

/// Whether the page that asks came from where it asks.
fn is_same_origin(headers: &HeaderMap, host: &Authority) -> bool {
    let Some(origin) = only(headers, &ORIGIN).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let (default, rest) = match origin.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some(("https", rest)) => (443, rest),
        _ => return false,
    };
    let Ok(origin) = rest.parse::<Authority>() else { return false };
    let port = |authority: &Authority| authority.port_u16();
    let same_port = match port(host) {
        Some(named) => port(&origin).unwrap_or(default) == named,
        // Behind a proxy that ends TLS nobody says which port it was.
        None => port(&origin).is_none_or(|named| named == default),
    };
    same_port && plain(origin.host()) == plain(host.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    const SURFACE: Surface = Surface {
        rules: &[
            Rule { path: "/api/", on_loopback: true, bearer: false },
            Rule { path: "/mcp", on_loopback: false, bearer: true },
        ],
        foreign_host: "another host",
        no_key: "no key",
    };

    fn guard(listen: &str, allowed: &[&str]) -> Guard {
        let allowed: Vec<_> = allowed.iter().map(|&host| host.to_owned()).collect();
        Guard::new(SURFACE, ApiKey::for_tests(KEY), listen.parse().unwrap(), &allowed)
    }

    fn check(guard: &Guard, path: &str, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        guard.check(&path.parse().unwrap(), &map)
    }

    #[test]
    fn only_names_of_this_gateway_are_answered() {
        let local = guard("127.0.0.1:8080", &["gateway.example"]);
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST",
            "localhost.",
            "[::1]:8080",
            "[0:0:0:0:0:0:0:1]",
            "localhost:9999",
            "gateway.example",
            "Gateway.Example:443",
        ] {
            assert_eq!(check(&local, "/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8080",
            "localhost.evil.example",
            "127.0.0.2",
            "user@localhost",
            "0.0.0.0:8080",
            "",
            "a b",
        ] {
            assert_eq!(check(&local, "/", &[("host", host)]), Err(Refusal::ForeignHost), "{host}");
        }
        assert_eq!(check(&local, "/", &[]), Err(Refusal::ForeignHost));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(check(&local, "/", &two), Err(Refusal::ForeignHost));
        let absolute = check(&local, "http://evil.example/", &[("host", "localhost")]);
        assert_eq!(absolute, Err(Refusal::ForeignHost));
    }

    #[test]
    fn pages_of_other_origins_are_refused_even_with_the_key() {
        let local = guard("127.0.0.1:8080", &["gateway.example"]);
        let ask = |host: &str, origin: &str| {
            check(&local, "/mcp", &[("host", host), ("origin", origin), (KEY_HEADER, KEY)])
        };
        for (host, origin) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost:8080", "http://localhost:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("gateway.example", "https://gateway.example"),
            ("gateway.example:443", "https://gateway.example"),
        ] {
            assert_eq!(ask(host, origin), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("127.0.0.1:8080", "http://evil.example"),
            ("127.0.0.1:8080", "http://localhost:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:3000"),
            ("127.0.0.1:8080", "http://127.0.0.1"),
            ("127.0.0.1:8080", "null"),
            ("127.0.0.1:8080", ""),
            ("127.0.0.1:8080", "file://"),
            ("gateway.example", "http://gateway.example:8080"),
        ] {
            assert_eq!(ask(host, origin), Err(Refusal::ForeignOrigin), "{host} {origin}");
        }
    }

    #[test]
    fn what_pages_of_other_sites_embed_is_refused_and_a_link_is_not() {
        let local = guard("127.0.0.1:8080", &[]);
        let host = ("host", "127.0.0.1:8080");
        let (site, mode, dest) = ("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest");
        for (headers, expected) in [
            (vec![(site, "none"), (mode, "navigate"), (dest, "document")], Ok(())),
            (vec![(site, "same-origin"), (mode, "cors"), (dest, "empty")], Ok(())),
            (vec![(site, "cross-site"), (mode, "navigate"), (dest, "document")], Ok(())),
            (
                vec![(site, "cross-site"), (mode, "no-cors"), (dest, "image")],
                Err(Refusal::ForeignOrigin),
            ),
            (
                vec![(site, "same-site"), (mode, "no-cors"), (dest, "script")],
                Err(Refusal::ForeignOrigin),
            ),
            (
                vec![(site, "cross-site"), (mode, "navigate"), (dest, "iframe")],
                Err(Refusal::ForeignOrigin),
            ),
            (vec![(site, "cross-site")], Err(Refusal::ForeignOrigin)),
        ] {
            let headers: Vec<_> = [host].into_iter().chain(headers).collect();
            for path in ["/", "/mcp"] {
                assert_eq!(check(&local, path, &headers), expected, "{headers:?}");
            }
        }
    }

    #[test]
    fn the_status_needs_the_key_and_mcp_only_beyond_this_machine() {
        let local = guard("127.0.0.1:8080", &[]);
        let host = ("host", "127.0.0.1:8080");
        for (path, given, expected) in [
            ("/api/v1/status", None, Err(Refusal::NoKey)),
            ("/api/v1/status", Some(""), Err(Refusal::NoKey)),
            ("/api/v1/status", Some(&KEY[..31]), Err(Refusal::NoKey)),
            ("/api/v1/status", Some("0123456789abcdef0123456789abcdeF"), Err(Refusal::NoKey)),
            ("/api/v1/status", Some(KEY), Ok(())),
            ("/api/anything", None, Err(Refusal::NoKey)),
            ("/", None, Ok(())),
            ("/api", None, Ok(())),
            ("/apiary", None, Ok(())),
            ("/mcp", None, Ok(())),
        ] {
            let mut headers = vec![host];
            headers.extend(given.map(|given| (KEY_HEADER, given)));
            assert_eq!(check(&local, path, &headers), expected, "{path} {given:?}");
        }
        let open = guard("0.0.0.0:8080", &["gateway.example"]);
        let host = ("host", "gateway.example");
        let bearer = format!("Bearer {KEY}");
        for (path, expected) in [
            ("/mcp", Err(Refusal::NoKey)),
            ("/mcp/", Err(Refusal::NoKey)),
            ("/mcp/x", Err(Refusal::NoKey)),
            ("/mcpx", Ok(())),
        ] {
            assert_eq!(check(&open, path, &[host]), expected, "{path}");
        }
        assert_eq!(check(&open, "/mcp", &[host, (KEY_HEADER, KEY)]), Ok(()));
        assert_eq!(check(&open, "/mcp", &[host, ("authorization", &bearer)]), Ok(()));
        let lower = format!("bearer {KEY}");
        assert_eq!(check(&open, "/mcp", &[host, ("authorization", &lower)]), Ok(()));
        for wrong in [KEY, "Bearer", "", "Basic x"] {
            let given = [host, ("authorization", wrong)];
            assert_eq!(check(&open, "/mcp", &given), Err(Refusal::NoKey), "{wrong}");
        }
        let twice = [host, (KEY_HEADER, KEY), (KEY_HEADER, KEY)];
        assert_eq!(check(&open, "/mcp", &twice), Err(Refusal::NoKey));
        let both = [host, (KEY_HEADER, "wrong"), ("authorization", &bearer)];
        assert_eq!(check(&open, "/mcp", &both), Err(Refusal::NoKey));
        // A browser sends no header of its own choice with a navigation; the status is never open to it.
        let status = [host, ("authorization", bearer.as_str())];
        assert_eq!(check(&open, "/api/v1/status", &status), Err(Refusal::NoKey));
    }
}

//! Which proxy a request goes through, by the variables every command-line tool knows: heartbeats, and what the
//! gateway asks its upstream servers.
//!
//! One rule: pure; and what stays on this machine never goes through a proxy, whatever variables say.

use std::net::IpAddr;

/// Variables that name a proxy for HTTPS, the first that is set and not empty wins. `HTTP_PROXY` is last:
/// by the letter it is for plain HTTP, but machines that set nothing else still have no other way out.
const NAMES: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// The proxy for `host`, or `None` to connect directly.
pub fn for_host(host: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let proxy = first(NAMES, variable)?;
    (!is_direct(host, variable)).then_some(proxy)
}

/// The value of the first variable that is set and not empty.
fn first(names: &[&str], variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let values = names.iter().filter_map(|name| variable(name));
    values.map(|value| value.trim().to_owned()).find(|value| !value.is_empty())
}

/// Whether `host` is connected to directly, whatever proxy there is: it is this machine, or `NO_PROXY` names it.
pub fn is_direct(host: &str, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    is_this_machine(host)
        || first(&["NO_PROXY", "no_proxy"], variable).is_some_and(|list| is_exempt(host, &list))
}

/// `localhost`, names below it, loopback addresses, and the addresses that stand for "here".
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| {
            // Also behind an IPv6 prefix: `::ffff:127.0.0.1`, and `::127.0.0.1` of old.
            let inner = match address {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(v6) => v6.to_ipv4(),
            };
            address.is_loopback() || inner.is_some_and(|v4| v4.is_loopback() || v4.is_unspecified())
        })
}

/// `NO_PROXY` as curl reads it: names separated by commas or spaces, each also for its subdomains, an
/// optional leading dot or `*.`, a port that is ignored, `*` for everything.
fn is_exempt(host: &str, list: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    list.split([',', ' ']).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        let name = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') && is_port(port) => name,
            _ => entry.as_str(),
        };
        let name = name.strip_prefix('*').unwrap_or(name).trim_matches(['[', ']', '.']);
        let before = host.strip_suffix(name);
        !name.is_empty() && before.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)], host: &str) -> Option<String> {
        for_host(host, &|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_most_specific_variable_wins_and_empty_ones_do_not_count() {
        let all =
            [("ALL_PROXY", "http://a"), ("https_proxy", "http://s"), ("HTTP_PROXY", "http://h")];
        assert_eq!(with(&all, "example.org").as_deref(), Some("http://s"));
        assert_eq!(with(&all[..1], "example.org").as_deref(), Some("http://a"));
        assert_eq!(with(&all[2..], "example.org").as_deref(), Some("http://h"));
        let empty = [("HTTPS_PROXY", " "), ("all_proxy", "http://a")];
        assert_eq!(with(&empty, "example.org").as_deref(), Some("http://a"));
        assert_eq!(with(&[], "example.org"), None);
    }

    #[test]
    fn this_machine_is_never_reached_through_a_proxy() {
        let all =
            [("HTTPS_PROXY", "http://p"), ("ALL_PROXY", "http://p"), ("http_proxy", "http://p")];
        for host in [
            "localhost",
            "LOCALHOST.",
            "app.localhost",
            "a.b.Localhost.",
            "127.0.0.1",
            "127.8.9.10",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "[::ffff:7f00:1]",
            "0.0.0.0",
            "[::]",
            "[::127.0.0.1]",
            "::7f00:1",
        ] {
            assert_eq!(with(&all, host), None, "{host}");
            assert!(is_direct(host, &|_| None), "{host}");
        }
        for host in ["notlocalhost", "localhost.example.org", "128.0.0.1", "::2", "10.0.0.1"] {
            assert!(with(&all, host).is_some(), "{host}");
        }
    }

    #[test]
    fn no_proxy_exempts_names_and_their_subdomains() {
        for (list, host, exempt) in [
            ("example.org", "example.org", true),
            ("example.org", "t.EXAMPLE.org.", true),
            ("example.org", "notexample.org", false),
            (".example.org", "t.example.org", true),
            ("*.example.org", "t.example.org", true),
            ("a.b, example.org", "example.org", true),
            ("example.org:443", "example.org", true),
            ("*", "anything", true),
            ("", "anything", false),
            (", .", "anything", false),
            ("[fd00::1]", "fd00::1", true),
            ("10.0.0.1", "10.0.0.1", true),
        ] {
            assert_eq!(is_exempt(host, list), exempt, "{list:?} {host}");
        }
        let variables = [("HTTPS_PROXY", "http://p"), ("no_proxy", "example.org")];
        assert_eq!(with(&variables, "t.example.org"), None);
        assert!(with(&variables, "example.com").is_some());
    }
}

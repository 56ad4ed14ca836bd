use super::*;
use axum::http::{HeaderName, HeaderValue};
use proptest::prelude::*;

const PROXY: &str = "10.0.0.5";

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        map.append(HeaderName::from_static(name), value);
    }
    map
}

/// The address that is believed for a request from `peer`, where 10.0.0.0/8 and fd00::/8 are trusted.
fn address(peer: &str, lines: &[(&'static str, &str)]) -> String {
    let origins = Origins::new(networks(&["10.0.0.0/8", "fd00::/8"]));
    let peer: IpAddr = peer.parse().expect("an address");
    origins.address(peer.to_canonical(), &headers(lines)).to_string()
}

fn listed(value: &str) -> String {
    address(PROXY, &[("x-forwarded-for", value)])
}

fn standard(value: &str) -> String {
    address(PROXY, &[("forwarded", value)])
}

#[test]
fn a_header_is_believed_from_a_trusted_proxy_only() {
    for name in ["x-forwarded-for", "forwarded"] {
        let value = if name == "forwarded" { "for=192.0.2.7" } else { "192.0.2.7" };
        assert_eq!(address(PROXY, &[(name, value)]), "192.0.2.7");
        assert_eq!(address("::ffff:10.0.0.5", &[(name, value)]), "192.0.2.7");
        assert_eq!(address("fd00::1", &[(name, value)]), "192.0.2.7");
        assert_eq!(address("198.51.100.1", &[(name, value)]), "198.51.100.1");
        assert_eq!(address("fe80::1", &[(name, value)]), "fe80::1");
    }
    assert_eq!(address(PROXY, &[]), PROXY);
}

#[test]
fn the_rightmost_untrusted_hop_is_the_origin() {
    assert_eq!(listed("203.0.113.9, 192.0.2.7"), "192.0.2.7", "what stands left of it is hearsay");
    assert_eq!(listed("203.0.113.9,192.0.2.7 , 10.1.2.3,fd00::9"), "192.0.2.7");
    assert_eq!(listed("10.0.0.1, 10.0.0.2"), "10.0.0.1", "all are trusted: the first of them");
    let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7, 10.0.0.2")];
    assert_eq!(address(PROXY, &lines), "192.0.2.7", "lines are one list");
    assert_eq!(listed("203.0.113.9, , 192.0.2.7,"), "192.0.2.7", "an empty element is nothing");
    assert_eq!(listed(""), PROXY);
}

#[test]
fn addresses_are_read_in_each_of_their_forms() {
    for (value, expected) in [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
    ] {
        assert_eq!(listed(value), expected);
        assert_eq!(standard(&format!("for=\"{value}\"")), expected);
    }
    assert_eq!(standard("for=192.0.2.7:80"), "192.0.2.7", "as some proxies write it");
    assert_eq!(
        standard("FOR=\"[2001:db8:cafe::17]:4711\";proto=https;by=203.0.113.43"),
        "2001:db8:cafe::17"
    );
    assert_eq!(standard("by=10.0.0.1;for=192.0.2.7; host=\"a, b;c\\\"d\""), "192.0.2.7");
    assert_eq!(standard("for=203.0.113.9;proto=http, for=192.0.2.7 , for=10.0.0.9"), "192.0.2.7");
    assert_eq!(standard("for=\"192.0.2.7:_x.y\""), "192.0.2.7");
}

#[test]
fn what_cannot_be_read_ends_the_way_at_the_last_hop_that_could() {
    for bad in [
        "unknown",
        "_hidden",
        "192.0.2.7:",
        "192.0.2.7:99999",
        "192.0.2.7:1:2",
        "192.0.2.256",
        "192.0.2",
        "0x7f.1",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]x",
        "[192.0.2.7]",
        "fe80::1%eth0",
        "proxy.example",
        "\u{e9}",
        "192.0.2.7 192.0.2.8",
    ] {
        assert_eq!(listed(&format!("192.0.2.7, {bad}")), PROXY, "{bad}");
        assert_eq!(listed(&format!("192.0.2.7, {bad}, 10.0.0.9")), "10.0.0.9", "{bad}");
        assert_eq!(standard(&format!("for=192.0.2.7, for=\"{bad}\"")), PROXY, "{bad}");
    }
    for bad in [
        "for=192.0.2.7, for=",
        "for=192.0.2.7, proto=https",
        "for=192.0.2.7;for=192.0.2.8",
        "for = 192.0.2.7",
        "for=192.0.2.7 proto=http",
        "for=192.0.2.7=x",
        "192.0.2.7",
    ] {
        assert_eq!(standard(bad), PROXY, "{bad}");
    }
}

#[test]
fn a_quote_of_the_client_swallows_no_hop_of_the_proxy() {
    // The first part is the client's, and the proxy has added the rest.
    for client in ["for=6.6.6.6, for=\"", "for=6.6.6.6;x=\"", "for=6.6.6.6, for=\"\\", "\""] {
        for proxy in ["for=192.0.2.7", "for=\"[2001:db8::1]:80\"", "for=\"192.0.2.7\";by=\"x\""] {
            let believed = standard(&format!("{client}, {proxy}"));
            assert!([PROXY, "192.0.2.7", "2001:db8::1"].contains(&believed.as_str()), "{believed}");
        }
    }
    // In a line of its own it harms nothing.
    let lines = [("forwarded", "for=6.6.6.6, for=\""), ("forwarded", "for=192.0.2.7")];
    assert_eq!(address(PROXY, &lines), "192.0.2.7");
}

#[test]
fn two_headers_that_disagree_say_nothing() {
    let both = |list: &str, standard: &str| {
        address(PROXY, &[("x-forwarded-for", list), ("forwarded", standard)])
    };
    assert_eq!(both("192.0.2.7", "for=192.0.2.7"), "192.0.2.7");
    assert_eq!(both("192.0.2.7", "for=192.0.2.99"), "192.0.2.7", "of one network");
    assert_eq!(both("192.0.2.7", "for=6.6.6.6"), PROXY);
    assert_eq!(both("6.6.6.6", "for=192.0.2.7"), PROXY);
}

#[test]
fn an_origin_is_a_24_or_a_48() {
    let origins = Origins::new(Vec::new());
    let of = |peer: &str| origins.of(peer.parse().expect("an address"), &HeaderMap::new());
    assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
    assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.254"), "on a socket of both families");
    assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
    assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff::1"));
    assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    let other = Origins::new(Vec::new());
    let of_other = other.of("192.0.2.1".parse().expect("an address"), &HeaderMap::new());
    assert_ne!(of("192.0.2.1"), of_other, "another process, another key");
}

#[test]
fn this_machine_is_exempt_until_it_forwards() {
    let of = |trusted: &[&str], peer: &str, lines: &[(&'static str, &str)]| {
        let origins = Origins::new(networks(trusted));
        origins.of(peer.parse().expect("an address"), &headers(lines))
    };
    let forwarded = [("x-forwarded-for", "127.0.0.1")];
    for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(of(&[], peer, &[]), None, "{peer}");
        assert_eq!(of(&["127.0.0.1"], peer, &[]), None, "{peer}");
        assert!(of(&[], peer, &forwarded).is_some_and(Origin::is_unproven), "{peer}");
    }
    let proven = of(&["127.0.0.1"], "127.0.0.1", &forwarded);
    assert!(proven.is_some_and(|origin| !origin.is_unproven()), "a client that writes 127.0.0.1");
}

#[test]
fn a_network_is_what_is_written() {
    for (text, shown) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("fd00::/8", "fd00::/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ] {
        assert_eq!(text.parse::<Network>().map(|it| it.to_string()), Ok(shown.to_owned()));
    }
    for bad in [
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0/8",
        "10.0.0.0/+8",
        "10.0.0.0/8/8",
        "::/129",
        "proxy",
        "10.0.0.0/-1",
        "::ffff:10.0.0.0/8",
        " 10.0.0.1",
        "[::1]",
        "10.0.0.1:80",
    ] {
        assert_eq!(bad.parse::<Network>(), Err(NetworkError::Form), "{bad}");
    }
    for everything in ["0.0.0.0/0", "::/0", "10.0.0.0/0", "::ffff:0.0.0.0/96"] {
        assert_eq!(everything.parse::<Network>(), Err(NetworkError::Everything), "{everything}");
    }
    let error = "10.1.2.3/8".parse::<Network>().expect_err("bits beyond the length");
    assert!(error.to_string().ends_with("10.0.0.0/8"), "{error}");
}

proptest! {
    /// Whatever a client writes, a proxy that adds its address to the end has the last word.
    #[test]
    fn no_client_writes_its_own_origin(written in "[ -~]{0,60}", in_own_line in any::<bool>()) {
        let hop = "192.0.2.7";
        let listed = if in_own_line {
            address(PROXY, &[("x-forwarded-for", &written), ("x-forwarded-for", hop)])
        } else {
            listed(&format!("{written}, {hop}"))
        };
        prop_assert_eq!(listed, hop);
        let of_proxy = format!("for={hop}");
        let standard = if in_own_line {
            address(PROXY, &[("forwarded", &written), ("forwarded", &of_proxy)])
        } else {
            standard(&format!("{written}, {of_proxy}"))
        };
        prop_assert!([PROXY, hop].contains(&standard.as_str()), "{standard}");
    }
}

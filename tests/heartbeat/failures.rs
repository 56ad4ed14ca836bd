//! Endpoints that do not acknowledge.

use crate::install::Install;
use crate::receiver::{Receiver, Reply};
use mcpproxy::contract::timestamp;
use mcpproxy::heartbeat::attempt::Outcome;
use mcpproxy::heartbeat::schedule::Begin;
use mcpproxy::heartbeat::timing::{INTERVAL, RETRY_AFTER_MAX};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Fails once with `reply`; seconds until the retry, which must bring the same bytes.
fn retry_in(reply: Reply) -> u64 {
    let install = Install::new([reply]);
    let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
    assert_eq!(install.state().sender.last_success, 0);
    install.pass(retry_in - 1);
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::BackingOff(1)));
    install.pass(1);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    let requests = install.receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body, "the same bytes");
    retry_in
}

fn with_retry_after(status: u16, value: String) -> Reply {
    Reply::Status(status, vec![("retry-after", value)])
}

#[test]
fn overloaded_and_broken_endpoints_are_tried_again_after_a_minute() {
    for reply in [408, 429, 500, 502, 503, 599]
        .map(Reply::status)
        .into_iter()
        .chain([Reply::HangUp, Reply::Garbage])
    {
        let wait = retry_in(reply.clone());
        assert!((60..=66).contains(&wait), "{reply:?}: {wait}");
    }
}

#[test]
fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    assert_eq!(retry_in(with_retry_after(429, "120".into())), 120);
    assert_eq!(retry_in(with_retry_after(503, "7".into())), 7);
    let soon = http_date(mcpproxy::machine::now() + 3600);
    let wait = retry_in(with_retry_after(503, soon));
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert!((60..=66).contains(&retry_in(with_retry_after(503, "soon".into()))));
}

#[test]
fn an_endless_retry_after_is_cut_to_a_day() {
    let install = Install::new([with_retry_after(503, "99999999999999999999".into())]);
    let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
    assert_eq!(retry_in, RETRY_AFTER_MAX);
}

#[test]
fn refusals_wait_for_the_next_day() {
    for status in [400, 401, 403, 404, 410, 413, 422, 451] {
        let install = Install::new([with_retry_after(status, "5".into())]);
        let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
        assert_eq!(retry_in, INTERVAL, "{status}");
    }
}

#[test]
fn redirects_are_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Receiver::start([]);
        let location = format!("{}/heartbeat", elsewhere.endpoint());
        let install = Install::new([Reply::Status(status, vec![("location", location)])]);
        let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
        assert_eq!(retry_in, INTERVAL, "{status}");
        assert_eq!((install.receiver.connections(), elsewhere.connections()), (1, 0));
    }
}

#[test]
fn every_2xx_acknowledges() {
    for status in [200, 201, 202, 204] {
        let install = Install::new([Reply::status(status)]);
        assert!(matches!(install.attempt(), Outcome::Acknowledged(_)), "{status}");
    }
}

#[test]
fn a_refused_connection_backs_off() {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a port");
    let install = Install::sending_to(Receiver::start([]), Some(&format!("http://{free}")));
    let Outcome::Failed { why, retry_in } = install.attempt() else { panic!("acknowledged") };
    assert_eq!(why, "connection refused");
    assert!((60..=66).contains(&retry_in));
    assert!(install.state().pending.is_some());
}

#[test]
fn a_hanging_endpoint_costs_ten_seconds_and_keeps_the_bytes() {
    let install = Install::new([Reply::Hang]);
    let begun = Instant::now();
    let Outcome::Failed { why, .. } = install.attempt() else { panic!("acknowledged") };
    let took = begun.elapsed();
    assert_eq!(why, "timed out");
    assert!((Duration::from_secs(9)..Duration::from_secs(12)).contains(&took), "{took:?}");
    assert!(install.state().pending.is_some());
}

#[test]
fn backoff_doubles_and_an_acknowledgement_ends_it() {
    let install = Install::new([500, 500, 500].map(Reply::status));
    for expected in [60, 120, 240] {
        let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
        assert!((expected..=expected + expected / 10).contains(&retry_in));
        install.pass(retry_in);
    }
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    assert_eq!(install.state().sender.failures, 0);
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`; the day of the week is not looked at.
fn http_date(at: u64) -> String {
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = timestamp::format(at);
    let month: usize = text[5..7].parse().expect("a month");
    let name = months[month - 1];
    format!("Sun, {} {name} {} {} GMT", &text[8..10], &text[0..4], &text[11..19])
}

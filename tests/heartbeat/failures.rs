//! Endpoints that do not acknowledge.

use crate::install::{Install, MORNING, member};
use crate::receiver::{Receiver, Reply};
use mcpproxy::contract::timestamp;
use mcpproxy::diagnostics::Code;
use mcpproxy::heartbeat::attempt::Outcome;
use mcpproxy::heartbeat::schedule::Begin;
use mcpproxy::heartbeat::timing::{RETIRED_FOR, RETRY_AFTER_MAX};
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
    assert_eq!(retry_in(with_retry_after(503, http_date(MORNING + 3600))), 3600);
    assert!((60..=66).contains(&retry_in(with_retry_after(503, "soon".into()))));
}

#[test]
fn an_endless_retry_after_is_cut_to_a_day() {
    let install = Install::new([with_retry_after(503, "99999999999999999999".into())]);
    let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
    assert_eq!(retry_in, RETRY_AFTER_MAX);
}

/// From [`MORNING`] to 00:00 UTC.
const UNTIL_TOMORROW: u64 = 15 * 3600;

#[test]
fn refusals_wait_for_the_next_utc_day_and_keep_the_counts() {
    for status in [400, 401, 403, 404, 410, 413, 422, 451] {
        let install = Install::new([with_retry_after(status, "5".into())]);
        install.change(|state| {
            state.install.installer_pending = true;
            state.counters.upstream_tool_calls = 3;
        });
        let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
        assert_eq!(retry_in, UNTIL_TOMORROW, "{status}");
        let state = install.state();
        assert!(state.pending.is_none() && state.install.installer_pending, "{status}");
        assert_eq!(state.counters.upstream_tool_calls, 3, "{status}");
        install.pass(retry_in - 1);
        assert_eq!(install.attempt(), Outcome::Waiting(Begin::BackingOff(1)), "{status}");
        install.pass(1);
        assert!(matches!(install.attempt(), Outcome::Acknowledged(_)), "{status}");
        // What was discarded is reported by the next one, of its own day.
        let body = &install.receiver.requests()[1].body;
        assert_eq!(member(body, "/launch_source"), "installer");
        assert_eq!(member(body, "/upstream_tool_call_count_bucket"), "1-10");
        assert_eq!(member(body, "/timestamp"), "2026-11-23T00:00:00Z");
    }
}

#[test]
fn redirects_are_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Receiver::start([]);
        let location = format!("{}/heartbeat", elsewhere.endpoint());
        let install = Install::new([Reply::Status(status, vec![("location", location)])]);
        let Outcome::Failed { retry_in, .. } = install.attempt() else { panic!("acknowledged") };
        assert_eq!(retry_in, UNTIL_TOMORROW, "{status}");
        assert_eq!((install.receiver.connections(), elsewhere.connections()), (1, 0));
    }
}

/// What a collector answers to `install`'s payloads of a version that it wants no more of.
fn retired(product: &str, version: &str) -> Reply {
    Reply::Body(410, format!(r#"{{"retired":{{"product":"{product}","version":"{version}"}}}}"#))
}

#[test]
fn a_retired_version_is_quiet_for_28_days_and_asks_once() {
    let version = mcpproxy::build_info::VERSION;
    let answers = [retired("mcpproxy", version), retired("mcpproxy", version)];
    let install = Install::new(answers);
    for asked in 1..=2 {
        let Outcome::Failed { code, why, retry_in } = install.attempt() else {
            panic!("acknowledged")
        };
        assert_eq!(code, Code::EndpointRetired);
        assert_eq!((why.contains("retired"), retry_in), (true, RETIRED_FOR), "{why}");
        install.pass(RETIRED_FOR - 1);
        assert_eq!(install.attempt(), Outcome::Waiting(Begin::Retired(1)));
        assert_eq!(install.receiver.connections(), asked);
        install.pass(1);
    }
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)), "it is wanted again");
}

#[test]
fn any_other_410_is_a_404() {
    let long = format!(r#"{{"padding":"{}"}}"#, "x".repeat(1 << 20));
    for reply in [
        Reply::status(410),
        retired("another", mcpproxy::build_info::VERSION),
        retired("mcpproxy", "v99.0.0"),
        Reply::Body(410, "retired".to_owned()),
        Reply::Body(410, long),
    ] {
        let install = Install::new([reply]);
        let Outcome::Failed { code, retry_in, .. } = install.attempt() else {
            panic!("acknowledged")
        };
        assert_eq!((code, retry_in), (Code::EndpointRefused, UNTIL_TOMORROW));
    }
}

#[test]
fn an_endpoint_that_may_heal_is_unreachable_and_one_that_says_no_refuses() {
    for (status, code) in [
        (301, Code::EndpointRefused),
        (401, Code::EndpointRefused),
        (404, Code::EndpointRefused),
        (408, Code::EndpointUnreachable),
        (429, Code::EndpointUnreachable),
        (503, Code::EndpointUnreachable),
    ] {
        let install = Install::new([Reply::status(status)]);
        assert_eq!(install.attempt().code(), Some(code), "{status}");
    }
}

#[test]
fn bytes_of_yesterday_go_first_and_then_those_of_today() {
    let install = Install::new([Reply::status(503)]);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    // The next morning a host starts.
    install.pass(23 * 3600);
    install.starts_a_host();
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    let times: Vec<_> =
        install.receiver.requests().iter().map(|r| member(&r.body, "/timestamp")).collect();
    assert_eq!(times, ["2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z", "2026-11-23T08:00:00Z"]);
    assert!(matches!(install.attempt(), Outcome::Waiting(Begin::NotDue(_))));
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
    let outcome = install.attempt();
    assert_eq!(outcome.code(), Some(Code::EndpointUnreachable));
    let Outcome::Failed { why, retry_in, .. } = outcome else { panic!("acknowledged") };
    assert_eq!(why, "connection refused");
    assert!((60..=66).contains(&retry_in));
    assert!(install.state().pending.is_some());
}

#[test]
fn a_hanging_endpoint_costs_ten_seconds_and_keeps_the_bytes() {
    let install = Install::new([Reply::Hang]);
    let begun = Instant::now();
    let Outcome::Failed { code, why, .. } = install.attempt() else { panic!("acknowledged") };
    assert_eq!(code, Code::EndpointUnreachable);
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

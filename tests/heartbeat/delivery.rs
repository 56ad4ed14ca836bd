//! What is delivered, and what is recorded of it.

use crate::install::{Install, live, member, surroundings};
use crate::receiver::Reply;
use mcpproxy::activation::Mark;
use mcpproxy::activation::{LiveCounts, LiveMark, LiveProcess};
use mcpproxy::consent::Effective;
use mcpproxy::contract::Surface;
use mcpproxy::contract::{AgentEnv, EnvKind, EnvMarkers, LaunchSource, RoutingMode, timestamp};
use mcpproxy::diagnostics::Code;
use mcpproxy::gate::RefusalRule;
use mcpproxy::heartbeat::attempt::Outcome;
use mcpproxy::heartbeat::preview::Preview;
use mcpproxy::heartbeat::schedule::Begin;
use mcpproxy::heartbeat::sent;
use mcpproxy::heartbeat::timing::{ALONE, DAY, LEASE, PENDING_MAX_AGE};
use mcpproxy::products::Subject;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_due_heartbeat_arrives_exactly_as_it_was_shown_and_is_recorded() {
    let install = Install::new([]);
    install.store.record(Mark::Client("claude-code"), install.clock.get());
    let shown = install.preview();
    assert!(!shown.pending && !shown.provisional_id);
    assert_eq!(install.attempt(), Outcome::Acknowledged(shown.bytes.clone()));

    let requests = install.receiver.wait_for(1, SOON);
    let request = &requests[0];
    assert_eq!(request.line, "POST /heartbeat HTTP/1.1");
    assert_eq!(request.body, shown.bytes);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["connection", "content-length", "content-type", "host", "user-agent"]);
    let agent = request.header("user-agent").unwrap_or_default();
    assert!(agent.starts_with("mcpproxy/") && !agent.contains('('), "{agent}");

    let state = install.state();
    assert_eq!(state.sender.last_success, install.clock.get());
    assert_eq!((state.pending, state.sender.lease_owner), (None, 0));
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::NotDue(ALONE)));
}

#[test]
fn twenty_hours_later_the_next_one_is_due() {
    let install = Install::new([]);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    install.pass(ALONE - 1);
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::NotDue(1)));
    install.pass(1);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    let times: Vec<_> =
        install.receiver.requests().iter().map(|r| member(&r.body, "/timestamp")).collect();
    let second = timestamp::format(install.clock.get());
    assert_eq!(times[1], second.as_str());
    assert_eq!(times.len(), 2);
}

#[test]
fn an_acknowledged_payload_is_kept_for_the_user() {
    let install = Install::new([]);
    for _ in 0..sent::KEPT + 3 {
        assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
        install.pass(DAY);
    }
    let copies = sent::copies(&install.dir);
    let requests = install.receiver.requests();
    assert_eq!((copies.len(), requests.len()), (sent::KEPT, sent::KEPT + 3));
    for (copy, request) in copies.iter().zip(&requests[3..]) {
        assert_eq!(std::fs::read(copy).ok().as_ref(), Some(&request.body));
    }
}

#[test]
fn without_a_place_for_the_copy_nothing_is_sent() {
    let install = Install::new([Reply::status(503)]);
    std::fs::write(install.dir.sent(), "in the way").expect("written");
    let outcome = install.attempt();
    let Outcome::Unable(why) = outcome else { panic!("{outcome:?}") };
    let why = why.to_string();
    assert!(why.contains("<data dir>/sent (not a directory): nothing is sent"), "{why}");
    assert_eq!(install.receiver.connections(), 0);
    std::fs::remove_file(install.dir.sent()).expect("removed");
    // What was not acknowledged leaves no copy, nor does what somebody left who died meanwhile.
    let leftover = install.dir.sent().join(".2026-11-22T144600Z.json.1-0.tmp");
    std::fs::create_dir(install.dir.sent()).expect("made");
    let file = std::fs::File::create(&leftover).expect("made");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    file.set_modified(old).expect("set");
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    assert_eq!(std::fs::read_dir(install.dir.sent()).expect("there").count(), 0);
    install.pass(DAY);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    assert_eq!(sent::copies(&install.dir).len(), 1);
}

#[test]
fn what_happens_during_the_request_is_counted_in_the_next_payload() {
    let install = Install::new([Reply::WaitForGate]);
    let now = install.clock.get();
    for _ in 0..5 {
        install.store.record(Mark::UpstreamCall, now);
        install.store.record(Mark::Request(Surface::Mcp), now);
    }
    let receiver = install.receiver.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            receiver.wait_for(1, SOON);
            for _ in 0..3 {
                install.store.record(Mark::UpstreamCall, now);
            }
            receiver.open_gate();
        });
        let clock = || now;
        let attempt = mcpproxy::heartbeat::attempt::Attempt {
            subject: &Subject::own(install.dir.clone()),
            store: &install.store,
            around: &install.around,
            timing: install.timing,
            nonce: 7,
            asked_at: None,
            running_since: None,
            clock: &clock,
            stopped: &|| false,
        };
        assert!(matches!(attempt.run(&|_| live()), Outcome::Acknowledged(_)));
    });
    assert_eq!(install.state().counters.upstream_tool_calls, 3);
    let body = &receiver.requests()[0].body;
    assert_eq!(member(body, "/surface_requests/mcp"), 5);
    assert_eq!(member(body, "/upstream_tool_call_count_bucket"), "1-10");
}

#[test]
fn a_sender_that_died_after_sending_is_followed_by_the_same_bytes() {
    let install = Install::new([Reply::HangUp]);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    // What the dead one left: its lease, and bytes of which nobody knows whether they arrived.
    install.change(|state| {
        state.sender.lease_owner = 99;
        state.sender.lease_until = install.clock.get() + LEASE;
        state.sender.retry_after = 0;
    });
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::LeasedByOther(LEASE)));
    let forced = install.attempt_as(7, true, &|_| live());
    assert_eq!(
        forced,
        Outcome::Waiting(Begin::LeasedByOther(LEASE)),
        "--now does not take a lease"
    );
    install.store.record(Mark::UpstreamCall, install.clock.get());
    install.pass(LEASE);
    // It may have to wait for the backoff of two failures; the bytes are what matters.
    install.pass(600);
    let shown = install.preview();
    assert!(shown.pending);
    assert_eq!(install.attempt(), Outcome::Acknowledged(shown.bytes));
    let requests = install.receiver.requests();
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(
        install.state().counters.upstream_tool_calls,
        1,
        "not in the bytes: still to be sent"
    );
}

#[test]
fn bytes_are_discarded_after_a_day() {
    let install = Install::new([Reply::status(503)]);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    install.pass(PENDING_MAX_AGE + 1);
    assert!(!install.preview().pending);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    let requests = install.receiver.requests();
    let second = timestamp::format(install.clock.get());
    assert_eq!(member(&requests[1].body, "/timestamp"), second.as_str());
}

#[test]
fn bytes_of_another_id_are_never_sent() {
    let install = Install::new([Reply::status(503)]);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    let old = member(&install.receiver.requests()[0].body, "/anonymous_id");
    mcpproxy::identity::reset_id(&install.dir, install.clock.get()).expect("a new id");
    install.pass(7200);
    // The store belongs to the old install: it is emptied, and the notice is to be shown again first.
    assert!(matches!(install.attempt(), Outcome::Unable(_) | Outcome::Waiting(_)));
    assert_eq!(install.receiver.connections(), 1);
    install.change(|state| state.install.notice_shown_at = 1);
    assert!(matches!(install.attempt_as(7, true, &|_| live()), Outcome::Acknowledged(_)));
    assert_ne!(member(&install.receiver.requests()[1].body, "/anonymous_id"), old);
}

#[test]
fn installer_is_reported_until_one_is_acknowledged() {
    let install = Install::new([Reply::status(500), Reply::HangUp, Reply::status(404)]);
    install.change(|state| state.install.installer_pending = true);
    for _ in 0..3 {
        assert_eq!(member(&install.preview().bytes, "/launch_source"), "installer");
        assert!(matches!(install.attempt(), Outcome::Failed { .. }));
        assert!(install.state().install.installer_pending);
        install.pass(DAY + 1);
    }
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    install.pass(DAY);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
    let sources: Vec<_> =
        install.receiver.requests().iter().map(|r| member(&r.body, "/launch_source")).collect();
    assert_eq!(sources, ["installer", "installer", "installer", "installer", "cli"]);
}

/// Attempts, with something that happens between the stored bytes and the connection.
fn attempt_while(install: &Install, happens: impl Fn()) -> Outcome {
    let outcome = install.attempt_with(7, false, &|_| live(), &|| {
        happens();
        false
    });
    assert_eq!(install.receiver.connections(), 0);
    outcome
}

#[test]
fn consent_is_asked_again_just_before_connecting() {
    let install = Install::new([]);
    let outcome = attempt_while(&install, || install.disable());
    let Outcome::NotAllowed(consent) = outcome else { panic!("{outcome:?}") };
    assert_eq!(consent.effective, Effective::Off);
    let install = Install::new([]);
    let outcome = install.attempt_as(7, false, &|_| {
        install.disable();
        live()
    });
    assert!(!matches!(outcome, Outcome::Acknowledged(_)), "{outcome:?}");
    assert_eq!(install.receiver.connections(), 0);
}

#[test]
fn id_and_lease_are_looked_at_again_just_before_connecting() {
    let install = Install::new([]);
    let reset = || {
        mcpproxy::identity::reset_id(&install.dir, install.clock.get()).expect("a new id");
    };
    assert_eq!(attempt_while(&install, reset), Outcome::Abandoned);
    let install = Install::new([]);
    let taken = || install.change(|state| state.sender.lease_owner = 99);
    assert_eq!(attempt_while(&install, taken), Outcome::Abandoned);
    let install = Install::new([]);
    let slept = || install.pass(LEASE / 2);
    assert_eq!(
        attempt_while(&install, slept),
        Outcome::Abandoned,
        "too little of the lease is left"
    );
}

#[test]
fn a_host_that_stops_gives_its_lease_back() {
    let install = Install::new([]);
    assert_eq!(install.attempt_with(7, false, &|_| live(), &|| true), Outcome::Abandoned);
    assert_eq!(install.receiver.connections(), 0);
    assert!(matches!(install.attempt_as(8, false, &|_| live()), Outcome::Acknowledged(_)));
}

#[test]
fn switched_off_during_the_request_nothing_is_written_any_more() {
    let install = Install::new([Reply::WaitForGate]);
    let receiver = install.receiver.clone();
    let dir = install.dir.clone();
    let helper = std::thread::spawn(move || {
        receiver.wait_for(1, SOON);
        crate::install::disable(&dir);
        receiver.open_gate();
    });
    assert!(matches!(install.attempt(), Outcome::NotAllowed(_)));
    helper.join().expect("no panic");
    let state = install.state();
    assert_eq!((state.sender.last_success, state.pending.is_some()), (0, true));
    assert!(sent::copies(&install.dir).is_empty());
}

#[test]
fn switched_off_during_backoff_means_no_packet_and_no_write() {
    let install = Install::new([Reply::status(503)]);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    install.disable();
    install.pass(DAY);
    let before = install.state();
    for force in [false, true] {
        let outcome = install.attempt_as(7, force, &|_| live());
        assert!(matches!(outcome, Outcome::NotAllowed(_)), "{outcome:?}");
    }
    assert_eq!((install.receiver.connections(), install.state()), (1, before));
}

#[test]
fn without_an_endpoint_nothing_is_sent() {
    let mut install = Install::new([]);
    install.around = surroundings(&[]);
    let Outcome::NotAllowed(consent) = install.attempt() else { panic!("allowed") };
    assert_eq!(consent.effective, Effective::LocalOnly);
    assert_eq!(install.receiver.connections(), 0);
}

#[test]
fn nothing_is_sent_before_the_notice_was_shown() {
    let install = Install::new([]);
    install.change(|state| state.install.notice_shown_at = 0);
    for force in [false, true] {
        assert!(matches!(install.attempt_as(7, force, &|_| live()), Outcome::Unable(_)));
    }
    assert_eq!(install.receiver.connections(), 0);
}

#[test]
fn a_payload_that_the_gate_refuses_is_dropped_and_counted() {
    let install = Install::new([Reply::status(503)]);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    install.change(|state| {
        let pending = state.pending.as_mut().expect("bytes to be tried again");
        let text = String::from_utf8_lossy(&pending.bytes);
        pending.bytes = text.replacen('{', "{\"user\":\"tim\",", 1).into_bytes();
    });
    install.pass(7200);
    let outcome = install.attempt();
    assert_eq!(outcome.code(), Some(Code::GateRefused));
    let Outcome::Refused(refusal) = outcome else { panic!("not refused") };
    assert_eq!(refusal.rule, RefusalRule::Shape);
    let state = install.state();
    assert_eq!((state.install.anonymity_violations, state.pending), (1, None));
    assert_eq!(install.receiver.connections(), 1);
    assert!(matches!(install.attempt(), Outcome::Waiting(Begin::BackingOff(_))));
    install.pass(DAY);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
}

#[test]
fn a_clock_that_was_set_back_sends_nothing() {
    let install = Install::new([]);
    install.change(|state| state.sender.last_success = install.clock.get() + 3 * DAY);
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::ClockReset(1)));
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::NotDue(ALONE)));
    assert_eq!(install.receiver.connections(), 0);
}

#[test]
fn taps_leave_it_to_a_live_gateway() {
    let install = Install::new([]);
    let now = install.clock.get();
    install.change(|state| {
        state.live_serve = Some(LiveMark {
            nonce: 5,
            at: now - 60,
            started_at: now - 7200,
            routing_mode: RoutingMode::RetrieveTools,
            process: LiveProcess {
                launch_source: LaunchSource::LoginItem,
                autostart_enabled: Some(true),
                env_kind: EnvKind::Headless,
                env_markers: EnvMarkers::default(),
                agent_env: AgentEnv::None,
            },
            counts: LiveCounts {
                server_count: Some(4),
                connected_server_count: Some(3),
                tool_count: Some(40),
                ..LiveCounts::default()
            },
        });
    });
    assert_eq!(install.attempt(), Outcome::Waiting(Begin::GatewayAlive(60)));
    let shown = install.preview().bytes;
    assert_eq!(member(&shown, "/routing_mode"), "retrieve_tools");
    assert_eq!(member(&shown, "/uptime_hours"), 2);
    assert_eq!(member(&shown, "/launch_source"), "login_item");
    install.pass(60);
    assert!(matches!(install.attempt(), Outcome::Acknowledged(_)));
}

#[test]
fn showing_changes_nothing() {
    let install = Install::new([Reply::status(503)]);
    install.change(|state| state.install.installer_pending = true);
    let before = install.state();
    let config = std::fs::read(install.dir.config()).ok();
    let first = install.preview();
    assert_eq!(install.preview(), first);
    assert_eq!(install.state(), before);
    assert!(matches!(install.attempt(), Outcome::Failed { .. }));
    let pending = install.preview();
    assert!(pending.pending);
    install.pass(500);
    assert_eq!(install.preview(), pending, "the stored bytes, whatever the time");
    assert_eq!(std::fs::read(install.dir.config()).ok(), config);
    assert_eq!(install.receiver.connections(), 1);
}

#[test]
fn showing_before_anything_exists_makes_nothing() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let dir = mcpproxy::paths::DataDir::at(home.path().join("data"));
    let around = surroundings(&[]);
    let shown = Preview::read(&Subject::own(dir.clone()), None, &around, 1_800_000_000);
    assert!(shown.has_provisional_id() && shown.pending().is_none());
    let bytes = shown.bytes();
    assert_eq!(member(&bytes, "/anonymous_id"), "00000000-0000-4000-8000-000000000000");
    assert_eq!(member(&bytes, "/timestamp"), "2027-01-15T08:00:00Z");
    assert!(!dir.root().exists());
}

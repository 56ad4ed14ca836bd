//! `--mcpproxy-telemetry`, the switch that users of a server have who never heard of mcpproxy.

use super::receiver::Receiver;
use super::started::{SOON, Server, sent};
use super::*;
use crate::receiver::Collector;

const SWITCH: &str = "--mcpproxy-telemetry";

/// Heartbeats one second apart, the first one at once.
const OFTEN: [(&str, &str); 2] =
    [("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0"), ("MCPPROXY_TELEMETRY_INTERVAL", "1")];

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

#[test]
fn off_stops_the_next_heartbeat_of_a_running_server_and_on_allows_it() {
    let Some(packed) = Packed::with_binary() else { return };
    for language in Language::ALL {
        let receiver = Receiver::start([]);
        let server = Server::made(language, packed, &["--endpoint", &receiver.endpoint()]);
        let mut session = server.session(&[], &OFTEN);
        session.until("a heartbeat", || !receiver.requests().is_empty());
        let status = succeeds(&server.run(&[SWITCH, "status"]));
        let host = format!("127.0.0.1:{}", receiver.port());
        for part in ["notes-mcp", "1.4.0", &host] {
            assert!(status.contains(part), "{language:?}: {part} is not in {status}");
        }
        let off = succeeds(&server.run(&[SWITCH, "off"]));
        assert!(off.starts_with("Telemetry of notes-mcp is disabled"), "{language:?}: {off}");
        let sends = session.has_telemetry_thread();
        session.until("its thread ends", || !sends());
        let connections = receiver.connections();
        session.talk();
        assert_eq!(receiver.connections(), connections, "{language:?}");
        let status = succeeds(&server.run(&[SWITCH, "status"]));
        assert!(status.contains("telemetry.products.notes-mcp.enabled"), "{language:?}: {status}");
        let on = succeeds(&server.run(&[SWITCH, "on"]));
        assert!(on.contains("notes-mcp"), "{language:?}: {on}");
        let sent = receiver.requests().len();
        session.until("another heartbeat", || receiver.requests().len() > sent);
        assert_eq!(session.end().code(), Some(7), "{language:?}");
    }
}

#[test]
fn show_prints_the_next_heartbeat_and_sends_none() {
    let Some(packed) = Packed::with_binary() else { return };
    for language in Language::ALL {
        let receiver = Receiver::start([]);
        let server = Server::made(language, packed, &["--endpoint", &receiver.endpoint()]);
        let mut session = server.session(&[], &[]);
        // One session has gone before, in which nothing was due.
        session.talk();
        session.end();
        let shown = server.run(&[SWITCH, "show"]);
        let shown: serde_json::Value = serde_json::from_str(&succeeds(&shown)).expect("JSON");
        let product = serde_json::json!({ "name": "notes-mcp", "version": "1.4.0" });
        assert_eq!(shown["product"], product, "{language:?}");
        assert_eq!(receiver.connections(), 0, "{language:?}");
    }
}

#[test]
fn forget_erases_what_the_collector_has_and_stays_off() {
    let Some(packed) = Packed::with_binary() else { return };
    for language in Language::ALL {
        let collector = Collector::start();
        let server = Server::made(language, packed, &["--endpoint", &collector.endpoint]);
        let mut session = server.session(&[], &SOON);
        let home = server.home();
        session.until("its heartbeat arrives", || collector.versions() == ["1.4.0"]);
        session.end();
        let forgotten = succeeds(&server.run(&[SWITCH, "forget"]));
        assert!(
            forgotten.contains("Telemetry of notes-mcp is disabled"),
            "{language:?}: {forgotten}"
        );
        assert!(forgotten.contains("erased what it received"), "{language:?}: {forgotten}");
        assert!(collector.versions().is_empty(), "{language:?}");
        assert_eq!(sent(&home), Vec::<String>::new(), "{language:?}");
        let mut session = server.session(&[], &SOON);
        session.talk();
        let sends = session.has_telemetry_thread();
        assert!(!sends(), "{language:?}: it stays off");
    }
}

#[test]
fn a_word_that_is_none_is_one_line_of_usage_and_starts_no_server() {
    for packed in [Packed::with_binary(), Packed::without_binary()] {
        let Some(packed) = packed else { return };
        for language in Language::ALL {
            let server = Server::made(language, packed, &["--endpoint", "https://t.example.org"]);
            for words in [&[SWITCH][..], &[SWITCH, "stop"], &[SWITCH, ""], &[SWITCH, "toString"]] {
                says_only(&server.run(words), 2, &["status", "on", "off", "show", "forget"]);
            }
            assert!(files(&server.home()).is_empty(), "{language:?}");
        }
    }
}

#[test]
fn without_a_binary_every_word_says_that_nothing_is_sent() {
    let Some(packed) = Packed::without_binary() else { return };
    for language in Language::ALL {
        let server = Server::made(language, packed, &["--endpoint", "https://t.example.org"]);
        for word in ["status", "on", "off", "show", "forget"] {
            says_only(&server.run(&[SWITCH, word]), 1, &["sent", "DO_NOT_TRACK=1"]);
        }
        assert!(files(&server.home()).is_empty(), "{language:?}");
    }
}

/// The switch works where the environment objects: that is when users look.
#[test]
fn an_objection_in_the_environment_is_named_by_status() {
    let Some(packed) = Packed::with_binary() else { return };
    for language in Language::ALL {
        let server = Server::made(language, packed, &["--endpoint", "https://t.example.org"]);
        server.session(&[], &[]).talk();
        let mut command = server.command(&[SWITCH, "status"]);
        let output = command.env("DO_NOT_TRACK", "1").output().expect("it starts");
        assert!(succeeds(&output).contains("DO_NOT_TRACK"), "{language:?}: {}", stdout(&output));
    }
}

#[test]
fn an_alias_of_the_maintainer_is_the_switch_and_only_as_the_first_argument() {
    let Some(packed) = Packed::with_binary() else { return };
    for language in Language::ALL {
        let words = ["--endpoint", "https://t.example.org", "--alias", "--telemetry"];
        let server = Server::made(language, packed, &words);
        for switch in ["--telemetry", SWITCH] {
            let off = succeeds(&server.run(&[switch, "off"]));
            assert!(off.starts_with("Telemetry of notes-mcp is disabled"), "{language:?}: {off}");
            says_only(&server.run(&[switch]), 2, &["status", "on", "off", "show", "forget"]);
            let mut session = server.session(&["x", switch, "off"], &[]);
            let answer = &session.talk()[1];
            assert!(answer.contains(switch), "{language:?}: it is the server's: {answer}");
        }
    }
}

//! Recorded sessions of real clients and servers (`recorder.py`), replayed to the observer: every
//! session shape that is on the market, without the parts being installed.

use crate::parts::file;
use mcpproxy::Event;
use mcpproxy::contract::Surface;
use mcpproxy::tap::{Direction, Observer};
use serde_json::Value;

/// What the observer said, names and counts only.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    clients: Vec<String>,
    connected: usize,
    discoveries: Vec<(Option<u64>, Option<u64>)>,
    other_calls: usize,
    results: usize,
}

impl Seen {
    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::ClientSeen { name } if self.clients.iter().any(|seen| seen == name) => {}
            Event::ClientSeen { name } => self.clients.push(name.to_owned()),
            Event::ServerConnected => self.connected += 1,
            Event::Discovery { indexed, returned } => self.discoveries.push((indexed, returned)),
            Event::UpstreamCall => self.other_calls += 1,
            Event::UpstreamResult => self.results += 1,
            // As often as requests: that is for the store to make little of.
            Event::ClientActive | Event::Request { surface: Surface::Mcp } => {}
            gateway => panic!("a tap has no business with {gateway:?}"),
        }
    }
}

/// Replays a recording in pieces of so many bytes.
fn replay(name: &str, piece: usize) -> Seen {
    let recording = std::fs::read_to_string(file("recordings").join(format!("{name}.jsonl")))
        .expect("the recording");
    let mut seen = Seen::default();
    let mut observer = Observer::new(vec!["retrieve_tools".into()], |event| seen.note(event));
    for entry in recording.lines() {
        let entry: Value = serde_json::from_str(entry).expect("a recorded message");
        let direction = match entry["from"].as_str() {
            Some("client") => Direction::ToServer,
            _ => Direction::ToClient,
        };
        let line = format!("{}\n", entry["line"].as_str().expect("a line"));
        for bytes in line.as_bytes().chunks(piece) {
            observer.feed(direction, bytes);
        }
    }
    observer.finish();
    seen
}

fn seen(client: &str, connected: usize) -> Seen {
    Seen { clients: vec![client.into()], connected, ..Seen::default() }
}

#[test]
fn every_recorded_session_shape_tells_the_same_in_pieces_of_any_size() {
    let discovery = || Seen { discoveries: vec![(Some(120), Some(3))], ..seen("claude-ai", 1) };
    let call = |client| Seen { other_calls: 1, results: 1, ..seen(client, 1) };
    let expected = [
        ("python-discover-retrieve-tools", discovery()),
        ("python-handshake-retrieve-tools", discovery()),
        ("python-no-handshake-retrieve-tools", discovery()),
        ("python-default-name-time", call("mcp")),
        ("typescript-refused-probe", seen("claude-code", 0)),
        ("typescript-handshake-after-refused-probe", call("claude-code")),
        ("typescript-accepted-probe", seen("claude-code", 1)),
        ("typescript-no-handshake-after-probe", call("claude-code")),
        ("inspector-filesystem", call("inspector-cli")),
    ];
    let files = std::fs::read_dir(file("recordings")).expect("the recordings").count();
    assert_eq!(files, expected.len(), "a recording without an expectation");
    for (name, expected) in expected {
        for piece in [usize::MAX, 4096, 7, 1] {
            assert_eq!(replay(name, piece), expected, "{name} in pieces of {piece}");
        }
    }
}

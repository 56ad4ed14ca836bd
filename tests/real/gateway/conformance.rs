//! The MCP project's conformance suite, through a gateway.
//!
//! One rule: each scenario runs twice, without a gateway and with one between, and docs/conformance.md lists every
//! check that comes out otherwise. A check that is not listed comes out the same.

mod suite;

use super::host::{Gateway, ask, is_alive};
use crate::parts::{Parts, file};
use crate::session::{Home, signal, wait};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use suite::{Checks, REVISIONS, differences, listed, of_clients, server_scenarios};

/// A process that tells where it listens, in a line that has these words before the address.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(command: &mut Command, words: &str, is_on_stderr: bool) -> Listening {
        let command = command.stdin(Stdio::piped()).process_group(0);
        let command = match is_on_stderr {
            true => command.stdout(Stdio::null()).stderr(Stdio::piped()),
            false => command.stdout(Stdio::piped()).stderr(Stdio::null()),
        };
        let mut child = command.spawn().expect("start it");
        let said: Box<dyn std::io::Read + Send> = match is_on_stderr {
            true => Box::new(child.stderr.take().expect("piped")),
            false => Box::new(child.stdout.take().expect("piped")),
        };
        let mut said = BufReader::new(said).lines();
        let address = said.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.split_once(words)?.1.split(' ').next()?;
            Some(address.to_owned())
        });
        let url = address.expect("it says where it listens");
        // It goes on talking; a full pipe would stop it.
        std::thread::spawn(move || said.for_each(drop));
        Listening { child, url }
    }

    /// The suite's fixture server.
    fn fixture(parts: &Parts) -> Listening {
        let mut python = Command::new(parts.python());
        python.args(["-m", "mcp_everything_server", "--port", "0"]);
        python.env("PYTHONPATH", parts.fixture("examples/servers/everything-server"));
        let mut server = Self::start(&mut python, "Uvicorn running on ", true);
        // The first answer takes longest, and a gateway takes a slow one for that of the older era.
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": { "_meta": meta },
        });
        let head = "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\n\
                    Accept: application/json, text/event-stream\r\n\
                    MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover";
        let answer = ask(server.url.trim_start_matches("http://"), head, &body.to_string());
        assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(&answer.body));
        server.url.push_str("/mcp");
        server
    }

    /// The same as a server of this revision. A gateway asks a server of both eras for the newer one.
    fn fixture_of(parts: &Parts, revision: &str) -> Vec<Listening> {
        let server = Self::fixture(parts);
        let mut node = Command::new("node");
        node.arg(file("servers/older.mjs")).arg(&server.url);
        match revision {
            "2025-11-25" => vec![Self::start(&mut node, "", false), server],
            _ => vec![server],
        }
    }

    /// The gateway's only server under its own names.
    fn names(gateway: &Gateway) -> Listening {
        let mut node = Command::new("node");
        node.arg(file("clients/names.mjs")).args([&gateway.mcp(), "fixture"]);
        Self::start(&mut node, "", false)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if is_alive(self.child.id()) {
            signal("TERM", &self.child.id().to_string());
            let _ = wait(&mut self.child, Duration::from_secs(10));
        }
    }
}

/// That the document lists everything in which the suite finds another thing behind the gateway, and no more.
fn assert_listed(section: &str, found: &[(Checks, Checks)]) {
    let mut wrong = String::new();
    for (column, ((alone, behind), revision)) in found.iter().zip(REVISIONS).enumerate() {
        let (found, written) = (differences(alone, behind), listed(section, column));
        for (set, words) in [
            (found.difference(&written), "not in the document"),
            (written.difference(&found), "in the document, and not so"),
        ] {
            for (scenario, check, verdicts) in set {
                let row = format!("| `{scenario}` | `{check}` | {verdicts} |");
                wrong.push_str(&format!("{revision}: {words}: {row}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{section}\n{wrong}");
}

#[test]
fn a_server_behind_the_gateway_passes_what_it_passes_alone() {
    let Some(parts) = Parts::find_all(&["npm", "py", "fixture"]) else { return };
    let found = REVISIONS.map(|revision| {
        std::thread::scope(|scope| {
            let alone = scope.spawn(|| {
                let server = Listening::fixture(&parts);
                server_scenarios(&parts, &Home::new(), &server.url, revision)
            });
            let servers = Listening::fixture_of(&parts, revision);
            let mut gateway =
                Gateway::connected_to(&json!({ "fixture": { "url": servers[0].url } }));
            let names = Listening::names(&gateway);
            let behind = server_scenarios(&parts, &gateway.home, &names.url, revision);
            drop(names);
            assert!(gateway.stop().success(), "{}", gateway.log());
            (alone.join().expect("the server alone"), behind)
        })
    });
    assert_listed("## Servers behind the gateway", &found);
}

#[test]
fn a_client_behind_the_gateway_passes_what_it_passes_alone() {
    let Some(parts) = Parts::find_all(&["npm", "py", "fixture"]) else { return };
    let client = [parts.python(), parts.fixture(".github/actions/conformance/client.py")];
    let found = REVISIONS.map(|revision| {
        std::thread::scope(|scope| {
            let alone = scope.spawn(|| of_clients(&parts, revision, &client));
            let behind: Vec<_> = suite::behind().into_iter().chain(client.clone()).collect();
            let behind = of_clients(&parts, revision, &behind);
            (alone.join().expect("the client alone"), behind)
        })
    });
    assert_listed("## The gateway as a client", &found);
}

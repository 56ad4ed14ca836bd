//! What a server that changes its lists without end costs the others: searches, and calls of another server.
//!
//! The loud one says `list_changed` as fast as its pipe takes it, and whenever it is asked it offers something else.
//! `quiet` has the same servers with a loud one that says nothing.

use crate::client::{self, Era, Session};
use crate::figures::Times;
use crate::process::Gateway;
use crate::upstream;
use serde_json::json;
use std::io::{self, BufRead as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Instant;

const TURNS: usize = 20;
const OF_EACH: usize = 50;

/// What it offers: so many tools, with so many bytes of description each.
const OFFERS: [(&str, usize, usize); 2] =
    [("2,000 tools", 2_000, 200), ("12 MiB of tools", 3_000, 4_096)];

/// A loud server on standard streams, until they end; without `says` it says nothing by itself.
pub fn serve(tools: usize, bytes: usize, says: bool) -> io::Result<()> {
    let output = Arc::new(Mutex::new(io::stdout()));
    let write = |output: &Mutex<io::Stdout>, line: &str| {
        let mut output = output.lock().map_err(|_| io::ErrorKind::Other)?;
        output.write_all(line.as_bytes())?;
        output.flush()
    };
    let mut lists = 0;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let Some(id) = message.get("id") else { continue };
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => {
                r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"loud","version":"1"}}"#.to_owned()
            }
            "tools/list" => {
                lists += 1;
                let description = format!("{} version {lists}", "blah ".repeat(bytes / 5));
                let tool = |number| json!({"name": format!("loud{number}"), "description": description, "inputSchema": {}});
                json!({"tools": (0..tools).map(tool).collect::<Vec<_>>()}).to_string()
            }
            _ => "{}".to_owned(),
        };
        write(&output, &format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n"))?;
        if says && lists == 1 {
            lists += 1;
            let output = output.clone();
            let changed = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n";
            std::thread::spawn(move || while write(&output, changed).is_ok() {});
        }
    }
    Ok(())
}

struct Side {
    session: Session,
    searches: Times,
    calls: Times,
    _gateway: Gateway,
}

impl Side {
    async fn new(offer: &str, says: bool) -> Self {
        let (command, _) = upstream::stdio_command(0);
        let loud = json!({"command": command, "args": ["--loud-server", offer, says.to_string()]});
        let gateway = Gateway::start(json!({"other": upstream::stdio_entry(0), "loud": loud}));
        gateway.until_connected(2);
        let session = client::http(&gateway.mcp(), Era::Modern).await.expect("a session");
        let (searches, calls) = (Times::default(), Times::default());
        Self { session, searches, calls, _gateway: gateway }
    }

    async fn turn(&mut self) {
        for _ in 0..OF_EACH {
            let start = Instant::now();
            let query = json!({"query": "echo a text"});
            client::call(&self.session, "retrieve_tools", query).await.expect("an answer");
            self.searches.add(start.elapsed());
        }
        self.calls.extend(client::echo_often(&self.session, Some("other"), OF_EACH).await);
    }
}

/// The position of an offer in the arguments of a loud server.
pub fn offer(position: &str) -> (usize, usize) {
    let known = position.parse::<usize>().ok().and_then(|at| OFFERS.get(at));
    known.map_or((0, 0), |(_, tools, bytes)| (*tools, *bytes))
}

pub async fn compare() {
    for (at, (name, _, _)) in OFFERS.iter().enumerate() {
        let position = at.to_string();
        let (mut quiet, mut loud) =
            (Side::new(&position, false).await, Side::new(&position, true).await);
        for turn in 0..=TURNS {
            for side in [&mut quiet, &mut loud] {
                side.turn().await;
                if turn == 0 {
                    side.searches.clear();
                    side.calls.clear();
                }
            }
        }
        println!("beside a server that changes {name} without end, {} of each", TURNS * OF_EACH);
        for (what, quiet, loud) in [
            ("retrieve_tools", &mut quiet.searches, &mut loud.searches),
            ("call of another", &mut quiet.calls, &mut loud.calls),
        ] {
            for percent in [50, 90, 99] {
                let (quiet, loud) = (quiet.at(percent), loud.at(percent));
                let times = loud / quiet;
                println!(
                    "  {what:16} p{percent} {quiet:.0} us quiet, {loud:.0} us loud, {times:.2} x"
                );
            }
        }
        for side in [quiet, loud] {
            let _ = side.session.cancel().await;
        }
    }
    println!();
}

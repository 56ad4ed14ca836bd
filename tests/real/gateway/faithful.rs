//! What a tool answers through the gateway is what it answers when it is asked directly: compared on the
//! wire, without any SDK that could hide a difference.

use super::clients::home_of;
use super::host::entry;
use super::upstreams::plain;
use crate::parts::{Parts, Server};
use crate::session::{Home, MCPPROXY, wait};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

/// A stdio server, spoken to line by line.
struct Wire {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    asked: u64,
}

impl Wire {
    /// Starts `command` and shakes hands.
    fn open(home: &Home, command: &[OsString]) -> Wire {
        let mut shell = home.shell(&[], command);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = shell.spawn().expect("start the server");
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().expect("piped"));
        let mut wire = Wire { child, to, from, asked: 0 };
        let me = json!({ "name": "wire", "version": "1" });
        wire.ask(
            "initialize",
            json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": me }),
        );
        wire.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        wire
    }

    fn send(&mut self, message: &Value) {
        let to = self.to.as_mut().expect("open");
        to.write_all(format!("{message}\n").as_bytes()).expect("send");
        to.flush().expect("flush");
    }

    /// The answer to a request without what belongs to the connection.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).expect("read") > 0, "{method}: it ended");
            let mut message: Value = serde_json::from_str(&line).expect("JSON");
            let is_answer = message.get("method").is_none() && message["id"] == id;
            if is_answer {
                message
                    .as_object_mut()
                    .expect("an object")
                    .retain(|name, _| name != "id" && name != "jsonrpc");
                return message;
            }
        }
    }

    fn close(mut self) {
        drop(self.to.take());
        wait(&mut self.child, Duration::from_secs(30)).expect("it ends when its input does");
    }
}

/// A server: its name, its command, and the calls that are compared.
type Compared = (&'static str, Vec<OsString>, Vec<(&'static str, Value)>);

/// `1` and `1.0` are one number in JSON; which is written is the SDK's choice.
fn same(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => json!(float as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(same).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), same(value))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn a_call_through_the_gateway_answers_what_the_tool_answers() {
    let Some(parts) = Parts::find() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let folder = root.path().canonicalize().expect("a real path");
    std::fs::write(folder.join("notes.txt"), "\u{2028} notes\n".repeat(20_000)).expect("a file");
    let notes = folder.join("notes.txt");
    let noon =
        |zone: &str| json!({ "source_timezone": zone, "time": "12:00", "target_timezone": "UTC" });
    let servers: Vec<Compared> = vec![
        (
            "plain",
            plain(&folder.join("plain.log")),
            ["numbers", "blocks", "failed", "fine", "refuse"].map(|tool| (tool, json!({}))).into(),
        ),
        (
            "everything",
            Server::Everything.command(&parts),
            vec![
                ("echo", json!({ "message": "hello" })),
                ("echo", json!({})),
                ("get-structured-content", json!({ "location": "Chicago" })),
                ("get-tiny-image", json!({})),
                ("get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
                ("get-resource-links", json!({ "count": 3 })),
                ("get-sum", json!({ "a": 1, "b": 2.5 })),
            ],
        ),
        (
            "files",
            Server::Filesystem(folder.clone()).command(&parts),
            vec![
                ("read_text_file", json!({ "path": notes })),
                ("list_directory", json!({ "path": folder })),
                ("read_text_file", json!({ "path": "/etc/hostname" })),
            ],
        ),
        (
            "time",
            Server::Time.command(&parts),
            vec![("convert_time", noon("UTC")), ("convert_time", noon("Mars"))],
        ),
        (
            "index",
            Server::ToolIndex.command(&parts),
            vec![("retrieve_tools", json!({ "query": "git" }))],
        ),
    ];
    let config = servers.iter().map(|(name, command, _)| ((*name).to_owned(), entry(command)));
    let home = home_of(&config.collect());
    let mut gateway = Wire::open(&home, &[MCPPROXY, "serve", "--stdio"].map(OsString::from));
    for (server, command, calls) in &servers {
        let mut direct = Wire::open(&home, command);
        for (tool, arguments) in calls {
            let expected =
                direct.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
            let order = json!({ "name": format!("{server}:{tool}"), "arguments": arguments });
            let order = json!({ "name": "call_tool", "arguments": order });
            let mut got = gateway.ask("tools/call", order.clone());
            // A server that takes its time to start.
            for _ in 0..100 {
                let text = got["result"]["content"][0]["text"].as_str().unwrap_or_default();
                if !text.contains("not connected at the moment") {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
                got = gateway.ask("tools/call", order.clone());
            }
            assert_eq!(same(&got), same(&expected), "{server}:{tool}");
        }
        direct.close();
    }
    // A link in a tool's result can be read as it stands there.
    for link in ["demo://resource/dynamic/text/1", "demo://resource/static/document/features.md"] {
        let read = gateway.ask("resources/read", json!({ "uri": link }));
        assert_eq!(read["result"]["contents"][0]["uri"], link, "{read}");
    }
    gateway.close();
}

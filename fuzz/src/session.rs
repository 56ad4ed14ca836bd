//! What the observer must see: the same session, read line by line with `serde_json`.
//!
//! One rule: plain and slow. Lines that `serde_json` cannot judge (it is stricter than the peers in
//! escapes and depth) end the comparison, not the run.

use serde_json::Value;
use std::collections::HashMap;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Server,
    Client,
}

/// One thing that happens on the wire.
#[derive(Clone, Debug)]
pub enum Step {
    Bytes(To, Vec<u8>),
    Lost(To),
}

#[derive(Clone, PartialEq)]
enum Call {
    Discovery,
    Upstream,
    Any,
}

/// Nobody can tell.
struct Unclear;

#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    started: bool,
    skipped: bool,
}

#[derive(Default)]
struct Reference {
    lines: [Line; 2],
    waiting: HashMap<String, (usize, Call)>,
    count: usize,
    connected: bool,
    said: Vec<String>,
}

/// What an observer says to these steps; `None` when this reader cannot tell.
pub fn expected(steps: &[Step], discovery_tools: &[&str]) -> Option<Vec<String>> {
    let mut reference = Reference::default();
    for step in steps {
        match step {
            Step::Lost(to) => {
                let line = &mut reference.lines[*to as usize];
                (line.started, line.skipped) = (true, true);
            }
            Step::Bytes(to, bytes) => {
                for byte in bytes {
                    reference.byte(*to, *byte, discovery_tools).ok()?;
                }
            }
        }
    }
    reference.end_line(To::Server, discovery_tools).ok()?;
    reference.end_line(To::Client, discovery_tools).ok()?;
    let discoveries = reference.waiting.values().filter(|(_, call)| *call == Call::Discovery);
    let left = discoveries.count();
    reference.said.extend(vec!["discovery ? of ?".to_owned(); left]);
    Some(reference.said)
}

impl Reference {
    fn byte(&mut self, to: To, byte: u8, tools: &[&str]) -> Result<(), Unclear> {
        if byte == b'\n' {
            return self.end_line(to, tools);
        }
        let is_wanted = to == To::Server || !self.waiting.is_empty();
        let line = &mut self.lines[to as usize];
        if !std::mem::replace(&mut line.started, true) {
            line.skipped = !is_wanted;
        }
        line.bytes.push(byte);
        Ok(())
    }

    fn end_line(&mut self, to: To, tools: &[&str]) -> Result<(), Unclear> {
        let line = std::mem::take(&mut self.lines[to as usize]);
        if line.skipped {
            return Ok(());
        }
        let Some(value) = read(&line.bytes)? else { return Ok(()) };
        let messages = match &value {
            Value::Array(items) if items.len() > 1024 => return Err(Unclear),
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        };
        for message in messages.into_iter().filter(|message| message.is_object()) {
            match to {
                To::Server => self.request(message, tools)?,
                To::Client => self.answer(message)?,
            }
        }
        Ok(())
    }

    fn request(&mut self, message: &Value, tools: &[&str]) -> Result<(), Unclear> {
        let id = id(&message["id"])?;
        let params = &message["params"];
        let request = self::id(&params["requestId"])?;
        let Some(method) = message["method"].as_str() else { return Ok(()) };
        let client = name(&params["clientInfo"]["name"]);
        let meta = name(&params["_meta"]["io.modelcontextprotocol/clientInfo"]["name"]);
        // A gateway of ours is a client from its first call on.
        if [client, meta].iter().flatten().any(|it| it.to_lowercase().contains("mcpproxy")) {
            return Err(Unclear);
        }
        if method == "initialize" {
            self.said.push(format!("client {}", client.unwrap_or_default()));
        }
        if let Some(name) = meta {
            self.said.push(format!("client {name}"));
        }
        if method == "notifications/cancelled"
            && let Some(request) = request
            && let Some((_, call)) = self.waiting.remove(&request)
        {
            self.given_up(call);
            if !self.connected {
                self.add(request, Call::Any);
            }
        }
        let Some(id) = id else { return Ok(()) };
        let call = match name(&params["name"]).filter(|_| method == "tools/call") {
            Some(tool) if tools.contains(&tool) => Call::Discovery,
            Some(_) => Call::Upstream,
            None => Call::Any,
        };
        self.said.push(match call {
            Call::Upstream => "call".to_owned(),
            Call::Discovery => "ClientActive".to_owned(),
            Call::Any => "Request { surface: Mcp }".to_owned(),
        });
        if let Some((_, before)) = self.waiting.remove(&id) {
            self.given_up(before);
        }
        if call != Call::Any || !self.connected {
            self.add(id, call);
        }
        Ok(())
    }

    fn add(&mut self, id: String, call: Call) {
        self.count += 1;
        self.waiting.insert(id, (self.count, call));
    }

    fn given_up(&mut self, call: Call) {
        if call == Call::Discovery {
            self.said.push("discovery ? of ?".to_owned());
        }
    }

    fn answer(&mut self, message: &Value) -> Result<(), Unclear> {
        let id = id(&message["id"])?;
        let result = message.get("result");
        let listing = listing(result.unwrap_or(&Value::Null))?;
        if message["method"].is_string() {
            return Ok(());
        }
        let Some((_, call)) = id.and_then(|id| self.waiting.remove(&id)) else { return Ok(()) };
        let Some(result) = result.filter(|_| message["error"].is_null()) else {
            self.given_up(call);
            return Ok(());
        };
        if !self.connected {
            self.connected = true;
            self.waiting.retain(|_, (_, call)| *call != Call::Any);
            self.said.push("connected".to_owned());
        }
        let failed = result["isError"] == true;
        let interim = result["resultType"].as_str().is_some_and(|kind| kind != "complete");
        if failed || interim || result["task"].is_object() {
            self.given_up(call);
        } else if call == Call::Upstream {
            self.said.push("UpstreamResult".to_owned());
        } else if call == Call::Discovery {
            let shown = |count: Option<u64>| count.map_or("?".to_owned(), |n| n.to_string());
            self.said.push(format!("discovery {} of {}", shown(listing.0), shown(listing.1)));
        }
        Ok(())
    }
}

/// One line, or a JSON text inside of one; `Ok(None)` when it is not JSON for anybody.
fn read(text: &[u8]) -> Result<Option<Value>, Unclear> {
    match serde_json::from_slice(text) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let why = error.to_string();
            // What the peers read all the same, or what hides whether the rest is JSON.
            let unclear = ["recursion", "surrogate", "hex escape", "unicode", "out of range"];
            if unclear.iter().any(|part| why.contains(part)) { Err(Unclear) } else { Ok(None) }
        }
    }
}

/// Integers by value and strings; the spelling of other numbers is not kept by `serde_json`.
fn id(value: &Value) -> Result<Option<String>, Unclear> {
    Ok(match value {
        Value::String(text) if text.len() <= 1024 => Some(format!("text {text}")),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Some(format!("number {number}")),
            None => match number.as_f64() {
                Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => {
                    Some(format!("number {}", float as i64))
                }
                _ => return Err(Unclear),
            },
        },
        _ => None,
    })
}

/// A name; one that is too long is nobody's.
fn name(value: &Value) -> Option<&str> {
    value.as_str().map(|text| if text.len() > 1024 { "" } else { text })
}

type Counts = (Option<u64>, Option<u64>);

fn listing(result: &Value) -> Result<Counts, Unclear> {
    let structured = counts(&result["structuredContent"]);
    let mut first_text = None;
    for block in result["content"].as_array().into_iter().flatten() {
        let text = match block["text"].as_str() {
            Some(text) => read(text.as_bytes())?,
            None => None,
        };
        if block["type"] == "text" && first_text.is_none() {
            first_text = Some(text.map_or((None, None), |text| counts(&text)));
        }
    }
    Ok(match (structured.0, first_text) {
        (Some(_), _) => structured,
        (None, Some(text)) if text.0.is_some() => text,
        _ => (None, None),
    })
}

fn counts(list: &Value) -> Counts {
    let length = list["tools"].as_array().map(|tools| tools.len() as u64);
    (length, list["total_indexed_tools"].as_u64())
}

//! Results of servers on their way to the client: as the server wrote them, number for number.
//!
//! One rule: what is not ours to change is not read into anything that would change it. The SDK writes its own kinds
//! of results and knows no other members than theirs; so a result passes it as text, in the `_meta` of an empty
//! one, and is put in the place of that where the answer leaves the process.

use super::messages::NotJson;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;
use memchr::memmem;
use rmcp::model::MetaObject;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use tokio_stream::StreamExt as _;

/// To the client, we are the server.
const OF_ONE_HOP: &str = "io.modelcontextprotocol/serverInfo";

/// Under which key of `_meta` the text stands. No server can know it.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let half = |seed: u8| RandomState::new().hash_one(seed);
    format!("mcpproxy/{:016x}{:016x}", half(0), half(1))
});

/// The result of a server: an object.
#[derive(Debug)]
pub struct Exact {
    members: Vec<(String, Box<RawValue>)>,
    values: Map<String, Value>,
}

/// An object, in its order and as it is written.
#[derive(Default)]
struct Ordered(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Exact {
    /// Reads a result; `Ok(None)` when it is no object, an error when it is nothing that others could read.
    pub fn read(text: &str) -> Result<Option<Self>, NotJson> {
        let values = match serde_json::from_str(text).map_err(|error| NotJson::of(&error))? {
            Value::Object(values) => values,
            _ => return Ok(None),
        };
        // Line ends stand between members only; a line is a message, and so is an event.
        let one_line = text.replace(['\n', '\r'], " ");
        let Ordered(members) =
            serde_json::from_str(&one_line).map_err(|error| NotJson::of(&error))?;
        Ok(Some(Self { members, values }))
    }

    /// The value of a member.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// All of it, as values.
    pub fn into_value(self) -> Value {
        Value::Object(self.values)
    }

    /// Changes a member, or adds it.
    pub fn set(&mut self, key: &str, value: Value) {
        if let Ok(raw) = to_raw_value(&value) {
            match self.members.iter_mut().rev().find(|(name, _)| name == key) {
                Some((_, member)) => *member = raw,
                None => self.members.push((key.to_owned(), raw)),
            }
            self.values.insert(key.to_owned(), value);
        }
    }

    fn remove(&mut self, key: &str) {
        self.members.retain(|(name, _)| name != key);
        self.values.shift_remove(key);
    }

    /// Takes out what is true between the server and us only, and says to a client of the modern era, which
    /// insists on it, that this is a result.
    pub fn for_client(&mut self, is_modern: bool) {
        if let Some(Value::Object(meta)) = self.values.get("_meta")
            && meta.contains_key(OF_ONE_HOP)
        {
            let mut meta = meta.clone();
            meta.shift_remove(OF_ONE_HOP);
            match meta.is_empty() {
                true => self.remove("_meta"),
                false => self.set("_meta", Value::Object(meta)),
            }
        }
        let is_said = self.values.get("resultType").map(|kind| kind == "complete");
        match (is_modern, is_said) {
            (true, None) => self.set("resultType", "complete".into()),
            // Clients of the older era may refuse it.
            (false, Some(true)) => self.remove("resultType"),
            _ => {}
        }
    }

    /// A server of the modern era may give any value as structured content; clients of the older one want an object.
    pub fn without_bare_structure(&mut self) {
        let bare = self.values.get("structuredContent").filter(|value| !value.is_object()).cloned();
        let Some(bare) = bare else { return };
        self.remove("structuredContent");
        let mut content = match self.values.get("content") {
            Some(Value::Array(content)) => content.clone(),
            _ => Vec::new(),
        };
        let text = content.first().and_then(|first| first.get("text")).and_then(Value::as_str);
        if !text.is_some_and(|text| serde_json::from_str::<Value>(text).is_ok_and(|it| it == bare))
        {
            content.insert(0, json!({"type": "text", "text": bare.to_string()}));
        }
        self.set("content", Value::Array(content));
    }

    /// Says how long it may be kept, which clients of the modern era want to know.
    pub fn with_cache_hints(&mut self) {
        for (key, value) in [("ttlMs", json!(0)), ("cacheScope", json!("private"))] {
            if self.get(key).is_none() {
                self.set(key, value);
            }
        }
    }

    /// For the `_meta` of the result that passes the SDK in its place.
    pub fn carried(self) -> MetaObject {
        let mut text = String::from("{");
        for (at, (key, value)) in self.members.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "," });
            crate::json::write_str(&mut text, key);
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        let mut meta = MetaObject::default();
        meta.0.insert(KEY.clone(), Value::String(text));
        meta
    }
}

/// The message with the result that it carries, if it carries one.
pub fn unwrapped(message: &[u8]) -> Option<Vec<u8>> {
    memmem::find(message, KEY.as_bytes())?;
    let Ordered(mut members) = serde_json::from_slice(message).ok()?;
    let (_, result) = members.iter_mut().find(|(key, _)| key == "result")?;
    let Ordered(inner) = serde_json::from_str(result.get()).ok()?;
    let (_, meta) = inner.into_iter().find(|(key, _)| key == "_meta")?;
    let mut meta: Map<String, Value> = serde_json::from_str(meta.get()).ok()?;
    let Some(Value::String(text)) = meta.remove(KEY.as_str()) else { return None };
    *result = RawValue::from_string(text).ok()?;
    let mut out = Vec::with_capacity(message.len());
    for (at, (key, value)) in members.iter().enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        let mut name = String::new();
        crate::json::write_str(&mut name, key);
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    Some(out)
}

/// Puts results in their places in what goes to clients over HTTP.
pub async fn put_in_place(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let kind =
        response.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
    match kind.as_deref() {
        // The SDK writes an event at once.
        Some(kind) if kind.starts_with(b"text/event-stream") => response.map(|body| {
            let parts = body.into_data_stream();
            Body::from_stream(
                parts.map(|part| part.map(|part| event(&part).map_or(part, Bytes::from))),
            )
        }),
        Some(kind) if kind.starts_with(b"application/json") => {
            let (head, body) = response.into_parts();
            // One that is there as a whole is read as a whole.
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            let body = unwrapped(&body).map_or(body, Bytes::from);
            Response::from_parts(head, Body::from(body))
        }
        _ => response,
    }
}

/// An event with the result that it carries.
fn event(event: &[u8]) -> Option<Vec<u8>> {
    const DATA: &[u8] = b"data:";
    let at = match event.starts_with(DATA) {
        true => 0,
        false => memmem::find(event, b"\ndata:")? + 1,
    };
    let (before, rest) = event.split_at_checked(at + DATA.len())?;
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let (data, after) = rest.split_at_checked(end)?;
    let data = unwrapped(data)?;
    Some([before, b" ", &data, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &str, change: impl FnOnce(&mut Exact)) -> String {
        let mut exact = Exact::read(text).expect("JSON").expect("an object");
        change(&mut exact);
        let meta = exact.carried();
        let message = json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [], "_meta": meta}});
        let out = unwrapped(message.to_string().as_bytes()).expect("a result");
        let out = String::from_utf8(out).expect("UTF-8");
        out.strip_prefix(r#"{"jsonrpc":"2.0","id":7,"result":"#)
            .expect("in its place")
            .strip_suffix('}')
            .expect("one")
            .to_owned()
    }

    #[test]
    fn a_result_arrives_as_it_was_written() {
        let text = r#"{"z":[1E5,0.10,12345678901234567890123,-0],"content":[{"type":"hologram"}],"k":1,"k":2,"isError":"false"}"#;
        assert_eq!(passed(text, |exact| exact.for_client(false)), text);
        assert_eq!(passed("{\r\n \"a\": 1\n}", |_| ()), r#"{"a":1}"#);
    }

    #[test]
    fn what_belongs_to_one_hop_or_era_is_changed_and_nothing_else() {
        let text = r#"{"x":1.0,"_meta":{"io.modelcontextprotocol/serverInfo":{},"a":1.0},"resultType":"complete"}"#;
        assert_eq!(passed(text, |exact| exact.for_client(false)), r#"{"x":1.0,"_meta":{"a":1.0}}"#);
        let modern = passed(r#"{"x":1.0}"#, |exact| exact.for_client(true));
        assert_eq!(modern, r#"{"x":1.0,"resultType":"complete"}"#);
        let bare = r#"{"content":[],"structuredContent":[1]}"#;
        let text = passed(bare, Exact::without_bare_structure);
        assert_eq!(text, r#"{"content":[{"type":"text","text":"[1]"}]}"#);
    }

    #[test]
    fn events_keep_all_but_the_result() {
        let meta = Exact::read(r#"{"a":1e2}"#).expect("JSON").expect("an object").carried();
        let message = json!({"jsonrpc": "2.0", "id": 1, "result": {"_meta": meta}});
        let text = format!("id: 4\nevent: message\ndata: {message}\n\n");
        let expected = "id: 4\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1e2}}\n\n";
        assert_eq!(event(text.as_bytes()).as_deref(), Some(expected.as_bytes()));
        assert_eq!(event(b": ping\n\n"), None);
    }

    #[test]
    fn what_no_other_could_read_is_named() {
        let error = |text: &str| Exact::read(text).expect_err("an error");
        assert!(error(r#"{"a":1e400}"#).to_string().contains("number"));
        let deep = r#"{"a":"#.repeat(200) + "1" + &"}".repeat(200);
        assert!(error(&deep).to_string().contains("deeper"));
        for text in ["null", "[1]", "\"plain\""] {
            assert!(Exact::read(text).expect("JSON").is_none(), "{text}");
        }
    }
}

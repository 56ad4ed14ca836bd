//! Messages of peers as they come over a pipe or in a body: read as generously as JavaScript reads JSON.
//!
//! One rule: what has the id of a request is the answer to it, readable or not: no request waits for an answer
//! that came. What cannot be read is told in our own words, without a part of it.
//!
//! The SDK would read every result as one of its own kinds, which costs what those kinds do not know, and
//! whole answers for one member that is off. So results pass through it as text; see [`Answer`].

mod of_client;

pub use of_client::OfClient;

use super::faults::POLLUTED;
use super::handshake::{self, Opening};
use super::joined;
use super::outline::{About, Outline};
use crate::config::halves::replace_halves;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, CustomResult, ErrorCode, ErrorData, JsonRpcMessage,
    ListToolsResult, MetaObject, RequestId, ServerJsonRpcMessage, ServerResult, Tool,
};
use rmcp::service::{RoleClient, RxJsonRpcMessage, ServiceRole, TxJsonRpcMessage};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// What a message comes to.
pub enum Heard<R: ServiceRole> {
    /// It is handed on.
    Message(RxJsonRpcMessage<R>),
    /// It is not, and its sender is told why.
    Reply(ErrorData, Option<RequestId>),
    /// Nothing is handed on, and this is written.
    Text(String),
}

/// Reads the messages of one peer.
pub trait Reader<R: ServiceRole>: Send + Sync + 'static {
    /// The messages in `text`: one, or a batch.
    fn read(&self, text: Vec<u8>) -> Vec<Heard<R>>;

    /// What becomes of a message that was not read, for this reason.
    fn unreadable(&self, about: About, why: &str) -> Option<Heard<R>>;

    /// What becomes of a message that is too long, which these words say.
    fn too_long(&self, about: About, why: &str) -> Option<Heard<R>> {
        self.unreadable(about, why)
    }

    /// Whether `line`, whose end does not come, holds a whole message.
    fn is_whole(&self, _line: &[u8]) -> bool {
        false
    }

    /// Sees a message on its way to the peer.
    fn sends(&self, _: &TxJsonRpcMessage<R>) {}

    /// What is written for a message, whose line is `line`: nothing yet, where it waits for others of its batch.
    fn placed(&self, _: &TxJsonRpcMessage<R>, line: Vec<u8>) -> Option<Vec<u8>> {
        Some(line)
    }
}

/// The result of a server on its way through the SDK.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Its text, as the server wrote it.
    Text(String),
    /// Why it cannot be read.
    Unreadable(String),
    /// It is too long, in words.
    TooLong(String),
}

/// Where the text of a list of tools stands, when the SDK has to see the list as well.
const TEXT: &str = "mcpproxy/text";
/// The member of a tool that the SDK refused.
pub const REFUSED: &str = "mcpproxy/refused";
/// No JSON text begins so.
const UNREADABLE: char = '!';
const TOO_LONG: char = '>';

impl Answer {
    /// As the SDK lets it pass: a string is none of its own kinds.
    pub fn wrapped(self) -> ServerResult {
        ServerResult::CustomResult(CustomResult(Value::String(match self {
            Self::Text(text) => text,
            Self::Unreadable(why) => format!("{UNREADABLE}{why}"),
            Self::TooLong(why) => format!("{TOO_LONG}{why}"),
        })))
    }

    /// What the SDK let pass.
    pub fn of(result: ServerResult) -> Self {
        match result {
            ServerResult::CustomResult(CustomResult(Value::String(text))) => {
                match (text.strip_prefix(UNREADABLE), text.strip_prefix(TOO_LONG)) {
                    (Some(why), _) => Self::Unreadable(why.to_owned()),
                    (_, Some(why)) => Self::TooLong(why.to_owned()),
                    _ => Self::Text(text),
                }
            }
            ServerResult::ListToolsResult(mut list) => {
                match list.meta.as_mut().and_then(|meta| meta.0.remove(TEXT)) {
                    Some(Value::String(text)) => Self::Text(without_refused(text, &list.tools)),
                    _ => Self::of_kind(&list),
                }
            }
            result => Self::of_kind(&result),
        }
    }

    fn of_kind(result: &impl serde::Serialize) -> Self {
        match serde_json::to_string(result) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Unreadable(NotJson::of(&error).to_string()),
        }
    }
}

/// Why a text cannot be read, without a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJson {
    /// It is nested too deeply.
    Deep,
    /// It holds a number that is too large.
    Number,
    /// It ends before this byte.
    Ends(usize),
    /// This byte does not belong there.
    Unexpected(usize),
}

impl NotJson {
    /// What an error says. (The reader has no kinds for the first two.)
    pub fn of(error: &serde_json::Error) -> Self {
        let words = error.to_string();
        match error.column() {
            _ if words.starts_with("recursion limit") => Self::Deep,
            _ if words.starts_with("number out of range") => Self::Number,
            at if error.is_eof() => Self::Ends(at),
            at => Self::Unexpected(at),
        }
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deep => f.write_str("it is nested deeper than 127 levels"),
            Self::Number => {
                f.write_str("it holds a number that is larger than any that can be read")
            }
            Self::Ends(at) => {
                write!(f, "it is not valid JSON: ends in the middle of a value at byte {at}")
            }
            Self::Unexpected(at) => {
                write!(f, "it is not valid JSON: unexpected character at byte {at}")
            }
        }
    }
}

/// The members of an object, as they are written. Of two with one name the last counts, as in JavaScript.
type Members<'t> = HashMap<String, &'t RawValue>;

/// Reads what a server sends.
#[derive(Clone, Default)]
pub struct OfServer {
    /// Requests whose answers the SDK itself has to read.
    openings: Arc<Mutex<HashMap<RequestId, Opening>>>,
    faults: Arc<Mutex<Vec<String>>>,
    found: Arc<Notify>,
    /// Whether each line is to be a message.
    has_lines: bool,
}

impl OfServer {
    /// Reads the lines of a process.
    pub fn of_lines() -> Self {
        Self { has_lines: true, ..Self::default() }
    }

    /// A line that is no message at all.
    fn skip(&self, line: &str) {
        if self.has_lines && !line.is_empty() {
            self.add_fault(POLLUTED);
        }
    }

    /// What was off in what the server said of itself.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until something is off in how the server writes.
    pub async fn found_fault(&self) {
        self.found.notified().await;
    }

    fn add_fault(&self, fault: &str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.iter().all(|known| known != fault) {
            faults.push(fault.to_owned());
            self.found.notify_one();
        }
    }

    fn each(&self, text: &str) -> Vec<Heard<RoleClient>> {
        let error = match serde_json::from_str::<Members>(text) {
            Ok(members) => return self.one(text, &members).into_iter().collect(),
            Err(error) => error,
        };
        let answers = joined::answers(text);
        if answers.is_empty() {
            let about = Outline::of(text.as_bytes());
            if matches!(about, About::Nothing) {
                self.skip(text);
            }
            return self.unreadable(about, &NotJson::of(&error).to_string()).into_iter().collect();
        }
        self.add_fault(joined::JOINED);
        answers.into_iter().flat_map(|answer| self.each(answer)).collect()
    }

    fn one(&self, text: &str, members: &Members<'_>) -> Option<Heard<RoleClient>> {
        let member = |name| members.get(name).map(|value| value.get());
        let id = member("id").and_then(|id| serde_json::from_str::<RequestId>(id).ok());
        if members.contains_key("method") {
            return match serde_json::from_str(text) {
                Ok(message) => Some(Heard::Message(message)),
                Err(error) => id.map(|id| refused(&NotJson::of(&error).to_string(), Some(id))),
            };
        }
        let error = member("error");
        match (error.filter(|error| *error != "null"), member("result"), id) {
            (Some(error), _, id) if id.is_some() || members.contains_key("jsonrpc") => {
                Some(Heard::Message(ServerJsonRpcMessage::error(read_error(error), id)))
            }
            (None, Some(result), Some(id)) => Some(Heard::Message(self.answer(result, id))),
            (None, None, Some(id)) if error.is_some() => {
                self.unreadable(About::Answer(id), "it has neither a result nor an error")
            }
            (None, None, None) => {
                self.skip(text);
                None
            }
            _ => None,
        }
    }

    fn answer(&self, text: &str, id: RequestId) -> ServerJsonRpcMessage {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let opening =
            self.openings.lock().unwrap_or_else(PoisonError::into_inner).remove(&numbered(&id));
        let result = match opening {
            Some(opening) => handshake::read(opening, text, &mut faults),
            None => Answer::Text(text.to_owned()).wrapped(),
        };
        ServerJsonRpcMessage::response(result, id)
    }
}

/// Some servers answer with the number of a request as text, which the SDK takes for the same.
fn numbered(id: &RequestId) -> RequestId {
    match id {
        RequestId::String(text) => text.parse().map_or_else(|_| id.clone(), RequestId::Number),
        RequestId::Number(_) => id.clone(),
    }
}

impl Reader<RoleClient> for OfServer {
    fn read(&self, mut text: Vec<u8>) -> Vec<Heard<RoleClient>> {
        replace_halves(&mut text);
        let Some(text) = trimmed(&text) else {
            return self.unreadable(Outline::of(&text), NOT_UTF8).into_iter().collect();
        };
        match batch(text) {
            Some(batch) => batch.iter().flat_map(|message| self.each(message.get())).collect(),
            None => self.each(text),
        }
    }

    fn is_whole(&self, line: &[u8]) -> bool {
        let is_whole = trimmed(line).is_some_and(|text| !joined::answers(text).is_empty());
        if is_whole {
            self.add_fault(joined::UNENDED);
        }
        is_whole
    }

    fn unreadable(&self, about: About, why: &str) -> Option<Heard<RoleClient>> {
        match about {
            About::Answer(id) => {
                let answer = Answer::Unreadable(why.to_owned()).wrapped();
                Some(Heard::Message(ServerJsonRpcMessage::response(answer, id)))
            }
            About::Request(id) => Some(refused(why, Some(id))),
            About::Nothing => None,
        }
    }

    fn too_long(&self, about: About, why: &str) -> Option<Heard<RoleClient>> {
        match about {
            About::Answer(id) => {
                let answer = Answer::TooLong(why.to_owned()).wrapped();
                Some(Heard::Message(ServerJsonRpcMessage::response(answer, id)))
            }
            about => self.unreadable(about, why),
        }
    }

    fn sends(&self, message: &TxJsonRpcMessage<RoleClient>) {
        if let JsonRpcMessage::Request(asked) = message
            && let Some(opening) = Opening::of(&asked.request)
        {
            let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
            openings.insert(asked.id.clone(), opening);
        }
    }
}

/// A byte order mark.
pub const BOM: &[u8] = b"\xef\xbb\xbf";
const NOT_UTF8: &str = "it is not UTF-8";

/// The text without byte order mark and white space around it.
fn trimmed(text: &[u8]) -> Option<&str> {
    Some(std::str::from_utf8(text).ok()?.trim_start_matches('\u{feff}').trim())
}

fn batch(text: &str) -> Option<Vec<&RawValue>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

fn refused<R: ServiceRole>(why: &str, id: Option<RequestId>) -> Heard<R> {
    Heard::Reply(ErrorData::invalid_request(format!("the message cannot be read: {why}"), None), id)
}

fn no_json<R: ServiceRole>(why: &str, id: Option<RequestId>) -> Heard<R> {
    Heard::Reply(ErrorData::parse_error(format!("the message cannot be read: {why}"), None), id)
}

/// An error as a server wrote it, whatever it took for one. What has no place of its own is in `data`.
fn read_error(text: &str) -> ErrorData {
    let internal = |words: String| ErrorData::new(ErrorCode::INTERNAL_ERROR, words, None);
    let members = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => members,
        Ok(Value::String(words)) => return internal(words),
        Ok(other) => return internal(other.to_string()),
        Err(error) => {
            return internal(format!("its error cannot be read: {}", NotJson::of(&error)));
        }
    };
    let number = members.get("code").and_then(Value::as_f64).filter(|code| code.fract() == 0.0);
    let code = number.filter(|code| (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(code));
    let words = members.get("message").and_then(Value::as_str);
    let is_known = |key: &String| matches!(key.as_str(), "code" | "message" | "data");
    let is_whole = code.is_some() && words.is_some() && members.keys().all(is_known);
    let message = words.unwrap_or("the server gave no message").to_owned();
    let code = code.map_or(ErrorCode::INTERNAL_ERROR, |code| ErrorCode(code as i32));
    let data = match members.get("data") {
        Some(Value::Null) | None if is_whole => None,
        Some(Value::Null) | None => Some(Value::Object(members)),
        Some(data) => Some(data.clone()),
    };
    ErrorData::new(code, message, data)
}

/// A request in a body that has an id and cannot be read, with the error that answers it.
pub fn unreadable_request(body: &[u8]) -> Option<Vec<u8>> {
    if body.starts_with(BOM) {
        // It has words of its own.
        return None;
    }
    let error = serde_json::from_slice::<Value>(body).err()?;
    let About::Request(id) = Outline::of(body) else { return None };
    let words = format!("the message cannot be read: {}", NotJson::of(&error));
    let error = ServerJsonRpcMessage::error(ErrorData::parse_error(words, None), Some(id));
    serde_json::to_vec(&error).ok()
}

/// The answer to `tools/list` over HTTP. The SDK learns from it which arguments are sent as headers as well;
/// it sees the tools that say so, and none that it would refuse.
pub fn with_headers(message: ServerJsonRpcMessage) -> ServerJsonRpcMessage {
    let JsonRpcMessage::Response(mut response) = message else { return message };
    response.result = match Answer::of(response.result) {
        Answer::Text(text) if text.contains("x-mcp-header") => {
            let tools = tools_with_headers(&text).unwrap_or_default();
            let mut list = ListToolsResult::with_all_items(tools);
            list.meta
                .get_or_insert_with(MetaObject::new)
                .0
                .insert(TEXT.to_owned(), Value::String(text));
            ServerResult::ListToolsResult(list)
        }
        answer => answer.wrapped(),
    };
    JsonRpcMessage::Response(response)
}

fn tools_with_headers(text: &str) -> Option<Vec<Tool>> {
    let members: Members = serde_json::from_str(text).ok()?;
    let tools: Vec<&RawValue> = serde_json::from_str(members.get("tools")?.get()).ok()?;
    Some(tools.into_iter().filter_map(with_header).collect())
}

fn with_header(tool: &RawValue) -> Option<Tool> {
    let text = Some(tool.get()).filter(|text| text.contains("x-mcp-header"))?;
    serde_json::from_str(text).ok()
}

/// The text of a list, of whose tools with headers the SDK kept these. It refuses those that name headers as the
/// protocol forbids, where that holds: over HTTP, in the modern era. They get a member that says so.
fn without_refused(text: String, kept: &[Tool]) -> String {
    marked(&text, kept).unwrap_or(text)
}

fn marked(text: &str, kept: &[Tool]) -> Option<String> {
    let mut members: Members = serde_json::from_str(text).ok()?;
    let tools: Vec<&RawValue> = serde_json::from_str(members.get("tools")?.get()).ok()?;
    let (mut kept, mut is_marked) = (kept.iter().peekable(), false);
    let tools = tools.into_iter().map(|tool| {
        // They are in their order.
        let is_refused = with_header(tool).is_some_and(|seen| {
            let is_seen =
                |kept: &&Tool| kept.name == seen.name && kept.input_schema == seen.input_schema;
            kept.next_if(is_seen).is_none()
        });
        is_marked |= is_refused;
        let open = tool.get().trim_start_matches('{');
        if is_refused { format!("{{\"{REFUSED}\":true,{open}") } else { tool.get().to_owned() }
    });
    let tools: Vec<String> = tools.collect();
    let tools = RawValue::from_string(format!("[{}]", tools.join(","))).ok()?;
    members.insert("tools".to_owned(), &tools);
    is_marked.then(|| serde_json::to_string(&members).ok())?
}

/// Whether the request is one for tools.
pub fn asks_for_tools(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, JsonRpcMessage::Request(it) if matches!(it.request, ClientRequest::ListToolsRequest(_)))
}

#[cfg(test)]
mod tests;

//! What a server offers: its lists, page by page and item by item.
//!
//! One rule: what is wrong with one item costs that item, what is wrong with one list costs that list, and both are
//! named. What a server says of an item is kept as it wrote it.

mod allowance;
mod items;

use super::brief::cut;
use super::faults::Faults;
use super::messages::{Answer, NotJson, REFUSED};
use crate::diagnostics::Code;
use allowance::{Allowance, MOST_OFFERED};
use items::{Items, Named};
use rmcp::RoleClient;
use rmcp::model::{
    ClientRequest, ErrorCode, ListPromptsRequest, ListResourceTemplatesRequest,
    ListResourcesRequest, ListToolsRequest, PaginatedRequestParams,
};
use rmcp::service::{Peer, PeerRequestOptions, ServiceError};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// No server has more tools, prompts or resources than this; what comes after is left out.
const MOST_ITEMS: usize = 10_000;
/// Bytes of a server's instructions.
const MOST_INSTRUCTIONS: usize = 16 << 10;
/// A list that does not end is ended after so many pages.
const MOST_PAGES: usize = 1_000;
/// How long prompts and resources may take to be listed: a server that never says has its tools all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its tools.
    pub tools: Vec<Tool>,
    /// Its prompts.
    pub prompts: Vec<Item>,
    /// Its resources.
    pub resources: Vec<Item>,
    /// Its resource templates.
    pub templates: Vec<Item>,
    /// How it wants to be used.
    pub instructions: Option<String>,
    /// What was left out or taken otherwise than it is written.
    pub faults: Faults,
}

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name on its server.
    pub name: String,
    /// All that its server says of it, as JSON. It is read when it is needed: as values it takes many times as much.
    pub text: Box<str>,
}

/// What of a tool is searched.
#[derive(Default)]
pub struct Searched<'t> {
    /// Its human-readable title.
    pub title: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Its input schema, as JSON.
    pub input_schema: &'t str,
}

impl Tool {
    /// All that its server says of it.
    pub fn members(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// What of it is searched.
    pub fn searched(&self) -> Searched<'_> {
        let members: HashMap<String, &RawValue> =
            serde_json::from_str(&self.text).unwrap_or_default();
        let text = |name| serde_json::from_str(members.get(name)?.get()).ok();
        let input_schema = members.get("inputSchema").map_or("", |schema| schema.get());
        Searched { title: text("title"), description: text("description"), input_schema }
    }

    /// Reads one, and says what was taken otherwise than it is written.
    fn read(text: &str) -> Result<(Self, Option<String>), ItemError> {
        let mut members = object(text)?;
        let own = |key: &str| members.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = own("name").filter(|name| !name.is_empty()).ok_or(ItemError::NoName)?;
        if members.contains_key(REFUSED) {
            return Err(ItemError::Header);
        }
        let fault = match members.get("inputSchema") {
            Some(Value::Object(_)) => None,
            None => Some("it has no input schema, so any arguments are passed".to_owned()),
            Some(other) => Some(format!(
                "its input schema is {}, not an object, so any arguments are passed",
                kind(other)
            )),
        };
        let text = match fault {
            None => text.into(),
            Some(_) => {
                members.insert("inputSchema".into(), json!({"type": "object"}));
                Value::Object(members).to_string().into()
            }
        };
        Ok((Self { name, text }, fault))
    }
}

/// A prompt, a resource or a resource template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name or address on its server.
    pub key: String,
    /// All that its server says of it, as JSON.
    pub text: Box<str>,
}

impl Item {
    /// All that its server says of it.
    pub fn members(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn read(key: &'static str, text: &str) -> Result<(Self, Option<String>), ItemError> {
        let members = object(text)?;
        let own = members.get(key).and_then(Value::as_str).filter(|own| !own.is_empty());
        let key = own.ok_or(ItemError::NoKey(key))?.to_owned();
        Ok((Self { key, text: text.into() }, None))
    }
}

fn object(text: &str) -> Result<Map<String, Value>, ItemError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(ItemError::NoObject(kind(&other))),
        Err(error) => Err(ItemError::NotJson(NotJson::of(&error))),
    }
}

/// Why an item is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ItemError {
    NotJson(NotJson),
    /// It is this instead.
    NoObject(&'static str),
    NoName,
    /// It has no such member.
    NoKey(&'static str),
    Header,
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(why) => why.fmt(f),
            Self::NoObject(kind) => write!(f, "it is {kind}, not an object"),
            Self::NoName => f.write_str("it has no name"),
            Self::NoKey(key) => write!(f, "it has no `{key}`"),
            Self::Header => {
                f.write_str("its input schema has an `x-mcp-header` that the protocol forbids")
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl List {
    fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    fn request(self, cursor: Option<String>) -> ClientRequest {
        let page = Some(PaginatedRequestParams::default().with_cursor(cursor));
        match self {
            Self::Tools => ListToolsRequest { params: page, ..Default::default() }.into(),
            Self::Prompts => ListPromptsRequest { params: page, ..Default::default() }.into(),
            Self::Resources => ListResourcesRequest { params: page, ..Default::default() }.into(),
            Self::Templates => {
                ListResourceTemplatesRequest { params: page, ..Default::default() }.into()
            }
        }
    }

    /// Under which member the items stand, and what names one of them.
    fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Tools => ("tools", "name"),
            Self::Prompts => ("prompts", "name"),
            Self::Resources => ("resources", "uri"),
            Self::Templates => ("resourceTemplates", "uriTemplate"),
        }
    }

    /// In words: all of them, and one.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Tools => ("tools", "tool"),
            Self::Prompts => ("prompts", "prompt"),
            Self::Resources => ("resources", "resource"),
            Self::Templates => ("resource templates", "resource template"),
        }
    }
}

/// Why a list was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// The server refused to list.
    Refused(ErrorCode),
    /// It answered with something else, to this method.
    Malformed(&'static str, PageError),
    /// It did not answer in time.
    Silent,
    /// The connection ended.
    Ended,
}

/// Why an answer is no page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// It cannot be read, in words.
    Unreadable(String),
    /// It is too long, in words.
    TooLong(String),
    /// It is no object.
    NoObject,
    /// It has not this member.
    Missing(&'static str),
    /// This member is no array.
    NoArray(&'static str),
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) | Self::TooLong(why) => f.write_str(why),
            Self::NoObject => f.write_str("it is no object"),
            Self::Missing(member) => write!(f, "`{member}` is missing"),
            Self::NoArray(member) => write!(f, "`{member}` is no array"),
        }
    }
}

impl ListError {
    /// Its code in the catalog, of a server over HTTP or over standard streams.
    pub fn code(&self, is_http: bool) -> Code {
        match self {
            Self::Refused(_) => Code::ProtocolInvalidList,
            Self::Malformed(_, PageError::TooLong(_)) => Code::ProtocolTooLarge,
            Self::Malformed(..) => Code::ProtocolInvalidList,
            Self::Silent if is_http => Code::HttpTimeout,
            Self::Silent => Code::StdioHandshakeTimeout,
            Self::Ended if is_http => Code::HttpReset,
            Self::Ended => Code::StdioExitedEarly,
        }
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "it did not say what it offers (error {})", code.0),
            Self::Malformed(method, why) => write!(f, "its answer to {method} is malformed: {why}"),
            Self::Silent => f.write_str("it did not say in time what it offers"),
            Self::Ended => f.write_str("it ended before it said what it offers"),
        }
    }
}

/// Asks for everything a server says it offers. `known`: what was off before. `within`: how long it may take.
pub async fn list(
    peer: &Peer<RoleClient>,
    known: Vec<String>,
    within: Duration,
) -> Result<Offer, ListError> {
    let Some(info) = peer.peer_info() else { return Ok(Offer::default()) };
    let offered = &info.capabilities;
    let mut offer = Offer { instructions: info.instructions.clone(), ..Offer::default() };
    offer.instructions.take_if(|text| text.trim().is_empty());
    offer.faults.extend(known);
    if let Some(text) = &mut offer.instructions
        && let Some(length) = cut(text, MOST_INSTRUCTIONS)
    {
        let most = MOST_INSTRUCTIONS >> 10;
        offer.faults.add(format!("its instructions, {length} bytes, are cut after {most} KiB"));
    }
    let (mut refused, mut left) = (None, MOST_OFFERED);
    if offered.tools.is_some() {
        match pages(peer, List::Tools, Tool::read, &mut offer.faults).await {
            Ok((tools, allowance)) => {
                offer.tools = tools;
                allowance.keep(&mut offer.tools, List::Tools, &mut left, &mut offer.faults);
            }
            Err(error) => refused = Some(error),
        }
    }
    let patience = PATIENCE.min(within / 3);
    let of = |list, is_offered| other(peer, list, is_offered, patience);
    let has_resources = offered.resources.is_some();
    let (prompts, resources, templates) = tokio::join!(
        of(List::Prompts, offered.prompts.is_some()),
        of(List::Resources, has_resources),
        of(List::Templates, has_resources),
    );
    for (items, list, (listed, allowance, faults)) in [
        (&mut offer.prompts, List::Prompts, prompts),
        (&mut offer.resources, List::Resources, resources),
        (&mut offer.templates, List::Templates, templates),
    ] {
        *items = listed;
        offer.faults.append(faults);
        allowance.keep(items, list, &mut left, &mut offer.faults);
    }
    let has_others =
        !(offer.prompts.is_empty() && offer.resources.is_empty() && offer.templates.is_empty());
    match refused {
        None => Ok(offer),
        Some(error) if has_others && !peer.is_transport_closed() => {
            offer.faults.add(format!("its tools are left out: {error}"));
            Ok(offer)
        }
        Some(error) => Err(error),
    }
}

/// A list whose absence costs nothing else.
async fn other(
    peer: &Peer<RoleClient>,
    list: List,
    is_offered: bool,
    patience: Duration,
) -> (Vec<Item>, Allowance, Faults) {
    let mut faults = Faults::default();
    if !is_offered {
        return (Vec::new(), Allowance::default(), faults);
    }
    let (_, key) = list.members();
    let read = |text: &str| Item::read(key, text);
    let listed = tokio::time::timeout(patience, pages(peer, list, read, &mut faults)).await;
    let error = match listed.unwrap_or(Err(ListError::Silent)) {
        Ok((items, allowance)) => return (items, allowance, faults),
        Err(error) => error,
    };
    let is_unknown = matches!(error, ListError::Refused(ErrorCode::METHOD_NOT_FOUND));
    // Many servers with resources do not know the request for templates.
    if !(list == List::Templates && is_unknown) {
        faults.add(format!("its {} are left out: {error}", list.words().0));
    }
    (Vec::new(), Allowance::default(), faults)
}

/// All pages of one list, as far as they are bounded. What was read before a page that cannot be read stays.
async fn pages<T: Named>(
    peer: &Peer<RoleClient>,
    list: List,
    read: impl Fn(&str) -> Result<(T, Option<String>), ItemError>,
    faults: &mut Faults,
) -> Result<(Vec<T>, Allowance), ListError> {
    let mut items = Items::new(list, read, faults);
    let mut cursors = HashSet::new();
    let mut cursor: Option<String> = None;
    for number in 1..=MOST_PAGES {
        let page = match ask(peer, list, cursor.take()).await {
            Ok(text) => items.page(&text).map_err(|why| ListError::Malformed(list.method(), why)),
            Err(error) => Err(error),
        };
        match page {
            Err(error) if number == 1 => return Err(error),
            Err(error) => {
                let (all, _) = list.words();
                items.faults.add(format!(
                    "page {number} of its {all}, and what follows, is left out: {error}"
                ));
                break;
            }
            Ok(next) => cursor = next,
        }
        // A cursor that was there before leads round in a circle.
        match &cursor {
            Some(next) if cursors.insert(next.clone()) => {}
            _ => break,
        }
        if items.allowance.is_used_up() {
            break;
        }
        if items.all.len() >= MOST_ITEMS {
            let (all, _) = list.words();
            items
                .faults
                .add(format!("of its {all} those after the first {MOST_ITEMS} are left out"));
            break;
        }
    }
    items.all.truncate(MOST_ITEMS);
    Ok((items.all, items.allowance))
}

async fn ask(
    peer: &Peer<RoleClient>,
    list: List,
    cursor: Option<String>,
) -> Result<String, ListError> {
    let (method, request) = (list.method(), list.request(cursor));
    let error = |error| match error {
        ServiceError::McpError(error) => ListError::Refused(error.code),
        _ => ListError::Ended,
    };
    let sent = peer.send_request_with_option(request, PeerRequestOptions::no_options()).await;
    match sent.map_err(error)?.await_response().await {
        Ok(result) => match Answer::of(result) {
            Answer::Text(text) => Ok(text),
            Answer::Unreadable(why) => {
                Err(ListError::Malformed(method, PageError::Unreadable(why)))
            }
            Answer::TooLong(why) => Err(ListError::Malformed(method, PageError::TooLong(why))),
        },
        Err(other) => Err(error(other)),
    }
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;

//! Follows the tokens of one line to the few places that matter in a message.
//!
//! One rule: memory is constant. What is kept of a line is bounded here, whatever comes.

use super::listing::{Counts, Listing};
use super::messages::{Answer, Id, Message, Method, Params};
use super::tokens::{Kind, Token, Tokenizer, Visitor};

/// Bytes kept of one id or name. A longer id matches nothing, a longer name is nobody's.
const MAX_TEXT: usize = 1024;
/// Messages kept of one line (a JSON-RPC batch); those after them are not observed.
const MAX_BATCH: usize = 1024;

/// An open container whose members matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Batch,
    Message,
    Params,
    Client,
    Meta,
    MetaClient,
    Result,
    Content,
    Block,
}

/// A member whose value matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Method,
    Id,
    Params,
    Result,
    Error,
    Client,
    Meta,
    MetaClient,
    ClientName,
    MetaClientName,
    Tool,
    RequestId,
    IsError,
    ResultType,
    Task,
    Structured,
    Content,
    BlockType,
    BlockText,
}

impl Field {
    fn named(place: Place, key: &str) -> Option<Self> {
        Some(match (place, key) {
            (Place::Message, "method") => Field::Method,
            (Place::Message, "id") => Field::Id,
            (Place::Message, "params") => Field::Params,
            (Place::Message, "result") => Field::Result,
            (Place::Message, "error") => Field::Error,
            (Place::Params, "clientInfo") => Field::Client,
            (Place::Params, "_meta") => Field::Meta,
            (Place::Params, "name") => Field::Tool,
            (Place::Params, "requestId") => Field::RequestId,
            (Place::Client, "name") => Field::ClientName,
            (Place::Meta, "io.modelcontextprotocol/clientInfo") => Field::MetaClient,
            (Place::MetaClient, "name") => Field::MetaClientName,
            (Place::Result, "isError") => Field::IsError,
            (Place::Result, "resultType") => Field::ResultType,
            (Place::Result, "task") => Field::Task,
            (Place::Result, "structuredContent") => Field::Structured,
            (Place::Result, "content") => Field::Content,
            (Place::Block, "type") => Field::BlockType,
            (Place::Block, "text") => Field::BlockText,
            _ => return None,
        })
    }
}

/// One block of `content`.
#[derive(Default)]
struct Block {
    is_text: bool,
    listing: Option<Counts>,
}

/// Follows the tokens of one line to the places that matter.
pub(super) struct Reader {
    /// Open containers that matter, outermost first; at most seven.
    places: Vec<Place>,
    /// Open containers that do not, all inside the last place.
    ignored: usize,
    /// The member whose value comes next.
    field: Option<Field>,
    /// The member whose string, number or literal is being read.
    reading: Option<Field>,
    in_key: bool,
    text: Bounded,
    message: Message,
    block: Block,
    structured: Option<Listing>,
    nested: Tokenizer,
    nested_listing: Listing,
    finished: Vec<Message>,
}

impl Visitor for Reader {
    fn visit(&mut self, token: Token<'_>) {
        if let Some(listing) = &mut self.structured {
            listing.visit(token);
            if listing.is_closed() {
                if let Some(result) = &mut self.message.result {
                    result.structured = listing.counts();
                }
                self.structured = None;
            }
            return;
        }
        match token {
            Token::Part(bytes) => self.part(bytes),
            Token::Begin(kind) if self.ignored == 0 => self.begin(kind),
            Token::End(kind) if self.ignored == 0 => self.end(kind),
            Token::Begin(Kind::Object | Kind::Array) => self.ignored += 1,
            Token::End(Kind::Object | Kind::Array) => self.ignored -= 1,
            Token::Begin(_) | Token::End(_) => {}
        }
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::with_capacity(8),
            ignored: 0,
            field: None,
            reading: None,
            in_key: false,
            text: Bounded::default(),
            message: Message::default(),
            block: Block::default(),
            structured: None,
            nested: Tokenizer::new(),
            nested_listing: Listing::default(),
            finished: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.places.clear();
        self.ignored = 0;
        self.field = None;
        self.reading = None;
        self.in_key = false;
        self.structured = None;
        self.finished.clear();
    }

    /// The messages of the line so far; they count only if the rest of it is JSON too.
    pub(super) fn finished(&mut self) -> impl Iterator<Item = Message> + '_ {
        self.finished.drain(..)
    }

    fn part(&mut self, bytes: &[u8]) {
        if self.reading == Some(Field::BlockText) {
            self.nested.feed(bytes, &mut self.nested_listing);
        } else if self.in_key || self.reading.is_some() {
            self.text.push(bytes);
        }
    }

    fn begin(&mut self, kind: Kind) {
        if kind == Kind::Key {
            self.in_key = true;
            self.text.clear();
            return;
        }
        let field = self.field.take();
        self.note_presence(field);
        match kind {
            Kind::Object | Kind::Array => self.open(field, kind),
            Kind::Text | Kind::Scalar | Kind::Key => {
                self.reading = field.filter(|&field| reads(field, kind));
                self.text.clear();
                if self.reading == Some(Field::BlockText) {
                    self.nested.reset();
                    self.nested_listing = Listing::default();
                }
            }
        }
    }

    /// A member's value begins: what an earlier member of the same name said is void, because peers
    /// take the last one.
    fn note_presence(&mut self, field: Option<Field>) {
        let params = &mut self.message.params;
        match field {
            Some(Field::Method) => self.message.method = None,
            Some(Field::Id) => self.message.id = None,
            Some(Field::Params) => *params = Params::default(),
            Some(Field::Result) => self.message.result = Some(Answer::default()),
            Some(Field::Error) => self.message.has_error = true,
            Some(Field::Client | Field::ClientName) => params.client = None,
            Some(Field::Meta | Field::MetaClient | Field::MetaClientName) => {
                params.meta_client = None;
            }
            Some(Field::Tool) => params.tool = None,
            Some(Field::RequestId) => params.request = None,
            Some(Field::BlockType) => self.block.is_text = false,
            Some(Field::BlockText) => self.block.listing = None,
            Some(field) => {
                if let Some(result) = &mut self.message.result {
                    match field {
                        Field::IsError => result.failed = false,
                        Field::ResultType => result.is_interim = false,
                        Field::Task => result.is_task = false,
                        Field::Structured => result.structured = Counts::default(),
                        _ => result.first_text = None,
                    }
                }
            }
            None => {}
        }
    }

    fn open(&mut self, field: Option<Field>, kind: Kind) {
        let place = match (self.places.last(), field, kind) {
            (None, _, Kind::Array) => Place::Batch,
            (None | Some(Place::Batch), _, Kind::Object) => {
                self.message = Message::default();
                Place::Message
            }
            (Some(Place::Content), _, Kind::Object) => {
                self.block = Block::default();
                Place::Block
            }
            (_, Some(Field::Params), Kind::Object) => Place::Params,
            (_, Some(Field::Client), Kind::Object) => Place::Client,
            (_, Some(Field::Meta), Kind::Object) => Place::Meta,
            (_, Some(Field::MetaClient), Kind::Object) => Place::MetaClient,
            (_, Some(Field::Result), Kind::Object) => Place::Result,
            (_, Some(Field::Content), Kind::Array) => Place::Content,
            (_, Some(Field::Structured), Kind::Object) => {
                let mut listing = Listing::default();
                listing.visit(Token::Begin(kind));
                self.structured = Some(listing);
                return;
            }
            (_, field, _) => {
                if field == Some(Field::Task)
                    && kind == Kind::Object
                    && let Some(result) = &mut self.message.result
                {
                    result.is_task = true;
                }
                self.ignored = 1;
                return;
            }
        };
        self.places.push(place);
    }

    fn end(&mut self, kind: Kind) {
        match kind {
            Kind::Key => {
                self.in_key = false;
                self.field = match (self.places.last(), self.text.as_str()) {
                    (Some(&place), Some(key)) => Field::named(place, key),
                    _ => None,
                };
            }
            Kind::Text | Kind::Scalar => {
                if let Some(field) = self.reading.take() {
                    self.assign(field, kind);
                }
            }
            Kind::Object | Kind::Array => match self.places.pop() {
                Some(Place::Message) if self.finished.len() < MAX_BATCH => {
                    self.finished.push(std::mem::take(&mut self.message));
                }
                Some(Place::Block) => self.end_block(),
                _ => {}
            },
        }
    }

    fn assign(&mut self, field: Field, kind: Kind) {
        let text = self.text.as_str();
        match field {
            Field::Method => {
                self.message.method = Some(match text {
                    Some("initialize") => Method::Initialize,
                    Some("tools/call") => Method::ToolsCall,
                    Some("notifications/cancelled") => Method::Cancelled,
                    _ => Method::Other,
                });
            }
            Field::Id => self.message.id = text.and_then(|text| Id::read(text, kind)),
            Field::RequestId => {
                self.message.params.request = text.and_then(|text| Id::read(text, kind));
            }
            Field::ClientName => self.message.params.client = Some(owned(text)),
            Field::MetaClientName => self.message.params.meta_client = Some(owned(text)),
            Field::Tool => self.message.params.tool = Some(owned(text)),
            // Some servers send both members, one of them null.
            Field::Error => self.message.has_error = text != Some("null"),
            Field::BlockType => self.block.is_text = text == Some("text"),
            Field::BlockText => {
                self.block.listing =
                    self.nested.is_complete().then(|| self.nested_listing.counts());
            }
            _ => {
                if let Some(result) = &mut self.message.result {
                    match field {
                        Field::IsError => result.failed = text == Some("true"),
                        _ => result.is_interim = text != Some("complete"),
                    }
                }
            }
        }
    }

    /// The first text block counts even when its text is no list.
    fn end_block(&mut self) {
        if let Some(result) = &mut self.message.result
            && self.block.is_text
            && result.first_text.is_none()
        {
            result.first_text = Some(self.block.listing.unwrap_or_default());
        }
    }
}

/// Whether a value of this kind is what `field` holds.
fn reads(field: Field, kind: Kind) -> bool {
    match field {
        Field::Id | Field::RequestId => true,
        Field::IsError | Field::Error => kind == Kind::Scalar,
        Field::Method
        | Field::ClientName
        | Field::MetaClientName
        | Field::Tool
        | Field::ResultType
        | Field::BlockType
        | Field::BlockText => kind == Kind::Text,
        _ => false,
    }
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// At most [`MAX_TEXT`] bytes of a key, name or id.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Bounded {
    fn clear(&mut self) {
        self.bytes.clear();
        self.overflowed = false;
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.overflowed || self.bytes.len() + bytes.len() > MAX_TEXT {
            self.overflowed = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// All of the text, when it was short enough and is UTF-8.
    fn as_str(&self) -> Option<&str> {
        if self.overflowed { None } else { std::str::from_utf8(&self.bytes).ok() }
    }
}

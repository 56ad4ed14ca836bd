//! JSON-RPC messages, one for each line, reduced to what the funnel needs while they pass.
//!
//! One rule: memory is constant. Nothing of a message is kept but its id, method, tool and client
//! names (each bounded) and a few counts; a line of any length is read in pieces and never stored.

use super::listing::Counts;
use super::reader::Reader;
use super::tokens::{Kind, Tokenizer};

/// A request's id, comparable with that of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Id {
    /// An integer, however it was spelled.
    Number(i64),
    /// Any other number, as spelled.
    Spelled(Box<str>),
    /// A string, unescaped.
    Text(Box<str>),
}

impl Id {
    /// `null`, `true` and `false` are no ids. Peers that read numbers as floating point send 1.0 back as
    /// 1: whole numbers are compared by value.
    pub(super) fn read(text: &str, kind: Kind) -> Option<Self> {
        if kind == Kind::Text {
            return Some(Id::Text(text.into()));
        }
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        if let Ok(number) = text.parse() {
            return Some(Id::Number(number));
        }
        Some(match text.parse::<f64>() {
            Ok(number) if number.fract() == 0.0 && number.abs() < 9e15 => Id::Number(number as i64),
            _ => Id::Spelled(text.into()),
        })
    }
}

/// Methods that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Initialize,
    ToolsCall,
    /// The client gives up a request of its own.
    Cancelled,
    Other,
}

/// What is known of one message.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) id: Option<Id>,
    pub(super) method: Option<Method>,
    pub(super) params: Params,
    pub(super) result: Option<Answer>,
    pub(super) has_error: bool,
}

/// Of `params`.
#[derive(Clone, Debug, Default)]
pub(super) struct Params {
    /// `clientInfo.name`; empty when it is too long.
    pub(super) client: Option<String>,
    /// `_meta["io.modelcontextprotocol/clientInfo"].name`; empty when it is too long.
    pub(super) meta_client: Option<String>,
    /// `name`
    pub(super) tool: Option<String>,
    /// `requestId`
    pub(super) request: Option<Id>,
}

/// Of `result`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    /// `isError` is true.
    pub(super) failed: bool,
    /// `resultType` says that this is not the end of the call (`input_required`, `task`).
    pub(super) is_interim: bool,
    /// `task` is an object: a handle, and no result yet (protocol 2025-11-25).
    pub(super) is_task: bool,
    pub(super) structured: Counts,
    pub(super) first_text: Option<Counts>,
}

impl Answer {
    /// Whether a call has ended well.
    pub(super) fn is_result(&self) -> bool {
        !self.failed && !self.is_interim && !self.is_task
    }

    /// Counts of the list of tools: `structuredContent` if it has `tools`, else the first text block.
    pub(super) fn listing(&self) -> Counts {
        match (self.structured.returned, self.first_text) {
            (None, Some(text)) if text.returned.is_some() => text,
            (None, _) => Counts::default(),
            (Some(_), _) => self.structured,
        }
    }
}

/// Reads the lines of one direction.
pub(super) struct Lines {
    tokenizer: Tokenizer,
    reader: Reader,
    /// Nothing of the current line has been read.
    at_start: bool,
    skipping: bool,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { tokenizer: Tokenizer::new(), reader: Reader::new(), at_start: true, skipping: false }
    }

    /// Reads the next bytes. `is_wanted` is asked at the start of each line whether anything in it
    /// could matter; `deliver` gets the messages of each line that is JSON from end to end.
    pub(super) fn feed<C>(
        &mut self,
        bytes: &[u8],
        context: &mut C,
        is_wanted: fn(&C) -> bool,
        deliver: fn(&mut C, Message),
    ) {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', bytes) {
            self.piece(bytes.get(start..newline).unwrap_or_default(), context, is_wanted);
            self.end_line(context, deliver);
            start = newline + 1;
        }
        self.piece(bytes.get(start..).unwrap_or_default(), context, is_wanted);
    }

    /// Bytes are missing here: what can be read next begins after the next newline.
    pub(super) fn lost(&mut self) {
        self.at_start = false;
        self.skipping = true;
    }

    /// The line ends here (by a newline, or because the stream does).
    pub(super) fn end_line<C>(&mut self, context: &mut C, deliver: fn(&mut C, Message)) {
        if !self.skipping && self.tokenizer.is_complete() {
            for message in self.reader.finished() {
                deliver(context, message);
            }
        }
        self.tokenizer.reset();
        self.reader.reset();
        self.at_start = true;
        self.skipping = false;
    }

    fn piece<C>(&mut self, bytes: &[u8], context: &C, is_wanted: fn(&C) -> bool) {
        if bytes.is_empty() {
            return;
        }
        if std::mem::take(&mut self.at_start) {
            self.skipping = !is_wanted(context);
        }
        if !self.skipping {
            self.tokenizer.feed(bytes, &mut self.reader);
            self.skipping = self.tokenizer.is_invalid();
        }
    }
}

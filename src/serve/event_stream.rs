//! Server-sent events, out of the bytes of a body.
//!
//! One rule: an event that is too long costs itself. It is looked through for what it answers, nothing of it is
//! kept, and the events after it are read. Lines that the format does not know are skipped, as it says.

use super::outline::Outline;
use sse_stream::Sse;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio_stream::Stream;

/// A byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";
const DATA: &[u8] = b"data:";

/// An event.
#[derive(Default)]
pub struct Event {
    /// What it says of itself and of the stream; without data.
    pub head: Sse,
    /// What it holds.
    pub data: Data,
}

/// What an event holds.
#[derive(Default)]
pub enum Data {
    /// Nothing.
    #[default]
    Missing,
    /// Its lines.
    Whole(Vec<u8>),
    /// Too much: what is known of it, and its length.
    TooLong(Outline, usize),
}

/// Reads events part by part.
pub struct Parser {
    largest: usize,
    is_begun: bool,
    /// The part before ended with a carriage return.
    after_return: bool,
    line: Vec<u8>,
    rest: Rest,
    event: Option<Event>,
    events: VecDeque<Event>,
}

/// What becomes of the rest of a line.
#[derive(Clone, Copy, PartialEq)]
enum Rest {
    Kept,
    /// It is data of an event that is too long.
    Outlined,
    /// It is too long, and no data.
    Skipped,
}

impl Parser {
    /// Of events with at most `largest` bytes of data.
    pub fn new(largest: usize) -> Self {
        Self {
            largest,
            is_begun: false,
            after_return: false,
            line: Vec::new(),
            rest: Rest::Kept,
            event: None,
            events: VecDeque::new(),
        }
    }

    /// Reads the next part.
    pub fn feed(&mut self, mut part: &[u8]) {
        if std::mem::take(&mut self.after_return) {
            part = part.strip_prefix(b"\n").unwrap_or(part);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', part) {
            let (line, ended) = part.split_at(end);
            self.of_line(line);
            self.end_line();
            part = match ended {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_return = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.of_line(part);
    }

    /// The next event that is whole.
    pub fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Reads a part of a line.
    fn of_line(&mut self, part: &[u8]) {
        match self.rest {
            Rest::Skipped => return,
            Rest::Outlined => return self.outline(part),
            Rest::Kept => self.line.extend_from_slice(part),
        }
        let before = match &self.event {
            Some(Event { data: Data::Whole(data), .. }) => data.len() + 1,
            Some(Event { data: Data::TooLong(..), .. }) if self.line.starts_with(DATA) => {
                self.largest
            }
            _ => 0,
        };
        let field = DATA.len() + 1;
        if before + self.line.len() > self.largest + field {
            self.cut();
        }
    }

    /// Keeps no more of a line.
    fn cut(&mut self) {
        let line = self.take_line();
        let Some(value) = line.strip_prefix(DATA) else {
            self.rest = Rest::Skipped;
            return;
        };
        self.rest = Rest::Outlined;
        let event = self.event.get_or_insert_default();
        if let Data::Whole(before) = &event.data {
            let mut outline = Outline::default();
            outline.feed(before);
            event.data = Data::TooLong(outline, before.len());
        }
        match &mut event.data {
            Data::TooLong(_, length) => *length += 1,
            data => *data = Data::TooLong(Outline::default(), 0),
        }
        self.outline(value.strip_prefix(b" ").unwrap_or(value));
    }

    /// What is read of the line, without the mark at the beginning of all.
    fn take_line(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.is_begun, true) && line.starts_with(BOM) {
            line.drain(..BOM.len());
        }
        line
    }

    fn outline(&mut self, part: &[u8]) {
        if let Some(Event { data: Data::TooLong(outline, length), .. }) = &mut self.event {
            outline.feed(part);
            *length += part.len();
        }
    }

    fn end_line(&mut self) {
        let mut line = self.take_line();
        if std::mem::replace(&mut self.rest, Rest::Kept) != Rest::Kept {
            return;
        }
        if line.is_empty() {
            self.events.extend(self.event.take());
            return;
        }
        let colon = memchr::memchr(b':', &line).unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || Some(String::from_utf8_lossy(value).into_owned());
        match name {
            b"data" => {
                let event = self.event.get_or_insert_default();
                match &mut event.data {
                    Data::Missing => {
                        let before = line.len() - value.len();
                        line.drain(..before);
                        event.data = Data::Whole(line);
                    }
                    Data::Whole(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                    Data::TooLong(outline, length) => {
                        outline.feed(value);
                        *length += value.len() + 1;
                    }
                }
            }
            b"event" => self.event.get_or_insert_default().head.event = text(),
            b"id" if !value.contains(&0) => self.event.get_or_insert_default().head.id = text(),
            b"retry" => {
                let pause = std::str::from_utf8(value).ok().and_then(|it| it.trim().parse().ok());
                if pause.is_some() {
                    self.event.get_or_insert_default().head.retry = pause;
                }
            }
            _ => {}
        }
    }
}

/// The events of a stream of bytes.
pub struct EventStream<S> {
    parts: Pin<Box<S>>,
    parser: Parser,
}

impl<S> EventStream<S> {
    /// Of events with at most `largest` bytes of data.
    pub fn new(parts: S, largest: usize) -> Self {
        Self { parts: Box::pin(parts), parser: Parser::new(largest) }
    }
}

impl<S, B, E> Stream for EventStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = Result<Event, io::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.parser.next() {
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(this.parts.as_mut().poll_next(context)) {
                Some(Ok(part)) => this.parser.feed(part.as_ref()),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                // An event without its end is none.
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;

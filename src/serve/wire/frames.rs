//! The events of our answers.
//!
//! One rule: a message is an event of the type `message`, as the SDKs of other languages send it; some clients
//! read no other. An event without a message goes to those alone that know what it is for.

use super::EVENTS;
use crate::serve::unknown;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use serde_json::Value;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_stream::{Stream, StreamExt as _};

const TYPE: &[u8] = b"event: message\n";
/// How a message begins, as the SDK writes it: one event in each frame.
const DATA: &[u8] = b"data: ";

/// An error that says a method's name and nothing else has this in it, and is short.
const UNKNOWN: &[u8] = b"-32601";
const MOST_BARE: usize = 1024;

/// What a frame of the SDK is.
enum Frame<'a> {
    /// A message.
    Message(&'a [u8]),
    /// An event with an empty message, to begin with.
    Priming,
    /// A comment, or something else.
    Other,
}

impl<'a> Frame<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let Some(rest) = bytes.strip_prefix(DATA) else { return Self::Other };
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        match &rest[..end] {
            [] => Self::Priming,
            message => Self::Message(message),
        }
    }
}

/// The message in a frame.
pub fn message(frame: &[u8]) -> Option<&[u8]> {
    match Frame::of(frame) {
        Frame::Message(message) => Some(message),
        _ => None,
    }
}

/// Whether an answer is events.
pub fn are_events(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(EVENTS.as_bytes()))
}

/// The same answer, its messages named and its errors explained. `primes`: whether the client knows events
/// without a message.
pub async fn named(response: Response, primes: bool) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        return explained(response).await;
    }
    if !are_events(&response) {
        return response;
    }
    response.map(|body| {
        let frames = body.into_data_stream();
        let kept = frames.filter(move |frame| {
            let is_priming = |frame: &Bytes| matches!(Frame::of(frame), Frame::Priming);
            primes || !frame.as_ref().is_ok_and(is_priming)
        });
        Body::from_stream(Named { frames: kept, waiting: None })
    })
}

/// In the modern era an unknown method is an answer of its own.
async fn explained(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Some(message) = explain(&body) else {
        return Response::from_parts(head, Body::from(body));
    };
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(message))
}

/// The message with its reason, if it is an error that says a method's name and nothing else.
fn explain(message: &[u8]) -> Option<String> {
    if message.len() > MOST_BARE || memchr::memmem::find(message, UNKNOWN).is_none() {
        return None;
    }
    let mut message: Value = serde_json::from_slice(message).ok()?;
    let mut error = serde_json::from_value(message.get("error")?.clone()).ok()?;
    unknown::explain(&mut error).then_some(())?;
    message["error"] = serde_json::to_value(error).ok()?;
    Some(message.to_string())
}

/// Puts the type in front of each message; the message itself, which may be long, is not copied.
struct Named<S> {
    frames: S,
    waiting: Option<Bytes>,
}

impl<S: Stream<Item = Result<Bytes, axum::Error>> + Unpin> Stream for Named<S> {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(waiting) = this.waiting.take() {
            return Poll::Ready(Some(Ok(waiting)));
        }
        Pin::new(&mut this.frames).poll_next(context).map(|frame| {
            let frame = frame?;
            Some(frame.map(|frame| {
                let Frame::Message(message) = Frame::of(&frame) else { return frame };
                let rest = frame.slice(DATA.len() + message.len()..);
                this.waiting = Some(match explain(message) {
                    None => frame,
                    Some(explained) => [DATA, explained.as_bytes(), &rest].concat().into(),
                });
                Bytes::from_static(TYPE)
            }))
        })
    }
}

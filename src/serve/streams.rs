//! The messages in a stream of events: the answer to a POST, or what a GET brings.
//!
//! One rule: they are read by [`OfServer`], and written anew as the SDK reads them. A message that is too long ends the
//! request that it answers, and no other.

use super::event_stream::{Data, Event, EventStream};
use super::events::Events;
use super::http_client::{Failed, Headers};
use super::lines::Length;
use super::messages::{Heard, OfServer, Reader as _, with_headers};
use super::post::{busy, challenge, for_us, is};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use reqwest::Response;
use rmcp::model::RequestId;
use rmcp::service::RoleClient;
use rmcp::transport::streamable_http_client::{SseError, StreamableHttpError};
use sse_stream::Sse;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio_stream::Stream;

/// A request for a stream.
pub struct Get {
    /// The server's address.
    pub uri: Arc<str>,
    /// The session it belongs to.
    pub session: Option<Arc<str>>,
    /// The last event that came, where an earlier stream broke.
    pub last_event: Option<String>,
    /// A bearer token.
    pub authorization: Option<String>,
    /// The headers of the server's entry, and of the protocol.
    pub headers: Headers,
    /// How much data an event may have.
    pub largest: usize,
}

impl Get {
    /// Sends it.
    pub async fn send(self, client: reqwest::Client, reader: OfServer) -> Result<Events, Failed> {
        let (session, token) = (self.session.as_deref(), self.authorization.as_deref());
        let mut request = for_us(client.get(&*self.uri), session, token, &self.headers)?;
        if let Some(last) = &self.last_event {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers());
        if status == StatusCode::METHOD_NOT_ALLOWED {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        if let Some(error) = challenge(status, headers)? {
            return Err(error);
        }
        if let Some(error) = busy(status, headers) {
            return Err(error.into());
        }
        let response = response.error_for_status()?;
        let headers = response.headers();
        if !["text/event-stream", "application/json"].iter().any(|kind| is(headers, kind)) {
            let kind = headers.get(CONTENT_TYPE);
            let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
            return Err(StreamableHttpError::UnexpectedContentType(kind));
        }
        Ok(Read::answering(response, self.largest, reader, None, false))
    }
}

/// Events on their way to the SDK.
pub struct Read<S> {
    events: S,
    largest: usize,
    reader: OfServer,
    /// The request that the stream answers.
    asked: Option<RequestId>,
    is_for_tools: bool,
    read: VecDeque<Sse>,
}

impl Read<()> {
    /// The events of `response`, each with at most `largest` bytes of data.
    pub fn answering(
        response: Response,
        largest: usize,
        reader: OfServer,
        asked: Option<RequestId>,
        is_for_tools: bool,
    ) -> Events {
        let events = EventStream::new(response.bytes_stream(), largest);
        Box::pin(Read { events, largest, reader, asked, is_for_tools, read: VecDeque::new() })
    }
}

impl<S> Read<S> {
    fn take(&mut self, Event { head, data }: Event) {
        let is_message = head.event.as_deref().is_none_or(|kind| matches!(kind, "" | "message"));
        let heard = match data {
            Data::Whole(data) if is_message && !data.trim_ascii().is_empty() => {
                self.reader.read(data)
            }
            Data::TooLong(outline, length) if is_message => {
                let about = outline.about_answer(self.asked.clone());
                let why = Length::Exactly(length).words(self.largest);
                self.reader.too_long(about, &why).into_iter().collect()
            }
            // Its id and its pause count all the same.
            _ => Vec::new(),
        };
        let mut messages: Vec<String> =
            heard.into_iter().filter_map(|it| self.written(it)).collect();
        let last = messages.pop();
        let alone = |data| Sse { data: Some(data), ..Sse::default() };
        self.read.extend(messages.into_iter().map(alone));
        self.read.push_back(Sse { data: last, ..head });
    }

    fn written(&self, heard: Heard<RoleClient>) -> Option<String> {
        let Heard::Message(message) = heard else { return None };
        let message = if self.is_for_tools { with_headers(message) } else { message };
        serde_json::to_string(&message).ok()
    }
}

impl<S: Stream<Item = Result<Event, io::Error>> + Unpin> Stream for Read<S> {
    type Item = Result<Sse, SseError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.read.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(Pin::new(&mut this.events).poll_next(context)) {
                Some(Ok(event)) => this.take(event),
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(SseError::Body(Box::new(error)))));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;

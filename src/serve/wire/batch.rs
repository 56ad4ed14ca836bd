//! Batches: several messages in one POST.
//!
//! One rule: each message is asked for itself, in its order, and the answers come back together as JSON.

use super::super::batches::{self, MOST_ANSWERS, Message};
use super::{VERSION, error, frames, unread};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

/// Answers the batch in `body`.
pub async fn answer(head: Parts, body: &Bytes, next: Next) -> Response {
    let messages: Vec<&RawValue> = match serde_json::from_slice(body) {
        Ok(messages) => messages,
        Err(why) => {
            let (line, column) = (why.line(), why.column());
            let words = format!("the body is not JSON: it is wrong at line {line} column {column}");
            return error(StatusCode::BAD_REQUEST, None, unread(words));
        }
    };
    let version = head.headers.get(VERSION).and_then(|version| version.to_str().ok());
    if let Some(why) = batches::refused(&messages, version) {
        return error(StatusCode::BAD_REQUEST, None, why);
    }
    let mut answers = JoinSet::new();
    for (place, message) in messages.iter().enumerate() {
        let text = Bytes::from(message.get().to_owned());
        let response = super::one(alone(&head), text, next.clone()).await;
        if !response.status().is_success() && !is_json(&response) {
            // It is of the session, which all of them have in common.
            return response;
        }
        if response.status() != StatusCode::ACCEPTED {
            answers.spawn(async move { (place, collected(response).await) });
        }
    }
    let mut found = answers.join_all().await;
    found.sort_by_key(|(place, _)| *place);
    let found: Vec<String> = found.into_iter().filter_map(|(_, answer)| answer).collect();
    if found.is_empty() {
        let mut accepted = Response::new(Body::empty());
        *accepted.status_mut() = StatusCode::ACCEPTED;
        return accepted;
    }
    let mut response = Response::new(Body::from(format!("[{}]", found.join(","))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(super::JSON));
    response
}

/// The head of one message, as if it had come alone.
fn alone(head: &Parts) -> Parts {
    let (mut alone, ()) = Request::new(()).into_parts();
    alone.method = head.method.clone();
    alone.uri = head.uri.clone();
    alone.headers = head.headers.clone();
    alone.headers.remove(CONTENT_LENGTH);
    alone
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == super::JSON)
}

/// The answer in a response: what is told on the way to it is left out.
async fn collected(response: Response) -> Option<String> {
    if !frames::are_events(&response) {
        let body = to_bytes(response.into_body(), MOST_ANSWERS).await.ok()?;
        return text(&body);
    }
    let mut frames = response.into_body().into_data_stream();
    while let Some(Ok(frame)) = frames.next().await {
        let Some(message) = frames::message(&frame) else { continue };
        let looked = serde_json::from_slice::<Message>(message).ok()?;
        if looked.method.is_none() {
            return text(message);
        }
    }
    None
}

fn text(message: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(message).ok()?;
    serde_json::from_str::<&RawValue>(text).ok().map(|it| it.get().to_owned())
}

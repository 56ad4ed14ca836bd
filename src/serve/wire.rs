//! MCP over HTTP, as clients of the field speak it: between the limits and the SDK.
//!
//! One rule: what the SDK does right passes untouched. A request is made one that the SDK reads, or is answered
//! here; an answer is made one that older and simpler clients read.

mod batch;
mod frames;

use super::greeting::{self, Lacking};
use super::limits::MOST_BYTES;
use super::messages::BOM;
use super::sessions::Sessions;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, ProtocolVersion, RequestId};
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use std::sync::Arc;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";
/// A request that begins a session is shorter.
const MOST_GREETING: usize = 1 << 20;

/// Lets a request to `/mcp` through to the SDK, which serves `sessions`.
pub async fn polite(
    State(sessions): State<Arc<Sessions>>,
    mut request: Request,
    next: Next,
) -> Response {
    match *request.method() {
        Method::POST => post(request, next).await,
        Method::GET => {
            accept(request.headers_mut(), &[EVENTS]);
            let primes = primes(request.headers());
            frames::named(next.run(request).await, primes).await
        }
        Method::DELETE => delete(&sessions, request, next).await,
        _ => next.run(request).await,
    }
}

async fn post(mut request: Request, next: Next) -> Response {
    accept(request.headers_mut(), &[JSON, EVENTS]);
    let (head, body) = request.into_parts();
    // It is in memory already, and within the limit.
    let Ok(body) = to_bytes(body, MOST_BYTES).await else {
        return error(StatusCode::BAD_REQUEST, None, unread("the body cannot be read".into()));
    };
    let is_json = essence(&head.headers).is_some_and(|it| it.eq_ignore_ascii_case(JSON));
    if is_json && body.trim_ascii_start().first() == Some(&b'[') {
        return batch::answer(head, &body, next).await;
    }
    one(head, body, next).await
}

/// Answers one message.
async fn one(head: Parts, body: Bytes, next: Next) -> Response {
    let is_json = essence(&head.headers).is_some_and(|it| it.eq_ignore_ascii_case(JSON));
    let mut primes = primes(&head.headers);
    // Where there is no handshake, `initialize` is a method like any other that is not there.
    let greets = !head.headers.contains_key(SESSION) && !is_modern(&head.headers);
    if is_json && greets && body.len() <= MOST_GREETING {
        match greeting::of(&body) {
            Some(Err(Lacking { id, words })) => {
                return answer(StatusCode::OK, id, ErrorData::invalid_params(words, None));
            }
            Some(Ok(version)) => primes = is_primed(&version),
            None => {}
        }
    }
    let response = next.run(Request::from_parts(head, Body::from(body.clone()))).await;
    if is_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        let (id, why) = unreadable(&body);
        return error(StatusCode::BAD_REQUEST, id, why);
    }
    frames::named(response, primes).await
}

async fn delete(sessions: &Sessions, request: Request, next: Next) -> Response {
    let id = request.headers().get(SESSION).and_then(|id| id.to_str().ok());
    if let Some(id) = id
        && !sessions.has_session(&id.into()).await.unwrap_or(true)
    {
        let words = "there is no such session: it has ended, or never began here";
        return error(StatusCode::NOT_FOUND, None, ErrorData::new(ErrorCode(-32001), words, None));
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::ACCEPTED {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// Writes the types out that a client accepts by saying nothing, or by a wildcard: the SDK reads no others.
fn accept(headers: &mut HeaderMap, types: &[&str]) {
    let given: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|it| it.to_str().ok()).collect();
    let ranges: Vec<String> = given
        .iter()
        .flat_map(|list| list.split(','))
        .filter(|range| !is_refused(range))
        .filter_map(|range| Some(range.split(';').next()?.trim().to_ascii_lowercase()))
        .collect();
    let covers = |wanted: &str| {
        let family = wanted.split('/').next().unwrap_or_default();
        ranges.iter().any(|range| {
            range == "*/*" || range == wanted || range.strip_suffix("/*") == Some(family)
        })
    };
    let is_silent = headers.get_all(ACCEPT).iter().all(|it| it.as_bytes().trim_ascii().is_empty());
    if (is_silent || types.iter().all(|wanted| covers(wanted)))
        && let Ok(value) = HeaderValue::from_str(&types.join(", "))
    {
        headers.insert(ACCEPT, value);
    }
}

/// `q=0`
fn is_refused(range: &str) -> bool {
    let mut parameters = range.split(';').skip(1).filter_map(|it| it.split_once('='));
    parameters.any(|(name, weight)| {
        let is_zero = |weight: &str| weight.parse::<f32>().is_ok_and(|weight| weight == 0.0);
        name.trim().eq_ignore_ascii_case("q") && is_zero(weight.trim())
    })
}

fn essence(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

/// Whether a client is told by an event without a message where to go on: those before 2025-11-25 read every
/// event as a message.
fn primes(headers: &HeaderMap) -> bool {
    headers.get(VERSION).and_then(|version| version.to_str().ok()).is_some_and(is_primed)
}

/// Whether a request says that it is of a version without a handshake.
fn is_modern(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION).and_then(|version| version.to_str().ok());
    version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28.as_str())
}

fn is_primed(version: &str) -> bool {
    version >= ProtocolVersion::V_2025_11_25.as_str()
}

/// Why the SDK could not read a body, and the id in it.
fn unreadable(body: &Bytes) -> (Option<RequestId>, ErrorData) {
    #[derive(Deserialize)]
    struct Named {
        id: Option<RequestId>,
    }
    if body.trim_ascii().is_empty() {
        return (None, unread("the body is empty".into()));
    }
    if let Some(rest) = body.strip_prefix(BOM) {
        let words = "the body begins with a byte order mark, which JSON does not have";
        let id = serde_json::from_slice::<Named>(rest).ok().and_then(|it| it.id);
        return (id, unread(words.into()));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let id = serde_json::from_value::<Named>(value).ok().and_then(|it| it.id);
            let words = "the body is JSON and no JSON-RPC message: it has `jsonrpc` (\"2.0\") and `method`, \
                         `result` or `error`, and a request has an `id`";
            (id, ErrorData::invalid_request(words, None))
        }
        Err(error) => {
            let what = match error.classify() {
                Category::Eof => "it ends too early",
                _ => "it is wrong",
            };
            let (line, column) = (error.line(), error.column());
            (None, unread(format!("the body is not JSON: {what} at line {line} column {column}")))
        }
    }
}

fn unread(words: String) -> ErrorData {
    ErrorData::parse_error(words, None)
}

fn error(status: StatusCode, id: Option<RequestId>, error: ErrorData) -> Response {
    answer(status, id.map_or(Value::Null, |id| id.into_json_value()), error)
}

/// An error as a client reads it: one that names no request says so.
fn answer(status: StatusCode, id: Value, error: ErrorData) -> Response {
    let mut message = serde_json::to_value(JsonRpcError::new(None, error)).unwrap_or_default();
    message["id"] = id;
    let mut response = Response::new(Body::from(message.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

#[cfg(test)]
mod tests;

//! One message of ours to an HTTP server, and what comes back.
//!
//! One rule: as the SDK's own client does it, but that bodies and events are read by [`OfServer`]: what has the id
//! of a request ends it.

use super::http_client::{Failed, Headers};
use super::lines::Length;
use super::messages::{Heard, OfServer, Reader as _, asks_for_tools, with_headers};
use super::outline::Outline;
use super::streams::Read;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use reqwest::{RequestBuilder, Response};
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
    StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use std::sync::Arc;
use tokio_stream::StreamExt as _;

const SESSION: &str = "mcp-session-id";
/// Headers that the protocol has for itself.
const RESERVED: [&str; 3] = ["accept", SESSION, "last-event-id"];

/// What is said of a body that is packed.
pub const PACKED: &str = "it is compressed (gzip), which the gateway does not ask for";
/// What is said of a server that begins so.
pub const PACKED_ANSWER: &str =
    "its answer cannot be read: it is compressed (gzip), which the gateway does not ask for";
/// How such a body begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// A message, and where it goes.
pub struct Post {
    /// The server's address.
    pub uri: Arc<str>,
    /// What is sent.
    pub message: ClientJsonRpcMessage,
    /// The session it belongs to.
    pub session: Option<Arc<str>>,
    /// A bearer token.
    pub authorization: Option<String>,
    /// The headers of the server's entry, and of the protocol.
    pub headers: Headers,
    /// How much may come back.
    pub limits: StreamableHttpResponseLimits,
}

impl Post {
    /// Sends it.
    pub async fn send(
        self,
        client: &reqwest::Client,
        reader: &OfServer,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        reader.sends(&self.message);
        let request = client
            .post(&*self.uri)
            .header(CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(&self.message)?);
        let session = self.session.as_deref();
        let request = for_us(request, session, self.authorization.as_deref(), &self.headers)?;
        self.received(request.send().await?, reader).await
    }

    async fn received(
        self,
        response: Response,
        reader: &OfServer,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let (status, headers) = (response.status(), response.headers());
        if let Some(error) = challenge(status, headers)? {
            return Err(error);
        }
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status == StatusCode::NOT_FOUND && self.session.is_some() {
            return Err(StreamableHttpError::SessionExpired);
        }
        if !status.is_success() {
            return self.refused(response, reader).await;
        }
        let asked = match &self.message {
            JsonRpcMessage::Request(asked) => Some(asked.id.clone()),
            _ => None,
        };
        if asked.is_none() && response.content_length() == Some(0) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let session = headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let is_for_tools = asks_for_tools(&self.message);
        if is(headers, "text/event-stream") {
            let largest = self.limits.max_sse_event_size;
            let events = Read::answering(response, largest, reader.clone(), asked, is_for_tools);
            return Ok(StreamableHttpPostResponse::Sse(Box::pin(events), session));
        }
        let Some(asked) = asked else {
            // Nothing is waited for.
            return Ok(StreamableHttpPostResponse::Accepted);
        };
        if !is(headers, "application/json") {
            let kind = headers
                .get(CONTENT_TYPE)
                .map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
            return Err(StreamableHttpError::UnexpectedContentType(kind));
        }
        let most = self.limits.max_json_response_size;
        let message = match body(response, most).await? {
            // The SDK keeps no words of an answer with which no session begins.
            Body::Whole(body) if body.starts_with(GZIP) && begins_session(&self.message) => {
                return Err(StreamableHttpError::UnexpectedServerResponse(PACKED.into()));
            }
            Body::Whole(body) => answer(reader, body, &asked),
            Body::TooLong(outline, length) => {
                let about = outline.about_answer(Some(asked));
                match reader.too_long(about, &length.words(most)) {
                    Some(Heard::Message(message)) => message,
                    _ => return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: most }),
                }
            }
        };
        let message = if is_for_tools { with_headers(message) } else { message };
        Ok(StreamableHttpPostResponse::Json(message, session))
    }

    /// What a status that is no success comes to.
    async fn refused(
        self,
        response: Response,
        reader: &OfServer,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let (status, headers) = (response.status(), response.headers());
        let is_json = is(headers, "application/json");
        let failure = busy(status, headers);
        let failure = match failure {
            Some(error) if !is_json || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(error.into());
            }
            failure => failure,
        };
        let is_auth = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let most = match is_json && !is_auth {
            true => self.limits.max_json_response_size,
            false => self.limits.max_error_response_size,
        };
        let text = match body(response, most).await {
            Ok(Body::Whole(text)) => text,
            Ok(Body::TooLong(..)) if is_json && !is_auth => {
                let error = StreamableHttpError::ResponseBodyTooLarge { max_size: most };
                return Err(failure.map_or(error, Into::into));
            }
            _ => Vec::new(),
        };
        let said = match is_json && !is_auth {
            true => reader.read(text.clone()).into_iter().find_map(|heard| match heard {
                Heard::Message(message @ JsonRpcMessage::Error(_)) => Some(message),
                _ => None,
            }),
            false => None,
        };
        if let Some(refusal) = self.refused_discovery(status, said.as_ref()) {
            return Ok(StreamableHttpPostResponse::Json(refusal, None));
        }
        match (said, failure) {
            (Some(said), _) => Ok(StreamableHttpPostResponse::Json(said, None)),
            (None, Some(failure)) => Err(failure.into()),
            (None, None) => {
                let text = String::from_utf8_lossy(&text);
                let text: String = text.chars().take(1024).collect();
                let words = format!("HTTP {status}: {text}");
                Err(StreamableHttpError::UnexpectedServerResponse(words.into()))
            }
        }
    }

    /// A server of the older era refuses `server/discover` in many ways; each is an answer to it.
    fn refused_discovery(
        &self,
        status: StatusCode,
        said: Option<&ServerJsonRpcMessage>,
    ) -> Option<ServerJsonRpcMessage> {
        let JsonRpcMessage::Request(asked) = &self.message else { return None };
        let is_auth = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let is_refused = self.session.is_none() && status.is_client_error() && !is_auth;
        if !is_refused || !matches!(asked.request, ClientRequest::DiscoverRequest(_)) {
            return None;
        }
        let error = match said {
            Some(JsonRpcMessage::Error(error)) => error.error.clone(),
            _ => ErrorData::invalid_request(format!("refused with HTTP {status}"), None),
        };
        Some(ServerJsonRpcMessage::error(error, Some(asked.id.clone())))
    }
}

/// A request that says what we read, and who we are.
pub fn for_us(
    mut request: RequestBuilder,
    session: Option<&str>,
    authorization: Option<&str>,
    headers: &Headers,
) -> Result<RequestBuilder, Failed> {
    request = request.header(ACCEPT, "text/event-stream, application/json");
    if let Some(token) = authorization {
        request = request.bearer_auth(token);
    }
    for (name, value) in headers {
        if RESERVED.contains(&name.as_str()) {
            return Err(StreamableHttpError::ReservedHeaderConflict(name.to_string()));
        }
        request = request.header(name, value);
    }
    if let Some(session) = session {
        request = request.header(SESSION, session);
    }
    Ok(request)
}

fn begins_session(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, JsonRpcMessage::Request(it) if matches!(
        it.request,
        ClientRequest::DiscoverRequest(_) | ClientRequest::InitializeRequest(_)
    ))
}

/// The answer in a body. One without any, or for others, is an answer that cannot be read.
fn answer(reader: &OfServer, body: Vec<u8>, asked: &RequestId) -> ServerJsonRpcMessage {
    let why = match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        _ if body.iter().all(u8::is_ascii_whitespace) => "it is empty",
        _ if body.starts_with(GZIP) => PACKED,
        Ok(_) => "it is no JSON-RPC message",
        Err(_) => "it is not valid JSON",
    };
    let heard = reader.read(body).into_iter();
    let message = heard.filter_map(|heard| match heard {
        Heard::Message(message) => Some(message),
        Heard::Reply(..) | Heard::Text(_) => None,
    });
    let is_answer = |it: &ServerJsonRpcMessage| {
        matches!(it, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_))
    };
    message.filter(is_answer).last().unwrap_or_else(|| {
        ServerJsonRpcMessage::response(
            super::messages::Answer::Unreadable(why.to_owned()).wrapped(),
            asked.clone(),
        )
    })
}

/// A failure that may pass.
pub fn busy(status: StatusCode, headers: &HeaderMap) -> Option<HttpStatusError> {
    (status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error())
        .then(|| HttpStatusError::new(status.as_u16(), retry_after(headers)))
}

/// Whether a response is of that type.
pub fn is(headers: &HeaderMap, kind: &str) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = essence.and_then(|value| value.split(';').next());
    essence.is_some_and(|value| value.trim().eq_ignore_ascii_case(kind))
}

fn retry_after(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(RETRY_AFTER)?.to_str().ok()?.to_owned())
}

/// What the server asks of a client that it does not let in.
pub fn challenge(status: StatusCode, headers: &HeaderMap) -> Result<Option<Failed>, Failed> {
    let Some(asked) = headers.get(WWW_AUTHENTICATE) else { return Ok(None) };
    if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Ok(None);
    }
    let asked = asked.to_str().map_err(|_| {
        StreamableHttpError::UnexpectedServerResponse(
            "invalid www-authenticate header value".into(),
        )
    })?;
    Ok(Some(match status {
        StatusCode::UNAUTHORIZED => {
            StreamableHttpError::AuthRequired(AuthRequiredError::new(asked.to_owned()))
        }
        _ => StreamableHttpError::InsufficientScope(InsufficientScopeError::new(
            asked.to_owned(),
            None,
        )),
    }))
}

enum Body {
    Whole(Vec<u8>),
    TooLong(Outline, Length),
}

/// The body, at most `most` bytes of it. One that does not say how long it is is not read to its end.
async fn body(response: Response, most: usize) -> Result<Body, Failed> {
    let declared = response.content_length().and_then(|length| usize::try_from(length).ok());
    if let Some(length) = declared.filter(|length| *length > most) {
        return Ok(Body::TooLong(Outline::default(), Length::Exactly(length)));
    }
    let mut parts = response.bytes_stream();
    let mut whole = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part?;
        if whole.len() + part.len() > most {
            let mut outline = Outline::default();
            outline.feed(&whole);
            outline.feed(&part);
            return Ok(Body::TooLong(outline, Length::MoreThan(most)));
        }
        whole.extend_from_slice(&part);
    }
    Ok(Body::Whole(whole))
}

//! The HTTP client that the SDK uses for one upstream server.
//!
//! One rule: the SDK decides what is sent; here events are held back while the server does not read its
//! answers, and the server is asked whether it is there without waiting in the SDK's queue.
//!
//! `server/discover` is an ordering barrier there: it starts when no POST is open, and none starts before it is
//! answered. A look of ours would wait for the slowest call, and every other call for the look.

use super::backpressure::{Answers, Gate};
use super::messages::OfServer;
use super::post::{Post, Read};
use axum::http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::Sse;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_stream::Stream;

/// What an HTTP server sends by and by.
pub type Events = Pin<Box<dyn Stream<Item = Result<Sse, SseError>> + Send>>;
/// How a request to a server fails.
pub type Failed = StreamableHttpError<reqwest::Error>;
/// Headers of a request.
pub type Headers = HashMap<HeaderName, HeaderValue>;

/// A client whose answers are counted.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    answers: Answers,
    probe: Probe,
    reader: OfServer,
}

/// The question with which the SDK found out that the server speaks the modern era: any answer to it shows
/// that the server is there.
#[derive(Clone, Default)]
pub struct Probe(Arc<Mutex<Option<Question>>>);

#[derive(Clone)]
struct Question {
    client: reqwest::Client,
    uri: Arc<str>,
    message: ClientJsonRpcMessage,
    authorization: Option<String>,
    headers: Headers,
    limits: StreamableHttpResponseLimits,
    reader: OfServer,
}

impl Probe {
    /// Asks beside the SDK's queue. `None` for a server that was never asked so.
    pub async fn ask(&self) -> Option<Result<(), Failed>> {
        let question = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let Question { client, uri, message, authorization, headers, limits, reader } = question;
        let post = Post { uri, message, session: None, authorization, headers, limits };
        let answer = post.send(&client, &reader);
        Some(answer.await.map(drop))
    }

    fn keep(&self, question: impl FnOnce() -> Question) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(question);
    }
}

impl HttpClient {
    /// Counts into `answers`, and reads what comes as `reader` does.
    pub fn new(inner: reqwest::Client, answers: Answers, reader: OfServer) -> Self {
        Self { inner, answers, probe: Probe::default(), reader }
    }

    /// The question whether the server is there.
    pub fn probe(&self) -> Probe {
        self.probe.clone()
    }

    fn gated(&self, events: Events) -> Events {
        Box::pin(Gate::new(events, self.answers.clone()))
    }
}

/// What a server answers that is there and not (or no longer) for us.
const REFUSALS: [&str; 4] = ["HTTP 401", "HTTP 403", "HTTP 404", "HTTP 410"];

/// Whether the server answered, if only that it is busy or broken; not if it refused us.
pub fn was_answered(error: &Failed) -> bool {
    match error {
        Failed::HttpStatus(_)
        | Failed::ResponseBodyTooLarge { .. }
        | Failed::UnexpectedContentType(_)
        | Failed::Deserialize(_) => true,
        // The SDK has no other place for the status than its words.
        Failed::UnexpectedServerResponse(words) => !REFUSALS.iter().any(|it| words.starts_with(it)),
        _ => false,
    }
}

fn is_discovery(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, JsonRpcMessage::Request(it) if matches!(it.request, ClientRequest::DiscoverRequest(_)))
}

impl StreamableHttpClient for HttpClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(
            uri,
            message,
            session,
            authorization,
            headers,
            limits,
        )
        .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        authorization: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        if is_discovery(&message) {
            self.probe.keep(|| Question {
                client: self.inner.clone(),
                uri: uri.clone(),
                message: message.clone(),
                authorization: authorization.clone(),
                headers: headers.clone(),
                limits,
                reader: self.reader.clone(),
            });
        }
        let post = Post { uri, message, session, authorization, headers, limits };
        Ok(match post.send(&self.inner, &self.reader).await? {
            StreamableHttpPostResponse::Sse(events, session) => {
                StreamableHttpPostResponse::Sse(self.gated(events), session)
            }
            answer => answer,
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Result<(), Failed> {
        self.inner.delete_session(uri, session, authorization, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        authorization: Option<String>,
        headers: Headers,
    ) -> Result<Events, Failed> {
        let events = self.inner.get_stream(uri, session, last_event, authorization, headers);
        Ok(self.gated(Box::pin(Read::new(events.await?, self.reader.clone()))))
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        authorization: Option<String>,
        headers: Headers,
        largest: usize,
    ) -> Result<Events, Failed> {
        let events = self.inner.get_stream_with_max_sse_event_size(
            uri,
            session,
            last_event,
            authorization,
            headers,
            largest,
        );
        Ok(self.gated(Box::pin(Read::new(events.await?, self.reader.clone()))))
    }
}

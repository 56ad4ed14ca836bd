//! The HTTP client that the SDK uses for one upstream server.
//!
//! One rule: the SDK decides what is sent; here events are held back while the server does not read its
//! answers, and the server is asked whether it is there without waiting in the SDK's queue.
//!
//! `server/discover` is an ordering barrier there: it starts when no POST is open, and none starts before it is
//! answered. A look of ours would wait for the slowest call, and every other call for the look.

use super::backpressure::{Answers, Gate};
use super::era;
use super::events::{Events, Tidy};
use super::messages::OfServer;
use super::post::Post;
use super::streams::Get;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, RequestId};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a request to a server fails.
pub type Failed = StreamableHttpError<reqwest::Error>;
/// Headers of a request.
pub type Headers = HashMap<HeaderName, HeaderValue>;

/// A client whose answers are counted.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    tidy: Tidy,
    answers: Answers,
    probe: Probe,
    /// How long the answer to `server/discover` is waited for, as [`era::Begin::silence`] has it.
    silence: Option<Duration>,
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
}

impl Probe {
    /// Asks beside the SDK's queue: the status of the answer, or that it was not reached. `None` for
    /// a server that was never asked so.
    pub async fn ask(&self) -> Option<Result<u16, reqwest::Error>> {
        let question = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let Question { client, uri, message, authorization, headers } = question;
        let body = serde_json::to_vec(&message).unwrap_or_default();
        let mut request = client.post(&*uri).body(body).header(CONTENT_TYPE, "application/json");
        request = request.header(ACCEPT, "text/event-stream, application/json");
        if let Some(token) = authorization {
            request = request.bearer_auth(token);
        }
        request =
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        // The SDK makes an answer out of a refusal, and keeps nothing of its status.
        Some(request.send().await.map(|answer| answer.status().as_u16()))
    }

    fn keep(&self, question: impl FnOnce() -> Question) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(question);
    }
}

impl HttpClient {
    /// Counts into `answers`, and reads what comes as `reader` does.
    pub fn new(
        inner: reqwest::Client,
        answers: Answers,
        silence: Option<Duration>,
        reader: OfServer,
    ) -> Self {
        let (tidy, probe) = (Tidy::new(), Probe::default());
        Self { inner, tidy, answers, probe, silence, reader }
    }

    /// The question whether the server is there.
    pub fn probe(&self) -> Probe {
        self.probe.clone()
    }

    /// Sends; the events that answer are tidied like those of a stream.
    async fn sent(&self, post: Post) -> Result<StreamableHttpPostResponse, Failed> {
        let answer = post.send(&self.inner, &self.reader).await?;
        Ok(self.tidy.tidied(answer))
    }

    fn gated(&self, events: Events) -> Events {
        Box::pin(Gate::new(events, self.answers.clone()))
    }
}

/// What a server answers that is there and not (or no longer) for us.
const REFUSALS: [&str; 4] = ["HTTP 401", "HTTP 403", "HTTP 404", "HTTP 410"];
/// The same, as numbers.
pub const REFUSED: [u16; 4] = [401, 403, 404, 410];

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

/// The requests that begin a session, each with its id.
enum Beginning {
    Discovery(RequestId),
    Handshake,
}

impl Beginning {
    fn of(message: &ClientJsonRpcMessage) -> Option<Self> {
        let JsonRpcMessage::Request(it) = message else { return None };
        match it.request {
            ClientRequest::DiscoverRequest(_) => Some(Self::Discovery(it.id.clone())),
            ClientRequest::InitializeRequest(_) => Some(Self::Handshake),
            _ => None,
        }
    }
}

/// The first answer, whether it is among events or not.
async fn first(answer: StreamableHttpPostResponse) -> Result<StreamableHttpPostResponse, Failed> {
    if let StreamableHttpPostResponse::Accepted = answer {
        return Ok(answer);
    }
    let (message, session) = answer.expect_initialized().await?;
    Ok(StreamableHttpPostResponse::Json(message, session))
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
        let beginning = Beginning::of(&message);
        if let Some(Beginning::Discovery(_)) = beginning {
            self.probe.keep(|| Question {
                client: self.inner.clone(),
                uri: uri.clone(),
                message: message.clone(),
                authorization: authorization.clone(),
                headers: headers.clone(),
            });
        }
        let post = Post { uri, message, session, authorization, headers, limits };
        let answer = self.sent(post);
        match beginning {
            None => Ok(match answer.await? {
                StreamableHttpPostResponse::Sse(events, session) => {
                    StreamableHttpPostResponse::Sse(self.gated(events), session)
                }
                answer => answer,
            }),
            Some(Beginning::Discovery(id)) => {
                let refused = || StreamableHttpPostResponse::Json(era::refusal(id), None);
                let answer = async { first(answer.await?).await };
                let answer = match self.silence {
                    Some(silence) => tokio::time::timeout(silence, answer).await,
                    None => Ok(answer.await),
                };
                match answer {
                    Ok(Ok(StreamableHttpPostResponse::Accepted)) | Err(_) => Ok(refused()),
                    Ok(answer) => answer,
                }
            }
            Some(Beginning::Handshake) => {
                let mut answer = first(answer.await?).await?;
                if let StreamableHttpPostResponse::Json(message, _) = &mut answer {
                    era::without_modern_version(message);
                }
                Ok(answer)
            }
        }
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
        let largest = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(
            uri,
            session,
            last_event,
            authorization,
            headers,
            largest,
        )
        .await
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
        let last = last_event.clone();
        let get = Get { uri, session, last_event, authorization, headers, largest };
        let events = self.tidy.open(last, get.send(self.inner.clone(), self.reader.clone()));
        Ok(self.gated(events.await?))
    }
}

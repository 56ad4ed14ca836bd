//! The paths of the collector, and what each answers.
//!
//! One rule: an answer says a rule and a place, never a value, and nothing about a request is logged.

use super::answer::{Answer, Refused, names};
use super::floods::Origin;
use super::limits::Limit;
use super::origin::{Network, Origins};
use super::receive::Receiver;
use crate::contract::MAX_PAYLOAD_BYTES;
use crate::json;
use crate::web::connections::Peer;
use crate::web::places::Place;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, post};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tells the time: seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Tells how much time has passed since any moment that stays the same, whatever becomes of the clock.
pub type Pace = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How long a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// What was asked for is to be asked for again.
const NOT_STORED: &str = r#"{"stored":false}"#;
const NOT_ERASED: &str = r#"{"erased":false}"#;
/// So much of a body that is too long is still read, so that its sender sees the answer.
const DRAINED: usize = 64 << 10;

/// What the handlers share.
pub struct App {
    /// Where heartbeats go.
    pub receiver: Receiver,
    /// When they arrive.
    pub clock: Clock,
    origins: Origins,
    heartbeats: Mutex<Limit>,
    erasures: Mutex<Limit>,
    pace: Pace,
}

impl App {
    /// Handlers that believe the forwarding headers of these proxies.
    pub fn new(receiver: Receiver, clock: Clock, pace: Pace, trusted: Vec<Network>) -> Self {
        let heartbeats = Mutex::new(Limit::heartbeats());
        let erasures = Mutex::new(Limit::erasures());
        let origins = Origins::new(trusted);
        Self { receiver, clock, pace, origins, heartbeats, erasures }
    }

    /// Where a request came from; `None` is this machine, which no limit is for.
    pub fn origin(&self, request: &Parts) -> Option<Origin> {
        let Peer(peer) = request.extensions.get()?;
        self.origins.of(*peer, &request.headers)
    }

    /// Takes one request from the share of an origin. The error is the number of seconds to wait.
    pub fn take(&self, limit: &Mutex<Limit>, origin: Option<Origin>) -> Result<(), u64> {
        let Some(origin) = origin else { return Ok(()) };
        let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
        limit.take(origin, (self.pace)())
    }
}

/// The routes below `base` (empty, or such as `/t`): receiving.
pub fn router(app: Arc<App>, base: &str) -> Router {
    let counting = middleware::map_response_with_state(app.clone(), count);
    Router::new()
        .route(&format!("{base}/heartbeat"), post(heartbeat).layer(counting))
        .route(&format!("{base}/installs"), delete(erase))
        .with_state(app)
        .fallback(async || StatusCode::NOT_FOUND)
}

async fn heartbeat(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let origin = app.origin(&head);
    match app.body(&app.heartbeats, origin, &head, body).await {
        Ok(bytes) => {
            // From here on its connection gives its place to no newcomer.
            let _answering = head.extensions.get().map(Place::answering);
            answered(app.receiver.submit(&bytes, (app.clock)(), origin).answer().await)
        }
        Err(unread) => {
            match &unread {
                Unread::Limited(_) => app.receiver.count_limited((app.clock)()),
                Unread::Refused(why) | Unread::Over(why) => {
                    app.receiver.count(why, (app.clock)());
                }
            }
            unread.answered()
        }
    }
}

/// Erases an install: possession of its id is the right.
async fn erase(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let origin = app.origin(&head);
    match app.body(&app.erasures, origin, &head, body).await {
        Ok(bytes) => {
            let _answering = head.extensions.get().map(Place::answering);
            of_erasure(app.receiver.erase(&bytes, (app.clock)()).answer().await)
        }
        Err(Unread::Limited(seconds)) => of_erasure(Answer::TooMany(seconds)),
        Err(unread) => unread.answered(),
    }
}

/// An erasure has an answer of its own when it is to be repeated: a heartbeat's would speak of storing.
fn of_erasure(answer: Answer) -> Response {
    match answer {
        Answer::TooMany(seconds) => later(StatusCode::TOO_MANY_REQUESTS, NOT_ERASED, seconds),
        Answer::Unavailable(seconds) => later(StatusCode::SERVICE_UNAVAILABLE, NOT_ERASED, seconds),
        other => worded(other),
    }
}

/// Why a body is not looked at.
enum Unread {
    /// Its network asks too often; seconds to wait.
    Limited(u64),
    /// It is refused; the connection goes on.
    Refused(Refused),
    /// It is refused, and nothing more can be read from its connection.
    Over(Refused),
}

impl Unread {
    fn answered(self) -> Response {
        match self {
            Self::Limited(seconds) => counted(answered(Answer::TooMany(seconds)), names::LIMITED),
            Self::Refused(why) => answered(Answer::Refused(why)),
            Self::Over(why) => closing(answered(Answer::Refused(why))),
        }
    }
}

impl App {
    /// The body of a request, if its origin may ask, and if it is JSON, short enough, and arrives in time.
    async fn body(
        &self,
        limit: &Mutex<Limit>,
        origin: Option<Origin>,
        head: &Parts,
        body: Body,
    ) -> Result<Vec<u8>, Unread> {
        let share = self.take(limit, origin);
        if share.is_ok() && !is_json(&head.headers) {
            return Err(Unread::Refused(Refused::media_type()));
        }
        let body = tokio::time::timeout(BODY_WAIT, read(body)).await;
        match (body, share) {
            // The sender is gone, or what it sends is no body.
            (Ok(Err(_)), _) => Err(Unread::Over(Refused::broken())),
            (Err(_), _) => Err(Unread::Over(Refused::late())),
            (Ok(Ok(_)), Err(seconds)) => Err(Unread::Limited(seconds)),
            (Ok(Ok(None)), Ok(())) => Err(Unread::Refused(Refused::size())),
            (Ok(Ok(Some(bytes))), Ok(())) => Ok(bytes),
        }
    }
}

/// Whether the body is said to be JSON as it is: no other charset than UTF-8, no encoding.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else { return false };
    let Ok(text) = one.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf8 = |parameter: &str| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
    };
    // A `;` with nothing behind it says nothing.
    let is_plain = |parameter: &str| parameter.is_empty() || is_utf8(parameter);
    is_json && parts.all(is_plain) && !headers.contains_key(CONTENT_ENCODING)
}

/// The whole body; `None` when it is longer than a heartbeat can be.
async fn read(mut body: Body) -> Result<Option<Vec<u8>>, axum::Error> {
    if body.size_hint().lower() > DRAINED as u64 {
        return Ok(None);
    }
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length > DRAINED {
            break;
        }
        if length <= MAX_PAYLOAD_BYTES {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((length <= MAX_PAYLOAD_BYTES).then_some(bytes))
}

/// The name under which an answer is counted: an extension of the response.
#[derive(Clone, Copy)]
struct Counted(&'static str);

async fn count(State(app): State<Arc<App>>, response: Response) -> Response {
    if let Some(Counted(name)) = response.extensions().get() {
        app.receiver.metrics().answered(name);
    }
    response
}

fn counted(mut response: Response, name: &'static str) -> Response {
    response.extensions_mut().insert(Counted(name));
    response
}

fn answered(answer: Answer) -> Response {
    let name = answer.name();
    counted(worded(answer), name)
}

fn worded(answer: Answer) -> Response {
    match answer {
        Answer::Stored => said(StatusCode::OK, r#"{"stored":true}"#),
        Answer::Duplicate => said(StatusCode::OK, r#"{"stored":false,"duplicate":true}"#),
        Answer::Refused(Refused { rule, field }) => {
            let code = match rule {
                "size" => StatusCode::PAYLOAD_TOO_LARGE,
                "type" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "timeout" => StatusCode::REQUEST_TIMEOUT,
                _ => StatusCode::BAD_REQUEST,
            };
            let mut text = format!(r#"{{"rule":"{rule}","field":"#);
            json::write_str(&mut text, &field);
            text.push('}');
            said(code, text)
        }
        Answer::Erased | Answer::OptedOut => StatusCode::NO_CONTENT.into_response(),
        Answer::Retired { product, version } => {
            let mut text = r#"{"retired":{"product":"#.to_owned();
            json::write_str(&mut text, &product);
            text.push_str(r#","version":"#);
            json::write_str(&mut text, &version);
            text.push_str("}}");
            said(StatusCode::GONE, text)
        }
        Answer::TooMany(seconds) => later(StatusCode::TOO_MANY_REQUESTS, NOT_STORED, seconds),
        Answer::Unavailable(seconds) => later(StatusCode::SERVICE_UNAVAILABLE, NOT_STORED, seconds),
    }
}

fn later(code: StatusCode, words: &'static str, seconds: u64) -> Response {
    let mut response = said(code, words);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn said(code: StatusCode, text: impl Into<Body>) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (code, kind, text.into()).into_response()
}

fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

//! The listener: `/mcp` for clients, `/api/v1` and `/` for the user.
//!
//! One rule: every answer of the API is `{"success":..}`, and nothing is answered that the guard refuses.

use super::gateway::Gateway;
use super::guard::{Guard, Refusal};
use super::hub::Hub;
use super::limits::{Limits, limited};
use super::recorder::Happened;
use super::sessions::Sessions;
use super::{page, report};
use crate::node::Node;
use crate::paths::DataDir;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The largest request of an MCP client: arguments may hold pictures.
const MOST_BYTES: usize = 32 << 20;
/// The largest body of the API.
const MOST_API_BYTES: usize = 1024;

/// What the handlers share.
pub struct Shared {
    /// The servers.
    pub hub: Arc<Hub>,
    /// The install.
    pub dir: DataDir,
    /// Who may ask.
    pub guard: Guard,
    /// Seconds since 1970.
    pub started_at: u64,
}

type App = State<Arc<Shared>>;

/// All routes. `sessions` ends the sessions of MCP clients.
pub fn router(shared: Arc<Shared>, gateway: Gateway, sessions: CancellationToken) -> Router {
    // Host and Origin are the guard's, for all routes alike.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_max_request_body_bytes(MOST_BYTES)
        .with_cancellation_token(sessions);
    let mcp = StreamableHttpService::new(
        move || Ok(gateway.for_session()),
        Arc::new(Sessions::default()),
        config,
    );
    let limits = Arc::new(Limits::default());
    let mcp = Router::new()
        .route_service("/mcp", mcp.clone())
        .route_service("/mcp/", mcp)
        .route_layer(middleware::from_fn_with_state(limits, limited));
    Router::new()
        .route("/", get(index))
        .route("/api/v1/status", get(status))
        .route("/api/v1/telemetry", put(switch))
        .route("/api/v1/telemetry/payload", get(payload))
        .route("/api/v1/telemetry/sent", get(sent))
        .merge(mcp)
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(shared.clone())
        .layer(middleware::from_fn_with_state(shared, guarded))
}

async fn guarded(State(shared): App, request: Request, next: Next) -> Response {
    let mut response = match shared.guard.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let code = match refusal {
                Refusal::ForeignHost | Refusal::ForeignOrigin => StatusCode::FORBIDDEN,
                Refusal::NoKey => StatusCode::UNAUTHORIZED,
            };
            failure(code, refusal.as_str())
        }
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(policy, HeaderValue::from_static("same-origin"));
    response
}

async fn index(State(shared): App) -> Response {
    shared.hub.recorder.record(Happened::Page);
    let policy = HeaderValue::from_static(page::POLICY);
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, html), (CONTENT_SECURITY_POLICY, policy)], page::HTML).into_response()
}

async fn status(State(shared): App) -> Response {
    let status = report::status(&shared.hub, shared.dir.clone(), shared.started_at).await;
    answer(status.map(|data| vec![("data", data)]))
}

async fn payload(State(shared): App) -> Response {
    let payload = report::payload(shared.dir.clone()).await;
    answer(payload.map(|(data, meta)| vec![("data", data), ("meta", meta)]))
}

async fn sent(State(shared): App) -> Response {
    answer(report::sent(shared.dir.clone()).await.map(|data| vec![("data", data)]))
}

async fn switch(State(shared): App, request: Request) -> Response {
    let enabled = match wish(request).await {
        Ok(enabled) => enabled,
        Err((code, words)) => return failure(code, words),
    };
    let switched = report::switch(shared.dir.clone(), enabled).await;
    // This process is a host, too: it stops (or begins) now and not at its next write.
    let telemetry = shared.hub.recorder.telemetry().clone();
    let _ = tokio::task::spawn_blocking(move || telemetry.look_again()).await;
    answer(switched.map(|data| vec![("data", data)]))
}

/// `{"enabled":true}` or `{"enabled":false}`, and nothing else.
async fn wish(request: Request) -> Result<bool, (StatusCode, &'static str)> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !essence.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let words = "the Content-Type must be application/json";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    let bytes = to_bytes(request.into_body(), MOST_API_BYTES)
        .await
        .map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))?;
    let wish = crate::json::parse(&bytes).ok().and_then(|body| match body.members() {
        Some([_]) => body.get("enabled")?.as_bool(),
        _ => None,
    });
    wish.ok_or((
        StatusCode::BAD_REQUEST,
        "the body must be {\"enabled\":true} or {\"enabled\":false}",
    ))
}

async fn not_found() -> Response {
    failure(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn not_allowed(request: Request) -> Response {
    let allowed = if request.uri().path() == "/api/v1/telemetry" { "PUT" } else { "GET,HEAD" };
    let mut response =
        failure(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed at this path");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn answer(result: Result<Vec<(&'static str, Node)>, String>) -> Response {
    match result {
        Ok(members) => {
            let mut all = vec![("success", true.into())];
            all.extend(members);
            json(StatusCode::OK, &Node::Object(all))
        }
        Err(words) => failure(StatusCode::INTERNAL_SERVER_ERROR, &words),
    }
}

/// An error of ours, in the form of the API.
pub fn failure(code: StatusCode, words: &str) -> Response {
    json(code, &Node::Object(vec![("success", false.into()), ("error", words.into())]))
}

fn json(code: StatusCode, node: &Node) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (code, kind, Body::from(node.to_compact())).into_response()
}

//! The listener: `/mcp` for clients, `/api/v1` and `/` for the user.
//!
//! One rule: every answer of the API is `{"success":..}`, and nothing is answered that the guard refuses.

use super::exact;
use super::fixes::{self, running::Fixes};
use super::gateway::Gateway;
use super::hub::Hub;
use super::limits::{self, Limits, limited};
use super::recorder::Happened;
use super::sessions::Sessions;
use super::wire::polite;
use super::{logs, page, report};
use crate::paths::DataDir;
use crate::web::answer::{self, answer, failure};
use crate::web::guard::{self, Guard, Refusal, Rule};
use crate::web::held::Held;
use crate::web::places::Place;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest body of the API: room for the longest name of a server, spelled with escapes.
const MOST_API_BYTES: usize = 4096;
/// How long it may take to arrive.
const API_WAIT: Duration = Duration::from_secs(10);

/// What the guard is told of this surface: the status needs the key, and `/mcp` where others can reach it.
pub const SURFACE: guard::Surface = guard::Surface {
    rules: &[
        Rule { path: "/api/", on_loopback: true, bearer: false },
        // Many MCP clients can only send a bearer token.
        Rule { path: "/mcp", on_loopback: false, bearer: true },
    ],
    foreign_host: "the Host header does not name this gateway; start it with --allowed-host to allow the name",
    no_key: "the API key is missing or wrong: send `api_key` of mcp_config.json in the header X-API-Key",
};

/// What the handlers share.
pub struct Shared {
    /// The servers.
    pub hub: Arc<Hub>,
    /// The install.
    pub dir: DataDir,
    /// What can be done about the servers.
    pub fixes: Arc<Fixes>,
    /// Who may ask.
    pub guard: Guard,
    /// Seconds since 1970.
    pub started_at: u64,
}

type App = State<Arc<Shared>>;

/// All routes. `sessions` ends the sessions of MCP clients, which have so many `connections`.
pub fn router(
    shared: Arc<Shared>,
    gateway: Gateway,
    sessions: CancellationToken,
    connections: usize,
) -> Router {
    // Host and Origin are the guard's, for all routes alike.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_max_request_body_bytes(limits::MOST_BYTES)
        .with_cancellation_token(sessions);
    let known = Arc::new(Sessions::default());
    let mcp = StreamableHttpService::new(move || Ok(gateway.for_session()), known.clone(), config);
    let limits = Arc::new(Limits::within(connections));
    let mcp = Router::new()
        .route_service("/mcp", mcp.clone())
        .route_service("/mcp/", mcp)
        .route_layer(middleware::from_fn(exact::put_in_place))
        .route_layer(middleware::from_fn_with_state(known, polite))
        .route_layer(middleware::from_fn_with_state(limits, limited));
    Router::new()
        .route("/", get(index))
        .route("/api/v1/status", get(status))
        .route("/api/v1/servers/{name}/logs", get(server_logs))
        .route("/api/v1/servers/{name}/restart", post(restart))
        .route("/api/v1/diagnostics", get(diagnostics))
        .route("/api/v1/telemetry/payload", get(payload))
        .route("/api/v1/telemetry/sent", get(sent))
        .route_layer(middleware::from_fn(answered))
        .route("/api/v1/diagnostics/fix", post(fix))
        .route("/api/v1/telemetry", put(switch))
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
            failure(code, shared.guard.words(refusal))
        }
    };
    answer::secure(&mut response);
    response
}

/// A request without a body has arrived: from here on its connection gives its place to no newcomer, until the answer
/// has ended. Without the key, where one is needed, nothing comes here.
async fn answered(request: Request, next: Next) -> Response {
    let answering = request.extensions().get().map(Place::answering);
    next.run(request).await.map(|body| Body::new(Held::new(body, answering)))
}

async fn index(State(shared): App) -> Response {
    shared.hub.recorder.record(Happened::Page);
    page::PAGE.response()
}

async fn status(State(shared): App) -> Response {
    let status = report::status(&shared.hub, shared.dir.clone(), shared.started_at).await;
    answer(status.map(|data| vec![("data", data)]))
}

async fn server_logs(
    State(shared): App,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    logs::logs(&shared.hub, &name, query.as_deref())
}

async fn restart(State(shared): App, Path(name): Path<String>) -> Response {
    logs::restart(&shared.hub, &name)
}

async fn diagnostics(State(shared): App) -> Response {
    let data = report::diagnostics(&shared.hub);
    answer::<Infallible>(Ok(vec![("data", data)]))
}

async fn payload(State(shared): App) -> Response {
    let payload = report::payload(shared.dir.clone()).await;
    answer(payload.map(|(data, meta)| vec![("data", data), ("meta", meta)]))
}

async fn sent(State(shared): App) -> Response {
    answer(report::sent(shared.dir.clone()).await.map(|data| vec![("data", data)]))
}

async fn fix(State(shared): App, request: Request) -> Response {
    let place = request.extensions().get::<Place>().cloned();
    let body = match json_body(request).await {
        Ok(body) => body,
        Err((code, words)) => return failure(code, words),
    };
    let _answering = place.as_ref().map(Place::answering);
    fixes::request::respond(&shared.fixes, &body).await
}

async fn switch(State(shared): App, request: Request) -> Response {
    let place = request.extensions().get::<Place>().cloned();
    let enabled = match wish(request).await {
        Ok(enabled) => enabled,
        Err((code, words)) => return failure(code, words),
    };
    let _answering = place.as_ref().map(Place::answering);
    let switched = report::switch(shared.dir.clone(), enabled).await;
    // This process is a host, too: it stops (or begins) now and not at its next write.
    let telemetry = shared.hub.recorder.telemetry().clone();
    let _ = tokio::task::spawn_blocking(move || telemetry.look_again()).await;
    answer(switched.map(|data| vec![("data", data)]))
}

/// `{"enabled":true}` or `{"enabled":false}`, and nothing else.
async fn wish(request: Request) -> Result<bool, (StatusCode, &'static str)> {
    let bytes = json_body(request).await?;
    let wish = crate::json::parse(&bytes).ok().and_then(|body| match body.members() {
        Some([_]) => body.get("enabled")?.as_bool(),
        _ => None,
    });
    wish.ok_or((
        StatusCode::BAD_REQUEST,
        "the body must be {\"enabled\":true} or {\"enabled\":false}",
    ))
}

/// A short body that says it is JSON.
async fn json_body(request: Request) -> Result<Bytes, (StatusCode, &'static str)> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !essence.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let words = "the Content-Type must be application/json";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    tokio::time::timeout(API_WAIT, to_bytes(request.into_body(), MOST_API_BYTES))
        .await
        .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))?
        .map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))
}

async fn not_found() -> Response {
    failure(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn not_allowed(request: Request) -> Response {
    let allowed = match request.uri().path() {
        "/api/v1/telemetry" => "PUT",
        "/api/v1/diagnostics/fix" => "POST",
        path if path.ends_with("/restart") => "POST",
        _ => "GET,HEAD",
    };
    let mut response =
        failure(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed at this path");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

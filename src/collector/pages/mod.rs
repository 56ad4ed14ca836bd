//! The pages that a maintainer reads, each with its charts, its tables, its CSV and JSON.
//!
//! One rule: made on the server of one snapshot, for the key only. No script, no other server, nothing kept by
//! the browser but the cookie.

pub mod access;
mod cards;
mod chart;
mod frame;
mod overview;
mod parts;
pub mod privacy;
mod query;

use super::http::Clock;
use super::receive::PROXY_ALARM;
use super::report::{self, Form};
use super::snapshot::Snapshot;
use super::view::{Topic, View};
use crate::web::answer;
use access::Access;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
pub(super) use frame::document;
use maud::Markup;
use query::QueryError;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// What the browser is held to: the style of this server, forms to this server, and no more.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = concat!(include_str!("chart/chart.css"), include_str!("style.css"));
/// What it is held to in a picture: the style that stands in it.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'sha256-dXm6paGQFMDlGSp/zpFg9lvqtajiwYObl/fxdckxsBg='; frame-ancestors 'none'";
/// A key, and some space for its name and for escapes.
const MOST_FORM_BYTES: usize = 2048;

/// What the pages are made of.
pub struct Pages {
    /// Who may read them.
    pub access: Access,
    /// The newest snapshot.
    pub snapshot: Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>,
    /// Whether the operator should name a proxy.
    pub wants_a_proxy: Box<dyn Fn() -> bool + Send + Sync>,
    /// The collector speaks TLS itself.
    pub is_secure: bool,
    /// Seconds since 1970: for the age of the snapshot.
    pub clock: Clock,
}

type App = State<Arc<Pages>>;

/// A form of the numbers beside a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    Csv,
    Json,
    /// A chart.
    Svg,
}

impl File {
    fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Svg => "svg",
        }
    }
}

/// All routes of the pages, below `base` (empty, or such as `/t`).
pub fn router(pages: Arc<Pages>, base: &str) -> Router {
    let page = |topic| get(move |app: App, request: Request| show(app, request, topic));
    let mut router = Router::new()
        .route(&format!("{base}/"), page(Topic::Overview))
        .route(&format!("{base}/style.css"), get(style))
        .route(&format!("{base}/open"), post(open));
    if !base.is_empty() {
        // Links of pages are relative: they need the final slash. The key may stand in the query.
        let to = format!("{base}/");
        router = router.route(
            base,
            get(async move |uri: Uri| {
                let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                Redirect::permanent(&format!("{to}{query}"))
            }),
        );
    }
    for topic in Topic::ALL {
        router = router.route(&format!("{base}/{}", topic.name()), page(topic));
        for file in [File::Csv, File::Json, File::Svg] {
            let handler = async move |State(pages): App, request: Request| {
                export(&pages, &request, topic, file)
            };
            router =
                router.route(&format!("{base}/{}.{}", topic.name(), file.name()), get(handler));
        }
    }
    router.with_state(pages).layer(from_fn(apart))
}

/// A page of a million installs takes a while to compute: on a thread of its own, so that heartbeats do not wait.
async fn apart(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let runtime = Handle::current();
    let made = spawn_blocking(move || runtime.block_on(next.run(request))).await;
    // A panic was reported where it happened.
    made.unwrap_or_else(|_| secured(StatusCode::INTERNAL_SERVER_ERROR.into_response()))
}

/// What follows the base path in the address that opens the pages: the only place that shows the key.
pub fn entrance(access: &Access) -> String {
    format!("/?key={}", access.key().reveal())
}

pub(super) async fn show(State(pages): App, request: Request, topic: Topic) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let query = uri.query().unwrap_or_default();
    if let Some(given) = query::key(query) {
        return enter(&pages, &given, headers, topic, query);
    }
    if !pages.access.is_given(headers) {
        return closed(StatusCode::UNAUTHORIZED, frame::LOCKED);
    }
    let snapshot = (pages.snapshot)();
    let view = query::asked(uri, &snapshot).and_then(|asked| {
        let view = snapshot.view(asked.selection, topic);
        let tables = report::all_tables(&view, topic);
        let is_there = |name: &String| tables.iter().any(|table| table.name == *name);
        match asked.table.as_ref().is_none_or(is_there) {
            true => Ok((view, asked.table)),
            false => Err(QueryError::Table),
        }
    });
    match view {
        Ok((view, table)) => {
            let age = (pages.clock)().saturating_sub(snapshot.made_at.0);
            let names: Vec<&str> = snapshot.names().collect();
            let endpoint = endpoint(&pages, &request);
            // At once, and after a restart.
            let alarm = ((pages.wants_a_proxy)() || view.wants_a_proxy).then_some(PROXY_ALARM);
            let shown = frame::Shown {
                view: &view,
                topic,
                table: table.as_deref(),
                products: &names,
                endpoint: &endpoint,
            };
            html(StatusCode::OK, frame::page(&shown, age, alarm))
        }
        Err(error) => no_view(error),
    }
}

/// The key that a query holds.
pub(super) fn key_in(query: &str) -> Option<String> {
    query::key(query)
}

/// A page that is open to everybody.
pub(super) fn public(page: Markup) -> Response {
    html(StatusCode::OK, page)
}

/// Where heartbeats go, as the reader reaches it: the address of the page without its last part.
pub(super) fn endpoint(pages: &Pages, request: &Request) -> String {
    let (headers, path) = (request.headers(), request.uri().path());
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_host = |host: &&str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let host = text("host").filter(is_host).unwrap_or("collector.example.org");
    let is_secure = text("x-forwarded-proto") == Some("https") || pages.is_secure;
    let scheme = if is_secure { "https" } else { "http" };
    let base = path.rsplit_once('/').map_or("", |(base, _)| base);
    format!("{scheme}://{host}{base}")
}

fn export(pages: &Pages, request: &Request, topic: Topic, file: File) -> Response {
    if !pages.access.is_given(request.headers()) {
        return secured(answer::failure(StatusCode::UNAUTHORIZED, access::NO_KEY));
    }
    let snapshot = (pages.snapshot)();
    let text = query::asked(request.uri(), &snapshot).and_then(|asked| {
        let view = snapshot.view(asked.selection, topic);
        written(&view, topic, asked.table.as_deref(), file)
    });
    match text {
        Ok(text) => {
            let mut response = text.into_response();
            let headers = response.headers_mut();
            let kind = match file {
                File::Json => "application/json",
                File::Csv => "text/csv; charset=utf-8; header=present",
                File::Svg => "image/svg+xml",
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            if file == File::Csv {
                let name = format!("attachment; filename=\"{}.csv\"", topic.name());
                headers
                    .extend(HeaderValue::from_str(&name).map(|name| (CONTENT_DISPOSITION, name)));
            }
            if file == File::Svg {
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PICTURE_POLICY));
            }
            secured(response)
        }
        Err(error) => secured(answer::failure(error.status(), &error.to_string())),
    }
}

/// A view in that form, or one of its tables.
fn written(
    view: &View,
    topic: Topic,
    table: Option<&str>,
    file: File,
) -> Result<String, QueryError> {
    let tables = report::all_tables(view, topic);
    let table = match table {
        Some(name) => {
            let found = tables.iter().find(|table| table.name == name);
            Some(found.ok_or(QueryError::Table)?)
        }
        None => None,
    };
    Ok(match (file, table) {
        (File::Svg, table) => {
            let table = table.or(tables.first()).ok_or(QueryError::Chart)?;
            cards::svg(view, table).ok_or(QueryError::Chart)?
        }
        (File::Csv, Some(table)) => report::csv_of(table),
        (File::Csv, None) => report::write(view, topic, Form::Csv),
        (File::Json, Some(table)) => report::json_of(view, topic, table),
        (File::Json, None) => report::write(view, topic, Form::Json),
    })
}

/// The form of the closed page.
async fn open(State(pages): App, request: Request) -> Response {
    let headers = request.headers().clone();
    let Ok(body) = to_bytes(request.into_body(), MOST_FORM_BYTES).await else {
        return closed(StatusCode::PAYLOAD_TOO_LARGE, frame::LOCKED);
    };
    let given = query::key(&String::from_utf8_lossy(&body)).unwrap_or_default();
    enter(&pages, &given, &headers, Topic::Overview, "")
}

/// The right key becomes a cookie, and the view that `query` names is shown at its address without the key.
fn enter(pages: &Pages, given: &str, headers: &HeaderMap, topic: Topic, query: &str) -> Response {
    let Some(cookie) = pages.access.cookie(given, headers, pages.is_secure) else {
        return closed(StatusCode::UNAUTHORIZED, frame::WRONG);
    };
    let mut response = match query::beside_key(query, &(pages.snapshot)()) {
        Ok(asked) => {
            let to = query::address_of(topic, asked.table.as_deref(), "", &asked.selection);
            let to = HeaderValue::from_str(&to);
            let to = to.unwrap_or(HeaderValue::from_static("./"));
            secured((StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response())
        }
        Err(error) => no_view(error),
    };
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

pub(super) async fn style() -> Response {
    secured(([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response())
}

fn closed(status: StatusCode, sentence: &str) -> Response {
    html(status, frame::closed(sentence))
}

fn no_view(error: QueryError) -> Response {
    html(error.status(), frame::message("Not a view", &error.to_string()))
}

fn html(status: StatusCode, page: Markup) -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    secured((status, headers, Body::from(page.into_string())).into_response())
}

fn secured(mut response: Response) -> Response {
    answer::secure(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn the_policy_of_a_picture_allows_its_style_and_no_other() {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(chart::STYLE));
        let allowed = format!("style-src 'sha256-{hash}';");
        assert!(PICTURE_POLICY.contains(&allowed), "mod.rs should say {allowed}");
    }
}

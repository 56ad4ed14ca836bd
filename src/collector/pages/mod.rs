//! The pages that a maintainer reads: overview, retention, activation, each with its CSV and JSON.
//!
//! One rule: made on the server of one snapshot, for the key only. No script, no other server, nothing kept by
//! the browser but the cookie.

pub mod access;
mod activation;
mod chart;
mod frame;
mod overview;
mod parts;
mod query;
mod retention;

use super::report::{self, Form};
use super::snapshot::Snapshot;
use super::view::{Topic, View};
use crate::web::answer;
use access::Access;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use maud::Markup;
use std::sync::Arc;

/// What the browser is held to: the style of this server, forms to this server, and no more.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("style.css");
/// A key, and some space for its name and for escapes.
const MOST_FORM_BYTES: usize = 2048;

/// What the pages are made of.
pub struct Pages {
    /// Who may read them.
    pub access: Access,
    /// The newest snapshot.
    pub snapshot: Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>,
    /// Seconds since 1970: for the age of the snapshot.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
}

type App = State<Arc<Pages>>;

/// All routes of the pages.
pub fn router(pages: Arc<Pages>) -> Router {
    let mut router = Router::new()
        .route("/", get(|app: App, request: Request| show(app, request, Topic::Overview)))
        .route("/style.css", get(style))
        .route("/open", post(open));
    for topic in Topic::ALL {
        for (form, ending) in [(Form::Csv, "csv"), (Form::Json, "json")] {
            let path = format!("/{}.{ending}", topic.name());
            let handler = move |app: App, request: Request| async move {
                export(&app, &request, topic, form)
            };
            router = router.route(&path, get(handler));
        }
        let path = format!("/{}", topic.name());
        router =
            router.route(&path, get(move |app: App, request: Request| show(app, request, topic)));
    }
    router.with_state(pages)
}

/// The address of the pages that holds the key, for the one who starts the collector.
pub fn link(base: &str, access: &Access) -> String {
    format!("{base}/?key={}", access.key().reveal())
}

async fn show(State(pages): App, request: Request, topic: Topic) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    if let Some(given) = query::key(uri.query().unwrap_or_default()) {
        return enter(&pages, &given, headers, uri.path());
    }
    if !pages.access.is_given(headers) {
        return closed(StatusCode::UNAUTHORIZED, frame::LOCKED);
    }
    let snapshot = (pages.snapshot)();
    match query::selection(uri, &snapshot) {
        Ok(selection) => {
            let view = View::of(&snapshot, selection);
            let age = (pages.clock)().saturating_sub(snapshot.made_at.0);
            let names: Vec<&str> = snapshot.names().collect();
            html(StatusCode::OK, frame::page(&view, topic, &names, age))
        }
        Err(error) => html(error.status(), frame::message("Not a view", &error.to_string())),
    }
}

fn export(pages: &Pages, request: &Request, topic: Topic, form: Form) -> Response {
    if !pages.access.is_given(request.headers()) {
        return answer_secured(answer::failure(StatusCode::UNAUTHORIZED, access::NO_KEY));
    }
    let snapshot = (pages.snapshot)();
    match query::selection(request.uri(), &snapshot) {
        Ok(selection) => {
            let text = report::write(&View::of(&snapshot, selection), topic, form);
            let kind = match form {
                Form::Json => "application/json",
                Form::Csv => "text/csv; charset=utf-8; header=present",
                Form::Table => "text/plain; charset=utf-8",
            };
            let mut response = ([(CONTENT_TYPE, kind)], text).into_response();
            if form == Form::Csv {
                let name = format!("attachment; filename=\"{}.csv\"", topic.name());
                if let Ok(value) = HeaderValue::from_str(&name) {
                    response
                        .headers_mut()
                        .insert(HeaderName::from_static("content-disposition"), value);
                }
            }
            answer_secured(response)
        }
        Err(error) => answer_secured(answer::failure(error.status(), &error.to_string())),
    }
}

/// The form of the closed page.
async fn open(State(pages): App, request: Request) -> Response {
    let headers = request.headers().clone();
    let Ok(body) = to_bytes(request.into_body(), MOST_FORM_BYTES).await else {
        return closed(StatusCode::PAYLOAD_TOO_LARGE, frame::LOCKED);
    };
    let given = query::key(&String::from_utf8_lossy(&body)).unwrap_or_default();
    enter(&pages, &given, &headers, "/")
}

/// The right key becomes a cookie, and the address without it is shown.
fn enter(pages: &Pages, given: &str, headers: &HeaderMap, path: &str) -> Response {
    let Some(cookie) = pages.access.cookie(given, headers) else {
        return closed(StatusCode::UNAUTHORIZED, frame::WRONG);
    };
    let to = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let headers = [(SET_COOKIE, cookie), (LOCATION, to)];
    answer_secured((StatusCode::SEE_OTHER, headers).into_response())
}

async fn style() -> Response {
    answer_secured(([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response())
}

fn closed(status: StatusCode, sentence: &str) -> Response {
    html(status, frame::closed(sentence))
}

fn html(status: StatusCode, page: Markup) -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    answer_secured((status, headers, Body::from(page.into_string())).into_response())
}

fn answer_secured(mut response: Response) -> Response {
    answer::secure(&mut response);
    response
}

/// The answer to an address that leads nowhere.
pub fn not_found(_: &Uri) -> Response {
    html(StatusCode::NOT_FOUND, frame::message("Nothing here", "There is no page at this address."))
}

//! The demo: a recorded fleet in a database of its own, for those who want to see the pages before they have one.
//!
//! One rule: every page says that it is a demo, and no heartbeat is taken: its sender keeps it for a collector.

mod recorded;

use super::answer::Answer;
use super::floods::Origin;
use super::receive::Receiver;
use super::store::StoreError;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, post};
use maud::{Markup, html};

/// What the fleet runs.
pub const PRODUCTS: [&str; 2] = ["mcpproxy", "notes-mcp"];
/// The fleet, as `scripts/demo-fleet` has recorded it.
const FLEET: &[u8] = include_bytes!("fleet.packed");
/// Seconds after which a sender may try again: by then it may have found its collector.
const LATER: &str = "3600";
/// Bytes of a page.
const MOST_BYTES: usize = 16 << 20;

/// Receives the fleet, each heartbeat at the time of its receipt, the last ones a moment before `now`.
pub fn fill(receiver: &Receiver, now: u64) -> Result<(), StoreError> {
    // Always a fleet: the file is part of the program, and a test reads it.
    let fleet = recorded::read(FLEET, now).unwrap_or_default();
    let heartbeats = fleet
        .iter()
        .map(|one| (one.bytes.as_slice(), one.received, Some(Origin::of_network(one.network))));
    let answers = receiver.accept_from(heartbeats);
    match answers.iter().any(|answer| matches!(answer, Answer::Unavailable(_))) {
        true => Err(receiver.write_error().unwrap_or(StoreError::Away)),
        false => Ok(()),
    }
}

/// The routes of receiving below `base`: each says that this is no collector to send to.
pub fn router(base: &str) -> Router {
    Router::new()
        .route(&format!("{base}/heartbeat"), post(refuse))
        .route(&format!("{base}/installs"), delete(refuse))
        .fallback(async || StatusCode::NOT_FOUND)
}

async fn refuse() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (RETRY_AFTER, LATER)];
    let text = r#"{"stored":false,"demo":true}"#;
    (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
}

/// The same routes, with the banner on each page.
pub fn with_banner(router: Router) -> Router {
    router.layer(middleware::map_response(add_banner))
}

async fn add_banner(response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(page) = to_bytes(body, MOST_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let begin = format!("<body>{}", banner().into_string());
    let page = String::from_utf8_lossy(&page).replacen("<body>", &begin, 1);
    Response::from_parts(head, Body::from(page))
}

fn banner() -> Markup {
    html! {
        aside.demo aria-label="Demo" {
            strong { "Demo." } " The numbers are those of a simulated fleet, in a database of their own. "
            "Heartbeats are not received here."
        }
    }
}

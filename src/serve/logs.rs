//! What the status API says of one server's standard error, and how a server is restarted.
//!
//! One rule: the lines come scrubbed, from the one place that does that.

use super::hub::{Hub, RestartError};
use super::last_lines::Line;
use crate::contract::timestamp;
use crate::json::Node;
use crate::web::answer::{answer, failure};
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::Infallible;
use std::sync::Arc;

/// The largest whole number that every reader of JSON keeps.
const LARGEST: u64 = (1 << 53) - 1;

/// `GET /api/v1/servers/{name}/logs`; `?from=N` leaves out lines before number N.
pub fn logs(hub: &Hub, name: &str, query: Option<&str>) -> Response {
    let Some(server) = hub.server(name) else { return unknown() };
    let from = query.and_then(|query| query.strip_prefix("from="));
    let from = match from.map_or(Ok(0), str::parse::<u64>) {
        Ok(from) if from_is_all(query) && from <= LARGEST => from,
        _ => {
            let words = "the query must be from=NUMBER, or nothing";
            return failure(StatusCode::BAD_REQUEST, words);
        }
    };
    // First: a line that comes between the two is told the next time.
    let next = server.lines.written();
    let lines = server.lines.lines();
    let lines = lines.iter().filter(|line| (from..next).contains(&line.number)).map(node);
    let data = Node::Object(vec![
        ("name", server.name.as_ref().into()),
        ("protocol", server.protocol().as_str().into()),
        ("lines", Node::List(lines.collect())),
        ("next", next.into()),
    ]);
    answer::<Infallible>(Ok(vec![("data", data)]))
}

/// A line, as every answer has it.
pub(super) fn node(line: &Line) -> Node {
    Node::Object(vec![
        ("number", line.number.into()),
        ("run", line.run.into()),
        ("at", timestamp::format(line.at).into()),
        ("text", line.text.as_str().into()),
    ])
}

fn from_is_all(query: Option<&str>) -> bool {
    query.is_none_or(|query| query.is_empty() || query.starts_with("from="))
}

/// `POST /api/v1/servers/{name}/restart`
pub fn restart(hub: &Arc<Hub>, name: &str) -> Response {
    match hub.restart(name) {
        Ok(()) => {
            tracing::info!(server = %name, "server restarted: it was asked for");
            answer::<Infallible>(Ok(vec![("data", Node::Object(vec![("name", name.into())]))]))
        }
        Err(RestartError::Unknown) => unknown(),
        Err(error) => failure(StatusCode::CONFLICT, &error.to_string()),
    }
}

fn unknown() -> Response {
    failure(StatusCode::NOT_FOUND, &RestartError::Unknown.to_string())
}

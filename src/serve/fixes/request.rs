//! `POST /api/v1/diagnostics/fix`: what is asked, and the answer.
//!
//! One rule: exactly the members that are described. What is wrong is said in words, and nothing of it is repeated.

use super::running::Fixes;
use super::{Fix, FixError, Mode};
use crate::diagnostics::{Action, Code};
use crate::json::{self, Value};
use crate::web::answer::{answer, failure};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

/// Why a body is no request for a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyError {
    /// It is no JSON object.
    NoObject,
    /// It has a member that is none of ours.
    Member,
    /// This member is missing, or no text.
    Text(&'static str),
    /// `code` is none of the catalog.
    Code,
    /// `action` is none.
    Action,
    /// `mode` is none.
    Mode,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObject => f.write_str(
                "the body must be a JSON object with server, code, action and, if wanted, mode",
            ),
            Self::Member => {
                f.write_str("the body may have server, code, action and mode, and nothing else")
            }
            Self::Text(member) => write!(f, "`{member}` must be there, and a text"),
            Self::Code => {
                f.write_str("`code` is none of the catalog; `mcpproxy explain` lists them")
            }
            Self::Action => {
                let known = Action::ALL.map(Action::as_str).join(", ");
                write!(f, "`action` must be one of {known}")
            }
            Self::Mode => f.write_str("`mode` must be dry_run or execute"),
        }
    }
}

/// Answers a request with this body.
pub async fn respond(fixes: &Arc<Fixes>, body: &[u8]) -> Response {
    let (fix, mode) = match wanted(body) {
        Ok(wanted) => wanted,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let error = match fixes.run(fix, mode).await {
        Ok(report) => return answer::<Infallible>(Ok(vec![("data", report.to_node())])),
        Err(error) => error,
    };
    let mut response = failure(status(&error), &error.to_string());
    if let FixError::TooSoon(left) = error {
        let seconds = left.as_secs_f64().ceil().max(1.0) as u64;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn status(error: &FixError) -> StatusCode {
    match error {
        FixError::Unknown => StatusCode::NOT_FOUND,
        FixError::OtherCode(_)
        | FixError::NotAStep(_)
        | FixError::NoMode
        | FixError::Restart(_) => StatusCode::CONFLICT,
        FixError::TooSoon(_) => StatusCode::TOO_MANY_REQUESTS,
        // What is left is ours to answer for.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn wanted(body: &[u8]) -> Result<(Fix, Option<Mode>), BodyError> {
    let body = json::parse(body).map_err(|_| BodyError::NoObject)?;
    let members = body.members().ok_or(BodyError::NoObject)?;
    let known = ["server", "code", "action", "mode"];
    if !members.iter().all(|member| known.contains(&member.key.as_ref())) {
        return Err(BodyError::Member);
    }
    let text =
        |key: &'static str| body.get(key).and_then(Value::as_str).ok_or(BodyError::Text(key));
    let server = text("server")?.to_owned();
    let code = text("code")?;
    let code = Code::ALL.into_iter().find(|known| known.as_str() == code).ok_or(BodyError::Code)?;
    let action = Action::parse(text("action")?).ok_or(BodyError::Action)?;
    let mode = match body.get("mode") {
        None => None,
        Some(mode) => Some(mode.as_str().and_then(Mode::parse).ok_or(BodyError::Mode)?),
    };
    Ok((Fix { server, code, action }, mode))
}

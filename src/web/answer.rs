//! The form of every answer: `{"success":true,..}` or `{"success":false,"error":..}`.
//!
//! One rule: no answer is kept by a cache, guessed to be something else, or read by another site.

use crate::json::Node;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use std::fmt;

/// Gives an answer the headers that all have; what it says about caches and other sites stays.
pub fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for policy in ["cross-origin-resource-policy", "cross-origin-opener-policy"] {
        let name = HeaderName::from_static(policy);
        headers.entry(name).or_insert(HeaderValue::from_static("same-origin"));
    }
}

/// What `result` holds, beside `"success": true`; else the error in words.
pub fn answer<E: fmt::Display>(result: Result<Vec<(&'static str, Node)>, E>) -> Response {
    match result {
        Ok(members) => {
            let mut all = vec![("success", true.into())];
            all.extend(members);
            json(StatusCode::OK, &Node::Object(all))
        }
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// `"success": false`, and why in one sentence.
pub fn failure(code: StatusCode, words: &str) -> Response {
    json(code, &Node::Object(vec![("success", false.into()), ("error", words.into())]))
}

fn json(code: StatusCode, node: &Node) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (code, kind, Body::from(node.to_compact())).into_response()
}

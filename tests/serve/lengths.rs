//! Answers that are longer than may be, over HTTP: their calls end at once, though the answers never do.

use crate::field::{Raw, initialized, tools};
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use serde_json::{Value, json};
use std::convert::Infallible;
use tokio_stream::StreamExt as _;

/// What an HTTP server may answer at most.
const MOST: usize = 128 << 20;

/// A server over HTTP whose answers are longer than may be; none of them ever ends.
async fn endless_server() -> String {
    async fn answer(body: Bytes) -> Response {
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        let id = &asked["id"];
        let with = |kind: &str| Response::builder().header(CONTENT_TYPE, kind);
        let json = |text: String| with("application/json").body(text.into()).expect("one");
        // Of one length, whatever the id.
        let padded = format!("{:>4}", id.to_string());
        let begun = format!(r#"{{"jsonrpc":"2.0","id":{padded},"result":{{"text":""#);
        let never = || tokio_stream::pending::<Result<Bytes, Infallible>>();
        let part = Bytes::from(vec![b'x'; 1 << 20]);
        let parts = move |count| tokio_stream::iter(std::iter::repeat_n(Ok(part.clone()), count));
        let once = |text: String| tokio_stream::once(Ok::<_, Infallible>(Bytes::from(text)));
        let called = asked["params"]["name"].as_str().unwrap_or_default();
        match (asked["method"].as_str().unwrap_or_default(), called) {
            ("initialize", _) => json(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#,
                initialized(json!({"tools": {}}))
            )),
            ("tools/list", _) => {
                let tools = tools(["declared", "chunked", "event"].into_iter());
                json(String::from_utf8(tools).expect("text").replace("@ID@", &id.to_string()))
            }
            (_, "declared") => with("application/json")
                .header(CONTENT_LENGTH, MOST + 1)
                .body(Body::from_stream(never()))
                .expect("one"),
            (_, "chunked") => {
                let parts = once(begun).chain(parts(MOST >> 20)).chain(never());
                with("application/json").body(Body::from_stream(parts)).expect("one")
            }
            (_, "event") => {
                let (begun, end) = (format!("data: {begun}"), once("\"}}\n\n".to_owned()));
                let parts = once(begun).chain(parts(MOST >> 20)).chain(end).chain(never());
                with("text/event-stream").body(Body::from_stream(parts)).expect("one")
            }
            _ if id.is_null() => with("text/plain").body(Body::empty()).expect("one"),
            _ => json(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#
            )),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let router = axum::Router::new().route("/mcp", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_http_that_is_too_long_ends_its_call_at_once_with_its_size() {
    let url = endless_server().await;
    let asked = tokio::task::spawn_blocking(move || {
        let mut client = Raw::start(&json!({"mcpServers": {"s": {"url": url}}}));
        for (name, words) in [
            ("declared", format!("it is {} bytes long", MOST + 1)),
            ("chunked", format!("it is more than {MOST} bytes long")),
            // With `{"jsonrpc":"2.0","id":   2,"result":{"text":""}}` around it.
            ("event", format!("it is {} bytes long", MOST + 48)),
        ] {
            let answer = client.call(&format!("s:{name}"));
            assert!(answer.contains(&words), "{name}: {words} is not in {answer}");
            assert!(answer.contains("at most 128 MiB are read"), "{name}: {answer}");
        }
        client.end();
    });
    asked.await.expect("all of it");
}

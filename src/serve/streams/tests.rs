//! A stream over a real socket.

use super::super::messages::Answer;
use super::*;
use rmcp::model::ServerJsonRpcMessage;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_stream::StreamExt as _;

/// A server that answers one request with these events and keeps the stream open.
async fn server(events: String) -> Arc<str> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        let mut asked = [0; 1024];
        let _ = socket.read(&mut asked).await;
        let _ = socket.write_all([head, &events].concat().as_bytes()).await;
        // Until the client is gone.
        let _ = socket.read(&mut asked).await;
    });
    format!("http://{address}/mcp").into()
}

#[tokio::test]
async fn an_event_that_is_too_long_ends_its_request_while_the_stream_goes_on() {
    let long = format!(r#"{{"jsonrpc":"2.0","result":{{"text":"{}"}},"id":7}}"#, "x".repeat(5000));
    let told = format!(r#"{{"method":"notifications/message","params":"{}"}}"#, "x".repeat(5000));
    let next = r#"{"jsonrpc":"2.0","result":{"n":1E5},"id":8}"#;
    let uri = server(format!("data: {told}\n\nid: 3\ndata: {long}\n\ndata: {next}\n\n")).await;
    let get = Get {
        uri,
        session: Some("s".into()),
        last_event: Some("2".to_owned()),
        authorization: None,
        headers: Headers::new(),
        largest: 4096,
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut events = get.send(client, OfServer::default()).await.expect("a stream");
    let mut next = async || events.next().await.expect("one").expect("an event");
    assert_eq!(next().await.data, None, "what is told is lost, and answers nothing");
    let answer = |event: &Sse| {
        let text = event.data.as_deref().expect("data");
        let message: ServerJsonRpcMessage = serde_json::from_str(text).expect("a message");
        let (result, id) = message.into_result().expect("an answer");
        (id, result.map(Answer::of))
    };
    let event = next().await;
    assert_eq!(event.id.as_deref(), Some("3"));
    let (id, result) = answer(&event);
    assert_eq!(id, Some(RequestId::Number(7)));
    let Ok(Answer::TooLong(why)) = result else { panic!("{result:?}") };
    assert!(why.contains(&format!("it is {} bytes long", long.len())), "{why}");
    let read = Answer::Text(r#"{"n":1E5}"#.to_owned());
    assert_eq!(answer(&next().await), (Some(RequestId::Number(8)), Ok(read)));
}

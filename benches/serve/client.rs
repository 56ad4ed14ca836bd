//! Clients of both eras.

use crate::figures::Times;
use crate::process::Command;
use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Instant;

/// A client with a session, as far as its era has them.
pub type Session = RunningService<RoleClient, ()>;

/// Which protocol a client speaks.
#[derive(Clone, Copy)]
pub enum Era {
    /// `initialize`, then a session.
    Handshake,
    /// 2026-07-28: every request stands alone.
    Modern,
}

impl Era {
    fn mode(self) -> ClientLifecycleMode {
        match self {
            Self::Handshake => ClientLifecycleMode::Initialize,
            Self::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        }
    }
}

/// Over HTTP; `None` when nobody answers.
pub async fn http(url: &str, era: Era) -> Option<Session> {
    // Keeps its connections, as clients do; the SDK's own default makes one for each request.
    let kept = reqwest::Client::builder().no_proxy().build().ok()?;
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(kept, config);
    ().serve_with_lifecycle(transport, era.mode()).await.ok()
}

/// Over the standard streams of a child process.
pub async fn stdio(command: Command) -> Option<Session> {
    let command = tokio::process::Command::from(command);
    let (transport, _) = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().ok()?;
    ().serve_with_lifecycle(transport, Era::Handshake.mode()).await.ok()
}

/// Calls one tool; a result that is an error counts as none.
pub async fn call(
    session: &Session,
    tool: &'static str,
    arguments: Value,
) -> Option<CallToolResult> {
    let mut params = CallToolRequestParams::new(tool);
    params.arguments = arguments.as_object().cloned();
    let result = session.call_tool(params).await.ok()?;
    (result.is_error != Some(true)).then_some(result)
}

/// What a call of `echo` is, on the server itself or through our gateway.
pub fn echo(through: Option<&str>) -> (&'static str, Value) {
    let arguments = json!({"text": "The quick brown fox jumps over the lazy dog."});
    match through {
        None => ("echo", arguments),
        Some(server) => {
            ("call_tool", json!({"name": format!("{server}:echo"), "arguments": arguments}))
        }
    }
}

/// Calls `echo` so often, one after the other; how long each took. All must succeed.
pub async fn echo_often(session: &Session, through: Option<&str>, calls: usize) -> Times {
    let (tool, arguments) = echo(through);
    let mut times = Times::default();
    for _ in 0..calls {
        let start = Instant::now();
        call(session, tool, arguments.clone()).await.expect("the call succeeds");
        times.add(start.elapsed());
    }
    times
}

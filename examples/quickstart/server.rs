//! A small MCP server over stdio with one discovery tool.

use mcpproxy::json;
use std::io::{BufRead, Write};
use std::process::ExitCode;

const TOOLS: &str = r#"[{"name":"retrieve_tools","description":"Finds the tools for a task","inputSchema":{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}}]"#;
const FOUND: &str =
    r#"{"tools":[{"name":"files:read"},{"name":"files:search"}],"total_indexed_tools":42}"#;

/// Answers one line at a time until its input ends.
pub fn run() -> ExitCode {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return ExitCode::FAILURE };
        if let Some(answer) = answer(&line)
            && (writeln!(output, "{answer}").is_err() || output.flush().is_err())
        {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn answer(line: &str) -> Option<String> {
    let message = json::parse(line.as_bytes()).ok()?;
    let id = &line[message.get("id")?.span.clone()];
    let result = match message.get("method")?.as_str()? {
        "initialize" => r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"quickstart","version":"1.0.0"}}"#.to_string(),
        "tools/list" => format!(r#"{{"tools":{TOOLS}}}"#),
        "tools/call" => {
            let mut text = String::new();
            json::write_str(&mut text, FOUND);
            format!(r#"{{"content":[{{"type":"text","text":{text}}}],"structuredContent":{FOUND}}}"#)
        }
        _ => return Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"Method not found"}}}}"#)),
    };
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
}

//! `mcpproxy upstream restart`: ends a server of the running gateway, starts it again, and says what came of it.

use super::running::{Running, in_path};
use super::{Failure, named};
use crate::cli::{Call, output};
use serde_json::Value;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How often the gateway is asked how it goes.
const LOOK: Duration = Duration::from_millis(100);
/// How long a server may take to end and to start.
const PATIENCE: Duration = Duration::from_secs(120);

pub(in crate::cli) fn restart(call: &Call) -> Result<ExitCode, Failure> {
    let name = named(call, "upstream restart")?;
    let gateway = Running::of(call, "upstream restart")?;
    let failed = |error| gateway.failure(error, name);
    gateway.ask("POST", &format!("/api/v1/servers/{}/restart", in_path(name))).map_err(failed)?;
    let until = Instant::now() + PATIENCE;
    loop {
        let status = gateway.ask("GET", "/api/v1/status").map_err(failed)?;
        let servers = status["servers"].as_array().cloned().unwrap_or_default();
        let server = servers.into_iter().find(|server| server["name"] == name);
        let server = server.unwrap_or(Value::Null);
        match server["state"].as_str() {
            Some("connected") => {
                let tools = server["tool_count"].as_u64().unwrap_or_default();
                return output::print(&format!("Restarted {name:?}: connected, {tools} tools.\n"));
            }
            Some("connecting") if Instant::now() < until => thread::sleep(LOOK),
            state => {
                let state = state.unwrap_or("gone");
                let why = server["detail"].as_str().unwrap_or("see `mcpproxy upstream list`");
                return Err(Failure::failed(format!(
                    "{name:?} was restarted and is {state}: {why}"
                )));
            }
        }
    }
}

//! `mcpproxy serve`: the gateway in front of many MCP servers.
//!
//! One rule: with `--stdio`, standard output belongs to MCP.

use super::{Call, Failure};
use crate::serve::{self, DEFAULT_LISTEN, Options, ServeError};
use crate::web::{listen, log};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let log_format = match call.value("log-format") {
        None => log::Format::default(),
        Some(name) => name
            .to_str()
            .and_then(log::Format::from_name)
            .ok_or_else(|| usage("--log-format must be text or json"))?,
    };
    let level = match call.value("log-level").map(OsStr::to_str) {
        None => LevelFilter::INFO,
        Some(Some("error")) => LevelFilter::ERROR,
        Some(Some("warn")) => LevelFilter::WARN,
        Some(Some("info")) => LevelFilter::INFO,
        Some(_) => return Err(usage("--log-level must be error, warn or info")),
    };
    let options = Options {
        dir: call.dir()?,
        launched_by: call.launched_by()?,
        listen: address(call)?,
        stdio: call.has("stdio"),
        allowed_hosts: allowed_hosts(call)?,
        server_stderr: call.has("server-stderr"),
        log_format,
    };
    #[cfg(feature = "autostart")]
    if !options.stdio {
        crate::autostart::offer::once(&options.dir, super::autostart::named(call, &options.dir));
    }
    log::begin(log_format, level);
    match serve::run(options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ ServeError::Open(_)) => Err(usage(error.to_string())),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::usage("serve", words)
}

/// Where to listen; nowhere with `--stdio` alone.
fn address(call: &Call) -> Result<Option<SocketAddr>, Failure> {
    let text = match call.value("listen") {
        None if call.has("stdio") => return Ok(None),
        None => DEFAULT_LISTEN,
        Some(text) => text.to_str().unwrap_or_default(),
    };
    listen::address(text).map(Some).ok_or_else(|| {
        usage(format!(
            "--listen needs an address of this machine and a port, such as {DEFAULT_LISTEN}"
        ))
    })
}

fn allowed_hosts(call: &Call) -> Result<Vec<String>, Failure> {
    let given = call.options.iter().filter(|(name, _)| *name == "allowed-host");
    given
        .map(|(_, value)| {
            let host = value.as_deref().and_then(OsStr::to_str).unwrap_or_default();
            let is_name = !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
            match is_name {
                true => Ok(host.to_owned()),
                false => Err(usage("--allowed-host needs a host name without scheme and port")),
            }
        })
        .collect()
}

//! The clock of `mcpproxy collector`, as the system has it and as tests move it.
//!
//! One rule: only a collector that this machine alone can reach has another clock than its machine.

use super::Failure;
use crate::collector::http::{Clock, Pace};
use crate::machine;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shifts the clock by so many seconds.
const OFFSET: &str = "MCPPROXY_TEST_CLOCK_OFFSET";
/// Stops the clock at the second that stands in a file, whatever stands there by then.
const FILE: &str = "MCPPROXY_TEST_CLOCK_FILE";

/// The time of a collector that listens there, and how long it has run.
pub(super) fn of(listen: SocketAddr) -> Result<(Clock, Pace), Failure> {
    if let Some(file) = variable(FILE, listen)? {
        let clock = stopped(file)?;
        let told = clock.clone();
        return Ok((clock, Arc::new(move || Duration::from_secs(told()))));
    }
    let offset = offset(listen)?;
    let began = Instant::now();
    Ok((
        Arc::new(move || machine::now().saturating_add_signed(offset)),
        Arc::new(move || began.elapsed()),
    ))
}

/// What the clock says to a command that listens to nothing.
pub(super) fn now() -> Result<u64, Failure> {
    let offset = offset((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok(machine::now().saturating_add_signed(offset))
}

/// By how many seconds tests shift the clock.
pub(super) fn offset(listen: SocketAddr) -> Result<i64, Failure> {
    let Some(text) = variable(OFFSET, listen)? else { return Ok(0) };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    seconds.ok_or_else(|| usage(format!("{OFFSET} must be a number of seconds")))
}

fn variable(name: &str, listen: SocketAddr) -> Result<Option<OsString>, Failure> {
    match std::env::var_os(name) {
        Some(_) if !listen.ip().is_loopback() => {
            Err(usage(format!("{name} is for tests on loopback: unset it, or listen on 127.0.0.1")))
        }
        value => Ok(value),
    }
}

fn stopped(file: OsString) -> Result<Clock, Failure> {
    let read = move || -> Option<u64> {
        std::fs::read_to_string(Path::new(&file)).ok()?.trim().parse().ok()
    };
    let first = read();
    let first = first.ok_or_else(|| {
        usage(format!("{FILE} must name a file with a number of seconds since 1970"))
    })?;
    let last = AtomicU64::new(first);
    Ok(Arc::new(move || {
        // While it is written, it holds nothing.
        let now = read().unwrap_or_else(|| last.load(Ordering::Relaxed));
        last.store(now, Ordering::Relaxed);
        now
    }))
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::usage("collector", words)
}

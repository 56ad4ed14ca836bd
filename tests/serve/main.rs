//! The gateway from outside: the built binary, upstream servers in this process, real sockets and pipes.

mod api;
mod calls;
mod clients;
mod fake;
mod floods;
mod gateway;
mod operations;
#[cfg(target_os = "linux")]
mod processes;
mod proxies;
mod sessions;
mod telemetry;
mod upstreams;

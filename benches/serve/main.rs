//! The gateway measured from outside: what it adds to a call, 50 servers with 2,000 tools, 200 clients at
//! once, what a loud server costs the others, and whether it grows over 100,000 calls and thousands of sessions.
//!
//! `cargo bench --bench serve` prints figures of one run and asserts no time; `scripts/peers` runs it with
//! other gateways beside ours. `-- PART...` runs some parts: `calls`, `tools`, `clients`, `loud`,
//! `growth`, `sessions`. What is compared takes turns, so that a noisy machine is noisy for all.
//!
//! The upstream servers answer from text that is nearly ready, so that what is measured is the gateway.
//! All of it is on loopback, and bounded in count.

mod calls;
mod client;
mod figures;
mod growth;
mod loud;
mod process;
mod tools;
mod upstream;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, number] = arguments.as_slice()
        && mode == "--stdio-server"
    {
        return upstream::stdio(number.parse().unwrap_or_default()).unwrap_or_default();
    }
    if let [mode, offer, says] = arguments.as_slice()
        && mode == "--loud-server"
    {
        let (tools, bytes) = loud::offer(offer);
        return loud::serve(tools, bytes, says == "true").unwrap_or_default();
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let is_wanted = |part: &str| {
        let mut parts = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        parts.peek().is_none() || parts.any(|wanted| wanted == part)
    };
    runtime.block_on(async {
        if is_wanted("idle") {
            process::idle();
        }
        if is_wanted("calls") {
            calls::compare().await;
        }
        if is_wanted("tools") {
            tools::many().await;
        }
        if is_wanted("clients") {
            growth::many_clients().await;
        }
        if is_wanted("loud") {
            loud::compare().await;
        }
        if is_wanted("growth") {
            growth::many_calls().await;
        }
        if is_wanted("sessions") {
            growth::many_sessions().await;
        }
    });
    runtime.shutdown_background();
}

//! A host that ends as the line on its standard input says: `tests/heartbeat/panics.rs` builds it.

use mcpproxy::contract::RoutingMode;
use mcpproxy::{Event, Host, Telemetry};

fn main() {
    let telemetry = Telemetry::start(Host {
        routing_mode: RoutingMode::Direct,
        data_dir: None,
        launched_by: None,
        product: None,
    });
    telemetry.record(Event::ServerConnected);
    let mut how = String::new();
    std::io::stdin().read_line(&mut how).expect("a line");
    match how.trim() {
        "exit" => std::process::exit(0),
        "panic" => panic!("as it was told"),
        "panic while recording" => std::thread::scope(|scope| {
            scope.spawn(|| (0..1000).for_each(|_| _ = telemetry.record(Event::UpstreamCall)));
            panic!("as it was told");
        }),
        _ => {}
    }
}

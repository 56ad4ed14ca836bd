//! The first run: where the notice cannot be shown, no packet leaves.

use super::*;
use std::net::TcpListener;
use std::process::Child;

/// A heartbeat that may be sent is sent in a fraction of this.
const LONG_ENOUGH: Duration = Duration::from_secs(3);

/// A host on its first run, its standard error treated so, with a receiver that hears it.
struct FirstRun {
    name: String,
    host: Child,
    receiver: TcpListener,
    /// Open, so that the host goes on.
    _input: std::process::ChildStdin,
    _home: Home,
}

impl FirstRun {
    fn start(host: &str, redirection: &str) -> Self {
        let home = Home::new();
        let receiver = TcpListener::bind("127.0.0.1:0").expect("a port");
        receiver.set_nonblocking(true).expect("set");
        let endpoint = format!("http://{}", receiver.local_addr().expect("bound"));
        let own = [
            ("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str()),
            ("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0"),
        ];
        let script = format!(r#"exec "$0" {host} {redirection}"#);
        let command = ["sh".as_ref(), "-c".as_ref(), script.as_ref(), MCPPROXY.as_ref()];
        let mut shell = home.shell(&[], &own, &command);
        let mut host =
            shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let input = host.stdin.take().expect("piped");
        let name = script.replace(r#"exec "$0" "#, "");
        Self { name, host, receiver, _input: input, _home: home }
    }

    fn was_heard_within(&self, limit: Duration) -> bool {
        let give_up = std::time::Instant::now() + limit;
        while std::time::Instant::now() < give_up {
            if self.receiver.accept().is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for FirstRun {
    fn drop(&mut self) {
        // The end of its input ends the host, and the shells above it with it.
        let _ = endure::end_within(&mut self.host, Duration::ZERO);
    }
}

#[test]
fn a_first_run_that_cannot_show_the_notice_sends_nothing() {
    let mut mute = Vec::new();
    for host in ["tap cat", "serve --stdio", "telemetry send --now"] {
        for redirection in ["2>&-", "2</dev/null", "2>/dev/full"] {
            mute.push(FirstRun::start(host, redirection));
        }
    }
    // The same with a standard error that can be written: this is how long it takes.
    for host in ["tap cat", "serve --stdio"] {
        let heard = FirstRun::start(host, "2>/dev/null");
        assert!(heard.was_heard_within(PATIENCE), "{}", heard.name);
    }
    std::thread::sleep(LONG_ENOUGH);
    for run in &mute {
        assert!(!run.was_heard_within(Duration::from_millis(50)), "{}", run.name);
    }
    println!("{} first runs without a notice: no packet", mute.len());
}

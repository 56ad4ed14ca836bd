//! Round trips through `tap`, through `cat` both ways, and without anything between.
//!
//! `cargo bench --bench tap` prints medians and ratios of one run. The peers take turns, so that a
//! noisy machine is noisy for all of them. The server is this binary: it echoes lines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const TAP: &str = env!("CARGO_BIN_EXE_mcpproxy");
/// Size of a message, round trips in a turn, turns.
const SIZES: [(usize, usize, usize); 3] = [(200, 400, 30), (4096, 400, 30), (1 << 20, 8, 30)];

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--echo") {
        echo().unwrap_or_default();
        return;
    }
    let home = std::env::temp_dir().join(format!("mcpproxy-bench-{}", std::process::id()));
    let me = std::env::current_exe().expect("this binary has a path");
    let me = me.to_str().expect("a path in UTF-8");
    let mut peers = [
        Peer::start("direct", Command::new(me).arg("--echo")),
        Peer::start("cat", Command::new("sh").args(["-c", "cat | \"$0\" --echo | cat", me])),
        Peer::start(
            "tap, telemetry off",
            Command::new(TAP).args(["tap", me, "--echo"]).env("MCPPROXY_TELEMETRY", "0"),
        ),
        Peer::start(
            "tap",
            Command::new(TAP)
                .args(["tap", "--data-dir"])
                .arg(&home)
                .args([me, "--echo"])
                .env_remove("MCPPROXY_TELEMETRY")
                .env_remove("DO_NOT_TRACK")
                .stderr(Stdio::null()),
        ),
    ];
    for (size, trips, turns) in SIZES {
        let message = message(size);
        for peer in &mut peers {
            peer.times.clear();
            peer.turn(&message, trips / 4 + 1);
            peer.times.clear();
        }
        for _ in 0..turns {
            for peer in &mut peers {
                peer.turn(&message, trips);
            }
        }
        report(size, &mut peers);
    }
    for peer in peers {
        peer.stop();
    }
    let _ = std::fs::remove_dir_all(home);
}

fn report(size: usize, peers: &mut [Peer]) {
    println!("{size} bytes");
    let medians: Vec<Duration> = peers.iter_mut().map(Peer::median).collect();
    let (Some(direct), Some(cat)) = (medians.first(), medians.get(1)) else { return };
    for (peer, median) in peers.iter().zip(&medians) {
        println!(
            "  {:20} {:>9.1} us   {:.2} x direct   {:.2} x cat",
            peer.name,
            median.as_secs_f64() * 1e6,
            median.as_secs_f64() / direct.as_secs_f64(),
            median.as_secs_f64() / cat.as_secs_f64(),
        );
    }
}

/// A tool call of `size` bytes, newline included.
fn message(size: usize) -> Vec<u8> {
    let start = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":""#;
    let end = "\"}}}\n";
    let text = "The quick brown fox jumps over the lazy dog.\\n".bytes().cycle();
    let mut message = start.as_bytes().to_vec();
    message.extend(text.take(size - start.len() - end.len()));
    if message.last() == Some(&b'\\') {
        message.pop();
        message.push(b'.');
    }
    message.extend(end.bytes());
    message
}

/// One way to reach the echoing server.
struct Peer {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    times: Vec<Duration>,
}

impl Peer {
    fn start(name: &'static str, command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a peer");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        Self { name, child, input, output, times: Vec::new() }
    }

    fn turn(&mut self, message: &[u8], trips: usize) {
        let mut answer = vec![0; message.len()];
        for _ in 0..trips {
            let start = Instant::now();
            self.input.write_all(message).expect("the peer reads");
            self.output.read_exact(&mut answer).expect("the peer answers");
            self.times.push(start.elapsed());
        }
        assert!(answer == message, "{} changed the bytes", self.name);
    }

    fn median(&mut self) -> Duration {
        self.times.sort_unstable();
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }

    fn stop(mut self) {
        drop(self.input);
        let _ = self.child.wait();
    }
}

/// Reads whole lines, as servers do, and sends them back.
fn echo() -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 << 10, io::stdin().lock());
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        output.write_all(&line)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

//! Round trips through `tap`, through `cat` both ways, and without anything between.
//!
//! `cargo bench --bench tap` prints the median (p50) and the quiet case (p10: what is left when other
//! load is not) of one run, with ratios. The peers take turns, so that a noisy machine is noisy for all.
//!
//! Three servers. Two are this binary: `--echo` sends lines back and does nothing else, the harshest
//! comparison there is: on two cores a third process that copies can then not come for free, four copies
//! of a megabyte become eight, for `cat` too. `--serve` also reads each line as JSON and writes the answer
//! from what it read. The third is a real MCP server, `@modelcontextprotocol/server-everything`, whose tool
//! `echo` is called; it is skipped where `scripts/test` has not installed it.

use mcpproxy::tap::{Direction, Observer};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const TAP: &str = env!("CARGO_BIN_EXE_mcpproxy");
/// Size of a message, round trips in a turn, turns.
const SIZES: [(usize, usize, usize); 3] = [(200, 400, 40), (4096, 400, 40), (1 << 20, 8, 40)];

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--echo") => return serve(<[u8]>::to_vec).unwrap_or_default(),
        Some("--serve") => return serve(reread).unwrap_or_default(),
        _ => {}
    }
    observe();
    let me = std::env::current_exe().expect("this binary has a path");
    let me = me.to_str().expect("a path in UTF-8");
    for mode in ["--echo", "--serve"] {
        measure(mode, &[me, mode], |_| {});
    }
    match everything() {
        Ok(script) => {
            let script = script.to_str().expect("a path in UTF-8");
            measure("server-everything", &["node", script, "stdio"], Peer::initialize);
        }
        Err(reason) => println!("SKIPPED: server-everything: {reason}"),
    }
}

/// Where `scripts/test` has installed the real server.
fn everything() -> Result<PathBuf, &'static str> {
    let parts = std::env::var_os("MCPPROXY_REAL_PARTS").map(PathBuf::from);
    let parts = parts
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"))
        .join("npm");
    if !parts.join(".installed").is_file() {
        return Err("the npm parts are not installed; scripts/test installs them");
    }
    let version = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        return Err("node is not on PATH");
    }
    Ok(parts.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"))
}

/// Compares the ways to reach one server, which `begin` makes ready for calls.
fn measure(name: &str, server: &[&str], begin: impl Fn(&mut Peer)) {
    let home = std::env::temp_dir().join(format!("mcpproxy-bench-{}", std::process::id()));
    let (program, arguments) = server.split_first().expect("a program");
    let piped = ["-c", "cat | \"$0\" \"$@\" | cat"];
    let mut peers = [
        Peer::start("direct", Command::new(program).args(arguments)),
        Peer::start("cat", Command::new("sh").args(piped).args(server)),
        Peer::start("tap, telemetry off", tap(&home, server).env("DO_NOT_TRACK", "1")),
        Peer::start("tap", &mut tap(&home, server)),
    ];
    peers.iter_mut().for_each(begin);
    for (size, trips, turns) in SIZES {
        compare(&mut peers, &message(size), trips, turns);
        report(name, size, &mut peers);
    }
    for peer in peers {
        peer.stop();
    }
    let _ = std::fs::remove_dir_all(home);
}

/// How fast the observer reads, off the path of the traffic.
fn observe() {
    let mut observer = Observer::new(vec!["retrieve_tools".to_owned()], |event| {
        std::hint::black_box(event);
    });
    let text = message(1 << 20);
    let tool =
        br#"{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":"string"}}}},"#;
    let structure = [&b"{\"result\":["[..], &tool.repeat(12_000), b"1]}\n"].concat();
    for (name, line) in [("long strings", text), ("small tokens", structure)] {
        let start = Instant::now();
        let rounds = 100;
        for _ in 0..rounds {
            line.chunks(64 << 10).for_each(|chunk| observer.feed(Direction::ToServer, chunk));
        }
        let megabytes = (rounds * line.len()) as f64 / 1e6;
        println!("observer, {name}: {:.0} MB/s", megabytes / start.elapsed().as_secs_f64());
    }
}

fn tap(home: &Path, server: &[&str]) -> Command {
    let mut command = Command::new(TAP);
    command.args(["tap", "--data-dir"]).arg(home).arg("--").args(server);
    command.env_remove("MCPPROXY_TELEMETRY").env_remove("DO_NOT_TRACK");
    command
}

fn compare(peers: &mut [Peer], message: &[u8], trips: usize, turns: usize) {
    for peer in &mut *peers {
        peer.learn(message);
        peer.turn(message, trips / 4 + 1);
        peer.times.clear();
    }
    for _ in 0..turns {
        for peer in &mut *peers {
            peer.turn(message, trips);
        }
    }
}

fn report(server: &str, size: usize, peers: &mut [Peer]) {
    println!("{server}, {size} bytes");
    let figures: Vec<_> = peers.iter_mut().map(|peer| (peer.at(50), peer.at(10))).collect();
    let (Some(&direct), Some(&cat)) = (figures.first(), figures.get(1)) else { return };
    for (peer, (p50, p10)) in peers.iter().zip(&figures) {
        println!(
            "  {:20} p50 {p50:>8.1} us  {:.2} x direct  {:.2} x cat    p10 {p10:>8.1} us  \
             {:.2} x direct  {:.2} x cat",
            peer.name,
            p50 / direct.0,
            p50 / cat.0,
            p10 / direct.1,
            p10 / cat.1,
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

/// One way to reach a server.
struct Peer {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// What the message is answered with, time and again.
    answer: Vec<u8>,
    times: Vec<Duration>,
}

impl Peer {
    fn start(name: &'static str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a peer");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        Self { name, child, input, output, answer: Vec::new(), times: Vec::new() }
    }

    /// Begins a session of MCP.
    fn initialize(&mut self) {
        let request = concat!(
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
            r#""capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
            "\n"
        );
        self.learn(request.as_bytes());
        let begun = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
        self.input.write_all(begun).expect("the peer reads");
        // What a server says of itself when a session begins is not to come between calls.
        std::thread::sleep(Duration::from_millis(500));
    }

    /// Sends `message` and keeps what it is answered with: a line without `method`, as only requests and
    /// notifications have one, or the message itself.
    fn learn(&mut self, message: &[u8]) {
        self.input.write_all(message).expect("the peer reads");
        let mut output = BufReader::new(&mut self.output);
        let is_answer = |line: &[u8]| {
            line == message || !line.windows(9).take(200).any(|bytes| bytes == b"\"method\":")
        };
        loop {
            self.answer.clear();
            output.read_until(b'\n', &mut self.answer).expect("the peer answers");
            assert!(!self.answer.is_empty(), "{} has ended", self.name);
            if is_answer(&self.answer) {
                break;
            }
        }
        assert!(output.buffer().is_empty(), "{} says more than it is asked", self.name);
        let is_error = self.answer.windows(8).take(200).any(|bytes| bytes == b"\"error\":");
        assert!(!is_error, "{} refuses", self.name);
    }

    fn turn(&mut self, message: &[u8], trips: usize) {
        let mut answer = vec![0; self.answer.len()];
        for _ in 0..trips {
            let start = Instant::now();
            self.input.write_all(message).expect("the peer reads");
            self.output.read_exact(&mut answer).expect("the peer answers");
            self.times.push(start.elapsed());
        }
        assert!(answer == self.answer, "{} changed the bytes", self.name);
    }

    /// Microseconds of the fastest `percent` of all round trips.
    fn at(&mut self, percent: usize) -> f64 {
        self.times.sort_unstable();
        let index = self.times.len() * percent / 100;
        self.times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
    }

    fn stop(mut self) {
        drop(self.input);
        let _ = self.child.wait();
    }
}

/// Answers each line with what `answer` makes of it.
fn serve(answer: impl Fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 << 10, io::stdin().lock());
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        output.write_all(&answer(&line))?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

/// The same message, read and written.
fn reread(line: &[u8]) -> Vec<u8> {
    let message: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    let mut answer = serde_json::to_vec(&message).unwrap_or_default();
    answer.push(b'\n');
    answer
}

//! `tap` as a process: what passes through it, how it answers signals, how it ends.
//!
//! Servers here are small shell scripts; telemetry is off, so that nothing but the tap is tested.
#![cfg(all(target_os = "linux", feature = "tap"))]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TAP: &str = env!("CARGO_BIN_EXE_mcpproxy");
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that answers to signals: says `ready`, then what it received, and ends by SIGUSR1.
const LISTENER: &str = "trap 'echo term' TERM; trap 'echo hup' HUP; trap 'echo int' INT; \
    trap 'echo quit' QUIT; trap 'echo usr2' USR2; trap 'exit 5' USR1; echo ready; \
    while :; do sleep 0.02; done";

fn tap(arguments: &[&str]) -> Command {
    let mut command = Command::new(TAP);
    command.arg("tap").args(arguments);
    quiet(&mut command);
    command
}

fn quiet(command: &mut Command) {
    command.env("MCPPROXY_TELEMETRY", "0").env("MCPPROXY_HOME", "/nonexistent/mcpproxy");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
}

/// A tap that is killed when the test ends, with its two pipes.
struct Session {
    tap: Child,
    to_server: Option<ChildStdin>,
    from_server: BufReader<ChildStdout>,
}

impl Session {
    fn start(script: &str) -> Self {
        Self::of(&mut tap(&["sh", "-c", script]))
    }

    fn of(command: &mut Command) -> Self {
        let mut tap = command.spawn().unwrap();
        let to_server = tap.stdin.take();
        let from_server = BufReader::new(tap.stdout.take().unwrap());
        Self { tap, to_server, from_server }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from_server.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, name: &str) {
        send(name, self.tap.id());
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.from_server.read_to_end(&mut rest).unwrap();
        rest
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.tap.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "tap does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.tap.kill();
        let _ = self.tap.wait();
    }
}

fn send(name: &str, pid: u32) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "no process {pid} to send {name} to");
}

/// Running, and not a zombie.
fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Bytes of every value in no order, newlines at long and short distances.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

#[test]
fn every_byte_passes_both_ways() {
    let mut traffic = noise(1_000_003);
    traffic.extend(vec![b'x'; 3 << 20]);
    traffic.extend(b"\n{\"jsonrpc\":\"2.0\",\"id\":1,\xff\x00\r\n\n\n[1,2\n");
    traffic.extend("a\u{2028}b\n".repeat(1000).as_bytes());
    let mut session = Session::of(&mut tap(&["cat"]));
    let mut input = session.to_server.take().unwrap();
    let sent = traffic.clone();
    let writer = thread::spawn(move || input.write_all(&sent).unwrap());
    let received = session.rest();
    writer.join().unwrap();
    assert_eq!(received.len(), traffic.len());
    assert!(received == traffic, "bytes differ");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn half_a_line_arrives_at_once() {
    let mut session = Session::start("printf abc; read x; printf \"[$x]\"");
    let mut start = [0; 3];
    session.from_server.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"abc");
    session.to_server.as_mut().unwrap().write_all(b"de\n").unwrap();
    assert_eq!(session.rest(), b"[de]");
}

#[test]
fn the_end_of_input_reaches_the_server_which_may_still_answer() {
    let mut session = Session::start("n=$(wc -c); echo got $n");
    session.to_server.take().unwrap().write_all(b"12345").unwrap();
    assert_eq!(session.line(), "got 5");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_server_that_closes_its_output_is_seen_to_and_lives_on() {
    let mut session = Session::start("exec 1>&-; read x; exit 4");
    assert_eq!(session.rest(), b"");
    assert!(session.tap.try_wait().unwrap().is_none());
    session.to_server.as_mut().unwrap().write_all(b"x\n").unwrap();
    assert_eq!(session.end().code(), Some(4));
}

#[test]
fn a_server_that_closes_its_input_is_seen_to() {
    let mut session = Session::start("exec 0<&-; echo ready; exec sleep 60");
    assert_eq!(session.line(), "ready");
    let mut input = session.to_server.take().unwrap();
    until("a broken pipe", || input.write_all(b"x\n").is_err());
    assert!(session.tap.try_wait().unwrap().is_none());
}

#[test]
fn a_client_that_goes_away_stops_a_server_that_writes() {
    let mut tap = tap(&["yes"]).spawn().unwrap();
    drop(tap.stdout.take());
    let status = tap.wait().unwrap();
    assert_eq!(status.signal(), Some(13), "{status}");
}

#[test]
fn standard_error_is_the_servers() {
    let mut command = tap(&["sh", "-c", "echo trouble >&2"]);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.stderr, b"trouble\n");
    assert_eq!(output.stdout, b"");
}

#[test]
fn exit_codes_pass() {
    for code in [0, 1, 3, 127, 255] {
        let mut session = Session::start(&format!("exit {code}"));
        assert_eq!(session.end().code(), Some(code));
    }
}

#[test]
fn tap_dies_of_what_its_server_died_of() {
    for (name, number) in [("KILL", 9), ("SEGV", 11), ("TERM", 15), ("ABRT", 6), ("ALRM", 14)] {
        let mut session = Session::start(&format!("kill -s {name} $$"));
        assert_eq!(session.end().signal(), Some(number), "{name}");
    }
}

#[test]
fn a_signal_sent_to_tap_alone_reaches_the_server_once() {
    let mut session = Session::start(LISTENER);
    assert_eq!(session.line(), "ready");
    for (name, said) in
        [("TERM", "term"), ("HUP", "hup"), ("INT", "int"), ("QUIT", "quit"), ("USR2", "usr2")]
    {
        session.signal(name);
        assert_eq!(session.line(), said);
    }
    session.signal("USR1");
    assert_eq!(session.rest(), b"", "a signal arrived twice");
    assert_eq!(session.end().code(), Some(5));
}

#[test]
fn a_server_that_dies_of_a_forwarded_signal_takes_tap_with_it() {
    let mut session = Session::start("echo ready; exec sleep 60");
    assert_eq!(session.line(), "ready");
    session.signal("TERM");
    assert_eq!(session.end().signal(), Some(15));
}

#[test]
fn what_was_ignored_at_start_stays_ignored() {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" tap sh -c \"$1\"", TAP, LISTENER]);
    quiet(&mut command);
    let mut session = Session::of(&mut command);
    assert_eq!(session.line(), "ready");
    session.signal("HUP");
    session.signal("TERM");
    assert_eq!(session.line(), "term");
}

/// Node.js handles again what its parent ignored; `nohup` must not make such a server deaf behind tap.
#[test]
fn what_was_ignored_at_start_reaches_a_server_that_handles_it() {
    if Command::new("python3").arg("--version").output().is_err() {
        skipped!("no python3 to handle an ignored signal with");
        return;
    }
    let handle = "import signal, sys, time\n\
                  signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))\n\
                  print('ready', flush=True)\n\
                  time.sleep(60)";
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" tap python3 -c \"$1\"", TAP, handle]);
    quiet(&mut command);
    let mut session = Session::of(&mut command);
    assert_eq!(session.line(), "ready");
    session.signal("HUP");
    assert_eq!(session.end().code(), Some(7));
}

#[test]
fn a_server_begins_with_the_signals_it_would_have_without_tap() {
    let look = "exec grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    for setting in ["", "trap '' HUP INT; ", "trap '' CHLD; "] {
        let run = |exec: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{setting}exec {exec}sh -c \"$1\""), TAP, look]);
            quiet(&mut command);
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let direct = run("");
        assert!(direct.contains("SigBlk"), "{direct}");
        assert_eq!(run("\"$0\" tap "), direct, "{setting}");
    }
}

#[test]
fn a_server_gets_the_standard_streams_and_no_other_descriptor() {
    // `ls` lists what the shell has, not what it has itself; 7 is a file that a client leaks into tap.
    let lists = "ls /proc/$$/fd; echo end";
    let mut command = Command::new("sh");
    command.args(["-c", "exec 7</dev/null; exec \"$0\" tap sh -c \"$1\"", TAP, lists]);
    quiet(&mut command);
    let mut session = Session::of(&mut command);
    assert_eq!(String::from_utf8(session.rest()).unwrap(), "0\n1\n2\nend\n");
}

#[test]
fn a_server_is_told_of_no_other_descriptor() {
    let names = ["NODE_CHANNEL_FD", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];
    let mut command = Command::new(TAP);
    command.args(["tap", "sh", "-c", "env"]).envs(names.map(|name| (name, "3"))).env("OTHER", "3");
    quiet(&mut command);
    let told = String::from_utf8(Session::of(&mut command).rest()).unwrap();
    assert!(told.lines().any(|line| line == "OTHER=3"), "{told}");
    let is_named = |line: &str| names.iter().any(|name| line.starts_with(name));
    assert!(!told.lines().any(is_named), "{told}");
}

#[test]
fn a_terminals_interrupt_is_not_delivered_twice() {
    if Command::new("script").arg("--version").output().is_err() {
        skipped!("no `script` to make a terminal with");
        return;
    }
    let mut command = Command::new("script");
    let line = format!("exec {TAP} tap sh -c \"{LISTENER}\"");
    command.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]);
    quiet(&mut command);
    let mut session = Session::of(&mut command);
    assert_eq!(session.line(), "ready");
    session.to_server.as_mut().unwrap().write_all(b"\x03").unwrap();
    let echoed = session.line();
    assert!(echoed.ends_with("int"), "{echoed:?}");
    let tap = fs::read_to_string(format!("/proc/{0}/task/{0}/children", session.tap.id()));
    let tap: u32 = tap.unwrap().trim().parse().unwrap();
    send("TERM", tap);
    assert_eq!(session.line(), "term");
    send("USR1", tap);
    let rest = String::from_utf8(session.rest()).unwrap();
    assert!(!rest.contains("int"), "{rest:?}");
    assert_eq!(session.end().code(), Some(5));
}

#[test]
fn a_descendant_that_holds_the_pipe_does_not_hold_tap() {
    let mut session = Session::start("sleep 60 & echo $!; printf last; exit 3");
    let holder = session.line();
    assert_eq!(session.rest(), b"last");
    assert_eq!(session.end().code(), Some(3));
    assert!(is_alive(&holder));
    send("KILL", holder.parse().unwrap());
}

#[test]
fn a_slow_client_gets_all_that_an_ended_server_wrote() {
    // More than one pipe holds, less than two: the server ends before the first byte is read.
    let mut session = Session::start("sleep 0.1; head -c 120000 /dev/zero; exit 6");
    let children = format!("/proc/{0}/task/{0}/children", session.tap.id());
    let has_child = || fs::read_to_string(&children).is_ok_and(|pids| !pids.is_empty());
    until("a server", || has_child() || session.tap.try_wait().unwrap().is_some());
    until("the end of the server", || !has_child());
    assert!(session.tap.try_wait().unwrap().is_none(), "tap left with bytes to deliver");
    assert_eq!(session.rest().len(), 120_000);
    assert_eq!(session.end().code(), Some(6));
}

#[test]
fn a_client_that_asks_for_the_end_and_never_reads_is_not_waited_for() {
    let mut session = Session::start("exec head -c 10000000 /dev/zero");
    // Nobody reads, so the server sleeps for good once both pipes and the buffer between are full.
    let children = format!("/proc/{0}/task/{0}/children", session.tap.id());
    let mut looks_asleep = 0;
    until("a blocked server", || {
        let server = fs::read_to_string(&children).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.trim())).unwrap_or_default();
        looks_asleep = if stat.contains("(head) S") { looks_asleep + 1 } else { 0 };
        looks_asleep > 20
    });
    session.signal("TERM");
    assert_eq!(session.end().signal(), Some(15));
    // What had reached the client's pipe stays readable.
    assert!(session.rest().len() >= 4096);
}

#[test]
fn a_killed_tap_takes_its_server_with_it() {
    let mut session = Session::start("echo $$; exec sleep 60");
    let server = session.line();
    assert!(is_alive(&server));
    session.signal("KILL");
    until("the server is gone", || !is_alive(&server));
    assert_eq!(session.end().signal(), Some(9));
}

/// Runs `script` under a tap that is process 1; `None` where namespaces are not to be had.
fn as_process_1(script: &str) -> Option<std::process::Output> {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]).args(arguments);
        quiet(&mut command);
        command.output()
    };
    if !unshare(&["true"]).is_ok_and(|output| output.status.success()) {
        skipped!("no pid namespaces here (not root, or no `unshare`)");
        return None;
    }
    Some(unshare(&[TAP, "tap", "sh", "-c", script]).unwrap())
}

#[test]
fn process_1_exits_with_128_and_the_signal() {
    let Some(output) = as_process_1("kill -s KILL $$") else { return };
    assert_eq!(output.status.code(), Some(137));
    let Some(output) = as_process_1("exit 3") else { return };
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn process_1_forwards_signals_from_within() {
    let script = "trap 'echo term; exit 9' TERM; kill -s TERM 1; while :; do sleep 0.02; done";
    let Some(output) = as_process_1(script) else { return };
    assert_eq!(output.stdout, b"term\n");
    assert_eq!(output.status.code(), Some(9));
}

#[test]
fn process_1_reaps_orphans() {
    let script = "pid=$(sh -c 'sleep 0.1 >/dev/null & echo $!'); i=0; \
        while [ -e /proc/$pid ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done; \
        [ -e /proc/$pid ] && echo zombie; echo done";
    let Some(output) = as_process_1(script) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
}

#[test]
fn a_command_that_does_not_exist_is_one_clear_line_and_127() {
    let mut command = tap(&["--", "no-such-server-anywhere"]);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("no-such-server-anywhere") && said.contains("PATH"), "{said}");
    assert!(said.contains("(MCPX_STDIO_NOT_FOUND: https://"), "{said}");
    assert_eq!(output.stdout, b"");
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn a_file_that_cannot_be_executed_is_126() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "hello").unwrap();
    let script = dir.path().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    make_executable(&script);
    for (file, exit, parts) in [
        (&plain, 126, ["denied", "MCPX_STDIO_NO_PERMISSION"]),
        (&script, 127, ["interpreter", "MCPX_STDIO_NOT_EXECUTABLE"]),
    ] {
        let mut command = tap(&[file.to_str().unwrap()]);
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_server_that_ends_before_it_answers_is_named_by_one_line() {
    for (script, is_named) in [("exit 3", true), ("exit 0", false), ("echo {}; exit 3", false)] {
        let mut command = tap(&["sh", "-c", script]);
        // An input that stays open: the client did not want the end.
        let (input, kept) = std::io::pipe().unwrap();
        let output = command.stdin(input).stderr(Stdio::piped()).output().unwrap();
        drop(kept);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("MCPX_STDIO_EXITED_EARLY"), is_named, "{script}: {said}");
        assert_eq!(said.lines().count(), usize::from(is_named), "{said}");
    }
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn usage_errors_are_one_line_and_2() {
    for arguments in [&[][..], &["--"], &["--no-such-option", "cat"], &["--discovery-tool"]] {
        let output = tap(arguments).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn the_dashes_before_the_command_may_be_missing() {
    for arguments in [&["--", "echo", "--", "-x"][..], &["echo", "--", "-x"]] {
        assert_eq!(tap(arguments).output().unwrap().stdout, b"-- -x\n");
    }
}

fn threads(pid: u32) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn with_telemetry_off_there_is_a_pump_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut command =
        tap(&["--data-dir", data.to_str().unwrap(), "sh", "-c", "echo ready; read x"]);
    let mut session = Session::of(&mut command);
    assert_eq!(session.line(), "ready");
    // A thread has its name a moment after it has begun.
    until("all threads", || {
        threads(session.tap.id()) == ["answers", "mcpproxy", "requests", "supervisor"]
    });
    drop(session.to_server.take());
    assert_eq!(session.end().code(), Some(1));
    assert!(!data.exists());
}

#[test]
fn help_goes_to_standard_output() {
    let output = tap(&["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("--discovery-tool"));
}

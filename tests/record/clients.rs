//! The clients for Node.js and Python: what they count, and what their hosts never notice.

use super::receiver::Receiver;
use super::{Home, MCPPROXY, PRODUCT, ended, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

/// A language that has a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Node,
    Python,
}

use Language::{Node, Python};

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Says on the real standard error that a test did not run.
fn skip(reason: &str) {
    let required = std::env::var_os("MCPPROXY_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "MCPPROXY_REAL_REQUIRED=1, but {reason}");
    skipped!("{reason}");
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
}

/// A host with its package beside it, as an installation lays them out.
struct App {
    home: Home,
    language: Language,
}

impl App {
    /// `None` after a skip, where there is no interpreter.
    fn new(language: Language) -> Option<Self> {
        let app = Self { home: Home::new(), language };
        let mut version = Command::new(app.interpreter());
        if !version.arg("--version").output().is_ok_and(|output| output.status.success()) {
            skip(&format!("{} is not on PATH", app.interpreter()));
            return None;
        }
        copy_files(&of_repository("tests/record/hosts"), &app.dir());
        let (package, package_in_repository) = match language {
            Node => ("node_modules/@mcpproxy/tap", "platform/packaging/npm/tap"),
            Python => ("mcpproxy_tap", "platform/packaging/pypi/mcpproxy_tap"),
        };
        copy_files(&of_repository(package_in_repository), &app.dir().join(package));
        let bin = app.binary();
        std::fs::create_dir_all(bin.parent().expect("a folder")).expect("made");
        std::fs::copy(MCPPROXY, bin).expect("copied");
        Some(app)
    }

    fn dir(&self) -> PathBuf {
        self.home.0.path().join("app")
    }

    fn interpreter(&self) -> &'static str {
        match self.language {
            Node => "node",
            Python => "python3",
        }
    }

    /// Where the package keeps the program.
    fn binary(&self) -> PathBuf {
        let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        self.dir().join(match self.language {
            Node => format!("node_modules/@mcpproxy/tap-linux-{processor}/bin/mcpproxy"),
            Python => "mcpproxy_tap/bin/mcpproxy".to_owned(),
        })
    }

    /// The plain host, doing this.
    fn plain(&self, mode: &str, endpoint: &str, more: &[&str], variables: &[(&str, &str)]) -> Host {
        let file = if self.language == Node { "plain.cjs" } else { "plain.py" };
        let mut command = self.home.command(self.interpreter(), &[file, mode, endpoint]);
        command.args(more).envs(variables.iter().copied());
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Host {
        // A file: the recorder has its host's standard error, and may outlive it.
        let said = self.home.0.path().join("said");
        let file = std::fs::File::create(&said).expect("a file");
        command.current_dir(self.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().expect("it starts");
        let output = child.stdout.take().map(BufReader::new).expect("its output");
        Host { child, output, said }
    }
}

/// A running host.
struct Host {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it and its recorder say on standard error.
    said: PathBuf,
}

impl Host {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        line.trim().to_owned()
    }

    fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("a host that listens");
    }

    /// The processes that it started.
    fn children(&self) -> Vec<u32> {
        let id = self.child.id();
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("a process");
        let of_task = |path: PathBuf| std::fs::read_to_string(path.join("children"));
        let lists = tasks.flatten().filter_map(|task| of_task(task.path()).ok());
        let lists = lists.collect::<Vec<_>>().join(" ");
        lists.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Waits for its end, which is a success: the rest of its output, and what it said on standard error.
    fn end(mut self) -> (String, String) {
        let output = thread::spawn(move || {
            let mut rest = String::new();
            self.output.read_to_string(&mut rest).expect("UTF-8");
            rest
        });
        let ended = ended(self.child);
        let said = std::fs::read_to_string(self.said).expect("UTF-8");
        assert!(ended.status.success(), "{}: {said}", ended.status);
        (output.join().expect("read"), said)
    }
}

/// What a process still does; `None` when it has ended.
fn state(id: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next().filter(|state| *state != 'Z')
}

fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([name, &id.to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// The host's recorder has read all that it was told, and has ended.
fn wait_for_the_end_of(id: u32) {
    eventually("the recorder ends", || state(id).is_none().then_some(()));
}

fn both() -> impl Iterator<Item = App> {
    [Node, Python].into_iter().filter_map(App::new)
}

#[test]
fn a_plain_host_moves_the_funnel_and_ends_by_itself() {
    for app in both() {
        let (out, said) = app.plain("session", "", &[], &[]).end();
        assert_eq!(out, "", "{said}");
        let payload = eventually("the session is counted", || {
            let shown =
                app.home.command(MCPPROXY, &["telemetry", "show-payload", "--product", PRODUCT]);
            let shown = { shown }.output().expect("it starts").stdout;
            let payload: Value = serde_json::from_slice(&shown).ok()?;
            (payload["previous_shutdown"] == "clean").then_some(payload)
        });
        let activation = &payload["activation"];
        assert_eq!(
            activation["mcp_clients_seen_ever"],
            json!(["claude-code"]),
            "{:?}",
            app.language
        );
        assert_eq!(activation["first_connected_server_ever"], true);
        assert_eq!(activation["retrieve_tools_calls_24h"], 1);
        assert_eq!(activation["first_real_tool_call_ever"], true);
        assert_eq!(payload["surface_requests"]["mcp"], 2, "nothing after close: {payload}");
    }
}

#[test]
fn strange_values_are_no_bad_lines_and_remote_sessions_do_not_count() {
    for app in both() {
        let (_, said) = app.plain("strange", "", &[], &[]).end();
        let payload = eventually("the host said goodbye", || {
            let payload = app
                .home
                .command(MCPPROXY, &["telemetry", "show-payload", "--product", PRODUCT])
                .output();
            let payload: Value =
                serde_json::from_slice(&payload.expect("it starts").stdout).ok()?;
            (payload["previous_shutdown"] == "clean").then_some(payload)
        });
        assert!(!said.contains("is skipped"), "{said}");
        let seen = &payload["activation"]["mcp_clients_seen_ever"];
        assert_eq!(*seen, json!(["claude-code", "unknown"]), "{:?}", app.language);
        assert_eq!(payload["activation"]["retrieve_tools_calls_24h"], 3);
        assert_eq!(payload["surface_requests"]["mcp"], 5);
    }
}

#[test]
fn a_recorder_that_stands_still_neither_delays_nor_ends_its_host() {
    for app in both() {
        let mut host = app.plain("wait", "", &["200000"], &[]);
        assert_eq!(host.line(), "ready");
        let [recorder] = host.children()[..] else { panic!("{:?}", host.children()) };
        signal("-STOP", recorder);
        eventually("it stands", || (state(recorder) == Some('T')).then_some(()));
        host.tell("go");
        let (out, _) = host.end();
        let dropped: u64 = out.trim().parse().expect("a number");
        assert!(
            dropped > 300_000,
            "{:?}: {dropped} of 400,000 are more than a pipe leaves",
            app.language
        );
        signal("-CONT", recorder);
        wait_for_the_end_of(recorder);
        assert_eq!(app.home.payload()["activation"]["first_real_tool_call_ever"], true);
    }
}

#[test]
fn a_recorder_that_is_killed_does_not_end_its_host() {
    for app in both() {
        let mut host = app.plain("wait", "", &["1000"], &[]);
        assert_eq!(host.line(), "ready");
        let [recorder] = host.children()[..] else { panic!("{:?}", host.children()) };
        signal("-KILL", recorder);
        eventually("it is dead", || state(recorder).is_none().then_some(()));
        host.tell("go");
        let (out, said) = host.end();
        let dropped: u64 = out.trim().parse().expect("a number");
        assert!(dropped >= 1000, "{:?}: {dropped}", app.language);
        assert!(!said.contains("Traceback") && !said.contains("Error"), "{said}");
    }
}

#[test]
fn a_host_that_is_killed_takes_its_recorder_with_it() {
    for app in both() {
        let mut host = app.plain("wait", "", &["1"], &[]);
        assert_eq!(host.line(), "ready");
        let [recorder] = host.children()[..] else { panic!("{:?}", host.children()) };
        host.child.kill().expect("killed");
        wait_for_the_end_of(recorder);
        _ = host.child.wait();
        let payload = app.home.payload();
        assert_eq!(payload["activation"]["first_real_tool_call_ever"], true, "{:?}", app.language);
        assert_eq!(payload["previous_shutdown"], "unknown");
    }
}

#[test]
fn without_a_program_and_under_an_objection_nothing_is_started_and_nothing_said() {
    for app in both() {
        let run = |variables: &[(&str, &str)]| {
            let mut host = app.plain("wait", "", &["10"], variables);
            assert_eq!(host.line(), "ready");
            assert!(host.children().is_empty(), "{:?}", app.language);
            host.tell("go");
            let (out, said) = host.end();
            assert_eq!(out.trim(), "0", "nothing is dropped that was never to be counted");
            said
        };
        for variable in ["DO_NOT_TRACK", "MCPPROXY_TELEMETRY_DISABLED"] {
            assert_eq!(run(&[(variable, "1")]), "");
            let said = run(&[(variable, "1"), ("MCPPROXY_DEBUG", "1")]);
            assert!(said.lines().count() == 1 && said.contains(variable), "{said}");
        }
        std::fs::set_permissions(app.binary(), PermissionsExt::from_mode(0o644)).expect("changed");
        assert_eq!(run(&[]), "");
        std::fs::remove_file(app.binary()).expect("removed");
        assert_eq!(run(&[]), "");
        assert_eq!(run(&[("MCPPROXY_DEBUG", "1")]).lines().count(), 1);
        assert!(!app.home.data().exists());
    }
}

#[test]
fn a_forked_process_has_a_recorder_of_its_own_and_does_not_hold_that_of_its_parent() {
    let Some(app) = App::new(Python) else { return };
    let mut host = app.plain("fork", "", &[], &[]);
    assert_eq!(host.line(), "ready");
    // The parent has ended, and so has its recorder, although the child lives: how else would its session be kept
    // whole. The child and its own recorder wait.
    let input = host.child.stdin.take();
    assert!(host.child.wait().expect("ended").success());
    let seen = || {
        let shown = app
            .home
            .command(MCPPROXY, &["telemetry", "show-payload", "--product", PRODUCT])
            .output();
        let payload: Value = serde_json::from_slice(&shown.expect("it starts").stdout).ok()?;
        payload["activation"]["mcp_clients_seen_ever"].as_array().map(Vec::len)
    };
    eventually("both are seen", || (seen() == Some(2)).then_some(()));
    let of_parent = || recorders_of(&app).len();
    eventually("the parent's recorder ends", || (of_parent() == 1).then_some(()));
    drop(input);
    eventually("the child's recorder ends", || (of_parent() == 0).then_some(()));
}

/// The running recorders of this app.
fn recorders_of(app: &App) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |id: &u32| {
        std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == app.binary())
    };
    ids.filter(is_ours).collect()
}

/// The installed parts of `tests/real`, or `None` after a skip.
fn parts() -> Option<PathBuf> {
    let root = std::env::var_os("MCPPROXY_REAL_PARTS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| of_repository("target/real"));
    let missing =
        ["npm", "py"].into_iter().find(|part| !root.join(part).join(".installed").is_file());
    if let Some(part) = missing {
        skip(&format!("the {part} parts are not installed; scripts/test installs them"));
        return None;
    }
    Some(root)
}

/// Plays a session of a real client with a real server over HTTP that is a host of the recorder.
fn play(language: Language, endpoint: &str) -> Option<App> {
    let (parts, app) = (parts()?, App::new(language)?);
    let client = App::new(Node)?;
    for app in [&app, &client] {
        let modules = app.dir().join("node_modules");
        std::fs::create_dir_all(&modules).expect("made");
        let real = parts.join("npm/node_modules/@modelcontextprotocol");
        symlink(real, modules.join("@modelcontextprotocol")).expect("linked");
    }
    let python = parts.join("py/bin/python").to_string_lossy().into_owned();
    let (program, file) = match language {
        Node => ("node", "over_http.mjs"),
        Python => (python.as_str(), "over_http.py"),
    };
    let mut command = app.home.command(program, &[file, endpoint]);
    // A second stands for five minutes: two heartbeats of one second are one to a collector.
    command.env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "1");
    let mut server = app.start(command);
    let url = server.line();
    assert!(url.starts_with("http://"), "{url}: {:?}", ended(server.child));
    let played = client.start(client.home.command("node", &["client.mjs", &url])).end();
    assert_eq!(played.0.trim(), "noted", "{}", played.1);
    // It runs until a heartbeat with all of it was acknowledged.
    let of_product = app.home.data().join("products").join(PRODUCT);
    eventually("its heartbeat", || {
        let places = std::fs::read_dir(&of_product).ok()?.flatten();
        let copies = places.filter_map(|place| std::fs::read_dir(place.path().join("sent")).ok());
        let copies = copies.flatten().flatten().map(|copy| copy.path());
        let mut kept = copies.filter(|copy| copy.extension().is_some_and(|it| it == "json"));
        let is_whole = |text: String| text.contains(r#""first_real_tool_call_ever":true"#);
        kept.any(|copy| std::fs::read_to_string(copy).is_ok_and(is_whole)).then_some(())?;
        let words = ["telemetry", "status", "--product", PRODUCT, "-o", "json"];
        let shown = app.home.command(MCPPROXY, &words).output().expect("it starts");
        String::from_utf8_lossy(&shown.stdout).contains(r#""pending": false"#).then_some(())
    });
    drop(server.child.stdin.take());
    server.end();
    Some(app)
}

#[test]
fn servers_over_http_in_both_languages_send_the_funnel() {
    for language in [Node, Python] {
        let receiver = Receiver::start([]);
        let Some(_app) = play(language, &receiver.endpoint()) else { return };
        let heartbeats = receiver.requests();
        let last = heartbeats.last().expect("a heartbeat");
        let payload: Value = serde_json::from_slice(&last.body).expect("JSON");
        assert_eq!(
            payload["product"],
            json!({"name": PRODUCT, "version": "1.4.0"}),
            "{language:?}"
        );
        let activation = &payload["activation"];
        assert_eq!(activation["mcp_clients_seen_ever"], json!(["claude-code"]), "{language:?}");
        assert_eq!(activation["first_connected_server_ever"], true, "{language:?}");
        assert_eq!(activation["retrieve_tools_calls_24h"], 1, "{language:?}");
        assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "100_1k", "2 * 150");
    }
}

/// A collector on loopback, which is ended with this.
#[cfg(feature = "collector")]
struct Collector<'h>(Host, &'h Home);

#[cfg(feature = "collector")]
impl<'h> Collector<'h> {
    fn start(home: &'h Home) -> (Self, String) {
        let words = ["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", PRODUCT];
        let mut command = home.command(MCPPROXY, &words);
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let output = child.stdout.take().map(BufReader::new).expect("its output");
        let mut host = Host { child, output, said: PathBuf::new() };
        let start = "Receiving heartbeats at ";
        let line =
            std::iter::repeat_with(|| host.line()).take(20).find(|line| line.starts_with(start));
        let line = line.expect("an address");
        let endpoint = line.trim_start_matches(start).trim_end_matches("/heartbeat").to_owned();
        (Self(host, home), endpoint)
    }

    /// The steps of everybody, as the command shows them.
    fn activation(&self) -> Value {
        let words =
            ["collector", "report", "activation", "--all", "-o", "json", "--product", PRODUCT];
        let output = self.1.command(MCPPROXY, &words).output().expect("it starts");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }
}

#[cfg(feature = "collector")]
impl Drop for Collector<'_> {
    fn drop(&mut self) {
        _ = self.0.child.kill();
        _ = self.0.child.wait();
    }
}

#[cfg(feature = "collector")]
#[test]
fn a_real_collector_shows_the_steps_of_servers_over_http() {
    let home = Home::new();
    let (collector, endpoint) = Collector::start(&home);
    for language in [Node, Python] {
        if play(language, &endpoint).is_none() {
            return;
        }
    }
    let report = collector.activation();
    let reached = |step: usize| &report["steps"][step]["reached"]["count"];
    assert_eq!(report["steps"][1]["step"], "first_real_tool_call");
    assert_eq!((&report["installs"], reached(0), reached(1)), (&json!(2), &json!(2), &json!(2)));
}

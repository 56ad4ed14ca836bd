//! Servers that `init` made, started as their users start them.

use super::*;
use crate::receiver::Collector;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// For what takes a moment on an idle machine: what hangs fails, and nothing else is timed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server without an SDK: each answer tells the arguments that it was started with.
const NODE: &str = r#"
import readline from "node:readline";
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  const result = method === "initialize"
    ? { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "notes-mcp", version: "1.4.0" } }
    : { content: [{ type: "text", text: JSON.stringify(process.argv.slice(2)) }] };
  if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
}
process.exitCode = 7;
"#;

const PYTHON: &str = r#"
import json
import sys


def main():
    for line in sys.stdin:
        request = json.loads(line)
        result = {"content": [{"type": "text", "text": json.dumps(sys.argv)}]}
        if request["method"] == "initialize":
            info = {"name": "notes-mcp", "version": "1.4.0"}
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        if "id" in request:
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
    return 7
"#;

/// What pip makes of `[project.scripts]`.
const CONSOLE_SCRIPT: &str = "import sys\nfrom MODULE import FUNCTION\n\
    if __name__ == '__main__':\n    sys.exit(FUNCTION())\n";

/// A maintainer's package `notes-mcp` 1.4.0, and a user's home.
pub struct Server {
    language: Language,
    packed: &'static Packed,
    place: tempfile::TempDir,
}

impl Server {
    /// As the maintainer had it.
    pub fn plain(language: Language, packed: &'static Packed) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let at = |name: &str| place.path().join("package").join(name);
        match language {
            Language::Npm => {
                write(
                    &at("package.json"),
                    r#"{ "name": "notes-mcp", "version": "1.4.0", "type": "module", "bin": "dist/index.js" }"#,
                );
                write(&at("dist/index.js"), NODE);
                std::os::unix::fs::symlink(packed.node_modules(), at("node_modules"))
                    .expect("linked");
            }
            Language::Pypi => {
                write(
                    &at("pyproject.toml"),
                    "[project]\nname = 'notes-mcp'\nversion = '1.4.0'\n\
                    [project.scripts]\nnotes-mcp = 'notes_mcp.server:main'\n",
                );
                write(&at("src/notes_mcp/__init__.py"), "");
                write(&at("src/notes_mcp/server.py"), PYTHON);
                // What an installation leaves beside the package.
                let metadata = "Metadata-Version: 2.1\nName: notes-mcp\nVersion: 1.4.0\n";
                write(&at("src/notes_mcp-1.4.0.dist-info/METADATA"), metadata);
            }
        }
        std::fs::create_dir(place.path().join("home")).expect("made");
        Server { language, packed, place }
    }

    /// The same after `init` with these arguments.
    pub fn made(language: Language, packed: &'static Packed, words: &[&str]) -> Self {
        let server = Server::plain(language, packed);
        let words = [&["--yes"], words].concat();
        let output = packed.init(language, &server.package(), &words).output().expect("it starts");
        assert!(output.status.success(), "{}", stderr(&output));
        server
    }

    fn package(&self) -> PathBuf {
        self.place.path().join("package")
    }

    /// The user's home directory.
    pub fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// The server's command as npm and pip install it, with these arguments.
    pub fn command(&self, words: &[&str]) -> Command {
        let manifest = self.package().join(self.language.manifest());
        let manifest = std::fs::read_to_string(manifest).expect("the manifest");
        let mut command = match self.language {
            Language::Npm => {
                let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
                let mut node = Command::new("node");
                node.arg(self.package().join(manifest["bin"].as_str().expect("a command")));
                node
            }
            Language::Pypi => {
                let entry =
                    manifest.split("notes-mcp = '").nth(1).and_then(|rest| rest.split('\'').next());
                let (module, function) =
                    entry.and_then(|entry| entry.split_once(':')).expect("a command");
                let script = self.place.path().join("notes-mcp");
                write(
                    &script,
                    &CONSOLE_SCRIPT.replace("MODULE", module).replace("FUNCTION", function),
                );
                let mut python = Command::new("python3");
                python.arg(script);
                python
            }
        };
        self.packed.environment(&mut command, &self.home());
        if self.language == Language::Pypi {
            let paths = std::env::join_paths([self.package().join("src"), self.packed.site()]);
            command.env("PYTHONPATH", paths.expect("a search path"));
        }
        command.args(words).stdin(Stdio::null());
        command
    }

    /// Its command with these arguments, to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("it starts")
    }

    /// A client's session with it.
    pub fn session(&self, words: &[&str], variables: &[(&str, &str)]) -> Session {
        let mut command = self.command(words);
        command.envs(variables.iter().copied());
        Session::start(&mut command, self.place.path().join("stderr"))
    }

    /// What its sessions wrote to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("stderr")).expect("the log")
    }
}

/// A client and what it started.
pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Session {
    fn start(command: &mut Command, log: PathBuf) -> Self {
        command.stderr(std::fs::File::create(&log).expect("a file"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Session { input: child.stdin.take(), output, child, log }
    }

    /// The answer to one request, as it arrived.
    pub fn ask(&mut self, request: &str) -> String {
        writeln!(self.input.as_mut().expect("an open pipe"), "{request}")
            .expect("a server that reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        assert!(
            line.ends_with('\n'),
            "the server is gone: {}",
            std::fs::read_to_string(&self.log).expect("its log")
        );
        line
    }

    /// The answers to a handshake and to one tool call.
    pub fn talk(&mut self) -> [String; 2] {
        [
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"claude-code","version":"2"}}}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x","arguments":{}}}"#,
        ]
        .map(|request| self.ask(request))
    }

    /// Goes on using it until something is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < give_up, "it does not come to that: {what}");
            self.talk();
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether any process of this session has a thread of ours: without one, nothing can be sent.
    pub fn has_telemetry_thread(&self) -> impl Fn() -> bool + use<> {
        let first = self.child.id();
        move || {
            let mut processes = vec![first.to_string()];
            while let Some(process) = processes.pop() {
                let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
                    continue;
                };
                for task in tasks.flatten() {
                    let read =
                        |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
                    if read("comm").starts_with("mcpproxy-") {
                        return true;
                    }
                    processes.extend(read("children").split_whitespace().map(str::to_owned));
                }
            }
            false
        }
    }

    /// As a client ends it.
    pub fn end(mut self) -> ExitStatus {
        drop(self.input.take());
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < give_up, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A second stands for the five minutes before the first heartbeat.
pub const SOON: [(&str, &str); 1] = [("MCPPROXY_TELEMETRY_INITIAL_DELAY", "1")];

/// The copies of what was sent from a home.
pub fn sent(home: &Path) -> Vec<String> {
    let products = home.join(".mcpproxy/products/notes-mcp");
    if !products.exists() {
        return Vec::new();
    }
    let copies =
        files(&products).into_iter().filter(|(name, _)| name.iter().any(|part| part == "sent"));
    copies.map(|(_, bytes)| String::from_utf8(bytes).expect("UTF-8")).collect()
}

#[test]
fn it_answers_as_without_a_launcher_and_its_heartbeat_arrives() {
    let Some(packed) = Packed::with_binary() else { return };
    for language in Language::ALL {
        let collector = Collector::start();
        // None of the three may be read as one of tap's.
        let arguments = ["--root", "a b", ""];
        let server = Server::plain(language, packed);
        let mut plain = server.session(&arguments, &[]);
        let wanted = plain.talk();
        let code = plain.end().code();
        assert_eq!(code, Some(7), "{language:?}");

        let server = Server::made(language, packed, &["--endpoint", &collector.endpoint]);
        let mut session = server.session(&arguments, &SOON);
        // The path of the console script is another one.
        let same = |text: &str| text.replace(|c: char| !c.is_ascii(), "?");
        let answers = session.talk();
        assert_eq!(answers[0], wanted[0], "{language:?}");
        let tail = |text: &str| {
            same(text).split(r#"\"--root\""#).nth(1).expect("the arguments").to_owned()
        };
        assert_eq!(tail(&answers[1]), tail(&wanted[1]), "{language:?}");
        let home = server.home();
        session.until("its heartbeat arrives", || collector.versions() == ["1.4.0"]);
        assert_eq!(session.end().code(), code, "{language:?}: {}", server.log());
        assert!(sent(&home)[0].contains(r#""product":{"name":"notes-mcp","version":"1.4.0"}"#));
        assert!(server.log().contains("notes-mcp counts its installs"), "{}", server.log());
    }
}

/// Fail open: the same answers, and no trace of a telemetry that cannot be.
#[test]
fn without_a_binary_it_answers_and_leaves_nothing() {
    let Some(packed) = Packed::without_binary() else { return };
    for language in Language::ALL {
        let server = Server::made(language, packed, &["--endpoint", "https://t.example.org"]);
        let mut session = server.session(&[], &[]);
        assert!(session.talk()[0].contains("serverInfo"), "{language:?}");
        assert_eq!(session.end().code(), Some(7), "{language:?}");
        assert_eq!(server.log(), "", "{language:?}");
        assert!(files(&server.home()).is_empty(), "{language:?}");
    }
}

//! The npm packages as `scripts/npm-packages` makes them, unpacked as a package manager does, and servers beside them.

use crate::endure::end_within;
use crate::parts::{skip, works};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Longer than anything takes on a slow machine: what hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The version of the packages here.
pub const VERSION: &str = "1.2.3";
/// The name of the folder of an installation: spaces, and what a URL encodes.
const ODD_NAME: &str = "a folder #1 100% \u{e9}";

/// Whether what packs, unpacks and runs the packages is on this machine; says so when it is not.
pub fn can_run() -> bool {
    let missing: Vec<&str> = ["node", "python3", "tar"]
        .into_iter()
        .filter(|name| !works(name, &["--version"]))
        .collect();
    if !missing.is_empty() {
        skip(&format!("{} is not on PATH", missing.join(", ")));
    }
    missing.is_empty()
}

/// A file below the root of this repository.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The target that the built binary stands for, and what Node.js calls it.
pub fn this_system() -> (&'static str, &'static str) {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => ("aarch64-apple-darwin", "darwin-arm64"),
        ("macos", _) => ("x86_64-apple-darwin", "darwin-x64"),
        (_, "aarch64") => ("aarch64-unknown-linux-musl", "linux-arm64"),
        _ => ("x86_64-unknown-linux-musl", "linux-x64"),
    }
}

/// `scripts/npm-packages` with these arguments.
pub fn packer(args: &[&OsStr]) -> Output {
    let mut packer = Command::new("python3");
    packer.arg(source("scripts/npm-packages")).args(args);
    packer.env_remove("MCPPROXY_VERSION").env_remove("SOURCE_DATE_EPOCH");
    packer.output().expect("python3 is on PATH")
}

/// The tarballs of this system, packed once: those of the platform first. Among them is one of another system.
pub fn packed() -> &'static [PathBuf] {
    static PACKED: OnceLock<Vec<PathBuf>> = OnceLock::new();
    PACKED.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm");
        std::fs::create_dir_all(&dir).expect("a directory");
        let (binary, other) = (dir.join("mcpproxy"), dir.join("other"));
        let built = env!("CARGO_BIN_EXE_mcpproxy");
        let stripped = Command::new("strip").arg("-o").arg(&binary).arg(built).status();
        if !stripped.is_ok_and(|status| status.success()) {
            std::fs::copy(built, &binary).expect("a copy");
        }
        let foreign = another_system(&other);
        let ours = format!("{}={}", this_system().0, binary.display());
        let out = dir.join("tarballs");
        let made = packer(&[
            "--version".as_ref(),
            VERSION.as_ref(),
            "--out".as_ref(),
            out.as_ref(),
            ours.as_ref(),
            foreign.as_ref(),
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let told = String::from_utf8(made.stdout).expect("UTF-8");
        told.lines().map(PathBuf::from).collect()
    })
}

/// Writes what begins as a program for Windows does, and says which target it is for.
fn another_system(file: &Path) -> String {
    std::fs::write(file, b"MZ and nothing that starts").expect("a file");
    format!("x86_64-pc-windows-gnu={}", file.display())
}

/// Each version of Node.js that is there: its name and its program. The first is that of `PATH`; missing ones are told.
pub fn nodes() -> Vec<(String, PathBuf)> {
    let found = Command::new("node").args(["-p", "process.execPath"]).output().expect("node");
    let path = String::from_utf8(found.stdout).expect("UTF-8");
    let mut nodes = vec![("node".to_owned(), PathBuf::from(path.trim()))];
    for version in [18, 20, 22, 24] {
        let name = format!("node-{version}");
        let program = package_part(&format!("{name}/bin/node"));
        if program.is_file() {
            nodes.push((name, program));
        } else {
            skip(&format!(
                "{name} is not among the parts; scripts/test installs it where there is one"
            ));
        }
    }
    nodes
}

/// Those by which a server is replaced (`process.execve`), and those that start a child.
pub fn replaces_itself(node: &Path) -> bool {
    let mut asked = Command::new(node);
    asked.args(["-p", "typeof process.execve"]).stdin(Stdio::null());
    asked.output().expect("node").stdout.starts_with(b"function")
}

/// A file of the parts that `tests/packages/package.json` names.
pub fn package_part(name: &str) -> PathBuf {
    let parts = match std::env::var_os("MCPPROXY_REAL_PARTS") {
        Some(told) => PathBuf::from(told),
        None => source("target/real"),
    };
    parts.join("packages/node_modules").join(name)
}

/// A folder with `node_modules` and what a test puts beside it.
pub struct Tree {
    place: tempfile::TempDir,
    root: PathBuf,
}

impl Tree {
    /// The launcher alone.
    pub fn without_binary() -> Tree {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let place = tempfile::tempdir_in(dir).expect("a temporary directory");
        let place_path = place.path().canonicalize().expect("a path");
        let tree = Tree { place, root: place_path.join(ODD_NAME) };
        std::fs::create_dir_all(tree.root.join("home")).expect("a directory");
        tree.unpack("mcpproxy-tap-1.2.3.tgz", "tap");
        tree
    }

    /// The launcher and the package of this system.
    pub fn new() -> Tree {
        let tree = Tree::without_binary();
        let name = format!("tap-{}", this_system().1);
        tree.unpack(&format!("mcpproxy-{name}-1.2.3.tgz"), &name);
        tree
    }

    /// Unpacks a tarball as `@mcpproxy/NAME`.
    pub fn unpack(&self, tarball: &str, name: &str) {
        let tarball = packed().iter().find(|path| path.ends_with(tarball)).expect("it is packed");
        let to = self.path(&format!("node_modules/@mcpproxy/{name}"));
        std::fs::create_dir_all(&to).expect("a directory");
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(tarball).arg("--strip-components=1").arg("-C").arg(&to);
        assert!(tar.status().expect("tar").success());
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The binary of this system.
    pub fn binary(&self) -> PathBuf {
        self.path(&format!("node_modules/@mcpproxy/tap-{}/bin/mcpproxy", this_system().1))
    }

    /// Writes a file, and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The probe as `server.cjs`, and an entry that starts it with the one line.
    pub fn probe(&self) -> (PathBuf, PathBuf) {
        let text = std::fs::read_to_string(source("tests/packages/npm/probe.cjs")).expect("it");
        let line = r#"import { tap } from "@mcpproxy/tap";
await tap(new URL("./server.cjs", import.meta.url), { product: "notes-mcp", version: "1.4.0" });
"#;
        (self.write("server.cjs", &text), self.write("entry.mjs", line))
    }

    /// A command in a user's environment in which nothing objects.
    pub fn command(&self, node: &Path) -> Command {
        let mut command = Command::new(node);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let home = self.path("home");
        command.env("HOME", &home).env("MCPPROXY_HOME", home.join("data"));
        command.current_dir(self.place.path());
        command
    }
}

/// A server that was started.
pub struct Running {
    pub child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Running { child, stdout }
    }

    /// The next line of its standard output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// What the probe says of its process.
    pub fn said(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}: {}", self.complaint()))
    }

    fn complaint(&mut self) -> String {
        let mut text = String::new();
        let _ = self.child.kill();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
        text
    }

    /// Tells the server something.
    pub fn tell(&mut self, word: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{word}").expect("it reads");
    }

    /// Closes its input, and waits for its end: how it ended, the rest of its output, and what it complained of.
    pub fn end(mut self) -> (ExitStatus, String, String) {
        drop(self.child.stdin.take());
        self.ended()
    }

    /// The same, while its input stays open.
    pub fn ended(mut self) -> (ExitStatus, String, String) {
        let input = self.child.stdin.take();
        let status = end_within(&mut self.child, PATIENCE).expect("it ends");
        drop(input);
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).expect("text");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
        (status, out, err)
    }
}

/// Whether a server of this probe is another process than the one that was started.
pub fn is_tapped(running: &Running, said: &Value) -> bool {
    said["pid"].as_u64() != Some(running.child.id().into())
}

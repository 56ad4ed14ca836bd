//! `mcpproxy-tap` and a package of a maintainer that uses it: packed once, installed into environments of their own.
//!
//! One rule: a server behind the launcher is compared with the same server without it, in the same test.

use crate::endure::end_within;
use crate::parts::{Parts, skip};
use crate::session::{Home, MCPPROXY};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Longer than anything takes on a slow machine: what hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// The version of `mcpproxy-tap` here.
pub const VERSION: &str = "1.2.3";

/// A file below the root of this repository.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The target that the built binary stands for.
pub fn this_target() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "aarch64-apple-darwin",
        ("macos", _) => "x86_64-apple-darwin",
        (_, "aarch64") => "aarch64-unknown-linux-musl",
        _ => "x86_64-unknown-linux-musl",
    }
}

/// `scripts/pypi-packages` with these arguments.
pub fn packer(args: &[&OsStr]) -> Output {
    let mut packer = Command::new("python3");
    packer.arg(source("scripts/pypi-packages")).args(args);
    packer.env_remove("MCPPROXY_VERSION").env_remove("SOURCE_DATE_EPOCH");
    packer.output().expect("python3 is on PATH")
}

/// The standard output of a command that succeeds.
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the command starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What is packed here: everything that the registry offers.
pub struct Packed {
    /// The directory of the registry: wheel and sdist of `mcpproxy-tap`, and the wheel of `notes-mcp`.
    pub dir: PathBuf,
    /// The binary in the wheel.
    pub binary: PathBuf,
    /// The wheel of `mcpproxy-tap`.
    pub wheel: PathBuf,
    /// Its sdist.
    pub sdist: PathBuf,
    /// The wheel of `notes-mcp`.
    pub notes: PathBuf,
    parts: Parts,
}

/// `None`, said aloud, when the parts for it are not installed.
pub fn packed() -> Option<&'static Packed> {
    static PACKED: OnceLock<Option<Packed>> = OnceLock::new();
    let packed = PACKED.get_or_init(|| Parts::find_all(&["pypi", "py"]).map(Packed::make));
    if packed.is_none() {
        skip("the pypi parts are not installed; scripts/test installs them");
    }
    packed.as_ref()
}

impl Packed {
    fn make(parts: Parts) -> Packed {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pypi");
        let _ = std::fs::remove_dir_all(&root);
        let dir = root.join("registry");
        std::fs::create_dir_all(&dir).expect("a directory");
        let binary = root.join("mcpproxy");
        let stripped = Command::new("strip").arg("-o").arg(&binary).arg(MCPPROXY).status();
        if !stripped.is_ok_and(|status| status.success()) {
            std::fs::copy(MCPPROXY, &binary).expect("a copy");
        }
        let ours = format!("{}={}", this_target(), binary.display());
        let made = packer(&[
            "--version".as_ref(),
            VERSION.as_ref(),
            "--out".as_ref(),
            dir.as_ref(),
            ours.as_ref(),
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = String::from_utf8(made.stdout).expect("UTF-8");
        let made: Vec<PathBuf> = said.lines().map(PathBuf::from).collect();
        let [sdist, wheel] = made.try_into().expect("an sdist and a wheel");

        // Building leaves files beside the source.
        let notes = root.join("notes");
        copy(&source("tests/packages/pypi/notes"), &notes);
        let mut build = Command::new(tool(&parts, "python"));
        build.args(["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        output(build.args(["--no-build-isolation", "--wheel-dir"]).arg(&dir).arg(&notes));
        let notes = dir.join("notes_mcp-1.4.0-py3-none-any.whl");
        Packed { dir, binary, wheel, sdist, notes, parts }
    }

    /// One of the installers, or of what else is installed for these tests.
    pub fn tool(&self, name: &str) -> PathBuf {
        tool(&self.parts, name)
    }

    /// The MCP clients and SDKs.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

/// A program of the part `pypi`, which lies beside the part with the SDKs.
fn tool(parts: &Parts, name: &str) -> PathBuf {
    let python = parts.python();
    python.ancestors().nth(3).expect("the parts").join("pypi/bin").join(name)
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    output(Command::new("cp").arg("-R").arg(from).arg(to));
}

/// A virtual environment with `notes-mcp` and `mcpproxy-tap` in it, at a path with a space.
pub struct Site {
    root: tempfile::TempDir,
}

impl Site {
    /// With the wheels that are packed here.
    pub fn new(packed: &Packed) -> Site {
        Site::of(packed, &packed.parts.python(), &[&packed.wheel, &packed.notes])
    }

    /// Without a binary, as on a system that there is no wheel for.
    pub fn without_binary(packed: &Packed) -> Site {
        let site = Site::new(packed);
        std::fs::remove_file(site.binary()).expect("it was there");
        site
    }

    /// Of this interpreter, with these packages.
    pub fn of(packed: &Packed, python: &Path, packages: &[&Path]) -> Site {
        let site = Site { root: tempfile::tempdir().expect("a temporary directory") };
        let venv = ["-m", "venv", "--without-pip"];
        output(Command::new(python).args(venv).arg(site.root()));
        let mut uv = Command::new(packed.tool("uv"));
        uv.args([
            "pip",
            "install",
            "--quiet",
            "--no-config",
            "--no-index",
            "--no-deps",
            "--link-mode",
            "copy",
        ]);
        uv.arg("--cache-dir").arg(packed.dir.with_file_name("cache"));
        output(uv.arg("--python").arg(site.bin("python")).args(packages));
        site
    }

    /// The directory of the environment.
    pub fn root(&self) -> PathBuf {
        self.root.path().join("a venv")
    }

    /// A program of it.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.root().join("bin").join(name)
    }

    /// Where its packages are.
    pub fn packages(&self) -> PathBuf {
        let lib = std::fs::read_dir(self.root().join("lib")).expect("lib").next();
        lib.expect("one").expect("an entry").path().join("site-packages")
    }

    /// The binary of `mcpproxy-tap` in it.
    pub fn binary(&self) -> PathBuf {
        self.packages().join("mcpproxy_tap/bin/mcpproxy")
    }
}

/// A user's home, and a command in it with nothing of this environment.
pub fn command(home: &Home, words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear().current_dir(home.root());
    command.env("PATH", std::env::var_os("PATH").expect("a search path"));
    command.env("HOME", home.root()).env("MCPPROXY_HOME", home.data_dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How a command ended, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command with this input to its end.
pub fn run(mut command: Command, input: &str) -> Ending {
    let mut running = Running::start(&mut command);
    running.tell(input);
    running.end()
}

/// A server that runs.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: std::thread::JoinHandle<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let mut child = command.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut pipe = child.stderr.take().expect("piped");
        let stderr = std::thread::spawn(move || {
            let mut said = Vec::new();
            pipe.read_to_end(&mut said).expect("its standard error");
            String::from_utf8_lossy(&said).into_owned()
        });
        Running { child, stdout, stderr }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to it; a server that has ended hears nothing.
    pub fn tell(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        let _ = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush());
    }

    /// One line of it.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// Closes its input, and waits for its end.
    pub fn end(mut self) -> Ending {
        drop(self.child.stdin.take());
        let mut stdout = Vec::new();
        // Its end comes with the end of its output, or the wait below says that it hangs.
        let reading =
            std::thread::spawn(move || self.stdout.read_to_end(&mut stdout).map(|_| stdout));
        let status = end_within(&mut self.child, PATIENCE).expect("it hangs");
        let stdout = reading.join().expect("a thread").expect("its output");
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        Ending { status, stdout, stderr: self.stderr.join().expect("a thread") }
    }
}

/// Whether the server was started by `tap`: only then is anything kept in the home.
pub fn is_counted(home: &Home) -> bool {
    home.data_dir().join("products/notes-mcp").is_dir()
}

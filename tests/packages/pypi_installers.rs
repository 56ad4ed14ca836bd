//! Installed from an index on loopback by each installer, and used by a real MCP client: the same session as with the
//! plain server, and a heartbeat with the product and its version.

use crate::parts::Client;
use crate::pypi::{PATIENCE, Packed, Running, Site, output, packed};
use crate::receiver::Collector;
use crate::session::{Home, Tape, run};
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"claude-code","version":"1"}}}"#;

/// pypiserver on loopback, with what is packed here and nothing else.
struct Index {
    server: Child,
    url: String,
}

impl Index {
    fn start(packed: &Packed) -> Index {
        // pypiserver does not say which port it was given: it gets one that was free a moment ago.
        (0..10).find_map(|_| Index::at_free_port(packed)).expect("pypiserver starts")
    }

    fn at_free_port(packed: &Packed) -> Option<Index> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a port").port();
        let mut server = Command::new(packed.tool("pypi-server"));
        server.args(["run", "--interface", "127.0.0.1", "--disable-fallback", "--port"]);
        server.arg(port.to_string()).arg(&packed.dir);
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = server.spawn().expect("pypiserver is installed");
        let mut index = Index { server, url: format!("http://127.0.0.1:{port}/simple/") };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && index.server.try_wait().expect("a child").is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(index);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A user who installs: a home with nothing in it, clean caches, and this index.
struct User<'a> {
    packed: &'a Packed,
    index: &'a Index,
    place: tempfile::TempDir,
}

impl User<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn python(&self) -> PathBuf {
        self.packed.parts().python()
    }

    /// What the installers are told by variables.
    fn exports(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("HOME", self.place.path().into()),
            ("PIP_CONFIG_FILE", "/dev/null".into()),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
            ("PIP_INDEX_URL", self.index.url.clone().into()),
            ("UV_DEFAULT_INDEX", self.index.url.clone().into()),
            ("UV_NO_CONFIG", "1".into()),
            ("UV_PYTHON", self.python().into()),
            ("UV_PYTHON_DOWNLOADS", "never".into()),
            ("PIPX_DEFAULT_PYTHON", self.python().into()),
        ]
    }

    /// Runs a tool of the parts to its end.
    fn tool(&self, name: &str, args: &[&OsStr]) {
        let mut tool = Command::new(self.packed.tool(name));
        tool.args(args).env_clear().env("PATH", std::env::var_os("PATH").expect("a search path"));
        output(tool.envs(self.exports()));
    }

    /// An empty environment, for the installers that fill one.
    fn venv(&self) -> PathBuf {
        let venv = self.path("a venv");
        let words = ["-m", "venv", "--without-pip"];
        output(Command::new(self.python()).args(words).arg(&venv));
        venv
    }
}

/// The command that starts the script of this name.
type Started = Box<dyn Fn(&str) -> Vec<OsString>>;
/// Installs `notes-mcp`.
type Installer = fn(&User<'_>) -> Started;

fn script_in(dir: PathBuf) -> Started {
    Box::new(move |name| vec![dir.join(name).into()])
}

fn with_pip(user: &User<'_>) -> Started {
    let venv = user.venv();
    let python = venv.join("bin/python");
    let args: [&OsStr; 6] = [
        "-m".as_ref(),
        "pip".as_ref(),
        "--python".as_ref(),
        python.as_ref(),
        "install".as_ref(),
        "notes-mcp".as_ref(),
    ];
    user.tool("python", &args);
    script_in(venv.join("bin"))
}

fn with_pip_into_a_target(user: &User<'_>) -> Started {
    let target = user.path("a target");
    let args: [&OsStr; 6] = [
        "-m".as_ref(),
        "pip".as_ref(),
        "install".as_ref(),
        "--target".as_ref(),
        target.as_ref(),
        "notes-mcp".as_ref(),
    ];
    user.tool("python", &args);
    let python = user.packed.tool("python");
    // The scripts there know no path: the user says it.
    Box::new(move |name| {
        let mut also = OsString::from("ALSO=");
        also.push(&target);
        let line = r#"PYTHONPATH="$ALSO:$PYTHONPATH" exec "$0" "$ALSO/bin/$1""#;
        vec![
            "env".into(),
            also,
            "sh".into(),
            "-c".into(),
            line.into(),
            python.clone().into(),
            name.into(),
        ]
    })
}

fn with_uv_pip(user: &User<'_>) -> Started {
    let venv = user.venv();
    let python = venv.join("bin/python");
    let args: [&OsStr; 5] = [
        "pip".as_ref(),
        "install".as_ref(),
        "--python".as_ref(),
        python.as_ref(),
        "notes-mcp".as_ref(),
    ];
    user.tool("uv", &args);
    script_in(venv.join("bin"))
}

fn with_uv_tool(user: &User<'_>) -> Started {
    user.tool("uv", &["tool", "install", "notes-mcp"].map(OsStr::new));
    script_in(user.path(".local/bin"))
}

fn with_pipx(user: &User<'_>) -> Started {
    user.tool("pipx", &["install", "notes-mcp"].map(OsStr::new));
    // The scripts of pipx do not listen to `PYTHONPATH`.
    let lib = user.path(".local/share/pipx/venvs/notes-mcp/lib");
    let python = only_entry(&lib);
    let sdks = sdks(user.packed);
    std::fs::write(python.join("site-packages/sdks.pth"), sdks.to_str().expect("UTF-8"))
        .expect("written");
    script_in(user.path(".local/bin"))
}

/// Installs when it is started, each time.
fn started_by_uv(user: &User<'_>, words: &'static [&str]) -> Started {
    let uv = user.packed.tool("uv");
    // The home of the session is another one.
    let cache = ("UV_CACHE_DIR", user.path("cache").into_os_string());
    let exports =
        user.exports().into_iter().filter(|(name, _)| name.starts_with("UV_")).chain([cache]);
    let exports: Vec<OsString> = exports
        .map(|(name, value)| {
            let mut export = OsString::from(format!("{name}="));
            export.push(value);
            export
        })
        .collect();
    Box::new(move |name| {
        let uv = std::iter::once(OsString::from(&uv)).chain(words.iter().map(OsString::from));
        let env = std::iter::once("env".into()).chain(exports.iter().cloned());
        env.chain(uv).chain([name.into()]).collect()
    })
}

fn with_uvx(user: &User<'_>) -> Started {
    started_by_uv(user, &["tool", "run", "--quiet", "--from", "notes-mcp"])
}

fn with_uv_run(user: &User<'_>) -> Started {
    started_by_uv(user, &["run", "--quiet", "--no-project", "--with", "notes-mcp"])
}

fn only_entry(dir: &Path) -> PathBuf {
    std::fs::read_dir(dir).expect("a directory").next().expect("one").expect("an entry").path()
}

/// Where the SDKs are, which the index does not offer.
fn sdks(packed: &Packed) -> PathBuf {
    let python = packed.parts().python();
    let root = python.parent().and_then(Path::parent).expect("an environment");
    only_entry(&root.join("lib")).join("site-packages")
}

/// With `PYTHONPATH`, so that the server finds them.
fn with_sdks(packed: &Packed, also: &[&Path], command: Vec<OsString>) -> Vec<OsString> {
    let sdks = sdks(packed);
    let path = std::env::join_paths(also.iter().copied().chain([&*sdks])).expect("paths");
    let mut export = OsString::from("PYTHONPATH=");
    export.push(path);
    ["env".into(), export].into_iter().chain(command).collect()
}

/// A session of the Python SDK's client in this protocol era.
fn session(packed: &Packed, home: &Home, era: &str, server: Vec<OsString>) -> Tape {
    let call = json!(["add_note", { "text": "buy \u{1f95b}\u{2028}" }]);
    let client = Client::Python(json!({ "name": "claude-code", "mode": era, "calls": [call] }));
    let command = client.command(packed.parts(), &home.recorded("client", server));
    let ended = run(&mut home.shell(&[], &command));
    assert!(ended.status.success(), "the client failed: {}", ended.stderr);
    assert!(ended.stdout.contains("noted: buy"), "{}", ended.stdout);
    let mut tapes = home.tapes_of("client");
    assert_eq!(tapes.len(), 1);
    tapes.remove(0)
}

fn plays_the_same(packed: &Packed, script: &str, module: &str, era: &str, server: Vec<OsString>) {
    let site = Site::without_binary(packed);
    let start = format!("import sys, runpy; runpy.run_module({module:?}, run_name='__main__')");
    let start = match script {
        "notes-fast" => "from notes_mcp.fast import main; main()".to_owned(),
        _ => start,
    };
    let plain = vec![packed.parts().python().into(), "-c".into(), start.into()];
    let plain = with_sdks(packed, &[&site.packages()], plain);
    let homes = [Home::without_data_dir(), Home::without_data_dir()];
    let plain = session(packed, &homes[0], era, plain);
    let tapped = session(packed, &homes[1], era, with_sdks(packed, &[], server));
    assert_eq!(plain.to_server, tapped.to_server, "{script}, {era}");
    assert_eq!(plain.to_client, tapped.to_client, "{script}, {era}");
    // The client terminates a server that takes 2 s to exit, which on a busy machine is a matter of luck.
    let is_terminated = [plain.exit, tapped.exit].contains(&-15);
    assert!(is_terminated || plain.exit == tapped.exit, "{} became {}", plain.exit, tapped.exit);
    assert!(crate::pypi::is_counted(&homes[1]) && !homes[0].data_dir().exists(), "{script}");
}

/// A session that lasts until its heartbeat has arrived.
fn sends_a_heartbeat(packed: &Packed, server: Vec<OsString>) {
    let collector = Collector::start();
    let home = Home::without_data_dir();
    let exports =
        [("MCPPROXY_TELEMETRY_INITIAL_DELAY", "1"), ("NOTES_MCP_ENDPOINT", &*collector.endpoint)];
    let mut command = home.shell(&exports, &with_sdks(packed, &[], server));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    running.tell(&format!("{HELLO}\n"));
    let answer = running.line();
    let has_arrived = answer.contains("serverInfo") && collector.has_counted(1);
    let ending = running.end();
    assert!(has_arrived, "{answer}: {}", ending.stderr);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.stderr);
    assert_eq!(collector.versions(), ["1.4.0"]);
    // The user learns of it where he can, and what it prints works.
    assert!(ending.stderr.contains("notes-mcp counts its installs"), "{}", ending.stderr);
}

/// Installs, and proves it with the server on the SDK.
fn proves(installer: Installer) {
    let Some(packed) = packed() else { return };
    let index = Index::start(packed);
    let place = tempfile::tempdir().expect("a temporary directory");
    let user = User { packed, index: &index, place };
    let started = installer(&user);
    plays_the_same(packed, "notes-mcp", "notes_mcp.server", "auto", started("notes-mcp"));
    sends_a_heartbeat(packed, started("notes-mcp"));
}

#[test]
fn installed_by_pip() {
    proves(with_pip);
}

#[test]
fn installed_by_pip_into_a_target() {
    proves(with_pip_into_a_target);
}

#[test]
fn installed_by_uv_pip() {
    proves(with_uv_pip);
}

#[test]
fn installed_by_uv_tool() {
    proves(with_uv_tool);
}

#[test]
fn started_by_uvx() {
    proves(with_uvx);
}

#[test]
fn started_by_uv_run() {
    proves(with_uv_run);
}

#[test]
fn installed_by_pipx() {
    proves(with_pipx);
}

#[test]
fn both_sdks_play_the_same_session_in_both_eras() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    for era in ["legacy", "2026-07-28"] {
        for (script, module) in
            [("notes-mcp", "notes_mcp.server"), ("notes-fast", "notes_mcp.fast")]
        {
            plays_the_same(packed, script, module, era, vec![site.bin(script).into()]);
        }
    }
}

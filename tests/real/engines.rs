//! What the container engines of this system really say when they cannot run a server.
//!
//! No container is run: the engine has no daemon, may not ask it, or finds no image.

use crate::parts::{skip, works};
use crate::session::MCPPROXY;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An engine: where it is, and where its libraries are.
struct Engine {
    program: PathBuf,
    root: PathBuf,
}

impl Engine {
    /// The unpacked one, else that on `PATH`; `None` after a loud skip.
    fn find(name: &str) -> Option<Self> {
        let parts = std::env::var_os("MCPPROXY_REAL_PARTS").map(PathBuf::from);
        let parts =
            parts.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"));
        let root = parts.join("engines");
        let unpacked = root.join("usr/bin").join(name);
        let program = if unpacked.is_file() { unpacked } else { name.into() };
        let engine = Self { program, root };
        let version = engine.command(&["--version"]).output();
        if !version.is_ok_and(|version| version.status.success()) {
            skip(&format!("there is no {name}; scripts/test unpacks it where apt-get has it"));
            return None;
        }
        Some(engine)
    }

    fn libraries(&self) -> String {
        let dirs = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
        dirs.map(|dir| self.root.join(dir).to_string_lossy().into_owned()).join(":")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env("LD_LIBRARY_PATH", self.libraries()).stdin(Stdio::null());
        command
    }

    /// An entry with this engine, which asks for its daemon at `socket`.
    fn entry(&self, args: &[&str], socket: &Path) -> Value {
        let address = format!("unix://{}", socket.display());
        json!({
            "command": self.program, "args": args,
            "env": {
                "LD_LIBRARY_PATH": self.libraries(), "DOCKER_HOST": address,
                "CONTAINER_HOST": address,
            },
        })
    }
}

/// What `mcpproxy upstream test` says of this server. `around`: words before the command.
fn said(home: &Path, entry: &Value, around: &[&str]) -> String {
    let data = home.join("data");
    fs::create_dir_all(&data).expect("a data directory");
    let config = json!({"mcpServers": {"engine": entry}}).to_string();
    fs::write(data.join("mcp_config.json"), config).expect("a written config");
    let words = [around, &[MCPPROXY, "upstream", "test", "engine"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().env("HOME", home).env("MCPPROXY_HOME", &data);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

const RUN: [&str; 4] = ["run", "--rm", "-i", "none"];

fn run_of(name: &str) -> Vec<&'static str> {
    let remote: &[&str] = if name == "podman" { &["--remote"] } else { &[] };
    [remote, &RUN].concat()
}

#[test]
fn an_engine_without_its_daemon_is_understood() {
    for name in ["docker", "podman"] {
        let Some(engine) = Engine::find(name) else { continue };
        let home = tempfile::tempdir().expect("a directory");
        let entry = engine.entry(&run_of(name), &home.path().join("none.sock"));
        let said = said(home.path(), &entry, &[]);
        assert!(said.contains("(MCPX_CONTAINER_DAEMON_DOWN)"), "{name}: {said}");
    }
}

#[test]
fn an_engine_that_may_not_ask_its_daemon_is_understood() {
    // Permissions are no obstacle to root, unless it gives up that it is so.
    let around: &[&str] = if works("sh", &["-c", "test $(id -u) -eq 0"]) {
        &["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    } else {
        &[]
    };
    if let Some(program) = around.first()
        && !works(program, &[around[1], "true"])
    {
        return skip("root cannot give up its rights here: `setpriv` is missing or may not");
    }
    for name in ["docker", "podman"] {
        let Some(engine) = Engine::find(name) else { continue };
        let home = tempfile::tempdir().expect("a directory");
        let socket = home.path().join("daemon.sock");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).expect("its permissions");
        let said = said(home.path(), &engine.entry(&run_of(name), &socket), around);
        assert!(said.contains("(MCPX_CONTAINER_NO_PERMISSION)"), "{name}: {said}");
    }
}

#[test]
fn an_engine_that_finds_no_image_is_understood() {
    let Some(engine) = Engine::find("podman") else { return };
    let home = tempfile::tempdir().expect("a directory");
    let here = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let policy = home.path().join(".config/containers");
    fs::create_dir_all(&policy).expect("a directory");
    let any = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
    fs::write(policy.join("policy.json"), any).expect("a policy");
    let (root, state) = (here("root"), here("state"));
    let mut own = vec!["--root", &root, "--runroot", &state, "--storage-driver", "vfs"];
    own.extend(["--cgroup-manager", "cgroupfs"]);
    let of_parts =
        |name: &str| engine.root.join("usr/bin").join(name).to_string_lossy().into_owned();
    let (conmon, crun) = (of_parts("conmon"), of_parts("crun"));
    for (option, file) in [("--conmon", &conmon), ("--runtime", &crun)] {
        if Path::new(file).is_file() {
            own.extend([option, file.as_str()]);
        }
    }
    let looked =
        engine.command(&[&own[..], &["images"]].concat()).env("HOME", home.path()).output();
    if !looked.is_ok_and(|looked| looked.status.success()) {
        return skip("podman cannot keep images here");
    }
    // The port of the second has no registry.
    for image in ["none", "localhost:1/none:1"] {
        let args = [&own[..], &["run", "--rm", "-i", image]].concat();
        let mut entry = engine.entry(&args, Path::new("/nonexistent"));
        // It is its own daemon.
        entry["env"].as_object_mut().expect("an object").remove("CONTAINER_HOST");
        let said = said(home.path(), &entry, &[]);
        assert!(said.contains("(MCPX_CONTAINER_PULL_FAILED)"), "{image}: {said}");
    }
}

//! Whatever keeps the binary from running, the server runs in the launcher's process as if nothing were there: the
//! same output, the same end, and not a word on standard error unless `MCPPROXY_DEBUG` asks for one.

use crate::npm_tree::{Running, Tree, can_run, is_tapped, nodes};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The probe runs in the process that was started, silent; and with `MCPPROXY_DEBUG` one line says `why`.
fn assert_runs_here(command: impl Fn() -> Command, why: &str) {
    let mut running = Running::start(&mut command());
    let said = running.said();
    assert!(!is_tapped(&running, &said), "{why}");
    running.tell("3");
    let (status, out, err) = running.ended();
    assert_eq!((status.code(), out.as_str(), err.as_str()), (Some(3), "", ""), "{why}");

    let mut running = Running::start(command().env("MCPPROXY_DEBUG", "1"));
    running.said();
    let (status, out, err) = running.end();
    assert_eq!((status.code(), out.as_str(), err.lines().count()), (Some(0), "", 1), "{err}");
    assert!(
        err.starts_with("mcpproxy: the server runs without tap: ") && err.contains(why),
        "{err}"
    );
}

#[test]
fn without_a_binary_that_starts_the_server_runs() {
    if !can_run() {
        return;
    }
    for (_, node) in nodes() {
        let tree = Tree::without_binary();
        let (_, entry) = tree.probe();
        let start = || {
            let mut command = tree.command(&node);
            command.arg(&entry);
            command
        };
        assert_runs_here(start, "is not installed");
        // Only that of another system.
        tree.unpack("mcpproxy-tap-win32-x64-1.2.3.tgz", "tap-win32-x64");
        assert_runs_here(start, "is not installed");

        let binary = tree.binary();
        std::fs::create_dir_all(&binary).expect("a directory");
        assert_runs_here(start, "is not installed");
        std::fs::remove_dir(&binary).expect("a directory");
        let write = |bytes: &[u8], mode| {
            std::fs::write(&binary, bytes).expect("a file");
            std::fs::set_permissions(&binary, PermissionsExt::from_mode(mode)).expect("a mode");
        };
        write(b"", 0o755);
        assert_runs_here(start, "no program for this system");
        write(b"echo mcpproxy is a script", 0o755);
        assert_runs_here(start, "no program for this system");
        let whole = std::fs::read(env!("CARGO_BIN_EXE_mcpproxy")).expect("the binary");
        write(&whole[..1000], 0o755);
        assert_runs_here(start, "cannot be started");
        // Another program in its place.
        write(&std::fs::read("/bin/true").expect("it"), 0o755);
        assert_runs_here(start, "it ends with 0");
        write(&std::fs::read("/bin/true").expect("it"), 0o644);
        assert_runs_here(start, "EACCES");
    }
}

#[test]
fn an_objection_in_the_environment_is_found_as_the_binary_finds_it() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let (_, entry) = tree.probe();
    let names = [
        "DO_NOT_TRACK",
        "MCPPROXY_TELEMETRY",
        "MCPPROXY_TELEMETRY_DISABLED",
        "MCPPROXY_DO_NOT_TRACK",
    ];
    let values = ["", "0", "1", "false", "FALSE", "no", "off", "on", " Yes ", "true", " ", "maybe"];
    for name in names {
        for value in values {
            let mut status = tree.command(Path::new(env!("CARGO_BIN_EXE_mcpproxy")));
            status.args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
            let status = status.env(name, value).output().expect("the built command");
            let status = String::from_utf8(status.stdout).expect("UTF-8");
            let objects = status.contains(&format!("\"env:{name}\""));
            let mut command = tree.command(Path::new("node"));
            let mut running = Running::start(command.arg(&entry).env(name, value));
            let said = running.said();
            assert_eq!(is_tapped(&running, &said), !objects, "{name}={value:?} {status}");
            assert_eq!(said["env"][name], value);
            running.end();
        }
    }
}

#[test]
fn where_a_process_of_its_own_would_not_be_the_same_the_server_runs_here() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let (server, entry) = tree.probe();
    let electron = tree.write(
        "electron.cjs",
        "Object.defineProperty(process.versions, 'electron', { value: '39.0.0' });",
    );
    let evaluated = format!("require('@mcpproxy/tap').tap({server:?}, {{ product: 'notes-mcp' }})");
    let nameless = tree.write(
        "nameless.cjs",
        "require('@mcpproxy/tap').tap(__dirname + '/server.cjs', { endpoint: 'http://127.0.0.1:9' });",
    );
    for (name, node) in nodes() {
        let start = |args: &[&std::ffi::OsStr]| {
            let mut command = tree.command(&node);
            command.args(args).current_dir(tree.path(""));
            command
        };
        assert_runs_here(
            || start(&["--require".as_ref(), electron.as_ref(), entry.as_ref()]),
            "Electron",
        );
        assert_runs_here(|| start(&["-e".as_ref(), evaluated.as_ref()]), "not started from a file");
        assert_runs_here(|| start(&[nameless.as_ref()]), "no product");
        let permission = match name.as_str() {
            "node-18" => continue,
            "node-22" | "node-24" => "--permission",
            _ => "--experimental-permission",
        };
        let options = ["--no-warnings", permission, "--allow-fs-read=*"].map(std::ffi::OsStr::new);
        assert_runs_here(
            || start(&[&options[..], &[entry.as_ref()]].concat()),
            "ERR_ACCESS_DENIED",
        );
    }
}

#[test]
fn a_worker_a_child_with_a_channel_and_a_debugger_run_the_server_themselves() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let (_, entry) = tree.probe();
    let worker = tree.write(
        "worker.cjs",
        &format!("new (require('node:worker_threads').Worker)({entry:?}, {{ stdin: false }});"),
    );
    let parent = tree.write(
        "parent.cjs",
        &format!(
            "const child = require('node:child_process').fork({entry:?}, {{ stdio: 'inherit' }});\n\
                  child.on('exit', (code) => process.exit(code));"
        ),
    );
    for (name, node) in nodes() {
        let start = |args: &[&Path]| {
            let mut command = tree.command(&node);
            command.args(args).env("MCPPROXY_DEBUG", "1");
            Running::start(&mut command)
        };
        let why = |mut running: Running| {
            let said = running.said();
            let (status, _, err) = running.end();
            assert_eq!(status.code(), Some(0), "{name}: {err}");
            (said, err)
        };
        let (_, err) = why(start(&[&worker]));
        assert!(err.contains("worker"), "{name}: {err}");
        let (_, err) = why(start(&[&parent]));
        assert!(err.contains("channel"), "{name}: {err}");
        let (said, err) = why(start(&["--inspect=0".as_ref(), &entry]));
        assert!(err.contains("debugger") && said["execArgv"][0] == "--inspect=0", "{name}: {err}");
    }
}

/// Everything below a folder: path, mode, bytes.
fn all(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mode = path.metadata().expect("metadata").permissions().mode();
        if path.is_dir() {
            found.extend(all(&path));
            found.push((path, mode, Vec::new()));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.push((path, mode, bytes));
        }
    }
    found.sort();
    found
}

/// As in an image: nothing may be written, and the user owns nothing.
#[test]
fn a_read_only_installation_is_left_as_it_is() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let (_, entry) = tree.probe();
    let modules = tree.path("node_modules");
    for (path, mode, _) in all(&modules) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o555)).expect("a mode");
    }
    let before = all(&modules);
    for runs_without in [false, true] {
        let mut command = tree.command(Path::new("node"));
        if runs_without {
            command.env("DO_NOT_TRACK", "1");
        }
        let mut running = Running::start(command.arg(&entry));
        let said = running.said();
        assert_eq!(is_tapped(&running, &said), !runs_without);
        running.tell("5");
        assert_eq!(running.ended().0.code(), Some(5));
    }
    assert!(all(&modules) == before, "something changed below node_modules");
    for (path, mode, _) in before {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode | 0o200)).expect("a mode");
    }
}

//! Starting at login: entries in a home of its own, and the offer at a real terminal.
#![cfg(target_os = "linux")]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// A desktop session of its own: nothing of this machine's is seen or touched.
struct Desktop(tempfile::TempDir);

impl Desktop {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a home");
        std::fs::create_dir(home.path().join("xdg")).expect("the system's entries");
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("HOME", self.0.path().to_owned()),
            ("XDG_CONFIG_HOME", self.path("config")),
            ("XDG_CONFIG_DIRS", self.path("xdg")),
            ("DISPLAY", ":7".into()),
            ("PATH", std::env::var_os("PATH").unwrap_or_default().into()),
        ]
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(MCPPROXY);
        command.args(args).env_clear().envs(self.variables()).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    fn status(&self) -> Value {
        let (code, out, err) = self.run(&["autostart", "status", "-o", "json"]);
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).expect("JSON")
    }

    fn sidecar(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.path(".mcpproxy/tray-autostart.json")).ok()?;
        Some(serde_json::from_str(&text).expect("JSON"))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn an_entry_is_made_found_by_the_heartbeat_and_taken_away() {
    let desktop = Desktop::new();
    let entry = desktop.path("config/autostart/mcpproxy.desktop");
    assert_eq!(desktop.status()["source"], "none");
    let (code, out, err) = desktop.run(&["autostart", "enable"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("xdg_autostart"), "{out}");
    let text = read(&entry);
    assert!(text.contains("\"serve\" \"--launched-by\" \"login_item\"\n"), "{text}");
    assert!(text.contains(&format!("Exec=\"{MCPPROXY}\"")), "{text}");
    let status = desktop.status();
    assert_eq!((&status["enabled"], &status["source"]), (&Value::Bool(true), &"entry".into()));
    let (_, payload, _) = desktop.run(&["telemetry", "show-payload"]);
    assert!(payload.contains("\"autostart_enabled\":true"), "{payload}");
    assert_eq!(desktop.sidecar().expect("a sidecar")["enabled"], true);
    assert_eq!(desktop.run(&["autostart", "disable"]).0, 0);
    assert!(!entry.exists());
    let (_, payload, _) = desktop.run(&["telemetry", "show-payload"]);
    assert!(payload.contains("\"autostart_enabled\":false"), "{payload}");
    assert_eq!(desktop.run(&["autostart", "disable"]).0, 0, "twice is fine");
}

#[test]
fn a_data_directory_that_is_not_the_default_one_is_named_in_the_entry() {
    let desktop = Desktop::new();
    let data = desktop.path("my data");
    let data = data.to_str().expect("UTF-8");
    assert_eq!(desktop.run(&["autostart", "enable", "--data-dir", data]).0, 0);
    let text = read(&desktop.path("config/autostart/mcpproxy.desktop"));
    assert!(text.contains(&format!("\"--data-dir\" \"{data}\"\n")), "{text}");
}

#[test]
fn an_entry_of_the_system_is_hidden_and_not_touched() {
    let desktop = Desktop::new();
    let system = desktop.path("xdg/autostart/mcpproxy.desktop");
    std::fs::create_dir(system.parent().expect("a folder")).expect("made");
    let text = "[Desktop Entry]\nType=Application\nExec=mcpproxy serve\n";
    std::fs::write(&system, text).expect("written");
    assert_eq!(desktop.status()["enabled"], true);
    assert_eq!(desktop.run(&["autostart", "disable"]).0, 0);
    assert_eq!(read(&system), text);
    assert_eq!(desktop.status()["enabled"], false);
    assert_eq!(desktop.run(&["autostart", "enable"]).0, 0);
    assert_eq!(desktop.status()["enabled"], true);
}

#[test]
fn an_entry_that_was_written_by_hand_stays_and_is_named() {
    let desktop = Desktop::new();
    let entry = desktop.path("config/autostart/mcpproxy.desktop");
    std::fs::create_dir_all(entry.parent().expect("a folder")).expect("made");
    let text = "[Desktop Entry]\nType=Application\nName=mine\nExec=/opt/mcpproxy serve\n";
    std::fs::write(&entry, text).expect("written");
    let (code, out, err) = desktop.run(&["autostart", "disable"]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("did not write") && err.contains("mcpproxy.desktop"), "{err}");
    assert_eq!(read(&entry), text);
    assert_eq!(desktop.status()["enabled"], true, "as it is");
    // Switched off by hand it is no entry that starts anything.
    let hidden = format!("{text}Hidden=true\n");
    std::fs::write(&entry, &hidden).expect("written");
    assert_eq!(desktop.run(&["autostart", "disable"]).0, 0);
    assert_eq!(read(&entry), hidden);
}

#[test]
fn a_systemd_unit_is_enabled_by_its_link_and_somebody_elses_unit_stays() {
    let desktop = Desktop::new();
    let units = desktop.path("config/systemd/user");
    let (code, out, err) = desktop.run(&["autostart", "enable", "--systemd"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("systemd_user_unit"), "{out}");
    let link = units.join("default.target.wants/mcpproxy.service");
    assert_eq!(std::fs::read_link(&link).expect("a link"), units.join("mcpproxy.service"));
    assert!(read(&link).contains("Type=notify\nExecStart="), "{}", read(&link));
    let unit = read(&link).replace(MCPPROXY, "/usr/bin/mcpproxy");
    let (_, unit) = unit.split_once('\n').expect("a line that says who made it");
    let packaged =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("platform/packaging/mcpproxy.service");
    assert_eq!(unit, read(&packaged), "the package's unit is the one that we make");
    assert_eq!(desktop.status()["enabled"], true);
    assert_eq!(desktop.run(&["autostart", "disable"]).0, 0);
    assert!(!units.join("mcpproxy.service").exists() && link.symlink_metadata().is_err());
    std::fs::write(units.join("mcpproxy.service"), "[Unit]\n").expect("written by hand");
    assert_eq!(desktop.run(&["autostart", "disable"]).0, 0);
    assert_eq!(read(&units.join("mcpproxy.service")), "[Unit]\n");
}

#[test]
fn what_cannot_be_written_is_an_error_that_names_what_and_not_where() {
    let desktop = Desktop::new();
    std::fs::write(desktop.path("config"), "in the way").expect("written");
    let (code, out, err) = desktop.run(&["autostart", "enable"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("xdg_autostart") && !err.contains("config"), "{err}");
    assert_eq!(desktop.sidecar(), None, "nothing is remembered of what did not happen");
}

/// Runs what follows in a copy of the root without the marks of a container, and without the
/// processes above it: what they carry counts, and that of a CI runner says CI. Needs root.
const UNMARKED: &str =
    "set -e; d=$(mktemp -d); mount -t tmpfs tmpfs \"$d\"; mkdir \"$d/u\" \"$d/w\" \"$d/m\"
    mount -t overlay overlay -o \"lowerdir=/,upperdir=$d/u,workdir=$d/w\" \"$d/m\"
    rm -f \"$d/m/.dockerenv\" \"$d/m/run/.containerenv\"
    for kept in /dev \"$1\" \"$2\"; do mount --rbind \"$kept\" \"$d/m$kept\"; done
    mount -t proc proc \"$d/m/proc\"
    shift 2; exec chroot \"$d/m\" \"$@\"";

/// A command at a person's machine, here or in a root of its own; `None` where neither can be had.
fn at_home(program: &str) -> Option<Command> {
    let is_home = |command: &mut Command| {
        let output = command.env_clear().args(["detect", "-o", "json"]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).replace(' ', "");
        let is = |mark: &str| text.contains(&format!("\"{mark}\":false"));
        output.status.success().then(|| {
            ["is_container", "has_ci_env", "has_cloud_ide_env"].iter().all(|mark| is(mark))
        })
    };
    if is_home(&mut Command::new(MCPPROXY)) == Some(true) {
        return Some(Command::new(program));
    }
    let unmarked = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "sh", "-c", UNMARKED, "sh"]);
        command.arg(env!("CARGO_MANIFEST_DIR")).arg(std::env::temp_dir()).arg(program);
        command
    };
    (is_home(&mut unmarked(MCPPROXY)) == Some(true)).then(|| unmarked(program))
}

fn skip(why: &str) {
    skipped!("the offer at a terminal: {why}");
}

/// `mcpproxy serve` at a terminal for a few seconds, with this typed; what it said.
fn serve_at_a_terminal(
    mut python: Command,
    desktop: &Desktop,
    typed: &str,
    more: &[(&str, &str)],
) -> Option<String> {
    let works = Command::new("python3").args(["-c", "import pty; pty.openpty()"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip("python3 with pty is missing");
        return None;
    }
    let script = "import os, pty, select, signal, sys, time\n\
        pid, fd = pty.fork()\n\
        if pid == 0: os.execv(sys.argv[2], sys.argv[2:])\n\
        out, until, typed = b'', time.time() + 20, False\n\
        while time.time() < until and b'Status page' not in out:\n\
        \x20   if select.select([fd], [], [], 0.1)[0]:\n\
        \x20       try: out += os.read(fd, 4096)\n\
        \x20       except OSError: break\n\
        \x20   if b'[Y/n]' in out and not typed: typed = True; os.write(fd, sys.argv[1].encode())\n\
        os.kill(pid, signal.SIGTERM); os.waitpid(pid, 0)\n\
        sys.stdout.buffer.write(out)";
    python.args(["-c", script, typed, MCPPROXY, "serve", "--listen", "127.0.0.1:0"]);
    python.env_clear().envs(desktop.variables()).envs(more.iter().copied()).stdin(Stdio::null());
    let output = python.output().expect("it runs");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_first_run_at_a_terminal_asks_once_and_the_default_is_yes() {
    let python = || at_home("python3");
    if python().is_none() {
        return skip(
            "this is a container or CI, where it is not made, and not one that can be left for a test",
        );
    }
    for (typed, enabled) in [("\n", true), ("yes\n", true), ("n\n", false), ("what?\n", false)] {
        let desktop = Desktop::new();
        let serve = || serve_at_a_terminal(python().expect("as before"), &desktop, typed, &[]);
        let Some(said) = serve() else { return };
        assert!(said.contains("[Y/n]") && said.contains("Status page"), "{said}");
        assert_eq!(desktop.sidecar().expect("remembered")["enabled"], enabled, "{typed:?}");
        assert_eq!(desktop.status()["enabled"], enabled, "{typed:?}");
        let again = serve().expect("a terminal");
        assert!(again.contains("Status page") && !again.contains("[Y/n]"), "asked twice: {again}");
    }
    let desktop = Desktop::new();
    let ci = [("CI", "true")];
    let said = serve_at_a_terminal(python().expect("as before"), &desktop, "\n", &ci);
    let said = said.expect("a terminal");
    assert!(said.contains("Status page") && !said.contains("[Y/n]"), "asked in CI: {said}");
}

#[test]
fn nobody_is_asked_in_a_container() {
    let desktop = Desktop::new();
    let mark = [("container", "docker")];
    let said = serve_at_a_terminal(Command::new("python3"), &desktop, "\n", &mark);
    let Some(said) = said else { return };
    assert!(said.contains("Status page") && !said.contains("[Y/n]"), "{said}");
    assert_eq!(desktop.sidecar(), None);
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    let desktop = Desktop::new();
    let mut child = Command::new(MCPPROXY)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .envs(desktop.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(1));
    child.kill().expect("a child");
    let output = child.wait_with_output().expect("an end");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("[Y/n]"));
    assert_eq!(desktop.sidecar(), None);
}

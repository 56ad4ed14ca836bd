//! The probes in real conditions: a pseudo-terminal, reduced environments below real ancestors, another
//! user, a root file system with container files, and the system calls of a run.
#![cfg(all(
    feature = "detect-container",
    feature = "detect-display",
    feature = "detect-tty",
    feature = "detect-ppid"
))]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// Whether this system can run such a test; says so when it cannot.
fn can(what: &str, check: &mut Command) -> bool {
    let quiet = check.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let able = quiet.status().is_ok_and(|status| status.success());
    if !able {
        skipped!("{what} is not possible here");
    }
    able
}

fn verdict(command: &mut Command) -> Value {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.trim()).unwrap()
}

fn evidence(verdict: &Value) -> Vec<&str> {
    verdict["evidence"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_pseudo_terminal_is_a_terminal_and_a_pipe_is_none() {
    let args = [MCPPROXY, "detect", "-o", "json"];
    let piped = verdict(Command::new(args[0]).args(&args[1..]).stdin(Stdio::piped()));
    assert_eq!(piped["env_markers"]["has_tty"], false);
    assert_eq!(piped["launch_source"], "unknown");
    if !can(
        "opening a pseudo-terminal",
        Command::new("python3").args(["-c", "import pty; pty.openpty()"]),
    ) {
        return;
    }
    let spawn = "import pty, sys; pty.spawn(sys.argv[1:])";
    let on_terminal =
        verdict(Command::new("python3").args(["-c", spawn]).args(args).stdin(Stdio::null()));
    assert_eq!(on_terminal["env_markers"]["has_tty"], true);
    assert_eq!(on_terminal["launch_source"], "cli");
    assert!(evidence(&on_terminal).contains(&"tty"));
}

/// What [`BELOW_A_TERMINAL`] needs.
const PSEUDO_TERMINAL: &str = "import pty, os; pty.openpty(); os.waitstatus_to_exitcode(0)";
/// Starts its arguments from the second on in a session with a controlling terminal, with standard input from
/// nowhere; `new` as the first: in one more session, without a terminal, below that one.
const BELOW_A_TERMINAL: &str = "
import os, pty, subprocess, sys
answer, told = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    new = sys.argv[1] == 'new'
    child = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=told, start_new_session=new)
    os._exit(child.returncode)
os.close(told)
said = b''
while chunk := os.read(answer, 4096):
    said += chunk
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(status))
";

#[test]
fn a_controlling_terminal_shows_a_person_whose_server_has_a_pipe() {
    if !can("a session of our own", Command::new("setsid").args(["-w", "true"]))
        || !can("opening a pseudo-terminal", Command::new("python3").args(["-c", PSEUDO_TERMINAL]))
    {
        return;
    }
    let below = |session: &str| {
        let args =
            ["-w", "python3", "-c", BELOW_A_TERMINAL, session, MCPPROXY, "detect", "-o", "json"];
        verdict(Command::new("setsid").args(args).stdin(Stdio::null()))
    };
    for (session, name) in [("same", "terminal"), ("new", "terminal:ancestor")] {
        let found = below(session);
        assert_eq!(found["env_markers"]["has_tty"], false, "{found}");
        assert!(evidence(&found).contains(&name), "{found}");
        // Wherever this test runs: a terminal makes people of headless machines, and of no other.
        if found["env_kind"] == "interactive" {
            let rules = ["remote_person", "desktop_linux"];
            assert!(rules.contains(&found["rule"].as_str().unwrap()), "{found}");
        } else {
            assert_ne!(found["rule"], "headless", "{found}");
        }
    }
}

/// Below `depth` + 1 shells, each started with an empty environment but the outermost, which has
/// `outer`. The innermost adds `own` to an environment as MCP clients reduce it.
fn below_shells(depth: usize, outer: (&str, &str), own: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("shells");
    fs::write(
        &script,
        "n=$1; shift\n\
         if [ $n -eq 0 ]; then \"$@\"; else env -i PATH=\"$PATH\" sh \"$0\" $((n - 1)) \"$@\"; fi\n\
         exit $?\n",
    )
    .unwrap();
    let reduced = ["HOME=/", "LOGNAME=x", "SHELL=/bin/sh", "TERM=dumb", "USER=x"];
    verdict(
        Command::new("sh")
            .arg(&script)
            .arg(depth.to_string())
            .args(["env", "-i"])
            .args(reduced)
            .args(own)
            .args([MCPPROXY, "detect", "-o", "json", "--explain"])
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env(outer.0, outer.1),
    )
}

#[test]
fn a_reduced_environment_is_completed_by_the_nearest_ancestors() {
    for depth in [0, 3, 7] {
        let found = below_shells(depth, ("CODER_AGENT_TOKEN", "hunter2"), &[]);
        assert_eq!(found["env_kind"], "cloud_ide", "{depth}");
        // Not the only one where this test runs in a workspace.
        assert!(evidence(&found).contains(&"env:CODER_AGENT_TOKEN"), "{found}");
        assert_eq!(found["parent"], "sh");
        assert!(!found.to_string().contains("hunter2"));
    }
    let ninth = below_shells(8, ("CODER_AGENT_TOKEN", "hunter2"), &[]);
    assert!(!evidence(&ninth).contains(&"env:CODER_AGENT_TOKEN"), "eight ancestors, not nine");
}

#[test]
fn an_own_value_beats_an_ancestors() {
    assert_eq!(below_shells(7, ("CI", "true"), &[])["env_markers"]["has_ci_env"], true);
    let own = below_shells(7, ("CI", "true"), &["CI=false"]);
    assert_eq!(own["env_markers"]["has_ci_env"], false);
    let display = below_shells(2, ("DISPLAY", ":0"), &[]);
    assert_eq!(display["env_markers"]["has_display"], true);
}

#[test]
fn an_ancestor_does_not_say_how_this_process_was_launched() {
    let found = below_shells(1, ("MCPPROXY_LAUNCHED_BY", "tray"), &[]);
    assert_eq!(found["launch_source"], "unknown");
    let own = below_shells(1, ("X", "y"), &["MCPPROXY_LAUNCHED_BY=tray"]);
    assert_eq!(own["launch_source"], "tray");
}

#[test]
fn ancestors_of_another_user_are_not_looked_at() {
    let other = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    if !can("becoming another user", Command::new("setpriv").args(other).arg("true")) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mcpproxy = dir.path().join("mcpproxy");
    fs::copy(MCPPROXY, &mcpproxy).unwrap();
    let found = verdict(
        Command::new("sh")
            .args(["-c", "env -i \"$@\"; exit $?", "sh", "/usr/bin/setpriv"])
            .args(other)
            .arg(&mcpproxy)
            .args(["detect", "-o", "json"])
            .stdin(Stdio::null())
            .env("CODER_AGENT_TOKEN", "x"),
    );
    assert!(!evidence(&found).contains(&"env:CODER_AGENT_TOKEN"));
}

/// A root file system of its own, in a mount and a PID namespace of its own.
struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    fn new() -> Option<Self> {
        let mut check = Command::new("unshare");
        if !can("a namespace of our own", check.args(["-m", "-p", "-f", "chroot", "/", "true"]))
            || !can("a session of our own", Command::new("setsid").args(["-w", "true"]))
        {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["proc", "run/systemd", "run/user", "tmp/.X11-unix", "etc", "kept/docker/containers/x"]
        {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        fs::copy(MCPPROXY, dir.path().join("mcpproxy")).unwrap();
        fs::write(dir.path().join("etc/hosts"), "").unwrap();
        fs::write(dir.path().join("kept/docker/containers/x/hosts"), "").unwrap();
        Some(Self { dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `detect` inside, without ancestors and variables; `mounts` runs before, `wrap` around.
    fn run(&self, mounts: &str, wrap: &str) -> Value {
        let script = format!(
            "set -e\n\
             mount -t proc proc proc\n\
             for d in /usr /lib /lib64 /bin; do\n\
               if [ -L $d ]; then [ -L .$d ] || cp -d $d .$d\n\
               elif [ -d $d ]; then mkdir -p .$d; mount --bind $d .$d; fi\n\
             done\n\
             {mounts}\n\
             exec env -i {wrap} /usr/sbin/chroot . /mcpproxy detect -o json </dev/null\n"
        );
        verdict(
            // A session of its own: a terminal of who runs this test is none of the machine's.
            Command::new("setsid")
                .args(["-w", "unshare", "-m", "-p", "-f", "sh", "-c", &script])
                .current_dir(self.dir.path())
                .stdin(Stdio::null()),
        )
    }
}

#[test]
fn container_files_are_found_in_a_root_of_their_own() {
    let Some(root) = Root::new() else { return };
    let bare = root.run("", "");
    assert!(!evidence(&bare).iter().any(|name| name.contains(':')), "{bare}");

    fs::write(root.path("run/systemd/container"), "flatpak\n").unwrap();
    assert_eq!(root.run("", "")["evidence"], bare["evidence"], "a sandbox is no container");
    fs::write(root.path("run/systemd/container"), "systemd-nspawn\n").unwrap();
    let named = root.run("", "");
    assert_eq!(
        (&named["rule"], evidence(&named)),
        (&"container".into(), vec!["file:/run/systemd/container"])
    );

    fs::write(root.path("run/.containerenv"), "").unwrap();
    let found = root.run("", "");
    assert_eq!(found["env_kind"], "container");
    assert_eq!(evidence(&found)[0], "path:/run/.containerenv");

    fs::write(root.path("run/.toolboxenv"), "").unwrap();
    let toolbox = root.run("", "");
    assert_eq!(toolbox["env_markers"]["is_container"], true);
    assert_eq!(toolbox["rule"], "desktop_linux");
}

#[test]
fn a_pipe_in_the_place_of_a_marker_file_does_not_hang() {
    let Some(root) = Root::new() else { return };
    let made = Command::new("mkfifo").arg(root.path("run/systemd/container")).status().unwrap();
    assert!(made.success());
    assert!(!evidence(&root.run("", "timeout 20")).contains(&"file:/run/systemd/container"));
}

#[test]
fn a_terminal_above_makes_a_person_of_a_machine_without_marks() {
    let Some(root) = Root::new() else { return };
    let python = Command::new("sh").args(["-c", "command -v python3"]).output().unwrap().stdout;
    let python = String::from_utf8(python).unwrap().trim().to_owned();
    if !can("opening a pseudo-terminal", Command::new("python3").args(["-c", PSEUDO_TERMINAL])) {
        return;
    }
    let script = root.path("below-a-terminal");
    fs::write(&script, BELOW_A_TERMINAL).unwrap();
    let bare = root.run("", "");
    assert!(!evidence(&bare).iter().any(|name| name.starts_with("terminal")), "{bare}");
    for (session, name) in [("same", "terminal"), ("new", "terminal:ancestor")] {
        let found = root.run("", &format!("{python} {} {session}", script.display()));
        assert!(evidence(&found).contains(&name), "{found}");
        let expected = if bare["rule"] == "headless" {
            "remote_person"
        } else {
            bare["rule"].as_str().unwrap()
        };
        assert_eq!(found["rule"], expected, "{found}");
        assert_eq!(found["env_markers"], bare["env_markers"]);
    }
}

#[test]
fn a_display_socket_counts_where_no_variable_does() {
    let Some(root) = Root::new() else { return };
    let me = fs::metadata(root.dir.path()).unwrap();
    let me = std::os::unix::fs::MetadataExt::uid(&me);
    fs::create_dir_all(root.path(&format!("run/user/{me}"))).unwrap();
    let socket = format!("run/user/{me}/wayland-0");
    fs::write(root.path(&socket), "").unwrap();
    assert_eq!(root.run("", "")["env_markers"]["has_display"], false, "a file is no socket");
    fs::remove_file(root.path(&socket)).unwrap();
    let _display = UnixListener::bind(root.path(&socket)).unwrap();
    let found = root.run("", "");
    assert_eq!(found["env_markers"]["has_display"], true);
    assert!(evidence(&found).contains(&format!("path:/{socket}").as_str()));
}

#[test]
fn a_file_bound_by_a_runtime_is_found_in_mountinfo() {
    let Some(root) = Root::new() else { return };
    if evidence(&root.run("", "")).contains(&"cgroup") {
        skipped!("our cgroup already says container, mountinfo is not asked");
        return;
    }
    // On a tmpfs the root of the bound file is a path that we choose.
    let bind = "mount -t tmpfs tmpfs kept; mkdir -p 'kept/a b/docker/containers/x'\n\
                touch 'kept/a b/docker/containers/x/hosts'\n\
                mount --bind 'kept/a b/docker/containers/x/hosts' etc/hosts";
    let found = root.run(bind, "");
    assert_eq!(evidence(&found), ["mountinfo"]);
    assert_eq!(found["env_kind"], "container");
    let elsewhere = root.run(&bind.replace("docker/containers", "docker/volumes"), "");
    assert!(evidence(&elsewhere).is_empty());
}

/// The system calls of one run in `root`.
fn traced(root: &Root) -> String {
    let trace = root.path("trace");
    root.run("", &format!("strace -f -o {}", trace.display()));
    let text = fs::read_to_string(&trace).unwrap();
    // What the tracer and chroot did before is not ours.
    let ours = text.find("execve(\"/mcpproxy\"").expect("the run was traced");
    text[ours..].to_owned()
}

fn can_trace() -> bool {
    can("tracing with strace", Command::new("strace").args(["-o", "/dev/null", "true"]))
}

#[test]
fn no_process_is_started_and_mountinfo_is_read_only_when_nothing_cheaper_decided() {
    if !can_trace() {
        return;
    }
    let Some(root) = Root::new() else { return };
    let undecided = traced(&root);
    let by_cgroup = evidence(&root.run("", "")).contains(&"cgroup");
    assert_eq!(undecided.contains("/proc/self/mountinfo"), !by_cgroup);
    fs::write(root.path("run/.containerenv"), "").unwrap();
    let decided = traced(&root);
    assert!(!decided.contains("mountinfo"), "{decided}");
    for run in [&undecided, &decided] {
        assert_eq!(run.matches("execve(").count(), 1);
        for call in [" clone(", " clone3(", " fork(", " vfork(", " socket(", "O_CREAT", "mkdir"] {
            assert!(!run.contains(call), "{call}");
        }
    }
}

#[test]
fn a_run_on_this_machine_starts_no_process_and_opens_no_socket() {
    if !can_trace() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let wrapped = |trace: &Path| {
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(trace).args([MCPPROXY, "detect", "-o", "json", "--explain"]);
        command
    };
    verdict(wrapped(&trace).stdin(Stdio::null()));
    let calls = fs::read_to_string(&trace).unwrap();
    assert_eq!(calls.matches("execve(").count(), 1);
    for call in [" clone(", " clone3(", " fork(", " vfork(", " socket(", "O_CREAT", "mkdir"] {
        assert!(!calls.contains(call), "{call}");
    }
}

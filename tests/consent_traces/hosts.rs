//! Each way of switching off, with each host, under `strace -f`.

use super::ways::{self, WAYS, Way};
use super::*;
use std::os::unix::fs::PermissionsExt as _;

const HOSTS: [&[&str]; 5] = [
    &["tap", "--", "cat"],
    &["serve", "--stdio"],
    &["telemetry", "send", "--now"],
    &["telemetry", "status"],
    &["detect"],
];

/// Files and names, the network, processes and their threads' names.
const WATCHED: &str = "trace=%file,%network,%process,prctl";
/// As much of the sender thread's name as the kernel keeps.
const THREAD: &str = "mcpproxy-heartb";
/// A heartbeat would go there, at once: nobody is there.
const EAGER: [(&str, &str); 2] = [
    ("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:9"),
    ("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0"),
];

/// The calls that a host and its children made.
fn trace(home: &Home, way: &Way, host: &[&str]) -> Vec<String> {
    let log = home.path("trace");
    let mut command: Vec<&OsStr> =
        ["strace", "-f", "-s", "256", "-e", WATCHED, "-o"].map(OsStr::new).into();
    command.extend([log.as_os_str(), MCPPROXY.as_ref()]);
    command.extend(host.iter().map(OsStr::new));
    let own: Vec<_> = EAGER.iter().chain(way.own).copied().collect();
    let mut shell = home.shell(way.exports, &own, &command);
    if way.as_nobody {
        let open = |path: &Path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("set");
        };
        open(home.0.path());
        std::fs::write(&log, "").expect("written");
        open(&log);
        shell.uid(NOBODY).gid(NOBODY);
    }
    let (ended, said) = run(&mut shell, home, "said");
    // A gateway does not start on a config that it cannot read; that is an error and no crash.
    assert!(ended.code().is_some_and(|code| code <= 1), "{}: {host:?}: {ended}", way.name);
    if host[0] == "tap" {
        assert_eq!((ended.code(), said.as_str()), (Some(0), REQUEST), "{}", way.name);
    }
    let calls = std::fs::read_to_string(log).expect("the trace");
    assert!(calls.contains("execve("), "{}: {host:?}: nothing was traced", way.name);
    calls.lines().map(str::to_owned).collect()
}

/// Calls that reach the network, name the thread, or would make, change or remove something in the data
/// directory.
fn traces_of_telemetry<'a>(home: &Home, calls: &'a [String]) -> Vec<&'a String> {
    // Beginnings of names; `link` alone is part of the system's words, too.
    const WRITING: [&str; 15] = [
        "O_CREAT",
        "O_WRONLY",
        "O_RDWR",
        " mkdir",
        " rename",
        " link(",
        " linkat(",
        " symlink",
        " unlink",
        " mknod",
        " truncate",
        " creat",
        " chmod",
        " fchmodat",
        " utime",
    ];
    const NETWORK: [&str; 4] = [" socket(", " connect(", " bind(", " sendto("];
    let data = home.data();
    let data = data.to_str().expect("text");
    let is_one = |call: &&String| {
        NETWORK.iter().any(|name| call.contains(name))
            || call.contains(THREAD)
            || call.contains(data) && WRITING.iter().any(|name| call.contains(name))
    };
    calls.iter().filter(is_one).collect()
}

/// Every name below the data directory, with its size.
fn listing(at: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
        let size = entry.path().symlink_metadata().map_or(0, |metadata| metadata.len());
        found.push((entry.path(), size));
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(listing(&entry.path()));
        }
    }
    found.sort();
    found
}

/// Without this the tests below could pass because the trace shows nothing.
#[test]
fn switched_on_the_same_trace_shows_file_socket_and_thread() {
    if !strace_works(&["-f", "-e", WATCHED]) {
        return;
    }
    let home = Home::new();
    let on = ways::way("nothing");
    let calls = trace(&home, &on, HOSTS[0]);
    let found = traces_of_telemetry(&home, &calls);
    for part in [THREAD, "/data/telemetry\"", "/data/telemetry.lock\""] {
        assert!(found.iter().any(|call| call.contains(part)), "{part}: {found:#?}");
    }
    let calls = trace(&home, &on, HOSTS[2]);
    assert!(calls.iter().any(|call| call.contains(" socket(")), "{calls:#?}");
}

/// How many hosts each way is tried with; they take turns.
fn check(ways: impl Iterator<Item = Way>) {
    if !strace_works(&["-f", "-e", WATCHED]) {
        return;
    }
    let hosts = endure::scaled("TRACES", 2) as usize;
    let (mut ways_seen, mut runs) = (0, 0);
    for (number, way) in ways.enumerate() {
        if way.as_nobody && !nobody_can_run() {
            continue;
        }
        let turn = |k: usize| if k == 0 { 0 } else { 1 + (number + k) % (HOSTS.len() - 1) };
        for host in (0..hosts).map(|k| HOSTS[turn(k)]) {
            let home = Home::new();
            (way.make)(&home);
            way.config.iter().for_each(|bytes| home.config(bytes));
            let before = listing(&home.data());
            let calls = trace(&home, &way, host);
            let found = traces_of_telemetry(&home, &calls);
            assert!(found.is_empty(), "{}: {host:?}: {found:#?}", way.name);
            assert_eq!(listing(&home.data()), before, "{}: {host:?}", way.name);
            assert!(!home.path(".mcpproxy").exists(), "{}: {host:?}", way.name);
            runs += 1;
        }
        ways_seen += 1;
    }
    println!(
        "{ways_seen} ways of switching off, {runs} traced runs: no file, no socket, no thread"
    );
}

#[test]
fn with_any_objection_no_host_leaves_a_file_opens_a_socket_or_starts_the_thread() {
    check(WAYS.into_iter());
}

#[test]
fn with_any_corrupt_config_no_host_leaves_a_file_opens_a_socket_or_starts_the_thread() {
    check(ways::corrupt());
}

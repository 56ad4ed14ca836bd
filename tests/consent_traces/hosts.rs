//! Each way of switching off, with each host, under `strace -f`.

use super::receiver::Receiver;
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

/// How `program` ended with the words of `host`, what it said, and the calls that it and its children made.
fn trace_of(
    home: &Home,
    way: &Way,
    program: &[&str],
    host: &[&str],
) -> ((ExitStatus, String), Vec<String>) {
    let log = home.path("trace");
    let mut command: Vec<&OsStr> =
        ["strace", "-f", "-s", "256", "-e", WATCHED, "-o"].map(OsStr::new).into();
    command.push(log.as_os_str());
    command.extend(program.iter().chain(host).map(OsStr::new));
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
    let ended = run(&mut shell, home, "said");
    let calls = std::fs::read_to_string(log).expect("the trace");
    assert!(calls.contains("execve("), "{}: {host:?}: nothing was traced", way.name);
    (ended, calls.lines().map(str::to_owned).collect())
}

/// The calls that a host and its children made.
fn trace(home: &Home, way: &Way, host: &[&str]) -> Vec<String> {
    let ((ended, said), calls) = trace_of(home, way, &[MCPPROXY], host);
    // A gateway does not start on a config that it cannot read; that is an error and no crash.
    assert!(ended.code().is_some_and(|code| code <= 1), "{}: {host:?}: {ended}", way.name);
    if host[0] == "tap" {
        assert_eq!((ended.code(), said.as_str()), (Some(0), REQUEST), "{}", way.name);
    }
    calls
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

/// Each way with each host.
fn check(ways: impl Iterator<Item = Way>) {
    if !strace_works(&["-f", "-e", WATCHED]) {
        return;
    }
    let (mut ways_seen, mut runs) = (0, 0);
    for way in ways {
        if way.as_nobody && !nobody_can_run() {
            continue;
        }
        for host in HOSTS {
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

/// A gateway that listens has a socket for that, and no other.
#[test]
fn switched_off_a_gateway_that_listens_opens_the_socket_for_that_and_no_other() {
    if !strace_works(&["-f", "-e", WATCHED]) {
        return;
    }
    // The key is there: a gateway that listens makes one, on or off.
    const OFF: &str =
        r#"{"api_key":"0123456789abcdef0123456789abcdef","telemetry":{"enabled":false}}"#;
    const ON: &str = r#"{"api_key":"0123456789abcdef0123456789abcdef"}"#;
    for (config, own) in [(OFF, &[][..]), (ON, &[("DO_NOT_TRACK", "1")][..])] {
        let home = Home::new();
        home.config(config);
        let way = Way { own, ..ways::way("a gateway that listens") };
        let before = listing(&home.data());
        let host = ["serve", "--listen", "127.0.0.1:0"];
        let calls = trace_of(&home, &way, &["timeout", "-s", "TERM", "2", MCPPROXY], &host).1;
        let mut found = traces_of_telemetry(&home, &calls);
        // One socket, one address.
        let own = |call: &&String| {
            call.contains(" socket(AF_INET, SOCK_STREAM")
                || call.contains("inet_addr(\"127.0.0.1\")")
        };
        let mine = found.iter().filter(|call| own(call)).count();
        assert_eq!(mine, 2, "{found:#?}");
        found.retain(|call| !own(call));
        assert!(found.is_empty(), "{found:#?}");
        assert_eq!(listing(&home.data()), before);
    }
}

#[test]
fn with_any_objection_no_host_leaves_a_file_opens_a_socket_or_starts_the_thread() {
    check(WAYS.into_iter());
}

#[test]
fn with_any_corrupt_config_no_host_leaves_a_file_opens_a_socket_or_starts_the_thread() {
    check(ways::corrupt());
}

/// Of all commands, one alone may ask for something after an objection: to be erased. It asks that once.
#[test]
fn with_an_objection_forget_asks_to_be_erased_and_nothing_else_is_asked() {
    if !strace_works(&["-f", "-e", WATCHED]) {
        return;
    }
    let disable = |home: &Home| {
        let words = [MCPPROXY, "telemetry", "disable"].map(OsStr::new);
        assert!(run(&mut home.shell(&[], &[], &words), home, "said").0.success());
    };
    let in_environment = |way: &Way| way.config.is_none() && !way.name.starts_with("enabled");
    let ways = WAYS.into_iter().filter(|way| !(way.own.is_empty() && way.exports.is_empty()));
    let disabled = Way { make: disable, ..ways::way("telemetry disable") };
    let mut checked = 0;
    for way in ways.filter(in_environment).chain([disabled]) {
        let home = Home::new();
        let receiver = Receiver::start([]);
        receiver.erase();
        let endpoint = receiver.endpoint();
        let towards = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
        let now = [MCPPROXY, "telemetry", "send", "--now"].map(OsStr::new);
        assert!(run(&mut home.shell(&[], &towards, &now), &home, "said").0.success());
        (way.make)(&home);
        let own: Vec<_> = towards.iter().chain(way.own).copied().collect();
        let log = home.path("trace");
        let traced = ["strace", "-f", "-s", "256", "-e", "trace=%network", "-o"].map(OsStr::new);
        let forget = [log.as_os_str(), MCPPROXY.as_ref(), "telemetry".as_ref(), "forget".as_ref()];
        let command = [&traced[..], &forget].concat();
        let (ended, said) = run(&mut home.shell(way.exports, &own, &command), &home, "said");
        assert!(ended.success(), "{}: {said}", way.name);
        let calls = std::fs::read_to_string(&log).expect("the trace");
        let connected = calls.lines().filter(|call| call.contains(" connect(")).count();
        assert_eq!(connected, 1, "{}: {calls}", way.name);
        let lines: Vec<String> = receiver.requests().into_iter().map(|sent| sent.line).collect();
        assert_eq!(
            lines,
            ["POST /heartbeat HTTP/1.1", "DELETE /installs HTTP/1.1"],
            "{}",
            way.name
        );
        // Without the objection, too: the product is switched off.
        for (exports, own) in [(way.exports, &own[..]), (&[], &towards)] {
            assert!(!run(&mut home.shell(exports, own, &now), &home, "said").0.success());
        }
        assert_eq!(receiver.connections(), 2, "{}", way.name);
        checked += 1;
    }
    println!("{checked} ways of switching off: one request to erase, and no other");
}

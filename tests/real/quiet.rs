//! With telemetry off nothing is created and no socket is opened, as the kernel saw it (`strace -f`).

use crate::parts::{skip, works};
use crate::session::{Home, MCPPROXY, run};
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

/// A request that would count: it names a client and calls the discovery tool.
const REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve_tools","_meta":{"io.modelcontextprotocol/clientInfo":{"name":"claude-code","version":"1"}}}}
"#;

const COMMANDS: [&[&str]; 5] = [
    &["tap", "--", "cat"],
    &["detect"],
    &["detect", "--explain"],
    &["telemetry", "status"],
    &["telemetry", "status", "-o", "json"],
];

/// The system calls that could create something or reach the network.
const WATCHED: &str = "trace=%file,%network,mkdir,mkdirat";

fn strace_works() -> bool {
    let here = works("strace", &["-o", "/dev/null", "true"]);
    if !here {
        skip("strace is not installed, or may not trace here");
    }
    here
}

/// Runs `mcpproxy` under `strace -f` and returns the calls it and its children made.
fn trace(home: &Home, exports: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    let log = home.root().join("trace");
    let mut command: Vec<OsString> = ["strace", "-f", "-e", WATCHED, "-o"].map(Into::into).into();
    command.push(log.clone().into());
    command.push(MCPPROXY.into());
    command.extend(args.iter().map(OsString::from));
    let input = home.root().join("input");
    std::fs::write(&input, REQUEST).expect("write the input");
    let mut shell = home.shell(exports, &command);
    let ended = run(shell.stdin(File::open(input).expect("the input")));
    assert!(ended.status.success(), "{args:?}: {ended:?}");
    if args[0] == "tap" {
        assert_eq!(ended.stdout, REQUEST, "the echo");
    }
    let log = std::fs::read_to_string(log).expect("the trace");
    log.lines().map(str::to_owned).collect()
}

fn sockets(calls: &[String]) -> Vec<&String> {
    calls.iter().filter(|call| call.contains(" socket(") || call.contains(" connect(")).collect()
}

/// Calls that would create, rename or remove something below the directory.
fn writes<'a>(calls: &'a [String], below: &Path) -> Vec<&'a String> {
    let below = below.to_str().expect("UTF-8");
    let writing =
        ["O_CREAT", "O_WRONLY", "O_RDWR", " mkdir", " rename", " link", " symlink", " unlink"];
    let is_write =
        |call: &&String| call.contains(below) && writing.iter().any(|write| call.contains(write));
    calls.iter().filter(is_write).collect()
}

fn assert_quiet(home: &Home, exports: &[(&str, &str)]) {
    for args in COMMANDS {
        let calls = trace(home, exports, args);
        assert!(!calls.is_empty(), "{args:?}: nothing was traced");
        assert_eq!(sockets(&calls), Vec::<&String>::new(), "{args:?}");
        assert_eq!(writes(&calls, &home.data_dir()), Vec::<&String>::new(), "{args:?}");
        assert!(!home.root().join(".mcpproxy").exists(), "{args:?}: the default directory");
    }
}

#[test]
fn with_an_objection_in_the_environment_a_missing_data_directory_stays_missing() {
    if !strace_works() {
        return;
    }
    for objection in [("DO_NOT_TRACK", "1"), ("MCPPROXY_TELEMETRY", "0")] {
        let home = Home::without_data_dir();
        assert_quiet(&home, &[objection]);
        assert!(!home.data_dir().exists(), "{objection:?}");
    }
}

#[test]
fn switched_off_in_the_config_nothing_is_added_to_the_data_directory() {
    if !strace_works() {
        return;
    }
    // A corrupt config is an objection too: it may have said `enabled: false`.
    for config in [r#"{"telemetry": {"enabled": false}}"#, r#"{"telemetry": {"enabled": tr"#] {
        let home = Home::with_config(config);
        assert_quiet(&home, &[]);
        let left = std::fs::read_dir(home.data_dir()).expect("the data directory");
        assert_eq!(left.count(), 1, "only the config");
    }
}

/// Without this the tests above could pass because the trace shows nothing.
#[test]
fn switched_on_the_same_trace_shows_the_store_being_created() {
    if !strace_works() {
        return;
    }
    let home = Home::new();
    let calls = trace(&home, &[], COMMANDS[0]);
    assert_ne!(writes(&calls, &home.data_dir()), Vec::<&String>::new());
    assert!(home.data_dir().join("telemetry").is_dir());
}

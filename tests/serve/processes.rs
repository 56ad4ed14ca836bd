//! The processes of stdio servers: what they get of ours, and how they end.

use crate::fake::shell_server;
use crate::gateway::{Gateway, Home, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A gateway that `sh` starts after `before`, with `home` as its data directory.
fn gateway_after(before: &str, home: Home) -> Gateway {
    let like = home.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}; exec \"$0\" serve --listen 127.0.0.1:0")]);
    command.arg(like.get_program()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Gateway::of(home, command)
}

/// The server in `sh`, after `before` has run in the same shell.
fn server(before: &str) -> Value {
    let mut server = shell_server();
    let script = server["args"][1].as_str().expect("a script").to_owned();
    server["args"][1] = format!("{before}\n{script}").into();
    server
}

/// As `/proc` shows it.
const O_CLOEXEC: u32 = 0o2_000_000;

fn written(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().filter(|text| text.ends_with("end\n"))
}

#[test]
fn a_server_gets_the_standard_streams_and_no_other_descriptor() {
    let home = Home::with(&json!({"mcpServers": {}}));
    let (first, second) = (home.root().join("first"), home.root().join("second"));
    // `ls` lists what the shell has, not what it has itself.
    let lists = |file: &Path| server(&format!("(ls /proc/$$/fd; echo end) > {}", file.display()));
    let mut servers = json!({"first": lists(&first)});
    home.write(&json!({"mcpServers": servers}));
    // A client that leaks a file of its own into us, too.
    let gateway = gateway_after("exec 7<>\"$HOME/leaked\"", home);
    gateway.wait_for("first", "connected");
    assert_eq!(written(&first).expect("a list"), "0\n1\n2\nend\n");

    // The second one starts while the store, the listener and the first one's pipes are open.
    let ours = || fs::read_dir(format!("/proc/{}/fd", gateway.pid())).expect("descriptors");
    eventually("the store is open", || {
        ours()
            .flatten()
            .find(|entry| entry.path().read_link().is_ok_and(|target| target.ends_with("data.mdb")))
    });
    servers["second"] = lists(&second);
    gateway.home.write(&json!({"mcpServers": servers}));
    gateway.wait_for("second", "connected");
    assert_eq!(written(&second).expect("a list"), "0\n1\n2\nend\n");

    // What the gateway opens is marked as well: a host of the library starts children of its own. (What the
    // test itself was given by whatever runs it is not.)
    let targets = |pid: &str| {
        let list = fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").flatten();
        list.filter_map(|entry| Some((entry.file_name(), entry.path().read_link().ok()?)))
    };
    let inherited: BTreeSet<_> = targets("self").map(|(_, target)| target).collect();
    let pid = gateway.pid().to_string();
    let unmarked = targets(&pid).filter(|(number, target)| {
        let number = number.to_string_lossy();
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
        let info = info.unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        !["0", "1", "2", "7"].contains(&&*number)
            && !inherited.contains(target)
            && flags.is_some_and(|flags| flags & O_CLOEXEC == 0)
    });
    assert_eq!(unmarked.collect::<Vec<_>>(), []);
    gateway.stop();
}

/// A server behind the shell script `outer`, which runs it with `eval "$SERVER"` and writes the pids of what it
/// starts to `$PIDS`, a file of this name.
fn behind(outer: &str, home: &Home, name: &str) -> (Value, PathBuf) {
    let pids = home.root().join(name);
    let script = shell_server()["args"][1].clone();
    let mut server = json!({"command": "sh", "args": ["-c", outer], "startup_timeout_sec": 600});
    server["env"] = json!({"SERVER": script, "PIDS": pids});
    (server, pids)
}

/// A server that answers the first question for its tools, says that they changed, and hangs in the second,
/// whatever becomes of its input.
const HANGS: &str = r#"
    echo $$ >> "$PIDS"
    answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
    while read -r line; do
        id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
        case "$line" in
        *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"sh","version":"1"}}' ;;
        *'"tools/list"'*)
            test -n "$listed" && { echo hangs > "$PIDS.hangs"; exec sleep 600; }
            listed=yes
            answer "$id" '{"tools":[{"name":"one","inputSchema":{"type":"object"}}]}'
            echo '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}' ;;
        *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
        esac
    done"#;

/// A helper that closes nothing and ends by a kill only.
const STUBBORN: &str = r#"(trap '' TERM; exec sleep 600) & echo $! >> "$PIDS""#;

/// Of these processes, those that live.
fn living(pids: &Path) -> Vec<String> {
    let pids = fs::read_to_string(pids).unwrap_or_default();
    let lives = |pid: &&str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map_or("X", |(_, rest)| rest);
        !state.starts_with(['Z', 'X'])
    };
    pids.split_whitespace().filter(lives).map(str::to_owned).collect()
}

/// The process that watches over this gateway's groups.
fn guardian(gateway: &Gateway) -> String {
    let home = gateway.home.data().into_os_string().into_encoded_bytes();
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let found = processes.filter(|entry| {
        let is_its = |file: &str, text: &[u8]| {
            let found = fs::read(entry.path().join(file)).unwrap_or_default();
            found.windows(text.len()).any(|part| part == text)
        };
        is_its("comm", b"mcp-guardian") && is_its("environ", &home)
    });
    let found: Vec<_> = found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.concat()
}

#[test]
fn nothing_of_a_server_outlives_a_gateway_that_is_asked_to_stop() {
    let home = Home::with(&json!({"mcpServers": {}}));
    let outer = [
        (
            "waits",
            r#"echo $$ >> "$PIDS"; sh -c 'echo $$ >> "$PIDS"; eval "$SERVER"; exec sleep 600'; :"#
                .to_owned(),
        ),
        ("deaf", r#"echo $$ >> "$PIDS"; trap '' TERM; eval "$SERVER"; sleep 600"#.to_owned()),
        (
            "wrapped",
            r#"sh -c 'echo $$ >> "$PIDS"; trap "" TERM; eval "$SERVER"; sleep 600'; :"#.to_owned(),
        ),
        ("helped", format!("{STUBBORN}; eval \"$SERVER\"")),
        ("hanging", HANGS.to_owned()),
    ];
    let servers = outer.map(|(name, outer)| (name, behind(&outer, &home, name)));
    let config = servers.iter().map(|(name, (server, _))| ((*name).to_owned(), server.clone()));
    home.write(&json!({"mcpServers": config.collect::<serde_json::Map<_, _>>()}));
    // A parent that ignores the ends of its children passes that on.
    let mut gateway = gateway_after("trap '' CHLD", home);
    for (name, _) in &servers {
        gateway.wait_for(name, "connected");
    }
    let hangs = gateway.home.root().join("hanging.hangs");
    eventually("it hangs", || hangs.exists().then_some(()));
    for (name, (_, pids)) in &servers {
        assert!(!living(pids).is_empty(), "{name}");
    }
    let guardian_pid = gateway.home.root().join("guardian");
    fs::write(&guardian_pid, guardian(&gateway)).expect("a file");
    gateway.signal("-TERM");
    let status = gateway.wait_for_end();
    assert_eq!(status.code(), Some(0));
    for (name, (_, pids)) in &servers {
        assert_eq!(living(pids), Vec::<String>::new(), "{name}");
    }
    assert_eq!(living(&guardian_pid), Vec::<String>::new());
}

#[test]
fn a_server_that_hangs_ends_when_it_is_disabled_or_removed() {
    let home = Home::with(&json!({"mcpServers": {}}));
    let [disabled, removed] = ["disabled", "removed"].map(|name| behind(HANGS, &home, name));
    let (mut off, pids) = disabled;
    home.write(&json!({"mcpServers": {"disabled": off, "removed": removed.0}}));
    let gateway = Gateway::start_in(home, &[], &[]);
    for name in ["disabled.hangs", "removed.hangs"] {
        let hangs = gateway.home.root().join(name);
        eventually("it hangs", || hangs.exists().then_some(()));
    }
    assert!(!living(&pids).is_empty() && !living(&removed.1).is_empty());
    off["enabled"] = false.into();
    gateway.home.write(&json!({"mcpServers": {"disabled": off}}));
    for pids in [&pids, &removed.1] {
        eventually("it is gone", || living(pids).is_empty().then_some(()));
    }
    gateway.stop();
}

#[test]
fn what_an_ended_server_left_is_gone_before_it_is_started_again() {
    let home = Home::with(&json!({"mcpServers": {}}));
    // Tells of what is left of earlier ones when it starts.
    let outer = format!(
        r#"for pid in $(cat "$PIDS"); do
            test -e /proc/$pid && ! grep -q ') [ZX]' /proc/$pid/stat && echo $pid >> "$PIDS.left"
        done
        echo $$ >> "$PIDS.started"
        {STUBBORN}
        trap '' TERM
        case "$MODE" in ends) eval "$SERVER" & sleep 0.3; exit 3 ;; esac
        echo $$ >> "$PIDS"
        eval "$SERVER"
        sleep 600"#
    );
    let (mut server, pids) = behind(&outer, &home, "server");
    server["env"]["MODE"] = "ends".into();
    home.write(&json!({"mcpServers": {"server": server}}));
    let gateway = Gateway::start_in(home, &[], &[]);
    let file = |ending: &str| gateway.home.root().join(format!("server.{ending}"));
    let started = |times: usize| {
        eventually(&format!("it is started {times} times"), || {
            let starts = fs::read_to_string(file("started")).unwrap_or_default();
            (starts.lines().count() >= times).then_some(())
        });
    };
    started(3);
    // Its entry changes, twice: there is always one of it at most.
    for mode in ["stays", "stays on"] {
        server["env"]["MODE"] = mode.into();
        let before = fs::read_to_string(file("started")).expect("starts").lines().count();
        gateway.home.write(&json!({"mcpServers": {"server": server}}));
        started(before + 1);
        gateway.wait_for("server", "connected");
    }
    assert!(!living(&pids).is_empty());
    assert_eq!(fs::read_to_string(file("left")).unwrap_or_default(), "");
    gateway.stop();
}

/// A wrapper that stays, a server that does not end by itself, and a helper that does not either.
fn stubborn(home: &Home) -> (Value, PathBuf) {
    let inner =
        r#"echo $$ >> "$PIDS"; trap '' TERM; eval "$SERVER"; echo > "$PIDS.eof"; sleep 600"#;
    let outer =
        format!(r#"echo $$ >> "$PIDS"; {STUBBORN}; sh -c '{}'; :"#, inner.replace('\'', "\"\""));
    behind(&outer, home, "server")
}

#[test]
fn a_second_signal_ends_the_gateway_and_kills_what_it_started() {
    let home = Home::with(&json!({"mcpServers": {}}));
    let (server, pids) = stubborn(&home);
    home.write(&json!({"mcpServers": {"server": server}}));
    let mut gateway = Gateway::start_in(home, &[], &[]);
    gateway.wait_for("server", "connected");
    assert_eq!(living(&pids).len(), 3);
    gateway.signal("-TERM");
    let eof = gateway.home.root().join("server.eof");
    eventually("its input ends", || eof.exists().then_some(()));
    gateway.signal("-TERM");
    let status = gateway.wait_for_end();
    assert_eq!(status.code(), Some(130));
    eventually("all of it is gone", || living(&pids).is_empty().then_some(()));
}

#[test]
fn a_killed_gateway_takes_what_it_started_with_it() {
    let home = Home::with(&json!({"mcpServers": {}}));
    let (server, pids) = stubborn(&home);
    home.write(&json!({"mcpServers": {"server": server, "missing": {"command": "/nonexistent"}}}));
    let mut gateway = Gateway::start_in(home, &[], &[]);
    gateway.wait_for("server", "connected");
    gateway.wait_for("missing", "parked");
    assert_eq!(living(&pids).len(), 3);
    let guardian_pid = gateway.home.root().join("guardian");
    fs::write(&guardian_pid, guardian(&gateway)).expect("a file");
    gateway.signal("-KILL");
    gateway.wait_for_end();
    eventually("all of it is gone", || living(&pids).is_empty().then_some(()));
    eventually("so is the guardian", || living(&guardian_pid).is_empty().then_some(()));
}

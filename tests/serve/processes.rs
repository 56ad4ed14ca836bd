//! The processes of stdio servers: what they get of ours, and how they end.

use crate::fake::shell_server;
use crate::gateway::{Gateway, Home, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

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
    std::fs::read_to_string(file).ok().filter(|text| text.ends_with("end\n"))
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
    let like = home.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec 7<>\"$HOME/leaked\"; exec \"$0\" serve --listen 127.0.0.1:0"]);
    command.arg(like.get_program()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let gateway = Gateway::of(home, command);
    gateway.wait_for("first", "connected");
    assert_eq!(written(&first).expect("a list"), "0\n1\n2\nend\n");

    // The second one starts while the store, the listener and the first one's pipes are open.
    let ours = || std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).expect("descriptors");
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
        let list = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").flatten();
        list.filter_map(|entry| Some((entry.file_name(), entry.path().read_link().ok()?)))
    };
    let inherited: BTreeSet<_> = targets("self").map(|(_, target)| target).collect();
    let pid = gateway.pid().to_string();
    let unmarked = targets(&pid).filter(|(number, target)| {
        let number = number.to_string_lossy();
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
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

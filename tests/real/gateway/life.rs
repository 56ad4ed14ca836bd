//! Servers that die, hang, come and go; the config while it is followed; the end in the middle of a call.

use super::host::{Gateway, children, command_line, config, entry, is_alive};
use super::tour::{CLIENTS, Target, through};
use super::upstreams::{EverythingHttp, plain, waiting};
use crate::parts::{Parts, Server, file};
use crate::session::{happens, signal};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn state(gateway: &Gateway, server: &str) -> String {
    gateway.server(server)["state"].as_str().unwrap_or("absent").to_owned()
}

fn becomes(gateway: &Gateway, server: &str, wanted: &str) {
    let is_so = happens(|| state(gateway, server) == wanted);
    assert!(is_so, "{server} is {}: {}", state(gateway, server), gateway.log());
}

/// The child of the gateway whose command line holds this.
fn child(gateway: &Gateway, holds: &str) -> u32 {
    let all = children(gateway.pid);
    let found = all.iter().find(|pid| command_line(**pid).contains(holds));
    *found.unwrap_or_else(|| panic!("no child {holds}: {all:?}"))
}

fn echo(parts: &Parts, gateway: &Gateway, tool: &str) -> Value {
    let step = through(tool, json!({ "message": "again" }));
    CLIENTS[0].play(parts, &gateway.home, &Target::Url(&gateway.mcp()), &[step]).remove(0)
}

#[test]
fn a_killed_server_comes_back_with_its_tools_and_a_restarted_one_behind_http_too() {
    let Some(parts) = Parts::find() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let everything = EverythingHttp::start(&parts);
    let mut gateway = Gateway::connected_to(&json!({
        "stdio": entry(&Server::Everything.command(&parts)),
        "http": { "url": everything.url },
        "plain": entry(&plain(&root.path().join("plain.log"))),
    }));
    let tools = gateway.get("/api/v1/status")["tool_count"].clone();
    let first = child(&gateway, "server-everything");
    signal("KILL", &first.to_string());
    // A connection that lasted a minute is made again at once, and nobody sees it wait.
    let is_another = |pid: &u32| *pid != first && command_line(*pid).contains("server-everything");
    let is_noticed =
        || state(&gateway, "stdio") == "waiting" || children(gateway.pid).iter().any(is_another);
    assert!(happens(is_noticed), "{}", gateway.log());
    assert_eq!(state(&gateway, "plain"), "connected", "the others are left alone");
    let told = echo(&parts, &gateway, "stdio:echo");
    let text = told["result"]["content"][0]["text"].as_str().unwrap_or_default();
    let came_back = text == "Echo: again";
    assert!(came_back || text.contains("not connected at the moment"), "{told}");
    becomes(&gateway, "stdio", "connected");
    assert_ne!(child(&gateway, "server-everything"), first);
    assert_eq!(gateway.get("/api/v1/status")["tool_count"], tools);
    let said = echo(&parts, &gateway, "stdio:echo");
    assert_eq!(said["result"]["content"][0]["text"], "Echo: again", "{said}");

    let port = everything.url.split([':', '/']).find_map(|part| part.parse().ok()).expect("a port");
    drop(everything);
    let _again = EverythingHttp::start_on(&parts, port);
    // Its sessions are gone with it; the call finds out, if nothing did before.
    let answers =
        || echo(&parts, &gateway, "http:echo")["result"]["content"][0]["text"] == "Echo: again";
    assert!(happens(answers), "{:?}: {}", gateway.server("http"), gateway.log());
    assert!(gateway.stop().success(), "{}", gateway.log());
}

#[test]
fn the_config_is_followed_while_the_gateway_runs() {
    let root = tempfile::tempdir().expect("a directory");
    let server = |log: &str| entry(&plain(&root.path().join(log)));
    let gateway = Gateway::connected_to(&json!({ "one": server("one.log") }));
    let one = child(&gateway, "one.log");
    let file = gateway.home.data_dir().join("mcp_config.json");
    let rewrite = |servers: Value| {
        let text = std::fs::read_to_string(&file).expect("the config");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["mcpServers"] = servers;
        std::fs::write(&file, config.to_string()).expect("write the config");
    };
    rewrite(json!({ "one": server("one.log"), "two": server("two.log") }));
    let began = Instant::now();
    becomes(&gateway, "two", "connected");
    assert!(began.elapsed() < Duration::from_secs(40), "it took {:?}", began.elapsed());
    assert_eq!(child(&gateway, "one.log"), one, "an entry that stayed the same keeps its process");

    // A config that cannot be read changes nothing; one without the server ends it.
    let good = std::fs::read_to_string(&file).expect("the config");
    std::fs::write(&file, "{").expect("break the config");
    assert!(happens(|| gateway.log().contains("stay as they are")), "{}", gateway.log());
    assert_eq!(state(&gateway, "two"), "connected");
    std::fs::write(&file, good).expect("repair the config");
    let two = child(&gateway, "two.log");
    rewrite(json!({ "one": server("one.log") }));
    becomes(&gateway, "two", "absent");
    assert!(happens(|| !is_alive(two)), "the process of a removed server is still there");
    assert_eq!(child(&gateway, "one.log"), one);
}

#[test]
fn a_hanging_server_and_a_missing_command_delay_nobody() {
    let Some(parts) = Parts::find() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let servers = json!({
        "hanging": { "command": "sleep", "args": ["600"] },
        "missing": { "command": "no-such-command-anywhere" },
        "plain": entry(&plain(&root.path().join("plain.log"))),
    });
    let home = crate::session::Home::with_config(&config(&servers));
    let mut gateway = Gateway::start(home, &[]);
    becomes(&gateway, "plain", "connected");
    becomes(&gateway, "missing", "parked");
    assert_eq!(state(&gateway, "hanging"), "connecting");
    let detail = gateway.server("missing")["detail"].clone();
    assert!(detail.as_str().is_some_and(|text| text.contains("no such command")), "{detail}");
    let began = Instant::now();
    let steps = [through("plain:fine", json!({})), json!(["tools"])];
    let outcomes = CLIENTS[0].play(&parts, &gateway.home, &Target::Url(&gateway.mcp()), &steps);
    assert_eq!(outcomes[0]["result"]["content"], json!([]), "{outcomes:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    let asleep = child(&gateway, "sleep 600");
    assert!(gateway.stop().success(), "{}", gateway.log());
    assert!(happens(|| !is_alive(asleep)), "the hanging server is still there");
}

/// The SDK gives the modern probe ten seconds; a server that is installed at its first start needs more.
#[test]
fn a_server_that_needs_longer_than_the_probe_waits_is_connected_all_the_same() {
    let root = tempfile::tempdir().expect("a directory");
    let script = "sleep 11; exec python3 -S \"$0\" \"$1\"";
    let log = root.path().join("plain.log");
    let plain = file("servers/plain.py");
    let slow =
        json!({ "command": "sh", "args": ["-c", script, plain, log], "startup_timeout_sec": 120 });
    let home = crate::session::Home::with_config(&config(&json!({ "slow": slow })));
    let gateway = Gateway::start(home, &[]);
    assert!(happens(|| !children(gateway.pid).is_empty()), "it is not started");
    let first = child(&gateway, "sleep 11");
    becomes(&gateway, "slow", "connected");
    assert_eq!(child(&gateway, "plain.py"), first, "its first process: {}", gateway.log());
}

#[test]
fn asked_to_stop_in_the_middle_of_a_call_it_answers_the_call_and_leaves_no_child() {
    let Some(parts) = Parts::find() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let mut gateway = Gateway::connected_to(&json!({
        "waiting": entry(&waiting(&parts, root.path())),
        "everything": entry(&Server::Everything.command(&parts)),
        "plain": entry(&plain(&root.path().join("plain.log"))),
    }));
    let before = children(gateway.pid);
    assert_eq!(before.len(), 3, "{before:?}");
    let call = |client: usize| {
        let name = CLIENTS[client].name;
        let arguments = json!({ "name": name, "steps": 4, "seconds": 0.5 });
        through("waiting:wait", arguments)
    };
    let url = gateway.mcp();
    let (told, pid) = (|client: usize| root.path().join(CLIENTS[client].name), gateway.pid);
    let answers: Vec<Value> = std::thread::scope(|scope| {
        // One client of each era.
        let sessions = [0, 6].map(|at| {
            let (home, target, parts) = (&gateway.home, Target::Url(&url), &parts);
            // Python's client asks for the tools after a call, unless it has: nobody would answer then.
            let steps = [json!(["tools"]), call(at)];
            scope.spawn(move || CLIENTS[at].play(parts, home, &target, &steps).remove(1))
        });
        assert!(happens(|| told(0).exists() && told(6).exists()), "the calls do not begin");
        signal("TERM", &pid.to_string());
        sessions.map(|session| session.join().expect("a session")).into()
    });
    for answer in answers {
        assert_eq!(answer["result"]["structuredContent"], json!({ "steps": 4 }), "{answer}");
    }
    let status = gateway.wait();
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    assert_eq!(before.iter().filter(|pid| is_alive(**pid)).count(), 0, "children are left");
}

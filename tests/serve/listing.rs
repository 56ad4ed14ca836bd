//! `mcpproxy upstream list` beside a running gateway: the code of each server, and when it is tried next.

use crate::diagnostics::{nobody, shell};
use crate::fake::shell_server;
use crate::gateway::Gateway;
use serde_json::{Value, json};

#[test]
fn the_list_says_the_code_of_each_server_and_when_it_is_tried_next() {
    let mut off = shell_server();
    off["enabled"] = false.into();
    let mut prints = shell_server();
    let script = prints["args"][1].as_str().expect("a script").to_owned();
    prints["args"][1] = format!("echo Server is starting\n{script}").into();
    let gateway = Gateway::start(&json!({"mcpServers": {
        "good": shell_server(),
        "off": off,
        "prints": prints,
        "missing": {"command": "no-such-program-here"},
        "both": {"command": "sh", "url": "http://127.0.0.1:9/"},
        "ends": shell("exit 3"),
        "refused": {"url": format!("http://{}/mcp", nobody())},
        "nameless": {"url": "http://no-such-host.invalid/mcp"},
    }}));
    let expected = [
        ("good", "connected", None),
        ("off", "disabled", None),
        ("prints", "connected", Some("MCPX_STDIO_STDOUT_POLLUTED")),
        ("missing", "parked", Some("MCPX_STDIO_NOT_FOUND")),
        ("both", "failed", Some("MCPX_CONFIG_INVALID_ENTRY")),
        ("ends", "waiting", Some("MCPX_STDIO_EXITED_EARLY")),
        ("refused", "waiting", Some("MCPX_HTTP_REFUSED")),
        ("nameless", "waiting", Some("MCPX_HTTP_DNS")),
    ];
    for (name, state, _) in expected {
        gateway.wait_for(name, state);
    }
    let asked = ["upstream", "list", "-o", "json", "--gateway", gateway.address.as_str()];
    let listed: Value = serde_json::from_str(&gateway.home.out(&asked)).expect("JSON");
    let table = gateway.home.out(&["upstream", "list", "--gateway", gateway.address.as_str()]);
    for (server, (name, state, code)) in
        listed["servers"].as_array().expect("servers").iter().zip(expected)
    {
        assert_eq!(server["name"], name);
        // Between two attempts that come soon after another, it may just be tried.
        let is_so = |it: &str| it == state || (state == "waiting" && it == "connecting");
        assert!(server["state"].as_str().is_some_and(is_so), "{server}");
        if server["state"] == state {
            assert_eq!(server["code"].as_str(), code, "{server}");
            assert_eq!(server["retry_at"].is_null(), state != "waiting", "{server}");
        }
        let line = table.lines().find(|line| line.starts_with(&format!("{name} "))).expect(name);
        let next = match state {
            "parked" => "when it changes",
            "failed" => "when its entry changes",
            "waiting" => "",
            _ => " -  ",
        };
        assert!(line.contains(next), "{line}");
    }
    assert!(table.contains("NEXT TRY") && !table.contains("uncategorized"), "{table}");
    assert!(!listed.to_string().contains("uncategorized"), "{listed}");
    // Without it, what the entries and the last look of a gateway show.
    let listed: Value =
        serde_json::from_str(&gateway.home.out(&["upstream", "list", "-o", "json"])).expect("JSON");
    let codes = listed["servers"].as_array().expect("servers").iter();
    let codes: Vec<Option<&str>> = codes.map(|server| server["code"].as_str()).collect();
    let known = [None, None, expected[2].2, expected[3].2, expected[4].2, None, None, None];
    assert_eq!(codes, known, "{listed}");
    assert!(!gateway.home.out(&["upstream", "list"]).contains("NEXT TRY"));
    // A gateway that is asked for and is not there is an error.
    let nobody = nobody();
    let gone = ["upstream", "list", "--gateway", nobody.as_str()];
    let output = gateway.home.command(&gone).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("no gateway answers at"), "{said}");
}

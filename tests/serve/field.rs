//! Servers and clients that do not keep to the protocol in one thing: the rest works, and the thing is named.

use crate::clients::{is_told_of_changes, over_http};
use crate::fake::Fake;
use crate::gateway::{Gateway, Home, PATIENCE, status_of};
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use rmcp::service::ClientLifecycleMode;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc;

/// A stdio server in `sh` that answers with files: `initialize`, `tools_list`, and for calls those of the tools'
/// names. In them `@ID@` is the id of the request. Methods that were asked for are in the file `asked`.
pub struct Files(tempfile::TempDir);

const SCRIPT: &str = r#"
    cd "$FILES"
    export LC_ALL=C
    while read -r line; do
        id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
        file=$(printf %s "$line" | sed -n 's/.*"method":"\([^"]*\)".*/\1/p' | tr / _)
        echo "$file" >>asked
        if [ "$file" = tools_call ]; then
            printf '%s\n' "$line" >>calls
            file=$(printf %s "$line" | sed -n 's/.*"name":"\([^"]*\)".*/\1/p')
        fi
        if [ -f "$file" ]; then
            sed "s/@ID@/$id/" "$file"
        elif [ -n "$id" ]; then
            printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id"
        fi
    done"#;

impl Files {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let this = Self(tempfile::tempdir().expect("a directory"));
        this.write("initialize", &result(&initialized(json!({"tools": {}}))));
        files.iter().for_each(|(name, bytes)| this.write(name, bytes));
        this
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let bytes = [bytes, b"\n"].concat();
        std::fs::write(self.0.path().join(name), bytes).expect("a file");
    }

    pub fn entry(&self) -> Value {
        json!({"command": "sh", "args": ["-c", SCRIPT], "env": {"FILES": self.0.path()}})
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap_or_default()
    }
}

pub fn initialized(capabilities: Value) -> String {
    let info = json!({"name": "files", "version": "1"});
    let result = json!({
        "protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info,
        "instructions": "Ask for a file first.",
    });
    result.to_string()
}

pub fn result(text: &str) -> Vec<u8> {
    format!(r#"{{"result":{text},"jsonrpc":"2.0","id":@ID@}}"#).into_bytes()
}

/// A list with a tool for each name.
pub fn tools<'n>(names: impl Iterator<Item = &'n str>) -> Vec<u8> {
    let tool = |name: &str| json!({"name": name, "description": "fits", "inputSchema": {}});
    result(&json!({"tools": names.map(tool).collect::<Vec<_>>()}).to_string())
}

/// A client that writes what it likes to a gateway of its own.
pub struct Raw {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    _home: Home,
}

impl Raw {
    pub fn start(config: &Value) -> Self {
        Self::speaking("2025-06-18", config)
    }

    /// One that asks for this version of the protocol.
    pub fn speaking(version: &str, config: &Value) -> Self {
        let home = Home::with(config);
        let mut command = home.command(&["serve", "--stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let input = child.stdin.take();
        let mut this = Self { child, input, lines, _home: home };
        let client = json!({"name": "zed", "version": "1"});
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
        this.ask(request(0, "initialize", params));
        this.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        this
    }

    pub fn send(&mut self, line: &[u8]) {
        let input = self.input.as_mut().expect("a pipe");
        input.write_all(&[line, b"\n"].concat()).expect("a reader");
    }

    /// The next line: nothing here waits for a time limit of a call, which is longer.
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("an answer in time")
    }

    #[track_caller]
    pub fn ask(&mut self, line: impl AsRef<[u8]>) -> String {
        self.send(line.as_ref());
        self.line()
    }

    #[track_caller]
    pub fn call(&mut self, name: &str) -> String {
        let order = json!({"name": "call_tool", "arguments": {"name": name, "arguments": {}}});
        self.ask(request(1, "tools/call", order))
    }

    pub fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().expect("an end").success());
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn request(id: u64, method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

#[test]
fn one_fault_costs_itself_and_is_named_in_status_list_and_log() {
    let page = r#"{"tools":[
        {"name":"open","inputSchema":true}, {"description":"no name"},
        {"name":"far","inputSchema":{"maximum":1e400}}, {"name":"good","inputSchema":{}}
    ],"nextCursor":"8"}"#
        .replace('\n', " ");
    let offered = json!({"tools": [], "prompts": {}, "resources": {}, "logging": true});
    let files = Files::new(&[
        ("initialize", &result(&initialized(offered))),
        ("tools_list", &result(&page)),
        ("resources_list", &result(r#"{"resources":[null,{"uri":"file:///a"}]}"#)),
        ("resources_templates_list", &result(r#"{"resourceTemplates":null}"#)),
    ]);
    let none = Files::new(&[("tools_list", &result(r#"{"tools":null}"#))]);
    let off = Files::new(&[("tools_list", &result(r#"{"tools":{"echo":{}}}"#))]);
    let config = json!({"mcpServers": {
        "files": files.entry(), "none": none.entry(), "off": off.entry(),
    }});
    let gateway = Gateway::start_in(Home::with(&config), &["--log-level", "warn"], &[]);
    let server = gateway.wait_for("files", "connected");
    assert_eq!(server["tool_count"], 2, "{server}");
    let faults: Vec<_> =
        server["faults"].as_array().expect("some").iter().filter_map(Value::as_str).collect();
    let expected = [
        "`tools`",
        "`logging`",
        "tool `open` (place 1): its input schema is a boolean",
        "the tool at place 2 is left out: it has no name",
        "tool `far` (place 3) is left out",
        "its prompts are left out",
        "the resource at place 1 is left out: it is null",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, words) in faults.iter().zip(expected) {
        assert!(fault.contains(words), "{words} is not in {fault}");
    }
    let none = gateway.wait_for("none", "connected");
    assert_eq!((&none["tool_count"], &none["faults"]), (&json!(0), &json!([])));
    let off = gateway.wait_for("off", "waiting");
    let detail = off["detail"].as_str().expect("a reason");
    assert!(detail.contains("tools/list is malformed"), "{detail}");
    // The cursor that was just sent ends the list.
    assert_eq!(files.read("asked").matches("tools_list").count(), 2);
    let listed: Value =
        serde_json::from_str(&gateway.home.out(&["upstream", "list", "-o", "json"])).expect("JSON");
    assert_eq!(listed["servers"][0]["faults"], server["faults"]);
    let listed = gateway.home.out(&["upstream", "list"]);
    assert!(listed.contains("fault: tool `far` (place 3) is left out"), "{listed}");
    let (_, log) = gateway.stop();
    assert!(log.contains("tool `far` (place 3) is left out"), "{log}");
    assert!(!log.contains("it ended"), "{log}");
}

/// What the tool answers, and what is left of it where the answer is read as values.
const STRANGE: &[(&str, &str)] = &[
    ("hologram", r#"{"content":[{"type":"hologram","x":1},{"type":"text"}],"x":{"k":[null]}}"#),
    (
        "audience",
        r#"{"content":[{"type":"text","text":"t","annotations":{"audience":["all"],"priority":7}}]}"#,
    ),
    (
        "numbers",
        r#"{"content":[],"structuredContent":{"a":12345678901234567890123,"b":1.0,"c":1E5,"d":0.10}}"#,
    ),
    (
        "flag",
        r#"{"content":[{"type":"image","data":"AAAA"}],"isError":"false","_meta":{"a":null}}"#,
    ),
    ("old", r#"{"toolResult":{"a":1},"content":null}"#),
    ("half", r#"{"content":[{"type":"text","text":"cut \ufffd"}]}"#),
];

fn strange() -> Files {
    let files = Files::new(&[("tools_list", &tools(STRANGE.iter().map(|(name, _)| *name)))]);
    STRANGE.iter().for_each(|(name, text)| files.write(name, &result(text)));
    files.write("half", &result(r#"{"content":[{"type":"text","text":"cut \ud83d"}]}"#));
    files
}

#[test]
fn a_client_gets_exactly_what_the_tool_answers() {
    let files = strange();
    let config = json!({"mcpServers": {"s": files.entry()}});
    let mut client = Raw::start(&config);
    for (name, text) in STRANGE {
        let answer = client.call(&format!("s:{name}"));
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#));
    }
    client.end();
    let gateway = Gateway::start(&config);
    gateway.wait_for("s", "connected");
    for (name, text) in STRANGE {
        let order = json!({"name": "call_tool", "arguments": {"name": format!("s:{name}")}});
        let answer = post(&gateway, "tools/call", order);
        let Some((all_but_the_end, _)) = text.rsplit_once('}') else { panic!("{text}") };
        let expected = format!(r#""result":{all_but_the_end},"resultType":"complete"}}"#);
        assert!(answer.contains(&expected), "{expected} is not in {answer}");
    }
}

/// What the gateway answers a client of the modern era.
fn post(gateway: &Gateway, method: &str, params: Value) -> String {
    let mut params = params;
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "zed", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    gateway.ask("POST", "/mcp", &headers(method, &name), &request(1, method, params)).1
}

fn headers<'h>(method: &'h str, name: &'h str) -> [(&'h str, &'h str); 5] {
    [
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", method),
        ("Mcp-Name", name),
    ]
}

#[test]
fn an_answer_that_cannot_be_read_ends_its_call_at_once() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    let long = format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "x".repeat(16 << 20));
    let answers: &[(&str, &[u8], &str)] = &[
        ("both", br#"{"id":@ID@,"result":{"content":[]},"error":null}"#, r#""content":[]"#),
        ("text", br#"{"id":@ID@,"error":"it broke"}"#, "it broke"),
        ("float", br#"{"id":@ID@,"error":{"code":-32000.0,"message":"m"}}"#, r#""code":-32000,"#),
        ("named", br#"{"id":@ID@,"error":{"code":"E","message":"m"}}"#, r#""code":"E""#),
        ("far", &result(r#"{"content":[],"x":1e400}"#), "number"),
        ("nan", &result(r#"{"content":[],"x":NaN}"#), "not valid JSON"),
        ("deep", &result(&deep), "deeper"),
        ("long", &result(&long), "bytes long, and at most 16 MiB are read"),
        ("latin", b"{\"id\":@ID@,\"result\":{\"x\":\"caf\xe9\"}}", "UTF-8"),
        ("null", &result("null"), "no object"),
        ("neither", br#"{"id":@ID@,"error":null}"#, "neither"),
    ];
    let files = Files::new(&[("tools_list", &tools(answers.iter().map(|(name, ..)| *name)))]);
    answers.iter().for_each(|(name, bytes, _)| files.write(name, bytes));
    let mut client = Raw::start(&json!({"mcpServers": {"s": files.entry()}}));
    for (name, _, words) in answers {
        let answer = client.call(&format!("s:{name}"));
        assert!(answer.contains(words), "{name}: {words} is not in {answer}");
    }
    client.end();
}

#[test]
fn a_client_hears_what_is_wrong_with_its_message() {
    let files = Files::new(&[
        ("tools_list", &tools(["echo"].into_iter())),
        ("echo", &result(r#"{"content":[]}"#)),
    ]);
    let config = json!({"mcpServers": {"s": files.entry()}});
    let mut client = Raw::start(&config);
    let order = |text: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"call_tool","arguments":{{"name":"s:echo","arguments":{{"x":{text}}}}}}}}}"#
        )
    };
    for (line, code, has_id) in [
        ("hello".to_owned(), -32700, false),
        (order("NaN"), -32700, true),
        (order("1e400"), -32600, true),
        ("[1]".to_owned(), -32600, false),
    ] {
        let answer: Value = serde_json::from_str(&client.ask(&line)).expect("JSON");
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert_eq!(answer.get("id").is_some_and(|id| *id == 7), has_id, "{answer}");
    }
    assert!(client.ask(order(r#""\ud83d""#)).contains(r#""content":[]"#));
    assert!(files.read("calls").contains("\u{fffd}"), "the server gets what could be read");
    client.end();
    let gateway = Gateway::start(&json!({}));
    let (head, body) =
        gateway.raw("POST", "/mcp", &headers("tools/call", "call_tool"), &order("1e400"));
    assert_eq!(status_of(&head), 400, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32700)));
}

#[test]
fn nothing_that_a_server_says_of_a_tool_is_lost() {
    let tool = json!({
        "name": "draw", "title": "Draw", "description": "Draw a picture", "inputSchema": {"type": "object"},
        "icons": [{"src": "https://example.com/i.png"}], "execution": {"taskSupport": "required"},
        "annotations": {"readOnlyHint": true, "mood": "calm"},
        "_meta": {"ui": {"resourceUri": "ui://draw"}}, "x-of-its-own": [1],
    });
    let files = Files::new(&[("tools_list", &result(&json!({"tools": [tool]}).to_string()))]);
    let mut client = Raw::start(&json!({"mcpServers": {"s": files.entry()}}));
    let order = json!({"name": "retrieve_tools", "arguments": {"query": "draw a picture"}});
    let answer: Value =
        serde_json::from_str(&client.ask(request(1, "tools/call", order))).expect("JSON");
    let answer = &answer["result"]["structuredContent"];
    let found = &answer["tools"][0];
    for (key, value) in tool.as_object().expect("one").iter().filter(|(key, _)| *key != "name") {
        assert_eq!(found[key], *value, "{key}");
    }
    assert_eq!(found["name"], "s:draw");
    assert!(found["note"].as_str().is_some_and(|note| note.contains("task")), "{found}");
    assert_eq!(answer["instructions"], json!({"s": "Ask for a file first."}));
    client.end();
}

/// A server over HTTP whose `tools/call` answers with the body that the tool's name asks for.
async fn http_server() -> String {
    async fn answer(body: Bytes) -> Response {
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        let id = &asked["id"];
        let with = |kind: &str, body: Vec<u8>| {
            Response::builder().header(CONTENT_TYPE, kind).body(body.into()).expect("one")
        };
        let ok = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        let json = |text: String| with("application/json", text.into_bytes());
        let called = asked["params"]["name"].as_str().unwrap_or_default();
        match (asked["method"].as_str().unwrap_or_default(), called) {
            ("initialize", _) => json(ok(&initialized(json!({"tools": true})))),
            ("tools/list", _) => {
                let tools = tools(["half", "event", "far", "latin", "empty", "pretty"].into_iter());
                json(String::from_utf8(tools).expect("text").replace("@ID@", &id.to_string()))
            }
            (_, "half") => json(ok(r#"{"content":[{"type":"text","text":"\udc00 cut"}]}"#)),
            (_, "event") => {
                let text = ok(r#"{"content":[{"type":"hologram","x":"\ud83d"}],"n":1E5}"#);
                with("text/event-stream", format!("data: {text}\n\n").into_bytes())
            }
            (_, "far") => {
                let text = ok(r#"{"content":[],"x":1e400}"#);
                with("text/event-stream", format!("event: message\ndata: {text}\n\n").into_bytes())
            }
            (_, "latin") => with("application/json", b"{\"result\":\"caf\xe9\"}".to_vec()),
            (_, "empty") => json(String::new()),
            (_, "pretty") => json(ok("{\n  \"content\": []\n}")),
            _ if id.is_null() => with("text/plain", Vec::new()),
            _ => json(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#
            )),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let router = axum::Router::new().route("/mcp", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_it_is_the_same() {
    let url = http_server().await;
    let asked = tokio::task::spawn_blocking(move || {
        let mut client = Raw::start(&json!({"mcpServers": {"s": {"url": url}}}));
        for (name, words) in [
            ("half", r#""text":"\ufffd cut""#),
            ("event", r#"{"content":[{"type":"hologram","x":"\ufffd"}],"n":1E5}"#),
            ("far", "number"),
            ("latin", "cannot be read"),
            ("empty", "it is empty"),
            ("pretty", r#""content":[]"#),
        ] {
            let answer = client.call(&format!("s:{name}"));
            assert!(answer.contains(words), "{name}: {words} is not in {answer}");
        }
        client.end();
    });
    asked.await.expect("all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_tools_is_no_change_of_resources() {
    let (fake, other) = (Fake::default(), Fake::default());
    let servers = json!({"fake": {"url": fake.serve().await}});
    let gateway = Gateway::start(&json!({"mcpServers": servers}));
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", ClientLifecycleMode::Initialize).await;
    fake.grow("teleport").await;
    crate::gateway::eventually("it has one tool more", || {
        (gateway.status()["tool_count"] == 8).then_some(())
    });
    let mut servers = servers;
    servers["other"] = json!({"url": other.serve().await});
    gateway.home.write(&json!({"mcpServers": servers}));
    // What is told next is the first that is told.
    is_told_of_changes(&session).await;
    assert_eq!(*session.service().changes.lock().unwrap(), 1);
}

/// As JavaScript leaves a history that it cut: valid for the program whose file it is.
#[test]
fn half_a_surrogate_pair_in_a_config_is_carried_through() {
    let home = Home::with(&json!({}));
    let text = r#"{"note":"\ud83d","mcpServers":{"a":{"command":"x","env":{"K":"\udc00"}}}}"#;
    std::fs::write(home.config(), text).expect("a config");
    assert!(home.out(&["upstream", "list"]).contains('x'));
    home.out(&["upstream", "add", "b", "--", "y"]);
    let after = std::fs::read_to_string(home.config()).expect("a config");
    assert!(after.contains(r#""note":"\ud83d""#) && after.contains(r#""K":"\udc00""#), "{after}");
    let of_claude = home.root().join(".claude.json");
    let nested = "[".repeat(100) + &"]".repeat(100);
    let history = format!(r#"{{"history":["half \ud83d",1e400,{nested}],"mcpServers":{{}}}}"#);
    std::fs::write(&of_claude, &history).expect("a file");
    home.out(&["connect", "claude-code"]);
    let after = std::fs::read_to_string(&of_claude).expect("a file");
    let (kept, _) = history.split_once(r#""mcpServers""#).expect("both parts");
    assert!(after.starts_with(kept) && after.contains("mcpproxy"), "{after}");
    assert!(Path::new(&of_claude).exists());
}

//! One session of a real client: what it does, and what must come of it.

use super::upstreams::EVERYTHING_TEXT;
use crate::parts::{Parts, file};
use crate::session::{Home, run};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;

/// A client that can play a tour.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// By which it introduces itself.
    pub name: &'static str,
    /// `tour.cjs` or `tour.py`.
    script: &'static str,
    /// As that script has it.
    sdk: &'static str,
    /// As that script has it.
    mode: &'static str,
}

const fn client(
    name: &'static str,
    script: &'static str,
    sdk: &'static str,
    mode: &'static str,
) -> Client {
    Client { name, script, sdk, mode }
}

/// Both TypeScript SDKs, the Python SDK and FastMCP's client, in every era they speak.
pub const CLIENTS: &[Client] = &[
    client("typescript-1", "tour.cjs", "1", "\"legacy\""),
    client("typescript-2-legacy", "tour.cjs", "2", "\"legacy\""),
    client("typescript-2-auto", "tour.cjs", "2", "\"auto\""),
    client("typescript-2-modern", "tour.cjs", "2", r#"{"pin": "2026-07-28"}"#),
    client("python-legacy", "tour.py", "\"mcp\"", "\"legacy\""),
    client("python-auto", "tour.py", "\"mcp\"", "\"auto\""),
    client("python-modern", "tour.py", "\"mcp\"", "\"2026-07-28\""),
    client("fastmcp-legacy", "tour.py", "\"fastmcp\"", "\"legacy\""),
    client("fastmcp-auto", "tour.py", "\"fastmcp\"", "\"auto\""),
];

/// What a client is told to talk to.
pub enum Target<'a> {
    /// An address.
    Url(&'a str),
    /// A command that it starts.
    Command(&'a [OsString]),
}

impl Client {
    /// The same client under another name.
    pub fn named(&self, name: &'static str) -> Client {
        Client { name, ..*self }
    }

    /// Whether it speaks the modern era to whoever does.
    pub fn is_modern(&self) -> bool {
        self.mode != "\"legacy\""
    }

    /// Plays these steps and returns what came of each.
    pub fn play(
        &self,
        parts: &Parts,
        home: &Home,
        target: &Target<'_>,
        steps: &[Value],
    ) -> Vec<Value> {
        let literal = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let mut session = json!({
            "name": self.name, "sdk": literal(self.sdk), "mode": literal(self.mode), "steps": steps,
        });
        match target {
            Target::Url(url) => session["url"] = json!(url),
            Target::Command(command) => {
                let words = command.iter().map(|word| word.to_str().expect("UTF-8"));
                session["command"] = words.collect();
            }
        }
        let program = match self.script {
            "tour.cjs" => "node".into(),
            _ => parts.python().into_os_string(),
        };
        let script = file("clients").join(self.script).into();
        let command = [program, script, session.to_string().into()];
        let ended = run(home.shell(&[], &command).env("NODE_PATH", parts.node_modules()));
        assert!(ended.status.success(), "{}: {}", self.name, ended.stderr);
        let outcomes: Vec<Value> = serde_json::from_str(&ended.stdout).expect("a list of outcomes");
        assert_eq!(outcomes.len(), steps.len(), "{}", self.name);
        outcomes
    }
}

/// A call of an upstream tool through the gateway.
pub fn through(tool: &str, arguments: Value) -> Value {
    json!(["call", "call_tool", { "name": tool, "arguments": arguments }])
}

/// The same with options of the client.
pub fn through_with(tool: &str, arguments: Value, options: Value) -> Value {
    let mut call = through(tool, arguments);
    call.as_array_mut().expect("a list").push(options);
    call
}

/// How many calls of [`full`] go to a tool of an upstream server.
pub const UPSTREAM_CALLS: u64 = 7;

/// Everything a client does with a gateway in front of `everything` and `plain`.
pub fn full() -> Vec<Value> {
    let prompt = "everything:completable-prompt";
    let template = "mcpproxy://everything/demo://resource/dynamic/text/{resourceId}";
    vec![
        json!(["settle"]),
        json!(["tools"]),
        json!(["call", "retrieve_tools", { "query": "echo a message", "limit": 3 }]),
        through("everything:echo", json!({ "message": "hello \u{2028}\u{1f980}" })),
        through("everything:get-structured-content", json!({ "location": "Chicago" })),
        through("everything:get-tiny-image", json!({})),
        through("everything:echo", json!({})),
        through("plain:refuse", json!({})),
        through("nobody:home", json!({})),
        through_with(
            "everything:trigger-long-running-operation",
            json!({ "duration": 0.4, "steps": 4 }),
            json!({ "progress": true }),
        ),
        through_with("plain:wait", json!({}), json!({ "cancel": 300 })),
        json!(["call", "telemetry_status", {}]),
        json!(["call", "nonsense", {}]),
        json!(["prompts"]),
        json!(["prompt", "everything:args-prompt", { "city": "Oslo" }]),
        json!(["prompt", "everything:args-prompt", {}]),
        json!(["resources"]),
        json!(["templates"]),
        json!(["read", EVERYTHING_TEXT]),
        json!(["read", "mcpproxy://everything/demo://resource/dynamic/text/7"]),
        json!(["read", "mcpproxy://nobody/x"]),
        json!(["complete", { "type": "ref/prompt", "name": prompt }, { "name": "department", "value": "E" }]),
        json!(["complete", { "type": "ref/resource", "uri": template }, { "name": "resourceId", "value": "7" }]),
    ]
}

/// Checks what came of [`full`].
pub fn check_full(client: &Client, outcomes: &[Value]) {
    let who = client.name;
    let mut outcomes = outcomes.iter().skip(1);
    let mut next = || outcomes.next().expect("an outcome");

    assert_eq!(
        names(&next()["result"]["tools"]),
        ["retrieve_tools", "call_tool", "telemetry_status"],
        "{who}"
    );
    let found = &next()["result"]["structuredContent"];
    let found_tools = found["tools"].as_array().map_or(0, Vec::len);
    assert!((1..=3).contains(&found_tools), "{who}: {found}");
    assert!(found["total_indexed_tools"].as_u64() > Some(3), "{who}: {found}");

    let echo = next();
    assert_eq!(
        echo["result"]["content"],
        json!([{ "type": "text", "text": "Echo: hello \u{2028}\u{1f980}" }]),
        "{who}"
    );
    let weather = &next()["result"]["structuredContent"];
    let expected =
        json!({ "temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82 });
    assert_eq!(weather, &expected, "{who}");
    let image = &next()["result"]["content"][1];
    assert_eq!(
        (&image["type"], &image["mimeType"]),
        (&json!("image"), &json!("image/png")),
        "{who}"
    );
    let failed = next();
    assert_eq!(failed["result"]["isError"], true, "{who}: {failed}");
    let refused = &next()["error"];
    assert_eq!(refused["code"], -32042, "{who}: {refused}");
    assert_eq!(refused["data"], json!({ "at": "12:00", "why": [null, 1.5] }), "{who}: {refused}");
    assert!(
        refused["message"].as_str().is_some_and(|text| text.ends_with("not before noon")),
        "{who}: {refused}"
    );
    let missing = &next()["result"];
    assert_eq!(missing["isError"], true, "{who}: {missing}");
    assert!(
        missing["content"][0]["text"].as_str().is_some_and(|text| text.contains("retrieve_tools")),
        "{who}: {missing}"
    );

    let progress: Vec<[f64; 2]> =
        serde_json::from_value(next()["progress"].clone()).expect("pairs");
    let steps = [[1.0, 4.0], [2.0, 4.0], [3.0, 4.0], [4.0, 4.0]];
    // The server sends its last step together with the result. The TypeScript SDKs forget a request's
    // progress handler before they get to a notification that came in the same read as its result.
    let may_lose = usize::from(client.script.ends_with(".cjs"));
    assert!(
        steps.starts_with(&progress) && progress.len() >= steps.len() - may_lose,
        "{who}: {progress:?}"
    );
    assert_eq!(next()["cancelled"], true, "{who}");
    let telemetry = &next()["result"]["structuredContent"];
    assert!(telemetry["effective"].is_string(), "{who}: {telemetry}");
    assert_eq!(next()["error"]["code"], -32602, "{who}");

    let prompts = names(&next()["result"]["prompts"]);
    assert!(prompts.contains(&"everything:args-prompt".to_owned()), "{who}: {prompts:?}");
    let prompt = next();
    assert_eq!(
        prompt["result"]["messages"][0]["content"]["text"], "What's weather in Oslo?",
        "{who}"
    );
    assert_eq!(next()["error"]["code"], -32602, "{who}: the server's own refusal");
    let resources = members(&next()["result"]["resources"], "uri");
    assert!(resources.contains(&EVERYTHING_TEXT.to_owned()), "{who}: {resources:?}");
    let templates = members(&next()["result"]["resourceTemplates"], "uriTemplate");
    assert!(templates.iter().all(|uri| uri.starts_with("mcpproxy://")), "{who}: {templates:?}");
    for expected in [EVERYTHING_TEXT, "mcpproxy://everything/demo://resource/dynamic/text/7"] {
        let contents = &next()["result"]["contents"][0];
        assert_eq!(contents["uri"], expected, "{who}");
        assert!(contents["text"].as_str().is_some_and(|text| !text.is_empty()), "{who}");
    }
    // The two eras have different codes for it; the second TypeScript SDK shows the modern one in both.
    let code = if client.is_modern() || client.sdk == "2" { -32602 } else { -32002 };
    assert_eq!(next()["error"]["code"], code, "{who}");
    assert_eq!(next()["result"]["completion"]["values"], json!(["Engineering"]), "{who}");
    assert_eq!(next()["result"]["completion"]["values"], json!(["7"]), "{who}");
}

fn names(list: &Value) -> Vec<String> {
    members(list, "name")
}

fn members(list: &Value, member: &str) -> Vec<String> {
    let all = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    all.iter().map(|item| item[member].as_str().expect("text").to_owned()).collect()
}

/// A call of the modern server `waiting` that is cancelled, and what the server says of it in `directory`.
pub fn cancel_a_modern_call(
    client: &Client,
    parts: &Parts,
    home: &Home,
    target: &Target<'_>,
    directory: &Path,
) {
    let waiting = json!({ "name": client.name, "steps": 600, "seconds": 0.1 });
    let step = through_with("waiting:wait", waiting, json!({ "cancel": 600, "progress": true }));
    let outcome = client.play(parts, home, target, &[step]).remove(0);
    assert_eq!(outcome["cancelled"], true, "{}", client.name);
    let told = || {
        let told = std::fs::read_to_string(directory.join(client.name));
        told.is_ok_and(|text| text == "cancelled")
    };
    assert!(crate::session::happens(told), "{}: the server did not hear of it", client.name);
}

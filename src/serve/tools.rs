//! The gateway's own tools: what clients are told of them, how their arguments are read, what they answer.
//!
//! One rule: a mistake of the caller is answered in words that a model can act on.

use super::brief;
use super::catalog::{Catalog, Found};
use crate::contract::BuiltinTool;
use crate::diagnostics::Code;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// Tools that `retrieve_tools` answers with unless it is told how many.
const USUAL_LIMIT: usize = 10;
/// The most it answers with.
const LARGEST_LIMIT: usize = 100;

/// Said while not all servers are searched.
const STARTING: &str =
    "Some servers are still being connected and were not searched; ask again in a few seconds.";

/// The tools, as `tools/list` shows them. Made once: the SDK looks one up for every call over HTTP.
pub fn definitions() -> &'static [Tool] {
    static DEFINITIONS: LazyLock<Vec<Tool>> =
        LazyLock::new(|| BuiltinTool::ALL.iter().map(|tool| definition(*tool)).collect());
    &DEFINITIONS
}

/// The tool of that name.
pub fn named(name: &str) -> Option<BuiltinTool> {
    BuiltinTool::ALL.iter().copied().find(|tool| tool.as_str() == name)
}

fn definition(tool: BuiltinTool) -> Tool {
    let (about, schema, annotations) = match tool {
        BuiltinTool::RetrieveTools => retrieve_tools(),
        BuiltinTool::CallTool => call_tool(),
        BuiltinTool::TelemetryStatus => telemetry_status(),
    };
    Tool::new(tool.as_str(), about, object(schema)).with_annotations(annotations)
}

type Definition = (&'static str, Value, ToolAnnotations);

fn retrieve_tools() -> Definition {
    let schema = json!({
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "description": "What the tool should do, in a few words: what is done, to what, and in which product if \
                                that is known, such as \"create an issue in GitHub\" or \"read a file\"."
            },
            "limit": {
                "type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": USUAL_LIMIT,
                "description": "How many tools to return at most."
            }
        },
        "required": ["query"]
    });
    let about = "Find tools by what they do. Searches all tools of all connected MCP servers and returns the best \
                 matches, each with its full name (`server:tool`), description and input schema. Call this first, \
                 then run the tool you chose with `call_tool`. If none fits, ask again in other words.";
    let annotations = ToolAnnotations::with_title("Find tools").read_only(true).open_world(false);
    (about, schema, annotations)
}

fn call_tool() -> Definition {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "description": "The full name of the tool, `server:tool`, as `retrieve_tools` returned it."
            },
            "arguments": {
                "type": "object", "additionalProperties": true,
                "description": "The tool's arguments, as its input schema asks for."
            }
        },
        "required": ["name"]
    });
    let about = "Run a tool of a connected MCP server, found with `retrieve_tools`. Answers with exactly what the \
                 tool answers.";
    (about, schema, ToolAnnotations::with_title("Run a tool"))
}

fn telemetry_status() -> Definition {
    let about = "Show whether this gateway's anonymous telemetry is on, which rule decided, what it has counted on \
                 this machine, and how to switch it off. Reads only.";
    let annotations =
        ToolAnnotations::with_title("Telemetry status").read_only(true).open_world(false);
    (about, json!({"type": "object", "properties": {}}), annotations)
}

fn object(value: Value) -> Arc<JsonObject> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}

/// What `retrieve_tools` is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// What is searched for.
    pub query: String,
    /// How many tools at most.
    pub limit: usize,
}

impl Question {
    /// Reads the arguments; the error says what is wrong.
    pub fn read(arguments: Option<&JsonObject>) -> Result<Self, Mistake> {
        let query = text(arguments, "query", "what the tool should do, in a few words")?;
        let limit = match arguments.and_then(|arguments| arguments.get("limit")) {
            None | Some(Value::Null) => USUAL_LIMIT,
            // Models write whole numbers as 5.0, and numbers as text.
            Some(limit) => whole(limit)
                .filter(|limit| (1..=LARGEST_LIMIT).contains(limit))
                .ok_or(Mistake::Limit)?,
        };
        Ok(Self { query, limit })
    }
}

fn whole(value: &Value) -> Option<usize> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    (number.fract() == 0.0 && (0.0..=1e9).contains(&number)).then_some(number as usize)
}

/// What `call_tool` is asked.
#[derive(Debug, PartialEq)]
pub struct Order {
    /// `server:tool`
    pub name: String,
    /// Handed on as they are.
    pub arguments: Option<JsonObject>,
}

impl Order {
    /// Reads the arguments; the error says what is wrong.
    pub fn read(arguments: Option<&JsonObject>) -> Result<Self, Mistake> {
        let name = text(arguments, "name", "the full name of a tool, `server:tool`")?;
        let arguments = match arguments.and_then(|arguments| arguments.get("arguments")) {
            None | Some(Value::Null) => None,
            Some(Value::Object(arguments)) => Some(arguments.clone()),
            // Some models write the object as text.
            Some(Value::String(text)) => {
                Some(serde_json::from_str(text).map_err(|_| Mistake::Arguments)?)
            }
            Some(_) => return Err(Mistake::Arguments),
        };
        Ok(Self { name, arguments })
    }
}

/// What is wrong with the arguments of a tool of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// This one is missing; what it means.
    Missing(&'static str, &'static str),
    /// This one is no text; what it means.
    NoText(&'static str, &'static str),
    /// `limit` is no number, or out of bounds.
    Limit,
    /// `arguments` is no object.
    Arguments,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key, meaning) => write!(f, "`{key}` is missing: {meaning}"),
            Self::NoText(key, meaning) => write!(f, "`{key}` must be text: {meaning}"),
            Self::Limit => write!(f, "`limit` must be a whole number from 1 to {LARGEST_LIMIT}"),
            Self::Arguments => {
                f.write_str("`arguments` must be an object: the arguments of the tool")
            }
        }
    }
}

fn text(
    arguments: Option<&JsonObject>,
    key: &'static str,
    meaning: &'static str,
) -> Result<String, Mistake> {
    match arguments.and_then(|arguments| arguments.get(key)) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Mistake::NoText(key, meaning)),
        None => Err(Mistake::Missing(key, meaning)),
    }
}

/// Servers that were not searched.
#[derive(Debug, Default)]
pub struct Missing {
    /// Whether some were not connected yet.
    pub is_starting: bool,
    /// Those that are not connected: the name of each, the code and why.
    pub offline: Vec<(Arc<str>, Code, String)>,
}

/// Servers that are named with their reason.
const MOST_NAMED: usize = 5;
/// Characters of a reason.
const LONGEST_REASON: usize = 300;

impl Missing {
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        if self.is_starting {
            notes.push(STARTING.into());
        }
        if !self.offline.is_empty() {
            let named = self.offline.iter().take(MOST_NAMED).map(|(name, code, why)| {
                let why: String = why.chars().take(LONGEST_REASON).collect();
                format!("`{name}` ({}: {why})", code.as_str())
            });
            let named: Vec<String> = named.collect();
            let more = match self.offline.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            notes.push(format!(
                "Not searched, because they are not connected: {}{more}.",
                named.join(", ")
            ));
        }
        notes
    }
}

/// The answer of `retrieve_tools`.
pub fn answer(
    question: &Question,
    catalog: &Catalog,
    found: &[Found<'_>],
    missing: &Missing,
) -> CallToolResult {
    let mut answer = Map::new();
    let (tools, no_room) = brief::tools(found.iter().map(described));
    answer.insert("tools".into(), tools.into());
    answer.insert("query".into(), question.query.as_str().into());
    answer.insert("total".into(), found.len().into());
    answer.insert("total_indexed_tools".into(), catalog.tool_count().into());
    let of_found = |(server, _): &(&str, &str)| found.iter().any(|found| found.server == *server);
    let said = catalog.instructions().filter(of_found);
    let said: Map<String, Value> = said.map(|(server, it)| (server.into(), it.into())).collect();
    if !said.is_empty() {
        answer.insert("instructions".into(), said.into());
    }
    let notes: Vec<String> = missing.notes().into_iter().chain(no_room).collect();
    if !notes.is_empty() {
        answer.insert("note".into(), notes.join(" ").into());
    }
    structured(Value::Object(answer))
}

/// One tool, as a model needs it to call it: all that its server says of it, under its full name.
fn described(found: &Found<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("name".into(), found.full_name.into());
    out.insert("server".into(), found.server.into());
    let members = found.tool.members();
    let needs_task = members.get("execution").is_some_and(|it| it["taskSupport"] == "required");
    out.extend(members.into_iter().filter(|(key, _)| !OURS.contains(&key.as_str())));
    if needs_task {
        out.insert("note".into(), NEEDS_TASK.into());
    }
    out.insert("score".into(), f64::from(found.score).into());
    out
}

/// Members of a tool in an answer that are not its server's.
const OURS: [&str; 3] = ["name", "server", "score"];
/// The mark of a tool that only runs as a task.
const NEEDS_TASK: &str =
    "This tool runs only as a task, and `call_tool` starts no tasks: its server will refuse.";

/// A result as structured content and, for clients that do not know it, as text.
pub fn structured(value: Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    result
}

/// A mistake or a failure that the model that called should read.
pub fn refusal(words: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(words)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(value: Value) -> Result<Question, Mistake> {
        Question::read(value.as_object())
    }

    #[test]
    fn a_limit_is_a_whole_number_however_a_model_writes_it() {
        for (limit, expected) in [
            (json!(5), 5),
            (json!(5.0), 5),
            (json!("5"), 5),
            (json!(null), USUAL_LIMIT),
            (json!(100), 100),
        ] {
            let asked = question(json!({"query": "x", "limit": limit})).unwrap();
            assert_eq!(asked.limit, expected);
        }
        for limit in
            [json!(0), json!(-1), json!(101), json!(1.5), json!("many"), json!([]), json!(1e300)]
        {
            let refused = question(json!({"query": "x", "limit": limit})).unwrap_err().to_string();
            assert!(refused.contains("from 1 to 100"), "{refused}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert!(question(json!({})).unwrap_err().to_string().contains("`query` is missing"));
        assert!(
            question(json!({"query": 1})).unwrap_err().to_string().contains("`query` must be text")
        );
        assert!(Question::read(None).is_err());
        let order = |value: Value| Order::read(value.as_object());
        assert!(
            order(json!({"arguments": {}})).unwrap_err().to_string().contains("`name` is missing")
        );
        assert!(
            order(json!({"name": "a:b", "arguments": [1]}))
                .unwrap_err()
                .to_string()
                .contains("object")
        );
        assert!(
            order(json!({"name": "a:b", "arguments": "no"}))
                .unwrap_err()
                .to_string()
                .contains("object")
        );
    }

    #[test]
    fn arguments_are_handed_on_as_they_are() {
        let arguments = json!({"b": 1, "a": {"deep": [null, 1.5, "\u{2028}"]}});
        for given in [arguments.clone(), Value::String(arguments.to_string())] {
            let order =
                Order::read(json!({"name": "a:b", "arguments": given}).as_object()).unwrap();
            assert_eq!(order.arguments.as_ref(), arguments.as_object());
        }
        let none = Order::read(json!({"name": "a:b"}).as_object()).unwrap();
        assert_eq!(none.arguments, None);
    }
}

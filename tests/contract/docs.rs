//! `docs/payload.md` is generated from the contract and never edited by hand.

use crate::payloads::maximal;
use mcpproxy::contract::table::{Member, Node, Text};
use mcpproxy::contract::{self, MAX_PAYLOAD_BYTES, SCHEMA_VERSION, tables};
use serde_json::Value;
use std::fmt::Write as _;

#[cfg(any(feature = "cli", feature = "serve"))]
mod diagnostics;
mod telemetry;

const COMMAND: &str = "MCPPROXY_REGENERATE=1 cargo test --test contract docs";

#[test]
fn docs_have_every_field_as_the_schema_describes_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/payload.md");
    let page = page();
    if std::env::var_os("MCPPROXY_REGENERATE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, page).unwrap();
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == page,
        "docs/payload.md differs from the schema; make it again with: {COMMAND}"
    );
}

fn page() -> String {
    let mut page = format!(
        "<!-- Generated from src/contract/heartbeat-v4.json. Do not edit; run: {COMMAND} -->\n\n\
         # What a heartbeat holds\n\n\
         Once a UTC day at most, twice on its first one, an install with telemetry on sends a heartbeat: one JSON object of at\n\
         most {} KiB. This\n\
         page lists everything it can hold. The contract is *closed*: code that encodes a field which is not listed\n\
         here does not compile, and a gate checks the finished bytes again before they are sent. Every string is one of\n\
         a fixed list or has one of the shapes [below](#shapes-of-strings). Two names are chosen elsewhere: an MCP client\n\
         says what it is called, and the maintainer of a product gives it its name and version. Paths, addresses, names of\n\
         servers and tools, queries, arguments and results have no place.\n\n\
         - See what would be sent from your machine: `mcpproxy telemetry show-payload`\n\
         - Print the schema this page is made from: `mcpproxy telemetry schema`\n\
         - Check payloads against it: `mcpproxy telemetry verify FILE...`\n\
         - Send nothing: `mcpproxy telemetry disable`, or set `DO_NOT_TRACK=1`\n\n\
         ## Fields\n\n\
         A field marked * is in every heartbeat; the others are left out where the sending program does not know them.\n\n",
        MAX_PAYLOAD_BYTES / 1024
    );
    let Node::Object(members) = &tables::V4 else { panic!("the root is an object") };
    let schema: Value =
        serde_json::from_str(contract::schema(SCHEMA_VERSION).unwrap().text).unwrap();
    table(&mut page, members, &schema);
    for Member { name, node, .. } in *members {
        if let Node::Object(inner) = node {
            let schema = &schema["properties"][name];
            let _ = write!(page, "\n## `{name}`\n\n{}\n\n", described(schema));
            table(&mut page, inner, schema);
        }
    }
    shapes(&mut page);
    version_3(&mut page);
    let example: Value = serde_json::from_slice(&maximal().encode()).unwrap();
    let example = serde_json::to_string_pretty(&example).unwrap();
    let _ = write!(
        page,
        "\n## Example\n\nA heartbeat with every field (sent without the white space):\n\n```json\n{example}\n```\n"
    );
    page
}

fn described(schema: &Value) -> &str {
    schema["description"].as_str().expect("build.rs asks for one")
}

fn table(page: &mut String, members: &[Member], schema: &Value) {
    page.push_str("| field | type | rule | what and why |\n|---|---|---|---|\n");
    for Member { name, required, node } in members {
        let description = described(&schema["properties"][name]);
        let (kind, rule) = kind_and_rule(name, node);
        let star = if *required { "*" } else { "" };
        let _ = writeln!(page, "| `{name}`{star} | {kind} | {rule} | {} |", cell(description));
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn kind_and_rule(name: &str, node: &Node) -> (&'static str, String) {
    match node {
        Node::Object(members) => {
            ("object", format!("{} members, see [`{name}`](#{name})", members.len()))
        }
        // One list, shown once.
        Node::Enum(spellings) if spellings == &tables::DIAGNOSTIC_CODES => {
            ("string", "[diagnostic code](#shapes-of-strings)".to_owned())
        }
        Node::Enum(spellings) => ("string", format!("one of `{}`", spellings.join("` `"))),
        Node::ConstInteger(constant) => ("integer", format!("always {constant}")),
        Node::Boolean => ("boolean", "true or false".to_owned()),
        Node::NullableBoolean => ("boolean or null", "null = not knowable here".to_owned()),
        Node::Count => ("integer", "0 or more".to_owned()),
        Node::UpTo(most) => ("integer", format!("0 to {most}")),
        Node::Counts { most, .. } => (
            "object",
            format!(
                "at most {most} members: a [diagnostic code](#shapes-of-strings), and an integer of 0 or more"
            ),
        ),
        Node::Text(text) => ("string", shape_link(*text)),
        Node::List { max_items, item } => (
            "array of strings",
            format!("at most {max_items}, all different, each {}", shape_link(*item)),
        ),
    }
}

fn shape_name(text: Text) -> &'static str {
    match text {
        Text::Uuid => "uuid",
        Text::Version => "version",
        Text::OptionalVersion => "optional_version",
        Text::Timestamp => "timestamp",
        Text::ClientName => "client_name",
        Text::Day => "day",
        Text::ProductName => "product_name",
        Text::ProductVersion => "product_version",
    }
}

fn shape_link(text: Text) -> String {
    format!("[{}](#shapes-of-strings)", shape_name(text).replace('_', " "))
}

fn shapes(page: &mut String) {
    let schema = contract::schema(SCHEMA_VERSION).unwrap();
    let schema: Value = serde_json::from_str(schema.text).unwrap();
    page.push_str("\n## Shapes of strings\n");
    for (name, def) in schema["$defs"].as_object().unwrap() {
        let description = def["description"].as_str().unwrap();
        let name = name.replace('_', " ");
        let rule = match (&def["pattern"], &def["enum"]) {
            (Value::String(pattern), _) => pattern.clone(),
            (_, Value::Array(codes)) => {
                codes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
            }
            // An object, and no string.
            _ => continue,
        };
        let _ = write!(page, "\n**{name}**: {description}.\n\n```\n{rule}\n```\n");
    }
}

fn version_3(page: &mut String) {
    let added: Vec<String> = tables::ADDED_IN_V4
        .iter()
        .map(|pointer| pointer.replace("/properties/", ".").trim_start_matches('.').to_owned())
        .collect();
    let _ = write!(
        page,
        "\n## Version 3\n\n\
         Earlier programs send version 3. `mcpproxy telemetry verify` still takes it, and\n\
         `mcpproxy telemetry schema --version 3` prints its schema. A heartbeat of version 4 without the fields below and\n\
         with `schema_version` 3 is one of version 3, and every field keeps its meaning. (Version 3 does not require\n\
         `anonymous_id_created_at`, and allows it a time of day.)\n\n\
         `{}`\n",
        added.join("` `")
    );
}

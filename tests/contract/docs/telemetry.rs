//! `TELEMETRY.md.in` is what `init` of the npm and PyPI packages writes into a maintainer's package: what is
//! sent, to whom, and how to stop it. Generated from the contract, as `docs/payload.md` is.

use super::{COMMAND, cell, described, shape_name};
use mcpproxy::contract::table::{Member, Node};
use mcpproxy::contract::{self, MAX_PAYLOAD_BYTES, SCHEMA_VERSION, tables};
use serde_json::Value;
use std::fmt::Write as _;

#[test]
fn docs_that_a_maintainer_ships_have_every_field_as_the_schema_describes_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/platform/packaging/TELEMETRY.md.in");
    let page = page();
    if std::env::var_os("MCPPROXY_REGENERATE").is_some() {
        std::fs::write(path, page).unwrap();
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == page,
        "platform/packaging/TELEMETRY.md.in differs from the schema; make it again with: {COMMAND}"
    );
}

/// `init` puts these in: a placeholder that it does not know would reach users.
#[test]
fn docs_that_a_maintainer_ships_hold_each_placeholder_of_init_and_no_other() {
    let page = page();
    let mut found: Vec<&str> =
        page.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["command", "endpoint", "host", "product", "version"]);
}

fn page() -> String {
    let mut page = format!(
        "<!-- Made by mcpproxy {{{{version}}}} from the schema of its heartbeats: run `init` again after an update. -->\n\n\
         # Telemetry of {{{{product}}}}\n\n\
         {{{{product}}}} counts its installs with [mcpproxy](https://github.com/mcpproxy/mcpproxy), so that its maintainer\n\
         learns how many people go on using it. Once a UTC day at most, twice on its first one, an install sends a\n\
         *heartbeat*: one JSON object of at most {} KiB.\n\n\
         ## Who receives it\n\n\
         `{{{{host}}}}`, the maintainer's collector (`{{{{endpoint}}}}`), and no other machine. The first heartbeat goes out\n\
         about five minutes after the first start, and not before a notice was written to standard error. The receiver sees\n\
         the address that a request comes from, as with any request.\n\n\
         ## How to stop it\n\n\
         | to | run |\n|---|---|\n\
         | see whether anything is sent, and which rule decides | `{{{{command}}}} status` |\n\
         | see the next heartbeat, byte for byte | `{{{{command}}}} show` |\n\
         | stop it on this machine, for good | `{{{{command}}}} off` |\n\
         | allow it again | `{{{{command}}}} on` |\n\
         | stop it, and have erased what was received | `{{{{command}}}} forget` |\n\n\
         Or set `DO_NOT_TRACK=1` in the environment of the server, such as the `env` block of your client's configuration:\n\n\
         ```json\n\"env\": {{ \"DO_NOT_TRACK\": \"1\" }}\n```\n\n\
         Off means: no file, no request, no thread. The server works as before, and a running one stops within a second.\n\n\
         ## What is never sent\n\n\
         Names of users, hosts, directories and files; values of environment variables; arguments, commands and addresses of\n\
         servers; names, arguments and results of tools; prompts.\n\n\
         ## What is sent\n\n\
         Nothing but these fields, in the forms that\n\
         [payload.md](https://github.com/mcpproxy/mcpproxy/blob/main/docs/payload.md) describes, with an example; a field\n\
         without a * is left out where it is not known. Which of them are sent at the moment, `show` shows.\n\n",
        MAX_PAYLOAD_BYTES / 1024
    );
    page.push_str("| field | value | what and why |\n|---|---|---|\n");
    let schema = contract::schema(SCHEMA_VERSION).unwrap();
    let schema: Value = serde_json::from_str(schema.text).unwrap();
    let Node::Object(members) = &tables::V4 else { panic!("the root is an object") };
    rows(&mut page, "", members, &schema);
    page
}

fn rows(page: &mut String, prefix: &str, members: &[Member], schema: &Value) {
    for Member { name, required, node } in members {
        let schema = &schema["properties"][name];
        let star = if *required { "*" } else { "" };
        let (value, text) = (value(node), cell(described(schema)));
        let _ = writeln!(page, "| `{prefix}{name}`{star} | {value} | {text} |");
        if let Node::Object(inner) = node {
            rows(page, &format!("{prefix}{name}."), inner, schema);
        }
    }
}

fn value(node: &Node) -> String {
    match node {
        Node::Object(_) => "the fields below".to_owned(),
        // A list of fifty, which payload.md shows.
        Node::Enum(spellings) if spellings == &tables::DIAGNOSTIC_CODES => "error code".to_owned(),
        Node::Enum(spellings) => format!("`{}`", spellings.join("` `")),
        Node::ConstInteger(constant) => constant.to_string(),
        Node::Boolean => "true, false".to_owned(),
        Node::NullableBoolean => "true, false, null".to_owned(),
        Node::Count => "number".to_owned(),
        Node::UpTo(most) => format!("0 to {most}"),
        Node::Counts { most, .. } => format!("up to {most} error codes, each with a number"),
        Node::Text(text) => shape_name(*text).replace('_', " "),
        Node::List { max_items, item } => {
            format!("up to {max_items} of: {}", shape_name(*item).replace('_', " "))
        }
    }
}

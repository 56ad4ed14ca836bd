//! What else repeats the contract by hand says the same: the API's description, and the page's words for each field.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

const CONTRACT: &str = include_str!("../../src/contract/heartbeat-v4.json");
const API: &str = include_str!("../../docs/openapi.json");
const PAGE: &str = include_str!("../../src/serve/page.html");

fn contract() -> Value {
    serde_json::from_str(CONTRACT).unwrap()
}

#[test]
fn the_description_of_the_api_has_the_heartbeat_of_the_contract() {
    let api: Value = serde_json::from_str(API).unwrap();
    let described = &api["components"]["schemas"];
    let moved = CONTRACT.replace("#/$defs/", "#/components/schemas/");
    let Value::Object(mut contract) = serde_json::from_str(&moved).unwrap() else { panic!() };
    for outside in ["$schema", "$id", "title"] {
        contract.remove(outside);
    }
    let Some(Value::Object(shapes)) = contract.remove("$defs") else { panic!("no $defs") };
    for (name, shape) in &shapes {
        assert_eq!(&described[name], shape, "/components/schemas/{name}");
    }
    assert_eq!(described["Heartbeat"], Value::Object(contract), "/components/schemas/Heartbeat");
}

#[test]
fn the_description_of_the_api_has_the_codes_of_the_catalog() {
    let api: Value = serde_json::from_str(API).unwrap();
    let described = api["components"]["schemas"]["diagnostic_code"]["enum"].as_array().unwrap();
    let described: BTreeSet<&str> = described.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(described, mcpproxy::diagnostics::CODES.into_iter().collect());
}

#[test]
fn every_object_that_the_api_describes_is_closed() {
    fn walk(value: &Value, at: &str) {
        match value {
            Value::Object(members) => {
                if members.get("type") == Some(&"object".into()) {
                    assert_eq!(members.get("additionalProperties"), Some(&false.into()), "{at}");
                }
                members.iter().for_each(|(name, inner)| walk(inner, &format!("{at}/{name}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, at)),
            _ => {}
        }
    }
    walk(&serde_json::from_str(API).unwrap(), "");
}

#[test]
fn the_page_explains_every_field() {
    fn leaves(members: &Map<String, Value>, prefix: &str, found: &mut Vec<String>) {
        for (name, schema) in members {
            let path = format!("{prefix}{name}");
            match &schema["properties"] {
                Value::Object(inner) => leaves(inner, &format!("{path}."), found),
                _ => found.push(path),
            }
        }
    }
    let mut fields = Vec::new();
    leaves(contract()["properties"].as_object().unwrap(), "", &mut fields);
    assert!(fields.len() > 40, "{fields:?}");
    for field in fields {
        let explained = [format!("\n  {field}: \""), format!("\n  \"{field}\": \"")]
            .iter()
            .any(|e| PAGE.contains(e));
        assert!(explained, "src/serve/page.html does not say what {field} is");
    }
}

/// The hashes of its content security policy cover one style and one script, and nothing else that acts.
#[test]
fn the_page_is_one_style_and_one_script_and_asks_for_nothing() {
    for element in ["style", "script"] {
        for tag in [format!("<{element}"), format!("<{element}>"), format!("</{element}>")] {
            assert_eq!(PAGE.matches(&tag).count(), 1, "{tag}");
        }
    }
    let acting = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        " style=",
        " onclick=",
        "src=",
        "@import",
    ];
    for acting in acting {
        assert!(!PAGE.contains(acting), "{acting}");
    }
    // The name of the SVG language is the only address in it.
    let addresses = PAGE.matches("http://").count() + PAGE.matches("https://").count();
    assert_eq!(addresses, PAGE.matches("http://www.w3.org/2000/svg").count());
    assert!(PAGE.len() < 48_000, "{}", PAGE.len());
}

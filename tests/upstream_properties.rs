//! Changes of the servers in any config: what was asked for changes, and nothing else does.
#![cfg(feature = "serve")]

use mcpproxy::config::servers::{self, ChangeError};
use mcpproxy::config::{self, EDIT_DEADLINE, Editing, NewValue};
use mcpproxy::paths::DataDir;
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn write(dir: &Path, text: &str) {
    fs::write(dir.join("mcp_config.json"), text).expect("written");
}

fn read(dir: &Path) -> String {
    fs::read_to_string(dir.join("mcp_config.json")).expect("read")
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c d", "", "new"])
}

/// A config in any layout and of either shape: how many servers it has, and its text.
fn document() -> impl Strategy<Value = (usize, String)> {
    let space = "[ \t]{0,2}|\n[ ]{0,4}|\r\n\t{0,2}";
    let value = prop::sample::select(vec!["null", "-1.50e+3", "\"}{,:\\\"\"", "[ 1 ,{}]", "{ }"]);
    let keys = vec!["command", "enabled", "disabled", "theirs", "\\u007a"];
    let entry = (prop::sample::subsequence(keys, 0..5), prop::collection::vec((value, space), 5))
        .prop_map(|(keys, parts)| {
            let member = |(key, (value, space)): (&&str, &(&str, String))| {
                format!("{space}\"{key}\":{space}{value}{space}")
            };
            keys.iter().zip(&parts).map(member).collect::<Vec<_>>()
        });
    let names = prop::sample::subsequence(vec!["a", "b", "c d", ""], 0..4);
    (any::<bool>(), any::<bool>(), names, prop::collection::vec((entry, space), 4), space).prop_map(
        |(is_array, bom, names, entries, outside)| {
            let mut texts = Vec::new();
            for (name, (mut members, space)) in names.iter().zip(entries) {
                let key = format!("{space}\"{name}\"{space}:{space}");
                if is_array {
                    members.insert(0, format!("{space}\"name\":\"{name}\""));
                    texts.push(format!("{space}{{{}}}{space}", members.join(",")));
                } else {
                    texts.push(format!("{key}{{{}}}{space}", members.join(",")));
                }
            }
            let [open, close] = if is_array { ["[", "]"] } else { ["{", "}"] };
            let bom = if bom { "\u{feff}" } else { "" };
            let text = format!(
                "{bom}{outside}{{{outside}\"x\": 1.50,\"mcpServers\":{outside}{open}{}{close}{outside},\"y\":[ ]}}{outside}",
                texts.join(",")
            );
            (texts.len(), text)
        },
    )
}

fn changed<R>(
    dir: &Path,
    change: impl FnOnce(&mut Editing) -> Result<R, ChangeError>,
) -> Result<R, ChangeError> {
    config::edit(&DataDir::at(dir), EDIT_DEADLINE, change)
}

fn plain(text: &str) -> Value {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("JSON")
}

/// Where a server is in a model: its key or its index.
fn find(root: &Value, name: &str) -> Option<usize> {
    match &root["mcpServers"] {
        Value::Array(items) => items.iter().position(|item| item["name"] == name),
        servers => servers.as_object().expect("an object").keys().position(|key| key == name),
    }
}

fn entry<'v>(root: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    let at = find(root, name)?;
    match &mut root["mcpServers"] {
        Value::Array(items) => items.get_mut(at),
        servers => servers.get_mut(name),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Models are compared as texts: order counts.

    #[test]
    fn switching_a_server_sets_its_keys_and_nothing_else(
        (_, text) in document(),
        name in name(),
        enabled in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), &text);
        let mut expected = plain(&text);
        let known = find(&expected, name).is_some();
        let switched = changed(dir.path(), |e| servers::set_enabled(e, name, enabled));
        prop_assert_eq!(switched.is_ok(), known);
        if let Some(entry) = entry(&mut expected, name) {
            entry["enabled"] = enabled.into();
            if entry.get("disabled").is_some() {
                entry["disabled"] = (!enabled).into();
            }
        }
        prop_assert_eq!(plain(&read(dir.path())).to_string(), expected.to_string());
    }

    #[test]
    fn removing_a_server_removes_nothing_else((_, text) in document(), name in name()) {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), &text);
        let mut expected = plain(&text);
        let place = find(&expected, name);
        let removed = changed(dir.path(), |e| servers::remove(e, name));
        prop_assert_eq!(removed.is_ok(), place.is_some());
        if let Some(at) = place {
            match &mut expected["mcpServers"] {
                Value::Array(items) => drop(items.remove(at)),
                servers => drop(servers.as_object_mut().expect("an object").shift_remove(name)),
            }
        }
        prop_assert_eq!(plain(&read(dir.path())).to_string(), expected.to_string());
    }

    #[test]
    fn adding_a_server_adds_nothing_else_and_removing_it_again_leaves_no_trace(
        (count, text) in document(),
        name in name(),
    ) {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), &text);
        let mut expected = plain(&text);
        let known = find(&expected, name).is_some();
        let members = vec![("command".to_owned(), NewValue::text("x"))];
        let added = changed(dir.path(), |e| servers::add(e, name, members, false));
        prop_assert_eq!(added.is_ok(), !known);
        if known {
            prop_assert_eq!(&read(dir.path()), &text);
            return Ok(());
        }
        match &mut expected["mcpServers"] {
            Value::Array(items) => items.push(serde_json::json!({"name": name, "command": "x"})),
            servers => servers[name] = serde_json::json!({"command": "x"}),
        }
        prop_assert_eq!(plain(&read(dir.path())).to_string(), expected.to_string());
        prop_assert!(changed(dir.path(), |e| servers::remove(e, name)).is_ok());
        // The blanks of an empty list are all that is not remembered.
        if count > 0 {
            prop_assert_eq!(&read(dir.path()), &text);
        }
        prop_assert_eq!(plain(&read(dir.path())).to_string(), plain(&text).to_string());
    }
}

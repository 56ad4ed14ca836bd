//! The gate against the independent validator: what the schema refuses, the gate refuses too.

use crate::generated::payloads;
use crate::payloads::{all_pointers, complaint, decoded, maximal, minimal, validator};
use mcpproxy::contract::Payload;
use mcpproxy::gate::{self, PrivateWords};
use proptest::prelude::*;
use serde_json::{Value, json};

fn passes(bytes: &[u8]) -> bool {
    let nobody = PrivateWords::new([] as [&str; 0], [] as [&str; 0]);
    gate::check(bytes, None, &nobody).is_ok()
}

#[test]
fn the_smallest_and_the_fullest_payload_pass_the_gate() {
    assert!(passes(&minimal().encode()));
    assert!(passes(&maximal().encode()));
}

#[test]
fn a_payload_is_read_as_it_is_whatever_its_order_and_white_space() {
    for payload in [minimal(), maximal()] {
        let pretty = serde_json::to_string_pretty(&decoded(&payload)).unwrap();
        assert_eq!(Payload::decode(&payload.encode()).as_ref(), Some(&payload));
        assert_eq!(Payload::decode(pretty.as_bytes()).as_ref(), Some(&payload));
        let turned: serde_json::Map<_, _> =
            decoded(&payload).as_object().unwrap().clone().into_iter().rev().collect();
        let turned = Value::Object(turned).to_string();
        assert_eq!(Payload::decode(turned.as_bytes()).as_ref(), Some(&payload));
    }
}

#[test]
fn what_is_no_payload_is_not_read() {
    let good = decoded(&minimal());
    let with = |pointer: &str, wrong: Value| {
        let mut value = good.clone();
        *value.pointer_mut(pointer).unwrap() = wrong;
        Payload::decode(value.to_string().as_bytes())
    };
    assert_eq!(with("/os", json!("linux")).map(|it| it.os.as_str()), Some("linux"));
    for (pointer, wrong) in [
        ("/os", json!("beos")),
        ("/os", json!(1)),
        ("/env_markers", json!([])),
        ("/env_markers/has_tty", json!("true")),
        ("/activation/retrieve_tools_calls_24h", json!(-1)),
        ("/activation/retrieve_tools_calls_24h", json!(0.5)),
        ("/activation/mcp_clients_seen_ever", json!("zed")),
        ("/anonymous_id", json!(null)),
    ] {
        assert_eq!(with(pointer, wrong.clone()), None, "{pointer} {wrong}");
    }
    for text in ["", "{}", "null", "[]", "{", "\u{feff}{}"] {
        assert_eq!(Payload::decode(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Payload::decode(b"\xff"), None);
}

/// Values that are wrong nearly everywhere, and a few that are right somewhere.
fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        Just(json!(0.5)),
        Just(json!({})),
        Just(json!({ "mcp": 1 })),
        proptest::sample::select(vec![
            "", "0", "cli", "linux", "Tap", "v1.2.3", "cursor", "unknown"
        ])
        .prop_map(|text| json!(text)),
        "[a-zA-Z0-9 ._/@-]{0,70}".prop_map(|text| json!(text)),
        proptest::collection::vec("[a-zA-C._-]{1,3}", 0..20).prop_map(|texts| json!(texts)),
    ]
}

proptest! {
    #[test]
    fn the_gate_passes_nothing_the_schema_refuses(
        payload in payloads(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..3, strange()), 1..3),
    ) {
        let mut value = decoded(&payload);
        for (at, kind, strange) in edits {
            let pointers = all_pointers(&value);
            let pointer = &pointers[at.index(pointers.len())];
            let parent = pointer.rsplit_once('/');
            match (kind, parent) {
                (0, Some((parent, key))) => {
                    if let Some(members) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
                        members.shift_remove(key);
                    }
                }
                (1, Some((parent, _))) => {
                    if let Some(members) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
                        members.insert("Cli".into(), strange);
                    }
                }
                _ => *value.pointer_mut(pointer).unwrap() = strange,
            }
        }
        let text = value.to_string();
        if passes(text.as_bytes()) {
            prop_assert_eq!(complaint(&validator(), &value), None);
            let read = Payload::decode(text.as_bytes()).map(|payload| decoded(&payload));
            prop_assert_eq!(read, Some(value), "the typed reader reads what the gate passes");
        }
    }

    #[test]
    fn every_payload_is_read_back_as_it_was_written(payload in payloads()) {
        let bytes = payload.encode();
        let read = Payload::decode(&bytes);
        prop_assert_eq!(read.map(|read| read.encode()), Some(bytes));
    }
}

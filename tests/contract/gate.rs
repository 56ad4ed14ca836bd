//! The gate against the independent validator: what the schema refuses, the gate refuses too.

use crate::payloads::{all_pointers, complaint, decoded, maximal, minimal, payloads, validator};
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
        if passes(value.to_string().as_bytes()) {
            prop_assert_eq!(complaint(&validator(), &value), None);
        }
    }
}

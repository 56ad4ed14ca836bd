//! What holds for any bytes and any place.

use crate::corpus::{leaks, private};
use crate::payload::{injections, own, pointers, value, value_v3};
use mcpproxy::contract::{SCHEMAS, Schema};
use mcpproxy::gate::{PrivateWords, check, scan};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::Value;

fn json_value() -> impl Strategy<Value = Value> {
    let text = "[a-z0-9._-]{0,20}|[ -~]{0,12}|v[0-9]{1,3}\\.[0-9]\\.[0-9](-rc[0-9])?|linux|true";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..20).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(check(&bytes, None, &private()).is_err());
        prop_assert!(check(&bytes, Some(&own()), &private()).is_err());
    }

    #[test]
    fn nothing_panics_on_any_text(text in any::<String>(), word in any::<String>()) {
        let words = PrivateWords::new([&word], [&word]);
        let _ = scan(&text, &words);
        let _ = scan(&format!("{text}%{word}\\u{text}"), &words);
    }

    #[test]
    fn nothing_panics_on_pieces_of_encodings(text in "[%\\\\u0-9a-fA-F:./@~é-]{0,40}") {
        let _ = scan(&text, &private());
    }

    #[test]
    fn a_changed_byte_does_not_make_the_gate_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value(&["zed", "acme-agent"]).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = check(&bytes, None, &private());
        bytes.truncate(at);
        prop_assert!(check(&bytes, None, &private()).is_err());
    }

    #[test]
    fn a_private_word_is_found_in_any_frame(
        word in "[a-zA-Z][a-zA-Z0-9]{2,12}",
        before in "([ -~]{0,8}[ -/:-@\\[-`{-~])?",
        after in "([ -/:-@\\[-`{-~][ -~]{0,8})?",
    ) {
        prop_assume!(!["yes", "true", "off", "false"].contains(&word.to_lowercase().as_str()));
        let words = PrivateWords::new([&word], [""; 0]);
        for spelled in [word.clone(), word.to_uppercase()] {
            let text = format!("{before}{spelled}{after}");
            prop_assert!(scan(&text, &words).is_some());
        }
    }

    #[test]
    fn an_injected_secret_never_passes(
        leak in prop::sample::select(leaks().collect::<Vec<_>>()),
        place in any::<prop::sample::Index>(),
        clients in prop::collection::btree_set("[a-z]{6,9}", 0..5),
    ) {
        let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
        let changed = injections(&value(&clients), leak);
        let changed = &changed[place.index(changed.len())];
        prop_assert!(check(changed.to_string().as_bytes(), Some(&own()), &private()).is_err());
    }
}

/// The gate is never wider than the schema, by the word of an independent validator.
#[test]
fn what_the_gate_lets_through_is_valid_under_the_schema() {
    let clients = &["zed", "acme-agent"];
    for (schema, base) in SCHEMAS.iter().zip([value_v3(clients), value(clients)]) {
        assert_eq!(base["schema_version"], schema.version);
        is_never_wider_than(schema, base);
    }
}

fn is_never_wider_than(schema: &Schema, base: Value) {
    let schema = jsonschema::validator_for(&serde_json::from_str(schema.text).unwrap()).unwrap();
    assert!(schema.is_valid(&base));
    let places = pointers(&base);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let change = (any::<prop::sample::Index>(), json_value(), any::<bool>(), "[a-z_]{1,6}");
    let mut passed = 0;
    for _ in 0..4000 {
        let (place, new, add, key) =
            change.new_tree(&mut runner).map(|tree| tree.current()).unwrap();
        let mut changed = base.clone();
        let slot = changed.pointer_mut(&places[place.index(places.len())]).unwrap();
        match slot {
            Value::Object(members) if add => drop(members.insert(key, new)),
            Value::Array(items) if add => items.push(new),
            slot => *slot = new,
        }
        if check(changed.to_string().as_bytes(), None, &PrivateWords::default()).is_ok() {
            passed += 1;
            assert!(schema.is_valid(&changed), "{changed}");
        }
    }
    assert!(passed > 20, "{passed}");
}

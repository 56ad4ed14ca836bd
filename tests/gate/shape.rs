//! The closed shape: what the contract does not name is refused, with its place and without its value.

use crate::payload::{bytes_of, own, pointers, value, value_v3};
use mcpproxy::contract::MAX_PAYLOAD_BYTES;
use mcpproxy::gate::{PrivateWords, Refusal, RefusalRule, check};
use serde_json::{Value, json};

pub fn judge(text: &str) -> Result<(), Refusal> {
    check(text.as_bytes(), None, &PrivateWords::default())
}

pub fn refused(text: &str) -> (RefusalRule, String) {
    let refusal = judge(text).expect_err(text);
    assert!(!refusal.detail.is_empty());
    (refusal.rule, refusal.field)
}

fn with(pointer: &str, new: Value) -> String {
    let mut changed = value(&["zed", "vscode"]);
    *changed.pointer_mut(pointer).unwrap() = new;
    changed.to_string()
}

#[test]
fn a_payload_passes_in_any_order_and_with_white_space() {
    for base in [value(&["zed"]), value_v3(&["zed"])] {
        let members = base.as_object().unwrap();
        let reversed: serde_json::Map<_, _> =
            members.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect();
        judge(&Value::Object(reversed).to_string()).unwrap();
        judge(&serde_json::to_string_pretty(&base).unwrap()).unwrap();
        judge(&format!(" \t\r\n{base} \n")).unwrap();
    }
}

#[test]
fn members_that_are_not_required_may_be_missing_and_the_others_not() {
    let required_in_v3 = [
        "schema_version",
        "anonymous_id",
        "env_kind",
        "env_markers",
        "launch_source",
        "autostart_enabled",
        "activation",
        "version",
        "edition",
        "os",
        "arch",
        "timestamp",
    ];
    let new_in_v4 = [
        "product",
        "agent_env",
        "anonymous_id_created_at",
        "carried_over",
        "days_since_install",
        "active_days_30d",
        "previous_shutdown",
    ];
    let base = value_v3(&["zed"]);
    only_these_are_required(&base, &required_in_v3, &["env_markers", "activation"]);
    let base = value(&["zed"]);
    let required = [&required_in_v3[..], &new_in_v4].concat();
    only_these_are_required(&base, &required, &["env_markers", "activation", "product"]);
}

fn only_these_are_required(base: &Value, required: &[&str], objects: &[&str]) {
    for name in base.as_object().unwrap().keys() {
        let mut less = base.clone();
        less.as_object_mut().unwrap().shift_remove(name);
        let verdict = judge(&less.to_string());
        assert_eq!(verdict.is_err(), required.contains(&name.as_str()), "{name}");
        if let Err(refusal) = verdict {
            assert_eq!((refusal.rule, refusal.field), (RefusalRule::Shape, format!("/{name}")));
        }
    }
    let more = ["surface_requests", "builtin_tool_calls", "server_protocol_counts"];
    for object in objects.iter().chain(&more) {
        for name in base[object].as_object().unwrap().keys() {
            let mut less = base.clone();
            less[object].as_object_mut().unwrap().shift_remove(name);
            assert_eq!(judge(&less.to_string()).unwrap_err().field, format!("/{object}/{name}"));
        }
    }
}

#[test]
fn every_value_of_another_type_is_refused_at_its_place() {
    for base in [value(&["zed"]), value_v3(&["zed"])] {
        every_other_value_is_refused(&base);
    }
}

fn every_other_value_is_refused(base: &Value) {
    for pointer in pointers(base) {
        for other in [
            json!(null),
            json!(true),
            json!(7),
            json!(-1),
            json!(1.5),
            json!("seven"),
            json!([]),
            json!({}),
            json!(["X"]),
            json!({"x": 1}),
        ] {
            let old = base.pointer(&pointer).unwrap();
            let fits = match old {
                Value::Number(_) => pointer != "/schema_version" && other.is_u64(),
                Value::Bool(_) => {
                    other.is_boolean() || (pointer == "/autostart_enabled" && other.is_null())
                }
                Value::Array(_) => other == json!([]),
                Value::String(_) => {
                    let free = pointer.starts_with("/activation/mcp") || pointer == "/product/name";
                    free && other == json!("seven")
                }
                // Counts by code may be none.
                Value::Object(_) if pointer.contains("_code") => other == json!({}),
                _ => false,
            };
            let mut changed = base.clone();
            *changed.pointer_mut(&pointer).unwrap() = other.clone();
            let verdict = judge(&changed.to_string());
            assert_eq!(verdict.is_ok(), fits, "{pointer} = {other}");
            if let Err(refusal) = verdict {
                assert_eq!(refusal.rule, RefusalRule::Shape);
                assert!(refusal.field.starts_with(&pointer), "{} for {pointer}", refusal.field);
            }
        }
    }
}

#[test]
fn an_unknown_member_is_reported_without_its_key() {
    for (parent, key) in [
        ("", "mysecretkey"),
        ("/activation", "mysecretkey"),
        ("/env_markers", "a/b~c"),
        ("", ""),
        ("", "Version"),
        ("", "version "),
        ("/surface_requests", "mcp2"),
        ("", "os\u{0}"),
        ("/product", "mysecretkey"),
        ("/product", "Name"),
        ("/diagnostics", "mysecretkey"),
        ("/diagnostics/current_error_codes", "mysecretkey"),
    ] {
        let mut changed = value(&["zed"]);
        changed.pointer_mut(parent).unwrap()[key] = json!(1);
        let refusal = judge(&changed.to_string()).unwrap_err();
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Shape, parent), "{key}");
        let position = changed.pointer(parent).unwrap().as_object().unwrap().len();
        assert_eq!(refusal.detail, format!("unknown member at position {position}"));
    }
}

#[test]
fn numbers_are_digits_only_and_not_larger_than_counters() {
    let base = bytes_of(&[]);
    let base = std::str::from_utf8(&base).unwrap();
    let with =
        |number: &str| base.replace("\"tool_count\":2026", &format!("\"tool_count\":{number}"));
    for number in ["0", "1", "9007199254740991"] {
        judge(&with(number)).unwrap();
    }
    for number in [
        "-0",
        "-1",
        "1.0",
        "1e2",
        "1E0",
        "0.0",
        "9007199254740992",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "\"1\"",
        "null",
    ] {
        assert_eq!(
            refused(&with(number)),
            (RefusalRule::Shape, "/tool_count".to_owned()),
            "{number}"
        );
    }
    for (number, why) in
        [("-1", "digits only"), ("1.0", "digits only"), ("9007199254740992", "more than")]
    {
        assert!(judge(&with(number)).unwrap_err().detail.contains(why), "{number}");
    }
    for number in ["01", "+1", ".5", "1.", "0x10", "NaN", "1_000"] {
        assert_eq!(refused(&with(number)).0, RefusalRule::Syntax, "{number}");
    }
    for (name, most) in [("days_since_install\":315", 366), ("active_days_30d\":21", 30)] {
        let (field, _) = name.split_once('"').unwrap();
        let with = |number: String| base.replace(name, &format!("{field}\":{number}"));
        judge(&with("0".to_owned())).unwrap();
        judge(&with(most.to_string())).unwrap();
        for number in [(most + 1).to_string(), "-1".to_owned(), format!("{most}.0")] {
            assert_eq!(refused(&with(number)), (RefusalRule::Shape, format!("/{field}")));
        }
    }
    for number in ["2", "5", "4.0", "40", "\"4\"", "null", "[4]"] {
        let text = base.replace("\"schema_version\":4", &format!("\"schema_version\":{number}"));
        assert_eq!(refused(&text), (RefusalRule::Shape, "/schema_version".to_owned()), "{number}");
    }
}

#[test]
fn strings_are_spelled_exactly() {
    for (pointer, wrong) in [
        ("/env_kind", "Interactive"),
        ("/env_kind", "interactive "),
        ("/env_kind", ""),
        ("/os", "macos"),
        ("/arch", "x86_64"),
        ("/edition", "pro"),
        ("/routing_mode", "tAp"),
        ("/upstream_tool_call_count_bucket", "1"),
        ("/version", "1.2.3"),
        ("/version", ""),
        ("/version", "v1.2.3-tim"),
        ("/version", "v1.2.3+tim"),
        ("/version", "v1.2.3.4"),
        ("/version", "v01.2.3"),
        ("/current_version", ""),
        ("/previous_version", "none"),
        ("/anonymous_id", "{3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2}"),
        ("/anonymous_id", "tim"),
        ("/anonymous_id", "3f2a9c1b7d4e4a619b0c5d6e7f8091a2"),
        ("/timestamp", "2026-02-30T00:00:00Z"),
        ("/timestamp", "2026-11-22T14:46:00.123Z"),
        ("/timestamp", "2026-11-22T14:46:00+01:00"),
        ("/timestamp", "2026-11-22"),
        ("/anonymous_id_created_at", ""),
        ("/anonymous_id_created_at", "2026-11-22T00:00:01Z"),
        ("/anonymous_id_created_at", "2026-02-30T00:00:00Z"),
        ("/product/name", ""),
        ("/product/name", "Acme"),
        ("/product/name", "@acme/notes"),
        ("/product/name", "a..b"),
        ("/product/name", "notes."),
        ("/product/name", "nul"),
        ("/product/name", "com1.notes"),
        ("/product/name", &"a".repeat(65)),
        ("/product/version", ""),
        ("/product/version", "1.4"),
        ("/product/version", "1.4.0-alice"),
        ("/product/version", "1.4.0+alice"),
        ("/product/version", "1.4.100000"),
        ("/agent_env", "person"),
        ("/previous_shutdown", "Crash"),
        ("/activation/mcp_clients_seen_ever/1", "Zed"),
        ("/activation/mcp_clients_seen_ever/1", ""),
        ("/activation/mcp_clients_seen_ever/1", "a..b"),
        ("/activation/mcp_clients_seen_ever/1", "a b"),
        ("/activation/mcp_clients_seen_ever/1", "-a"),
        ("/activation/mcp_clients_seen_ever/1", "zed"),
        ("/activation/mcp_clients_seen_ever/1", &"a".repeat(65)),
    ] {
        let found = refused(&with(pointer, json!(wrong)));
        assert_eq!(found, (RefusalRule::Shape, pointer.to_owned()), "{wrong}");
    }
    for (pointer, right) in [
        ("/previous_version", ""),
        ("/version", "v10.0.0-beta.2"),
        ("/version", "v0.1.0-dev"),
        ("/anonymous_id", "3F2A9C1B-7D4E-1A61-9B0C-5D6E7F8091A2"),
        ("/env_kind", "cloud_ide"),
        ("/product/name", "mcpproxy"),
        ("/product/version", "v1.4.0"),
        ("/product/version", "1.4.0-canary2"),
        ("/activation/mcp_clients_seen_ever/1", "some-other.client_2"),
    ] {
        judge(&with(pointer, json!(right))).unwrap();
    }
}

#[test]
fn a_list_of_clients_is_bounded_and_unique() {
    let many: Vec<String> = (0..17).map(|i| format!("client{i}")).collect();
    judge(&with("/activation/mcp_clients_seen_ever", json!(many[..16]))).unwrap();
    let field = "/activation/mcp_clients_seen_ever";
    assert_eq!(refused(&with(field, json!(many))), (RefusalRule::Shape, field.to_owned()));
    assert_eq!(refused(&with(field, json!(["a", "b", "a"]))).1, format!("{field}/2"));
    assert_eq!(refused(&with(field, json!(null))).1, field);
}

#[test]
fn escapes_are_refused_in_keys_and_pinned_strings() {
    let base = String::from_utf8(bytes_of(&["zed"])).unwrap();
    for (plain, hidden, field) in [
        ("\"os\"", "\"\\u006fs\"", "/os"),
        ("\"linux\"", "\"linu\\u0078\"", "/os"),
        ("\"v1.2.3\"", "\"v1.2.\\u0033\"", "/version"),
        ("\"2026-11-22T14:46:00Z\"", "\"2026-11-22T14:46:00\\u005a\"", "/timestamp"),
        ("\"zed\"", "\"ze\\u0064\"", "/activation/mcp_clients_seen_ever/0"),
        ("\"mcp\"", "\"mc\\u0070\"", "/surface_requests/mcp"),
        ("\"schema_version\"", "\"schem\\u0061_version\"", "/schema_version"),
        ("\"acme.notes-mcp\"", "\"acme.notes-mc\\u0070\"", "/product/name"),
        (
            "\"MCPX_HTTP_DNS\":2",
            "\"MCPX_HTTP_DN\\u0053\":2",
            "/diagnostics/error_code_counts_24h/MCPX_HTTP_DNS",
        ),
        (
            "\"last_error_code\":\"MCPX_STDIO_EXITED",
            "\"last_error_code\":\"MCPX_STDIO_EXITE\\u0044",
            "/diagnostics/last_error_code",
        ),
    ] {
        assert!(base.contains(plain), "{plain}");
        let text = base.replacen(plain, hidden, 1);
        assert_eq!(refused(&text), (RefusalRule::Shape, field.to_owned()), "{plain}");
    }
}

#[test]
fn what_is_not_strict_json_is_a_matter_of_syntax() {
    let base = String::from_utf8(bytes_of(&["zed"])).unwrap();
    for text in [
        String::new(),
        "nonsense".to_owned(),
        base[..base.len() - 1].to_owned(),
        format!("{base}x"),
        format!("{base}{base}"),
        base.replacen('{', "{\"os\":\"linux\",", 1),
        format!("\u{feff}{base}"),
        base.replacen("\"zed\"", "\"zed\",", 1),
        base.replacen("\"zed\"", "'zed'", 1),
        with("/os", json!([[[[[1]]]]])),
        "[".repeat(8000),
        base.replacen(":4", ":4/**/", 1),
    ] {
        assert_eq!(refused(&text), (RefusalRule::Syntax, String::new()), "{text}");
    }
    let mut bytes = base.into_bytes();
    let at = bytes.windows(3).position(|part| part == b"zed").unwrap();
    bytes[at] = 0xff;
    let refusal = check(&bytes, None, &PrivateWords::default()).unwrap_err();
    assert_eq!(refusal.rule, RefusalRule::Syntax);
    for text in ["null", "true", "3", "\"x\"", "[]", "{}"] {
        assert_eq!(refused(text).0, RefusalRule::Shape, "{text}");
    }
}

#[test]
fn eight_kibibytes_are_the_limit() {
    let base = String::from_utf8(bytes_of(&["zed"])).unwrap();
    let padded = |length: usize| base.clone() + &" ".repeat(length - base.len());
    judge(&padded(MAX_PAYLOAD_BYTES)).unwrap();
    assert_eq!(refused(&padded(MAX_PAYLOAD_BYTES + 1)), (RefusalRule::Size, String::new()));
    assert_eq!(refused(&"[".repeat(1 << 20)).0, RefusalRule::Size);
}

#[test]
fn what_the_install_vouches_for_is_compared_byte_for_byte() {
    let nothing = PrivateWords::default();
    let own = own();
    for (pointer, other) in [
        ("/anonymous_id", "3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a3"),
        ("/anonymous_id", "3F2A9C1B-7D4E-4A61-9B0C-5D6E7F8091A2"),
        ("/anonymous_id_created_at", "2026-01-12T00:00:00Z"),
        ("/product/name", "acme.notes-mcp2"),
        ("/product/name", "mcpproxy"),
        ("/product/version", "v1.4.0-rc.1"),
        ("/version", "v1.2.4"),
        ("/current_version", "v1.2.4"),
        ("/previous_version", ""),
        ("/previous_version", "v1.2.3"),
        ("/timestamp", "2026-11-22T14:46:01Z"),
    ] {
        let text = with(pointer, json!(other));
        judge(&text).unwrap();
        let refusal = check(text.as_bytes(), Some(&own), &nothing).unwrap_err();
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Shape, pointer));
    }
    let full = bytes_of(&["zed"]);
    let missing = mcpproxy::gate::Own { previous_version: None, ..own.clone() };
    assert!(check(&full, Some(&missing), &nothing).is_err(), "nobody vouches for a member");
    let mut less = value(&["zed"]);
    for name in ["current_version", "previous_version"] {
        less.as_object_mut().unwrap().shift_remove(name);
    }
    assert_eq!(check(less.to_string().as_bytes(), Some(&own), &nothing), Ok(()));
}

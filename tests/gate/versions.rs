//! Two versions of the contract, each judged by its own rules; and what only the newer one has.

use crate::payload::{own, value, value_v3};
use crate::shape::{judge, refused};
use mcpproxy::contract::tables::DIAGNOSTIC_CODES;
use mcpproxy::gate::{PrivateWords, RefusalRule, check};
use serde_json::{Value, json};

/// What is sent has one version, and only that one may leave; both are verified.
#[test]
fn a_payload_is_judged_by_the_version_that_it_names() {
    let nothing = PrivateWords::default();
    let (new, old) = (value(&["zed"]), value_v3(&["zed"]));
    check(new.to_string().as_bytes(), Some(&own()), &nothing).unwrap();
    let refusal = check(old.to_string().as_bytes(), Some(&own()), &nothing).unwrap_err();
    assert_eq!(refusal.to_string(), "shape at /schema_version: not the integer 4");
    let renamed = |base: &Value, version: u64| {
        let mut changed = base.clone();
        changed["schema_version"] = version.into();
        refused(&changed.to_string())
    };
    let required = "/activation/first_real_tool_call_ever".to_owned();
    assert_eq!(renamed(&old, 4), (RefusalRule::Shape, required), "in v4");
    assert_eq!(renamed(&new, 3), (RefusalRule::Shape, String::new()), "unknown in v3");
    for version in [0, 2, 5] {
        assert_eq!(renamed(&new, version), (RefusalRule::Shape, "/schema_version".to_owned()));
    }
    // Each version has its own idea of the day.
    for (base, fits) in [(old, true), (new, false)] {
        let mut changed = base;
        changed["anonymous_id_created_at"] = "2026-01-11T08:00:59Z".into();
        assert_eq!(judge(&changed.to_string()).is_ok(), fits);
    }
}

#[test]
fn diagnostics_have_all_their_numbers_and_any_codes_of_the_catalog() {
    let base = value(&["zed"]);
    let numbers = ["fix_attempted_24h", "fix_succeeded_24h", "unique_codes_ever"];
    let counts = ["error_code_counts_24h", "current_error_codes"];
    for name in base["diagnostics"].as_object().unwrap().keys() {
        let mut less = base.clone();
        less["diagnostics"].as_object_mut().unwrap().shift_remove(name);
        assert_eq!(judge(&less.to_string()).is_ok(), name == "last_error_code", "{name}");
    }
    let with = |name: &str, new: Value| {
        let mut changed = base.clone();
        changed["diagnostics"][name] = new;
        judge(&changed.to_string()).map_err(|refusal| refusal.field)
    };
    for name in numbers {
        assert_eq!(with(name, json!(1000)), Ok(()));
        assert_eq!(with(name, json!(1001)), Err(format!("/diagnostics/{name}")));
    }
    for code in DIAGNOSTIC_CODES {
        assert_eq!(with("last_error_code", json!(code)), Ok(()));
        assert_eq!(with("current_error_codes", json!({*code: 0})), Ok(()));
    }
    for code in ["", "MCPX_HTTP", "mcpx_unknown", "MCPX_UNKNOWN ", "MCPX_ALICE"] {
        let field = "/diagnostics/last_error_code".to_owned();
        assert_eq!(with("last_error_code", json!(code)), Err(field));
        for name in counts {
            let field = format!("/diagnostics/{name}");
            assert_eq!(with(name, json!({"MCPX_HTTP_DNS": 1, code: 1})), Err(field), "{code}");
        }
    }
    for name in counts {
        let some = |many: usize| {
            let counted =
                DIAGNOSTIC_CODES.iter().take(many).map(|code| (code.to_string(), json!(1)));
            Value::Object(counted.collect())
        };
        assert_eq!(with(name, json!({})), Ok(()));
        assert_eq!(with(name, some(20)), Ok(()));
        assert_eq!(with(name, some(21)), Err(format!("/diagnostics/{name}")));
        for wrong in [json!(-1), json!(1.5), json!("1"), json!(null), json!(1_u64 << 53)] {
            let field = format!("/diagnostics/{name}/MCPX_UNKNOWN");
            assert_eq!(with(name, json!({"MCPX_UNKNOWN": wrong})), Err(field));
        }
        assert_eq!(with(name, json!(["MCPX_UNKNOWN"])), Err(format!("/diagnostics/{name}")));
    }
}

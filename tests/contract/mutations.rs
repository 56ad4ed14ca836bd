//! A change on one side of the contract only does not build, and the message names the field.
//!
//! Each mutation is made in a scratch copy of this crate and checked by cargo; all share one copy and
//! one warm target folder under `target/tmp`.

use super::scratch::copy_folder;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};

const V3: &str = "src/contract/heartbeat-v3.json";
const V4: &str = "src/contract/heartbeat-v4.json";

struct Scratch {
    root: PathBuf,
}

/// The one scratch copy; whoever holds the lock may change its files.
fn scratch() -> MutexGuard<'static, Scratch> {
    static SCRATCH: LazyLock<Mutex<Scratch>> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contract-mutations");
        let copy = root.join("mcpproxy");
        if copy.exists() {
            std::fs::remove_dir_all(&copy).unwrap();
        }
        copy_folder(Path::new(env!("CARGO_MANIFEST_DIR")), &copy);
        let scratch = Scratch { root };
        let (built, messages) = scratch.check();
        assert!(built, "the unchanged copy does not build:\n{messages}");
        Mutex::new(scratch)
    });
    SCRATCH.lock().unwrap_or_else(|failed_test| failed_test.into_inner())
}

impl Scratch {
    /// Whether the copy builds, and what cargo said.
    fn check(&self) -> (bool, String) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["check", "--lib", "--no-default-features", "--offline", "--color=never"])
            .args([OsStr::new("--target-dir"), self.root.join("target").as_os_str()])
            .current_dir(self.root.join("mcpproxy"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Checks the copy with `file` changed, and changes it back.
    fn check_with(&self, file: &str, change: impl FnOnce(&str) -> String) -> (bool, String) {
        let path = self.root.join("mcpproxy").join(file);
        let before = std::fs::read_to_string(&path).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "the mutation of {file} changes nothing");
        std::fs::write(&path, after).unwrap();
        let result = self.check();
        std::fs::write(&path, before).unwrap();
        result
    }

    #[track_caller]
    fn refuses(&self, file: &str, message: &str, change: impl FnOnce(&str) -> String) {
        let (built, messages) = self.check_with(file, change);
        assert!(!built, "builds, but should say: {message}");
        let named = messages.lines().any(|l| l.starts_with("error") && l.contains(message));
        assert!(named, "should say: {message}\nbut says:\n{messages}");
    }

    #[track_caller]
    fn refuses_schema(&self, file: &str, message: &str, change: impl FnOnce(&mut Value)) {
        self.refuses(file, message, |text| {
            let mut schema: Value = serde_json::from_str(text).unwrap();
            change(&mut schema);
            serde_json::to_string_pretty(&schema).unwrap()
        });
    }
}

fn at<'a>(schema: &'a mut Value, pointer: &str) -> &'a mut Value {
    schema.pointer_mut(pointer).unwrap_or_else(|| panic!("the schema has no {pointer}"))
}

fn insert(schema: &mut Value, pointer: &str, key: &str, value: Value) {
    at(schema, pointer).as_object_mut().unwrap().insert(key.to_owned(), value);
}

fn remove(schema: &mut Value, pointer: &str, key: &str) {
    at(schema, pointer).as_object_mut().unwrap().shift_remove(key).unwrap();
}

fn drop_required(schema: &mut Value, object: &str, name: &str) {
    at(schema, &format!("{object}/required")).as_array_mut().unwrap().retain(|n| n != name);
}

#[test]
fn a_schema_v4_that_says_other_than_the_code_does_not_build() {
    let scratch = scratch();
    a_schema_that_differs_does_not_build(&scratch, V4);
    let host_name = "/properties/host_name: the schema has this field";
    scratch.refuses_schema(V4, host_name, |s| {
        let field = json!({ "description": "New.", "type": "integer", "minimum": 0 });
        insert(s, "/properties", "host_name", field);
    });
    scratch.refuses_schema(V4, "/properties/agent_env/enum/1: \"vm\" is not", |s| {
        *at(s, "/properties/agent_env/enum/1") = json!("vm");
    });
    scratch.refuses_schema(V4, "/properties/days_since_install/maximum: 400", |s| {
        *at(s, "/properties/days_since_install/maximum") = json!(400);
    });
    scratch.refuses_schema(V4, "/properties/active_days_30d: count in the schema", |s| {
        remove(s, "/properties/active_days_30d", "maximum");
    });
    scratch.refuses_schema(V4, "/properties/carried_over: not required", |s| {
        drop_required(s, "", "carried_over");
    });
    scratch.refuses_schema(V4, "/properties/product/properties/version/$ref: ", |s| {
        *at(s, "/properties/product/properties/version/$ref") = json!("#/$defs/version");
    });
    scratch.refuses_schema(V4, "/properties/anonymous_id_created_at/$ref: ", |s| {
        *at(s, "/properties/anonymous_id_created_at/$ref") = json!("#/$defs/timestamp");
    });
    scratch.refuses_schema(V4, "/$defs/product_name/pattern: ", |s| {
        *at(s, "/$defs/product_name/pattern") = json!("^[a-z0-9@/._-]{1,64}$");
    });
    scratch.refuses_schema(V4, "/$defs/code_counts/maxProperties: 21", |s| {
        *at(s, "/$defs/code_counts/maxProperties") = json!(21);
    });
    let codes = "/$defs/diagnostic_code/enum";
    scratch.refuses_schema(V4, &format!("{codes}: lacks MCPX_UNKNOWN"), |s| {
        at(s, codes).as_array_mut().unwrap().pop();
        remove(s, "/$defs/code_counts/properties", "MCPX_UNKNOWN");
    });
    scratch.refuses_schema(V4, &format!("{codes}/51: MCPX_WHATEVER is not in"), |s| {
        at(s, codes).as_array_mut().unwrap().push(json!("MCPX_WHATEVER"));
        let count = json!({ "type": "integer", "minimum": 0 });
        insert(s, "/$defs/code_counts/properties", "MCPX_WHATEVER", count);
    });
}

#[test]
fn a_schema_v3_that_says_other_than_v4_does_not_build() {
    let scratch = scratch();
    a_schema_that_differs_does_not_build(&scratch, V3);
    scratch.refuses_schema(V3, "/properties/host_name: v3 has this field, v4 has not", |s| {
        let field = json!({ "description": "New.", "type": "integer", "minimum": 0 });
        insert(s, "/properties", "host_name", field);
    });
    scratch.refuses_schema(V3, "/properties/tool_count: bounded count in v3", |s| {
        insert(s, "/properties/tool_count", "maximum", json!(1000));
    });
    scratch.refuses_schema(V3, "/properties/anonymous_id_created_at: ", |s| {
        at(s, "/required").as_array_mut().unwrap().push(json!("anonymous_id_created_at"));
    });
}

/// What is the same in both versions.
fn a_schema_that_differs_does_not_build(scratch: &Scratch, file: &str) {
    scratch.refuses_schema(file, "/properties/env_kind/enum/1: ", |s| {
        *at(s, "/properties/env_kind/enum/1") = json!("build_server");
    });
    scratch.refuses_schema(file, "/properties/routing_mode/enum: ", |s| {
        at(s, "/properties/routing_mode/enum").as_array_mut().unwrap().push(json!("mesh"));
    });
    let nested = "/properties/activation/properties/first_error_ever: ";
    scratch.refuses_schema(file, nested, |s| {
        let field = json!({ "description": "New.", "type": "boolean" });
        insert(s, "/properties/activation/properties", "first_error_ever", field);
    });
    scratch.refuses_schema(file, "/properties/surface_requests/properties/tray: ", |s| {
        remove(s, "/properties/surface_requests/properties", "tray");
        drop_required(s, "/properties/surface_requests", "tray");
    });
    scratch.refuses_schema(file, "/properties/autostart_enabled: not required", |s| {
        drop_required(s, "", "autostart_enabled");
    });
    scratch.refuses_schema(
        file,
        "/properties/env_markers/properties/has_tty: boolean or null",
        |s| {
            *at(s, "/properties/env_markers/properties/has_tty/type") = json!(["boolean", "null"]);
        },
    );
    let list = "/properties/activation/properties/mcp_clients_seen_ever";
    scratch.refuses_schema(file, &format!("{list}/maxItems: "), |s| {
        *at(s, &format!("{list}/maxItems")) = json!(17);
    });
    scratch.refuses_schema(file, "/$defs/client_name/pattern: ", |s| {
        *at(s, "/$defs/client_name/pattern") = json!("^[A-Za-z0-9 ._-]{1,64}$");
    });
    scratch.refuses_schema(file, "/properties/version/$ref: ", |s| {
        *at(s, "/properties/version/$ref") = json!("#/$defs/optional_version");
    });
    scratch.refuses_schema(file, "/properties/schema_version/const: ", |s| {
        *at(s, "/properties/schema_version/const") = json!(5);
    });
    scratch.refuses_schema(file, "/properties/os: the fields stand in another order", |s| {
        let os = at(s, "/properties/os").clone();
        remove(s, "/properties", "os");
        insert(s, "/properties", "os", os);
    });
}

#[test]
fn a_schema_the_compiler_does_not_understand_does_not_build() {
    let scratch = scratch();
    let marker = "/properties/env_markers/properties/is_container";
    scratch.refuses_schema(V4, &format!("{marker}/type: "), |s| {
        *at(s, &format!("{marker}/type")) = json!("string");
    });
    scratch.refuses_schema(V4, "/properties/tool_count/multipleOf: the keyword", |s| {
        insert(s, "/properties/tool_count", "multipleOf", json!(10));
    });
    scratch.refuses_schema(V4, "/properties/tool_count/minimum: ", |s| {
        remove(s, "/properties/tool_count", "minimum");
    });
    scratch.refuses_schema(V4, "/properties/active_days_30d/maximum: ", |s| {
        *at(s, "/properties/active_days_30d/maximum") = json!(30.5);
    });
    scratch.refuses_schema(V4, "/$defs/code_counts/additionalProperties: ", |s| {
        remove(s, "/$defs/code_counts", "additionalProperties");
    });
    scratch.refuses_schema(V4, "/$defs/code_counts/properties/MCPX_UNKNOWN: must stand at", |s| {
        remove(s, "/$defs/code_counts/properties", "MCPX_UNKNOWN");
    });
    scratch.refuses_schema(V4, "/$defs/code_counts/properties/MCPX_X: is not in", |s| {
        let count = json!({ "type": "integer", "minimum": 0 });
        insert(s, "/$defs/code_counts/properties", "MCPX_X", count);
    });
    scratch.refuses_schema(V4, "/$defs/diagnostic_code/enum/1: must be sorted", |s| {
        at(s, "/$defs/diagnostic_code/enum").as_array_mut().unwrap().swap(0, 1);
    });
    scratch.refuses_schema(V4, "/properties/product/properties/name/$ref: ", |s| {
        remove(s, "/$defs", "product_name");
    });
    scratch.refuses_schema(V3, "/properties/activation/additionalProperties: ", |s| {
        remove(s, "/properties/activation", "additionalProperties");
    });
    scratch.refuses_schema(V4, "/additionalProperties: ", |s| {
        insert(s, "", "additionalProperties", json!(true));
    });
    scratch.refuses_schema(V4, "/required: names \"uptime_days\"", |s| {
        at(s, "/required").as_array_mut().unwrap().push(json!("uptime_days"));
    });
    scratch.refuses_schema(V4, "/properties/arch/description: ", |s| {
        remove(s, "/properties/arch", "description");
    });
    scratch.refuses_schema(V4, "/$defs/free_text: the keyword", |s| {
        insert(s, "/$defs", "free_text", json!({ "type": "string" }));
    });
    scratch.refuses(V3, "ends in the middle of a value", |text| {
        text.trim_end().strip_suffix('}').unwrap_or_default().to_owned()
    });
    scratch.refuses(V4, "near \"edition\"", |text| {
        text.replacen("\"edition\": {", "\"edition\": {,", 1)
    });
    scratch.refuses(V4, "near \"has_display\"", |text| {
        text.replacen("\"has_tty\": {", "\"has_display\": {", 1)
    });
}

#[test]
fn code_that_says_other_than_the_schema_does_not_build() {
    let scratch = scratch();
    scratch.refuses("src/contract/terms.rs", "/properties/env_kind/enum/2: ", |text| {
        text.replacen("CloudIde = \"cloud_ide\"", "CloudIde = \"cloud\"", 1)
    });
    scratch.refuses("src/contract/mod.rs", "mcp_clients_seen_ever/maxItems: ", |text| {
        text.replacen("MAX_CLIENTS: usize = 16", "MAX_CLIENTS: usize = 32", 1)
    });
    let extra = "/properties/host_name: `Payload` has this field";
    scratch.refuses("src/contract/payload.rs", extra, |text| {
        let field = "/// New.\n        pub host_name: String as ClientName,\n        ";
        text.replacen("/// Operating system.", &format!("{field}/// Operating system."), 1)
    });
    scratch.refuses("src/contract/payload.rs", "/properties/tool_count: ", |text| {
        text.replacen("pub tool_count: Option<u64>", "pub tool_count: u64", 1)
    });
    scratch.refuses("src/contract/shapes.rs", "/$defs/timestamp/pattern: ", |text| {
        text.replacen("[0-5][0-9]Z$", "[0-5][0-9].*Z$", 1)
    });
    let days = "/properties/active_days_30d/maximum: ";
    scratch.refuses("src/contract/mod.rs", days, |text| {
        text.replacen("MAX_ACTIVE_DAYS: u64 = 30", "MAX_ACTIVE_DAYS: u64 = 31", 1)
    });
    scratch.refuses("src/contract/terms.rs", "/properties/previous_shutdown/enum/0: ", |text| {
        text.replacen("Crash = \"crash\"", "Crash = \"crashed\"", 1)
    });
    scratch.refuses(
        "src/contract/product.rs",
        "/properties/product/properties/name/$ref: ",
        |text| text.replacen("String as ProductName", "String as ClientName", 1),
    );
    let lacks = "/$defs/diagnostic_code/enum: lacks MCPX_OTHER";
    scratch.refuses("src/diagnostics/codes.rs", lacks, |text| {
        text.replacen("MCPX_UNKNOWN", "MCPX_OTHER", 1)
    });
    let unsaid = "/properties/carried_over: v4 has this field, v3 has not";
    scratch.refuses("build/versions.rs", unsaid, |text| {
        text.replacen("/properties/carried_over", "/properties/carried", 1)
    });
    scratch.refuses("src/build_info.rs", "MCPPROXY_VERSION must be a version", |text| {
        text.replacen("\"-dev\"", "\"-tim\"", 1)
    });
    let (built, messages) = scratch.check();
    assert!(built, "the copy does not build after every change was taken back:\n{messages}");
}

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

const SCHEMA: &str = "src/contract/heartbeat-v3.json";

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
    fn refuses_schema(&self, message: &str, change: impl FnOnce(&mut Value)) {
        self.refuses(SCHEMA, message, |text| {
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
fn a_schema_that_says_other_than_the_code_does_not_build() {
    let scratch = scratch();
    scratch.refuses_schema("/properties/env_kind/enum/1: ", |s| {
        *at(s, "/properties/env_kind/enum/1") = json!("build_server");
    });
    scratch.refuses_schema("/properties/routing_mode/enum: ", |s| {
        at(s, "/properties/routing_mode/enum").as_array_mut().unwrap().push(json!("mesh"));
    });
    scratch.refuses_schema("/properties/host_name: the schema has this field", |s| {
        let field = json!({ "description": "New.", "type": "integer", "minimum": 0 });
        insert(s, "/properties", "host_name", field);
    });
    let nested = "/properties/activation/properties/first_error_ever: the schema has this field";
    scratch.refuses_schema(nested, |s| {
        let field = json!({ "description": "New.", "type": "boolean" });
        insert(s, "/properties/activation/properties", "first_error_ever", field);
    });
    scratch.refuses_schema("/properties/surface_requests/properties/tray: ", |s| {
        remove(s, "/properties/surface_requests/properties", "tray");
        drop_required(s, "/properties/surface_requests", "tray");
    });
    scratch.refuses_schema("/properties/autostart_enabled: not required", |s| {
        drop_required(s, "", "autostart_enabled");
    });
    scratch.refuses_schema("/properties/env_markers/properties/has_tty: boolean or null", |s| {
        *at(s, "/properties/env_markers/properties/has_tty/type") = json!(["boolean", "null"]);
    });
    let list = "/properties/activation/properties/mcp_clients_seen_ever";
    scratch.refuses_schema(&format!("{list}/maxItems: 17"), |s| {
        *at(s, &format!("{list}/maxItems")) = json!(17);
    });
    scratch.refuses_schema("/$defs/client_name/pattern: ", |s| {
        *at(s, "/$defs/client_name/pattern") = json!("^[A-Za-z0-9 ._-]{1,64}$");
    });
    scratch.refuses_schema("/properties/version/$ref: ", |s| {
        *at(s, "/properties/version/$ref") = json!("#/$defs/optional_version");
    });
    scratch.refuses_schema("/properties/schema_version/const: 4", |s| {
        *at(s, "/properties/schema_version/const") = json!(4);
    });
    scratch.refuses_schema("/properties/os: the fields stand in another order", |s| {
        let os = at(s, "/properties/os").clone();
        remove(s, "/properties", "os");
        insert(s, "/properties", "os", os);
    });
}

#[test]
fn a_schema_the_compiler_does_not_understand_does_not_build() {
    let scratch = scratch();
    let marker = "/properties/env_markers/properties/is_container";
    scratch.refuses_schema(&format!("{marker}/type: "), |s| {
        *at(s, &format!("{marker}/type")) = json!("string");
    });
    scratch.refuses_schema("/properties/tool_count/maximum: the keyword", |s| {
        insert(s, "/properties/tool_count", "maximum", json!(1000));
    });
    scratch.refuses_schema("/properties/tool_count/minimum: ", |s| {
        remove(s, "/properties/tool_count", "minimum");
    });
    scratch.refuses_schema("/properties/activation/additionalProperties: ", |s| {
        remove(s, "/properties/activation", "additionalProperties");
    });
    scratch.refuses_schema("/additionalProperties: ", |s| {
        insert(s, "", "additionalProperties", json!(true));
    });
    scratch.refuses_schema("/required: names \"uptime_days\"", |s| {
        at(s, "/required").as_array_mut().unwrap().push(json!("uptime_days"));
    });
    scratch.refuses_schema("/properties/arch/description: ", |s| {
        remove(s, "/properties/arch", "description");
    });
    scratch.refuses_schema("/$defs/free_text: the keyword", |s| {
        insert(s, "/$defs", "free_text", json!({ "type": "string" }));
    });
    scratch.refuses(SCHEMA, "ends in the middle of a value", |text| {
        text.trim_end().strip_suffix('}').unwrap_or_default().to_owned()
    });
    scratch.refuses(SCHEMA, "near \"edition\"", |text| {
        text.replacen("\"edition\": {", "\"edition\": {,", 1)
    });
    scratch.refuses(SCHEMA, "near \"has_display\"", |text| {
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
    scratch.refuses("src/build_info.rs", "MCPPROXY_VERSION must be a version", |text| {
        text.replacen("\"-dev\"", "\"-tim\"", 1)
    });
    let (built, messages) = scratch.check();
    assert!(built, "the copy does not build after every change was taken back:\n{messages}");
}

//! The contract compiler: `src/contract/heartbeat-v3.json` -> `$OUT_DIR/contract.rs`.
//!
//! One rule: a keyword that is not implemented here is an error, so nothing in the schema can look like
//! a promise that the gate does not keep. The output holds the tables of `src/contract/table.rs`, and
//! one `const _: () = assert!(..)` for every fact that is also written by hand: a change on one side
//! only does not build, and the message begins with the JSON pointer of the field.

// The reader of the product reads the contract too: one reader, one idea of what JSON is.
#[path = "src/json.rs"]
mod json;
#[path = "build/schema.rs"]
mod schema;
#[path = "build/tables.rs"]
mod tables;

use schema::Contract;

const SCHEMA: &str = "src/contract/heartbeat-v3.json";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/json.rs");
    println!("cargo::rerun-if-changed={SCHEMA}");
    // For `mcpproxy --version --verbose`.
    println!("cargo::rustc-env=MCPPROXY_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let result = std::fs::read(SCHEMA)
        .map_err(|e| format!("{SCHEMA}: {e}"))
        .and_then(|text| compile(&text))
        .and_then(|rust| {
            let path = std::path::Path::new(&out).join("contract.rs");
            std::fs::write(path, rust).map_err(|e| format!("contract.rs: {e}"))
        });
    if let Err(message) = result {
        println!("cargo::error={message}");
    }
}

/// The Rust text for a schema, or one line: file, line, JSON pointer, what is wrong, how to fix it.
fn compile(text: &[u8]) -> Result<String, String> {
    let line = |at: usize| 1 + text.iter().take(at).filter(|&&byte| byte == b'\n').count();
    let schema = json::parse(text).map_err(|e| {
        format!("{SCHEMA}, line {}: not strict JSON: {e}{}", line(e.offset), near(text, e.offset))
    })?;
    let contract = Contract::read(&schema).map_err(|problem| {
        format!("{SCHEMA}, line {}: {}: {}", line(problem.at), problem.pointer, problem.what)
    })?;
    Ok(tables::rust(&contract))
}

/// The key at a syntax error, else the last one before it: the field that was being edited.
fn near(text: &[u8], at: usize) -> String {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, &[]));
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let key = match after.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => before.rsplit_once("\":").and_then(|(head, _)| head.rsplit('"').next()),
    };
    key.map(|key| format!(", near \"{key}\"")).unwrap_or_default()
}

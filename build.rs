//! The contract compiler: `src/contract/heartbeat-v3.json` and `-v4.json` -> `$OUT_DIR/contract.rs`.
//!
//! One rule: a keyword that is not implemented here is an error, so nothing in the schema can look like
//! a promise that the gate does not keep. The output holds the tables of `src/contract/table.rs`, and
//! one `const _: () = assert!(..)` for every fact that is also written elsewhere (by hand, or in the other
//! version): a change on one side only does not build, and the message begins with the JSON pointer of the
//! field.

// The reader of the product reads the contract too: one reader, one idea of what JSON is.
#[path = "src/diagnostics/codes.rs"]
#[allow(dead_code, reason = "the product names single codes, too")]
mod codes;
#[path = "src/json/read/mod.rs"]
#[allow(dead_code, reason = "the product reads other texts as well")]
mod json;
#[path = "build/schema.rs"]
mod schema;
#[path = "build/tables.rs"]
mod tables;
#[path = "build/versions.rs"]
mod versions;

use schema::Contract;
use tables::Difference;

const V3: &str = "src/contract/heartbeat-v3.json";
const V4: &str = "src/contract/heartbeat-v4.json";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/json/read/mod.rs");
    println!("cargo::rerun-if-changed=src/diagnostics/codes.rs");
    println!("cargo::rerun-if-changed={V3}");
    println!("cargo::rerun-if-changed={V4}");
    // For `mcpproxy --version --verbose`.
    println!("cargo::rustc-env=MCPPROXY_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let write = |name: &str, text: String| {
        let path = std::path::Path::new(&out).join(name);
        std::fs::write(path, text).map_err(|e| format!("{name}: {e}"))
    };
    let written = compile()
        .and_then(|rust| write("contract.rs", rust))
        .and_then(|()| std::fs::read_to_string(V4).map_err(|e| format!("{V4}: {e}")))
        .and_then(|schema| write("heartbeat-v4.json", without_words(&schema)?));
    if let Err(message) = written {
        println!("cargo::error={message}");
    }
}

/// The Rust text for both schemas, or one line about the first that cannot be read.
fn compile() -> Result<String, String> {
    let (old, new) = (read(V3)?, read(V4)?);
    let mut differences = versions::differences(&old, &new);
    differences.extend(against_the_catalog(&new.codes));
    Ok(tables::rust(&old, &new, &versions::ADDED, &differences))
}

/// A schema on one line, without the words for people.
fn without_words(schema: &str) -> Result<String, String> {
    let value = json::parse(schema.as_bytes()).map_err(|e| format!("{V4}: {e}"))?;
    let mut out = String::new();
    write_without_words(&value, schema, &mut out);
    Ok(out + "\n")
}

fn write_without_words(value: &json::Value<'_>, text: &str, out: &mut String) {
    let is_word = |member: &&json::Member<'_>| {
        ["$comment", "description", "title"].contains(&&*member.key)
            && member.value.as_str().is_some()
    };
    if let Some(members) = value.members() {
        out.push('{');
        for (at, member) in members.iter().filter(|member| !is_word(member)).enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            out.push_str(&text[member.key_span.clone()]);
            out.push(':');
            write_without_words(&member.value, text, out);
        }
        out.push('}');
    } else if let Some(items) = value.items() {
        out.push('[');
        for (at, item) in items.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            write_without_words(item, text, out);
        }
        out.push(']');
    } else {
        out.push_str(&text[value.span.clone()]);
    }
}

/// One schema, or one line: file, line, JSON pointer, what is wrong, how to fix it.
fn read(file: &str) -> Result<Contract, String> {
    let text = &std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let line = |at: usize| 1 + text.iter().take(at).filter(|&&byte| byte == b'\n').count();
    let schema = json::parse(text).map_err(|e| {
        format!("{file}, line {}: not strict JSON: {e}{}", line(e.offset), near(text, e.offset))
    })?;
    Contract::read(&schema).map_err(|problem| {
        format!("{file}, line {}: {}: {}", line(problem.at), problem.pointer, problem.what)
    })
}

/// The codes of the schema and of the catalog that the other does not have.
fn against_the_catalog(schema: &[String]) -> Vec<Difference> {
    let pointer = "/$defs/diagnostic_code/enum";
    let only_there =
        schema.iter().enumerate().filter(|(_, it)| !codes::CODES.contains(&it.as_str()));
    let only_here = codes::CODES.iter().filter(|code| !schema.iter().any(|it| it == *code));
    let more = only_there.map(|(at, code)| Difference {
        pointer: format!("{pointer}/{at}"),
        what: format!("{code} is not in src/diagnostics/codes.rs"),
    });
    let less = only_here.map(|code| Difference {
        pointer: pointer.to_owned(),
        what: format!("lacks {code} of src/diagnostics/codes.rs"),
    });
    more.chain(less).collect()
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

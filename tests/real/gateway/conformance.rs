//! The MCP project's conformance suite against a running gateway.
//!
//! docs/conformance.md says of every scenario what comes of it, and why; here that is found to be so.

use super::host::{Gateway, entry};
use crate::parts::{Parts, Server, file};
use crate::session::run;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// The revisions of the protocol the suite has requirements for; columns of the table, in this order.
const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];
const DOCUMENT: &str = include_str!("../../../docs/conformance.md");

/// Scenarios and what the document says of them in this column.
fn promised(column: usize) -> BTreeMap<String, String> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells[column] != "-")
        .map(|cells| (cells[0].trim_matches('`').to_owned(), cells[column].to_owned()))
        .collect()
}

/// Runs every scenario that a revision requires. What came of each, and what was wrong.
fn scenarios(
    parts: &Parts,
    gateway: &Gateway,
    revision: &str,
) -> BTreeMap<String, (String, Vec<Value>)> {
    let results = gateway.home.root().join(revision);
    let mut command: Vec<OsString> = vec!["node".into(), "--import".into()];
    command.push(file("clients/conformance.mjs").into());
    command.push(parts.npm("conformance/dist/index.js"));
    let mcp = gateway.mcp();
    command.extend(["server", "--url", &mcp, "--requirements", revision, "-o"].map(OsString::from));
    command.push(results.clone().into());
    // It fails when any scenario does; which may is the document's to say.
    let ended = run(&mut gateway.home.shell(&[], &command));
    let said = std::fs::read_dir(&results);
    let said = said.unwrap_or_else(|_| panic!("no results: {}{}", ended.stdout, ended.stderr));
    said.map(|entry| result(&entry.expect("an entry").path())).collect()
}

/// `-2026-11-25T02-55-49-833Z` at the end of a directory's name.
const TIME: usize = 25;

/// `server-NAME-TIME/checks.json`
fn result(directory: &Path) -> (String, (String, Vec<Value>)) {
    let name = directory.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    let name = name.strip_prefix("server-").expect("a server scenario");
    let name = &name[..name.len() - TIME];
    let checks = std::fs::read(directory.join("checks.json")).expect("its checks");
    let checks: Vec<Value> = serde_json::from_slice(&checks).expect("a list");
    let with = |status: &str| {
        let found = checks.iter().filter(|check| check["status"] == status);
        found.cloned().collect::<Vec<Value>>()
    };
    let (failures, warnings) = (with("FAILURE"), with("WARNING"));
    for failure in &failures {
        let is_extension = name.starts_with("tasks-") && failure["id"] != "wire-schema-valid";
        assert!(is_extension || is_excused(failure), "{name}: {failure:#}");
    }
    let verdict = match (failures.is_empty(), warnings.is_empty()) {
        (false, _) => "cannot",
        _ if with("SUCCESS").is_empty() => "skips itself",
        (true, false) => "passes, warns",
        (true, true) => "passes",
    };
    (name.to_owned(), (verdict.to_owned(), [failures, warnings].concat()))
}

/// Whether a failed check says that something of the fixture is missing: any other failure is the gateway's.
fn is_excused(failure: &Value) -> bool {
    let missing = [
        "unknown tool: ",
        "unknown prompt",
        "Not testable: ",
        "not found. Available tools: retrieve_tools, call_tool, telemetry_status",
        "Expected InputRequiredResult",
        "Prerequisite failed",
        "logging/setLevel",
        "resources/subscribe",
    ];
    let said = failure["errorMessage"].as_str().unwrap_or_default();
    missing.iter().any(|words| said.contains(words))
}

#[test]
fn every_scenario_comes_out_as_the_document_says() {
    let Some(parts) = Parts::find() else { return };
    let fixtures = ["python3".into(), "-S".into(), file("servers/fixtures.py").into()];
    let mut gateway = Gateway::connected_to(&json!({
        "everything": entry(&Server::Everything.command(&parts)),
        "fixtures": entry(&fixtures),
    }));
    for (column, revision) in REVISIONS.iter().enumerate() {
        let promised = promised(column + 1);
        let found = scenarios(&parts, &gateway, revision);
        for (name, (verdict, wrong)) in &found {
            assert_eq!(promised.get(name), Some(verdict), "{revision} {name}: {wrong:#?}");
        }
        for name in promised.keys() {
            assert!(found.contains_key(name), "{revision}: {name} was not run");
        }
    }
    assert!(gateway.stop().success(), "{}", gateway.log());
}

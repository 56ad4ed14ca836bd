//! Runs of the conformance suite, what came of them, and what the document says of them.

use crate::parts::{Parts, file};
use crate::session::{Home, MCPPROXY, wait};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// The revisions of the protocol the suite has requirements for; columns of the tables, in this order.
pub const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");

/// No run of the suite needs longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// For one scenario, in milliseconds.
const SCENARIO: &str = "60000";

/// Scenarios, the checks of each, and how they came out.
pub type Checks = BTreeMap<String, BTreeMap<String, &'static str>>;
/// Scenario, check, and how it comes out without a gateway and with one.
pub type Difference = (String, String, String);

/// What is said of a check that did not come up.
const ABSENT: &str = "nothing";

/// Runs the suite; it fails when any scenario does, and which may is the document's to say.
fn run(parts: &Parts, home: &Home, args: &[OsString]) -> String {
    let mut command: Vec<OsString> = vec!["node".into(), "--import".into()];
    command.push(file("clients/conformance.mjs").into());
    command.push(parts.npm("conformance/dist/index.js"));
    command.extend_from_slice(args);
    let log = home.root().join("suite.log");
    let said = File::create(&log).expect("a log");
    let mut shell = home.shell(&[], &command);
    shell.stdout(said.try_clone().expect("a log")).stderr(said).stdin(Stdio::null());
    let ended = wait(&mut shell.spawn().expect("start the suite"), PATIENCE);
    let said = std::fs::read_to_string(log).expect("a log");
    assert!(ended.is_some(), "the suite does not end: {said}");
    said
}

/// Every server scenario of a revision, against the server at `url`.
pub fn server_scenarios(parts: &Parts, home: &Home, url: &str, revision: &str) -> Checks {
    let results = home.root().join(revision);
    let mut args = vec!["server", "--url", url, "--requirements", revision, "--timeout", SCENARIO];
    args.push("-o");
    let args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
    let said = run(parts, home, &[args, vec![results.clone().into()]].concat());
    let directories = std::fs::read_dir(&results).unwrap_or_else(|_| panic!("no results: {said}"));
    let directories = directories.map(|entry| entry.expect("an entry").path());
    directories.map(|directory| (named(&directory), checks(&directory, &said))).collect()
}

/// `-2026-11-25T02-55-49-833Z` at the end of a directory's name.
const TIME: usize = 25;

/// `server-NAME-TIME`
fn named(directory: &Path) -> String {
    let name = directory.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    let name = name.strip_prefix("server-").expect("a server scenario");
    name[..name.len() - TIME].to_owned()
}

/// Every client scenario of a revision but those for authorization, with `client` as the client: the gateway sends
/// the headers of a server's entry and asks no authorization server. One of them shows what comes of that.
pub fn of_clients(parts: &Parts, revision: &str, client: &[PathBuf]) -> Checks {
    let requirements = parts.npm(&format!("conformance/requirements/{revision}.yaml"));
    let requirements = std::fs::read_to_string(requirements).expect("the requirements");
    let scenarios = client_scenarios(&requirements).into_iter();
    let scenarios =
        scenarios.filter(|name| !name.starts_with("auth/") || name == "auth/metadata-default");
    let home = Home::new();
    // The suite splits the command at blanks.
    let command = home.root().join("client.sh");
    let words: Vec<String> = client.iter().map(|word| format!("'{}'", word.display())).collect();
    std::fs::write(&command, format!("exec {} \"$@\"\n", words.join(" "))).expect("a script");
    let command = format!("sh {}", command.display());
    let found = scenarios.map(|name| {
        let results = home.root().join("results").join(name.replace('/', "-"));
        let mut args = vec!["client", "--command", &command, "--scenario", &name, "--force"];
        args.extend(["--spec-version", revision, "--timeout", SCENARIO, "-o"]);
        let args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
        let said = run(parts, &home, &[args, vec![results.clone().into()]].concat());
        let directory = parent_of_checks(&results).unwrap_or_else(|| panic!("no results: {said}"));
        let checks = checks(&directory, &said);
        (name, checks)
    });
    let found: Checks = found.collect();
    assert!(found.len() > 4, "{revision}: {:?}", found.keys());
    found
}

/// The command of a client that is behind a gateway, before that of the client.
pub fn behind() -> Vec<PathBuf> {
    vec!["node".into(), file("clients/behind.mjs"), MCPPROXY.into()]
}

/// Those that a revision requires of clients, and those that are run beside them.
fn client_scenarios(requirements: &str) -> BTreeSet<String> {
    let mut list = "";
    let mut scenarios = BTreeSet::new();
    let mut last = "";
    for line in requirements.lines() {
        match line.trim_start() {
            _ if line.ends_with(':') && !line.starts_with([' ', '#']) => list = line,
            item if list == "client:" => {
                scenarios.extend(item.strip_prefix("- ").map(str::to_owned));
            }
            item if item.starts_with("- scenario: ") => last = &item["- scenario: ".len()..],
            "leg: client" => {
                scenarios.insert(last.to_owned());
            }
            _ => {}
        }
    }
    scenarios
}

/// The directory below `results` with the file of checks.
fn parent_of_checks(results: &Path) -> Option<PathBuf> {
    if results.join("checks.json").is_file() {
        return Some(results.to_owned());
    }
    let entries = std::fs::read_dir(results).ok()?.filter_map(Result::ok);
    entries.filter(|entry| entry.path().is_dir()).find_map(|entry| parent_of_checks(&entry.path()))
}

/// The worst that came of each check. What only informs is no check.
fn checks(directory: &Path, said: &str) -> BTreeMap<String, &'static str> {
    let checks = std::fs::read(directory.join("checks.json"));
    let checks = checks.unwrap_or_else(|_| panic!("no checks in {directory:?}: {said}"));
    let checks: Vec<Value> = serde_json::from_slice(&checks).expect("a list");
    let mut worst: BTreeMap<String, usize> = BTreeMap::new();
    for check in &checks {
        let status = check["status"].as_str().expect("a status");
        if let Some(rank) = RANKS.iter().position(|(known, _)| *known == status) {
            let id = check["id"].as_str().expect("an id").to_owned();
            let rank = rank.max(worst.get(&id).copied().unwrap_or_default());
            worst.insert(id, rank);
        }
    }
    worst.into_iter().map(|(id, rank)| (id, RANKS[rank].1)).collect()
}

/// What can come of a check, from good to bad, and what it is called.
const RANKS: [(&str, &str); 4] =
    [("SUCCESS", "passes"), ("SKIPPED", "skips"), ("WARNING", "warns"), ("FAILURE", "fails")];

/// The checks that come out otherwise.
pub fn differences(alone: &Checks, behind: &Checks) -> BTreeSet<Difference> {
    let scenarios = |checks: &Checks| checks.keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(scenarios(alone), scenarios(behind), "other scenarios were run");
    let mut differences = BTreeSet::new();
    for (scenario, alone) in alone {
        let behind = &behind[scenario];
        for check in alone.keys().chain(behind.keys()) {
            let verdict = |checks: &BTreeMap<String, &'static str>| {
                checks.get(check).copied().unwrap_or(ABSENT)
            };
            let (before, after) = (verdict(alone), verdict(behind));
            if before != after {
                let verdicts = format!("{before}, {after}");
                differences.insert((scenario.clone(), check.clone(), verdicts));
            }
        }
    }
    differences
}

/// What a section of the document lists for a revision: `| scenario | checks | REVISION | REVISION | why |`
pub fn listed(section: &str, column: usize) -> BTreeSet<Difference> {
    let document = std::fs::read_to_string(DOCUMENT).expect("the document");
    let start = document.find(section).expect("the section");
    let section = &document[start + section.len()..];
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut listed = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [scenario, checks, .., why] = cells[..] else { panic!("a short row: {row}") };
        assert!(!why.is_empty(), "no reason: {row}");
        let verdicts = cells[2 + column];
        for check in checks.split(", ").filter(|_| verdicts != "-") {
            let own = |cell: &str| cell.trim_matches('`').to_owned();
            listed.insert((own(scenario), own(check), verdicts.to_owned()));
        }
    }
    listed
}

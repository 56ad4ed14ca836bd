//! The collector's numbers against the truth: a fleet of the client's own code is received, and what the pages
//! and reports show is compared, cell by cell, with what `scripts/truth.py` computes from the fleet's event log alone.
//!
//! `MCPPROXY_FLEET=INSTALLSxDAYSxSEEDS` asks for another size.

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use mcpproxy::collector::definitions::Day;
use mcpproxy::collector::simulate::{self, Options, PRODUCTS, Receiving, Watched};
use mcpproxy::collector::store::{Store, StoreOptions};
use serde_json::Value;
use std::fs::File;
use std::io::BufWriter;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;

/// Installs, days, seeds.
const USUAL: (u64, u64, u64) = (2_000, 60, 3);
/// Shares are shown with four places.
const ROUNDED: f64 = 0.5e-4 + 1e-9;
/// Numbers that an event log cannot know: how many bytes the database has, and how many of them are new.
const NOT_COMPUTED: [&str; 2] = ["bytes", "growth_28_days"];

#[test]
fn the_pages_show_the_truth_cell_by_cell() {
    if Command::new("python3").arg("--version").output().is_err() {
        skipped!("there is no python3, so the truth was not computed");
        return;
    }
    let (installs, days, seeds) = size();
    let of_seed = |seed| compare(&Options { installs, days, seed });
    let cells: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (1..=seeds).map(|seed| scope.spawn(move || of_seed(seed))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|why| resume_unwind(why))).collect()
    });
    for (seed, cells) in (1..=seeds).zip(cells) {
        eprintln!("seed {seed}: {cells} cells are equal");
    }
}

/// What is asked for, or the usual.
fn size() -> (u64, u64, u64) {
    let Ok(asked) = std::env::var("MCPPROXY_FLEET") else { return USUAL };
    let numbers: Vec<u64> = asked.split('x').filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [installs, days, seeds] => (installs, days, seeds),
        _ => panic!("MCPPROXY_FLEET is INSTALLSxDAYSxSEEDS, such as 2000x60x3"),
    }
}

/// Compares every report at each moment; how many cells were equal.
fn compare(options: &Options) -> usize {
    let dir = tempfile::tempdir().expect("a directory");
    // A fleet commits some thousand times, which is about the numbers and not about the disk.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("memory");
    let collector = Receiving::open(&memory.path().join("collector")).expect("a collector");
    let mut watched = Watched::new(collector, options);
    let log = dir.path().join("events");
    let mut out = BufWriter::new(File::create(&log).expect("a log"));
    simulate::run(options, &mut watched, &mut out).expect("the fleet runs");
    std::io::Write::flush(&mut out).expect("the log is written");
    drop(out);

    let truth = truth(&log, watched.moments(), watched.since());
    let shown = watched.pages();
    assert_eq!(truth.len(), shown.len(), "pages");
    let mut cells = 0;
    let mut wrong = Vec::new();
    for (truth, shown) in truth.iter().zip(shown) {
        let shown: Value = serde_json::from_str(shown).expect("a page is JSON");
        let name = ["page", "product", "show", "since", "as_of"].map(|key| truth[key].to_string());
        differences(&name.join(" "), truth, &shown, &mut cells, &mut wrong);
    }
    if !wrong.is_empty() {
        let (n, some) = (wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
        let Options { installs, days, seed } = options;
        panic!(
            "{n} of {cells} cells are not the truth of `mcpproxy collector simulate --installs {installs} \
             --days {days} --seed {seed}`:\n{some}"
        );
    }
    cells
}

/// The tables that follow from the log.
fn truth(log: &Path, moments: &[u64], since: Day) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/truth.py");
    let mut python = Command::new("python3");
    python.arg("-B").arg(script).arg(log).args(["--since", &since.to_string()]);
    for moment in moments {
        python.args(["--at", &moment.to_string()]);
    }
    let out = python.output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("the truth is JSON")
}

/// Counts the cells, and tells those that differ.
fn differences(
    place: &str,
    truth: &Value,
    shown: &Value,
    cells: &mut usize,
    wrong: &mut Vec<String>,
) {
    match (truth, shown) {
        (Value::Object(true_members), Value::Object(members)) => {
            let number = shown["number"].as_str().unwrap_or_default();
            if truth["number"] == shown["number"] && NOT_COMPUTED.contains(&number) {
                return;
            }
            let unknown = members.keys().filter(|name| !true_members.contains_key(*name));
            for name in unknown {
                wrong.push(format!("{place}/{name}: shown, but unknown to the truth"));
            }
            for (name, truth) in true_members {
                let shown = members.get(name).unwrap_or(&Value::Null);
                differences(&format!("{place}/{name}"), truth, shown, cells, wrong);
            }
        }
        (Value::Array(truths), Value::Array(all)) if truths.len() == all.len() => {
            for (at, (truth, shown)) in truths.iter().zip(all).enumerate() {
                differences(&format!("{place}/{at}"), truth, shown, cells, wrong);
            }
        }
        _ => {
            *cells += 1;
            let is_equal = match (truth.as_f64(), shown.as_f64()) {
                (Some(truth), Some(shown)) if truth.fract() != 0.0 || shown.fract() != 0.0 => {
                    (truth - shown).abs() <= ROUNDED
                }
                (Some(truth), Some(shown)) => truth == shown,
                _ => truth == shown,
            };
            if !is_equal {
                wrong.push(format!("{place}: {shown} is shown, {truth} is true"));
            }
        }
    }
}

#[test]
fn the_command_writes_the_log_that_the_truth_is_computed_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("events");
    let simulate = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.args(["collector", "simulate", "--installs", "30", "--days", "9"]).args(arguments);
        command.arg("--out").arg(&log).output().expect("the command runs")
    };
    let first = simulate(&["--seed", "5"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let text = std::fs::read_to_string(&log).expect("a log");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    assert!(events.filter(|event| event["event"] == "sent").count() > 10);

    let again = simulate(&["--seed", "5"]);
    assert_eq!(again.status.code(), Some(1), "a file that exists is not written over");
    assert_eq!(std::fs::read_to_string(&log).expect("a log"), text);
    assert_eq!(simulate(&["--seed", "none"]).status.code(), Some(2));
}

#[test]
fn an_imported_log_shows_what_its_heartbeats_showed_when_they_were_received() {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, kept, imported) =
        (dir.path().join("events"), dir.path().join("kept"), dir.path().join("imported"));
    let options = Options { installs: 60, days: 20, seed: 5 };
    // What is shown is of the fleet's last day. A log is imported today: all of its days have passed.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("a clock after 1970").as_secs();
    let ahead = i128::from(options.end()) - i128::from(now);
    let said = |words: &[&str], place: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.arg("collector").args(words);
        if words[0] != "import" {
            command.env("MCPPROXY_TEST_CLOCK_OFFSET", ahead.to_string());
        }
        if words[0] != "simulate" {
            command.arg("--data-dir").arg(place);
        }
        let output = command.output().expect("the command runs");
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {why}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let simulate = ["simulate", "--installs", "60", "--days", "20", "--seed", "5"];
    let (log, keep) = (text(&log), text(&kept));
    said(&[&simulate[..], &["--out", &log, "--keep", &keep]].concat(), &kept);
    // A collector makes the key of a new database.
    let options = StoreOptions {
        dir: imported.clone(),
        products: PRODUCTS.map(str::to_owned).to_vec(),
        ephemeral: true,
        ..StoreOptions::default()
    };
    drop(Store::open(&options).expect("a database"));
    let report = said(&["import", &log], &imported);
    assert!(report.starts_with("Stored ") && report.contains("not received"), "{report}");
    let sorted = |place: &Path| {
        let mut lines: Vec<String> =
            said(&["export", "-"], place).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert!(!sorted(&kept).is_empty());
    assert_eq!(sorted(&kept), sorted(&imported));
}

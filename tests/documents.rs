//! The documents are true about the built binary: every command, option and file that they name exists.
#![cfg(feature = "full")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)).into();
    for folder in ["docs", "docs/collector", "docs/reference"] {
        let folder = root().join(folder);
        let docs = fs::read_dir(folder).expect("docs").map(|entry| entry.expect("an entry").path());
        paths.extend(docs.filter(|path| path.is_file()));
    }
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy();
        (name.into_owned(), fs::read_to_string(path).expect("a document"))
    };
    paths.into_iter().map(read).collect()
}

fn run(args: &[&str]) -> Option<String> {
    let binary = env!("CARGO_BIN_EXE_mcpproxy");
    let output = Command::new(binary).args(args).env_clear().output().expect("it starts");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The command lines of a document: in code spans, and on the lines of its code blocks.
fn command_lines(text: &str) -> BTreeSet<String> {
    let spans = text.split('`').skip(1).step_by(2);
    let lines = text.lines().map(|line| line.trim_start_matches("$ "));
    let piped = lines.flat_map(|line| line.split(" | "));
    spans.chain(piped).filter(|line| line.starts_with("mcpproxy ")).map(str::to_owned).collect()
}

#[test]
fn every_command_and_option_that_is_written_of_exists() {
    let mut checked = 0;
    for (name, text) in documents() {
        for line in command_lines(&text) {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            // Builds of their own; `cargo test --features simulate` looks at these.
            let is_built = match words.as_slice() {
                ["collector", "simulate", ..] => cfg!(feature = "simulate"),
                ["collector", ..] => cfg!(feature = "collector"),
                _ => true,
            };
            if !is_built {
                continue;
            }
            if words.get(..2) == Some(&["collector", "simulate"]) && !cfg!(feature = "simulate") {
                continue;
            }
            let is_word = |w: &&&str| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let plain = words.iter().take_while(|w| is_word(w) && !w.starts_with('-'));
            let mut command: Vec<&str> = plain.copied().take(3).collect();
            command.truncate(match command.as_slice() {
                ["telemetry" | "upstream", ..] => 2,
                ["collector", "product", ..] => 3,
                ["collector", _, ..] => 2,
                _ => 1,
            });
            let help = run(&[&["help"], &command[..]].concat());
            let help = help.unwrap_or_else(|| panic!("{name}: `{line}`: no such command"));
            // From the server's command on, options are the server's.
            let own = words.iter().take_while(|w| **w != "--");
            for option in own.filter(|word| word.starts_with('-') || word.starts_with("[-")) {
                let option = option.trim_start_matches('[').trim_end_matches([']', '.', ',']);
                assert!(help.contains(option), "{name}: `{line}`: no such option {option}");
                checked += 1;
            }
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked}");
}

#[test]
fn the_group_of_commands_in_the_changelog_is_complete() {
    let (_, text) =
        documents().into_iter().find(|(name, _)| name == "CHANGELOG.md").expect("there");
    let group = text.split("`mcpproxy telemetry ").nth(2).and_then(|rest| rest.split('`').next());
    let written: BTreeSet<&str> = group.expect("a list of commands").split('|').collect();
    let help = run(&["telemetry", "--help"]).expect("help");
    let built: BTreeSet<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  telemetry ")?.split_whitespace().next())
        .collect();
    assert_eq!(written, built);
}

/// Paths in the text and targets of its links.
#[test]
fn every_file_that_is_written_of_exists() {
    for (name, text) in documents() {
        let path = root().join(&name);
        let folder = path.parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, heading) = match target.split_once('#') {
                Some((file, heading)) => (file, Some(heading)),
                None => (target, None),
            };
            assert!(folder.join(file).exists(), "{name}: no {file}");
            let Some(heading) = heading else { continue };
            let there = match file {
                "" => text.clone(),
                file => fs::read_to_string(folder.join(file)).expect("text"),
            };
            let slug =
                |line: &str| line.trim_start_matches(['#', ' ']).replace('`', "").replace(' ', "-");
            let mut headings = there.lines().filter(|line| line.starts_with('#'));
            let found = headings.any(|line| slug(line).eq_ignore_ascii_case(heading));
            assert!(found, "{name}: no heading {target}");
        }
        for span in text.split('`').skip(1).step_by(2) {
            let is_path =
                ["src/", "docs/", "tests/", "scripts/", "examples/", "platform/", "build/"]
                    .iter()
                    .any(|start| span.starts_with(start));
            if is_path && !span.contains([' ', '*']) {
                assert!(root().join(span).exists(), "{name}: no {span}");
            }
        }
    }
}

#[test]
fn the_recorded_evidence_of_the_documents_is_judged_as_they_say() {
    use std::io::Write as _;
    let text = fs::read_to_string(root().join("docs/environment.md")).expect("a document");
    let start = "$ echo '";
    let block = text.split(start).nth(1).expect("an example");
    let (evidence, rest) = block.split_once("' | mcpproxy detect --evidence -\n").expect("piped");
    let binary = env!("CARGO_BIN_EXE_mcpproxy");
    let mut detect = Command::new(binary)
        .args(["detect", "--evidence", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = detect.stdin.take().expect("piped");
    input.write_all(evidence.as_bytes()).expect("written");
    drop(input);
    let output = detect.wait_with_output().expect("it ends");
    let verdict = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(rest.lines().next(), verdict.lines().next());
}

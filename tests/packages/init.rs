//! `init` of both packages, and the servers that it makes: run from the files as the packers pack them, with the
//! machine's own Node.js and Python.

mod cases;
mod packed;
#[allow(dead_code)]
#[path = "../support/receiver.rs"]
mod receiver;
mod refusals;
mod rules;
mod started;
mod switch;
mod terminal;

use packed::{Language, Packed};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

/// What both packages are packed as.
const VERSION: &str = "9.8.7";

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_owned();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

fn write(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
    std::fs::write(file, text).expect("written");
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Ends with this code and one line on standard error, which holds these parts; nothing on standard output.
#[track_caller]
fn says_only(output: &Output, code: i32, parts: &[&str]) {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!((output.status.code(), out.as_str()), (Some(code), ""), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    for part in parts {
        assert!(err.contains(part), "{part} is not in {err}");
    }
}

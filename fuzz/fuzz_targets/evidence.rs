//! `detect --evidence`: any line gets a verdict or an error, and neither repeats a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcpproxy::environment::{RecordedEvidence, RecordingError, classify};
use mcpproxy::json::ErrorKind;
use mcpproxy_fuzz::Numbers;
use mcpproxy_fuzz::raw::Raw;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A recording as `serde` reads it: laxer (`null`, repeated keys inside maps).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    cgroup: Option<String>,
    mountinfo: Option<String>,
    #[serde(rename = "os")]
    _os: Option<String>,
    #[serde(default, rename = "tty")]
    _tty: Option<bool>,
    osrelease: Option<String>,
    #[serde(default, rename = "terminal")]
    _terminal: Option<bool>,
    #[serde(default)]
    ancestors: Vec<Ancestor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ancestor {
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default, rename = "terminal")]
    _terminal: Option<bool>,
}

impl Recording {
    /// Of the process and its ancestors.
    fn variables(&self) -> impl Iterator<Item = (&String, &String)> {
        let ancestors = self.ancestors.iter().map(|ancestor| &ancestor.env);
        std::iter::once(&self.env).chain(ancestors).flatten()
    }
}

fuzz_target!(|line: &[u8]| {
    let theirs = serde_json::from_slice::<Recording>(line);
    let recorded = match RecordedEvidence::from_json(line) {
        Ok(recorded) => recorded,
        Err(error) => return refused(line, &error, theirs.ok()),
    };
    let theirs = match theirs {
        Ok(theirs) => theirs,
        // Half a surrogate pair is read as U+FFFD.
        Err(error) => return assert!(error.to_string().contains("hex escape"), "{error}"),
    };
    let verdict = classify(&recorded);
    assert_eq!(verdict, classify(&recorded), "the same evidence has the same verdict");

    // Names of what was recorded and nothing else: a value has no way in.
    for name in &verdict.evidence {
        let is_name = match name.split_once(':') {
            Some(("env", variable)) => theirs.variables().any(|(name, _)| name == variable),
            Some(("terminal", "ancestor")) => !theirs.ancestors.is_empty(),
            Some(("path", path)) => {
                theirs.files.contains_key(path) || theirs.paths.iter().any(|p| p == path)
            }
            Some(("file", path)) => theirs.files.contains_key(path),
            Some(_) => false,
            None => ["cgroup", "mountinfo", "tty", "osrelease", "terminal"].contains(&name.as_str()),
        };
        assert!(is_name, "{name}");
    }
    assert_eq!(verdict.rule.env_kind(), verdict.env_kind);

    let text = std::str::from_utf8(line).expect("JSON is UTF-8");
    let raw = Raw::read(text).expect("serde has read it");
    let other = raw.rewritten(&mut Numbers::of(line), true);
    let other = RecordedEvidence::from_json(other.as_bytes()).expect("the same recording");
    assert_eq!(classify(&other), verdict, "neither order nor white space matters");
});

fn refused(line: &[u8], error: &RecordingError, theirs: Option<Recording>) {
    let Some(theirs) = theirs else { return };
    // Stricter than serde only where it is meant to be.
    match error {
        RecordingError::Json(error) => {
            assert!(matches!(error.kind, ErrorKind::DuplicateKey | ErrorKind::TooDeep), "{error}");
        }
        RecordingError::WrongType { .. } => {}
        // Derived readers take a list for an object.
        RecordingError::NotAnObject => {}
        RecordingError::UnknownKey(key) => panic!("serde knows {key}"),
    }
    let shown = error.to_string();
    let values = theirs.variables().map(|(_, value)| value).chain(theirs.files.values()).chain(&theirs.paths);
    let texts = [&theirs.cgroup, &theirs.mountinfo, &theirs.osrelease].into_iter().flatten();
    let keys: Vec<&String> = theirs.variables().map(|(name, _)| name).chain(theirs.files.keys()).collect();
    for value in values.chain(texts).filter(|value| value.len() >= 12) {
        let is_key = keys.iter().any(|key| key.contains(value.as_str()));
        // A value may happen to be what errors say: then it says the same of another one.
        let is_ours = || {
            let other = RecordedEvidence::from_json(&masked(line, value.as_bytes()));
            other.is_err_and(|error| error.to_string() == shown)
        };
        assert!(is_key || !shown.contains(value.as_str()) || is_ours(), "an error repeats a value");
    }
}

/// `line` with other letters wherever `value` stands in it.
fn masked(line: &[u8], value: &[u8]) -> Vec<u8> {
    let mut masked = line.to_vec();
    for at in
        (0..=line.len().saturating_sub(value.len())).filter(|at| line[*at..].starts_with(value))
    {
        let letters = &mut masked[at..at + value.len()];
        letters
            .iter_mut()
            .filter(|byte| byte.is_ascii_alphanumeric())
            .for_each(|byte| *byte = b'q');
    }
    masked
}

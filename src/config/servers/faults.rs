//! What the gateway found to be off in what servers offer, kept for `mcpproxy upstream list`.
//!
//! One rule: nothing depends on it. It says what was found when a server was last asked, and one that cannot be read
//! or written is as good as none.

use crate::json;
use crate::paths::DataDir;
use mcpproxy_platform::files;
use std::fs;
use std::sync::{Mutex, PoisonError};

/// A server, and sentences about it.
type Found = (String, Vec<String>);

/// A longer file is not ours.
const MOST_BYTES: u64 = 4 << 20;

/// What was found, server by server.
pub fn read(dir: &DataDir) -> Vec<Found> {
    let path = dir.upstream_faults();
    let is_ours =
        fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= MOST_BYTES);
    let bytes = if is_ours { fs::read(&path).unwrap_or_default() } else { Vec::new() };
    let Ok(root) = json::parse(&bytes) else { return Vec::new() };
    let sentences = |value: &json::Value<'_>| {
        let items = value.items().unwrap_or_default().iter();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let members = root.get("servers").and_then(|servers| servers.members()).unwrap_or_default();
    members.iter().map(|it| (it.key.clone().into_owned(), sentences(&it.value))).collect()
}

/// Keeps what was found of `server`; what was there of servers that are not among `all` goes.
pub fn keep(dir: &DataDir, server: &str, faults: Vec<String>, all: &[&str]) {
    // Servers are asked side by side.
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = read(dir);
    let mut found: Vec<Found> = before.clone();
    found.retain(|(name, _)| name != server && all.contains(&name.as_str()));
    if !faults.is_empty() {
        found.push((server.to_owned(), faults));
    }
    found.sort();
    if found == before {
        return;
    }
    let path = dir.upstream_faults();
    if found.is_empty() {
        let _ = fs::remove_file(path);
        return;
    }
    let mut text = String::from("{\"servers\":{");
    for (at, (name, faults)) in found.into_iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "," });
        json::write_str(&mut text, &name);
        text.push(':');
        text.push('[');
        for (at, fault) in faults.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "," });
            json::write_str(&mut text, fault);
        }
        text.push(']');
    }
    text.push_str("}}\n");
    let _ = files::write_atomically(&path, text.as_bytes(), 0o600);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_kept_until_it_is_gone() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = DataDir::at(root.path());
        let faults = |words: &str| vec![words.to_owned()];
        let all = ["b", "a \"q\""];
        keep(&dir, "b", Vec::new(), &all);
        assert!(!dir.upstream_faults().exists(), "no file without a fault");
        keep(&dir, "b", faults("one"), &all);
        keep(&dir, "a \"q\"", faults("two\n"), &all);
        let both = vec![("a \"q\"".to_owned(), faults("two\n")), ("b".to_owned(), faults("one"))];
        assert_eq!(read(&dir), both);
        keep(&dir, "b", Vec::new(), &["b"]);
        assert!(!dir.upstream_faults().exists(), "and none when the last is gone");
        fs::write(dir.upstream_faults(), "no JSON").expect("a file");
        assert_eq!(read(&dir), []);
    }
}

//! Reads Rust source just far enough to know which paths it names.
//!
//! One rule: code of tests is not read. A path that cannot be resolved (`use crate as x`, `use crate::*`) is
//! reported as the room `*`, which no wall lets through.

use std::fs;
use std::path::Path;

/// One file of production code.
pub struct Source {
    /// Its path from the root of the repository.
    pub path: String,
    /// The room that it belongs to.
    pub room: String,
    /// Its text without comments, strings and code of tests; as many lines as before.
    text: String,
}

/// One mention of a room of this crate.
pub struct Reference {
    /// Line, from 1.
    pub line: usize,
    /// The room that is named.
    pub room: String,
    /// How.
    pub path: String,
}

impl Source {
    /// A file at `path` that says `text`.
    pub fn new(path: &str, text: &str) -> Self {
        let room = match path.strip_prefix("src/") {
            Some(inside) => inside.split('/').next().unwrap_or_default().trim_end_matches(".rs"),
            None => "platform",
        };
        let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
        let text = if is_test { String::new() } else { without_tests(&without_comments(text)) };
        Self { path: path.to_owned(), room: room.to_owned(), text }
    }

    /// Whether `word` stands in its code, and not as a part of a longer one.
    #[cfg(any(feature = "cli", feature = "serve"))]
    pub fn has_word(&self, word: &str) -> bool {
        has_word(&self.text, word)
    }

    /// How many modules lie between the root of the crate and the code of this file, itself included.
    fn depth(&self) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let own = usize::from(!inside.ends_with("mod.rs"));
        inside.matches('/').count() + own
    }
}

/// Whether `word` stands in `text`, and not as a part of a longer one.
#[cfg(any(feature = "cli", feature = "serve"))]
pub fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// All files below `folder`, sorted.
pub fn files_below(root: &Path, folder: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(root.join(folder))
        .expect(folder)
        .map(|entry| entry.expect("an entry"))
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            sources.extend(files_below(root, &path));
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source file");
            sources.push(Source::new(&path, &text));
        }
    }
    sources
}

/// `text` with comments and the insides of strings replaced by blanks; lines stay where they are.
fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = match rest {
            [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => text[at..].find("*/").map_or(rest.len(), |end| end + 2),
            [b'r', b'"' | b'#', ..] if !at.checked_sub(1).is_some_and(|i| is_word(bytes[i])) => {
                raw_string(&text[at..])
            }
            [b'"', ..] => string(rest),
            // Of character literals only those matter that look like the beginning of something else.
            [b'\'', b'"' | b'/', b'\'', ..] => 3,
            [b'\'', b'\\', _, b'\'', ..] => 4,
            _ => 0,
        };
        for byte in &mut out[at..at + end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += end.max(1);
    }
    String::from_utf8(out).expect("only whole comments and strings were blanked")
}

fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// The length of the raw string that `text` begins with; 0 when it is something else (`r#name`).
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    if text.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[2 + hashes..].find(&close).map_or(text.len(), |end| 2 + hashes + end + close.len())
}

/// `text` without its modules of tests: from `#[cfg(test)]` to the end of the item below it.
fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        out.push('\n');
        let indent = &line[..line.len() - line.trim_start().len()];
        for line in lines.by_ref() {
            out.push('\n');
            let ends = line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
            if ends
                || line.trim_end().ends_with(';')
                    && line.starts_with(indent)
                    && !line[indent.len()..].starts_with(' ')
            {
                break;
            }
        }
    }
    out
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Every path that the code names, with its line: those of `use`, taken apart, and those in the code.
pub fn paths(source: &Source) -> Vec<(usize, String)> {
    let bytes = source.text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let path = path_at(&source.text[at..]);
        if path == "use" {
            let end = source.text[at..].find(';').map_or(bytes.len(), |end| at + end);
            let trees = tree(&source.text[at + 3..end]);
            let line = |offset| 1 + source.text[..at + 3 + offset].matches('\n').count();
            found.extend(trees.into_iter().map(|(offset, path)| (line(offset), path)));
            at = end;
        } else {
            let line = 1 + source.text[..at].matches('\n').count();
            // Alone it is the `crate` of `pub(crate)`.
            if path != "crate" {
                found.push((line, path.to_owned()));
            }
            at += path.len();
        }
    }
    found
}

/// The path that `text` begins with: `a::b::c`.
fn path_at(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() && is_word(bytes[end]) {
        end += bytes[end..].iter().take_while(|byte| is_word(**byte)).count();
        if bytes[end..].starts_with(b"::") && bytes.get(end + 2).is_some_and(|b| is_word(*b)) {
            end += 2;
        }
    }
    &text[..end]
}

/// The paths of a `use`, each with its offset: `a::{b, c::{d, e}}` is three.
fn tree(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut prefixes = vec![String::new()];
    let (mut path, mut start) = (String::new(), None);
    let mut take = |path: &mut String, start: &mut Option<usize>, prefix: &str| {
        if let Some(start) = start.take() {
            let named = path.split(" as ").next().unwrap_or_default().trim();
            found.push((start, format!("{prefix}{named}")));
        }
        path.clear();
    };
    for (offset, letter) in text.char_indices() {
        let prefix = prefixes.last().cloned().unwrap_or_default();
        match letter {
            '{' => {
                prefixes.push(format!("{prefix}{}", path.trim()));
                path.clear();
                start = None;
            }
            '}' => {
                take(&mut path, &mut start, &prefix);
                prefixes.pop();
            }
            ',' => take(&mut path, &mut start, &prefix),
            _ => {
                if !letter.is_whitespace() {
                    start.get_or_insert(offset);
                }
                path.push(letter);
            }
        }
    }
    take(&mut path, &mut start, "");
    found
}

/// Every mention of a room in `source`; names that the crate's root hands on (`crate::Event`) are looked up.
pub fn references(source: &Source, house: &[Source]) -> Vec<Reference> {
    let mut found = Vec::new();
    for (line, path) in paths(source) {
        let room = match path.split("::").next() {
            Some("crate") => inside(&path, 1, house),
            Some("super") => {
                let levels = path.split("::").take_while(|word| *word == "super").count();
                // A module inside a file is one level deeper.
                let text = source.text.lines().nth(line - 1).unwrap_or_default();
                let depth = source.depth() + usize::from(text.starts_with("    "));
                if levels < depth { None } else { inside(&path, levels, house) }
            }
            Some("mcpproxy") => Some("mcpproxy".to_owned()),
            Some("mcpproxy_platform") => None,
            _ => None,
        };
        if let Some(room) = room {
            found.push(Reference { line, room, path });
        }
    }
    found
}

/// The room that the word after `skip` words of `path` names.
fn inside(path: &str, skip: usize, house: &[Source]) -> Option<String> {
    let word = path.split("::").nth(skip).filter(|word| !word.is_empty() && *word != "*");
    let Some(word) = word else { return Some("*".to_owned()) };
    let facade = house.iter().find(|source| source.path == "src/lib.rs");
    let handed_on = facade.into_iter().flat_map(paths).find_map(|(_, path)| {
        let is_it = path.contains("::") && path.rsplit("::").next() == Some(word);
        is_it.then(|| path.split("::").next().unwrap_or_default().to_owned())
    });
    Some(handed_on.unwrap_or_else(|| word.to_owned()))
}

/// The lines, from 1, at which `source` has a `Result` whose error is a text.
pub fn text_errors(source: &Source) -> Vec<usize> {
    const TEXTS: [&str; 4] = ["String", "&'static str", "&str", "Box<str>"];
    let starts = source.text.match_indices("Result<").map(|(at, _)| at);
    let has_text = |at: &usize| {
        let arguments = arguments(&source.text[at + "Result<".len()..]);
        arguments.get(1).is_some_and(|error| TEXTS.contains(&error.trim()))
    };
    starts.filter(has_text).map(|at| 1 + source.text[..at].matches('\n').count()).collect()
}

/// The arguments of a type, of which `text` begins after the `<`.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut start, mut depth, mut before) = (Vec::new(), 0, 0_usize, ' ');
    for (at, letter) in text.char_indices() {
        match letter {
            // Of an arrow.
            '>' if before == '-' => {}
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            '>' | ')' | ']' | ';' | '{' => {
                found.push(&text[start..at]);
                return found;
            }
            _ => {}
        }
        before = letter;
    }
    found
}

//! Clients' files in TOML: their servers, and adding and removing one.
//!
//! One rule: `toml_edit` says where things stand, and only that text is changed. (Its own writer would
//! turn every line end into its own, and drop a byte order mark.)

use super::clients::{Client, Members};
use super::document::{ENTRY, Server};
use super::launch::{Form, Launch, Word};
use super::patch::{self, Patch};
use super::problem::Problem;
use crate::config::ConfigError;
use crate::json;
use std::ops::Range;
use toml_edit::{Document, Item, TableLike, Value};

const MARK: &str = "\u{feff}";

/// The text without byte order mark, and whether there was one.
fn text_of(bytes: &[u8]) -> Result<(&str, bool), Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::Malformed(ConfigError::Utf8))?;
    Ok(text.strip_prefix(MARK).map_or((text, false), |text| (text, true)))
}

/// The parser's message would quote the text; the line is enough.
fn read(text: &str) -> Result<Document<&str>, Problem> {
    Document::parse(text).map_err(|error| {
        let at = error.span().and_then(|span| text.get(..span.start));
        Problem::Toml(at.map(|before| before.matches('\n').count() + 1))
    })
}

/// The servers of a text.
pub(super) fn servers(client: &Client, bytes: &[u8]) -> Result<Vec<Server>, Problem> {
    let (text, _) = text_of(bytes)?;
    let document = read(text)?;
    let Some(container) = document.as_table().get(client.container) else { return Ok(Vec::new()) };
    let table = container.as_table_like();
    let table = table.ok_or_else(|| {
        Problem::Malformed(ConfigError::Wrong(client.container.to_owned(), "a table"))
    })?;
    let server = |(name, item): (&str, &Item)| Server {
        project: None,
        name: name.to_owned(),
        launch: launch(text, item),
        url: item.get("url").and_then(Item::as_str).map(str::to_owned),
    };
    Ok(table.iter().map(server).collect())
}

fn launch(text: &str, entry: &Item) -> Option<Launch> {
    let word = |value: &Value| {
        let at = value.span()?;
        let spelled = text.get(at.clone())?.to_owned();
        Some(Word { text: value.as_str()?.to_owned(), at, spelled })
    };
    let table = entry.as_table_like()?;
    let mut words = vec![word(table.get("command")?.as_value()?)?];
    let form = match table.get("args") {
        Some(args) => {
            let items = args.as_array()?;
            let brackets = items.span()?;
            words.extend(items.iter().map(word).collect::<Option<Vec<_>>>()?);
            Form::Apart(brackets.start + 1..brackets.end - 1)
        }
        None => alone(text, entry, &words.first()?.at)?,
    };
    let gap = match words.get(1..) {
        Some([one, other, ..]) => text.get(one.at.end..other.at.start),
        _ => None,
    };
    let gap = gap.filter(|gap| gap.trim() == ",").unwrap_or(", ").to_owned();
    Some(Launch { words, form, gap })
}

/// Where arguments go when there are none: beside an inline command, else on a line of their own.
fn alone(text: &str, entry: &Item, command: &Range<usize>) -> Option<Form> {
    if entry.is_inline_table() {
        return Some(Form::Alone(command.end, ", args = ".into()));
    }
    let start = text.get(..command.start)?.rfind('\n').map_or(0, |at| at + 1);
    let (indent, assign) = text.get(start..command.start)?.rsplit_once("command")?;
    let rest = text.get(command.end..)?;
    let line = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    Some(Form::Alone(command.end + line.len(), format!("{}{indent}args{assign}", line_end(text))))
}

fn line_end(text: &str) -> &'static str {
    let is_crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if is_crlf { "\r\n" } else { "\n" }
}

/// The text with our entry as a table at its end.
pub(super) fn add(client: &Client, bytes: &[u8], entry: &Members) -> Result<Vec<u8>, Problem> {
    let (text, _) = text_of(bytes)?;
    let end = line_end(text);
    let mut new = String::new();
    if !text.is_empty() {
        let is_ended = text.ends_with('\n');
        new.push_str(&end.repeat(if is_ended { 1 } else { 2 }));
    }
    for line in lines(client, entry.iter().map(|(key, value)| (key.as_str(), value.to_json()))) {
        new.push_str(&format!("{line}{end}"));
    }
    patched(bytes, vec![Patch::insert(text.len(), new)])
}

/// The lines of our entry; its values are JSON texts.
fn lines<'a>(
    client: &Client,
    members: impl Iterator<Item = (&'a str, String)>,
) -> impl Iterator<Item = String> {
    // A string, or a list of strings, is spelled alike in both formats.
    let line =
        |(key, value): (&str, String)| format!("{key} = {}", value.replace('\u{7f}', "\\u007f"));
    let head = format!("[{}.{ENTRY}]", client.container);
    std::iter::once(head).chain(members.map(line))
}

/// Whether the lines of our entry are those of these members. A comment among them is a line more.
pub(super) fn is_entry(client: &Client, bytes: &[u8], entry: &str) -> bool {
    let (Ok(range), Ok((text, _)), Ok(value)) =
        (range_of(client, bytes, ENTRY), text_of(bytes), json::parse(entry.as_bytes()))
    else {
        return false;
    };
    let members = value.members().unwrap_or_default().iter().map(|member| {
        (member.key.as_ref(), entry.get(member.value.span.clone()).unwrap_or_default().to_owned())
    });
    let found = text.get(range).unwrap_or_default().lines().map(str::trim);
    found.filter(|line| !line.is_empty()).eq(lines(client, members))
}

/// The text without the server's tables.
pub(super) fn remove(client: &Client, bytes: &[u8], name: &str) -> Result<Vec<u8>, Problem> {
    patched(bytes, vec![Patch::delete(range_of(client, bytes, name)?)])
}

/// Where the server's tables stand, whole lines of them.
fn range_of(client: &Client, bytes: &[u8], name: &str) -> Result<Range<usize>, Problem> {
    let (text, _) = text_of(bytes)?;
    let document = read(text)?;
    let container = document.as_table().get(client.container).and_then(Item::as_table_like);
    let item = container.and_then(|table| table.get(name)).ok_or(Problem::NoServer)?;
    if !item.is_table() {
        return Err(Problem::Form);
    }
    let mut covered = Vec::new();
    spans(item, &mut covered);
    let first = covered.iter().map(|span| span.start).min().ok_or(Problem::Form)?;
    let last = covered.iter().map(|span| span.end).max().ok_or(Problem::Form)?;
    let start = text.get(..first).ok_or(Problem::Form)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(last..).ok_or(Problem::Form)?;
    let end = rest.find('\n').map_or(text.len(), |at| last + at + 1);
    // The blank line before it, which came with it.
    let before = text.get(..start).unwrap_or_default();
    let blank = ["\r\n", "\n"].into_iter().find(|line| before.ends_with(&["\n", *line].concat()));
    Ok(start - blank.map_or(0, str::len)..end)
}

/// Where everything of an item stands.
fn spans(item: &Item, out: &mut Vec<Range<usize>>) {
    out.extend(item.span());
    if let Some(table) = item.as_table_like() {
        table.iter().for_each(|(_, item)| spans(item, out));
    }
    if let Some(tables) = item.as_array_of_tables() {
        out.extend(tables.iter().filter_map(toml_edit::Table::span));
    }
}

/// The text with these patches.
pub(super) fn patched(bytes: &[u8], patches: Vec<Patch>) -> Result<Vec<u8>, Problem> {
    let (text, has_mark) = text_of(bytes)?;
    let new = patch::apply(text, patches).ok_or(Problem::Form)?;
    let new = if has_mark { format!("{MARK}{new}") } else { new };
    Ok(new.into_bytes())
}

/// Whether two texts say the same in everything but the table `key`.
pub(super) fn same_besides(before: &[u8], after: &[u8], key: &str) -> bool {
    let said = |bytes: &[u8]| -> Option<Vec<(String, String)>> {
        let (text, _) = text_of(bytes).ok()?;
        let document = read(text).ok()?;
        let mut out = Vec::new();
        let items = document.as_table().iter().filter(|(name, _)| *name != key);
        items.for_each(|(name, item)| say(text, name, item, &mut out));
        out.sort();
        Some(out)
    };
    said(before).is_some_and(|before| said(after) == Some(before))
}

/// Every value with its path, as it is spelled.
fn say(text: &str, path: &str, item: &Item, out: &mut Vec<(String, String)>) {
    let mut table = |prefix: &str, table: &dyn TableLike| {
        out.push((prefix.to_owned(), String::new()));
        table.iter().for_each(|(name, item)| say(text, &format!("{prefix}\n{name}"), item, out));
    };
    match item {
        Item::Value(value) => {
            let spelled = value.span().and_then(|span| text.get(span)).unwrap_or_default();
            out.push((path.to_owned(), spelled.to_owned()));
        }
        Item::ArrayOfTables(all) => {
            all.iter().enumerate().for_each(|(at, one)| table(&format!("{path}\n{at}"), one));
        }
        Item::Table(one) => table(path, one),
        Item::None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::clients::Format;

    #[test]
    fn a_word_is_read_back_as_it_was_meant() {
        for word in ["", "a b", "C:\\x\\\"y\"", "\u{e4}\u{7f}\u{1}\n\t"] {
            let text = format!("a = {}", Format::Toml.spell(word));
            let document = read(&text).expect("valid");
            assert_eq!(document.as_table().get("a").and_then(Item::as_str), Some(word));
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_its_line_alone() {
        let why = read("a = 1\nb = SECRET\n").expect_err("invalid").to_string();
        assert!(why.contains("line 2") && !why.contains("SECRET"), "{why}");
    }
}

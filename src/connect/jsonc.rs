//! Clients' files in JSON: their servers, and adding and removing one.
//!
//! One rule: what is added looks like its neighbours, and comments stay where they are.

use super::clients::{Client, Members, URL_KEYS};
use super::comments::Text;
use super::document::{ENTRY, Server};
use super::launch::{Form, Launch, Word};
use super::patch::{self, Patch};
use super::problem::Problem;
use crate::config::ConfigError;
use crate::config::NewValue;
use crate::config::layout::{Layout, elements, write_member};
use crate::json::{self, Data, Member, Value};
use std::ops::Range;

fn text_of(bytes: &[u8]) -> Result<Text, Problem> {
    Text::of(bytes).map_err(Problem::Malformed)
}

fn root(text: &Text) -> Result<Value<'_>, Problem> {
    text.root().map_err(Problem::Malformed)
}

/// The servers of a text.
pub(super) fn servers(client: &Client, bytes: &[u8]) -> Result<Vec<Server>, Problem> {
    let text = text_of(bytes)?;
    let root = root(&text)?;
    let server = |project: Option<&str>, member: &Member<'_>| Server {
        project: project.map(str::to_owned),
        name: member.key.clone().into_owned(),
        launch: launch(&text, &member.value),
        url: URL_KEYS.iter().find_map(|key| member.value.get(key)?.as_str()).map(str::to_owned),
    };
    let mut all = Vec::new();
    if let Some(container) = root.get(client.container) {
        let members = container.members().ok_or_else(|| not_an_object(client))?;
        all.extend(members.iter().map(|member| server(None, member)));
    }
    for project in projects_of(client, &root) {
        // One that is written otherwise is the client's own affair.
        let container = project.value.get(client.container).and_then(Value::members);
        let members = container.unwrap_or_default().iter();
        all.extend(members.map(|member| server(Some(&*project.key), member)));
    }
    Ok(all)
}

/// The directories that a text keeps something for.
pub(super) fn projects(client: &Client, bytes: &[u8]) -> Vec<String> {
    let Ok(text) = text_of(bytes) else { return Vec::new() };
    let Ok(root) = text.root() else { return Vec::new() };
    projects_of(client, &root).iter().map(|project| project.key.to_string()).collect()
}

fn projects_of<'v, 't>(client: &Client, root: &'v Value<'t>) -> &'v [Member<'t>] {
    let projects = client.projects.and_then(|projects| root.get(projects.member));
    projects.and_then(Value::members).unwrap_or_default()
}

fn not_an_object(client: &Client) -> Problem {
    Problem::Malformed(ConfigError::Wrong(client.container.to_owned(), "an object"))
}

/// How an entry starts its server; `None` when it does not, or not in a way we know.
fn launch(text: &Text, entry: &Value<'_>) -> Option<Launch> {
    let command = entry.get("command")?;
    // Zed once had the program under `path`, and its arguments beside that.
    let (command, around, key) = match command.get("path") {
        Some(path) => (path, command, "path"),
        None => (command, entry, "command"),
    };
    let word = |value: &Value<'_>| {
        let spelled = text.original.get(value.span.clone())?.to_owned();
        Some(Word { text: value.as_str()?.to_owned(), at: value.span.clone(), spelled })
    };
    if let Some(items) = command.items() {
        let words: Vec<Word> = items.iter().map(word).collect::<Option<_>>()?;
        let gap = gap(text, &words);
        return (!words.is_empty()).then_some(Launch { words, form: Form::Together, gap });
    }
    let mut words = vec![word(command)?];
    let form = match around.get("args") {
        Some(args) => {
            let items: Vec<Word> = args.items()?.iter().map(word).collect::<Option<_>>()?;
            words.extend(items);
            Form::Apart(args.span.start + 1..args.span.end - 1)
        }
        None => {
            let lead = lead_of_args(text, around, key)?;
            Form::Alone(command.span.end, lead)
        }
    };
    let gap = gap(text, words.get(1..).unwrap_or_default());
    Some(Launch { words, form, gap })
}

/// What stands between two items of an array: as between its first two, if that is a comma and blanks.
fn gap(text: &Text, words: &[Word]) -> String {
    let found = match words {
        [one, other, ..] => text.original.get(one.at.end..other.at.start),
        _ => None,
    };
    let is_plain = |gap: &&str| gap.trim() == ",";
    found.filter(is_plain).unwrap_or(", ").to_owned()
}

/// What stands before the value of a new member `args` after the member `key`.
fn lead_of_args(text: &Text, object: &Value<'_>, key: &str) -> Option<String> {
    let outer = Layout::of_file(&text.strict);
    let layout = Layout::of(&text.strict, object, &outer);
    let member = object.members()?.iter().find(|member| member.key == key)?;
    let colon = text.strict.get(member.key_span.end..member.value.span.start)?;
    let mut lead = String::new();
    layout.separate(&mut lead);
    Some(format!("{lead}\"args\"{colon}"))
}

/// Whether the entry of our name has these members, in any order, and neither others nor comments.
pub(super) fn is_entry(client: &Client, bytes: &[u8], entry: &str) -> bool {
    let (Ok(text), Ok(wanted)) = (text_of(bytes), json::parse(entry.as_bytes())) else {
        return false;
    };
    let Ok(root) = text.root() else { return false };
    let found = root.get(client.container).and_then(|container| container.get(ENTRY));
    let is_same = |found: &Value<'_>| {
        let sorted = |value: &Value<'_>| {
            let members = value.members()?.iter();
            let mut members: Vec<_> =
                members.map(|m| (m.key.to_string(), placeless(&m.value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Some(members)
        };
        sorted(found).is_some_and(|found| sorted(&wanted) == Some(found))
    };
    found.is_some_and(|found| is_same(found) && !text.has_comment(&found.span))
}

/// Whether the root has that member.
pub(super) fn has(bytes: &[u8], key: &str) -> bool {
    text_of(bytes).is_ok_and(|text| text.root().is_ok_and(|root| root.get(key).is_some()))
}

/// The text with our entry at the end of the container, which is made when it is missing.
pub(super) fn add(client: &Client, bytes: &[u8], entry: Members) -> Result<Vec<u8>, Problem> {
    let text = text_of(bytes)?;
    let patches = {
        let root = root(&text)?;
        let outer = Layout::of_file(&text.strict);
        let layout = Layout::of(&text.strict, &root, &outer);
        let entry = NewValue::Object(entry);
        match root.get(client.container) {
            None => {
                let value = NewValue::Object(vec![(ENTRY.to_owned(), entry)]);
                append(&text, &root, &layout, client.container, &value, &layout.below())
            }
            Some(container) if container.members().is_some() => {
                let layout = Layout::of(&text.strict, container, &layout);
                let inside = layout.of_sibling(&text.strict, container);
                append(&text, container, &layout, ENTRY, &entry, &inside)
            }
            Some(_) => return Err(not_an_object(client)),
        }
    };
    finish(&text, patches)
}

/// One more member at the end of an object.
fn append(
    text: &Text,
    object: &Value<'_>,
    layout: &Layout,
    key: &str,
    value: &NewValue,
    inside: &Layout,
) -> Vec<Patch> {
    let close = object.span.end - 1;
    let mut member = String::new();
    write_member(&mut member, layout, key, value, inside);
    let mut lead = String::new();
    let Some(last) = elements(object).last().cloned() else {
        return first(text, object.span.start + 1..close, layout, &member);
    };
    let comma = text.comma(last.end..close);
    layout.separate(&mut lead);
    if layout.newline.is_none() {
        // A trailing comma ends up after the new member.
        return vec![Patch::insert(last.end, lead + &member)];
    }
    let lead = lead.trim_start_matches(',').to_owned();
    match comma {
        Some(comma) => {
            let at = text.after_comments_of_line(comma + 1);
            vec![Patch::insert(at, lead + &member + ",")]
        }
        None => {
            let at = text.after_comments_of_line(last.end);
            vec![Patch::insert(last.end, ","), Patch::insert(at, lead + &member)]
        }
    }
}

/// The first member of an object that holds nothing but blanks and comments.
fn first(text: &Text, inside: Range<usize>, layout: &Layout, member: &str) -> Vec<Patch> {
    let held = text.original.get(inside.clone()).unwrap_or_default();
    let mut new = String::new();
    if layout.newline.is_some() {
        layout.open(&mut new);
        new.push_str(member);
        if held.contains('\n') {
            return vec![Patch::insert(inside.start, new)];
        }
        layout.close(&mut new);
    } else {
        let pad = if held.is_empty() { "" } else { " " };
        new.extend([pad, member, pad]);
    }
    match text.has_comment(&inside) {
        true => vec![Patch::insert(inside.start, new)],
        false => vec![Patch::replace(inside, new)],
    }
}

/// The text without the member at `path`.
pub(super) fn remove(client: &Client, bytes: &[u8], path: &[&str]) -> Result<Vec<u8>, Problem> {
    let text = text_of(bytes)?;
    let patches = {
        let root = root(&text)?;
        let Some((key, way)) = path.split_last() else { return Err(Problem::Form) };
        let object = way.iter().try_fold(&root, |at, key| at.get(key));
        let members = object.and_then(Value::members).ok_or_else(|| not_an_object(client))?;
        let at = members.iter().position(|member| member.key == *key).ok_or(Problem::NoServer)?;
        let object = object.ok_or(Problem::NoServer)?;
        cut(&text, object, at)
    };
    finish(&text, patches)
}

/// What takes a member out, with its comma and its blanks; comments stay.
fn cut(text: &Text, object: &Value<'_>, at: usize) -> Vec<Patch> {
    let all = elements(object);
    let (open, close) = (object.span.start + 1, object.span.end - 1);
    let Some(own) = all.get(at).cloned() else { return Vec::new() };
    let before = at.checked_sub(1).and_then(|at| all.get(at));
    let blanks_before = |from: usize| {
        let before = text.original.get(from..own.start).unwrap_or_default();
        from + before.trim_end().len()
    };
    let own_comma = text.comma(own.end..all.get(at + 1).map_or(close, |next| next.start));
    // A comment between the member and its comma stays.
    let comma_apart = own_comma.filter(|comma| text.has_comment(&(own.end..*comma)));
    let apart = comma_apart.map(|comma| Patch::delete(comma..comma + 1));
    let end = match own_comma {
        Some(comma) if comma_apart.is_none() => comma + 1,
        _ => own.end,
    };
    let mut patches: Vec<Patch> = apart.into_iter().collect();
    if all.get(at + 1).is_some() {
        let after = text.original.get(end..).unwrap_or_default();
        let blanks = after.len() - after.trim_start().len();
        patches.push(Patch::delete(own.start..end + blanks));
        return patches;
    }
    let Some(before) = before else {
        patches.push(match text.has_comment(&(open..close)) {
            true => Patch::delete(blanks_before(open)..end),
            false => Patch::delete(open..close),
        });
        return patches;
    };
    let Some(comma) = text.comma(before.end..own.start) else { return Vec::new() };
    // Whoever ends with a comma does so without us, too.
    if own_comma.is_none() {
        patches.push(Patch::delete(comma..comma + 1));
    }
    patches.push(Patch::delete(blanks_before(comma + 1)..end));
    patches
}

/// The text with these patches.
pub(super) fn patched(bytes: &[u8], patches: Vec<Patch>) -> Result<Vec<u8>, Problem> {
    finish(&text_of(bytes)?, patches)
}

fn finish(text: &Text, patches: Vec<Patch>) -> Result<Vec<u8>, Problem> {
    let new = patch::apply(&text.original, patches).ok_or(Problem::Form)?;
    let mark: &[u8] = if text.has_mark { b"\xef\xbb\xbf" } else { b"" };
    Ok([mark, new.as_bytes()].concat())
}

/// Whether two texts say the same in everything but the servers.
pub(super) fn same_besides(client: &Client, before: &[u8], after: &[u8]) -> bool {
    let (Ok(before), Ok(after)) = (text_of(before), text_of(after)) else { return false };
    let (Ok(before), Ok(after)) = (before.root(), after.root()) else { return false };
    let others = |root: &Value<'_>| -> Vec<(String, Value<'static>)> {
        let is_other = |m: &&Member<'_>| m.key != client.container;
        let members = root.members().unwrap_or_default().iter().filter(is_other);
        let other = |m: &Member<'_>| {
            let mut value = placeless(&m.value);
            if client.projects.is_some_and(|projects| m.key == projects.member) {
                take_out_servers(client, &mut value);
            }
            (m.key.to_string(), value)
        };
        members.map(other).collect()
    };
    others(&before) == others(&after)
}

/// Takes the servers out of all projects.
fn take_out_servers(client: &Client, projects: &mut Value<'_>) {
    let Data::Object(projects) = &mut projects.data else { return };
    for project in projects {
        if let Data::Object(members) = &mut project.value.data {
            members.retain(|m| m.key != client.container || m.value.members().is_none());
        }
    }
}

/// A value that forgot where it stood, to be compared.
fn placeless(value: &Value<'_>) -> Value<'static> {
    let data = match &value.data {
        Data::Null => Data::Null,
        Data::Bool(value) => Data::Bool(*value),
        Data::Number(text) => {
            Data::Array(vec![Value { span: 0..1, data: Data::String((*text).to_owned().into()) }])
        }
        Data::String(text) => Data::String(text.to_string().into()),
        Data::Array(items) => Data::Array(items.iter().map(placeless).collect()),
        Data::Object(members) => Data::Object(
            members
                .iter()
                .map(|m| Member {
                    key: m.key.to_string().into(),
                    key_span: 0..0,
                    value: placeless(&m.value),
                })
                .collect(),
        ),
    };
    Value { span: 0..0, data }
}

//! The config: read as `serde_json` reads it, edited without a trace in what is not ours.
//!
//! Input: a config text, NUL, what is done to it. Every edit is compared with the same edit of a
//! `serde_json` value, and what it did not name with what stood there, byte for byte.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use mcpproxy::config::servers::{self, ServerEntry};
use mcpproxy::config::{EditError, Editing, NewValue, Step};
use mcpproxy::json::{self, Data, ErrorKind};
use mcpproxy_fuzz::raw;
use serde_json::{Value, json};

const KEYS: [&str; 10] = [
    "mcpServers",
    "telemetry",
    "enabled",
    "disabled",
    "name",
    "a",
    "",
    "ä\u{1f600}",
    "q\"\\\n",
    "#1",
];

#[derive(Arbitrary, Debug)]
enum Change {
    Set { way: [u8; 4], depth: u8, value: u8 },
    Push { way: [u8; 4], depth: u8, value: u8 },
    Remove { way: [u8; 4], depth: u8 },
    Bool { key: u8, value: bool },
    Text { key: u8, value: u8 },
    Add { name: u8, replace: bool, url: bool },
    RemoveServer { name: u8 },
    SetEnabled { name: u8, enabled: bool },
}

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(end);
    read_alike(text);
    let _ = servers::parse(text);
    let Ok(mut editing) = Editing::of(text.to_vec()) else { return };
    let mut input = Unstructured::new(rest.get(1..).unwrap_or_default());
    for _ in 0..12 {
        if input.is_empty() {
            return;
        }
        let Ok(change) = Change::arbitrary(&mut input) else { return };
        apply(&mut editing, &change);
        read_alike(editing.bytes());
    }
});

/// Our reader takes what `serde_json` takes, as the same value; it is stricter where it says so.
fn read_alike(text: &[u8]) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let theirs = serde_json::from_slice::<Value>(text);
    match (json::parse(text), theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(as_serde(&ours), theirs),
        (Ok(_), Err(error)) => {
            // A number beyond all others, and half a surrogate pair.
            let words = error.to_string();
            assert!(words.contains("out of range") || words.contains("hex escape"), "{error}");
        }
        (Err(error), Ok(_)) => {
            assert!(matches!(error.kind, ErrorKind::DuplicateKey | ErrorKind::TooDeep), "{error}");
        }
        (Err(_), Err(_)) => {}
    }
}

fn as_serde(value: &json::Value<'_>) -> Value {
    match &value.data {
        Data::Null => Value::Null,
        Data::Bool(b) => (*b).into(),
        Data::Number(n) => serde_json::from_str(n).expect("a number"),
        Data::String(s) => s.as_ref().into(),
        Data::Array(items) => items.iter().map(as_serde).collect(),
        Data::Object(members) => {
            members.iter().map(|m| (m.key.to_string(), as_serde(&m.value))).collect()
        }
    }
}

/// The JSON text without byte order mark; what an edit leaves must be that.
fn text_of(editing: &Editing) -> &str {
    let text = std::str::from_utf8(editing.bytes()).expect("UTF-8");
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn value_of(editing: &Editing) -> Option<Value> {
    serde_json::from_str(text_of(editing)).ok()
}

/// The order of members counts.
fn same(one: &Value, two: &Value) -> bool {
    one.to_string() == two.to_string()
}

fn apply(editing: &mut Editing, change: &Change) {
    if std::env::var_os("FUZZ_SHOW").is_some() {
        // For whoever looks at a finding.
        eprintln!("{change:?} of {:?}", String::from_utf8_lossy(editing.bytes()));
    }
    // Numbers that only we can read: there is nothing to compare with.
    let Some(before) = value_of(editing) else { return };
    match *change {
        Change::Set { way, depth, value } => {
            let path = path(&before, &way[..usize::from(depth % 5)]);
            set(editing, &before, &path, value);
        }
        Change::Push { way, depth, value } => {
            let path = path(&before, &way[..usize::from(depth % 5)]);
            push(editing, &before, &path, value);
        }
        Change::Remove { way, depth } => {
            let path = path(&before, &way[..usize::from(depth % 5)]);
            remove(editing, &before, &path);
        }
        Change::Bool { key, value } => {
            let key = KEYS[usize::from(key) % KEYS.len()];
            let done = editing.set_bool(key, value);
            let mut expected = before.clone();
            if let (Ok(()), Some(slot)) = (&done, slot(&mut expected, key)) {
                *slot = value.into();
                assert!(same(&value_of(editing).expect("JSON"), &expected));
            }
        }
        Change::Text { key, value } => {
            let key = KEYS[usize::from(key) % KEYS.len()];
            let text = KEYS[usize::from(value) % KEYS.len()];
            let done = editing.set_str(key, text);
            let mut expected = before.clone();
            if let (Ok(()), Some(slot)) = (&done, slot(&mut expected, key)) {
                *slot = text.into();
                assert!(same(&value_of(editing).expect("JSON"), &expected));
            }
        }
        Change::Add { name, replace, url } => {
            let name = server_name(&before, name);
            add(editing, &before, &name, replace, url);
        }
        Change::RemoveServer { name } => {
            let name = server_name(&before, name);
            let entries = entries(editing);
            if servers::remove(editing, &name).is_ok() {
                let left = self::entries(editing);
                assert!(named(&left, &name).is_none(), "it is still there");
                assert_eq!(others(&entries, &name), others(&left, &name));
            }
        }
        Change::SetEnabled { name, enabled } => {
            let name = server_name(&before, name);
            let entries = entries(editing);
            if servers::set_enabled(editing, &name, enabled).is_ok() {
                let now = self::entries(editing);
                assert!(named(&now, &name).is_none_or(|entry| entry.enabled == enabled));
                assert_eq!(others(&entries, &name), others(&now, &name));
            }
        }
    }
}

/// Where `telemetry.<key>` stands, made if it is missing.
fn slot<'v>(root: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    let section = root.as_object_mut()?.entry("telemetry").or_insert_with(|| json!({}));
    Some(section.as_object_mut()?.entry(key).or_insert(Value::Null))
}

fn entries(editing: &Editing) -> Vec<ServerEntry> {
    servers::parse(editing.bytes()).unwrap_or_default()
}

/// An entry without a name of its own is called by its place (`#3`).
fn has_own_name(entry: &&ServerEntry) -> bool {
    !entry.name.starts_with('#')
}

fn others<'e>(entries: &'e [ServerEntry], name: &str) -> Vec<&'e ServerEntry> {
    entries.iter().filter(|entry| entry.name != name).filter(has_own_name).collect()
}

fn named<'e>(entries: &'e [ServerEntry], name: &str) -> Option<&'e ServerEntry> {
    entries.iter().filter(has_own_name).find(|entry| entry.name == name)
}

fn server_name(root: &Value, number: u8) -> String {
    let number = usize::from(number);
    let names: Vec<String> = match root.get("mcpServers") {
        Some(Value::Object(members)) => members.keys().cloned().collect(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    match number % 3 {
        0 => KEYS[number / 3 % KEYS.len()].to_owned(),
        _ if names.is_empty() => "a".to_owned(),
        _ => names[number / 3 % names.len()].clone(),
    }
}

fn add(editing: &mut Editing, before: &Value, name: &str, replace: bool, url: bool) {
    let members = if url {
        vec![("url".to_owned(), NewValue::text("https://h.example/mcp"))]
    } else {
        vec![
            ("command".to_owned(), NewValue::text("npx")),
            ("args".to_owned(), NewValue::List(vec![NewValue::text("-y"), NewValue::text("ä\"")])),
            ("env".to_owned(), NewValue::Object(vec![("K".to_owned(), NewValue::text("V"))])),
        ]
    };
    let Ok(expected) = servers::check(name, &members) else { return };
    let entries = entries(editing);
    let had_section = before.get("mcpServers").is_some();
    let Ok(replaced) = servers::add(editing, name, members, replace) else { return };
    let now = self::entries(editing);
    assert_eq!(now.iter().find(|entry| entry.name == name), Some(&expected));
    if !name.starts_with('#') {
        assert_eq!(others(&entries, name), others(&now, name));
    }
    if !replaced && had_section {
        let mut undone = Editing::of(editing.bytes().to_vec()).expect("a config");
        servers::remove(&mut undone, name).expect("it is there");
        assert!(same(&value_of(&undone).expect("JSON"), before), "it leaves no trace");
    }
}

/// A step that owns its key.
#[derive(Clone, Debug)]
enum Place {
    Key(String),
    Item(usize),
}

fn steps(path: &[Place]) -> Vec<Step<'_>> {
    path.iter()
        .map(|place| match place {
            Place::Key(key) => Step::Key(key),
            Place::Item(at) => Step::Item(*at),
        })
        .collect()
}

/// A path that mostly leads somewhere.
fn path(root: &Value, way: &[u8]) -> Vec<Place> {
    let mut here = Some(root);
    let mut path = Vec::new();
    for choice in way.iter().map(|choice| usize::from(*choice)) {
        let place = match here {
            Some(Value::Object(members)) if choice < 180 && !members.is_empty() => {
                let key = members.keys().nth(choice % members.len());
                Place::Key(key.cloned().unwrap_or_default())
            }
            Some(Value::Array(items)) if choice < 240 => Place::Item(choice % (items.len() + 1)),
            _ => Place::Key(KEYS[choice % KEYS.len()].to_owned()),
        };
        here = here.and_then(|value| step(value, &place));
        path.push(place);
    }
    path
}

fn step<'v>(value: &'v Value, place: &Place) -> Option<&'v Value> {
    match place {
        Place::Key(key) => value.as_object()?.get(key),
        Place::Item(at) => value.as_array()?.get(*at),
    }
}

fn find<'v>(root: &'v Value, path: &[Place]) -> Option<&'v Value> {
    path.iter().try_fold(root, step)
}

/// A value to put in, and the same for the model.
fn new_value(choice: u8) -> (NewValue, Value) {
    let choice = usize::from(choice);
    let text = KEYS[choice / 8 % KEYS.len()];
    match choice % 6 {
        0 => (NewValue::bool(choice > 90), json!(choice > 90)),
        1 => (NewValue::text(text), json!(text)),
        2 => {
            let literal = ["-1.50e+3", "[ 1 ,{ } ]", "{\"a\" :\n{}}", "null"][choice / 8 % 4];
            (NewValue::Literal(literal.into()), serde_json::from_str(literal).expect("JSON"))
        }
        3 => (NewValue::Object(Vec::new()), json!({})),
        4 => {
            let inner = NewValue::Object(vec![(text.to_owned(), NewValue::text(text))]);
            let members = vec![("k".to_owned(), inner), ("l".to_owned(), NewValue::bool(true))];
            (NewValue::Object(members), json!({"k": {text: text}, "l": true}))
        }
        _ => {
            let items = vec![NewValue::text(text), NewValue::Object(Vec::new())];
            (NewValue::List(items), json!([text, {}]))
        }
    }
}

/// What the model makes of setting `path`: missing objects on the way are made; `None` when something
/// is in the way.
fn model_set(root: &Value, path: &[Place], new: &Value) -> Option<Value> {
    let Some((place, rest)) = path.split_first() else { return Some(new.clone()) };
    let mut changed = root.clone();
    match place {
        Place::Key(key) => {
            let members = changed.as_object_mut()?;
            let value = match members.get(key) {
                Some(value) => model_set(value, rest, new)?,
                None => rest.iter().rev().try_fold(new.clone(), |value, place| match place {
                    Place::Key(key) => Some(json!({key: value})),
                    Place::Item(_) => None,
                })?,
            };
            members.insert(key.clone(), value);
        }
        Place::Item(at) => {
            let item = changed.as_array_mut()?.get_mut(*at)?;
            *item = model_set(item, rest, new)?;
        }
    }
    Some(changed)
}

fn set(editing: &mut Editing, before: &Value, path: &[Place], choice: u8) {
    let (value, plain) = new_value(choice);
    let old = editing.bytes().to_vec();
    let done = editing.set_at(&steps(path), &value);
    let expected = (!path.is_empty()).then(|| model_set(before, path, &plain)).flatten();
    if !settled(editing, &old, done, expected.as_ref()) {
        return;
    }
    untouched(&old, editing.bytes(), path, Kind::Set);
    let mut undone = Editing::of(editing.bytes().to_vec()).expect("a config");
    if find(before, path).is_some() {
        let literal = raw_at(json_text(&old), path).expect("it was there").to_owned();
        let back = undone.set_at(&steps(path), &NewValue::Literal(literal));
        back.expect("it was there before");
        assert_eq!(undone.bytes(), old, "what was replaced is put back");
    } else {
        // The longest path that led somewhere, and one step more: what was made first.
        let known = (0..path.len()).take_while(|end| find(before, &path[..*end]).is_some()).count();
        undone.remove(&steps(&path[..known])).expect("it was just made");
        assert!(same(&value_of(&undone).expect("JSON"), before), "an addition is taken back");
    }
}

fn push(editing: &mut Editing, before: &Value, path: &[Place], choice: u8) {
    let (value, plain) = new_value(choice);
    let old = editing.bytes().to_vec();
    let done = editing.push(&steps(path), &value);
    let mut expected = before.clone();
    let items = path.iter().try_fold(&mut expected, |value, place| match place {
        Place::Key(key) => value.as_object_mut()?.get_mut(key),
        Place::Item(at) => value.as_array_mut()?.get_mut(*at),
    });
    let length = match items.and_then(Value::as_array_mut) {
        Some(items) => {
            items.push(plain);
            Some(items.len() - 1)
        }
        None => None,
    };
    if !settled(editing, &old, done, length.map(|_| &expected)) {
        return;
    }
    untouched(&old, editing.bytes(), path, Kind::Push);
    let mut undone = Editing::of(editing.bytes().to_vec()).expect("a config");
    let item = Place::Item(length.unwrap_or_default());
    let whole: Vec<Place> = path.iter().cloned().chain([item]).collect();
    undone.remove(&steps(&whole)).expect("it was just made");
    assert!(same(&value_of(&undone).expect("JSON"), before), "an addition is taken back");
}

fn remove(editing: &mut Editing, before: &Value, path: &[Place]) {
    let old = editing.bytes().to_vec();
    let done = editing.remove(&steps(path));
    let mut expected = before.clone();
    let removed = path.split_last().is_some_and(|(last, way)| {
        let parent = way.iter().try_fold(&mut expected, |value, place| match place {
            Place::Key(key) => value.as_object_mut()?.get_mut(key),
            Place::Item(at) => value.as_array_mut()?.get_mut(*at),
        });
        match (parent, last) {
            (Some(Value::Object(members)), Place::Key(key)) => members.shift_remove(key).is_some(),
            (Some(Value::Array(items)), Place::Item(at)) if *at < items.len() => {
                items.remove(*at);
                true
            }
            _ => false,
        }
    });
    if settled(editing, &old, done, removed.then_some(&expected)) {
        untouched(&old, editing.bytes(), path, Kind::Remove);
    }
}

/// Whether the edit was made; it is made when the model says so and our section allows it, and
/// nothing changes when it is not.
fn settled(
    editing: &Editing,
    old: &[u8],
    done: Result<(), EditError>,
    expected: Option<&Value>,
) -> bool {
    match (done, expected) {
        (Ok(()), Some(expected)) => {
            assert!(same(&value_of(editing).expect("JSON"), expected), "not what was asked for");
            true
        }
        (Ok(()), None) => panic!("an edit that cannot be was made"),
        (Err(error), expected) => {
            assert_eq!(editing.bytes(), old, "an edit that failed changed something");
            let text = error.to_string();
            let is_refused = text.contains("`telemetry") || text.contains("too deep");
            assert!(expected.is_none() || is_refused, "{text}");
            false
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Set,
    Push,
    Remove,
}

fn json_text(bytes: &[u8]) -> &str {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What stands at `path`, byte for byte.
fn raw_at<'t>(text: &'t str, path: &[Place]) -> Option<&'t str> {
    path.iter().try_fold(text.trim(), |text, place| match place {
        Place::Key(key) => member(&raw::members(text)?, key),
        Place::Item(at) => raw::items(text)?.get(*at).copied(),
    })
}

fn is_key(spelled: &str, key: &str) -> bool {
    serde_json::from_str::<String>(spelled).is_ok_and(|spelled| spelled == key)
}

fn member<'t>(members: &[(&'t str, &'t str)], key: &str) -> Option<&'t str> {
    members.iter().find(|(spelled, _)| is_key(spelled, key)).map(|(_, value)| *value)
}

/// What the path does not name is what it was, and so is everything around the root.
fn untouched(old: &[u8], new: &[u8], path: &[Place], kind: Kind) {
    let (old, new) =
        (std::str::from_utf8(old).expect("UTF-8"), std::str::from_utf8(new).expect("UTF-8"));
    let (start, end) = (old.find('{').unwrap_or(0), old.rfind('}').unwrap_or(0));
    assert!(new.starts_with(&old[..=start]) && new.ends_with(&old[end..]), "around the root");
    foreign(
        old[start..=end].trim(),
        new[start..new.len() - (old.len() - end - 1)].trim(),
        path,
        kind,
    );
}

fn foreign(old: &str, new: &str, path: &[Place], kind: Kind) {
    let Some((place, rest)) = path.split_first() else {
        if kind == Kind::Push {
            let (old, new) = (raw::items(old).expect("items"), raw::items(new).expect("items"));
            assert_eq!(old, new[..old.len()], "items before the new one");
        }
        return;
    };
    match place {
        Place::Key(key) => {
            let (old, new) =
                (raw::members(old).expect("members"), raw::members(new).expect("members"));
            let others = |members: &[(&str, &str)]| -> Vec<(String, String)> {
                let others = members.iter().filter(|(spelled, _)| !is_key(spelled, key));
                others.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
            };
            assert_eq!(others(&old), others(&new), "a foreign member");
            if let (Some(old), Some(new)) = (member(&old, key), member(&new, key)) {
                foreign(old, new, rest, kind);
            }
        }
        Place::Item(at) => {
            let (old, new) = (raw::items(old).expect("items"), raw::items(new).expect("items"));
            let (before, after) = (&old[..*at], &old[at + 1..]);
            assert_eq!(before, &new[..*at], "an item before it");
            if kind == Kind::Remove && rest.is_empty() {
                assert_eq!(after, &new[*at..], "an item after it");
            } else {
                assert_eq!(after, &new[at + 1..], "an item after it");
                foreign(old[*at], new[*at], rest, kind);
            }
        }
    }
}

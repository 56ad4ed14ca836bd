//! Editing JSON as text: one member or item is set, added or removed, every other byte stays.
//!
//! One rule: pure. What a new value looks like is [`Layout`]'s business.

use super::ConfigError;
use super::layout::{Layout, NewValue, elements, write_member};
use super::reader::{AN_OBJECT, without_bom};
use crate::json::{self, Data, Value};
use std::ops::Range;

/// One step from a value to one inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The member of an object.
    Key(&'a str),
    /// The item of an array, from 0.
    Item(usize),
}

/// Sets the member at `path` (keys from the root down) to the JSON text `literal`. Missing objects on
/// the way are made.
pub fn set_member(bytes: &[u8], path: &[&str], literal: &str) -> Result<Vec<u8>, ConfigError> {
    let path: Vec<Step<'_>> = path.iter().map(|key| Step::Key(key)).collect();
    set(bytes, &path, &NewValue::Literal(literal.to_owned()))
}

/// Sets what is at `path`. Missing objects on the way are made, missing items are an error.
pub fn set(bytes: &[u8], path: &[Step<'_>], value: &NewValue) -> Result<Vec<u8>, ConfigError> {
    edit(bytes, |text, root| {
        let way = Way::follow(text, root, path)?;
        let (here, layout) = (way.container, &way.layout);
        match way.missing.split_first() {
            None if path.is_empty() => Err(ConfigError::NoMember),
            None => {
                let mut new = String::new();
                value.write(&mut new, &way.inside(text));
                Ok((way.found.span.clone(), new))
            }
            Some((Step::Item(_), _)) => Err(ConfigError::not_there(path)),
            Some((Step::Key(key), rest)) => {
                let value = nested(rest, value)?;
                let inside = way.inside(text);
                Ok(appended(text, here, layout, |out| {
                    write_member(out, layout, key, &value, &inside);
                }))
            }
        }
    })
}

/// Appends an item to the array at `path`, which must be there.
pub fn push(bytes: &[u8], path: &[Step<'_>], value: &NewValue) -> Result<Vec<u8>, ConfigError> {
    edit(bytes, |text, root| {
        let way = Way::follow(text, root, path)?;
        // What was found last is then not what is named.
        if !way.missing.is_empty() {
            return Err(ConfigError::not_there(path));
        }
        let Data::Array(_) = way.found.data else {
            return Err(ConfigError::wrong(path, "an array"));
        };
        let layout = Layout::of(text, way.found, &way.layout);
        let inside = layout.of_sibling(text, way.found);
        Ok(appended(text, way.found, &layout, |out| value.write(out, &inside)))
    })
}

/// Removes what is at `path`, with the comma and the blanks that belonged to it.
pub fn remove(bytes: &[u8], path: &[Step<'_>]) -> Result<Vec<u8>, ConfigError> {
    edit(bytes, |text, root| {
        let way = Way::follow(text, root, path)?;
        let all = elements(way.container);
        let is_it = |element: &Range<usize>| element.end == way.found.span.end;
        let at = all.iter().position(is_it).filter(|_| way.missing.is_empty());
        let Some(at) = at else { return Err(ConfigError::not_there(path)) };
        let before = at.checked_sub(1).and_then(|at| all.get(at));
        let place = match (before, all.get(at + 1)) {
            (_, Some(next)) => all[at].start..next.start,
            (Some(before), None) => before.end..all[at].end,
            (None, None) => way.container.span.start + 1..way.container.span.end - 1,
        };
        Ok((place, String::new()))
    })
}

/// Replaces one stretch of a text: what `change` says, in terms of the text without byte order mark.
fn edit(
    bytes: &[u8],
    change: impl FnOnce(&str, &Value<'_>) -> Result<(Range<usize>, String), ConfigError>,
) -> Result<Vec<u8>, ConfigError> {
    let (stripped, skipped) = without_bom(bytes);
    let root = json::parse(stripped).map_err(ConfigError::Json)?;
    let text = std::str::from_utf8(stripped).map_err(|_| ConfigError::Utf8)?;
    let (place, new) = change(text, &root)?;
    let mut out = Vec::with_capacity(bytes.len() + new.len());
    out.extend_from_slice(&bytes[..place.start + skipped]);
    out.extend_from_slice(new.as_bytes());
    out.extend_from_slice(&bytes[place.end + skipped..]);
    Ok(out)
}

/// How far a path leads in a text.
struct Way<'p, 'v, 't> {
    /// What the last step was taken from, or failed at.
    container: &'v Value<'t>,
    /// The layout of its elements.
    layout: Layout,
    /// Where the steps ended.
    found: &'v Value<'t>,
    /// The steps that lead to nothing.
    missing: &'p [Step<'p>],
    /// How many containers were entered.
    depth: usize,
}

impl<'p, 'v, 't> Way<'p, 'v, 't> {
    fn follow(text: &str, root: &'v Value<'t>, path: &'p [Step<'p>]) -> Result<Self, ConfigError> {
        let layout = Layout::of_file(text);
        let mut way = Self { container: root, layout, found: root, missing: path, depth: 0 };
        while let Some((step, rest)) = way.missing.split_first() {
            let here = way.found;
            let next = match (&here.data, step) {
                (Data::Object(_), Step::Key(key)) => here.get(key),
                (Data::Array(items), Step::Item(at)) => items.get(*at),
                (_, Step::Key(_)) if way.depth == 0 => {
                    return Err(ConfigError::NotAnObject);
                }
                (_, step) => {
                    let kind = if matches!(step, Step::Key(_)) { AN_OBJECT } else { "an array" };
                    return Err(ConfigError::wrong(&path[..way.depth], kind));
                }
            };
            way.layout = Layout::of(text, here, &way.layout);
            way.container = here;
            way.depth += 1;
            let Some(next) = next else { return Ok(way) };
            way.found = next;
            way.missing = rest;
        }
        Ok(way)
    }

    /// The layout of what is in a new value. The members of the root have nothing in common; below
    /// it, an object looks like those beside it.
    fn inside(&self, text: &str) -> Layout {
        match self.depth {
            0 | 1 => self.layout.below(),
            _ => self.layout.of_sibling(text, self.container),
        }
    }
}

/// The objects that `path` asks for around `value`.
fn nested(path: &[Step<'_>], value: &NewValue) -> Result<NewValue, ConfigError> {
    path.iter().rev().try_fold(value.clone(), |value, step| match step {
        Step::Key(key) => Ok(NewValue::Object(vec![((*key).to_owned(), value)])),
        Step::Item(_) => Err(ConfigError::not_there(path)),
    })
}

/// Where and what to insert so that `container` gets one more element, at its end.
fn appended(
    text: &str,
    container: &Value<'_>,
    layout: &Layout,
    write: impl FnOnce(&mut String),
) -> (Range<usize>, String) {
    let mut new = String::new();
    if let Some(last) = elements(container).last() {
        layout.separate(&mut new);
        write(&mut new);
        return (last.end..last.end, new);
    }
    let inside = container.span.start + 1..container.span.end - 1;
    if layout.newline.is_some() {
        layout.open(&mut new);
        write(&mut new);
        if text[inside.clone()].contains('\n') {
            return (inside.start..inside.start, new);
        }
        layout.close(&mut new);
    } else {
        let pad = if inside.is_empty() { "" } else { " " };
        new.push_str(pad);
        write(&mut new);
        new.push_str(pad);
    }
    (inside, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, path: &[&str], literal: &str) -> String {
        String::from_utf8(set_member(text.as_bytes(), path, literal).unwrap()).unwrap()
    }

    #[test]
    fn an_insertion_looks_like_its_neighbours() {
        for (before, after) in [
            ("{}", "{\n  \"telemetry\": {\n    \"enabled\": false\n  }\n}"),
            ("{}\n", "{\n  \"telemetry\": {\n    \"enabled\": false\n  }\n}\n"),
            ("{\r\n}\r\n", "{\r\n  \"telemetry\": {\r\n    \"enabled\": false\r\n  }\r\n}\r\n"),
            ("\n {}", "\n {\n  \"telemetry\": {\n    \"enabled\": false\n  }\n}"),
            ("{\"a\":1}", "{\"a\":1,\"telemetry\":{\"enabled\":false}}"),
            ("{\"a\": 1}", "{\"a\": 1, \"telemetry\": {\"enabled\": false}}"),
            (
                "{ \"a\" : 1 , \"b\" : 2 }",
                "{ \"a\" : 1 , \"b\" : 2, \"telemetry\" : {\"enabled\" : false} }",
            ),
            (
                "{\n\t\"a\": 1\n}\n",
                "{\n\t\"a\": 1,\n\t\"telemetry\": {\n\t\t\"enabled\": false\n\t}\n}\n",
            ),
            (
                "{\n    \"a\": 1,\n\n    \"b\": {\"c\": 2}\n}",
                "{\n    \"a\": 1,\n\n    \"b\": {\"c\": 2},\n    \"telemetry\": {\n        \"enabled\": false\n    }\n}",
            ),
            (
                "{\n  \"telemetry\": {\n    \"x\": [1]\n  },\n  \"b\": 1\n}",
                "{\n  \"telemetry\": {\n    \"x\": [1],\n    \"enabled\": false\n  },\n  \"b\": 1\n}",
            ),
            (
                "{\n  \"telemetry\": {},\n  \"b\": 1\n}",
                "{\n  \"telemetry\": {\n    \"enabled\": false\n  },\n  \"b\": 1\n}",
            ),
            ("{\"telemetry\":{},\"b\":1}", "{\"telemetry\":{\"enabled\":false},\"b\":1}"),
            ("{\"telemetry\": { }}", "{\"telemetry\": { \"enabled\": false }}"),
            ("{\n\"a\":1\n}", "{\n\"a\":1,\n\"telemetry\":{\n\"enabled\":false\n}\n}"),
            (
                "\u{feff}{\"telemetry\":{\"enabled\":true}}\n",
                "\u{feff}{\"telemetry\":{\"enabled\":false}}\n",
            ),
        ] {
            assert_eq!(set(before, &["telemetry", "enabled"], "false"), after, "{before:?}");
        }
    }

    #[test]
    fn a_set_value_is_replaced_where_it_stands() {
        let text =
            "{\"telemetry\" :\t{ \"x\":1,\"en\\u0061bled\"  : \ttrue , \"y\": \"\u{1f600}\"} }";
        assert_eq!(set(text, &["telemetry", "enabled"], "false"), text.replace("true", "false"));
        assert_eq!(set(text, &["telemetry", "enabled"], "true"), text);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let fails = |text: &str| {
            let path = ["telemetry", "enabled"];
            set_member(text.as_bytes(), &path, "1").unwrap_err().to_string()
        };
        assert_eq!(fails("{\"telemetry\":7}"), "`telemetry` must be an object");
        assert_eq!(fails("[]"), "it is not a JSON object");
        assert!(fails("{\"a\":1,}").contains("not valid JSON: a comma with nothing behind it"));
    }

    fn entry(name: Option<&str>) -> NewValue {
        let name = name.map(|name| ("name".to_owned(), NewValue::text(name)));
        let env = NewValue::Object(vec![("K".into(), NewValue::text("V"))]);
        let args = NewValue::List(vec![NewValue::text("-y"), NewValue::text("b")]);
        let command = ("command".to_owned(), NewValue::text("npx"));
        let rest = [command, ("args".into(), args), ("env".into(), env)];
        NewValue::Object(name.into_iter().chain(rest).collect())
    }

    const SERVERS: Step<'static> = Step::Key("mcpServers");

    #[test]
    fn a_new_entry_of_a_map_looks_like_those_beside_it_and_leaves_no_trace() {
        for (before, after) in [
            (
                "{\n  \"mcpServers\": {\n    \"a\": {\n      \"url\": \"u\"\n    }\n  }\n}\n",
                "{\n  \"mcpServers\": {\n    \"a\": {\n      \"url\": \"u\"\n    },\n    \"b\": {\n      \"command\": \"npx\",\n      \"args\": [\"-y\", \"b\"],\n      \"env\": {\n        \"K\": \"V\"\n      }\n    }\n  }\n}\n",
            ),
            (
                "{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": { \"url\": \"u\" }\r\n\t}\r\n}\r\n",
                "{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": { \"url\": \"u\" },\r\n\t\t\"b\": { \"command\": \"npx\", \"args\": [\"-y\", \"b\"], \"env\": {\"K\": \"V\"} }\r\n\t}\r\n}\r\n",
            ),
            (
                "\u{feff}{\"mcpServers\":{\"a\":{\"url\":\"u\"}}}",
                "\u{feff}{\"mcpServers\":{\"a\":{\"url\":\"u\"},\"b\":{\"command\":\"npx\",\"args\":[\"-y\",\"b\"],\"env\":{\"K\":\"V\"}}}}",
            ),
            (
                "{\n  \"mcpServers\": {}\n}",
                "{\n  \"mcpServers\": {\n    \"b\": {\n      \"command\": \"npx\",\n      \"args\": [\"-y\", \"b\"],\n      \"env\": {\n        \"K\": \"V\"\n      }\n    }\n  }\n}",
            ),
        ] {
            let path = [SERVERS, Step::Key("b")];
            let new = super::set(before.as_bytes(), &path, &entry(None)).unwrap();
            assert_eq!(std::str::from_utf8(&new), Ok(after));
            assert_eq!(std::str::from_utf8(&remove(&new, &path).unwrap()), Ok(before));
        }
    }

    #[test]
    fn a_new_item_of_an_array_looks_like_those_beside_it_and_leaves_no_trace() {
        for (before, after) in [
            (
                "{\n  \"mcpServers\": [\n    {\n      \"name\": \"a\"\n    }\n  ]\n}\n",
                "{\n  \"mcpServers\": [\n    {\n      \"name\": \"a\"\n    },\n    {\n      \"name\": \"b\",\n      \"command\": \"npx\",\n      \"args\": [\"-y\", \"b\"],\n      \"env\": {\n        \"K\": \"V\"\n      }\n    }\n  ]\n}\n",
            ),
            (
                "{\n  \"mcpServers\": [{\n    \"name\": \"a\"\n  }]\n}",
                "{\n  \"mcpServers\": [{\n    \"name\": \"a\"\n  }, {\n    \"name\": \"b\",\n    \"command\": \"npx\",\n    \"args\": [\"-y\", \"b\"],\n    \"env\": {\n      \"K\": \"V\"\n    }\n  }]\n}",
            ),
            (
                "{\"mcpServers\":[{\"name\":\"a\"}]}",
                "{\"mcpServers\":[{\"name\":\"a\"},{\"name\":\"b\",\"command\":\"npx\",\"args\":[\"-y\",\"b\"],\"env\":{\"K\":\"V\"}}]}",
            ),
        ] {
            let new = push(before.as_bytes(), &[SERVERS], &entry(Some("b"))).unwrap();
            assert_eq!(std::str::from_utf8(&new), Ok(after));
            let gone = remove(&new, &[SERVERS, Step::Item(1)]).unwrap();
            assert_eq!(std::str::from_utf8(&gone), Ok(before));
        }
    }

    #[test]
    fn a_removal_leaves_no_stray_comma_and_no_blank_line() {
        for (before, key, after) in [
            ("{\"a\":1}", "a", "{}"),
            ("{\n  \"a\": 1\n}\n", "a", "{}\n"),
            ("{\"a\":1,\"b\":2,\"c\":3}", "a", "{\"b\":2,\"c\":3}"),
            ("{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}"),
            ("{\"a\":1,\"b\":2,\"c\":3}", "c", "{\"a\":1,\"b\":2}"),
            ("{ \"a\" : 1 , \"b\" : 2 }", "a", "{ \"b\" : 2 }"),
            ("{ \"a\" : 1 , \"b\" : 2 }", "b", "{ \"a\" : 1 }"),
            ("{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}", "a", "{\r\n\t\"b\": 2\r\n}"),
            ("{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}", "b", "{\r\n\t\"a\": 1\r\n}"),
            ("{\n  \"a\": 1\n  , \"b\": 2\n}", "b", "{\n  \"a\": 1\n}"),
            ("\u{feff}{\"\\u0061\":[{}],\"b\":2}", "a", "\u{feff}{\"b\":2}"),
        ] {
            let new = remove(before.as_bytes(), &[Step::Key(key)]).unwrap();
            assert_eq!(std::str::from_utf8(&new), Ok(after), "{before:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_neither_removed_nor_replaced() {
        let text = b"{\"a\":[1],\"b\":7}";
        for (path, why) in [
            (&[Step::Key("c")][..], "`c` is not there"),
            (&[Step::Key("a"), Step::Item(1)], "`a[1]` is not there"),
            (&[Step::Key("a"), Step::Key("x")], "`a` must be an object"),
            (&[Step::Key("b"), Step::Item(0)], "`b` must be an array"),
            (&[], "`` is not there"),
        ] {
            assert_eq!(remove(text, path).unwrap_err().to_string(), why);
        }
        let value = NewValue::bool(true);
        let item = super::set(text, &[Step::Key("a"), Step::Item(1)], &value);
        assert_eq!(item.unwrap_err().to_string(), "`a[1]` is not there");
        let pushed = push(text, &[Step::Key("b")], &value);
        assert_eq!(pushed.unwrap_err().to_string(), "`b` must be an array");
        let pushed = push(text, &[Step::Key("a"), Step::Item(1)], &value);
        assert_eq!(pushed.unwrap_err().to_string(), "`a[1]` is not there");
        let pushed = push(text, &[Step::Key("c")], &value);
        assert_eq!(pushed.unwrap_err().to_string(), "`c` is not there");
    }
}

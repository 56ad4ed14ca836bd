//! Editing JSON as text: one member is set, every other byte stays.
//!
//! One rule: pure, and what is inserted looks like its neighbours (indentation, line ends, colons).

use super::reader::without_bom;
use crate::json::{self, Data, Value, write_str};
use std::ops::Range;

/// Sets the member at `path` (keys from the root down) to the JSON text `literal`. Missing objects on
/// the way are made. An error says what is wrong with the text, without values.
pub fn set_member(bytes: &[u8], path: &[&str], literal: &str) -> Result<Vec<u8>, String> {
    let (stripped, skipped) = without_bom(bytes);
    let root = json::parse(stripped).map_err(|e| format!("it is not valid JSON: {e}"))?;
    let text = std::str::from_utf8(stripped).map_err(|_| "it is not UTF-8")?;
    let mut object = &root;
    let mut layout = Layout::of_file(text);
    for (depth, key) in path.iter().enumerate() {
        let Data::Object(_) = object.data else {
            return Err(match depth {
                0 => "it is not a JSON object".into(),
                _ => format!("`{}` must be an object", path[..depth].join(".")),
            });
        };
        layout = Layout::of_object(text, object, &layout);
        let Some(member) = object.get(key) else {
            let (place, new) = insertion(text, object, &layout, &path[depth..], literal);
            return Ok(spliced(bytes, place, skipped, &new));
        };
        if depth + 1 == path.len() {
            return Ok(spliced(bytes, member.span.clone(), skipped, literal));
        }
        object = member;
    }
    Err("no member is named".into())
}

fn spliced(bytes: &[u8], place: Range<usize>, skipped: usize, new: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + new.len());
    out.extend_from_slice(&bytes[..place.start + skipped]);
    out.extend_from_slice(new.as_bytes());
    out.extend_from_slice(&bytes[place.end + skipped..]);
    out
}

/// How the members of one object are laid out.
#[derive(Clone, Debug)]
struct Layout {
    /// The line end between members; `None` when they stand on one line.
    newline: Option<&'static str>,
    /// What stands before a member on its line.
    indent: String,
    /// What stands before the closing brace on its line.
    closing: String,
    /// What one more level adds.
    unit: String,
    /// What stands between a key and its value.
    colon: String,
    /// What stands between a comma and the next member of the same line.
    gap: String,
}

impl Layout {
    /// The layout of what is around the root object.
    fn of_file(text: &str) -> Self {
        let crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
        Self {
            newline: Some(if crlf { "\r\n" } else { "\n" }),
            indent: String::new(),
            closing: String::new(),
            unit: "  ".into(),
            colon: ": ".into(),
            gap: " ".into(),
        }
    }

    /// The layout of an object that does not exist yet, one level below `self`.
    fn below(&self) -> Self {
        Self {
            indent: format!("{}{}", self.indent, self.unit),
            closing: self.indent.clone(),
            ..self.clone()
        }
    }

    /// The layout of `object`, read off its last member; an empty one follows `outer`.
    fn of_object(text: &str, object: &Value<'_>, outer: &Self) -> Self {
        let members = object.members().unwrap_or_default();
        let Some(last) = members.last() else {
            return outer.below();
        };
        let before_start = match members.len().checked_sub(2).and_then(|i| members.get(i)) {
            Some(previous) => previous.value.span.end,
            None => object.span.start + 1,
        };
        let before = &text[before_start..last.key_span.start];
        let lead = match members.len() {
            1 => before,
            _ => before.split_once(',').map_or("", |(_, lead)| lead),
        };
        let colon = &text[last.key_span.end..last.value.span.start];
        let colon = if colon.contains('\n') { ": " } else { colon };
        let tail = &text[last.value.span.end..object.span.end - 1];
        match lead.rsplit_once('\n') {
            Some((head, indent)) => {
                let closing = tail.rsplit_once('\n').map_or(outer.indent.as_str(), |(_, c)| c);
                let unit = match indent.strip_prefix(closing) {
                    Some(unit) if !unit.is_empty() || indent.is_empty() => unit,
                    _ => outer.unit.as_str(),
                };
                Self {
                    newline: Some(if head.ends_with('\r') { "\r\n" } else { "\n" }),
                    indent: indent.into(),
                    closing: closing.into(),
                    unit: unit.into(),
                    colon: colon.into(),
                    gap: " ".into(),
                }
            }
            None => Self {
                newline: None,
                colon: colon.into(),
                gap: match members.len() {
                    1 if colon.ends_with(' ') => " ".into(),
                    1 => String::new(),
                    _ => lead.into(),
                },
                ..outer.below()
            },
        }
    }
}

/// Where and what to insert so that `object` gets the members of `path`, the innermost being `literal`.
fn insertion(
    text: &str,
    object: &Value<'_>,
    layout: &Layout,
    path: &[&str],
    literal: &str,
) -> (Range<usize>, String) {
    let mut new = String::new();
    if let Some(last) = object.members().and_then(<[_]>::last) {
        new.push(',');
        match layout.newline {
            Some(newline) => new.extend([newline, &layout.indent]),
            None => new.push_str(&layout.gap),
        }
        write_member(&mut new, layout, path, literal);
        let end = last.value.span.end;
        return (end..end, new);
    }
    let inside = object.span.start + 1..object.span.end - 1;
    match layout.newline {
        Some(newline) => {
            new.extend([newline, &layout.indent]);
            write_member(&mut new, layout, path, literal);
            if text[inside.clone()].contains('\n') {
                return (inside.start..inside.start, new);
            }
            new.extend([newline, &layout.closing]);
        }
        None => {
            let pad = if inside.is_empty() { "" } else { " " };
            new.push_str(pad);
            write_member(&mut new, layout, path, literal);
            new.push_str(pad);
        }
    }
    (inside, new)
}

/// Writes `"key": value`, where the value is an object for all but the last key of `path`.
fn write_member(out: &mut String, layout: &Layout, path: &[&str], literal: &str) {
    let Some((key, rest)) = path.split_first() else { return };
    write_str(out, key);
    out.push_str(&layout.colon);
    if rest.is_empty() {
        return out.push_str(literal);
    }
    let below = layout.below();
    out.push('{');
    if let Some(newline) = below.newline {
        out.extend([newline, &below.indent]);
    }
    write_member(out, &below, rest, literal);
    if let Some(newline) = below.newline {
        out.extend([newline, &below.closing]);
    }
    out.push('}');
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
        let fails =
            |text: &str| set_member(text.as_bytes(), &["telemetry", "enabled"], "1").unwrap_err();
        assert_eq!(fails("{\"telemetry\":7}"), "`telemetry` must be an object");
        assert_eq!(fails("[]"), "it is not a JSON object");
        assert!(fails("{\"a\":1,}").contains("not valid JSON"));
    }
}

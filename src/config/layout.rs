//! How JSON is laid out, read off a text, and new values written in that layout.
//!
//! One rule: what is inserted looks like its neighbours (indentation, line ends, colons, blanks).

use crate::json::{Data, Value, write_str};
use std::ops::Range;

/// A value that is to be put into a text.
#[derive(Clone, PartialEq, Eq)]
pub enum NewValue {
    /// A JSON text, put in as it is.
    Literal(String),
    /// An object, laid out like its neighbours.
    Object(Vec<(String, NewValue)>),
    /// An array on one line.
    List(Vec<NewValue>),
}

impl NewValue {
    /// A string.
    pub fn text(text: &str) -> Self {
        let mut literal = String::new();
        write_str(&mut literal, text);
        Self::Literal(literal)
    }

    /// `true` or `false`.
    pub fn bool(value: bool) -> Self {
        Self::Literal(value.to_string())
    }

    /// The value as a text of its own, on one line.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        let line = Layout { newline: None, ..Layout::of_file("") };
        self.write(&mut out, &line);
        out
    }

    /// Writes the value; `inside` is the layout of what is in it.
    pub(crate) fn write(&self, out: &mut String, inside: &Layout) {
        match self {
            Self::Literal(text) => out.push_str(text),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::Object(members) => {
                out.push('{');
                inside.open(out);
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        inside.separate(out);
                    }
                    write_member(out, inside, key, value, &inside.below());
                }
                inside.close(out);
                out.push('}');
            }
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push_str(if inside.colon.ends_with(' ') { ", " } else { "," });
                    }
                    item.write(out, &Layout { newline: None, ..inside.clone() });
                }
                out.push(']');
            }
        }
    }
}

/// Writes `"key": value` among the members of `layout`; `inside` is the layout of what is in the value.
pub(crate) fn write_member(
    out: &mut String,
    layout: &Layout,
    key: &str,
    value: &NewValue,
    inside: &Layout,
) {
    write_str(out, key);
    out.push_str(&layout.colon);
    value.write(out, inside);
}

/// Where the members of an object, or the items of an array, stand.
pub(crate) fn elements(container: &Value<'_>) -> Vec<Range<usize>> {
    match &container.data {
        Data::Object(members) => {
            members.iter().map(|m| m.key_span.start..m.value.span.end).collect()
        }
        Data::Array(items) => items.iter().map(|item| item.span.clone()).collect(),
        _ => Vec::new(),
    }
}

/// How the elements (members or items) of one container are laid out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The line end between elements; `None` when they stand on one line.
    pub(crate) newline: Option<&'static str>,
    /// What stands before an element on its line.
    indent: String,
    /// What stands before the closing bracket on its line.
    closing: String,
    /// What one more level adds.
    unit: String,
    /// What stands between a key and its value.
    colon: String,
    /// What stands between a comma and the next element of the same line.
    gap: String,
    /// What stands inside the brackets of one line.
    pad: String,
}

impl Layout {
    /// The layout of what is around the root.
    pub(crate) fn of_file(text: &str) -> Self {
        let crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
        Self {
            newline: Some(if crlf { "\r\n" } else { "\n" }),
            indent: String::new(),
            closing: String::new(),
            unit: "  ".into(),
            colon: ": ".into(),
            gap: " ".into(),
            pad: String::new(),
        }
    }

    /// The layout of a container that does not exist yet, one level below `self`.
    pub(crate) fn below(&self) -> Self {
        Self {
            indent: format!("{}{}", self.indent, self.unit),
            closing: self.indent.clone(),
            pad: String::new(),
            ..self.clone()
        }
    }

    /// The layout of `container`, read off its last element; an empty one follows `outer`.
    pub(crate) fn of(text: &str, container: &Value<'_>, outer: &Self) -> Self {
        let all = elements(container);
        let Some(last) = all.last() else {
            return outer.below();
        };
        let before_start = match all.len().checked_sub(2).and_then(|i| all.get(i)) {
            Some(previous) => previous.end,
            None => container.span.start + 1,
        };
        let before = &text[before_start..last.start];
        let lead = match all.len() {
            1 => before,
            _ => before.split_once(',').map_or("", |(_, lead)| lead),
        };
        let colon = match container.members().and_then(<[_]>::last) {
            Some(member) => &text[member.key_span.end..member.value.span.start],
            None => &outer.colon,
        };
        let colon = if colon.contains('\n') { ": " } else { colon };
        let tail = &text[last.end..container.span.end - 1];
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
                    pad: String::new(),
                }
            }
            None => Self {
                newline: None,
                colon: colon.into(),
                gap: match all.len() {
                    1 if colon.ends_with(' ') => " ".into(),
                    1 => String::new(),
                    _ => lead.into(),
                },
                pad: Some(&text[container.span.start + 1..all[0].start])
                    .filter(|pad| !pad.contains('\n'))
                    .map_or_else(String::new, |pad| pad.to_owned()),
                ..outer.below()
            },
        }
    }

    /// The layout of what is in a new element of `container`: that of the last sibling that is an
    /// object with something in it, else one level below `self`.
    pub(crate) fn of_sibling(&self, text: &str, container: &Value<'_>) -> Self {
        let values: Vec<&Value<'_>> = match &container.data {
            Data::Object(members) => members.iter().map(|m| &m.value).collect(),
            Data::Array(items) => items.iter().collect(),
            _ => Vec::new(),
        };
        let is_model = |value: &&&Value<'_>| value.members().is_some_and(|m| !m.is_empty());
        match values.iter().rev().find(is_model) {
            Some(model) => Self::of(text, model, self),
            None => self.below(),
        }
    }

    /// Writes what stands between an opening bracket and the first element.
    pub(crate) fn open(&self, out: &mut String) {
        match self.newline {
            Some(newline) => out.extend([newline, &self.indent]),
            None => out.push_str(&self.pad),
        }
    }

    /// Writes what stands between two elements.
    pub(crate) fn separate(&self, out: &mut String) {
        out.push(',');
        match self.newline {
            Some(newline) => out.extend([newline, &self.indent]),
            None => out.push_str(&self.gap),
        }
    }

    /// Writes what stands between the last element and the closing bracket.
    pub(crate) fn close(&self, out: &mut String) {
        match self.newline {
            Some(newline) => out.extend([newline, &self.closing]),
            None => out.push_str(&self.pad),
        }
    }
}

//! JSON as `serde_json` reads it, with the spelling of every key and scalar.

use crate::Numbers;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A value in its own spelling, without the white space between its parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// Keys (as spelled, quotes included) and values, repeated keys too.
    Object(Vec<(String, Raw)>),
    Array(Vec<Raw>),
    Scalar(String),
}

/// Deeper than any reader of the product goes, and the most that `serde_json` reads.
const MAX_DEPTH: usize = 127;

/// Keys and values as they stand in the text.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

impl Raw {
    /// `None` when `text` is not JSON.
    pub fn read(text: &str) -> Option<Self> {
        // Stricter than raw values, which keep escapes unread.
        serde_json::from_str::<serde_json::Value>(text).ok()?;
        Self::of(serde_json::from_str(text).ok()?, MAX_DEPTH)
    }

    fn of(raw: &RawValue, depth: usize) -> Option<Self> {
        let text = raw.get();
        let deeper = depth.checked_sub(1);
        Some(match text.as_bytes().first()? {
            b'{' => {
                let members = serde_json::from_str::<Members<'_>>(text).ok()?.0;
                let member = |(key, value): (&RawValue, &RawValue)| {
                    Some((key.get().to_owned(), Self::of(value, deeper?)?))
                };
                Self::Object(members.into_iter().map(member).collect::<Option<_>>()?)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let item = |item: &RawValue| Self::of(item, deeper?);
                Self::Array(items.into_iter().map(item).collect::<Option<_>>()?)
            }
            _ => Self::Scalar(text.to_owned()),
        })
    }

    /// The same value, with other white space and, when `reorder`, its members in another order.
    pub fn rewritten(&self, numbers: &mut Numbers, reorder: bool) -> String {
        let mut out = String::new();
        self.write(&mut out, numbers, reorder);
        out
    }

    fn write(&self, out: &mut String, numbers: &mut Numbers, reorder: bool) {
        blank(out, numbers);
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write(out, numbers, reorder);
                }
                blank(out, numbers);
                out.push(']');
            }
            Self::Object(members) => {
                let mut order: Vec<usize> = (0..members.len()).collect();
                if reorder {
                    (1..order.len()).for_each(|at| order.swap(at, numbers.below(at + 1)));
                }
                out.push('{');
                for (at, (key, value)) in order.iter().map(|at| &members[*at]).enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    blank(out, numbers);
                    out.push_str(key);
                    blank(out, numbers);
                    out.push(':');
                    value.write(out, numbers, reorder);
                }
                blank(out, numbers);
                out.push('}');
            }
        }
        blank(out, numbers);
    }
}

fn blank(out: &mut String, numbers: &mut Numbers) {
    out.push_str(["", "", "", " ", "\n", "\r\n\t"][numbers.below(6)]);
}

/// Keys and values of an object, both exactly as they stand in `text`.
pub fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let members = serde_json::from_str::<Members<'_>>(text).ok()?.0;
    Some(members.into_iter().map(|(key, value)| (key.get(), value.get())).collect())
}

/// The items of an array, exactly as they stand in `text`.
pub fn items(text: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

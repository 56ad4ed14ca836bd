//! A JSON value that we write: status, command results, answers of the status API.
//!
//! One rule: keys are ours, and members keep the order they are given in.

use super::write_str;

/// A JSON value to print. Keys are ours. `serde` hands it on to formats that are not written here (YAML).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Count(u64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
    /// JSON text, taken over as it is.
    #[cfg(any(feature = "cli", feature = "serve"))]
    Raw(String),
}

#[cfg(feature = "cli")]
impl serde::Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Count(value) => value.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, value)))
            }
            #[cfg(any(feature = "cli", feature = "serve"))]
            Self::Raw(json) => match serde_json::from_str::<serde_json::Value>(json) {
                Ok(value) => value.serialize(serializer),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
        }
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Node {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<&str> for Node {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Node {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Node {
    /// The value as indented JSON, with a line end.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    /// The value as JSON without white space.
    #[cfg(feature = "web")]
    pub(crate) fn to_compact(&self) -> String {
        let mut out = String::new();
        self.write_compact(&mut out);
        out
    }

    #[cfg(feature = "web")]
    fn write_compact(&self, out: &mut String) {
        match self {
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write_compact(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    write_str(out, key);
                    out.push(':');
                    value.write_compact(out);
                }
                out.push('}');
            }
            plain => plain.write(out, 0),
        }
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Count(value) => out.push_str(&value.to_string()),
            Self::Text(text) => write_str(out, text),
            #[cfg(any(feature = "cli", feature = "serve"))]
            Self::Raw(json) => out.push_str(json),
            Self::List(items) => {
                Self::sequence(out, depth, ['[', ']'], items, |out, item| {
                    item.write(out, depth + 1)
                });
            }
            Self::Object(members) => {
                Self::sequence(out, depth, ['{', '}'], members, |out, (key, value)| {
                    write_str(out, key);
                    out.push_str(": ");
                    value.write(out, depth + 1);
                });
            }
        }
    }

    fn sequence<T>(
        out: &mut String,
        depth: usize,
        [open, close]: [char; 2],
        items: &[T],
        write: impl Fn(&mut String, &T),
    ) {
        let line = |out: &mut String, depth| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        };
        out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            line(out, depth + 1);
            write(out, item);
        }
        if !items.is_empty() {
            line(out, depth);
        }
        out.push(close);
    }
}

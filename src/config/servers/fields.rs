//! One entry as it is written: the keys that are known, each read by type.
//!
//! One rule: a wrong value costs its own key and no other, and the first error is kept.

use super::EntryError;
use crate::config::halves::replace_halves;
use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// The longest time-out: what is meant by more is "for ever", and a day of silence is that.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The members of an entry, by the names that programs give them. All others are some program's own.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawEntry {
    #[serde(rename = "type")]
    kind: Given<String>,
    transport: Given<String>,
    protocol: Given<String>,
    pub(super) enabled: Given<bool>,
    pub(super) disabled: Given<bool>,
    pub(super) startup_timeout_sec: Given<Seconds>,
    pub(super) tool_timeout_sec: Given<Seconds>,
    pub(super) command: Given<String>,
    pub(super) args: Given<Vec<String>>,
    pub(super) env: Given<Pairs<Scalar>>,
    cwd: Given<String>,
    working_dir: Given<String>,
    url: Given<String>,
    #[serde(rename = "serverUrl")]
    server_url: Given<String>,
    #[serde(rename = "httpUrl")]
    http_url: Given<String>,
    pub(super) headers: Given<Pairs<String>>,
}

/// A string, and the key that it stands under.
pub(super) type Named<'r> = (&'static str, &'r Given<String>);

impl RawEntry {
    /// The entry that `text` holds; our own reader has passed it as an object.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut text = text.to_vec();
        replace_halves(&mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The keys that say how a server is spoken to.
    pub(super) fn protocols(&self) -> [Named<'_>; 3] {
        [("type", &self.kind), ("transport", &self.transport), ("protocol", &self.protocol)]
    }

    /// The keys that say where a server is.
    pub(super) fn urls(&self) -> [Named<'_>; 3] {
        [("url", &self.url), ("serverUrl", &self.server_url), ("httpUrl", &self.http_url)]
    }

    /// The keys that say in which directory a server runs.
    pub(super) fn directories(&self) -> [Named<'_>; 2] {
        [("cwd", &self.cwd), ("working_dir", &self.working_dir)]
    }
}

/// What stands under a key.
#[derive(Default)]
pub(super) enum Given<T> {
    /// Nothing, or `null`: other programs write it for what is not set.
    #[default]
    Absent,
    /// A value of the right type.
    Is(T),
    /// Any other value.
    Wrong,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match raw.get() {
            "null" => Self::Absent,
            text => serde_json::from_str(text).map_or(Self::Wrong, Self::Is),
        })
    }
}

/// A positive number of seconds.
pub(super) struct Seconds(pub(super) Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        // As it is spelled: a number beyond any other is as good as the longest.
        let seconds = raw.get().parse::<f64>().map_err(D::Error::custom)?;
        Duration::try_from_secs_f64(seconds.min(LONGEST.as_secs_f64()))
            .ok()
            .filter(|time| !time.is_zero())
            .map(Self)
            .ok_or_else(|| D::Error::custom("not positive"))
    }
}

/// A string, or a number or boolean as it is spelled.
pub(super) struct Scalar(String);

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        scalar.0
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes() {
            [b'"', ..] => serde_json::from_str(raw.get()).map(Self).map_err(D::Error::custom),
            [b'[' | b'{', ..] | b"null" => Err(D::Error::custom("no scalar")),
            _ => Ok(Self(raw.get().to_owned())),
        }
    }
}

/// An object whose values are strings, in its order.
pub(super) struct Pairs<V>(pub(super) Vec<(String, String)>, PhantomData<V>);

impl<'de, V: Deserialize<'de> + Into<String>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new(), PhantomData))
    }
}

impl<'de, V: Deserialize<'de> + Into<String>> Visitor<'de> for Pairs<V> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose values are strings")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some((name, value)) = members.next_entry::<String, V>()? {
            self.0.push((name, value.into()));
        }
        Ok(self)
    }
}

/// What is wrong with an entry.
#[derive(Default)]
pub(super) struct Errors(Option<EntryError>);

impl Errors {
    /// The first error.
    pub(super) fn first(self) -> Option<EntryError> {
        self.0
    }

    /// Remembers an error, unless there is one before it.
    pub(super) fn add(&mut self, error: EntryError) {
        self.0.get_or_insert(error);
    }

    /// The value under `key`; one that is not `what` is an error.
    pub(super) fn typed<'r, T>(
        &mut self,
        key: &'static str,
        what: &'static str,
        given: &'r Given<T>,
    ) -> Option<&'r T> {
        match given {
            Given::Is(value) => return Some(value),
            Given::Absent => {}
            Given::Wrong => self.add(EntryError::Wrong { key, what }),
        }
        None
    }

    /// The string under any one of `keys`, which all mean the same, and the key it stands under.
    pub(super) fn text<'r>(&mut self, keys: &[Named<'r>]) -> Option<(&'static str, &'r str)> {
        let mut found: Option<(&'static str, &'r str)> = None;
        for (key, given) in keys {
            let Some(text) = self.typed(key, "a string", given) else { continue };
            match found {
                Some((first, other)) if other != text => {
                    self.add(EntryError::Disagree(first, key));
                }
                Some(_) => {}
                None => found = Some((key, text)),
            }
        }
        if let Some((key, _)) = found.filter(|(_, text)| text.is_empty()) {
            self.add(EntryError::Empty(key));
        }
        found
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, given: &Given<bool>) -> Option<bool> {
        self.typed(key, "true or false", given).copied()
    }

    /// A positive number of seconds.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        given: &Given<Seconds>,
    ) -> Option<Duration> {
        self.typed(key, "a positive number of seconds", given).map(|seconds| seconds.0)
    }
}

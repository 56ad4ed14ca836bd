//! The keys of one entry, read by type.
//!
//! One rule: the first trouble is kept, as a sentence that names the key and the fix.

use crate::json::{Data, Member, Value};
use std::time::Duration;

/// The longest time-out: what is meant by more is "for ever", and a day of silence is that.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The members of an entry. `null` is as good as nothing: other programs write it for what is not set.
pub(super) struct Fields<'v, 't> {
    members: &'v [Member<'t>],
    trouble: Option<String>,
}

impl<'v, 't> Fields<'v, 't> {
    pub(super) fn new(members: &'v [Member<'t>]) -> Self {
        Self { members, trouble: None }
    }

    /// The first trouble.
    pub(super) fn trouble(self) -> Option<String> {
        self.trouble
    }

    /// Remembers a trouble, unless there is one before it.
    pub(super) fn complain(&mut self, why: impl Into<String>) {
        self.trouble.get_or_insert_with(|| why.into());
    }

    fn get(&self, key: &str) -> Option<&'v Value<'t>> {
        let member = self.members.iter().find(|member| member.key == key)?;
        (member.value.data != Data::Null).then_some(&member.value)
    }

    /// What `read` makes of a value; `None` is a complaint.
    fn typed<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'v Value<'t>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let read = read(value);
        if read.is_none() {
            self.complain(format!("`{key}` must be {what}"));
        }
        read
    }

    /// A string under any one of `keys`, which all mean the same, and the key it stands under.
    pub(super) fn text(&mut self, keys: &[&'static str]) -> Option<(&'static str, &'v str)> {
        let mut found: Option<(&'static str, &'v str)> = None;
        for key in keys {
            let Some(text) = self.typed(key, "a string", Value::as_str) else { continue };
            match found {
                Some((first, other)) if other != text => {
                    self.complain(format!("`{first}` and `{key}` disagree; keep one of them"));
                }
                Some(_) => {}
                None => found = Some((key, text)),
            }
        }
        if let Some((key, _)) = found.filter(|(_, text)| text.is_empty()) {
            self.complain(format!("`{key}` is empty; fill it in or remove it"));
        }
        found
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// A positive number of seconds.
    pub(super) fn seconds(&mut self, key: &str) -> Option<Duration> {
        self.typed(key, "a positive number of seconds", |value| {
            let Data::Number(text) = value.data else { return None };
            let seconds = text.parse::<f64>().ok()?.min(LONGEST.as_secs_f64());
            Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
        })
    }

    /// An array of strings.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let read = |value: &Value<'_>| {
            value.items()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        self.typed(key, "an array of strings", read).unwrap_or_default()
    }

    /// An object of strings; with `scalars`, numbers and booleans are taken as their text.
    pub(super) fn pairs(&mut self, key: &str, scalars: bool) -> Vec<(String, String)> {
        let text = |value: &Value<'_>| match &value.data {
            Data::String(text) => Some(text.clone().into_owned()),
            Data::Number(text) if scalars => Some((*text).to_owned()),
            Data::Bool(value) if scalars => Some(value.to_string()),
            _ => None,
        };
        let read = |value: &Value<'_>| {
            let pair = |m: &Member<'_>| Some((m.key.clone().into_owned(), text(&m.value)?));
            value.members()?.iter().map(pair).collect()
        };
        self.typed(key, "an object whose values are strings", read).unwrap_or_default()
    }
}

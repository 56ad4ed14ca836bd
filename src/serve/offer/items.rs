//! The items of one list, page by page.
//!
//! One rule: an item that is off costs itself and no other, and is named.

use super::super::faults::{Faults, shown};
use super::allowance::Allowance;
use super::{Item, ItemError, List, PageError, Tool};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Something with a name, as it is written.
pub(super) trait Named {
    /// Under which no other is kept.
    fn key(&self) -> &str;
    /// As the server wrote it.
    fn text(&self) -> &str;
}

impl Named for Tool {
    fn key(&self) -> &str {
        &self.name
    }

    fn text(&self) -> &str {
        &self.text
    }
}

impl Named for Item {
    fn key(&self) -> &str {
        &self.key
    }

    fn text(&self) -> &str {
        &self.text
    }
}

/// The items of the pages that were read.
pub(super) struct Items<'f, T, F> {
    list: List,
    read: F,
    pub(super) faults: &'f mut Faults,
    pub(super) all: Vec<T>,
    pub(super) allowance: Allowance,
    /// Where each name was first.
    places: HashMap<String, usize>,
    /// Counted from 1, over all pages.
    place: usize,
    /// The page before.
    last: String,
}

impl<'f, T: Named, F: Fn(&str) -> Result<(T, Option<String>), ItemError>> Items<'f, T, F> {
    /// None yet, of `list`; `read` reads one, and says what is off in it.
    pub(super) fn new(list: List, read: F, faults: &'f mut Faults) -> Self {
        let (all, allowance) = (Vec::new(), Allowance::default());
        let (places, last) = (HashMap::new(), String::new());
        Self { list, read, faults, all, allowance, places, place: 0, last }
    }

    /// Reads a page; the cursor of the next one.
    pub(super) fn page(&mut self, text: &str) -> Result<Option<String>, PageError> {
        if self.last == text {
            return Ok(None);
        }
        text.clone_into(&mut self.last);
        let members: HashMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| PageError::NoObject)?;
        let (member, _) = self.list.members();
        let items = members.get(member).ok_or(PageError::Missing(member))?.get();
        // Programs in Go write an empty list so.
        if items != "null" {
            let items: Vec<&RawValue> =
                serde_json::from_str(items).map_err(|_| PageError::NoArray(member))?;
            items.iter().for_each(|item| self.item(item.get()));
        }
        let cursor = members.get("nextCursor").map(|cursor| serde_json::from_str(cursor.get()));
        Ok(match cursor {
            None | Some(Ok(Value::Null)) => None,
            Some(Ok(Value::String(cursor))) => Some(cursor).filter(|cursor| !cursor.is_empty()),
            Some(Ok(Value::Number(cursor))) => Some(cursor.to_string()),
            Some(_) => {
                let (all, _) = self.list.words();
                self.faults.add(format!("its {all} end where `nextCursor` is no text"));
                None
            }
        })
    }

    fn item(&mut self, text: &str) {
        self.place += 1;
        match (self.read)(text) {
            Err(why) => {
                let which = self.which(named(self.list, text).as_deref());
                self.faults.add(format!("{which} is left out: {why}"));
            }
            Ok((item, fault)) => {
                if let Some(fault) = fault {
                    let which = self.which(Some(item.key()));
                    self.faults.add(format!("{which}: {fault}"));
                }
                self.keep(item);
            }
        }
    }

    fn keep(&mut self, item: T) {
        match self.places.get(item.key()).and_then(|at| self.all.get(*at)) {
            // A page that came twice.
            Some(first) if first.text() == item.text() => {}
            Some(_) => {
                let which = self.which(Some(item.key()));
                self.faults.add(format!("{which} is left out: another one has its name"));
            }
            None if !self.allowance.takes(&item) => {}
            None => {
                self.places.insert(item.key().to_owned(), self.all.len());
                self.all.push(item);
            }
        }
    }

    fn which(&self, name: Option<&str>) -> String {
        let (_, one) = self.list.words();
        match name {
            Some(name) => format!("{one} `{}` (place {})", shown(name), self.place),
            None => format!("the {one} at place {}", self.place),
        }
    }
}

/// The name of an item that cannot be read.
fn named(list: List, text: &str) -> Option<String> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let (_, key) = list.members();
    serde_json::from_str(members.get(key)?.get()).ok()
}

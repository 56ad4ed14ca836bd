//! Which clients installs have seen, a second way.
//!
//! One rule: a name is told when five have seen it.

use super::paper::Paper;
use super::{Numbers, Question, add};
use std::collections::BTreeMap;

/// Installs that must have seen a name.
const FIVE: u64 = 5;

/// The names that installs have seen, and how many were asked.
#[derive(Default)]
pub(super) struct Seen {
    names: BTreeMap<String, u64>,
    asked: u64,
    without: u64,
}

impl Seen {
    pub(super) fn ask(&mut self, paper: &Paper, question: Question<'_>) {
        let yesterday = question.yesterday();
        let is_young = yesterday + 1 - paper.day0 < 2;
        if is_young || paper.is_flood || !paper.was_active(364, yesterday) {
            return;
        }
        self.asked += 1;
        self.without += u64::from(paper.clients.is_empty());
        for name in paper.clients.split(',').filter(|name| !name.is_empty()) {
            *self.names.entry(name.to_owned()).or_default() += 1;
        }
    }

    pub(super) fn tell(self, all: &mut Numbers) {
        add(all, "clients.asked", self.asked);
        add(all, "clients.without", self.without);
        for (name, n) in self.names {
            if n >= FIVE {
                add(all, format!("clients.seen|{name}"), n);
            } else {
                add(all, "clients.hidden", 1);
            }
        }
    }
}

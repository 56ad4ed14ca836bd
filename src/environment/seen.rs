//! The marks that were seen among the variables of a machine.
//!
//! One rule: the value nearest to this process counts, an empty one as well.

use super::marks::{self, class};
use super::{Evidence, Found, OsKind};

/// The class of each mark, by its number in the table; 0 for one that is not set.
pub(super) struct Seen([u8; marks::COUNT]);

impl Seen {
    /// Those of `evidence`, with halves put together.
    pub fn among(evidence: &dyn Evidence) -> Self {
        let mut classes = [0; marks::COUNT];
        evidence.variables(&mut |name, value| {
            if let Some(number) = marks::find(name.as_bytes())
                && classes[number] == 0
            {
                classes[number] = marks::judge(number, value).0;
            }
        });
        let mut seen = Self(classes);
        for (class, one, other) in marks::TOGETHER {
            if seen.says(one) && seen.says(other) {
                seen.complete(one, *class);
                seen.complete(other, *class);
            }
        }
        // `netlify dev` sets both on a person's machine.
        if !seen.says("NETLIFY_LOCAL") {
            seen.complete("NETLIFY", class::CI);
        }
        if evidence.os() == OsKind::Linux {
            seen.turn(class::POD, class::CONTAINER);
        }
        seen
    }

    /// Whether a mark of `class` is there.
    pub fn has(&self, class: u8) -> bool {
        self.0.contains(&class)
    }

    /// Makes every mark of one class one of another.
    pub fn turn(&mut self, from: u8, to: u8) {
        self.0.iter_mut().filter(|class| **class == from).for_each(|class| *class = to);
    }

    /// The names of all marks that say something, in the order of the table.
    pub fn names(&self) -> Vec<String> {
        let mut found = Found::default();
        for (number, class) in self.0.iter().enumerate() {
            let told = match *class {
                0 | class::NONE | class::HALF | class::POD | class::SAYS_SANDBOX => false,
                class::CONTAINER | class::TOOLBOX => cfg!(feature = "detect-container"),
                class::DISPLAY => cfg!(feature = "detect-display"),
                _ => true,
            };
            if told {
                found.push("env:", marks::name(number));
            }
        }
        found.names
    }

    fn of(&mut self, name: &str) -> Option<&mut u8> {
        marks::find(name.as_bytes()).map(|number| &mut self.0[number])
    }

    /// Whether `name` is set, to a value that a half may have: the home of a sandbox is a mark of its own.
    fn says(&mut self, name: &str) -> bool {
        self.of(name).is_some_and(|class| !matches!(*class, 0 | class::NONE | class::SANDBOX))
    }

    /// A half that is no half any more.
    fn complete(&mut self, name: &str, whole: u8) {
        if let Some(class) = self.of(name)
            && *class == class::HALF
        {
            *class = whole;
        }
    }
}

//! How many bytes a server may offer.
//!
//! One rule: what is beyond is left out and named, and the rest stays as the server wrote it. The same lists are cut
//! in the same way, whichever of them comes first.

use super::super::faults::{Faults, shown};
use super::List;
use super::items::Named;

/// What one server may offer: all its lists together, as JSON.
pub(super) const MOST_OFFERED: usize = 16 << 20;
/// So many of what is left out of a list are named.
const NAMED: usize = 5;

/// Room for items, until they come to so many bytes.
pub(super) struct Allowance {
    left: usize,
    /// Bytes that found no room.
    beyond: usize,
    /// The first names of what is left out, and of how many.
    names: Vec<String>,
    count: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: MOST_OFFERED, beyond: 0, names: Vec::new(), count: 0 }
    }
}

impl Allowance {
    /// Takes room for one more item, if there is any. A large one keeps no small one out.
    pub(super) fn takes(&mut self, item: &impl Named) -> bool {
        let length = item.text().len();
        let fits = length <= self.left;
        if fits {
            self.left -= length;
        } else {
            self.beyond = self.beyond.saturating_add(length);
            self.count += 1;
            if self.names.len() < NAMED {
                self.names.push(format!("`{}`", shown(item.key())));
            }
        }
        fits
    }

    /// Whether reading more pages is of no use.
    pub(super) fn is_used_up(&self) -> bool {
        self.beyond > MOST_OFFERED
    }

    /// Keeps of one list what there is room for beside the lists before it, of which `left` is left; names what it
    /// leaves out, and what it left out before.
    pub(super) fn keep<T: Named>(
        mut self,
        items: &mut Vec<T>,
        list: List,
        left: &mut usize,
        faults: &mut Faults,
    ) {
        self.left = *left;
        items.retain(|item| self.takes(item));
        *left = self.left;
        if self.count == 0 {
            return;
        }
        let (all, _) = list.words();
        let more = match self.count - self.names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        faults.add(format!(
            "of its {all} those beyond {} MiB, which all it offers may come to, are left out: {}{more}",
            MOST_OFFERED >> 20,
            self.names.join(", ")
        ));
    }
}

//! Replacing stretches of a text.
//!
//! One rule: pure, and every byte outside the stretches stays.

use std::ops::Range;

/// A stretch of a text, and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) at: Range<usize>,
    pub(super) new: String,
}

impl Patch {
    pub(super) fn insert(at: usize, new: impl Into<String>) -> Self {
        Self { at: at..at, new: new.into() }
    }

    pub(super) fn delete(at: Range<usize>) -> Self {
        Self { at, new: String::new() }
    }

    pub(super) fn replace(at: Range<usize>, new: impl Into<String>) -> Self {
        Self { at, new: new.into() }
    }
}

/// The text with all patches applied; two at one place keep their order. `None` when they overlap or lie
/// outside the text.
pub(super) fn apply(text: &str, mut patches: Vec<Patch>) -> Option<String> {
    patches.sort_by_key(|patch| patch.at.start);
    let mut out = String::with_capacity(text.len() + 256);
    let mut done = 0;
    for patch in patches {
        out.push_str(text.get(done..patch.at.start)?);
        out.push_str(&patch.new);
        done = patch.at.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_of_one_place_keep_their_order_and_overlaps_are_refused() {
        let at = |n| Patch::insert(n, "x");
        let all =
            vec![Patch::delete(3..4), Patch::insert(1, "1"), at(1), Patch::replace(0..1, "A")];
        assert_eq!(apply("abcd", all).as_deref(), Some("A1xbc"));
        assert_eq!(apply("abcd", vec![Patch::delete(0..3), Patch::delete(2..4)]), None);
        assert_eq!(apply("abcd", vec![Patch::delete(3..9)]), None);
    }
}

//! The two parts of JSON's grammar that need memory: how values nest, and how numbers are spelled.
//!
//! One rule: a few bits for each level, none for each byte.

use super::tokens::Kind;

/// Levels of nesting that are followed; a message that goes deeper is not observed.
pub(super) const MAX_DEPTH: usize = 512;
const WORDS: usize = MAX_DEPTH / 64;

/// Which of the open containers are objects.
#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    objects: [u64; WORDS],
}

impl Nesting {
    /// `false` when there is no room for another level.
    pub(super) fn push(&mut self, kind: Kind) -> bool {
        let Some(word) = self.objects.get_mut(self.depth / 64) else { return false };
        let bit = 1 << (self.depth % 64);
        if kind == Kind::Object {
            *word |= bit;
        } else {
            *word &= !bit;
        }
        self.depth += 1;
        true
    }

    pub(super) fn top(&self) -> Option<Kind> {
        let level = self.depth.checked_sub(1)?;
        let word = self.objects.get(level / 64)?;
        Some(if word >> (level % 64) & 1 == 1 { Kind::Object } else { Kind::Array })
    }

    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn clear(&mut self) {
        self.depth = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

/// Where in a number.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Number {
    Minus,
    Zero,
    Whole,
    Dot,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Number {
    pub(super) fn next(self, byte: u8) -> Option<Self> {
        use Number::*;
        Some(match (self, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Whole, b'0'..=b'9') => Whole,
            (Zero | Whole, b'.') => Dot,
            (Dot | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Whole | Fraction, b'e' | b'E') => E,
            (E, b'+' | b'-') => Sign,
            (E | Sign | Exponent, b'0'..=b'9') => Exponent,
            _ => return None,
        })
    }

    pub(super) fn may_end(self) -> bool {
        matches!(self, Number::Zero | Number::Whole | Number::Fraction | Number::Exponent)
    }
}

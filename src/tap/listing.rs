//! A list of tools as a discovery tool answers with it: `{"tools": [..], "total_indexed_tools": n}`.
//!
//! One rule: only the two counts are kept, whatever the tools look like and however many there are.

use super::tokens::{Kind, Token, Visitor};

/// The longest number that is read; longer ones count as absent.
const MAX_DIGITS: usize = 20;

/// What a list says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Length of `tools`, when that is an array.
    pub(super) returned: Option<u64>,
    /// `total_indexed_tools`, when that is a non-negative integer.
    pub(super) indexed: Option<u64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Member {
    Tools,
    Indexed,
    #[default]
    Other,
}

/// Reads one list. A key that is repeated counts as its last value, as peers read it.
#[derive(Default)]
pub(super) struct Listing {
    depth: usize,
    /// The value to come, or the one we are in, belongs to this member of the list.
    member: Member,
    in_tools: bool,
    in_number: bool,
    key: Short<24>,
    number: Short<MAX_DIGITS>,
    counts: Counts,
}

impl Listing {
    /// What was counted so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Nothing is open: the value has ended (or not begun).
    pub(super) fn is_closed(&self) -> bool {
        self.depth == 0
    }

    fn begin(&mut self, kind: Kind) {
        match (self.depth, self.member) {
            (1, Member::Tools) => {
                self.in_tools = kind == Kind::Array;
                self.counts.returned = self.in_tools.then_some(0);
            }
            (1, Member::Indexed) => {
                self.counts.indexed = None;
                self.in_number = kind == Kind::Scalar;
                self.number.clear();
            }
            (2, _) if self.in_tools => {
                self.counts.returned = self.counts.returned.map(|count| count.saturating_add(1));
            }
            _ => {}
        }
        if matches!(kind, Kind::Object | Kind::Array) {
            self.depth += 1;
        }
    }

    fn end(&mut self, kind: Kind) {
        match kind {
            Kind::Object | Kind::Array => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth <= 1 {
                    self.in_tools = false;
                }
            }
            Kind::Scalar if self.in_number => {
                self.in_number = false;
                self.counts.indexed = self.number.as_str().and_then(|digits| digits.parse().ok());
            }
            Kind::Scalar | Kind::Text | Kind::Key => {}
        }
    }
}

impl Visitor for Listing {
    fn visit(&mut self, token: Token<'_>) {
        match token {
            Token::Begin(Kind::Key) => {
                if self.depth == 1 {
                    self.key.clear();
                }
            }
            Token::End(Kind::Key) => {
                if self.depth == 1 {
                    self.member = match self.key.as_str() {
                        Some("tools") => Member::Tools,
                        Some("total_indexed_tools") => Member::Indexed,
                        _ => Member::Other,
                    };
                }
            }
            Token::Begin(kind) => self.begin(kind),
            Token::End(kind) => self.end(kind),
            Token::Part(bytes) => {
                if self.in_number {
                    self.number.push(bytes);
                } else if self.depth == 1 {
                    self.key.push(bytes);
                }
            }
        }
    }
}

/// At most `N` bytes of text.
struct Short<const N: usize> {
    bytes: [u8; N],
    /// Bytes pushed; more than `N` do not fit.
    length: usize,
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Short<N> {
    fn clear(&mut self) {
        self.length = 0;
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(free) = self.bytes.get_mut(self.length..end) {
            free.copy_from_slice(bytes);
        }
        self.length = end;
    }

    /// The text, when all of it fits.
    fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::Tokenizer;
    use super::*;

    fn counts(text: &str) -> (Option<u64>, Option<u64>) {
        let mut tokenizer = Tokenizer::new();
        let mut listing = Listing::default();
        tokenizer.feed(text.as_bytes(), &mut listing);
        assert!(tokenizer.is_complete() && listing.is_closed(), "{text}");
        (listing.counts().returned, listing.counts().indexed)
    }

    #[test]
    fn only_the_members_of_the_list_itself_count() {
        for (text, expected) in [
            (r#"{"tools":[],"total_indexed_tools":7}"#, (Some(0), Some(7))),
            (
                r#"{"total_indexed_tools":7,"tools":[{"tools":[1,2]},[3],"x",4,null]}"#,
                (Some(5), Some(7)),
            ),
            (r#"{"total":1,"tools":[1]}"#, (Some(1), None)),
            (r#"{"a":{"tools":[1],"total_indexed_tools":3}}"#, (None, None)),
            (r#"{"a":[[1,2]],"tools":[1],"b":[1,2]}"#, (Some(1), None)),
            (r#"[{"tools":[1]}]"#, (None, None)),
            (r#"["tools",[1]]"#, (None, None)),
            (r#"{"tools":{"a":1}}"#, (None, None)),
            (r#"{"tools":[1,2],"tools":[3]}"#, (Some(1), None)),
            (r#"{"tools":[1,2],"tools":null}"#, (None, None)),
            (r#"{"total_indexed_tools":"7"}"#, (None, None)),
            (r#"{"total_indexed_tools":-7}"#, (None, None)),
            (r#"{"total_indexed_tools":7.5}"#, (None, None)),
            (r#"{"total_indexed_tools":[7]}"#, (None, None)),
            (r#"{"total_indexed_tools":18446744073709551615}"#, (None, Some(u64::MAX))),
            (r#"{"total_indexed_tools":18446744073709551616}"#, (None, None)),
            (
                r#"{"total_indexed_tools":7,"total_indexed_tools_of_another_kind":8}"#,
                (None, Some(7)),
            ),
            (r#"{"\u0074ools":[1]}"#, (Some(1), None)),
            (r#"{"x":"tools","tools":[1]}"#, (Some(1), None)),
        ] {
            assert_eq!(counts(text), expected, "{text}");
        }
    }
}

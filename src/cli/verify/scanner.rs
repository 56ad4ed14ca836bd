//! Where an object ends, found while its bytes pass.
//!
//! One rule: it judges nothing but brackets and strings; whether the object is JSON is for the gate to say. What could
//! not be an object however it goes on is wrong at once, so that a line that was cut off takes no other with it.

/// Nesting that no heartbeat has.
const MOST_DEPTH: usize = 64;

/// What a piece of text says.
#[derive(Debug, PartialEq, Eq)]
pub enum Scan {
    /// The object goes on.
    More,
    /// It ended before this byte of the piece.
    Done(usize),
    /// It is none.
    Wrong,
}

/// Reads one object line by line, and keeps it without white space.
pub struct Scanner {
    open: Vec<u8>,
    in_string: bool,
    is_escaped: bool,
    has_gap: bool,
    /// The last byte that is no white space; in strings, the quote that begins them.
    last: u8,
    text: Vec<u8>,
    most: usize,
}

impl Scanner {
    /// Keeps `most` bytes.
    pub fn new(most: usize) -> Self {
        let (open, text) = (Vec::new(), Vec::new());
        Self { open, in_string: false, is_escaped: false, has_gap: false, last: 0, text, most }
    }

    /// The object, without the white space that means nothing.
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Reads the next line, or what there is of it after the object's beginning.
    pub fn feed(&mut self, line: &[u8]) -> Scan {
        self.has_gap = true;
        for (at, &byte) in line.iter().enumerate() {
            if self.in_string {
                self.keep(byte);
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b' ' | b'\t' | b'\r' => {
                    self.has_gap = true;
                    continue;
                }
                b'{' | b'[' if !self.may_open() => return Scan::Wrong,
                b'{' | b'[' => self.open.push(byte),
                b'}' | b']' => {
                    let open = self.open.pop();
                    // `{` and `}`, `[` and `]` are two apart.
                    if open.is_none_or(|open| open + 2 != byte) {
                        return Scan::Wrong;
                    }
                }
                b'"' => self.in_string = true,
                _ => {}
            }
            // Two words do not become one.
            let is_apart = std::mem::take(&mut self.has_gap);
            if is_apart && !is_structure(self.last) && !is_structure(byte) {
                self.keep(b' ');
            }
            self.last = byte;
            self.keep(byte);
            if self.open.is_empty() {
                return Scan::Done(at + 1);
            }
        }
        // No string goes over the end of a line.
        if self.in_string { Scan::Wrong } else { Scan::More }
    }

    /// Whether an object or a list may stand here.
    fn may_open(&self) -> bool {
        self.open.len() < MOST_DEPTH
            && match self.open.last() {
                None => true,
                Some(b'{') => self.last == b':',
                Some(_) => matches!(self.last, b'[' | b','),
            }
    }

    fn keep(&mut self, byte: u8) {
        if self.text.len() < self.most {
            self.text.push(byte);
        }
    }
}

/// 0 is before everything.
fn is_structure(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',' | 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_apart_and_strings_as_they_are() {
        let mut scanner = Scanner::new(100);
        assert_eq!(scanner.feed(b"{ \"a b\" : tr"), Scan::More);
        assert_eq!(scanner.feed(b"\tue , \"\\\" }\" \"x\" : [ 1"), Scan::More);
        assert_eq!(scanner.feed(b"2 ] }, rest"), Scan::Done(5));
        assert_eq!(scanner.into_text(), b"{\"a b\":tr ue,\"\\\" }\" \"x\":[1 2]}");
    }

    #[test]
    fn what_can_be_no_object_is_wrong_at_once() {
        for text in ["{]", "{{", "{\"a\":1 {", "{\"a\":[}", "{\"a\":[1 [", "{\"a"] {
            assert_eq!(Scanner::new(100).feed(text.as_bytes()), Scan::Wrong, "{text}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(MOST_DEPTH));
        assert_eq!(Scanner::new(100).feed(deep.as_bytes()), Scan::Wrong);
    }
}

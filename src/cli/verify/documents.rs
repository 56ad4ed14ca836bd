//! The documents of a file, laid out in any way: one a line, over several lines, one behind the other, in an array.
//!
//! One rule: every byte belongs to a document or to the white space between two. A line that is no document is handed
//! out as it is, so that the gate refuses it.

use super::scanner::{Scan, Scanner};
use crate::contract::MAX_PAYLOAD_BYTES;
use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind};

/// Bytes of a document that are handed out: one more than a payload may have, so that the gate refuses it.
const KEPT: usize = MAX_PAYLOAD_BYTES + 1;
/// Bytes of a line that are looked at: it can hold an array.
const MOST: usize = 16 << 20;
/// Bytes of the lines of one document.
const MOST_LAID_OUT: usize = 1 << 20;

/// A document, and the line that it begins on.
pub struct Document {
    pub line: u64,
    pub bytes: Vec<u8>,
}

/// One line, without its end.
#[derive(Default)]
struct Line {
    number: u64,
    bytes: Vec<u8>,
    /// It is longer than [`MOST`].
    is_cut: bool,
}

/// Reads documents. Memory is bounded, whatever the length of a line or a document.
pub struct Documents<R> {
    input: R,
    line: Line,
    /// What of the line is used up.
    at: usize,
    read: u64,
    /// Lines that were read and belong to no document yet.
    back: VecDeque<Line>,
    array: Option<Array>,
    /// A document over several lines has just turned out to be none: what is left of it is passed over.
    is_after_error: bool,
}

/// The array that the documents stand in.
struct Array {
    line: u64,
    wants: Wants,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// The first document.
    First,
    /// A comma, or the end.
    Comma,
    /// The document after a comma.
    Next,
}

impl<R: BufRead> Documents<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: Line::default(),
            at: 0,
            read: 0,
            back: VecDeque::new(),
            array: None,
            is_after_error: false,
        }
    }

    /// The next document; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Document>> {
        loop {
            if self.at >= self.line.bytes.len() && !self.advance()? {
                // An array without its end.
                let open = self.array.take();
                return Ok(open.map(|array| Document { line: array.line, bytes: b"[".to_vec() }));
            }
            let rest = &self.line.bytes[self.at..];
            let Some(gap) = rest.iter().position(|byte| !is_blank(*byte)) else {
                let is_too_long = self.at == 0 && rest.len() > MAX_PAYLOAD_BYTES;
                if is_too_long {
                    return Ok(Some(self.rest_of_line()));
                }
                self.at = self.line.bytes.len();
                continue;
            };
            let first = rest[gap];
            if self.is_after_error && is_left_over(rest, gap) {
                self.at = self.line.bytes.len();
                continue;
            }
            let wants = self.array.as_ref().map(|array| array.wants);
            match (wants, first) {
                (None, b'[') if !self.line.is_cut => {
                    self.array = Some(Array { line: self.line.number, wants: Wants::First });
                }
                (Some(Wants::Comma), b']') => self.array = None,
                (Some(Wants::Comma), b',') => self.want(Wants::Next),
                (None | Some(Wants::First | Wants::Next), b'{') if !self.line.is_cut => {
                    self.is_after_error &= self.at + gap > 0;
                    return self.document(gap).map(Some);
                }
                _ => return Ok(Some(self.rest_of_line())),
            }
            self.at += gap + 1;
        }
    }

    fn want(&mut self, wants: Wants) {
        if let Some(array) = &mut self.array {
            array.wants = wants;
        }
    }

    /// What is left of the line, whatever it is.
    fn rest_of_line(&mut self) -> Document {
        self.array = None;
        let document = self.cut_out(self.at, self.line.bytes.len());
        self.at = self.line.bytes.len();
        document
    }

    fn cut_out(&self, from: usize, to: usize) -> Document {
        let bytes = &self.line.bytes[from..to];
        Document { line: self.line.number, bytes: bytes[..bytes.len().min(KEPT)].to_vec() }
    }

    /// The object that begins after `gap` bytes of white space.
    fn document(&mut self, gap: usize) -> io::Result<Document> {
        let mut scanner = Scanner::new(KEPT);
        let start = self.at + gap;
        match scanner.feed(&self.line.bytes[start..]) {
            Scan::Wrong => Ok(self.rest_of_line()),
            Scan::Done(used) => Ok(self.on_one_line(start + used)),
            Scan::More => self.on_several_lines(scanner),
        }
    }

    /// The object that ends before `end` of the line that it began on.
    fn on_one_line(&mut self, end: usize) -> Document {
        let rest = &self.line.bytes[end..];
        let gap = rest.iter().position(|byte| !is_blank(*byte));
        let next = gap.map(|gap| rest[gap]);
        if self.array.is_some() {
            self.want(Wants::Comma);
            let document = self.cut_out(self.at, end);
            self.at = end;
            return document;
        }
        match (gap, next) {
            // White space around it counts, as in a line of its own.
            (Some(gap), Some(b'{' | b'[')) => {
                let document = self.cut_out(self.at, end + gap);
                self.at = end + gap;
                document
            }
            _ => self.rest_of_line(),
        }
    }

    /// The object that did not end on its first line. If it never does, that line alone is handed out, and what
    /// comes after it is looked at again.
    fn on_several_lines(&mut self, mut scanner: Scanner) -> io::Result<Document> {
        let first = self.cut_out(self.at, self.line.bytes.len());
        let (mut taken, mut bytes) = (Vec::new(), 0);
        loop {
            let is_there = self.advance()?;
            let scan = match is_there && !self.line.is_cut {
                true => scanner.feed(&self.line.bytes),
                false => Scan::Wrong,
            };
            match scan {
                Scan::Done(used) => {
                    self.at = used;
                    self.want(Wants::Comma);
                    return Ok(Document { line: first.line, bytes: scanner.into_text() });
                }
                Scan::More if bytes < MOST_LAID_OUT => {
                    bytes += self.line.bytes.len() + 1;
                    taken.push(std::mem::take(&mut self.line));
                }
                Scan::More | Scan::Wrong => {
                    if is_there {
                        taken.push(std::mem::take(&mut self.line));
                    }
                    for line in taken.into_iter().rev() {
                        self.back.push_front(line);
                    }
                    self.line = Line::default();
                    self.at = 0;
                    self.array = None;
                    self.is_after_error = true;
                    return Ok(first);
                }
            }
        }
    }

    /// Goes to the next line; `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.at = 0;
        if let Some(line) = self.back.pop_front() {
            self.line = line;
            return Ok(true);
        }
        self.line = Line::default();
        let is_there = read_line(&mut self.input, &mut self.line)?;
        self.read += u64::from(is_there);
        self.line.number = self.read;
        Ok(is_there)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Whether a line looks like the inside or the end of a document that was refused: indented and no beginning of
/// one, or nothing but its end.
fn is_left_over(rest: &[u8], gap: usize) -> bool {
    let is_end = rest.iter().all(|byte| is_blank(*byte) || matches!(byte, b'}' | b']' | b','));
    is_end || gap > 0 && !matches!(rest[gap], b'{' | b'[')
}

/// Reads the next line without its end; `false` at the end. At most [`MOST`] bytes of it are kept.
fn read_line(input: &mut impl BufRead, line: &mut Line) -> io::Result<bool> {
    let mut started = false;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        started = true;
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        let room = MOST - line.bytes.len();
        line.bytes.extend_from_slice(&part[..part.len().min(room)]);
        line.is_cut |= part.len() > room;
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    // A line that another system ended.
    if line.bytes.last() == Some(&b'\r') {
        line.bytes.pop();
    }
    Ok(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documents of a text, each after the number of its line.
    fn found(text: &str) -> Vec<String> {
        let mut documents = Documents::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(document) = documents.next().expect("it is in memory") {
            let text = String::from_utf8(document.bytes).expect("text");
            found.push(format!("{} {text}", document.line));
        }
        found
    }

    #[test]
    fn documents_are_found_however_they_are_laid_out() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n \t\n", &[]),
            ("{\"a\":1}\n\n{\"a\":2}\r\n{}", &["1 {\"a\":1}", "3 {\"a\":2}", "4 {}"]),
            // Files behind each other, whose last line has no end.
            ("{\"a\":1}{\"a\":2} {}", &["1 {\"a\":1}", "1 {\"a\":2} ", "1 {}"]),
            (
                "\n{\n  \"a\": [\n    1,\n    \"x y\"\n  ]\n}\n{}\n",
                &["2 {\"a\":[1,\"x y\"]}", "8 {}"],
            ),
            ("{\"a\": {\r\n\t\"b\" : null}\r\n}{}", &["1 {\"a\":{\"b\":null}}", "3 {}"]),
            ("{\n\"a\":1}{\n}\n", &["1 {\"a\":1}", "2 {}"]),
            ("[{\"a\":1},{\"a\":2}]\n{}", &["1 {\"a\":1}", "1 {\"a\":2}", "2 {}"]),
            ("[\n  {\n    \"a\": 1\n  },\n  {}\n]\n", &["2 {\"a\":1}", "5   {}"]),
            ("[{}\n,\n{}]", &["1 {}", "3 {}"]),
            ("{\"}\\\"{\": \"[\"}", &["1 {\"}\\\"{\": \"[\"}"]),
        ] {
            assert_eq!(found(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_document_is_handed_out_and_the_next_line_is_looked_at() {
        for (text, expected) in [
            ("x\n{}", &["1 x", "2 {}"][..]),
            ("{} x\n{}", &["1 {} x", "2 {}"]),
            ("}\n{}", &["1 }", "2 {}"]),
            // Lines that were cut off, each in another place.
            ("{\"a\":1\n{}", &["1 {\"a\":1", "2 {}"]),
            ("{\"a\":\n{}\n{}", &["1 {\"a\":", "2 {}", "3 {}"]),
            ("{\"a\":1,\n{}", &["1 {\"a\":1,", "2 {}"]),
            ("{\"a\":[\n{}\n{}", &["1 {\"a\":[", "2 {}", "3 {}"]),
            ("{\"a\":\"x\n{}", &["1 {\"a\":\"x", "2 {}"]),
            ("{\n{}", &["1 {", "2 {}"]),
            ("{", &["1 {"]),
            ("[", &["1 ["]),
            ("[]", &["1 ]"]),
            ("[{},]", &["1 {}", "1 ]"]),
            ("[{} {}]\n{}", &["1 {}", "1  {}]", "2 {}"]),
            ("[1,{}]\n{}", &["1 1,{}]", "2 {}"]),
            ("[{}\n", &["1 {}", "1 ["]),
            // Of a document over several lines, its first line stands for all.
            ("{\n  \"a\": [1\n  },\n  \"b\": {\n  }\n}\n{}\n", &["1 {", "7 {}"]),
            ("[\n  {\n    \"a\": 1 ]\n  },\n  {}\n]\n{}", &["2   {", "5   {}", "7 {}"]),
        ] {
            assert_eq!(found(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_document_without_end_takes_no_more_memory_than_its_bound() {
        let members = "\"a\":1,\n".repeat(2 * MOST_LAID_OUT / 7);
        let text = format!("{{\n{members}");
        let mut documents = Documents::new(text.as_bytes());
        let first = documents.next().expect("it is in memory").expect("a document");
        assert_eq!((first.line, first.bytes), (1, b"{".to_vec()));
        let back: usize = documents.back.iter().map(|line| line.bytes.len()).sum();
        assert!(back <= MOST_LAID_OUT, "{back}");
    }
}

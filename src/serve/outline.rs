//! What a message is about, where it cannot be read: its id, and which members it has.
//!
//! One rule: it takes any bytes in any parts, and keeps next to none of them. A message that is too long passes
//! through it, and one that is no JSON.

use rmcp::model::RequestId;

/// A longer key or id is none of ours.
const LONGEST: usize = 64;

/// Reads a message part by part.
#[derive(Default)]
pub struct Outline {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// The string or number of the outermost object that is being read.
    word: Vec<u8>,
    word_is_string: bool,
    /// The key of the value that is being read.
    key: Option<Key>,
    id: Option<RequestId>,
    has_method: bool,
    has_outcome: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Key {
    Id,
    Other,
}

/// What the message asks or answers.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// It answers the request of that id.
    Answer(RequestId),
    /// It is a request of that id.
    Request(RequestId),
    /// Nothing that anybody waits for.
    Nothing,
}

impl Outline {
    /// Of a message that is there as a whole.
    pub fn of(message: &[u8]) -> About {
        let mut outline = Self::default();
        outline.feed(message);
        outline.about()
    }

    /// Reads the next part.
    pub fn feed(&mut self, mut part: &[u8]) {
        while !part.is_empty() {
            // Most of what is long is text, of which nothing is kept.
            if self.in_string && !self.is_escaped && self.depth != 1 {
                let end = memchr::memchr2(b'"', b'\\', part).unwrap_or(part.len());
                part = &part[end..];
            }
            let Some((byte, rest)) = part.split_first() else { return };
            self.step(*byte);
            part = rest;
        }
    }

    /// What is known so far.
    pub fn about(self) -> About {
        match self.id {
            Some(id) if self.has_method => About::Request(id),
            Some(id) if self.has_outcome => About::Answer(id),
            _ => About::Nothing,
        }
    }

    /// The same, of what came where the answer to `asked` is expected: without an id it is that answer, unless it
    /// tells something.
    pub fn about_answer(self, asked: Option<RequestId>) -> About {
        let is_told = self.has_method;
        match (self.about(), asked) {
            (About::Nothing, Some(asked)) if !is_told => About::Answer(asked),
            (about, _) => about,
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    return;
                }
                _ => {}
            }
            return self.keep(byte);
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 {
                    self.word.clear();
                    self.word_is_string = true;
                }
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.end_value();
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 && self.key.is_none() => self.begin_value(),
            b',' => self.end_value(),
            byte if byte.is_ascii_whitespace() => {}
            byte => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.word.len() <= LONGEST {
            self.word.push(byte);
        }
    }

    fn begin_value(&mut self) {
        match &*self.word {
            b"method" => self.has_method = true,
            b"result" | b"error" => self.has_outcome = true,
            _ => {}
        }
        self.key = Some(if *self.word == *b"id" { Key::Id } else { Key::Other });
        self.word.clear();
        self.word_is_string = false;
    }

    fn end_value(&mut self) {
        if self.depth != 1 {
            return;
        }
        if self.key.take() == Some(Key::Id) && self.word.len() <= LONGEST {
            let word = String::from_utf8_lossy(&self.word);
            let spelled = if self.word_is_string { format!("\"{word}\"") } else { word.into() };
            self.id = serde_json::from_str(&spelled).ok();
        }
        self.word.clear();
        self.word_is_string = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use About::*;

    fn number(id: i64) -> RequestId {
        RequestId::Number(id)
    }

    #[test]
    fn an_answer_is_known_by_its_id_wherever_it_stands() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"result":{"x":NaN,"id":8,"method":"a"}}"#,
            r#"{"result":{"content":[{"text":"\" \\"}]},"jsonrpc":"2.0","id":7}"#,
            r#"{"result":"cut in the middle, id first","id" : 7 , "error"#,
            r#"{"id":7.0,"error":"it broke"}"#,
            "{\"id\":7,\"result\":\"caf\u{e9}\"}",
        ] {
            assert_eq!(Outline::of(text.as_bytes()), Answer(number(7)), "{text}");
            let mut outline = Outline::default();
            text.bytes().for_each(|byte| outline.feed(&[byte]));
            assert_eq!(outline.about(), Answer(number(7)), "{text}");
        }
        let named = r#"{"id":"a\"b","result":1}"#;
        assert_eq!(Outline::of(named.as_bytes()), Answer(RequestId::String("a\"b".into())));
        assert_eq!(Outline::of(b"{\"id\":7,\"result\":\"\xff\"}"), Answer(number(7)));
    }

    #[test]
    fn without_an_id_it_is_the_answer_that_is_expected_unless_it_tells_something() {
        for (text, expected) in [
            (r#"{"result":"cut in"#, Answer(number(7))),
            (r#"{"result":1,"id":8}"#, Answer(number(8))),
            (r#"{"method":"notifications/message","params":"cut in"#, Nothing),
            (r#"{"id":3,"method":"ping"}"#, Request(number(3))),
            ("", Answer(number(7))),
        ] {
            let mut outline = Outline::default();
            outline.feed(text.as_bytes());
            assert_eq!(outline.about_answer(Some(number(7))), expected, "{text}");
        }
        assert_eq!(Outline::default().about_answer(None), Nothing);
    }

    #[test]
    fn what_asks_is_a_request_and_all_else_is_nothing() {
        let asks = r#"{"method":"tools/call","id":3,"params":{"id":4}}"#;
        assert_eq!(Outline::of(asks.as_bytes()), Request(number(3)));
        for text in [
            "id: 7 result: 3",
            "",
            "{",
            r#"{"level":"info","id":7}"#,
            r#"{"method":"notifications/message"}"#,
            r#"{"result":{"id":7}}"#,
            r#"{"id":null,"result":1}"#,
            r#"{"id":[7],"result":1}"#,
            r#"[1,{"id":7,"result":1}]"#,
        ] {
            assert_eq!(Outline::of(text.as_bytes()), Nothing, "{text}");
        }
    }
}

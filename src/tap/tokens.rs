//! A streaming JSON tokenizer: bytes in any split, the same tokens, constant memory.
//!
//! One rule: it never keeps what it reads. It knows where it stands (one state, a few bits for each
//! level of nesting) and hands every piece of a string on at once; who wants to keep one bounds it.
//!
//! As strict as the peers that read the same bytes, with two exceptions that both make: bytes in a
//! string need not be UTF-8, and a lone surrogate escape reads as U+FFFD.

use super::grammar::{Nesting, Number};
use super::strings::{Gathered, has_control, unescaped};

/// A piece of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A value or key begins.
    Begin(Kind),
    /// The next bytes of the key or string (unescaped), number or literal (as spelled).
    Part(&'a [u8]),
    /// It ends.
    End(Kind),
}

/// What a token is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Key,
    Text,
    /// A number, `true`, `false` or `null`.
    Scalar,
}

/// Receives tokens.
pub(super) trait Visitor {
    fn visit(&mut self, token: Token<'_>);
}

#[derive(Clone, Copy)]
enum State {
    /// A value must come.
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After `,` in an object.
    Key,
    Colon,
    CommaOrEnd,
    /// The value is complete.
    Done,
    /// In a key or text.
    Text(Kind),
    Escape(Kind),
    Unicode {
        kind: Kind,
        digits: u8,
        unit: u16,
    },
    /// In a literal of which this is left.
    Word(&'static [u8]),
    Number(Number),
    Invalid,
}

/// Reads one value.
pub(super) struct Tokenizer {
    state: State,
    nesting: Nesting,
    /// A high surrogate that waits for its other half.
    high: Option<u16>,
}

impl Tokenizer {
    pub(super) fn new() -> Self {
        Self { state: State::Value, nesting: Nesting::default(), high: None }
    }

    /// Forgets everything: the next byte begins a value.
    pub(super) fn reset(&mut self) {
        self.state = State::Value;
        self.nesting.clear();
        self.high = None;
    }

    /// A whole array or object (or string, or literal) has been read, and nothing after it.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// What was read is no JSON; all that follows is ignored until [`Self::reset`].
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.state, State::Invalid)
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], visitor: &mut impl Visitor) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = match self.state {
                State::Invalid => return,
                State::Text(kind) => self.text(kind, bytes, visitor),
                State::Number(number) => self.number(number, bytes, visitor),
                State::Word(left) => {
                    self.word(left, byte, visitor);
                    rest
                }
                State::Escape(kind) => {
                    self.escape(kind, byte, visitor);
                    rest
                }
                State::Unicode { kind, digits, unit } => {
                    self.unicode(kind, digits, unit, byte, visitor);
                    rest
                }
                _ => {
                    if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                        self.structure(byte, visitor);
                    }
                    rest
                }
            };
        }
    }

    fn structure(&mut self, byte: u8, visitor: &mut impl Visitor) {
        match (self.state, byte) {
            (State::ValueOrEnd, b']') => self.close(Kind::Array, visitor),
            (State::KeyOrEnd, b'}') => self.close(Kind::Object, visitor),
            (State::Value | State::ValueOrEnd, _) => self.begin(byte, visitor),
            (State::KeyOrEnd | State::Key, b'"') => self.begin_text(Kind::Key, visitor),
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrEnd, b',') => {
                self.state = match self.nesting.top() {
                    Some(Kind::Object) => State::Key,
                    _ => State::Value,
                };
            }
            (State::CommaOrEnd, b'}') => self.close(Kind::Object, visitor),
            (State::CommaOrEnd, b']') => self.close(Kind::Array, visitor),
            _ => self.state = State::Invalid,
        }
    }

    fn begin(&mut self, byte: u8, visitor: &mut impl Visitor) {
        let state = match byte {
            b'{' => return self.open(Kind::Object, State::KeyOrEnd, visitor),
            b'[' => return self.open(Kind::Array, State::ValueOrEnd, visitor),
            b'"' => return self.begin_text(Kind::Text, visitor),
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Whole),
            _ => {
                self.state = State::Invalid;
                return;
            }
        };
        visitor.visit(Token::Begin(Kind::Scalar));
        visitor.visit(Token::Part(&[byte]));
        self.state = state;
    }

    fn open(&mut self, kind: Kind, state: State, visitor: &mut impl Visitor) {
        if self.nesting.push(kind) {
            self.state = state;
            visitor.visit(Token::Begin(kind));
        } else {
            self.state = State::Invalid;
        }
    }

    fn close(&mut self, kind: Kind, visitor: &mut impl Visitor) {
        if self.nesting.top() == Some(kind) {
            self.nesting.pop();
            self.end(kind, visitor);
        } else {
            self.state = State::Invalid;
        }
    }

    fn end(&mut self, kind: Kind, visitor: &mut impl Visitor) {
        visitor.visit(Token::End(kind));
        self.state = match kind {
            Kind::Key => State::Colon,
            _ if self.nesting.is_empty() => State::Done,
            _ => State::CommaOrEnd,
        };
    }

    fn begin_text(&mut self, kind: Kind, visitor: &mut impl Visitor) {
        visitor.visit(Token::Begin(kind));
        self.state = State::Text(kind);
    }

    /// Bytes up to the next quote. What stands between escapes is gathered and goes on in few pieces:
    /// JSON in a text has an escape every few bytes. Returns what is left.
    fn text<'a>(
        &mut self,
        kind: Kind,
        mut bytes: &'a [u8],
        visitor: &mut impl Visitor,
    ) -> &'a [u8] {
        let mut gathered = Gathered::default();
        loop {
            let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
            let (run, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            if has_control(run) {
                self.state = State::Invalid;
                return &[];
            }
            if !run.is_empty() {
                self.lone_surrogate(visitor);
                gathered.push(run, visitor);
            }
            if let [b'\\', escape, after @ ..] = rest
                && let Some(byte) = unescaped(*escape)
            {
                self.lone_surrogate(visitor);
                gathered.push(&[byte], visitor);
                bytes = after;
                continue;
            }
            gathered.flush(visitor);
            return match rest.split_first() {
                None => &[],
                Some((b'"', rest)) => {
                    self.lone_surrogate(visitor);
                    self.end(kind, visitor);
                    rest
                }
                Some((_, rest)) => {
                    self.state = State::Escape(kind);
                    rest
                }
            };
        }
    }

    fn escape(&mut self, kind: Kind, byte: u8, visitor: &mut impl Visitor) {
        if byte == b'u' {
            self.state = State::Unicode { kind, digits: 0, unit: 0 };
        } else if let Some(plain) = unescaped(byte) {
            self.lone_surrogate(visitor);
            visitor.visit(Token::Part(&[plain]));
            self.state = State::Text(kind);
        } else {
            self.state = State::Invalid;
        }
    }

    fn unicode(&mut self, kind: Kind, digits: u8, unit: u16, byte: u8, visitor: &mut impl Visitor) {
        let Some(digit) = char::from(byte).to_digit(16) else {
            self.state = State::Invalid;
            return;
        };
        let unit = unit << 4 | digit as u16;
        if digits < 3 {
            self.state = State::Unicode { kind, digits: digits + 1, unit };
            return;
        }
        self.state = State::Text(kind);
        match (self.high, unit) {
            (Some(high), 0xdc00..0xe000) => {
                self.high = None;
                let (high, low) = (u32::from(high) - 0xd800, u32::from(unit) - 0xdc00);
                character(0x10000 + (high << 10) + low, visitor);
            }
            (_, 0xd800..0xdc00) => {
                self.lone_surrogate(visitor);
                self.high = Some(unit);
            }
            _ => {
                self.lone_surrogate(visitor);
                character(u32::from(unit), visitor);
            }
        }
    }

    fn lone_surrogate(&mut self, visitor: &mut impl Visitor) {
        if self.high.take().is_some() {
            character(0xfffd, visitor);
        }
    }

    fn word(&mut self, left: &'static [u8], byte: u8, visitor: &mut impl Visitor) {
        match left.split_first() {
            Some((&expected, left)) if expected == byte => {
                visitor.visit(Token::Part(&[byte]));
                if left.is_empty() {
                    self.end(Kind::Scalar, visitor);
                } else {
                    self.state = State::Word(left);
                }
            }
            _ => self.state = State::Invalid,
        }
    }

    /// Digits go on in one piece; the byte after a number is not consumed. Returns what is left.
    fn number<'a>(
        &mut self,
        mut number: Number,
        bytes: &'a [u8],
        visitor: &mut impl Visitor,
    ) -> &'a [u8] {
        let mut length = 0;
        for &byte in bytes {
            let Some(next) = number.next(byte) else { break };
            number = next;
            length += 1;
        }
        let (run, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        if !run.is_empty() {
            visitor.visit(Token::Part(run));
        }
        if rest.is_empty() {
            self.state = State::Number(number);
        } else if number.may_end() {
            self.end(Kind::Scalar, visitor);
        } else {
            self.state = State::Invalid;
        }
        rest
    }
}

fn character(code: u32, visitor: &mut impl Visitor) {
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    visitor.visit(Token::Part(c.encode_utf8(&mut [0; 4]).as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::super::grammar::MAX_DEPTH;
    use super::*;
    use proptest::prelude::*;

    /// Tokens as text, consecutive parts joined.
    #[derive(Default)]
    struct Script(String);

    impl Visitor for Script {
        fn visit(&mut self, token: Token<'_>) {
            match token {
                Token::Part(bytes) => self.0 += &bytes.escape_ascii().to_string(),
                other => self.0 += &format!("<{other:?}>"),
            }
        }
    }

    /// What `text`, cut at `cuts`, reads as; `None` when it is not one complete value.
    fn script(text: &[u8], cuts: &[usize]) -> Option<String> {
        let mut tokenizer = Tokenizer::new();
        let mut out = Script::default();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            tokenizer.feed(&text[pair[0]..pair[1]], &mut out);
        }
        // A number at the top ends with the text.
        tokenizer.feed(b" ", &mut out);
        tokenizer.is_complete().then_some(out.0)
    }

    #[test]
    fn a_key_may_be_escaped_and_cut_anywhere() {
        let plain = script(br#"{"method":[1,true,"x"]}"#, &[]);
        let escaped = br#"{"m\u0065th\u006Fd" : [1, true,"\u0078"] }"#;
        for cut in 0..escaped.len() {
            assert_eq!(script(escaped, &[cut]), plain);
        }
        assert!(plain.is_some());
    }

    #[test]
    fn surrogates_pair_up_or_are_replaced() {
        for (escaped, text) in [
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83dA""#, "\u{fffd}\u{fffd}A"),
        ] {
            let expected = format!("<Begin(Text)>{}<End(Text)>", text.as_bytes().escape_ascii());
            assert_eq!(script(escaped.as_bytes(), &[]), Some(expected), "{escaped}");
        }
    }

    #[test]
    fn nesting_beyond_the_bound_is_invalid_and_forgotten() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(script(deep(MAX_DEPTH).as_bytes(), &[]).is_some());
        assert!(script(deep(MAX_DEPTH + 1).as_bytes(), &[]).is_none());
        let mut tokenizer = Tokenizer::new();
        tokenizer.feed("[".repeat(MAX_DEPTH + 1).as_bytes(), &mut Script::default());
        tokenizer.reset();
        tokenizer.feed(b"{}", &mut Script::default());
        assert!(tokenizer.is_complete());
    }

    proptest! {
        #[test]
        fn accepts_what_serde_json_accepts(
            text in "[\\[\\]{}:,\"a0-9eE+.tfn\\\\u \r-]{0,24}|[\\[\\]0-9,.eE-]{0,12}|\\[(true|false|null|tru|\"\t\"|,|1)*\\]",
        ) {
            let accepted = match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(_) => true,
                Err(e) => e.to_string().contains("out of range"),
            };
            prop_assert_eq!(script(text.as_bytes(), &[]).is_some(), accepted, "{:?}", text);
        }

        #[test]
        fn any_split_gives_the_same_tokens(
            text in "\\{\"[a\\\\\"n]{0,6}\":\\[(\"(\\\\u[0-9d]{4}|é|\\\\n|x)*\",|-?[1-9]{1,3}(\\.[0-9]{1,2})?,|null,)*1\\]\\}",
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            prop_assert_eq!(script(text.as_bytes(), &cuts), script(text.as_bytes(), &[]));
        }
    }
}

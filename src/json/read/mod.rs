//! A strict JSON reader that keeps byte spans, and the string escaper of every writer.
//!
//! One rule: what RFC 8259 does not allow is an error, and so are duplicate keys, trailing data and
//! excessive depth. The gate cannot work without knowing duplicates, and the config editor cannot keep
//! a user's formatting without spans; neither comes from `serde_json` or `miniserde`, so all of the
//! product reads JSON with this one module.
//!
//! Half a surrogate pair is the one thing that readers differ in: JavaScript writes and reads it. The gate
//! refuses it; elsewhere it reads as U+FFFD, and its bytes stay in the file.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The depth of nesting that [`parse`] accepts.
pub const MAX_DEPTH: usize = 64;

/// The depth of nesting that [`parse_of_others`] accepts.
const MAX_DEPTH_OF_OTHERS: usize = 512;

/// A JSON value with its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Value<'a> {
    /// Bytes of the text that this value covers, quotes and brackets included.
    pub span: Range<usize>,
    /// What the value is.
    pub data: Data<'a>,
}

/// The content of a [`Value`].
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is spelled in the text.
    Number(&'a str),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object, in the order of the text.
    Object(Vec<Member<'a>>),
}

/// One key and value of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'a> {
    /// The key, unescaped.
    pub key: Cow<'a, str>,
    /// Bytes of the text that the key covers, quotes included.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Value<'a>,
}

impl<'a> Value<'a> {
    /// The member `key` of an object; `None` when this is no object or has no such member.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.members()?.iter().find(|m| m.key == key).map(|m| &m.value)
    }

    /// The members of an object.
    pub fn members(&self) -> Option<&[Member<'a>]> {
        match &self.data {
            Data::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items of an array.
    pub fn items(&self) -> Option<&[Value<'a>]> {
        match &self.data {
            Data::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A non-negative integer spelled without fraction or exponent.
    pub fn as_u64(&self) -> Option<u64> {
        match self.data {
            Data::Number(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Why a text is not strict JSON. Never holds a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Byte offset at which reading stopped.
    pub offset: usize,
    /// The line of that byte, from 1.
    pub line: u32,
    /// Which character of the line it is, from 1.
    pub column: u32,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text ends in the middle of a value.
    UnexpectedEnd,
    /// A byte that cannot stand here.
    UnexpectedByte,
    /// The text is not UTF-8.
    InvalidUtf8,
    /// A malformed number.
    InvalidNumber,
    /// A malformed escape, a lone surrogate, or a raw control character in a string.
    InvalidString,
    /// An object names one key twice.
    DuplicateKey,
    /// Nested deeper than allowed.
    TooDeep,
    /// Something follows the value.
    TrailingData,
    /// A comment.
    Comment,
    /// A comma with nothing behind it.
    TrailingComma,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::UnexpectedEnd => "ends in the middle of a value",
            ErrorKind::UnexpectedByte => "unexpected character",
            ErrorKind::InvalidUtf8 => "not UTF-8",
            ErrorKind::InvalidNumber => "malformed number",
            ErrorKind::InvalidString => "malformed string",
            ErrorKind::DuplicateKey => "duplicate key",
            ErrorKind::TooDeep => "nested too deep",
            ErrorKind::TrailingData => "data after the value",
            ErrorKind::Comment => "a comment, which JSON does not have,",
            ErrorKind::TrailingComma => "a comma with nothing behind it before the bracket",
        };
        write!(f, "{what} at line {}, column {}", self.line, self.column)
    }
}

impl std::error::Error for Error {}

impl Error {
    #[cold]
    #[inline(never)]
    fn at(text: &str, offset: usize, kind: ErrorKind) -> Self {
        let (mut line, mut column) = (1_u32, 1_u32);
        for character in text.get(..offset).unwrap_or(text).chars() {
            (line, column) = if character == '\n' {
                (line.saturating_add(1), 1)
            } else {
                (line, column.saturating_add(1))
            };
        }
        Self { offset, line, column, kind }
    }
}

/// Reads one value from `text`, which must hold nothing else but white space. Half a surrogate pair reads as
/// U+FFFD.
pub fn parse(text: &[u8]) -> Result<Value<'_>, Error> {
    read(text, MAX_DEPTH, true)
}

/// As [`parse`], for a file of another program: it may be nested as deep as such files are.
pub fn parse_of_others(text: &[u8]) -> Result<Value<'_>, Error> {
    read(text, MAX_DEPTH_OF_OTHERS, true)
}

/// As [`parse`], with another bound on the depth of nesting (a scalar has depth 0). Half a surrogate pair is an
/// error.
pub fn parse_with_depth(text: &[u8], max_depth: usize) -> Result<Value<'_>, Error> {
    read(text, max_depth, false)
}

fn read(text: &[u8], max_depth: usize, takes_halves: bool) -> Result<Value<'_>, Error> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let valid = std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default();
        Error::at(valid, valid.len(), ErrorKind::InvalidUtf8)
    })?;
    let mut reader = Reader { text, at: 0, takes_halves };
    reader.skip_space();
    let value = reader.value(max_depth)?;
    reader.skip_space();
    if reader.at < text.len() { reader.fail(ErrorKind::TrailingData) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Half a surrogate pair is U+FFFD, not an error.
    takes_halves: bool,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, kind: ErrorKind) -> Result<T, Error> {
        Err(self.error(kind))
    }

    /// Once for all callers: it is long, and seldom runs.
    #[cold]
    #[inline(never)]
    fn error(&self, kind: ErrorKind) -> Error {
        let before = self.text.get(..self.at).unwrap_or_default();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_comment = || rest.starts_with("//") || rest.starts_with("/*");
        let ends_early = || rest.starts_with(['}', ']']) && before.trim_end().ends_with(',');
        let kind = match kind {
            ErrorKind::UnexpectedByte | ErrorKind::TrailingData if is_comment() => {
                ErrorKind::Comment
            }
            ErrorKind::UnexpectedByte if ends_early() => ErrorKind::TrailingComma,
            other => other,
        };
        Error::at(self.text, self.at, kind)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        let start = self.at;
        let data = match self.peek() {
            None => return self.fail(ErrorKind::UnexpectedEnd),
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Data::String(self.string()?),
            Some(b't') => self.word("true", Data::Bool(true))?,
            Some(b'f') => self.word("false", Data::Bool(false))?,
            Some(b'n') => self.word("null", Data::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => return self.fail(ErrorKind::UnexpectedByte),
        };
        Ok(Value { span: start..self.at, data })
    }

    fn word(&mut self, word: &str, data: Data<'a>) -> Result<Data<'a>, Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(data)
        } else {
            self.fail(ErrorKind::UnexpectedByte)
        }
    }

    fn number(&mut self) -> Result<Data<'a>, Error> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (leading_zero && whole > 1) {
            return self.fail(ErrorKind::InvalidNumber);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.fail(ErrorKind::InvalidNumber);
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.fail(ErrorKind::InvalidNumber);
            }
        }
        Ok(Data::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut copied = start;
        loop {
            match self.peek() {
                None => return self.fail(ErrorKind::UnexpectedEnd),
                Some(b'"') => {
                    let rest = &self.text[copied..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(rest),
                        Some(mut text) => {
                            text.push_str(rest);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_with(String::new);
                    text.push_str(&self.text[copied..self.at]);
                    let c = self.escape()?;
                    owned.get_or_insert_with(String::new).push(c);
                    copied = self.at;
                }
                Some(0..=0x1f) => return self.fail(ErrorKind::InvalidString),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.at += 1;
        let Some(byte) = self.peek() else { return self.fail(ErrorKind::UnexpectedEnd) };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex4()?;
                let code = match unit {
                    0xd800..0xdc00 => {
                        self.low_half()?.map(|low| 0x10000 + ((unit - 0xd800) << 10) + low)
                    }
                    unit => Some(unit),
                };
                match code.and_then(char::from_u32) {
                    Some(c) => c,
                    None if self.takes_halves => char::REPLACEMENT_CHARACTER,
                    None => return self.fail(ErrorKind::InvalidString),
                }
            }
            _ => {
                self.at -= 1;
                return self.fail(ErrorKind::InvalidString);
            }
        })
    }

    /// What the second half of a surrogate pair adds, if it is next.
    fn low_half(&mut self) -> Result<Option<u32>, Error> {
        let before = self.at;
        if self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let unit = self.hex4()?;
            if (0xdc00..0xe000).contains(&unit) {
                return Ok(Some(unit - 0xdc00));
            }
            self.at = before;
        }
        Ok(None)
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let Some(digits) = self.text.as_bytes().get(self.at..self.at + 4) else {
            return self.fail(ErrorKind::UnexpectedEnd);
        };
        let mut unit = 0;
        for &digit in digits {
            match (digit as char).to_digit(16) {
                Some(value) => unit = unit * 16 + value,
                None => return self.fail(ErrorKind::InvalidString),
            }
        }
        self.at += 4;
        Ok(unit)
    }

    fn array(&mut self, depth: usize) -> Result<Data<'a>, Error> {
        if depth == 0 {
            return self.fail(ErrorKind::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Data::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth - 1)?);
            self.skip_space();
            if self.comma_or(b']')? {
                return Ok(Data::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Data<'a>, Error> {
        if depth == 0 {
            return self.fail(ErrorKind::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        let mut members: Vec<Member<'a>> = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Data::Object(members));
        }
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'"') => {}
                None => return self.fail(ErrorKind::UnexpectedEnd),
                Some(_) => return self.fail(ErrorKind::UnexpectedByte),
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = start..self.at;
            self.skip_space();
            match self.peek() {
                Some(b':') => self.at += 1,
                None => return self.fail(ErrorKind::UnexpectedEnd),
                Some(_) => return self.fail(ErrorKind::UnexpectedByte),
            }
            self.skip_space();
            let value = self.value(depth - 1)?;
            members.push(Member { key, key_span, value });
            self.skip_space();
            if self.comma_or(b'}')? {
                return match duplicate(&members) {
                    Some(at) => Err(Error::at(self.text, at, ErrorKind::DuplicateKey)),
                    None => Ok(Data::Object(members)),
                };
            }
        }
    }

    /// `false` after a comma, `true` after `close`.
    fn comma_or(&mut self, close: u8) -> Result<bool, Error> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            None => self.fail(ErrorKind::UnexpectedEnd),
            Some(_) => self.fail(ErrorKind::UnexpectedByte),
        }
    }
}

/// The offset of the second of two equal keys. Sorting keeps an object with many keys linearithmic.
fn duplicate(members: &[Member<'_>]) -> Option<usize> {
    if members.len() <= 16 {
        return members.iter().enumerate().find_map(|(i, m)| {
            members[..i].iter().any(|n| n.key == m.key).then_some(m.key_span.start)
        });
    }
    let mut keys: Vec<(&str, usize)> =
        members.iter().map(|m| (m.key.as_ref(), m.key_span.start)).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1)
}

/// Appends `text` to `out` as a JSON string, quotes included.
pub fn write_str(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;

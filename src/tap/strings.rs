//! What stands in JSON strings: most of the bytes that pass.
//!
//! One rule: bytes go on in long pieces, because each piece costs more than its bytes.

use super::tokens::{Token, Visitor};

/// What stands for a character after a backslash, other than `u`.
pub(super) fn unescaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// Consecutive bytes of one string, handed on together.
pub(super) struct Gathered {
    bytes: [u8; 256],
    length: usize,
}

impl Default for Gathered {
    fn default() -> Self {
        Self { bytes: [0; 256], length: 0 }
    }
}

impl Gathered {
    pub(super) fn push(&mut self, bytes: &[u8], visitor: &mut impl Visitor) {
        if bytes.len() > self.bytes.len() - self.length {
            self.flush(visitor);
        }
        match self.bytes.get_mut(self.length..self.length + bytes.len()) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => visitor.visit(Token::Part(bytes)),
        }
    }

    pub(super) fn flush(&mut self, visitor: &mut impl Visitor) {
        let bytes = self.bytes.get(..std::mem::take(&mut self.length)).unwrap_or_default();
        if !bytes.is_empty() {
            visitor.visit(Token::Part(bytes));
        }
    }
}

/// Whether a raw control character, which JSON does not allow in strings, is among `bytes`. Eight
/// at a time: strings are most of what passes.
pub(super) fn has_control(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().any(|&word| {
        let word = u64::from_ne_bytes(word);
        word.wrapping_sub(ONES * 0x20) & !word & (ONES * 0x80) != 0
    }) || rest.iter().any(|&byte| byte < 0x20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_found_at_every_place() {
        for place in 0..40 {
            let mut bytes = "å∑ ~\u{7f}\u{80}".as_bytes().repeat(4);
            assert!(!has_control(&bytes));
            bytes[place] = 0x1f;
            assert!(has_control(&bytes));
        }
    }
}

//! Sealed values: a version, a body of integers and byte strings, a checksum.
//!
//! One rule: what does not decode to the last byte is damaged.
//!
//! A value is `version, body, crc`: one byte [`FORMAT`], the body, and the CRC-32 of name, version and body
//! in little-endian order; the name is that of the record or file, so that none passes for another. In
//! bodies integers are LEB128, texts and byte strings have their length before them, members of closed
//! vocabularies are written as spelled on the wire.

/// The version of every value. Another one is not read: the store is put aside and restored.
pub const FORMAT: u8 = 1;

/// A value that is not what we wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Builds a value.
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty body.
    pub fn start() -> Self {
        // Most values fit without growing.
        let mut value = Vec::with_capacity(128);
        value.push(FORMAT);
        Self(value)
    }

    /// The value of that `name`.
    pub fn seal(mut self, name: &[u8]) -> Vec<u8> {
        let crc = crc32(&[name, &self.0]);
        self.0.extend_from_slice(&crc.to_le_bytes());
        self.0
    }

    /// One byte, 0 or 1.
    pub fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    /// LEB128.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// One after the other; how many is not written.
    pub fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.number(*number));
    }

    /// Length and bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Length and UTF-8.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// 0 for `None`, else the value after a 1.
    pub fn option(&mut self, value: Option<u64>) {
        self.flag(value.is_some());
        if let Some(number) = value {
            self.number(number);
        }
    }
}

/// Takes a value apart.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The body of a value, if version and checksum are good.
    pub fn open(name: &[u8], value: &'a [u8]) -> Result<Self, Damaged> {
        let (sealed, crc) = value.split_last_chunk().ok_or(Damaged)?;
        let (version, body) = sealed.split_first().ok_or(Damaged)?;
        if *version != FORMAT || crc32(&[name, sealed]) != u32::from_le_bytes(*crc) {
            return Err(Damaged);
        }
        Ok(Self(body))
    }

    /// `value`, if nothing is left.
    pub fn end<T>(self, value: T) -> Result<T, Damaged> {
        if self.0.is_empty() { Ok(value) } else { Err(Damaged) }
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    /// One byte, 0 or 1.
    pub fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damaged),
        }
    }

    /// LEB128 of at most 64 bits.
    pub fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Damaged);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    /// As many as the caller knows there are.
    pub fn numbers<const N: usize>(&mut self) -> Result<[u64; N], Damaged> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Ok(numbers)
    }

    /// Length and bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Length and UTF-8.
    pub fn text(&mut self) -> Result<String, Damaged> {
        std::str::from_utf8(self.bytes()?).map(str::to_owned).map_err(|_| Damaged)
    }

    /// A member of a closed vocabulary.
    pub fn term<T>(&mut self, of: impl Fn(&str) -> Option<T>) -> Result<T, Damaged> {
        let spelling = std::str::from_utf8(self.bytes()?).map_err(|_| Damaged)?;
        of(spelling).ok_or(Damaged)
    }

    /// The inverse of [`Writer::option`].
    pub fn option(&mut self) -> Result<Option<u64>, Damaged> {
        Ok(if self.flag()? { Some(self.number()?) } else { None })
    }
}

/// CRC-32 (ISO-HDLC, the one of zip and PNG) of the concatenated `parts`.
pub fn crc32(parts: &[&[u8]]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let mut crc = !0_u32;
    for part in parts {
        for byte in *part {
            crc = crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)];
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xCBF4_3926);
    }

    #[test]
    fn integers_of_more_than_64_bits_are_damage() {
        let mut writer = Writer::start();
        writer.number(u64::MAX);
        let value = writer.seal(b"n");
        assert_eq!(Reader::open(b"n", &value).and_then(|mut body| body.number()), Ok(u64::MAX));
        for body in [&[0xff; 10][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]] {
            assert_eq!(Reader(body).number(), Err(Damaged));
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_damage() {
        let mut writer = Writer::start();
        writer.number(u64::MAX);
        let value = writer.seal(b"n");
        assert_eq!(Reader::open(b"n", &value).and_then(|mut body| body.text()), Err(Damaged));
    }
}

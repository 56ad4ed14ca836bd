//! Sealed values: a version, a body of integers and byte strings, a checksum.
//!
//! One rule: what does not decode to the last byte is damaged.
//!
//! A value is `version, body, checksum`: one byte [`FORMAT`], the body, and the [`checksum`] of name,
//! version and body in little-endian order; the name is that of the record or file, so that none passes
//! for another. In bodies integers have eight bytes, texts and byte strings have their length before them, members of closed
//! vocabularies are written as spelled on the wire.

/// The version of every value. An earlier one that is not known is damage; a later one is not read and not
/// touched ([`is_newer`]).
pub const FORMAT: u8 = 1;

/// A value that is not what we wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// What most values fit into.
const INLINE: usize = 128;

/// Builds a value. A small one is never on the heap: an event is on the clock.
pub struct Writer {
    small: [u8; INLINE],
    used: usize,
    /// The whole value, when it does not fit into `small`.
    large: Vec<u8>,
}

impl Writer {
    /// An empty body.
    pub fn start() -> Self {
        let mut writer = Self { small: [0; INLINE], used: 0, large: Vec::new() };
        writer.push(&[FORMAT]);
        writer
    }

    /// Adds the checksum: from now on this is the value of that `name`.
    pub fn seal(&mut self, name: &[u8]) -> &[u8] {
        let sum = checksum(name, self.value());
        self.push(&sum.to_le_bytes());
        self.value()
    }

    /// What was written.
    pub fn value(&self) -> &[u8] {
        let small = self.small.get(..self.used).unwrap_or_default();
        if self.large.is_empty() { small } else { &self.large }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if self.large.is_empty() {
            if let Some(room) = self.small.get_mut(self.used..end) {
                room.copy_from_slice(bytes);
                self.used = end;
                return;
            }
            self.large.extend_from_slice(self.small.get(..self.used).unwrap_or_default());
        }
        self.large.extend_from_slice(bytes);
    }

    /// One byte, 0 or 1.
    pub fn flag(&mut self, flag: bool) {
        self.push(&[u8::from(flag)]);
    }

    /// Eight bytes, little-endian: no smaller, but read and written at once.
    pub fn number(&mut self, number: u64) {
        self.push(&number.to_le_bytes());
    }

    /// One after the other; how many is not written.
    pub fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        self.push(numbers.map(u64::to_le_bytes).as_flattened());
    }

    /// Length and bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.push(bytes);
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

/// Whether `value` is whole, but of a later version than this program knows: no damage. Every version keeps
/// its number in the first byte and the checksum in the last eight.
pub fn is_newer(name: &[u8], value: &[u8]) -> bool {
    let Some((sealed, sum)) = value.split_last_chunk() else { return false };
    sealed.first().is_some_and(|version| *version > FORMAT)
        && checksum(name, sealed) == u64::from_le_bytes(*sum)
}

/// Takes a value apart.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The body of a value, if version and checksum are good.
    pub fn open(name: &[u8], value: &'a [u8]) -> Result<Self, Damaged> {
        let (sealed, sum) = value.split_last_chunk().ok_or(Damaged)?;
        let (version, body) = sealed.split_first().ok_or(Damaged)?;
        if *version != FORMAT || checksum(name, sealed) != u64::from_le_bytes(*sum) {
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

    /// Eight bytes, little-endian.
    pub fn number(&mut self) -> Result<u64, Damaged> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Damaged)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    /// As many as the caller knows there are.
    pub fn numbers<const N: usize>(&mut self) -> Result<[u64; N], Damaged> {
        let (bytes, rest) = self.0.split_at_checked(N * 8).ok_or(Damaged)?;
        self.0 = rest;
        let mut numbers = [0; N];
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_le_bytes(*bytes);
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

/// A 64-bit checksum of `value` under a name.
///
/// Takes eight bytes at a time (an event is on the clock), each by steps that can be undone: exclusive or,
/// multiplication by an odd number, rotation. So damage within one word never goes unnoticed, and any other
/// with a chance of about 2^-64. No defence against who forges a file: that one may write what is true.
pub fn checksum(name: &[u8], value: &[u8]) -> u64 {
    /// 2^64 divided by the golden ratio: odd, and without a pattern.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let mut sum = FACTOR;
    for bytes in [name, value] {
        // The length tells a short last word from one with zeros.
        sum = mix(sum, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        for word in words {
            sum = mix(sum, u64::from_le_bytes(*word));
        }
        let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte));
        sum = mix(sum, last);
    }
    // The last word has reached the high bits only.
    mix(sum, sum >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_stored_values_is_the_same_for_ever() {
        // Another function would put every existing store aside: it needs another FORMAT.
        assert_eq!(checksum(b"counters", b"0123456789abcdef!"), 0x55C5_1CB9_8586_F7C1);
    }

    #[test]
    fn name_value_length_and_order_count() {
        let sums = [
            checksum(b"", b""),
            checksum(b"", b"\0"),
            checksum(b"\0", b""),
            checksum(b"a", b"b"),
            checksum(b"ab", b""),
            checksum(b"", b"ab"),
            checksum(b"", b"01234567abcdefgh"),
            checksum(b"", b"abcdefgh01234567"),
        ];
        for (index, sum) in sums.iter().enumerate() {
            assert!(!sums[..index].contains(sum), "{index}");
        }
    }

    #[test]
    fn a_value_of_any_length_reads_back() {
        for length in [0, 1, 100, 110, 111, 112, 119, 120, 121, 128, 129, 5000] {
            let mut writer = Writer::start();
            writer.bytes(&vec![7; length]);
            writer.flag(true);
            let mut body = Reader::open(b"n", writer.seal(b"n")).unwrap();
            assert_eq!(body.bytes(), Ok(&*vec![7; length]), "{length}");
            assert_eq!(body.flag(), Ok(true), "{length}");
            assert_eq!(body.end(()), Ok(()), "{length}");
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage_by_its_checksum() {
        let sealed = |version: u8| {
            let mut value = vec![version, 7, 7];
            value.extend(checksum(b"n", &value).to_le_bytes());
            value
        };
        assert!(is_newer(b"n", &sealed(FORMAT + 1)) && is_newer(b"n", &sealed(255)));
        assert!(Reader::open(b"n", &sealed(FORMAT + 1)).is_err());
        assert!(!is_newer(b"n", &sealed(FORMAT)) && !is_newer(b"n", &sealed(0)));
        assert!(!is_newer(b"other", &sealed(FORMAT + 1)));
        let mut flipped = sealed(FORMAT);
        flipped[0] = FORMAT + 1;
        assert!(!is_newer(b"n", &flipped) && !is_newer(b"n", b"") && !is_newer(b"n", &[9; 8]));
    }

    #[test]
    fn a_length_beyond_the_end_is_damage() {
        let mut writer = Writer::start();
        writer.number(u64::MAX);
        let value = writer.seal(b"n");
        assert_eq!(Reader::open(b"n", value).and_then(|mut body| body.text()), Err(Damaged));
    }
}

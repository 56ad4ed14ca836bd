//! Sealed values: a version, a body of integers and byte strings, a checksum.
//!
//! One rule: a program reads what it knows, keeps what it does not know, and takes for damage only what no
//! version wrote.
//!
//! A value is `version, body, checksum`: one byte, the body, and the [`checksum`] of name, version and body
//! in little-endian order; the name is that of the record or file, so that none passes for another. In
//! bodies integers have eight bytes, texts and byte strings have their length before them, members of closed
//! vocabularies are written as spelled on the wire.
//!
//! Every record, and the checkpoint file, has a version of its own. It says which layout the body has, and
//! whether additions follow the layout:
//!
//! | version | body |
//! |---|---|
//! | 1 | layout 1, to the last byte |
//! | 2 | layout 1, the additions, the length of the additions |
//! | 3, 4 | layout 2, without and with additions; and so on |
//!
//! - **A new field is an addition**: the layout stays, and the field follows the additions that exist. A program
//!   that does not know it keeps its bytes and writes them back ([`Writer::keep`]). A value that ends before
//!   it holds its default ([`Reader::added`]).
//! - Additions at the end that hold their default are not written. A record in which nothing new happened is
//!   still of version 1, to the byte: the first programs take a byte behind version 1 for damage, and leave
//!   every later version alone.
//! - **Every other change is a new layout** ([`super::record::Part::LAYOUT`]). The program that brings it
//!   still reads the older ones. Older programs leave the record alone, and the store with it ([`is_later`]).
//! - A value is migrated by the transaction that next writes it. Reading writes nothing.
//!
//! The first commits wrote version 1 in another form: packed integers under a CRC-32. The checksum tells.

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
    /// Where the additions begin, and where the last one ends that holds more than its default.
    additions: Option<(usize, usize)>,
}

impl Writer {
    /// An empty body of that layout.
    pub fn start(layout: u8) -> Self {
        let mut writer = Self { small: [0; INLINE], used: 0, large: Vec::new(), additions: None };
        writer.push(&[layout * 2 - 1]);
        writer
    }

    /// Adds one field behind the layout. `holds` says whether it holds more than its default.
    pub fn add(&mut self, holds: bool, write: impl FnOnce(&mut Self)) {
        let begin = self.value().len();
        let (begin, end) = self.additions.unwrap_or((begin, begin));
        write(self);
        self.additions = Some((begin, if holds { self.value().len() } else { end }));
    }

    /// Adds the fields that only later programs know, as [`Reader::end`] gave them.
    pub fn keep(&mut self, unknown: &[u8]) {
        if !unknown.is_empty() {
            self.add(true, |body| body.push(unknown));
        }
    }

    /// Adds the checksum: from now on this is the value of that `name`.
    pub fn seal(&mut self, name: &[u8]) -> &[u8] {
        if let Some((begin, end)) = self.additions {
            self.truncate(end);
            if end > begin {
                self.number((end - begin) as u64);
                let value = if self.large.is_empty() { &mut self.small } else { &mut *self.large };
                value.iter_mut().take(1).for_each(|version| *version += 1);
            }
        }
        let sum = checksum(name, self.value());
        self.push(&sum.to_le_bytes());
        self.value()
    }

    /// What was written.
    pub fn value(&self) -> &[u8] {
        let small = self.small.get(..self.used).unwrap_or_default();
        if self.large.is_empty() { small } else { &self.large }
    }

    fn truncate(&mut self, length: usize) {
        if self.large.is_empty() { self.used = length } else { self.large.truncate(length) }
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

/// Whether `value` is of a later version than the first, and whole. Asked of a value that does not decode:
/// then a later program wrote it, and it is no damage. Every version keeps its number in the first byte and
/// the checksum in the last eight.
pub fn is_later(name: &[u8], value: &[u8]) -> bool {
    unseal(name, value).is_some_and(|sealed| sealed.version > 1)
}

/// Whether `value` is what some program once wrote under that name.
pub fn is_sealed(name: &[u8], value: &[u8]) -> bool {
    unseal(name, value).is_some()
}

/// What is under a good checksum.
struct Sealed<'a> {
    version: u8,
    body: &'a [u8],
    /// In the form of the first commits.
    packed: bool,
}

fn unseal<'a>(name: &[u8], value: &'a [u8]) -> Option<Sealed<'a>> {
    if let Some((sealed, sum)) = value.split_last_chunk()
        && let Some((version, body)) = sealed.split_first()
        && checksum(name, sealed) == u64::from_le_bytes(*sum)
    {
        return Some(Sealed { version: *version, body, packed: false });
    }
    // A packed value can be shorter than the checksum of later ones: an empty window has six bytes.
    let (sealed, sum) = value.split_last_chunk()?;
    let (version, body) = sealed.split_first()?;
    let packed = *version == 1 && crc32([name, sealed]) == u32::from_le_bytes(*sum);
    packed.then_some(Sealed { version: 1, body, packed })
}

/// The value with the numbers of its layout changed where they stand: what every event changes is not taken apart
/// and put together again. `change` gets the body without the additions; `None` when it finds no place there, and
/// for a value of another layout.
pub fn patched(
    name: &[u8],
    value: &[u8],
    layout: u8,
    change: impl FnOnce(&mut [u8]) -> bool,
) -> Option<Writer> {
    let reader = Reader::open(name, value, layout).ok()?;
    if reader.layout != layout || reader.packed {
        return None;
    }
    let length = reader.body.len();
    let mut writer = Writer { small: [0; INLINE], used: 0, large: Vec::new(), additions: None };
    writer.push(value.split_last_chunk::<8>()?.0);
    let whole = if writer.large.is_empty() { &mut writer.small } else { &mut *writer.large };
    if !change(whole.get_mut(1..=length)?) {
        return None;
    }
    writer.seal(name);
    Some(writer)
}

/// Takes a value apart.
pub struct Reader<'a> {
    body: &'a [u8],
    additions: &'a [u8],
    layout: u8,
    packed: bool,
}

impl<'a> Reader<'a> {
    /// The body of a value, if the checksum is good and the layout is at most `newest`.
    pub fn open(name: &[u8], value: &'a [u8], newest: u8) -> Result<Self, Damaged> {
        let Sealed { version, body, packed } = unseal(name, value).ok_or(Damaged)?;
        let layout = version.div_ceil(2);
        if layout == 0 || layout > newest {
            return Err(Damaged);
        }
        let mut reader = Self { body, additions: &[], layout, packed };
        if version % 2 == 0 {
            let (rest, length) = body.split_last_chunk().ok_or(Damaged)?;
            let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| Damaged)?;
            let begin = rest.len().checked_sub(length).ok_or(Damaged)?;
            (reader.body, reader.additions) = rest.split_at(begin);
        }
        Ok(reader)
    }

    /// The fields that this program does not know, if all others were read.
    pub fn end(self) -> Result<&'a [u8], Damaged> {
        if self.body.is_empty() { Ok(self.additions) } else { Err(Damaged) }
    }

    /// The next field behind the layout; its default when the value ends before it.
    pub fn added<T: Default>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Damaged>,
    ) -> Result<T, Damaged> {
        if self.additions.is_empty() {
            return Ok(T::default());
        }
        let mut field = Self { body: self.additions, additions: &[], ..*self };
        let value = read(&mut field)?;
        self.additions = field.body;
        Ok(value)
    }

    /// The layout of the body.
    #[cfg_attr(not(test), expect(dead_code, reason = "every record is of layout 1 still"))]
    pub fn layout(&self) -> u8 {
        self.layout
    }

    /// Whether fields are left that the caller does not know.
    pub fn has_more(&self) -> bool {
        !self.additions.is_empty()
    }

    /// Whether the rest of the body ends with that number.
    pub fn ends_with(&self, number: u64) -> bool {
        self.body.ends_with(&number.to_le_bytes())
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.body.split_first().ok_or(Damaged)?;
        self.body = rest;
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
        if self.packed {
            return self.packed_number();
        }
        let (number, rest) = self.body.split_first_chunk().ok_or(Damaged)?;
        self.body = rest;
        Ok(u64::from_le_bytes(*number))
    }

    /// LEB128 of at most 64 bits.
    #[cold]
    fn packed_number(&mut self) -> Result<u64, Damaged> {
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
        if self.packed {
            for number in &mut numbers {
                *number = self.packed_number()?;
            }
            return Ok(numbers);
        }
        let (bytes, rest) = self.body.split_at_checked(N * 8).ok_or(Damaged)?;
        self.body = rest;
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_le_bytes(*bytes);
        }
        Ok(numbers)
    }

    /// Length and bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        let (bytes, rest) = self.body.split_at_checked(length).ok_or(Damaged)?;
        self.body = rest;
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

/// CRC-32 (ISO-HDLC, the one of zip and PNG) of all `parts`: only the first commits sealed with it.
#[cold]
fn crc32(parts: [&[u8]; 2]) -> u32 {
    !parts.into_iter().flatten().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests;

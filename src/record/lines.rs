//! The lines of a stream that comes in any pieces.
//!
//! One rule: memory is bounded by [`LONGEST`], whatever comes.

use memchr::memchr;

/// A longer line is skipped to its end.
pub const LONGEST: usize = 64 << 10;

/// A line came that is longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// What was read of the line that has not ended.
#[derive(Default)]
pub struct Lines {
    begun: Vec<u8>,
    /// The line that has begun is too long; nothing is kept of it.
    is_skipped: bool,
}

impl Lines {
    /// The next bytes; `each` gets every line that ends in them, without its newline.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Result<&[u8], TooLong>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() && !self.is_skipped {
                each(if line.len() > LONGEST { Err(TooLong) } else { Ok(line) });
            } else {
                self.keep(line);
                self.end(&mut each);
            }
        }
        self.keep(bytes);
    }

    /// Nothing more comes: a last line without a newline counts.
    pub fn finish(&mut self, mut each: impl FnMut(Result<&[u8], TooLong>)) {
        if self.is_skipped || !self.begun.is_empty() {
            self.end(&mut each);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.is_skipped |= self.begun.len() + bytes.len() > LONGEST;
        if self.is_skipped {
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Result<&[u8], TooLong>)) {
        each(if self.is_skipped { Err(TooLong) } else { Ok(&self.begun) });
        self.begun.clear();
        self.is_skipped = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<Result<Vec<u8>, TooLong>> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.feed(piece, |line| all.push(line.map(<[u8]>::to_vec)));
            assert!(lines.begun.capacity() <= 2 * LONGEST);
        }
        lines.finish(|line| all.push(line.map(<[u8]>::to_vec)));
        all
    }

    #[test]
    fn a_line_of_the_longest_length_is_read_and_a_longer_one_is_not() {
        let longest = vec![b'x'; LONGEST];
        let longer = vec![b'x'; LONGEST + 1];
        for split in [1, 1000, LONGEST, LONGEST + 1] {
            let bytes = [&longest[..], b"\n", &longer, b"\n", &longest, b"\na"].concat();
            let pieces: Vec<&[u8]> = bytes.chunks(split).collect();
            let good = Ok(longest.clone());
            let expected = [good.clone(), Err(TooLong), good, Ok(b"a".to_vec())];
            assert_eq!(read(&pieces), expected, "{split}");
        }
        assert_eq!(read(&[&longer]), [Err(TooLong)]);
    }

    proptest! {
        #[test]
        fn a_stream_in_any_pieces_has_the_same_lines(
            // Lines around the limit, too: a run of one byte is as long as its square.
            runs in prop::collection::vec((prop_oneof![Just(b'\n'), any::<u8>()], 0_usize..300), 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let run = |(byte, length): &(u8, usize)| match byte {
                b'\n' => vec![b'\n'],
                byte => vec![*byte; length * length],
            };
            let bytes: Vec<u8> = runs.iter().flat_map(run).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            let mut expected: Vec<_> = bytes
                .split(|byte| *byte == b'\n')
                .map(|line| if line.len() > LONGEST { Err(TooLong) } else { Ok(line.to_vec()) })
                .collect();
            if expected.last() == Some(&Ok(Vec::new())) {
                expected.pop();
            }
            prop_assert_eq!(read(&pieces), expected);
        }
    }
}

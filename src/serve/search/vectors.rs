//! How near texts are in meaning where they share no words: a vector for each of the 7,000 most frequent
//! stems of English; texts are near if the sums of their stems' vectors point the same way.
//!
//! The vectors are made by `scripts/search-vectors.py`, not by tools or questions; what they are made
//! from, and its licences, are in `NOTICE`.

use std::collections::HashMap;
use std::sync::LazyLock;

const DIMENSIONS: usize = 64;
/// Two numbers a byte.
const ROW: usize = DIMENSIONS / 2;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_bytes!("vectors.bin")));

/// The vectors by stem.
struct Table {
    rows: HashMap<&'static str, (&'static [u8], u8)>,
}

impl Table {
    /// Reads what the script wrote; a table that is none is empty.
    fn read(bytes: &'static [u8]) -> Self {
        Self { rows: Self::rows(bytes).unwrap_or_default() }
    }

    fn rows(bytes: &'static [u8]) -> Option<HashMap<&'static str, (&'static [u8], u8)>> {
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (names, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (rows, scales) = rest.split_at_checked(count.checked_mul(ROW)?)?;
        let names = std::str::from_utf8(names).ok()?.lines();
        let rows = rows.chunks_exact(ROW).zip(scales.iter().copied());
        let rows: HashMap<_, _> = names.zip(rows).collect();
        (rows.len() == count).then_some(rows)
    }
}

/// The direction of a text; none if none of its stems is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning([f32; DIMENSIONS]);

impl Meaning {
    /// Of a text with `stems`.
    pub fn of<'a>(stems: impl IntoIterator<Item = &'a str>) -> Self {
        let mut sum = [0.0_f32; DIMENSIONS];
        for stem in stems {
            let Some((row, scale)) = TABLE.rows.get(stem) else { continue };
            for (pair, byte) in sum.chunks_exact_mut(2).zip(*row) {
                // The sign of each half goes into the whole.
                let halves = [(byte << 4) as i8 >> 4, *byte as i8 >> 4];
                for (number, half) in pair.iter_mut().zip(halves) {
                    *number += f32::from(*scale) * f32::from(half);
                }
            }
        }
        let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
        if length > 0.0 {
            sum.iter_mut().for_each(|number| *number /= length);
        }
        Self(sum)
    }

    /// From -1 to 1; 0 if one of the two is of no known stem.
    pub fn nearness(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(TABLE.rows.len(), 7000);
        let mut stems = TABLE.rows.iter();
        assert!(
            stems.all(|(stem, (row, scale))| !stem.is_empty() && row.len() == 32 && *scale > 0)
        );
    }

    #[test]
    fn a_table_that_is_cut_is_empty() {
        let bytes: &'static [u8] = include_bytes!("vectors.bin");
        for end in [0, 4, 9, 1000, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(Table::read(&bytes[..end]).rows.len(), 0, "{end}");
        }
    }

    #[test]
    fn words_of_like_meaning_are_nearer() {
        let near =
            |a: &str, b: &str| Meaning::of(a.split(' ')).nearness(&Meaning::of(b.split(' ')));
        for (word, like, unlike) in [
            ("pictur", "photo", "road"),
            ("buy", "purchas", "weather"),
            ("car", "vehicl", "letter"),
        ] {
            assert!(near(word, like) > near(word, unlike) + 0.2, "{word}");
        }
        assert!((near("buy car", "car buy") - 1.0).abs() < 1e-5);
        assert_eq!(near("zxqv", "car"), 0.0);
    }
}

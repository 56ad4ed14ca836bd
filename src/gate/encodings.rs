//! What becomes of a word in the encodings that programs apply to texts.
//!
//! One rule: only digits that the word alone decides are compared, because its neighbours share the others.

const BASE64: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// `word` in hexadecimal, base 32 and base 64, wherever in a longer text it stands: letters and digits
/// only, in lower case (names of clients have no other).
pub(super) fn all(word: &[u8]) -> impl Iterator<Item = Vec<char>> {
    let alphabets: [(&[u8], usize); 3] = [(HEX, 4), (BASE32, 5), (BASE64, 6)];
    alphabets.into_iter().flat_map(move |(alphabet, width)| {
        // After so many bytes digits and bytes begin together again.
        let period = width / gcd(width, 8);
        (0..period).map(move |before| digits(word, before, alphabet, width))
    })
}

/// The digits of `width` bits that lie wholly in `word`, when `before` bytes stand before it.
fn digits(word: &[u8], before: usize, alphabet: &[u8], width: usize) -> Vec<char> {
    let first = (before * 8).div_ceil(width);
    let end = (before + word.len()) * 8 / width;
    let bit = |at: usize| word[at / 8 - before] >> (7 - at % 8) & 1;
    let digit = |place: usize| {
        (place * width..(place + 1) * width).fold(0, |digit, at| digit << 1 | usize::from(bit(at)))
    };
    let digits = (first..end).map(|place| char::from(alphabet[digit(place)]));
    digits.filter(char::is_ascii_alphanumeric).collect()
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use proptest::prelude::*;

    fn texts(word: &[u8]) -> Vec<String> {
        all(word).map(|digits| digits.into_iter().collect()).collect()
    }

    #[test]
    fn known_words_have_known_digits() {
        let texts = texts(b"alice");
        assert_eq!(texts.len(), 1 + 5 + 3);
        assert_eq!(texts[..2], ["616c696365", "mfwgsy3f"]);
        assert_eq!(texts[6..], ["ywxpy2", "fsawnl", "hbgljz"].map(|text| text.to_owned()));
    }

    proptest! {
        #[test]
        fn wherever_the_word_stands_one_of_its_forms_is_in_the_text(
            before in prop::collection::vec(any::<u8>(), 0..9),
            word in prop::collection::vec(any::<u8>(), 5..20),
            after in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let whole = [before.clone(), word.clone(), after].concat();
            let squash = |text: String| -> String {
                text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
            };
            let base64 = squash(base64::engine::general_purpose::URL_SAFE.encode(&whole));
            let hex = whole.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let forms = texts(&word);
            prop_assert!(hex.contains(&forms[0]));
            prop_assert!(base64.contains(&forms[6 + before.len() % 3]));
        }
    }
}

//! Numbers that are somebody's: telephone, account and card numbers, addresses written as one number.
//!
//! One rule: no name of a product has so many digits; versions and dates have fewer.

/// Digits in a row: a date has eight (`20261122`).
const ROW: usize = 9;
/// Digits of groups with one separator between each two: a date with hours has ten.
const GROUPS: usize = 12;

/// Whether `text` holds that many digits.
pub(super) fn has_long_number(text: &str) -> bool {
    let (mut row, mut groups, mut separators) = (0, 0, 0);
    text.bytes().any(|byte| {
        if byte.is_ascii_digit() {
            row += 1;
            groups += 1;
            separators = 0;
        } else {
            row = 0;
            separators += 1;
            if separators > 1 || !matches!(byte, b'-' | b'.' | b'_' | b' ' | b'/') {
                groups = 0;
            }
        }
        row >= ROW || groups >= GROUPS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_found() {
        for text in [
            "123456789",
            "x123456789x",
            "0123456789ab",
            "1234-5678-9012",
            "12 34 56 78 90 12",
            "+43 660 1234 567",
            "tel-43.660.1234567",
            "1-2-3-4-5-6-7-8-9-0-1-2",
            "12/34/56/78/90/12",
        ] {
            assert!(has_long_number(text), "{text}");
        }
        for text in [
            "",
            "12345678",
            "x12345678",
            "20261122",
            "2026-11-22-14",
            "1.2.3",
            "1234-5678-901",
            "1234--56789012",
            "123456:7890",
            "12345678x1234",
            "1234x5678-9012",
            "10.20.30.40",
            "1a2b3c4d5e6f7890",
        ] {
            assert!(!has_long_number(text), "{text}");
        }
    }
}

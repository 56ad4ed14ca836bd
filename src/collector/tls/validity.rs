//! When a certificate ends: read from its DER, which rustls does not tell.
//!
//! One rule: the way to the one date is followed, and all else is skipped unread.

use crate::contract::timestamp;

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of its validity in seconds since 1970; `None` when it is no certificate.
pub fn ends_at(certificate: &[u8]) -> Option<u64> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut body, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, after)) = expect(body, VERSION) {
        body = after;
    }
    // Serial number, signature algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        body = expect(body, tag)?.1;
    }
    let (validity, _) = expect(body, SEQUENCE)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// The content of the element of that tag, and what follows it.
fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, after) = element(bytes)?;
    (tag == wanted).then_some((content, after))
}

/// Tag, content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // More than four bytes of length are longer than any certificate.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// `491231235959Z` or `20500101000000Z`, which RFC 5280 knows as the only forms.
fn time(tag: u8, text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z').filter(|t| t.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (century, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "5" => ("20", digits),
        (UTC_TIME, 12) => ("19", digits),
        (GENERALIZED_TIME, 14) => digits.split_at_checked(2)?,
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2).unwrap_or_default();
    let [year, month, day, hour, minute, second] = [0, 2, 4, 6, 8, 10].map(part);
    timestamp::parse(&format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn the_end_of_a_certificate_is_read_and_a_cut_one_is_none() {
        let pem = include_bytes!("../../../tests/collector/certificates/first.pem");
        let certificate = CertificateDer::from_pem_slice(pem).expect("a certificate");
        let end = ends_at(&certificate).map(timestamp::format);
        assert_eq!(end.as_deref(), Some("2049-12-31T23:59:59Z"));
        for length in 0..120 {
            assert_eq!(ends_at(&certificate[..length]), None, "{length}");
        }
    }

    #[test]
    fn both_forms_of_a_time_are_known() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some("1970-01-01T00:00:00Z")),
            (UTC_TIME, "261128203000Z", Some("2026-11-28T20:30:00Z")),
            (UTC_TIME, "000229000001Z", Some("2000-02-29T00:00:01Z")),
            (GENERALIZED_TIME, "20500101000000Z", Some("2050-01-01T00:00:00Z")),
            (GENERALIZED_TIME, "21000301000000Z", Some("2100-03-01T00:00:00Z")),
            (UTC_TIME, "20500101000000Z", None),
            (UTC_TIME, "2611282030Z", None),
            (UTC_TIME, "261328203000Z", None),
            (GENERALIZED_TIME, "20500101000000", None),
            (GENERALIZED_TIME, "2050+101000000Z", None),
        ] {
            let found = time(tag, text).map(timestamp::format);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}

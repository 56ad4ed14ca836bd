//! Shapes of secret tokens.
//!
//! One rule: works on folded text, so case says nothing; a token starts at a boundary (any
//! non-alphanumeric), and its end does not matter: enough of it is enough.

use std::ops::Range;

/// A prefix that an issuer gives its tokens, and how many characters make one.
struct Issued {
    prefix: &'static [u8],
    least: usize,
    /// Separators that the rest may hold besides letters and digits.
    separators: &'static [u8],
}

const fn issued(prefix: &'static [u8], least: usize, separators: &'static [u8]) -> Issued {
    Issued { prefix, least, separators }
}

const ISSUED: &[Issued] = &[
    issued(b"sk-", 16, b"-_"),
    issued(b"ghp_", 20, b"_"),
    issued(b"gho_", 20, b"_"),
    issued(b"ghu_", 20, b"_"),
    issued(b"ghs_", 20, b"_"),
    issued(b"ghr_", 20, b"_"),
    issued(b"github_pat_", 20, b"_"),
    issued(b"xoxa-", 10, b"-"),
    issued(b"xoxb-", 10, b"-"),
    issued(b"xoxp-", 10, b"-"),
    issued(b"xoxr-", 10, b"-"),
    issued(b"xoxs-", 10, b"-"),
    issued(b"xoxc-", 10, b"-"),
    issued(b"xoxd-", 10, b"-"),
    issued(b"xoxe-", 10, b"-"),
    issued(b"xapp-", 10, b"-"),
    issued(b"akia", 16, b""),
    issued(b"asia", 16, b""),
    issued(b"aroa", 16, b""),
    issued(b"aida", 16, b""),
    issued(b"glpat-", 20, b"-_"),
    issued(b"glrt-", 20, b"-_"),
    issued(b"gldt-", 20, b"-_"),
    issued(b"glft-", 20, b"-_"),
    issued(b"glptt-", 20, b"-_"),
    issued(b"glcbt-", 20, b"-_"),
    issued(b"glimt-", 20, b"-_"),
    issued(b"glsoat-", 20, b"-_"),
    issued(b"glffct-", 20, b"-_"),
    issued(b"gocspx-", 20, b"-_"),
    issued(b"hvs.", 20, b"-_"),
    issued(b"hvb.", 20, b"-_"),
    issued(b"dckr_pat_", 20, b"-_"),
    issued(b"sq0atp-", 20, b"-_"),
    issued(b"sq0csp-", 20, b"-_"),
    issued(b"sk_live_", 16, b""),
    issued(b"rk_live_", 16, b""),
    issued(b"sk_test_", 16, b""),
    issued(b"rk_test_", 16, b""),
    issued(b"hf_", 30, b""),
    issued(b"npm_", 30, b""),
    issued(b"aiza", 30, b"-_"),
];

/// Digits in a row that no name has.
const LONG: usize = 32;

/// A letter or digit, `_`, or part of a character outside ASCII.
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// A token of a known issuer, a JWT, a UUID, or 32 and more hex or base64 digits.
pub(super) fn has_token(text: &str) -> bool {
    let text = text.as_bytes();
    has_long_run(text)
        || starts(text).any(|at| {
            let rest = &text[at..];
            ISSUED.iter().any(|issued| issued.is_at(rest)) || is_jwt(rest) || is_uuid(rest)
        })
}

/// Where tokens of known issuers and JWTs stand in `folded`, in order and each to its end.
pub fn tokens(folded: &str) -> Vec<Range<usize>> {
    let text = folded.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in starts(text) {
        let rest = &text[at..];
        let is_inside = found.last().is_some_and(|token| at < token.end);
        if !is_inside && (ISSUED.iter().any(|issued| issued.is_at(rest)) || is_jwt(rest)) {
            let is_of_it = |b: &u8| b.is_ascii_alphanumeric() || b"-_+/=".contains(b);
            let mut length = run(rest, is_of_it);
            // A dot goes on, where it does not end a sentence.
            while rest.get(length) == Some(&b'.') && rest.get(length + 1).is_some_and(is_of_it) {
                length += 1 + run(&rest[length + 1..], is_of_it);
            }
            found.push(at..at + length);
        }
    }
    found
}

/// Where a letter or digit follows a boundary.
fn starts(text: &[u8]) -> impl Iterator<Item = usize> {
    (0..text.len()).filter(|&at| {
        text[at].is_ascii_alphanumeric() && (at == 0 || !text[at - 1].is_ascii_alphanumeric())
    })
}

impl Issued {
    fn is_at(&self, rest: &[u8]) -> bool {
        let as_issued = rest.strip_prefix(self.prefix).is_some_and(|body| {
            run(body, |b| b.is_ascii_alphanumeric() || self.separators.contains(b)) >= self.least
        });
        as_issued || self.is_rewritten_at(rest)
    }

    /// With other separators, as programs write what is to be a name (`ghp-..`), and more of them. So are
    /// some products called (`ghs-data-loader`): only with numbers in it, or in one piece.
    fn is_rewritten_at(&self, rest: &[u8]) -> bool {
        let Some((prefix, body)) = rest.split_at_checked(self.prefix.len()) else { return false };
        let same = |(a, b): (&u8, &u8)| a == b || is_separator(a) && is_separator(b);
        let body = &body[..run(body, |b| b.is_ascii_alphanumeric() || is_separator(b))];
        self.prefix.iter().any(is_separator)
            && prefix.iter().zip(self.prefix).all(same)
            && body.len() >= self.least
            && (body.iter().filter(|b| b.is_ascii_digit()).count() >= 3
                || run(body, u8::is_ascii_alphanumeric) >= self.least)
    }
}

/// What names may hold besides letters and digits.
fn is_separator(byte: &u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.')
}

/// How `{` and what may follow it (a quote, blanks, line ends) begin in base64.
const JSON_HEADS: [&[u8]; 5] = [b"eyj", b"eya", b"ewo", b"ewk", b"ew0k"];

/// Two base64url parts with a dot between them, the first of which is an encoded `{"`: both are in a
/// JWT, and a header that is long enough needs no second proof: no claims (`{}`) are three digits.
fn is_jwt(rest: &[u8]) -> bool {
    let member = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let header = run(rest, member);
    let Some((b'.', claims)) = rest[header..].split_first() else { return false };
    let length = run(claims, member);
    JSON_HEADS.iter().any(|head| rest.starts_with(head))
        && ((header >= 6 && claims.starts_with(b"eyj")) || (header >= 12 && length >= 3))
}

/// Groups of 8, 4, 4, 4 and 12 hex digits at boundaries.
fn is_uuid(rest: &[u8]) -> bool {
    rest.len() >= 36
        && !rest.get(36).is_some_and(u8::is_ascii_alphanumeric)
        && rest[..36].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => matches!(byte, b'-' | b'_' | b'.'),
            _ => byte.is_ascii_hexdigit(),
        })
}

/// 32 and more base64 digits (hex digits are among them). Of the URL-safe alphabet, whose `-` and `_`
/// also stand between the words of ordinary names, only what mixes letters and digits as [no words do](is_worded);
/// torn apart by dots as well, only what mixes them more than names with versions do.
fn has_long_run(text: &[u8]) -> bool {
    let standard = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let url_safe = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let changes = |word: &[u8]| {
        let mixed = |pair: &&[u8]| {
            pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic()
                || pair[0].is_ascii_alphabetic() && pair[1].is_ascii_digit()
        };
        word.windows(2).filter(mixed).count()
    };
    text.split(|b| !standard(b)).any(|word| word.len() >= LONG)
        || text
            .split(|b| !url_safe(b))
            .any(|word| word.len() >= LONG && changes(word) >= 4 && !is_worded(word))
        || text
            .split(|b| !url_safe(b) && *b != b'.')
            .any(|word| word.len() >= LONG && changes(word) >= 7)
}

/// Words in which every digit is a `2` or `4` that stands for a word (`iflow-mcp-ip2location-ip2locationio`). Of
/// 10,000 random runs of 32 digits two are so, and were no such word of a name.
fn is_worded(run: &[u8]) -> bool {
    let are_letters = |part: Option<&[u8]>| {
        part.is_some_and(|letters| letters.iter().all(u8::is_ascii_alphabetic))
    };
    let is_word = |at: usize| {
        matches!(run[at], b'2' | b'4')
            && at.checked_sub(2).is_some_and(|start| are_letters(run.get(start..at)))
            && are_letters(run.get(at + 1..at + 4))
    };
    run.iter().filter(|byte| is_separator(byte)).count() >= 2
        && (0..run.len()).filter(|at| run[*at].is_ascii_digit()).all(is_word)
}

fn run(text: &[u8], member: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|b| member(b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_at_their_least_length_and_not_below() {
        for (prefix, least) in [
            ("sk-", 16),
            ("ghp_", 20),
            ("gho_", 20),
            ("ghu_", 20),
            ("ghs_", 20),
            ("ghr_", 20),
            ("github_pat_", 20),
            ("xoxa-", 10),
            ("xoxb-", 10),
            ("xoxp-", 10),
            ("xoxr-", 10),
            ("xoxs-", 10),
            ("akia", 16),
            ("", 32),
        ] {
            let body = "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8";
            for before in ["", "x-", "x_", "x.", " ", "é"] {
                assert!(has_token(&format!("{before}{prefix}{}", &body[..least])), "{prefix}");
            }
            assert!(!has_token(&format!("{prefix}{}", &body[..least - 1])), "{prefix}");
            if !prefix.is_empty() {
                assert!(
                    !has_token(&format!("x{prefix}{}", "z".repeat(least.min(18)))),
                    "x{prefix}"
                );
            }
        }
    }

    #[test]
    fn other_secrets_are_found() {
        for text in [
            "eyjhbgcioijiuzi1nij9.eyjzdwiioiixmjm0nty3odkwin0.abc",
            "eyjhbgcioijub25lin0.eyjzdwiioiixin0.",
            // No claims at all: `{}` is `e30`.
            "eyjhbgcioijub25lin0.e30.",
            "x-eyjhbgcioijub25lin0.e30.sig",
            "0123456789abcdef0123456789abcdef",
            "client-01234567-89ab-cdef-0123-456789abcdef",
            "ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/",
            "x-q7_a9fk2-z8mm1p0wlt5u_3cbd6e4r9g",
            // A digit too much, a letter too few, a separator too few.
            "ab2cde-fg4hij-kl2mno-pq7rst-uv2wxyz",
            "q-a2bcdef-gh4ijkl-mn2opqr-st4uvwxyz",
            "qa-ab2cdef-gh4ijkl-mn2opqr-st4uv-yz",
            "abc2defghij4klmnop-qrstuv2wxyz4abcd",
            "7c9e66.797425.40de94.4be07f.c1f90a.e7",
            "abcdefgh1-ijklmnop2-qrstuvwx3-yzabcd4",
            "ewogicjhbgcioiaibm9uzsj9.e30.x",
            "eyjabc.eyj",
            "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
            "x.aaaaaaaa_bbbb_4ccc_8ddd_eeeeeeeeeeee.x",
            "eyjabcdefghi.e30",
            "eyaiywxnijoibm9uzsj9.e30.x",
            "ew0kicjhbgcioijub25lin0.e30.x",
            "ewkiywxnijoibm9uzsj9.e30.x",
            "ghp-abcdefghij-klmnopqr123",
            "x.github.pat.abcdefghijklmnopq123",
            "sk_abcde.fghij-klm123",
            "asiaabcdefghijklmnop",
            "xoxc-abcdefghij",
            "xoxd-abcdefghij",
            "xoxe-abcdefghij",
            "xapp-abcdefghij",
            "sk_test_abcdefghijklmnop",
            "rk_live_abcdefghijklmnop",
            "sk_live_abcdefghijklmnop",
            "glpat-abcdefghijklmnopqrst",
            "npm_abcdefghijklmnopqrstuvwxyzabcd",
            "hf_abcdefghijklmnopqrstuvwxyzabcd",
            "aizaabcdefghijklmnopqrstuvwxyzabcd",
            "aroaabcdefghijklmnop",
            "aidaabcdefghijklmnop",
            "glrt-abcdefghijklmnopqrst",
            "gldt-abcdefghijklmnopqrst",
            "glft-abcdefghijklmnopqrst",
            "glptt-abcdefghijklmnopqrst",
            "glcbt-abcdefghijklmnopqrst",
            "glimt-abcdefghijklmnopqrst",
            "glsoat-abcdefghijklmnopqrst",
            "glffct-abcdefghijklmnopqrst",
            "gocspx-abcdefgh_jklmnopqrst",
            "rk_test_abcdefghijklmnop",
            "hvs.abcdefghijklmnopqrst",
            "hvb.abcdefghijklmnopqrst",
            "dckr_pat_abcdefghijklmnopqrst",
            "sq0atp-abcdefghijklmnopqrst",
            "sq0csp-abcdefghijklmnopqrst",
            // With other separators than their issuers', in one piece.
            "sk_abcdefghijklmnop",
            "ghp-abcdefghijklmnopqrst",
            "npm.abcdefghijklmnopqrstuvwxyzabcd",
            "xoxb_abcdefghij",
            "glpat_abcdefghijklmnopqrst",
        ] {
            assert!(has_token(text), "{text}");
        }
        for text in [
            "a-long-but-honest-client-name-of-many-words",
            "modelcontextprotocol-inspector-client2",
            "iflow-mcp-ip2location-ip2locationio",
            "iflow-mcp-mcp2everything-mcp2serial",
            "task-runner-for-everything-else",
            "akialonia",
            "eyjafjalla.client",
            "ask-me-anything-please-now",
            "0123456789abcdef0123456789abcde",
            "01234567-89ab-cdef-0123-456789abcde",
            "ghp-abcdefghij-klmnopqrs12",
            "ghp-abcdefghij-klmnopqr1.2",
            "ghp-abcdefghijklmnop123",
            "ghpxabcdefghijklmnopq123",
            "sk_abcdefghijklmno",
            "sk_abcdefghi-klmnop",
            "ghp-abcdefghij-klmnopqrst",
            "xoxb_abcdefghi",
            "hvs-data-loader-for-everyone",
            "github-pat-helper-for-everyone",
            "asia12345-abc12345678",
            "io.github.someone.client-v1.2.3-rc1.x86_64",
            "ewoks123456789.ab",
            "ewok.client",
            "abcdefgh1-ijklmnop2-qrstuvwx3-yzabcde",
            "abcdefgh1.ijklmnop2-qrstuvwx3-yzabcd4ef",
            "eyjab.eyj",
            "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeeee",
            "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeeg",
            "eyjabcdefgh.e30",
            "eyjabcdefghi.e3",
            "xyzabcdefghi.eyj",
        ] {
            assert!(!has_token(text), "{text}");
        }
    }

    #[test]
    fn tokens_are_found_to_their_ends() {
        let text = "a ghp_abcdefghij0123456789. eyjhbgcioijub25lin0.e30.sig_-x, uuid \
                    01234567-89ab-cdef-0123-456789abcdef /a/path/that/is/longer/than/thirty/two";
        let found: Vec<&str> = tokens(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["ghp_abcdefghij0123456789", "eyjhbgcioijub25lin0.e30.sig_-x"]);
    }
}

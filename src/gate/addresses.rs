//! Shapes that say where someone is: paths, e-mail addresses, URLs with user info, IP and MAC addresses.
//!
//! One rule: works on folded text (see [`super::folding`]); a byte outside ASCII counts as a letter
//! where letters are wanted and as a boundary where boundaries are wanted, so doubt refuses.

use super::secrets::is_word_byte;

/// Directories below which people live, without the leading separator.
const HOMES: [&[u8]; 6] =
    [b"users", b"home", b"root", b"var/folders", b"var\\folders", b"documents and settings"];

/// `/home/..` and its like with either separator, a drive letter, a UNC name, a `~`.
pub(super) fn has_path(text: &str) -> bool {
    let text = text.as_bytes();
    (0..text.len()).any(|at| match text[at] {
        b'~' => true,
        b'/' => {
            is_home(&text[at + 1..]) || (starts_word(text, at) && is_host(&text[at + 1..], b'/'))
        }
        b'\\' => is_home(&text[at + 1..]) || is_host(&text[at + 1..], b'\\'),
        b':' => is_drive(text, at),
        _ => false,
    })
}

/// One of [`HOMES`] as a whole segment.
fn is_home(rest: &[u8]) -> bool {
    HOMES.iter().any(|home| {
        rest.strip_prefix(*home).is_some_and(|after| {
            !after.first().is_some_and(|b| is_word_byte(*b) || matches!(b, b'-' | b'.'))
        })
    })
}

/// The second separator of `\\server` or `//server`, and a server behind it.
fn is_host(rest: &[u8], separator: u8) -> bool {
    match rest {
        [first, second, ..] if *first == separator => {
            is_word_byte(*second) || matches!(second, b'.' | b'?')
        }
        _ => false,
    }
}

fn starts_word(text: &[u8], at: usize) -> bool {
    at == 0 || matches!(text[at - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'=' | b'(')
}

/// The colon of `c:\`, `c:/` or a final `c:`.
fn is_drive(text: &[u8], colon: usize) -> bool {
    colon >= 1
        && text[colon - 1].is_ascii_alphabetic()
        && (colon == 1 || !text[colon - 2].is_ascii_alphanumeric())
        && matches!(text.get(colon + 1), None | Some(b'\\' | b'/'))
}

/// `local@domain`, a domain without a dot included. An npm scope (`@scope/name`) has no local part.
pub(super) fn has_email(text: &str) -> bool {
    let text = text.as_bytes();
    memchr::memchr_iter(b'@', text).any(|at| {
        let local = at.checked_sub(1).is_some_and(|before| {
            is_word_byte(text[before]) || b".%+-!#$&'*=?^`{|}\"".contains(&text[before])
        });
        let domain = text.get(at + 1).is_some_and(|b| is_word_byte(*b) || *b == b'[');
        local && domain
    })
}

/// `scheme://user@host` and `scheme://user:password@host`.
pub(super) fn has_user_info(text: &str) -> bool {
    text.match_indices("://").any(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let end = rest.find(|c: char| "/?#\"'<>\\".contains(c) || c.is_whitespace());
        rest[..end.unwrap_or(rest.len())].contains('@')
    })
}

/// An IPv4, IPv6 or MAC address.
pub(super) fn has_address(text: &str) -> bool {
    let text = text.as_bytes();
    has_ipv4(text) || has_ipv6(text) || has_mac(text)
}

/// Four numbers up to 255 with dots between them, letters may adjoin (`ip10.0.0.1`); with dashes
/// (`ip-10-0-0-1`, as clouds name their hosts) only as whole words.
fn has_ipv4(text: &[u8]) -> bool {
    let starts =
        |at: &usize| text[*at].is_ascii_digit() && (*at == 0 || !text[*at - 1].is_ascii_digit());
    (0..text.len()).filter(starts).any(|at| {
        ipv4_length(&text[at..], b'.').is_some()
            || ipv4_length(&text[at..], b'-').is_some_and(|length| {
                (at == 0 || !is_word_byte(text[at - 1]))
                    && !text.get(at + length).is_some_and(|b| is_word_byte(*b))
            })
    })
}

/// The length of four numbers at the start of `rest`.
fn ipv4_length(rest: &[u8], separator: u8) -> Option<usize> {
    let mut at = 0;
    for part in 0..4 {
        if part > 0 {
            (rest.get(at) == Some(&separator)).then_some(())?;
            at += 1;
        }
        let digits = rest[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        (1..=3).contains(&digits).then_some(())?;
        let number = rest[at..at + digits].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
        (number <= 255).then_some(())?;
        at += digits;
    }
    Some(at)
}

/// Groups of up to four hex digits with colons: eight of them, or fewer around a `::`.
fn has_ipv6(text: &[u8]) -> bool {
    if memchr::memchr(b':', text).is_none() {
        return false;
    }
    let member = |b: &u8| b.is_ascii_hexdigit() || *b == b':';
    words(text, member).any(|run| {
        let groups = || run.split(|b| *b == b':');
        let filled = groups().filter(|group| !group.is_empty()).count();
        groups().all(|group| group.len() <= 4)
            && (filled >= 8 || (filled >= 1 && run.windows(2).any(|pair| pair == b"::")))
    })
}

/// Six pairs of hex digits with one separator between them (`:`, `-`, `.` or `_`), three groups of four
/// with dots, or twelve digits in a row that are neither a number nor a word.
fn has_mac(text: &[u8]) -> bool {
    let separated = |separator: u8, group: usize, count: usize| {
        // Most texts do not have enough separators, and need no second look.
        if memchr::memchr_iter(separator, text).count() + 1 < count {
            return false;
        }
        words(text, move |b| b.is_ascii_hexdigit() || *b == separator).any(|run| {
            let mut row = 0;
            run.split(|b| *b == separator).any(|part| {
                row = if part.len() == group { row + 1 } else { 0 };
                row == count
            })
        })
    };
    b":-._".iter().any(|separator| separated(*separator, 2, 6))
        || separated(b'.', 4, 3)
        || words(text, u8::is_ascii_hexdigit).any(|run| {
            run.len() == 12
                && run.iter().any(u8::is_ascii_digit)
                && run.iter().any(u8::is_ascii_alphabetic)
        })
}

/// The longest runs of `member` bytes, without the letters and digits at their edges that belong to a
/// longer word (`d` of `std::`).
fn words<'t>(text: &'t [u8], member: impl Fn(&u8) -> bool + 't) -> impl Iterator<Item = &'t [u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text.get(at..)?.iter().position(&member)?;
        let (before, rest) = text.split_at(at);
        let length = rest.iter().take_while(|b| member(b)).count();
        let (mut run, after) = rest.split_at(length);
        at += length;
        if before.last().is_some_and(u8::is_ascii_alphanumeric) {
            let cut = run.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            run = &run[cut..];
        }
        if after.first().is_some_and(u8::is_ascii_alphanumeric) {
            let cut = run.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
            run = &run[..run.len() - cut];
        }
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found() {
        for text in [
            "/users/x",
            "/home/x",
            "x/home/x",
            "/root/x",
            "/root",
            "/var/folders/zz",
            "c:\\x",
            "c:/x",
            "x c:\\",
            "file:///c:/x",
            "\\\\server\\share",
            "\\\\?\\c",
            "~",
            "~/x",
            "a~1",
            "\\users\\x",
            "d:",
            "/private/var/folders/a",
            "//server/share",
            "\\home",
            "/home:x",
        ] {
            assert!(has_path(text), "{text}");
        }
        for text in [
            "",
            "home",
            "users",
            "a/b",
            "/usr/bin",
            "homework/x",
            "/homes",
            "/home-assistant",
            "http://x",
            "ab:/x",
            "a:b",
            "/rooted",
            "var/folders",
            "\\x",
            "https://host/x",
        ] {
            assert!(!has_path(text), "{text}");
        }
    }

    #[test]
    fn mail_and_user_info_are_found() {
        for text in ["a@b", "tim.x@example.com", "x+y@[1", "\"a b\"@x.y", "é@x", "a@é"] {
            assert!(has_email(text), "{text}");
        }
        for text in ["@scope/name", "a @ b", "a@", "@", "x/@scope/y"] {
            assert!(!has_email(text), "{text}");
        }
        assert!(has_user_info("https://tim:x@host/y"));
        assert!(has_user_info("ftp://tim@host"));
        assert!(!has_user_info("https://host/@x"));
        assert!(!has_user_info("https://host/a b@c"));
    }

    #[test]
    fn addresses_are_found() {
        for text in [
            "10.0.0.1",
            "x 192.168.1.10:80",
            "v1.2.3.4",
            "ip-10-0-0-1",
            "1.2.3.4.5",
            "010.000.000.001",
            "fe80::1",
            "::1",
            "[2001:db8::1]",
            "fe80::1%eth0",
            "ip:fe80::1",
            "1:2:3:4:5:6:7:8",
            "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
            "::ffff:10.0.0.1",
            "aa:bb:cc:dd:ee:ff",
            "00-1a-2b-3c-4d-5e",
            "aabb.ccdd.ee11",
            "001a2b3c4d5e",
            "host-00-1a-2b-3c-4d-5e",
            "xde-00-1a-2b-3c-4d-5e-fox",
            "aa_bb_cc_dd_ee_ff",
            "aa:bb:cc:dd:ee:ff:00:11",
        ] {
            assert!(has_address(text), "{text}");
        }
        for text in [
            "",
            "1.2.3",
            "256.1.1.1",
            "1234.1.1.1",
            "1.2.3.456",
            "1.2.3.4567",
            "12:34:56",
            "2026-11-22",
            "foo::bar::baz",
            "std::vec",
            "aa:bb:cc:dd:ee",
            "202611221446",
            "feedbacdecade",
            "acebdfacebdf",
            "1-2-3",
            "x1-2-3-4",
            "vscode-1.96.2",
        ] {
            assert!(!has_address(text), "{text}");
        }
    }
}

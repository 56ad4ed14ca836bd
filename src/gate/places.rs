//! Shapes that say where someone is: paths, e-mail addresses, URLs with user info.
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
    has_flat_path(text)
        || (0..text.len()).any(|at| match text[at] {
            b'~' => true,
            b'/' => {
                is_home(&text[at + 1..])
                    || (starts_word(text, at) && is_host(&text[at + 1..], b'/'))
            }
            b'\\' => is_home(&text[at + 1..]) || is_host(&text[at + 1..], b'\\'),
            b':' => is_drive(text, at),
            _ => false,
        })
}

/// A path that was made a name of (`c-users-bob`, `private-var-folders-zz`): as far as no product is called so.
fn has_flat_path(text: &[u8]) -> bool {
    let mut words = text.split(|b| !b.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let (mut one, mut two): (&[u8], &[u8]) = (b"", b"");
    words.any(|word| {
        let is_path = one == b"var" && two == b"folders"
            || one.len() == 1 && two == b"users" && one[0].is_ascii_alphabetic();
        (one, two) = (two, word);
        is_path
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
            "xyz c:/x",
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
            "c-users-bob",
            "x_c__users.bob",
            "private-var-folders-zz",
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
            "c-users",
            "cc-users-bob",
            "7-users-bob",
            "var-folders",
            "var-x-folders-y",
            "users-bob",
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
}

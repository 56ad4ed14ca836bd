//! Addresses of machines: IPv4, IPv6, MAC, in the forms in which people and programs write them.
//!
//! One rule: works on folded text (see [`super::folding`]); letters that adjoin make a word of it, and
//! words are no addresses.

/// An IPv4, IPv6 or MAC address.
pub(super) fn has_address(text: &str) -> bool {
    let text = text.as_bytes();
    has_ipv4(text) || has_hex_ipv4(text) || has_ipv6(text) || has_mac(text) || has_groups(text)
}

/// Four numbers up to 255 with dots between them, letters may adjoin (`ip10.0.0.1`); with `-` or `_`
/// (`ip-10-0-0-1`, as clouds name their hosts) only as whole words. The private network that most homes
/// have needs but three.
fn has_ipv4(text: &[u8]) -> bool {
    let starts =
        |at: &usize| text[*at].is_ascii_digit() && (*at == 0 || !text[*at - 1].is_ascii_digit());
    let is_boundary =
        |byte: Option<&u8>| byte.is_none_or(|b| !b.is_ascii_alphanumeric() && b.is_ascii());
    (0..text.len()).filter(starts).any(|at| {
        let rest = &text[at..];
        let before = at.checked_sub(1).map(|before| &text[before]);
        let whole = |separator| {
            ipv4_length(rest, separator)
                .is_some_and(|length| is_boundary(before) && is_boundary(text.get(at + length)))
        };
        ipv4_length(rest, b'.').is_some() || whole(b'-') || whole(b'_') || is_at_home(rest)
    })
}

/// `192.168.` and one more number.
fn is_at_home(rest: &[u8]) -> bool {
    matches!(rest, [b'1', b'9', b'2', one, b'1', b'6', b'8', two, digit, ..]
        if one == two && b".-_".contains(one) && digit.is_ascii_digit())
}

/// The length of four numbers at the start of `rest`.
fn ipv4_length(rest: &[u8], separator: u8) -> Option<usize> {
    let mut at = 0;
    for part in 0..4 {
        if part > 0 {
            (rest.get(at) == Some(&separator)).then_some(())?;
            at += 1;
        }
        at += part_length(&rest[at..])?;
    }
    Some(at)
}

/// The length of a number up to 255 at the start of `rest`: decimal, octal (`0300`) or hexadecimal
/// (`0xc0`); zeros before it do not matter.
fn part_length(rest: &[u8]) -> Option<usize> {
    if let Some(hex) = rest.strip_prefix(b"0x") {
        let digits = hex.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        return (1..=2).contains(&digits).then_some(digits + 2);
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let zeros = rest[..digits].iter().take_while(|b| **b == b'0').count();
    let number = match &rest[zeros..digits] {
        long if long.len() > 3 => return None,
        short => short.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')),
    };
    let most = if zeros > 0 { 377 } else { 255 };
    (digits > 0 && number <= most).then_some(digits)
}

/// Eight hex digits (or more: ids of containers and commits), not of a word: with three numbers among
/// them, or two that do not end it (`cafe2` is a word, `ddb76def` is none), or after `0x`.
fn has_hex_ipv4(text: &[u8]) -> bool {
    let is_hex = |run: &[u8]| {
        let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
        let ends_in_letter = run.last().is_some_and(u8::is_ascii_alphabetic);
        run.len() >= 8 && digits < run.len() && (digits >= 3 || digits == 2 && ends_in_letter)
    };
    let after_0x = |at: usize| {
        text[at..].starts_with(b"0x")
            && text[at + 2..].iter().take_while(|b| b.is_ascii_hexdigit()).count() >= 7
    };
    words(text, u8::is_ascii_hexdigit).any(is_hex) || (0..text.len()).any(after_0x)
}

/// Groups of up to four hex digits with colons: eight of them, or fewer around a `::`. Names cannot hold
/// colons: with `-` or `_` in their place (as Windows does) too, if there are numbers in it.
fn has_ipv6(text: &[u8]) -> bool {
    let flat = |separator: u8| {
        let member = move |b: &u8| b.is_ascii_hexdigit() || *b == separator;
        words(text, member).any(|run| {
            stretches(trim(run, separator), separator).any(|groups| {
                let digits = || groups.iter().copied().flatten();
                digits().count() >= 5
                    && digits().any(u8::is_ascii_digit)
                    && (groups.len() >= 8 || is_shortened(&groups))
            })
        })
    };
    if flat(b'-') || flat(b'_') {
        return true;
    }
    if memchr::memchr(b':', text).is_none() {
        return false;
    }
    let member = |b: &u8| b.is_ascii_hexdigit() || *b == b':';
    words(text, member).any(|run| {
        stretches(run, b':').any(|groups| {
            let filled = groups.iter().filter(|group| !group.is_empty()).count();
            filled >= 8 || (filled >= 1 && is_shortened(&groups))
        })
    })
}

/// The groups of `run`, in stretches of such as an IPv6 address can have: a longer one is a word beside it.
fn stretches(run: &[u8], separator: u8) -> impl Iterator<Item = Vec<&[u8]>> {
    let groups: Vec<&[u8]> = run.split(|b| *b == separator).collect();
    let stretches: Vec<Vec<&[u8]>> =
        groups.split(|group| group.len() > 4).map(<[&[u8]]>::to_vec).collect();
    stretches.into_iter()
}

/// Whether there is a `::`.
fn is_shortened(groups: &[&[u8]]) -> bool {
    let [_, between @ .., _] = groups else { return false };
    between.iter().any(|group| group.is_empty())
}

/// `run` without the separators at its edges.
fn trim(mut run: &[u8], separator: u8) -> &[u8] {
    while let Some(rest) = run.strip_prefix(&[separator]) {
        run = rest;
    }
    while let Some(rest) = run.strip_suffix(&[separator]) {
        run = rest;
    }
    run
}

/// Six pairs of hex digits with one separator between them (`:`, `-`, `.` or `_`), three groups of four
/// with dots, two of six with three numbers among them, or twelve digits in a row that are neither a number
/// nor a word.
fn has_mac(text: &[u8]) -> bool {
    b":-._".iter().any(|separator| separated(text, *separator, 2, 6, 0))
        || separated(text, b'.', 4, 3, 0)
        || has_halves(text)
        || words(text, u8::is_ascii_hexdigit).any(|run| {
            run.len() == 12
                && run.iter().any(u8::is_ascii_digit)
                && run.iter().any(u8::is_ascii_alphabetic)
        })
}

/// What words with dashes may look like as well, so only with three numbers in it: an IPv4 address as four
/// pairs of hex digits (`c0-a8-01-01`), a MAC address as three groups of four (`001a-2b3c-4d5e`).
fn has_groups(text: &[u8]) -> bool {
    b":-._".iter().any(|separator| separated(text, *separator, 2, 4, 3))
        || b":-_".iter().any(|separator| separated(text, *separator, 4, 3, 3))
}

/// Whether there are `count` groups of `length` hex digits, with `separator` between them and as many
/// numbers in them.
fn separated(text: &[u8], separator: u8, length: usize, count: usize, numbers: usize) -> bool {
    // Most texts do not have enough separators, and need no second look.
    if memchr::memchr_iter(separator, text).count() + 1 < count {
        return false;
    }
    words(text, move |b| b.is_ascii_hexdigit() || *b == separator).any(|run| {
        let groups: Vec<&[u8]> = run.split(|b| *b == separator).collect();
        groups.windows(count).any(|row| {
            let digits = row.iter().copied().flatten().filter(|b| b.is_ascii_digit());
            row.iter().all(|group| group.len() == length) && digits.count() >= numbers
        })
    })
}

/// `001a2b-3c4d5e`
fn has_halves(text: &[u8]) -> bool {
    words(text, |b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'.' | b'_')).any(|run| {
        let mut halves = run.split(|b| !b.is_ascii_hexdigit()).map(|part| (part.len(), part));
        let mut before: &[u8] = b"";
        halves.any(|(length, part)| {
            let digits = before.iter().chain(part).filter(|b| b.is_ascii_digit()).count();
            let is_mac = length == 6 && before.len() == 6 && (3..12).contains(&digits);
            before = part;
            is_mac
        })
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
            "ip_10_0_0_1",
            "x-10_0_0_1.y",
            "0300.0250.0001.0001",
            "0377.1.1.1",
            "00010.0000.0.0000001",
            "0x1.0xa8.0.1",
            "0xa.1.1.1",
            "0.0.0.0",
            "0xc0.0xa8.1.0x1",
            "192.168.1",
            "x192-168-2",
            "192_168_0_x",
            "c0a80101",
            "ip-c0a80101-x",
            "0xc0a8010",
            "x0xdeadbee",
            "3f2a9c1b7d4e",
            "0a1b2c3d4e5f60718293",
            "fe80--1ff-fe23",
            "2001_db8__1",
            "-2001-db8-85a3-8d3-1319-8a2e-370-7348-",
            "001a2b-3c4d5e",
            "x-001a2b.3c4d5e-y",
            "I6]8888888:8c75:7e8a:4bd2:2260:6c63::d34c",
            "fe80::1:deadbeef",
            "deadbeef-fe80--1ff-fe23-20261122",
            "c0-a8-01-01",
            "x-0a.ff.ac.12-y",
            "0a_ff_ac_12",
            "0a:ff:ac:12",
            "001a-2b3c-4d5e",
            "x_001a_2b3c_4d5e",
            "001a:2b3c:4d5e",
            "ddb76def",
            "x-a9fea9fe",
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
            "at 12:34: x",
            "12:",
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
            "x10_0_0_1",
            "x-10-0-0-1y",
            "10..0.1",
            "10.0.0.",
            "10-0-0-1x",
            "10_0-0_1",
            "0400.1.1.1",
            "1000.1.1.1",
            "0x.0x.0x.0x",
            "0xfff.1.1.1",
            "192.168",
            "192.168.x",
            "192.168-1",
            "193.168.1",
            "c0a8010",
            "c0ffeecafe",
            "12345678",
            "face2face",
            "deadbee12",
            "0xdeadbe",
            "xc0a80101x",
            "fe80--x",
            "ab--cd",
            "cafe--babe",
            "a-b-c-d-e-f-a-b",
            "a-1-b-2-c-3-d",
            "1a2b3-a-1-a-b-a-b-1",
            "facade-decade",
            "123456-654321",
            "001a2b-3c4d5",
            "fac1de-deca2e",
            "facade::beef",
            "decade:1:2:3:4:5:6:7",
            "20261122-a--b",
            "ab-cd-ef-12",
            "ca-fe-20-2",
            "1a-2b-3c",
            "cafe-face-ab12",
            "001a-2b3c",
            "cafe-beef-123",
            "decade20",
            "face2fac",
        ] {
            assert!(!has_address(text), "{text}");
        }
    }
}

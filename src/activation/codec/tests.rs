//! Values come back as they were sealed, of whichever version.

use super::*;

#[test]
fn the_checksum_of_stored_values_is_the_same_for_ever() {
    // Another function would put every existing store aside.
    assert_eq!(checksum(b"counters", b"0123456789abcdef!"), 0x55C5_1CB9_8586_F7C1);
    assert_eq!(crc32([b"1234", b"56789"]), 0xCBF4_3926);
}

#[test]
fn name_value_length_and_order_count() {
    let sums = [
        checksum(b"", b""),
        checksum(b"", b"\0"),
        checksum(b"\0", b""),
        checksum(b"a", b"b"),
        checksum(b"ab", b""),
        checksum(b"", b"ab"),
        checksum(b"", b"01234567abcdefgh"),
        checksum(b"", b"abcdefgh01234567"),
    ];
    for (index, sum) in sums.iter().enumerate() {
        assert!(!sums[..index].contains(sum), "{index}");
    }
}

#[test]
fn a_value_of_any_length_reads_back_with_and_without_additions() {
    for length in [0, 1, 100, 110, 111, 112, 119, 120, 121, 128, 129, 5000] {
        for added in [None, Some(0), Some(3), Some(300)] {
            let mut writer = Writer::start(1);
            writer.bytes(&vec![7; length]);
            writer.flag(true);
            if let Some(added) = added {
                writer.add(true, |body| body.bytes(&vec![8; added]));
            }
            let value = writer.seal(b"n");
            assert_eq!(value[0], if added.is_some() { 2 } else { 1 });
            let mut body = Reader::open(b"n", value, 1).unwrap();
            assert_eq!(body.bytes(), Ok(&*vec![7; length]), "{length}");
            assert_eq!(body.flag(), Ok(true), "{length}");
            let found = body.added(|field| field.bytes().map(<[u8]>::to_vec));
            assert_eq!(found, Ok(vec![8; added.unwrap_or(0)]));
            assert_eq!(body.end(), Ok(&[][..]), "{length}");
        }
    }
}

/// One field of the layout, and as many additions as `numbers`; `unknown` of later programs.
fn sealed(numbers: &[u64], unknown: &[u8]) -> Vec<u8> {
    let mut writer = Writer::start(1);
    writer.flag(true);
    for number in numbers {
        writer.add(*number != 0, |body| body.number(*number));
    }
    writer.keep(unknown);
    writer.seal(b"n").to_vec()
}

#[test]
fn additions_that_hold_nothing_are_written_only_before_one_that_does() {
    let first = sealed(&[], b"");
    assert_eq!(first.len(), 1 + 1 + 8);
    assert_eq!(sealed(&[0, 0], b""), first);
    assert_eq!(sealed(&[0, 5, 0], b""), sealed(&[0, 5], b""));
    assert_eq!(sealed(&[0, 5], b"").len(), first.len() + 16 + 8);
    assert_eq!(sealed(&[0, 0], b"later").len(), first.len() + 16 + 5 + 8);
}

#[test]
fn a_program_keeps_what_it_does_not_know() {
    let value = sealed(&[4, 5], b"later");
    for known in 0..=2_usize {
        let mut body = Reader::open(b"n", &value, 1).unwrap();
        assert_eq!(body.flag(), Ok(true));
        let numbers: Vec<u64> = (0..known).map(|_| body.added(Reader::number).unwrap()).collect();
        assert_eq!(numbers, [4, 5][..known]);
        assert_eq!(sealed(&numbers, body.end().unwrap()), value);
    }
    let body = Reader::open(b"n", &value, 1).unwrap();
    assert_eq!(body.end(), Err(Damaged), "the layout is read to its last byte");
}

fn under_version(version: u8) -> Vec<u8> {
    let mut value = vec![version, 1];
    value.extend(checksum(b"n", &value).to_le_bytes());
    value
}

#[test]
fn a_later_layout_is_told_from_damage_by_its_checksum() {
    for version in [2, 3, 4, 255] {
        let value = under_version(version);
        assert!(Reader::open(b"n", &value, 1).is_err(), "{version}");
        assert!(is_later(b"n", &value) && is_sealed(b"n", &value), "{version}");
        assert!(!is_later(b"other", &value) && !is_sealed(b"other", &value), "{version}");
    }
    assert!(!is_later(b"n", &under_version(1)) && !is_later(b"n", &under_version(0)));
    assert!(Reader::open(b"n", &under_version(0), 1).is_err());
    let mut flipped = under_version(1);
    flipped[0] = 3;
    for damaged in [&flipped, &b""[..], &[9; 8], &[9; 4]] {
        assert!(!is_later(b"n", damaged) && !is_sealed(b"n", damaged));
        assert!(Reader::open(b"n", damaged, 9).is_err());
    }
    assert_eq!(Reader::open(b"n", &under_version(3), 2).map(|body| body.layout()), Ok(2));
}

#[test]
fn a_length_beyond_the_end_is_damage() {
    let mut writer = Writer::start(1);
    writer.number(u64::MAX);
    let value = writer.seal(b"n").to_vec();
    assert_eq!(Reader::open(b"n", &value, 1).and_then(|mut body| body.text()), Err(Damaged));
    let mut value = [2].to_vec();
    value.extend(u64::MAX.to_le_bytes());
    value.extend(checksum(b"n", &value).to_le_bytes());
    assert!(Reader::open(b"n", &value, 1).is_err());
}

#[test]
fn packed_numbers_of_the_first_commits_are_read() {
    let mut value = vec![1, 0x7f, 0xe5, 0x8e, 0x26];
    value.extend(crc32([b"n", &value]).to_le_bytes());
    let mut body = Reader::open(b"n", &value, 1).unwrap();
    assert_eq!(body.numbers(), Ok([127, 624_485]));
    assert!(body.end().is_ok() && !is_later(b"n", &value) && is_sealed(b"n", &value));
    value[1] ^= 1;
    assert!(Reader::open(b"n", &value, 1).is_err());
}

#[test]
fn a_packed_value_may_be_shorter_than_a_later_checksum() {
    // What the first commits wrote for a window without a bucket.
    let mut value = vec![1, 0];
    value.extend(crc32([b"calls", &value]).to_le_bytes());
    assert_eq!(Reader::open(b"calls", &value, 1).and_then(|mut body| body.number()), Ok(0));
    assert!(is_sealed(b"calls", &value) && Reader::open(b"tokens", &value, 1).is_err());
    assert!(!is_sealed(b"calls", &[]) && !is_sealed(b"calls", &[1; 4]));
}

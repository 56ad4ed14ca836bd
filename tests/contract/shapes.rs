//! The hand-written matchers of string shapes against the patterns of the schema.

use jsonschema::Validator;
use mcpproxy::contract::table::Text;
use mcpproxy::contract::{self, timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

fn by_pattern(shape: Text) -> Validator {
    let name = match shape {
        Text::Uuid => "uuid",
        Text::Version => "version",
        Text::OptionalVersion => "optional_version",
        Text::Timestamp => "timestamp",
        Text::ClientName => "client_name",
        Text::Day => "day",
        Text::ProductName => "product_name",
        Text::ProductVersion => "product_version",
    };
    let schema = contract::schema(contract::SCHEMA_VERSION).unwrap();
    let schema: Value = serde_json::from_str(schema.text).unwrap();
    jsonschema::draft202012::new(&schema["$defs"][name]).unwrap()
}

static SHAPES: LazyLock<Vec<(Text, Validator)>> = LazyLock::new(|| {
    [
        Text::Uuid,
        Text::Version,
        Text::OptionalVersion,
        Text::Timestamp,
        Text::ClientName,
        Text::Day,
        Text::ProductName,
        Text::ProductVersion,
    ]
    .map(|shape| (shape, by_pattern(shape)))
    .into()
});

fn verdicts(shape: Text, text: &str) -> (bool, bool) {
    let (_, validator) = SHAPES.iter().find(|(s, _)| *s == shape).unwrap();
    (shape.matches(text), validator.is_valid(&json!(text)))
}

#[test]
fn shapes_take_what_they_should_and_nothing_else() {
    for (shape, good, bad) in [
        (
            Text::Uuid,
            &["00000000-0000-4000-8000-000000000000", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"][..],
            &[
                "",
                "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}",
                "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                "f81d4fae7dec11d0a76500a0c91e6bf6",
                "f81d4fae-7dec-11d0-a765-00a0c91e6bf6\n",
                "g81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
            ][..],
        ),
        (
            Text::Version,
            &["v0.0.0", "v1.20.300", "v1.2.3-rc1", "v1.2.3-beta.2", "v0.1.0-dev", "v1.2.3-4"],
            &[
                "",
                "1.2.3",
                "V1.2.3",
                "v1.2",
                "v1.2.3.4",
                "v01.2.3",
                "v1.2.3-",
                "v1.2.3-tim",
                "v1.2.3-rc.tim",
                "v1.2.3-rc1.tim",
                "v1.2.3+tim",
                "v1.2.3-rc01",
                "v1.2.3 ",
                "v123456.0.0",
            ],
        ),
        (Text::OptionalVersion, &["", "v1.2.3"], &[" ", "v", "none"]),
        (
            Text::Timestamp,
            &["1970-01-01T00:00:00Z", "2028-02-29T23:59:59Z"],
            &["", "2026-11-22", "2026-11-22T12:00:00.000Z", "2026-11-22T12:00:00+00:00"],
        ),
        (
            Text::ClientName,
            &["a", "claude-code", "0.x_y", &"a".repeat(64)],
            &["", "-a", ".a", "Claude", "a b", "a/b", "\u{e9}", "a\n", &"a".repeat(65)],
        ),
        (
            Text::Day,
            &["1970-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
            &["", "2026-11-22", "2026-11-22T00:00:01Z", "2026-11-22T23:59:59Z"],
        ),
        (
            Text::ProductName,
            &["a", "notes-mcp", "acme.notes", "0.x_y", &"a".repeat(64)],
            &["", "-a", ".a", "Acme", "@acme/notes", "a b", "a/b", "a\n", &"a".repeat(65)],
        ),
        (
            Text::ProductVersion,
            &["0.0.0-dev", "v1.4.0", "99999.0.1-rc.2", "1.4.0-beta2", "1.4.0-canary"],
            &[
                "",
                "1.4",
                "vv1.4.0",
                "1.4.0.1",
                "01.4.0",
                "1.4.0-",
                "1.4.0-tim",
                "1.4.0-rc.tim",
                "1.4.0-rc01",
                "1.4.0-5",
                "1.4.0+tim",
                "1.4.0 ",
                "123456.0.0",
            ],
        ),
    ] {
        for text in good {
            assert_eq!(verdicts(shape, text), (true, true), "{shape:?} {text:?}");
        }
        for text in bad {
            assert_eq!(verdicts(shape, text), (false, false), "{shape:?} {text:?}");
        }
    }
}

#[test]
fn only_the_matcher_knows_that_february_is_short_and_two_dots_are_a_path() {
    assert_eq!(verdicts(Text::Day, "2026-02-30T00:00:00Z"), (false, true));
    for name in ["a..b", "notes.", "con", "nul.txt", "com1"] {
        assert_eq!(verdicts(Text::ProductName, name), (false, true), "{name}");
    }
    assert_eq!(verdicts(Text::ClientName, "a..b"), (false, true));
    assert_eq!(verdicts(Text::Timestamp, "2026-02-30T00:00:00Z"), (false, true));
}

fn example(shape: Text) -> BoxedStrategy<String> {
    // proptest knows no anchors.
    let pattern: &'static str = shape.pattern().trim_start_matches('^').trim_end_matches('$');
    pattern.boxed()
}

/// Examples of a shape, most of them with one edit.
fn near() -> impl Strategy<Value = (Text, String)> {
    let shape = proptest::sample::select(SHAPES.iter().map(|(s, _)| *s).collect::<Vec<_>>());
    shape.prop_flat_map(|shape| {
        let edit = (any::<prop::sample::Index>(), 0..4, "[0-9a-zA-Z.:+_\\-TZvr \n\u{e9}]");
        (example(shape), edit).prop_map(move |(text, (at, kind, with))| {
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len() + 1);
            let replaced = usize::from(kind < 2 && at < letters.len());
            match kind {
                0 => drop(letters.splice(at..at + replaced, [])),
                1 => drop(letters.splice(at..at + replaced, with.chars())),
                2 => drop(letters.splice(at..at, with.chars())),
                _ => {}
            }
            (shape, letters.into_iter().collect())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn matchers_agree_with_the_patterns((shape, text) in near()) {
        let (matched, valid) = verdicts(shape, &text);
        let of_time = matches!(shape, Text::Timestamp | Text::Day);
        if of_time && valid && !matched {
            // Day 29 to 31 of a shorter month: the only difference there may be.
            let first = format!("{}01{}", &text[..8], &text[10..]);
            prop_assert!(timestamp::parse(&first).is_some() && &text[8..10] > "28", "{}", text);
        } else if shape == Text::ClientName && valid && !matched {
            prop_assert!(text.contains(".."), "{}", text);
        } else if shape == Text::ProductName && valid && !matched {
            let stem = text.split('.').next().unwrap();
            let device = ["con", "prn", "aux", "nul"].contains(&stem)
                || (stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")));
            prop_assert!(text.contains("..") || text.ends_with('.') || device, "{}", text);
        } else {
            prop_assert_eq!(matched, valid, "{:?} {:?}", shape, text);
        }
    }
}

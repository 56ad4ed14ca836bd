//! Tests of the reader.

use super::*;
use proptest::prelude::*;

fn kind(text: &str) -> Option<ErrorKind> {
    parse(text.as_bytes()).err().map(|e| e.kind)
}

#[test]
fn spans_cover_exactly_the_value() {
    let text = br#" { "a" : [1, "x\n"] , "b":null }"#;
    let value = parse(text).unwrap();
    let a = value.get("a").unwrap();
    assert_eq!(&text[a.span.clone()], br#"[1, "x\n"]"#);
    assert_eq!(a.items().unwrap()[1].as_str(), Some("x\n"));
    assert_eq!(&text[value.members().unwrap()[1].key_span.clone()], br#""b""#);
}

#[test]
fn what_is_not_strict_json_is_refused() {
    use ErrorKind::*;
    for (text, expected) in [
        ("", UnexpectedEnd),
        ("{", UnexpectedEnd),
        ("[1,]", TrailingComma),
        ("{\"a\":1,}", TrailingComma),
        ("{a:1}", UnexpectedByte),
        ("01", InvalidNumber),
        ("1.", InvalidNumber),
        ("-", InvalidNumber),
        ("+1", UnexpectedByte),
        ("1e", InvalidNumber),
        ("nul", UnexpectedByte),
        ("\"\\x\"", InvalidString),
        ("\"\n\"", InvalidString),
        ("\"abc", UnexpectedEnd),
        ("1 2", TrailingData),
        ("{\"a\":1,\"a\":2}", DuplicateKey),
        ("{\"a\":1,\"\\u0061\":2}", DuplicateKey),
        ("// x\n1", Comment),
        ("{} /* x */", Comment),
        ("[1 }", UnexpectedByte),
    ] {
        assert_eq!(kind(text), Some(expected), "{text}");
    }
    assert_eq!(parse(b"\"\xff\"").unwrap_err().kind, InvalidUtf8);
    assert_eq!(kind(&"[".repeat(100_000)), Some(TooDeep));
}

#[test]
fn a_duplicate_among_many_keys_is_found() {
    let keys: Vec<String> = (0..40).map(|i| format!("\"k{}\":1", i % 39)).collect();
    assert_eq!(kind(&format!("{{{}}}", keys.join(","))), Some(ErrorKind::DuplicateKey));
}

#[test]
fn surrogate_pairs_are_one_character() {
    assert_eq!(parse(br#""\ud83d\ude00""#).unwrap().as_str(), Some("\u{1f600}"));
}

#[test]
fn half_a_surrogate_pair_is_a_replacement_character_and_the_gate_refuses_it() {
    for (text, expected) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00 x""#, "\u{fffd} x"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (r#""\ud83d\u0041\n""#, "\u{fffd}A\n"),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap().as_str(), Some(expected), "{text}");
        let refused = parse_with_depth(text.as_bytes(), MAX_DEPTH).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidString, "{text}");
    }
    assert_eq!(kind(r#""\ud83d\u00zz""#), Some(ErrorKind::InvalidString));
}

#[test]
fn errors_are_told_by_line_and_column_and_say_what_other_readers_would_take() {
    for (text, words) in [
        (
            "{\n  \"a\": {},\n}",
            "a comma with nothing behind it before the bracket at line 3, column 1",
        ),
        ("{\n  // x\n}", "a comment, which JSON does not have, at line 2, column 3"),
        ("{\"é\": x}", "unexpected character at line 1, column 7"),
        ("{\r\n\"a\": 1,\r\n\"a\": 2}", "duplicate key at line 3, column 1"),
        ("{\"a\":", "ends in the middle of a value at line 1, column 6"),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), words, "{text}");
    }
    let broken = parse(b"{\n\"\xff\"}").unwrap_err();
    assert_eq!(broken.to_string(), "not UTF-8 at line 2, column 2");
}

#[test]
fn files_of_others_may_be_nested_deep() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(kind(&nested(65)), Some(ErrorKind::TooDeep));
    assert!(parse_of_others(nested(512).as_bytes()).is_ok());
    assert!(parse_of_others(nested(513).as_bytes()).is_err());
}

fn as_serde(value: &Value<'_>) -> serde_json::Value {
    match &value.data {
        Data::Null => serde_json::Value::Null,
        Data::Bool(b) => (*b).into(),
        Data::Number(n) => serde_json::from_str(n).unwrap_or(serde_json::Value::Null),
        Data::String(s) => s.as_ref().into(),
        Data::Array(items) => items.iter().map(as_serde).collect(),
        Data::Object(members) => {
            members.iter().map(|m| (m.key.to_string(), as_serde(&m.value))).collect()
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_any_text(text in "[\\[\\]{}:,\"a0-9eE+.tfn\\\\u \n-]{0,24}") {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match parse_with_depth(text.as_bytes(), MAX_DEPTH) {
            Ok(value) => prop_assert!(theirs.is_err_and(|e| e.to_string().contains("out of range"))
                || as_serde(&value) == serde_json::from_str::<serde_json::Value>(&text).unwrap()),
            Err(e) => prop_assert!(theirs.is_err() || e.kind == ErrorKind::DuplicateKey),
        }
    }

    #[test]
    fn escaped_strings_read_back(text in any::<String>()) {
        let mut out = String::new();
        write_str(&mut out, &text);
        let value = parse(out.as_bytes()).unwrap();
        prop_assert_eq!(value.as_str(), Some(text.as_str()));
    }
}

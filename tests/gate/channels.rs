//! Ways to smuggle something out around the client names: in the bytes, in numbers, in what is pinned.

use crate::payload::{bytes_of, of_clients, own, value};
use mcpproxy::gate::{PrivateWords, RefusalRule, check};
use serde_json::json;

#[test]
fn bytes_that_readers_disagree_about() {
    let base = String::from_utf8(bytes_of(&["zed"])).unwrap();
    let nothing = PrivateWords::default();
    let refused = |bytes: &[u8], rule: RefusalRule| {
        for own in [None, Some(&own())] {
            let refusal = check(bytes, own, &nothing).unwrap_err();
            assert_eq!(refusal.rule, rule, "{}", String::from_utf8_lossy(bytes));
        }
    };
    let name = |bytes: &[u8]| {
        let (before, after) = base.split_once("zed").unwrap();
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    for (bytes, rule) in [
        // Overlong `/`, a surrogate in UTF-8, a lone surrogate, a raw and an escaped NUL, a raw line feed.
        (&b"ze\xc0\xafd"[..], RefusalRule::Syntax),
        (b"ze\xed\xa0\x80d", RefusalRule::Syntax),
        (b"ze\\ud800d", RefusalRule::Syntax),
        (b"zed\0", RefusalRule::Syntax),
        (b"zed\n", RefusalRule::Syntax),
        (b"zed\\u0000", RefusalRule::Shape),
        (b"zed\\/", RefusalRule::Shape),
        (b"\xef\xbb\xbfzed", RefusalRule::Shape),
    ] {
        refused(&name(bytes), rule);
    }
    for text in [
        format!("\u{feff}{base}"),
        format!("{base}\0"),
        format!("{base}{{}}"),
        format!("{base}// alice"),
        format!("/* alice */{base}"),
        base.replacen("{", "{\"version\":\"v9.9.9\",", 1),
        base.replacen("{", "{\"v\\u0065rsion\":\"v9.9.9\",", 1),
    ] {
        refused(text.as_bytes(), RefusalRule::Syntax);
    }
    for text in [
        base.replacen("{", "{\"alice\":1,", 1),
        base.replacen("{", "{\"Version\":\"v1.2.3\",", 1),
        base.replacen("\"os\"", "\"\\u006fs\"", 1),
        base.replacen("\"has_tty\":true", "\"has_tty\":true,\"alice\":true", 1),
    ] {
        refused(text.as_bytes(), RefusalRule::Shape);
    }
}

/// White space and the order of members hold bits, too (8 KiB of blanks are a long letter). Our encoder has
/// one form, so what is about to be sent has it; `verify`, which reads what other tools wrote, does not mind.
#[test]
fn white_space_and_order_carry_nothing_out() {
    let base = value(&["zed"]);
    let mut reversed: Vec<_> = base.as_object().unwrap().clone().into_iter().collect();
    reversed.reverse();
    let reversed = serde_json::Value::Object(reversed.into_iter().collect()).to_string();
    let compact = base.to_string();
    let mut swapped = base.clone();
    let markers = swapped["env_markers"].as_object_mut().unwrap();
    let first = markers.shift_remove("has_ci_env").unwrap();
    markers.insert("has_ci_env".to_owned(), first);
    check(compact.as_bytes(), Some(&own()), &PrivateWords::default()).unwrap();
    for text in [
        format!(" {compact}"),
        format!("{compact}\n"),
        compact.replacen(':', ": ", 1),
        compact.replacen(',', "\t,", 1),
        serde_json::to_string_pretty(&base).unwrap(),
        reversed,
        swapped.to_string(),
    ] {
        assert_eq!(check(text.as_bytes(), None, &PrivateWords::default()), Ok(()), "{text}");
        let refusal =
            check(text.as_bytes(), Some(&own()), &PrivateWords::default()).expect_err(&text);
        assert_eq!(refusal.rule, RefusalRule::Shape);
    }
}

#[test]
fn versions_times_and_ids_are_no_channel() {
    let with = |pointer: &str, new: &str| {
        let mut changed = value(&["zed"]);
        *changed.pointer_mut(pointer).unwrap() = json!(new);
        changed.to_string()
    };
    for (pointer, wrong) in [
        ("/version", "v1.2.3-alice"),
        ("/version", "v1.2.3+alice"),
        ("/version", "v1.2.3-rc.alice"),
        ("/version", "v1.2.3-616c696365"),
        ("/version", "v97.108.105.99.101"),
        ("/version", "v999999.0.0"),
        ("/version", "v1.2.3 "),
        ("/previous_version", "v1.2.3-5-g616c696"),
        ("/current_version", "v1.2.3-rc01"),
        ("/timestamp", "1312-01-01T00:00:00Z"),
        ("/timestamp", "2026-11-22T14:46:00.616Z"),
        ("/timestamp", "2026-11-22T14:46:60Z"),
        ("/timestamp", "2026-11-22T14:46:00+13:12"),
        ("/timestamp", "2026-11-22t14:46:00z"),
        ("/timestamp", "２０26-11-22T14:46:00Z"),
        ("/anonymous_id", "alice000-0000-4000-8000-000000000000"),
        ("/anonymous_id", "616c6963-6500-4000-8000-00000000000"),
    ] {
        let refusal = check(with(pointer, wrong).as_bytes(), None, &PrivateWords::default())
            .expect_err(wrong);
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Shape, pointer));
    }
    // Right by shape, but not what this install vouches for.
    for (pointer, other) in [
        ("/version", "v97.108.10599"),
        ("/previous_version", "v97.108.10599"),
        ("/timestamp", "2026-11-22T13:12:00Z"),
        ("/anonymous_id_created_at", "1971-02-03T00:00:00Z"),
        ("/product/name", "alice"),
        ("/product/version", "97.108.10599"),
        ("/anonymous_id", "616c6963-6500-4000-8000-000000000000"),
        ("/anonymous_id", "3F2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2"),
    ] {
        let text = with(pointer, other);
        check(text.as_bytes(), Some(&own()), &PrivateWords::default()).expect_err(other);
    }
}

#[test]
fn numbers_and_lists_are_bounded_and_spelled_one_way() {
    let with = |number: &str| {
        let base = String::from_utf8(bytes_of(&["zed"])).unwrap();
        base.replacen("\"tool_count\":2026", &format!("\"tool_count\":{number}"), 1)
    };
    for number in ["0", "9007199254740991"] {
        check(with(number).as_bytes(), Some(&own()), &PrivateWords::default()).unwrap();
    }
    for number in [
        "9007199254740992",
        "18446744073709551615",
        "97108105099101097108105099101",
        "-0",
        "1.5",
        "1e3",
        "007",
        "1_000",
        "\"7\"",
        "[7]",
        "0x616c696365",
        "NaN",
    ] {
        check(with(number).as_bytes(), Some(&own()), &PrivateWords::default()).expect_err(number);
    }
    let many: Vec<String> = (0..17).map(|i| format!("client-{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(&bytes_of(&many[..16]), Some(&own()), &PrivateWords::default()).unwrap();
    assert!(check(&bytes_of(&many), Some(&own()), &PrivateWords::default()).is_err());
    assert!(check(&bytes_of(&["zed", "zed"]), Some(&own()), &PrivateWords::default()).is_err());
}

/// A counter that a program counts up as high as it likes is written as what the contract allows.
#[test]
fn our_own_encoder_never_exceeds_what_the_gate_allows() {
    let mut payload = of_clients(&["zed"]);
    payload.tool_count = Some(u64::MAX);
    payload.activation.retrieve_tools_calls_24h = u64::MAX;
    assert_eq!(check(&payload.encode(), Some(&own()), &PrivateWords::default()), Ok(()));
}

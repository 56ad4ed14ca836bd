//! Every leak, in every place and spelling, is refused.

use crate::corpus::{LIKE_NAMES, SPELLINGS, escaped, leaks, private};
use crate::payload::{bytes_of, injections, own, value};
use mcpproxy::gate::{PrivateWords, RefusalRule, check, scan};

#[test]
fn the_scanner_alone_finds_every_leak_in_every_spelling() {
    let private = private();
    for leak in leaks() {
        for (how, spell) in SPELLINGS {
            assert!(scan(&spell(leak), &private).is_some(), "{leak} {how}");
        }
    }
}

#[test]
fn every_leak_is_refused_in_every_place_of_a_payload() {
    let (private, own) = (private(), own());
    let base = value(&["claude-code", "acme-agent"]);
    check(base.to_string().as_bytes(), Some(&own), &private).unwrap();
    let mut tried = 0;
    for leak in leaks() {
        for changed in injections(&base, leak) {
            let text = changed.to_string();
            for own in [None, Some(&own)] {
                // Who does not know the id cannot tell one from another.
                if own.is_none() && changed["anonymous_id"] == leak {
                    let mut restored = changed.clone();
                    restored["anonymous_id"] = base["anonymous_id"].clone();
                    if restored == base {
                        continue;
                    }
                }
                let verdict = check(text.as_bytes(), own, &private);
                let refusal = verdict.expect_err(&text);
                assert!(
                    !refusal.to_string().to_lowercase().contains(&leak.to_lowercase()),
                    "{refusal}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000, "{tried}");
}

#[test]
fn a_leak_spelled_like_a_name_is_refused_as_a_leak() {
    for leak in LIKE_NAMES {
        for (clients, field) in [
            (vec!["zed", *leak], "/activation/mcp_clients_seen_ever/1"),
            (vec![*leak], "/activation/mcp_clients_seen_ever/0"),
        ] {
            let refusal = check(&bytes_of(&clients), Some(&own()), &private()).unwrap_err();
            assert_eq!(
                (refusal.rule, refusal.field.as_str()),
                (RefusalRule::Leak, field),
                "{leak}"
            );
        }
    }
}

#[test]
fn a_leak_behind_json_escapes_is_a_leak() {
    let text = String::from_utf8(bytes_of(&["placeholder"])).unwrap();
    for leak in LIKE_NAMES {
        let hidden = text.replace("\"placeholder\"", &format!("\"{}\"", escaped(leak)));
        let refusal = check(hidden.as_bytes(), Some(&own()), &private()).unwrap_err();
        assert_eq!(refusal.rule, RefusalRule::Leak, "{leak}");
    }
}

#[test]
fn without_private_words_the_shapes_are_still_refused() {
    let nothing = PrivateWords::default();
    for text in ["someone@example.com", "/home/x", "C:\\x", "10.0.0.1", "sk-abcdefghijklmnop", "~"]
    {
        assert!(scan(text, &nothing).is_some(), "{text}");
    }
    assert_eq!(scan("xanthippe", &nothing), None);
}

#[test]
fn a_known_name_and_unknown_pass_whatever_is_private() {
    let private = PrivateWords::new(["vscode", "zed"], ["claude-code", "unknown", "goose"]);
    let clients = ["vscode", "claude-code", "unknown", "zed", "goose"];
    assert_eq!(check(&bytes_of(&clients), Some(&own()), &private), Ok(()));
}

#[test]
fn private_words_are_not_read_for_names_of_the_vocabulary() {
    let private = PrivateWords::lazy(|| panic!("read without need"));
    assert_eq!(check(&bytes_of(&["vscode", "unknown"]), Some(&own()), &private), Ok(()));
    assert_eq!(check(&bytes_of(&[]), None, &private), Ok(()));
    assert!(check(b"{}", None, &private).is_err());
}

#[test]
fn private_words_are_never_shown() {
    let private = private();
    scan("x", &private);
    let shown = format!("{private:?}").to_lowercase();
    assert!(!shown.contains("xanthippe") && !shown.contains("s3cret"), "{shown}");
}

//! Every leak, in every place and spelling, is refused.

use crate::corpus::{LIKE_NAMES, SPELLINGS, escaped, leaks, private};
use crate::payload::{bytes_of, injections, of_clients, own, value, value_v3};
use mcpproxy::contract::product;
use mcpproxy::gate::{Own, PrivateWords, RefusalRule, check, scan};
use serde_json::Value;

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
    let clients = &["claude-code", "acme-agent"];
    check(value(clients).to_string().as_bytes(), Some(&own), &private).unwrap();
    let tried = every_injection_is_refused(&value(clients), &[None, Some(&own)], &private);
    assert!(tried > 10_000, "{tried}");
    let tried = every_injection_is_refused(&value_v3(clients), &[None], &private);
    assert!(tried > 5_000, "{tried}");
}

/// How many there were.
fn every_injection_is_refused(
    base: &Value,
    owns: &[Option<&Own>],
    private: &PrivateWords,
) -> usize {
    let mut tried = 0;
    for leak in leaks() {
        for changed in injections(base, leak) {
            let text = changed.to_string();
            for own in owns.iter().copied() {
                // Who does not know the id cannot tell one from another, nor what a maintainer calls a
                // product.
                if own.is_none() && (changed["anonymous_id"] == leak || is_product(&changed)) {
                    let mut restored = changed.clone();
                    restored["anonymous_id"] = base["anonymous_id"].clone();
                    if is_product(&changed) {
                        restored["product"] = base["product"].clone();
                    }
                    if restored == *base {
                        continue;
                    }
                }
                let verdict = check(text.as_bytes(), own, private);
                let refusal = verdict.expect_err(&text);
                assert!(
                    !refusal.to_string().to_lowercase().contains(&leak.to_lowercase()),
                    "{refusal}"
                );
                tried += 1;
            }
        }
    }
    tried
}

/// Whether the name of the product is one that may well be: a private word is the only leak it can hold.
fn is_product(payload: &Value) -> bool {
    let name = payload.pointer("/product/name").and_then(Value::as_str);
    name.is_some_and(|name| {
        product::is_name(name) && scan(name, &PrivateWords::default()).is_none()
    })
}

/// What a maintainer called it is no secret of a user's machine, but a token is one wherever it stands.
#[test]
fn the_name_of_a_product_may_be_a_private_word_and_no_token_path_or_address() {
    let named = |name: &str| {
        let mut payload = of_clients(&["zed"]);
        payload.product.name = name.to_owned();
        (payload.encode(), Own { product: payload.product, ..own() })
    };
    for name in
        ["acme.notes-mcp", "xanthippe-mcp", "home-assistant-mcp", "users", "mcpproxy", "mcp2026"]
    {
        let private = PrivateWords::new([name, "xanthippe"], [name]);
        let (bytes, own) = named(name);
        assert_eq!(check(&bytes, Some(&own), &private), Ok(()), "{name}");
        assert_eq!(check(&bytes, None, &private), Ok(()), "{name}");
    }
    for name in ["10.11.12.13", "ghp_0a1b2c3d4e5f6g7h8i9j", "3f2a9c1b7d4e4a619b0c5d6e7f8091a2"] {
        let (bytes, own) = named(name);
        for own in [Some(&own), None] {
            let refusal = check(&bytes, own, &PrivateWords::default()).unwrap_err();
            assert_eq!(
                (refusal.rule, refusal.field.as_str()),
                (RefusalRule::Leak, "/product/name")
            );
        }
    }
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

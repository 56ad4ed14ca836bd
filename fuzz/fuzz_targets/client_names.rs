//! Client names: whatever a client calls itself, what is kept of it is canonical and nobody's secret.
//!
//! Input: a name of this machine, NUL, an environment value, NUL, the raw name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcpproxy::activation::clients;
use mcpproxy::contract::client_name;
use mcpproxy::gate::{PrivateWords, check, scan};
use mcpproxy_fuzz::payload;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0).map(String::from_utf8_lossy);
    let (Some(name), Some(value), Some(raw)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let private = PrivateWords::new([&name], [&value]);
    let words = [(name.trim(), 3), (value.trim(), 4)];
    let before = judged(&raw, &private, &words);
    // Into the raw name, between its words.
    for (word, _) in words {
        for injected in [
            format!("{word}-{raw}"),
            format!("{raw}.{word}"),
            format!("x {word}/{raw}"),
            word.to_owned(),
        ] {
            judged(&injected, &private, &words);
        }
    }

    // What is stored may be anything: a bad name never silences an install.
    let stored = [raw.clone().into_owned(), before, name.clone().into_owned(), raw.to_lowercase()];
    for known_only in [false, true] {
        let sent = clients::sanitize(&stored, known_only, &|text| scan(text, &private).is_some());
        assert!(!sent.is_empty() && sent.len() <= stored.len());
        let payload = payload::of_clients(&sent);
        let verdict = check(&payload.encode(), Some(&payload::own_of(&payload)), &private);
        assert_eq!(verdict, Ok(()), "what was sanitized passes the gate");
    }
});

/// The canonical name of `raw`, after all that must be true of it was checked.
fn judged(raw: &str, private: &PrivateWords, words: &[(&str, usize)]) -> String {
    let is_leak = |text: &str| scan(text, private).is_some();
    let name = clients::canonical(raw, &is_leak);
    assert_eq!(name, clients::canonical(raw, &is_leak), "the same name each time");
    assert_eq!(name, clients::canonical(&name, &is_leak), "a canonical name stays what it is");
    if name == "unknown" || client_name::vocabulary().contains(&name.as_str()) {
        return name;
    }
    let bytes = name.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    assert!((1..=64).contains(&bytes.len()) && plain(&bytes[0]), "{name}");
    assert!(bytes.iter().all(|byte| plain(byte) || b"._-".contains(byte)), "{name}");
    assert!(!name.contains(".."), "{name}");
    assert_eq!(scan(&name, private), None, "{name}");
    for (word, least) in words {
        assert!(!holds(&name, word, *least), "a private word in {name}");
    }
    name
}

/// The plainest reading of "holds a private word": the word itself, between boundaries.
fn holds(name: &str, word: &str, least: usize) -> bool {
    let booleans = ["true", "false", "yes", "no", "on", "off"];
    let word = word.to_ascii_lowercase();
    let is_word = word.len() >= least
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !booleans.contains(&word.as_str());
    is_word && name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word)
}

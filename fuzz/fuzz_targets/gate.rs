//! The gate: secrets never pass, ordinary payloads always do, order and white space never change what
//! `verify` says and are never free in what is sent.
//!
//! Input: a letter that says what is tried (`a` secret in a payload, `b` secret in a text, `c` an
//! ordinary payload, `d` any bytes), then what it is made of.
#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mcpproxy::contract::SCHEMAS;
use mcpproxy::contract::client_name;
use mcpproxy::gate::{PrivateWords, RefusalRule, check, scan};
use mcpproxy_fuzz::raw::Raw;
use mcpproxy_fuzz::{Numbers, payload};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let mut input = Unstructured::new(rest);
    // Too little input is no finding.
    let _ = match kind % 4 {
        1 => secret_in_payload(&mut input),
        2 => secret_in_text(&mut input),
        3 => ordinary(&mut input),
        _ => {
            any_bytes(rest);
            Ok(())
        }
    };
});

/// Any bytes: a verdict; for `verify` the same one for the same value in another order and layout.
fn any_bytes(bytes: &[u8]) {
    let private = PrivateWords::new(["xanthippe"], ["s3cret-value"]);
    let own = payload::own_of(&payload::of_clients(&[""; 0]));
    for own in [None, Some(&own)] {
        let verdict = check(bytes, own, &private);
        if verdict.is_ok() && own.is_some() {
            assert_eq!(check(bytes, None, &private), Ok(()), "what is sent is verified");
            assert!(!bytes.contains(&b' '), "a space is sent");
        }
        assert_eq!(verdict, check(bytes, own, &private), "the same bytes, the same verdict");
        let raw = std::str::from_utf8(bytes).ok().and_then(Raw::read);
        let Some(raw) = raw else {
            let rule = verdict.expect_err("what is no JSON is refused").rule;
            // Numbers beyond `f64` are JSON, but nothing of ours.
            let refused = [RefusalRule::Size, RefusalRule::Syntax, RefusalRule::Shape];
            assert!(refused.contains(&rule), "{rule}");
            continue;
        };
        for reorder in [false, true] {
            let other = raw.rewritten(&mut Numbers::of(bytes), reorder);
            if other.len().max(bytes.len()) > 8192 {
                continue;
            }
            let rewritten = other.as_bytes() != bytes;
            let other = check(other.as_bytes(), own, &private);
            if own.is_some() {
                // What is sent has one form: no room for a message in order or white space.
                if verdict.is_ok() && rewritten {
                    let rule = other.expect_err("two forms of one payload pass").rule;
                    assert_eq!(rule, RefusalRule::Shape);
                }
                continue;
            }
            assert_eq!(verdict.is_ok(), other.is_ok(), "order or white space decided");
            if let (false, Err(one), Err(two)) = (reorder, &verdict, &other) {
                assert_eq!((one.rule, &one.field), (two.rule, &two.field));
            }
        }
    }
}

/// What must never leave, and the words of the machine that it may be.
struct Secret {
    text: String,
    private: PrivateWords,
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Letters of the names of people and machines.
const NAMES: &str =
    "abcdefghijklmnopqrstuvwxyzABCXYZ0129àéîõüçñßøåłŁđğşİıžőæœþÀÉÖЖжиЯсаеορσςΣΩω李明華タロ김ﬁǆ";
/// What may stand between words, on either side of a secret.
const BOUNDARIES: &str = " .,;:-_/\"'()[]{}<>|=+&?!#@$*^~`\t\u{200b}\u{a0}–";

fn pick<T: Copy>(input: &mut Unstructured<'_>, from: &[T]) -> Result<T> {
    input.choose(from).copied()
}

fn word(input: &mut Unstructured<'_>, alphabet: &str, least: usize, most: usize) -> Result<String> {
    let letters: Vec<char> = alphabet.chars().collect();
    let length = input.int_in_range(least..=most)?;
    (0..length).map(|_| pick(input, &letters)).collect()
}

/// One that is compared: not all digits, no boolean word.
fn private_word(input: &mut Unstructured<'_>, least: usize) -> Result<String> {
    let mut text = word(input, NAMES, least, least + 9)?;
    for _ in 0..input.int_in_range(0..=2)? {
        text.push(pick(input, &['-', '_', '.', ' ', '/', '\''])?);
        text += &word(input, NAMES, 1, 6)?;
    }
    let is_nobody = text.chars().all(char::is_numeric)
        || ["true", "false", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    // Some letter of two would not help either: digits only between dots are compared as they stand.
    Ok(if is_nobody { "xanthippe".to_owned() } else { text })
}

fn hex(input: &mut Unstructured<'_>, digits: usize) -> Result<String> {
    word(input, "0123456789abcdefABCDEF", digits, digits)
}

fn secret(input: &mut Unstructured<'_>) -> Result<Secret> {
    let mut private = PrivateWords::new(["xanthippe"], ["s3cret-value", "11", "true", "/bin/bash"]);
    let text = match input.int_in_range(0..=10)? {
        0 => {
            let start =
                ["/home/", "/Users/", "/root/", "/var/folders/", "C:\\", "d:/", "\\\\h", "~"];
            format!("{}{}", pick(input, &start)?, word(input, LETTERS, 1, 8)?)
        }
        1 => {
            let domain = pick(input, &["", ".com", ".example.org"])?;
            format!("{}@{}{domain}", word(input, LETTERS, 1, 8)?, word(input, LETTERS, 1, 8)?)
        }
        2 => {
            let password = pick(input, &["", ":", ":p"])?;
            let scheme = pick(input, &["http", "https", "ftp"])?;
            format!(
                "{scheme}://{}{password}@{}",
                word(input, LETTERS, 1, 8)?,
                word(input, LETTERS, 1, 8)?
            )
        }
        3 => {
            let [a, b, c, d]: [u8; 4] = input.arbitrary()?;
            format!("{a}.{b}.{c}.{d}")
        }
        4 => {
            let separator = pick(input, &[":", "-", "_"])?;
            let pairs: Vec<String> = (0..6).map(|_| hex(input, 2)).collect::<Result<_>>()?;
            pairs.join(separator)
        }
        5 => {
            let groups: Vec<String> = (0..8)
                .map(|_| Ok(format!("{:x}", input.arbitrary::<u16>()?)))
                .collect::<Result<_>>()?;
            let kept = input.int_in_range(1..=8)?;
            match kept {
                8 => groups.join(":"),
                kept => format!("{}::{}", groups[..kept - 1].join(":"), groups[kept]),
            }
        }
        6 => {
            let issued = [
                ("sk-", 16),
                ("ghp_", 20),
                ("gho_", 20),
                ("ghu_", 20),
                ("ghs_", 20),
                ("ghr_", 20),
                ("github_pat_", 20),
                ("xoxa-", 10),
                ("xoxb-", 10),
                ("xoxp-", 10),
                ("xoxr-", 10),
                ("xoxs-", 10),
                ("AKIA", 16),
            ];
            let (prefix, least) = pick(input, &issued)?;
            format!("{prefix}{}", word(input, LETTERS, least, least + 12)?)
        }
        7 => word(input, LETTERS, 32, 64)?,
        8 => {
            let (header, claims) = (word(input, LETTERS, 9, 20)?, word(input, LETTERS, 5, 20)?);
            format!("eyJ{header}.eyJ{claims}.{}", word(input, LETTERS, 0, 9)?)
        }
        9 => {
            let text = private_word(input, 3)?;
            private = PrivateWords::new([text.as_str(), "/home/somebody"], ["true", "2026"]);
            text
        }
        _ => {
            let text = private_word(input, 4)?;
            private = PrivateWords::new(["somebody"], ["1", text.as_str()]);
            text
        }
    };
    Ok(Secret { text, private })
}

/// One of the spellings that a receiver could undo.
fn spelled(input: &mut Unstructured<'_>, text: &str) -> Result<String> {
    let percent = |text: &str, most: bool, input: &mut Unstructured<'_>| -> Result<String> {
        text.chars()
            .map(|c| {
                let all = most || !c.is_ascii() || c == '%' || c == '\\' || input.ratio(1, 2)?;
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                Ok(if all { bytes.map(|b| format!("%{b:02X}")).collect() } else { c.to_string() })
            })
            .collect()
    };
    let escaped = |text: &str| -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    let twice = |text: &str| text.replace('%', "%25");
    Ok(match input.int_in_range(0..=12)? {
        1 => text.to_uppercase(),
        2 => text.to_lowercase(),
        3 => percent(text, true, input)?,
        4 => percent(text, true, input)?.to_lowercase(),
        5 => percent(text, false, input)?,
        6 => twice(&percent(text, true, input)?),
        7 => escaped(text),
        8 => escaped(&percent(text, true, input)?),
        9 => percent(&escaped(text), true, input)?,
        10 => serde_json::to_string(text).unwrap_or_default().trim_matches('"').to_owned(),
        11 => {
            let wide = |c: char| match c {
                '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap_or(c),
                c => c,
            };
            text.chars().map(wide).collect()
        }
        12 => {
            let mut out = String::new();
            for c in text.chars() {
                out.push(c);
                out += pick(input, &["", "\u{200d}", "\u{ad}", "\u{feff}"])?;
            }
            out
        }
        _ => text.to_owned(),
    })
}

/// `text` alone, or with other text at a boundary before or behind it.
fn framed(input: &mut Unstructured<'_>, text: &str) -> Result<String> {
    let boundaries: Vec<char> = BOUNDARIES.chars().collect();
    let printable = |input: &mut Unstructured<'_>| -> Result<String> {
        let length = input.int_in_range(0..=10)?;
        (0..length).map(|_| Ok(char::from(input.int_in_range(b' '..=b'~')?))).collect()
    };
    let mut out = String::new();
    if input.arbitrary()? {
        out += &printable(input)?;
        out.push(pick(input, &boundaries)?);
    }
    out += text;
    if input.arbitrary()? {
        out.push(pick(input, &boundaries)?);
        out += &printable(input)?;
    }
    Ok(out)
}

/// The scanner alone: the day the contract is widened, it is all there is.
fn secret_in_text(input: &mut Unstructured<'_>) -> Result<()> {
    let Secret { text, private } = secret(input)?;
    let spelled = spelled(input, &text)?;
    let framed = framed(input, &spelled)?;
    assert!(scan(&framed, &private).is_some(), "{text:?} passes in {framed:?}");
    Ok(())
}

/// A valid payload with a secret somewhere.
fn secret_in_payload(input: &mut Unstructured<'_>) -> Result<()> {
    let Secret { text, private } = secret(input)?;
    let spelled = spelled(input, &text)?;
    let hidden = if input.arbitrary()? { framed(input, &spelled)? } else { spelled };
    if client_name::is_known(&hidden) {
        return Ok(());
    }
    let base = payload::of_clients(&["zed", "acme-agent"]);
    let mut changed: Value = serde_json::from_slice(&base.encode()).expect("JSON");
    let mut pointers = Vec::new();
    visit(&changed, String::new(), &mut pointers);
    let pointer = input.choose(&pointers)?.clone();
    let place = changed.pointer_mut(&pointer).expect("it is there");
    let as_key = input.arbitrary()?;
    match place {
        Value::Object(members) if as_key => drop(members.insert(hidden, true.into())),
        Value::Object(members) => drop(members.insert("hostname".into(), hidden.into())),
        Value::Array(items) => items.push(hidden.into()),
        Value::String(text) if as_key => *text = format!("{text}-{hidden}"),
        other => *other = hidden.into(),
    }
    let mut bytes = changed.to_string();
    if input.arbitrary()? {
        // All of it behind escapes of JSON itself.
        let escape = |c: char| match c {
            c if !c.is_ascii() => {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
            c => c.to_string(),
        };
        bytes = bytes.chars().map(escape).collect();
    }
    let refusal = check(bytes.as_bytes(), Some(&payload::own_of(&base)), &private)
        .expect_err("a payload with a secret passes");
    let shown = refusal.to_string();
    if text.chars().count() >= 8
        && text.contains(|c: char| c.is_ascii_digit())
        && !SCHEMAS.iter().any(|schema| schema.text.contains(&text))
    {
        assert!(!shown.contains(&text), "a refusal repeats the secret");
    }
    Ok(())
}

fn visit(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| visit(member, format!("{at}/{key}"), out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| visit(item, format!("{at}/{i}"), out));
        }
        _ => {}
    }
    out.push(at);
}

/// What a reader makes of a name: letters and no separators, digits as the letters they are like.
fn read(name: &str) -> String {
    let letter = |c: char| match c {
        '0' => 'o',
        '1' | 'l' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        '8' => 'b',
        '9' => 'g',
        'ä' => 'a',
        'ö' => 'o',
        'ü' => 'u',
        c => c,
    };
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).map(letter).collect()
}

/// What clients are called. Letters at random would sooner or later be somebody's name in base 32.
const CLIENT_WORDS: [&str; 32] = [
    "a",
    "acme",
    "agent",
    "ai",
    "app",
    "assistant",
    "beta",
    "bot",
    "bridge",
    "chat",
    "cli",
    "client",
    "code",
    "copilot",
    "deep",
    "desktop",
    "dev",
    "flow",
    "gateway",
    "ide",
    "inspector",
    "lab",
    "mcp",
    "my",
    "notebook",
    "proxy",
    "runner",
    "studio",
    "timestamp",
    "tool",
    "vs",
    "x",
];

/// Any install of an ordinary machine passes.
fn ordinary(input: &mut Unstructured<'_>) -> Result<()> {
    let mut names: Vec<String> = Vec::new();
    for _ in 0..input.int_in_range(0..=16)? {
        // Fewer words than a MAC address has pairs.
        let mut name = pick(input, &CLIENT_WORDS)?.to_owned();
        for _ in 0..input.int_in_range(0..=3)? {
            name.push(pick(input, &['-', '_'])?);
            name += pick(input, &CLIENT_WORDS)?;
        }
        if input.arbitrary()? {
            name += pick(input, &[".v2", "-2", "3", ".js", "_10"])?;
        }
        if name.len() < 32 && !names.contains(&name) {
            names.push(name);
        }
    }
    // The user, the host and the environment of somebody who has nothing to do with these clients.
    let user = word(input, "ABCDEFGHIJKLMNOPQRSTUVWXYZäöüжи李0123456789", 1, 9)?;
    // A name that one could read in that of a client is rightly refused.
    let spellings =
        [read(&user), read(&user.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue"))];
    let is_inside = |name: &String| spellings.iter().any(|user| read(name).contains(user));
    let user = if names.iter().any(is_inside) { "somebody7".to_owned() } else { user };
    let host = format!("{user}-laptop9.local");
    let home = format!("/home/{user}");
    let values = [
        user.as_str(),
        &host,
        &home,
        "11",
        "2026",
        "true",
        "xterm-256color",
        "v1.2.3",
        "cli",
        ":0",
    ];
    let private = PrivateWords::new([user.as_str(), &host, &home], values);

    let mut payload = payload::of_clients(&names);
    let number = |input: &mut Unstructured<'_>| input.int_in_range(0..=99_999_u32);
    payload.version = format!("v{}.{}.{}", number(input)?, number(input)?, number(input)?);
    payload.version += pick(input, &["", "-rc1", "-alpha.2", "-dev", "-20261122"])?;
    payload.current_version = input.arbitrary::<bool>()?.then(|| payload.version.clone());
    payload.previous_version = Some(pick(input, &["", "v0.9.12", "v1.0.0-beta"])?.to_owned());
    payload.server_count = input.arbitrary()?;
    payload.tool_count = input.arbitrary()?;
    payload.uptime_hours = input.arbitrary()?;
    payload.activation.retrieve_tools_calls_24h = input.arbitrary()?;
    let bytes = payload.encode();
    for own in [Some(&payload::own_of(&payload)), None] {
        let clients = &payload.activation.mcp_clients_seen_ever;
        assert_eq!(check(&bytes, own, &private), Ok(()), "{clients:?} on the machine of {user:?}");
    }
    Ok(())
}

//! What a server wrote, as it may be shown.
//!
//! One rule: every surface shows what comes from here and nothing else. The values of the server's entry, secrets of our
//! own environment and what looks like a secret are removed, the home directory is `~`, and a character that acts on a
//! terminal is spelled out.
//!
//! Beyond it: a secret that the server prints in parts, on two lines say, or in a form of its own; and a value of fewer
//! than [`SHORTEST`] characters, which cannot be told from ordinary words.

use crate::config::servers::{ServerEntry, Transport};
use crate::gate::tokens;
use crate::json;
use crate::paths::HOME_VARIABLE;
use crate::visible;

/// What stands in the place of what is removed.
const REMOVED: &str = "***";
/// A shorter value is no secret, and may be an ordinary word.
const SHORTEST: usize = 6;
/// Shorter values have too few digits in base 64 to be told from others.
const SHORTEST_ENCODED: usize = 9;
/// Parts of names that say that a value is secret, in lower case.
const SECRET_NAMES: [&str; 9] =
    ["token", "secret", "passw", "passphrase", "credential", "apikey", "private", "cookie", "auth"];
/// Words of names that say so only as a whole.
const SECRET_WORDS: [&str; 6] = ["key", "keys", "pass", "pat", "pwd", "pin"];
/// Names with such words whose values are no secrets.
const NO_SECRETS: [&str; 2] = ["PWD", "OLDPWD"];
/// What stands before a secret in a header.
const SCHEMES: [&str; 4] = ["bearer ", "basic ", "token ", "apikey "];

/// Removes the secrets of one server.
#[derive(Default)]
pub struct Scrubber {
    /// In every form that is looked for, the longest first.
    secrets: Vec<String>,
    /// The home directory, as it may be spelled.
    home: Vec<String>,
}

impl Scrubber {
    /// Knows the values of `entry`, and the secrets among the variables of this process.
    pub fn of(entry: &ServerEntry, variables: &[(String, String)]) -> Self {
        let lookup = |name: &str| {
            variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
        };
        let mut secrets = Vec::new();
        let expanded = entry.expanded(&lookup);
        for transport in entry.transport.iter().chain(&expanded) {
            collect(transport, &mut secrets);
        }
        for (name, value) in variables {
            if is_secret_name(name) && !NO_SECRETS.contains(&name.as_str()) {
                secrets.push(value.clone());
            }
            in_url(value, &mut secrets);
        }
        let mut forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let home = lookup(HOME_VARIABLE).map(|home| home.trim_end_matches(['/', '\\']).to_owned());
        let home = home.filter(|home| home.len() > 1).into_iter();
        let home = home.flat_map(|home| [escaped(&home), home]).collect();
        Self { secrets: forms, home }
    }

    /// `line` as it may be shown.
    pub fn scrub(&self, line: &str) -> String {
        let mut text = without_colours(line);
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REMOVED);
            }
        }
        let text = without_parts(&text, parts_of_urls);
        let text = without_parts(&text, after_schemes);
        let text = without_parts(&text, after_names);
        let mut text = without_parts(&text, |text| tokens(&text.to_ascii_lowercase()));
        for home in &self.home {
            text = with_tilde(&text, home);
        }
        visible::line(&text).into_owned()
    }
}

/// The variables of this process that are text.
pub fn variables() -> Vec<(String, String)> {
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Whether a variable, an option or a member of that name holds a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
        || name.split(['_', '-', '.']).any(|word| SECRET_WORDS.contains(&word))
}

/// Every value of an entry that may be secret.
fn collect(transport: &Transport, secrets: &mut Vec<String>) {
    match transport {
        Transport::Stdio { args, env, .. } => {
            for (_, value) in env {
                secrets.push(value.clone());
                in_url(value, secrets);
            }
            let mut is_value = false;
            for arg in args {
                in_url(arg, secrets);
                let named = arg.split_once(['=', ':']).filter(|(name, _)| is_secret_name(name));
                if let Some((_, value)) = named {
                    secrets.push(value.trim().to_owned());
                } else if is_value || !tokens(&arg.to_ascii_lowercase()).is_empty() {
                    secrets.push(arg.clone());
                }
                is_value = arg.starts_with('-') && named.is_none() && is_secret_name(arg);
            }
        }
        Transport::Http { url, headers } => {
            in_url(url, secrets);
            for (_, value) in headers {
                secrets.push(value.clone());
                // The secret itself, without `Bearer`.
                secrets.extend(value.split_whitespace().skip(1).map(str::to_owned));
            }
        }
    }
}

/// The user, the password and the values of the query of a URL.
fn in_url(text: &str, secrets: &mut Vec<String>) {
    for range in parts_of_urls(text) {
        let part = &text[range];
        for value in part.split(['&', ':']) {
            let value = value.split_once('=').map_or(value, |(_, value)| value);
            secrets.extend([value.to_owned(), decoded(value)]);
        }
        secrets.push(part.to_owned());
    }
}

/// A secret as it is, in JSON, in a URL, in hexadecimal and in base 64.
fn forms(secret: &str) -> Vec<String> {
    let secret = secret.trim();
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let mut all = vec![secret.to_owned(), escaped(secret)];
    let percent = |format: fn(u8) -> String| -> String {
        secret
            .bytes()
            .map(|byte| if is_unreserved(byte) { char::from(byte).into() } else { format(byte) })
            .collect()
    };
    all.extend([percent(|byte| format!("%{byte:02X}")), percent(|byte| format!("%{byte:02x}"))]);
    all.push(percent(|byte| format!("%{byte:02X}")).replace("%20", "+"));
    if secret.len() >= SHORTEST_ENCODED {
        all.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
        all.push(secret.bytes().map(|byte| format!("{byte:02X}")).collect());
        for before in 0..3 {
            let digits = base64(secret.as_bytes(), before);
            all.push(digits.replace('+', "-").replace('/', "_"));
            all.push(digits);
        }
    }
    all
}

/// `text` between the quotes of JSON.
fn escaped(text: &str) -> String {
    let mut quoted = String::new();
    json::write_str(&mut quoted, text);
    quoted[1..quoted.len() - 1].to_owned()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `text` without percent signs.
fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = digits.and_then(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The digits in base 64 that `bytes` alone decides when so many (0 to 2) others stand before them.
fn base64(bytes: &[u8], before: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| bytes[at / 8 - before] >> (7 - at % 8) & 1;
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    let digit = |place: usize| {
        (place * 6..(place + 1) * 6).fold(0, |digit, at| digit << 1 | usize::from(bit(at)))
    };
    (first..end).map(|place| char::from(DIGITS[digit(place)])).collect()
}

type Ranges = Vec<std::ops::Range<usize>>;

/// `text` without the parts that `find` finds, which are in order and apart.
fn without_parts(text: &str, find: impl Fn(&str) -> Ranges) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for range in find(text) {
        if range.start < at || range.is_empty() {
            continue;
        }
        out.extend([&text[at..range.start], REMOVED]);
        at = range.end;
    }
    out + &text[at..]
}

/// Where what follows ends at a blank, a quote or a bracket.
fn end_of_word(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>,;()[]{}\\|".contains(c);
    text.find(ends).unwrap_or(text.len())
}

/// Of each URL in `text`: who the user is, with the password, and what is asked with it.
fn parts_of_urls(text: &str) -> Ranges {
    let mut found = Vec::new();
    for (scheme, _) in text.match_indices("://") {
        let start = scheme + 3;
        let url = &text[start..start + end_of_word(&text[start..])];
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        if let Some(at) = url[..authority].rfind('@') {
            found.push(start..start + at);
        }
        if let Some(query) = url.find('?') {
            let end = url[query..].find('#').map_or(url.len(), |at| query + at);
            found.push(start + query + 1..start + end);
        }
    }
    found
}

/// What follows `Bearer` and its like.
fn after_schemes(text: &str) -> Ranges {
    let folded = text.to_ascii_lowercase();
    let mut found: Ranges = Vec::new();
    for scheme in SCHEMES {
        for (at, _) in folded.match_indices(scheme) {
            let is_word = !folded[..at].ends_with(|c: char| c.is_alphanumeric());
            let start = at + scheme.len();
            let end = start + end_of_word(&text[start..]);
            // `Bearer tokens are ..` is a sentence: a secret has a digit, or is long.
            let word = &text[start..end];
            let is_secret = word.len() >= 16 || word.bytes().any(|byte| byte.is_ascii_digit());
            if is_word && is_secret && end - start >= SHORTEST {
                found.push(start..end);
            }
        }
    }
    found.sort_by_key(|range| range.start);
    found
}

/// What follows a name that says that it is secret: `password=..`, `"api_key": ".."`, `X-Api-Key: ..`.
fn after_names(text: &str) -> Ranges {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['=', ':']) {
        let before = text[..at].trim_end_matches(['"', '\'', '\\', ' ']);
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = &before[before.trim_end_matches(is_of_name).len()..];
        let rest = text[at + 1..].trim_start_matches(['"', '\'', '\\', ' ']);
        let start = text.len() - rest.len();
        let end = start + end_of_word(rest);
        let is_sentence = text[at..].starts_with(": ") && !name.contains(['_', '-']);
        // `key: value` of a sentence names no secret unless it looks like one.
        let has_digit = rest[..end - start].bytes().any(|byte| byte.is_ascii_digit());
        if is_secret_name(name) && end - start >= SHORTEST && (!is_sentence || has_digit) {
            found.push(start..end);
        }
    }
    found
}

/// `text` with `~` for the directory `home`.
fn with_tilde(text: &str, home: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(home) {
        let after = &rest[at + home.len()..];
        let goes_on = after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_'));
        out.extend([&rest[..at], if goes_on { home } else { "~" }]);
        rest = after;
    }
    out + rest
}

/// `text` without the sequences that set colours (`ESC [ 31 m`).
fn without_colours(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("\u{1b}[") {
        let after = rest[at + 2..].trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        let (kept, next) = match after.strip_prefix('m') {
            Some(next) => (at, next),
            None => (at + 2, &rest[at + 2..]),
        };
        out.push_str(&rest[..kept]);
        rest = next;
    }
    out + rest
}

#[cfg(test)]
mod tests;

//! Who may read the pages: one key, and the cookie that a browser gets for it.
//!
//! One rule: the cookie is derived from the key and does not reveal it; a new key makes every old cookie void.

use crate::web::guard::KEY_HEADER;
use crate::web::key::{ApiKey, KeyFormError};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use mcpproxy_platform::files;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Its file in the data directory of the collector.
pub const KEY_FILE: &str = "pages.key";
/// The answer of an export without the key.
pub const NO_KEY: &str = "the key is missing or wrong: send it as `Authorization: Bearer KEY` or in the header X-API-Key";
/// A cookie that is older than this is asked for again.
const COOKIE_SECONDS: u32 = 90 * 24 * 3600;
/// A key is a line; anything longer is another file.
const MOST_KEY_BYTES: u64 = 1024;

/// What gives access.
#[derive(Debug)]
pub struct Access {
    key: ApiKey,
    /// Of the key, so that two collectors on one machine do not overwrite each other's cookie: browsers send
    /// cookies to every port.
    cookie_name: String,
    cookie_value: ApiKey,
}

/// Why there is no key.
#[derive(Debug)]
pub enum AccessError {
    /// The file could not be read or made.
    File(PathBuf, io::Error),
    /// It holds something that can not be a key.
    Unusable(PathBuf, KeyFormError),
    /// The system gave no random bytes.
    NoRandomness,
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => {
                write!(f, "{}: {}", path.display(), files::reason(error))
            }
            Self::Unusable(path, why) => {
                write!(f, "{}: the key of the pages {why}", path.display())
            }
            Self::NoRandomness => f.write_str("the system gave no random bytes for a key"),
        }
    }
}

impl Access {
    /// Access with this key.
    pub fn new(key: ApiKey) -> Self {
        let derived = |what: &str| -> String {
            let mac = hmac_sha256::HMAC::mac(what, key.reveal());
            mac.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let name = derived("mcpproxy collector: name of the cookie");
        let value = derived("mcpproxy collector: value of the cookie");
        let cookie_name = format!("mcpproxy-collector-{}", name.get(..8).unwrap_or_default());
        // 64 hexadecimal digits always are a key.
        let cookie_value = ApiKey::new(value).unwrap_or_else(|_| key.clone());
        Self { key, cookie_name, cookie_value }
    }

    /// Access with the key that the operator has written to a file.
    pub fn from_file(path: &Path) -> Result<Self, AccessError> {
        let failed = |error| AccessError::File(path.to_owned(), error);
        let mut text = String::new();
        let file = fs::File::open(path).map_err(failed)?;
        file.take(MOST_KEY_BYTES).read_to_string(&mut text).map_err(failed)?;
        let key = ApiKey::new(text.trim_end_matches(['\r', '\n']).to_owned());
        key.map(Self::new).map_err(|why| AccessError::Unusable(path.to_owned(), why))
    }

    /// Access with the key of the data directory, which is made at the first start for its owner alone.
    pub fn kept_in(directory: &Path) -> Result<Self, AccessError> {
        let path = directory.join(KEY_FILE);
        let failed = |error| AccessError::File(path.clone(), error);
        if !path.try_exists().map_err(failed)? {
            let made = ApiKey::make().ok_or(AccessError::NoRandomness)?;
            // Whole or not at all. The directory is the caller's alone: it holds the database's lock.
            let line = format!("{}\n", made.reveal());
            files::write_atomically(&path, line.as_bytes(), 0o600).map_err(failed)?;
        }
        Self::from_file(&path)
    }

    /// The key, for the one address that shows it.
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Whether a request carries the cookie or the key.
    pub fn is_given(&self, headers: &HeaderMap) -> bool {
        let by_cookie = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = by_cookie.flat_map(|value| value.split(';'));
        let has_cookie = cookies.any(|cookie| {
            let cookie = cookie.trim().split_once('=');
            cookie.is_some_and(|(name, value)| {
                name == self.cookie_name && self.cookie_value.is(value.as_bytes())
            })
        });
        let text = |value: Option<&HeaderValue>| value.map(|it| it.as_bytes().to_vec());
        let by_header = text(headers.get(KEY_HEADER)).or_else(|| {
            let given = text(headers.get(AUTHORIZATION))?;
            let (scheme, key) = given.split_at_checked(b"Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.to_vec())
        });
        has_cookie || by_header.is_some_and(|given| self.key.is(&given))
    }

    /// The cookie for the right key; `None` for any other. `is_secure`: the request came through TLS of our own.
    pub fn cookie(&self, given: &str, headers: &HeaderMap, is_secure: bool) -> Option<HeaderValue> {
        if !self.key.is(given.as_bytes()) {
            return None;
        }
        // Behind a proxy that speaks TLS. A forged header harms its forger's cookie only.
        let proto = headers.get("x-forwarded-proto").map(HeaderValue::as_bytes);
        let secure = if is_secure || proto == Some(b"https") { "; Secure" } else { "" };
        // Without a path it holds for the pages' own, whatever path a proxy has put them below.
        let (name, value) = (&self.cookie_name, self.cookie_value.reveal());
        let cookie =
            format!("{name}={value}; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&cookie).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = Access::kept_in(directory.path()).expect("a key");
        let again = Access::kept_in(directory.path()).expect("a key");
        assert_eq!(first.key().reveal(), again.key().reveal());
        assert!(!files::is_readable_by_others(&directory.path().join(KEY_FILE)));
        let left = fs::read_dir(directory.path()).expect("entries").count();
        assert_eq!(left, 1, "nothing but the key is left");
    }

    #[test]
    fn a_file_of_the_operator_holds_the_key_in_one_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("password");
        fs::write(&path, "a-long-enough-password\n").expect("written");
        let access = Access::from_file(&path).expect("a key");
        assert!(access.key().is(b"a-long-enough-password"));
        for bad in ["", "tiny-key\n", "with spaces in the middle of it\n"] {
            fs::write(&path, bad).expect("written");
            let error = Access::from_file(&path).expect_err("no key").to_string();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(bad.trim().is_empty() || !error.contains(bad.trim()), "{error}");
        }
    }

    #[test]
    fn the_cookie_is_not_the_key_and_no_other_cookie_opens() {
        let access = Access::new(ApiKey::for_tests("0123456789abcdef"));
        let none = HeaderMap::new();
        let cookie = access.cookie("0123456789abcdef", &none, false).expect("a cookie");
        let cookie = cookie.to_str().expect("text").to_owned();
        assert!(!cookie.contains("0123456789abcdef"));
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        assert!(access.cookie("0123456789abcdeg", &none, true).is_none());
        let pair = cookie.split(';').next().expect("name and value").to_owned();
        let with = |value: &str| {
            HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(value).expect("a value"))])
        };
        assert!(access.is_given(&with(&pair)));
        assert!(access.is_given(&with(&format!("theme=dark; {pair}; a=b"))));
        let other = Access::new(ApiKey::for_tests("another-key-of-16"));
        assert!(!other.is_given(&with(&pair)));
        assert!(!access.is_given(&with(&format!("{pair}0"))));
        assert!(!access.is_given(&none));
    }
}

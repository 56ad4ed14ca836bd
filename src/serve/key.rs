//! The API key: made on first start, kept in the config.
//!
//! One rule: it is compared in constant time and never shown, except in the address printed at start.

use crate::config::{self, EDIT_DEADLINE, EditError};
use crate::paths::DataDir;
use mcpproxy_platform::files;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// Its member in the config.
const MEMBER: &str = "api_key";
/// A shorter one can be guessed.
const SHORTEST: usize = 16;

/// The key.
#[derive(Clone)]
pub struct ApiKey(String);

/// Without the key.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

/// Where a key comes from.
#[derive(Debug)]
pub struct Kept {
    /// The key.
    pub key: ApiKey,
    /// Why it could not be kept, if so: it holds for this process only.
    pub only_now: Option<EditError>,
    /// Others on this machine may be able to read it.
    pub is_exposed: bool,
}

/// Why there is no key.
#[derive(Debug)]
pub enum KeyError {
    /// The config holds one that is none.
    Unusable(&'static str),
    /// The config could not be read.
    Config(String),
    /// The system gave no random bytes.
    NoRandomness,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = config::DISPLAY_NAME;
        match self {
            Self::Unusable(why) => {
                write!(f, "`{MEMBER}` in {file} {why}; remove it, and a new one is made")
            }
            Self::Config(why) => write!(f, "{file}: {why}; repair it or move it away"),
            Self::NoRandomness => f.write_str("the system gave no random bytes for an API key"),
        }
    }
}

impl ApiKey {
    /// Whether `given` is this key, without telling by time how much of it is right.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// The key itself, for the one address that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// 256 random bits.
    fn make() -> Result<Self, KeyError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The key `text`.
    #[cfg(test)]
    pub fn for_tests(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn checked(text: String) -> Result<Self, KeyError> {
        if text.len() < SHORTEST {
            return Err(KeyError::Unusable("is shorter than 16 characters"));
        }
        // It has to fit in a header and in an address.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(KeyError::Unusable("may only hold letters, digits and - . _ ~"));
        }
        Ok(Self(text))
    }
}

/// The key of the config; made and kept when there is none.
pub fn ensure(dir: &DataDir) -> Result<Kept, KeyError> {
    if let Some(key) = configured(dir)? {
        let is_exposed = files::is_readable_by_others(&dir.config());
        return Ok(Kept { key, only_now: None, is_exposed });
    }
    let made = ApiKey::make()?;
    // Before the key is in it: the new text takes the file's mode.
    let tightened = files::make_private(&dir.config());
    // Another gateway may start at the same moment: the first key is kept.
    let kept = config::edit(dir, EDIT_DEADLINE, |editing| {
        let found = config::text_member(editing.bytes(), MEMBER).map_err(EditError::Unusable)?;
        match found.as_deref() {
            Some(found) if !found.is_empty() => Ok(found.to_owned()),
            _ => {
                editing.set(&[MEMBER], &format!("\"{}\"", made.0))?;
                Ok(made.0.clone())
            }
        }
    });
    match kept {
        Ok(text) => {
            let is_exposed = tightened.is_err() && files::is_readable_by_others(&dir.config());
            Ok(Kept { key: ApiKey::checked(text)?, only_now: None, is_exposed })
        }
        Err(error) => Ok(Kept { key: made, only_now: Some(error), is_exposed: false }),
    }
}

/// Whether others may be able to read the key of the config; `None` when there is none yet. Makes nothing.
#[cfg(feature = "cli")]
pub fn exposure(dir: &DataDir) -> Result<Option<bool>, KeyError> {
    Ok(configured(dir)?.map(|_| files::is_readable_by_others(&dir.config())))
}

fn configured(dir: &DataDir) -> Result<Option<ApiKey>, KeyError> {
    let found = config::member(dir, MEMBER).map_err(KeyError::Config)?;
    found.filter(|text| !text.is_empty()).map(ApiKey::checked).transpose()
}

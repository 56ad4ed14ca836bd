//! Where the gateway's API key is kept: in the config, made on first start.
//!
//! One rule: the first key that is written there is the one, whichever gateway made it.

use crate::config::{self, ConfigError, EDIT_DEADLINE, EditError};
use crate::paths::DataDir;
use crate::web::key::{ApiKey, KeyFormError};
use mcpproxy_platform::files;
use std::fmt;

/// Its member in the config.
const MEMBER: &str = "api_key";

/// Where a key comes from.
#[derive(Debug)]
pub struct Kept {
    /// The key.
    pub key: ApiKey,
    /// Why it could not be kept, if so: it holds for this process only.
    pub only_now: Option<EditError>,
    /// The mode of the config, if others on this machine may read it.
    pub exposed: Option<u32>,
}

/// Why there is no key.
#[derive(Debug)]
pub enum KeyError {
    /// The config holds one that is none.
    Unusable(KeyFormError),
    /// The config could not be read.
    Config(ConfigError),
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

/// The key of the config; made and kept when there is none.
pub fn ensure(dir: &DataDir) -> Result<Kept, KeyError> {
    if let Some(key) = configured(dir)? {
        let exposed = files::mode_for_others(&dir.config());
        return Ok(Kept { key, only_now: None, exposed });
    }
    let made = ApiKey::make().ok_or(KeyError::NoRandomness)?;
    // Before the key is in it: the new text takes the file's mode.
    let tightened = files::make_private(&dir.config());
    // Another gateway may start at the same moment: the first key is kept.
    let kept = config::edit(dir, EDIT_DEADLINE, |editing| {
        let found = config::text_member(editing.bytes(), MEMBER).map_err(EditError::Unusable)?;
        match found.as_deref() {
            Some(found) if !found.is_empty() => Ok(found.to_owned()),
            _ => {
                editing.set(&[MEMBER], &format!("\"{}\"", made.reveal()))?;
                Ok(made.reveal().to_owned())
            }
        }
    });
    match kept {
        Ok(text) => {
            let exposed = tightened.err().and_then(|_| files::mode_for_others(&dir.config()));
            Ok(Kept { key: checked(text)?, only_now: None, exposed })
        }
        Err(error) => Ok(Kept { key: made, only_now: Some(error), exposed: None }),
    }
}

/// Whether others may be able to read the key of the config; `None` when there is none yet. Makes nothing.
#[cfg(feature = "cli")]
pub fn exposure(dir: &DataDir) -> Result<Option<bool>, KeyError> {
    Ok(configured(dir)?.map(|_| files::is_readable_by_others(&dir.config())))
}

/// The key of the config, if there is one. Makes nothing.
pub fn configured(dir: &DataDir) -> Result<Option<ApiKey>, KeyError> {
    let found = config::member(dir, MEMBER).map_err(KeyError::Config)?;
    found.filter(|text| !text.is_empty()).map(checked).transpose()
}

fn checked(text: String) -> Result<ApiKey, KeyError> {
    ApiKey::new(text).map_err(KeyError::Unusable)
}

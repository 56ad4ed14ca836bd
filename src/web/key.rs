//! The API key of an HTTP surface.
//!
//! One rule: it is compared in constant time and never shown, except in the address printed at start. Where
//! it is kept is the surface's matter.

use std::fmt;
use subtle::ConstantTimeEq as _;

/// A shorter one can be guessed.
const SHORTEST: usize = 16;

/// The key.
#[derive(Clone)]
pub struct ApiKey(String);

/// Why a text cannot be a key. In words it is what follows the name of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormError {
    /// It can be guessed.
    Short,
    /// It has characters that do not fit in a header and in an address.
    Characters,
}

impl fmt::Display for KeyFormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "is shorter than {SHORTEST} characters"),
            Self::Characters => f.write_str("may only hold letters, digits and - . _ ~"),
        }
    }
}

impl std::error::Error for KeyFormError {}

/// Without the key.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl ApiKey {
    /// Whether `given` is this key, without telling by time how much of it is right.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// The key itself, for the one address and the one file that carry it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// 256 random bits; `None` when the system gives none.
    pub fn make() -> Option<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The key `text`.
    pub fn new(text: String) -> Result<Self, KeyFormError> {
        if text.len() < SHORTEST {
            return Err(KeyFormError::Short);
        }
        // It has to fit in a header and in an address.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(KeyFormError::Characters);
        }
        Ok(Self(text))
    }

    /// The key `text`.
    #[cfg(test)]
    pub fn for_tests(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_enough_and_fits_in_a_header_and_in_an_address() {
        for good in ["0123456789abcdef", "a-b._~0123456789"] {
            assert!(
                ApiKey::new(good.to_owned()).is_ok_and(|key| key.is(good.as_bytes())),
                "{good}"
            );
        }
        for bad in
            ["", "0123456789abcde", "0123456789abcde ", "0123456789abcde/", "0123456789abcd\u{e9}"]
        {
            assert!(ApiKey::new(bad.to_owned()).is_err(), "{bad}");
        }
        let made = ApiKey::make().expect("random bytes");
        assert!(ApiKey::new(made.reveal().to_owned()).is_ok());
        assert_eq!(format!("{made:?}"), "ApiKey");
    }
}

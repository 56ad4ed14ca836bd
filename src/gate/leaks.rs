//! Layer 2: does a free string identify someone?

/// What must never leave: names (>= 3 characters) and environment values (>= 4), prepared for comparison.
#[derive(Clone, Default)]
pub struct PrivateWords {}

impl PrivateWords {
    /// Prepares `names` (user, host, home directory) and `values` (environment).
    pub fn new<N: AsRef<str>, V: AsRef<str>>(
        _names: impl IntoIterator<Item = N>,
        _values: impl IntoIterator<Item = V>,
    ) -> Self {
        todo!("gate room")
    }
}

/// What kind of leak a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakKind {
    /// A path shape.
    Path,
    /// An e-mail address.
    Email,
    /// A URL with user info.
    Url,
    /// An IP or MAC address.
    Address,
    /// A secret token.
    Token,
    /// A private word of this machine.
    PrivateWord,
}

/// Scans one string; `None` when it is clean.
pub fn scan(_text: &str, _private: &PrivateWords) -> Option<LeakKind> {
    todo!("gate room")
}

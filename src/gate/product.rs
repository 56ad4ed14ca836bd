//! What a heartbeat may say about its product.
//!
//! One rule: a maintainer chose the name, so it may be a word of this machine; a token, a path or an address
//! it is not. Every program that is told a product asks here first: one that the gate refuses would be silent
//! for good.

use super::leaks::{LeakKind, scan};
use super::private_words::PrivateWords;
use crate::contract::product::{self, NO_VERSION, NameError};

/// The name that `text` stands for, if a heartbeat may hold it.
pub fn product_name(text: &str) -> Result<String, NameError> {
    let name = product::name_from(text)?;
    match leak_in_name(&name) {
        Some(_) => Err(NameError::Secret),
        None => Ok(name),
    }
}

/// The version that `text` stands for: a heartbeat may hold it.
pub fn product_version(text: &str) -> String {
    let version = product::version_from(text);
    match leak_in_version(&version) {
        Some(_) => NO_VERSION.to_owned(),
        None => version,
    }
}

/// The leak that a name is.
pub(super) fn leak_in_name(name: &str) -> Option<LeakKind> {
    scan(name, &PrivateWords::default())
}

/// The leak that a version is. Its form has no room for a token or a path, and three groups of digits are a date
/// with its time (`2026.1128.1430`) before they are anything else: what is left is the network that most homes
/// have.
pub(super) fn leak_in_version(version: &str) -> Option<LeakKind> {
    let numbers = version.strip_prefix('v').unwrap_or(version);
    numbers.starts_with("192.168.").then_some(LeakKind::Address)
}

//! The closed catalog of error codes.
//!
//! One rule: pure. An error says its code; what a code means is written here and nowhere else. Its names also
//! stand in the contract of heartbeats (`src/contract/heartbeat-v4.json`), and a receiver has to know them.

#[cfg(any(feature = "cli", feature = "serve"))]
mod catalog;
mod codes;

#[cfg(any(feature = "cli", feature = "serve"))]
pub use catalog::{ACTIONS, Action, RESERVED, Step};
pub use codes::{CODES, Code, Severity};

use std::fmt;

/// What every code begins with.
pub const PREFIX: &str = "MCPX_";

impl Code {
    /// The code of that spelling, in any case, with [`PREFIX`] or without it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_it = |code: &Self| {
            let name = code.as_str();
            name.eq_ignore_ascii_case(text) || name[PREFIX.len()..].eq_ignore_ascii_case(text)
        };
        Self::ALL.into_iter().find(is_it)
    }

    /// The address of the page that explains it.
    pub fn page(self) -> String {
        page_of(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The address of the page that explains the code of this spelling. (A program that names few codes does without
/// the spellings of all others.)
pub fn page_of(code: &str) -> String {
    let heading = code.to_ascii_lowercase();
    document(&format!("docs/reference/diagnostics.md#{heading}"))
}

/// The address of a document of this repository.
pub fn document(path: &str) -> String {
    format!("{}/blob/main/{path}", env!("CARGO_PKG_REPOSITORY"))
}

#[cfg(test)]
mod tests;

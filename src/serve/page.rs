//! The page for people: one embedded, static file.
//!
//! One rule: it asks nobody but this gateway, and runs no script but its own.

/// The page.
pub const HTML: &str = include_str!("page.html");

/// What the browser is to hold the page to. The hashes are those of its one style and its one script.
pub const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-x'; ",
    "script-src 'sha256-x'; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

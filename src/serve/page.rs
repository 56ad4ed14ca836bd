//! The page for people: one embedded, static file.
//!
//! One rule: it asks nobody but this gateway, and runs no script but its own.

/// The page.
pub const HTML: &str = include_str!("page.html");

/// What the browser is to hold the page to. The hashes are those of its one style and its one script; a
/// test says what they have become when the page has changed.
pub const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-4Pq+MAB1goo2O2r6Yp8SdTnAmrGD4MimoCRpj4N04uU='; ",
    "script-src 'sha256-mjnSa0GrFTI1muztY1QK3u+G6bfQ2ZIwY3kB8ri5t6w='; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    "require-trusted-types-for 'script'"
);

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    /// The one element of that name: its text.
    fn only(name: &str) -> &'static str {
        let start = format!("<{name}>");
        let mut parts = HTML.split(start.as_str());
        let (Some(_), Some(rest), None) = (parts.next(), parts.next(), parts.next()) else {
            panic!("not exactly one <{name}>");
        };
        rest.split_once(&format!("</{name}>")).expect("its end").0
    }

    #[test]
    fn the_policy_allows_exactly_the_style_and_the_script_of_the_page() {
        for name in ["style", "script"] {
            let digest = Sha256::digest(only(name).as_bytes());
            let hash = base64::engine::general_purpose::STANDARD.encode(digest);
            let expected = format!("{name}-src 'sha256-{hash}';");
            assert!(POLICY.contains(&expected), "src/serve/page.rs must say {expected}");
        }
    }

    #[test]
    fn the_page_loads_nothing_and_holds_no_handler_that_the_policy_would_block() {
        let loads = ["src=", "href=\"http", "@import", "url("];
        let handlers = [" style=\"", " onclick=", " onload=", " onerror="];
        for part in loads.into_iter().chain(handlers) {
            assert!(!HTML.contains(part), "{part} is in the page");
        }
    }
}

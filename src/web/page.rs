//! A page for people: one embedded, static file, and what the browser is to hold it to.
//!
//! One rule: a page asks only the server it came from, and runs no script but its own.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

/// A page with one style and one script.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The whole file.
    pub html: &'static str,
    /// Its content security policy, made by `policy!`.
    pub policy: &'static str,
}

impl Page {
    /// The answer that shows it.
    pub fn response(&self) -> Response {
        let policy = HeaderValue::from_static(self.policy);
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        ([(CONTENT_TYPE, html), (CONTENT_SECURITY_POLICY, policy)], self.html).into_response()
    }
}

/// The policy of a page whose style and script have these hashes.
macro_rules! policy {
    (style $style:literal, script $script:literal) => {
        concat!(
            "default-src 'none'; style-src '",
            $style,
            "'; script-src '",
            $script,
            "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; ",
            "frame-ancestors 'none'; require-trusted-types-for 'script'"
        )
    };
}
pub(crate) use policy;

/// What every page is tested for.
#[cfg(test)]
pub mod proof {
    use super::Page;
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    /// The one element of that name: its text.
    fn only<'a>(page: &'a Page, name: &str) -> &'a str {
        let start = format!("<{name}>");
        let mut parts = page.html.split(start.as_str());
        let (Some(_), Some(rest), None) = (parts.next(), parts.next(), parts.next()) else {
            panic!("not exactly one <{name}>");
        };
        rest.split_once(&format!("</{name}>")).expect("its end").0
    }

    /// The policy allows exactly the style and the script of the page; `file` is where it is written.
    pub fn policy_fits(page: &Page, file: &str) {
        for name in ["style", "script"] {
            let digest = Sha256::digest(only(page, name).as_bytes());
            let hash = base64::engine::general_purpose::STANDARD.encode(digest);
            let expected = format!("{name}-src 'sha256-{hash}';");
            assert!(page.policy.contains(&expected), "{file} must say {expected}");
        }
    }

    /// The page loads nothing, and holds no handler that the policy would block.
    pub fn loads_nothing(page: &Page) {
        let loads = ["src=", "href=\"http", "@import", "url("];
        let handlers = [" style=\"", " onclick=", " onload=", " onerror="];
        for part in loads.into_iter().chain(handlers) {
            assert!(!page.html.contains(part), "{part} is in the page");
        }
    }
}

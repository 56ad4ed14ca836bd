//! The page for people: one embedded, static file.
//!
//! One rule: it asks nobody but this gateway, and runs no script but its own.

use crate::web::page::{Page, policy};

/// The page. The hashes are those of its one style and its one script; a test says what they have become when
/// the page has changed.
pub const PAGE: Page = Page {
    html: include_str!("page.html"),
    policy: policy!(
        style "sha256-4Pq+MAB1goo2O2r6Yp8SdTnAmrGD4MimoCRpj4N04uU=",
        script "sha256-LNkeFp5KGK+4y/X+CtWDxb9ZcVTZgVhGvLZX9nnR5Dk="
    ),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::proof;

    #[test]
    fn the_policy_allows_exactly_the_style_and_the_script_of_the_page() {
        proof::policy_fits(&PAGE, "src/serve/page.rs");
    }

    #[test]
    fn the_page_loads_nothing_and_holds_no_handler_that_the_policy_would_block() {
        proof::loads_nothing(&PAGE);
    }
}

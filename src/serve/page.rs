//! The page for people: one embedded, static file.
//!
//! One rule: it asks nobody but this gateway, and runs no script but its own.

use crate::web::page::{Page, policy};

/// The page. The hashes are those of its one style and its one script; a test says what they have become when
/// the page has changed.
pub const PAGE: Page = Page {
    html: include_str!("page.html"),
    policy: policy!(
        style "sha256-J9k3s+GyPlckCPng+tkGfVJogCFVuLW/s/yuQa2SYzs=",
        script "sha256-OCjpwcwuyL92DCGyJSYNXO4D7Abvr6DhWBDps88spf8="
    ),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visible;
    use crate::web::page::proof;

    #[test]
    fn the_policy_allows_exactly_the_style_and_the_script_of_the_page() {
        proof::policy_fits(&PAGE, "src/serve/page.rs");
    }

    #[test]
    fn the_page_loads_nothing_and_holds_no_handler_that_the_policy_would_block() {
        proof::loads_nothing(&PAGE);
    }

    #[test]
    fn the_page_spells_out_what_terminals_and_logs_spell_out() {
        let (_, class) = PAGE.html.split_once("/[\\u{0}").expect("a class of characters");
        let (class, _) = class.split_once("]/gu").expect("its end");
        let number = |text: &str| {
            let number = text.trim_start_matches("\\u{").trim_end_matches('}');
            u32::from_str_radix(number, 16).expect("a number")
        };
        let class = format!("\\u{{0}}{class}").replace("}\\", "} \\");
        let ranges: Vec<_> = class
            .split(' ')
            .map(|part| part.split_once('-').unwrap_or((part, part)))
            .map(|(first, last)| number(first)..=number(last))
            .collect();
        for c in '\0'..=char::MAX {
            let is_in = ranges.iter().any(|range| range.contains(&u32::from(c)));
            assert_eq!(is_in, visible::is_hidden(c), "{:#x}", u32::from(c));
        }
    }
}

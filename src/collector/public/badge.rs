//! The badge: how many people use a product in a week, as a picture for a README.
//!
//! One rule: it holds its own letters' widths and nothing to load, so that every proxy of pictures shows it alike.

use super::numbers::{K, Numbers};
use crate::collector::report::words::grouped;
use maud::{Markup, html};

const LABEL: &str = "used by";
/// Beside each text, in pixels.
const PAD: u32 = 6;

/// What it says.
pub fn words(numbers: &Numbers) -> String {
    match numbers.people.count() {
        Some(count) => format!("{} people a week", grouped(count)),
        None => format!("fewer than {K} people a week"),
    }
}

/// The picture.
pub fn svg(numbers: &Numbers) -> Markup {
    let words = words(numbers);
    let (left, right) = (width(LABEL), width(&words));
    let (left_box, right_box) = (left.div_ceil(10) + 2 * PAD, right.div_ceil(10) + 2 * PAD);
    let all = left_box + right_box;
    let said = format!("{LABEL}: {words}");
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(all) height="20" viewBox={ "0 0 " (all) " 20" } role="img" aria-label=(said) {
            title { (said) }
            linearGradient id="shade" x2="0" y2="100%" {
                stop offset="0" stop-color="#bbb" stop-opacity=".1" {}
                stop offset="1" stop-opacity=".1" {}
            }
            clipPath id="round" { rect width=(all) height="20" rx="3" fill="#fff" {} }
            g clip-path="url(#round)" {
                rect width=(left_box) height="20" fill="#4b5160" {}
                rect x=(left_box) width=(right_box) height="20" fill="#3355d1" {}
                rect width=(all) height="20" fill="url(#shade)" {}
            }
            // Ten times as large and made smaller: places between pixels, as other badges have them.
            g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="110" text-rendering="geometricPrecision" {
                (text(LABEL, 5 * left_box, left))
                (text(&words, 10 * left_box + 5 * right_box, right))
            }
        }
    }
}

fn text(words: &str, middle: u32, width: u32) -> Markup {
    html! {
        text aria-hidden="true" x=(middle) y="150" fill="#010101" fill-opacity=".3" transform="scale(.1)" textLength=(width) { (words) }
        text x=(middle) y="140" transform="scale(.1)" textLength=(width) { (words) }
    }
}

/// In tenths of a pixel, at 11 pixels of Verdana.
fn width(words: &str) -> u32 {
    let of = |letter| match letter {
        'i' | 'l' => 30,
        ' ' | 'f' | ',' => 39,
        't' | 'r' => 45,
        's' | 'c' => 57,
        'w' => 90,
        '0'..='9' => 70,
        _ => 67,
    };
    words.chars().map(of).sum()
}

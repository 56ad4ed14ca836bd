//! Parts of pages: a share with its interval, a table in its own box, links to the exports.
//!
//! One rule: below n = 20 the interval is what is large.

use super::query::address;
use crate::collector::definitions::{Day, Share};
use crate::collector::report::words::{count_of, interval, percent};
use crate::collector::store::Note;
use crate::collector::view::{Topic, View};
use maud::{Markup, html};

/// Notes under a chart: those before have left it.
const SHOWN_NOTES: usize = 26;

/// A share: large what can be said, small what it is made of.
pub fn share(share: Share) -> Markup {
    let (percent, interval, count) = (percent(share), interval(share), count_of(share));
    html! {
        span.share {
            @if share.of == 0 {
                span.large { span aria-hidden="true" { "–" } span.sr { "no installs" } }
            } @else if share.is_of_few() {
                span.large { (interval) }
                span.small { span { (percent) } " " span { (count) } }
            } @else {
                span.large { (percent) }
                span.small { span { (interval) } " " span { (count) } }
            }
        }
    }
}

/// A table that scrolls inside its own box, reachable by keyboard.
pub fn table(caption: &str, content: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption.sr { (caption) }
                (content)
            }
        }
    }
}

/// What the operator has noted, newest first; nothing without a note.
pub fn notes(notes: &[Note]) -> Markup {
    html! {
        @if !notes.is_empty() {
            ul.notes aria-label="Notes" {
                @for note in notes.iter().rev().take(SHOWN_NOTES) {
                    li { span.muted { (Day(note.day)) } " " (note.text) }
                }
            }
        }
    }
}

/// The numbers of a topic for other programs.
pub fn exports(view: &View, topic: Topic) -> Markup {
    html! {
        p.exports {
            a href=(address(topic, ".csv", &view.selection)) { "CSV" }
            a href=(address(topic, ".json", &view.selection)) { "JSON" }
        }
    }
}

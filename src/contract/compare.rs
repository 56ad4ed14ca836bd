//! Comparison of the generated tables with the hand-written contract, at compile time.
//!
//! One rule: a question about a member that is not there is answered with yes, so that one difference
//! gives one message ([`has`] is the question that is answered with no).

use super::payload::HAND_WRITTEN;
use super::table::{Member, Node, Text};

/// The members of [`super::Payload`], as it is written by hand.
pub(super) const HAND: &[Member] = HAND_WRITTEN;

/// Whether two strings are equal.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether `list` holds `text`.
pub(super) const fn contains(list: &[&str], text: &str) -> bool {
    let mut i = 0;
    while i < list.len() {
        if same(list[i], text) {
            return true;
        }
        i += 1;
    }
    false
}

/// The member at `path` and its index in its object.
const fn find(members: &'static [Member], path: &[&str]) -> Option<(&'static Member, usize)> {
    let [name, rest @ ..] = path else { return None };
    let mut i = 0;
    while i < members.len() {
        if same(members[i].name, name) {
            return match &members[i].node {
                _ if rest.is_empty() => Some((&members[i], i)),
                Node::Object(members) => find(members, rest),
                _ => None,
            };
        }
        i += 1;
    }
    None
}

pub(super) const fn has(members: &'static [Member], path: &[&str]) -> bool {
    find(members, path).is_some()
}

pub(super) const fn stands_at(members: &'static [Member], path: &[&str], position: usize) -> bool {
    match find(members, path) {
        Some((_, found)) => found == position,
        None => true,
    }
}

pub(super) const fn required_is(members: &'static [Member], path: &[&str], required: bool) -> bool {
    match find(members, path) {
        Some((member, _)) => member.required == required,
        None => true,
    }
}

pub(super) const fn kind_is(members: &'static [Member], path: &[&str], expected: &str) -> bool {
    match find(members, path) {
        Some((member, _)) => same(kind(&member.node), expected),
        None => true,
    }
}

/// The word for a node in messages.
const fn kind(node: &Node) -> &'static str {
    match node {
        Node::Object(_) => "object",
        Node::Enum(_) => "enum",
        Node::ConstInteger(_) => "constant",
        Node::Boolean => "boolean",
        Node::NullableBoolean => "boolean or null",
        Node::Count => "count",
        Node::UpTo(_) => "bounded count",
        Node::Counts { .. } => "counts by code",
        Node::Text(_) => "text",
        Node::List { .. } => "list",
    }
}

pub(super) const fn spells(
    members: &'static [Member],
    path: &[&str],
    index: usize,
    spelling: &str,
) -> bool {
    match find(members, path) {
        Some((Member { node: Node::Enum(spellings), .. }, _)) => {
            index >= spellings.len() || same(spellings[index], spelling)
        }
        _ => true,
    }
}

pub(super) const fn has_spellings(members: &'static [Member], path: &[&str], count: usize) -> bool {
    match find(members, path) {
        Some((Member { node: Node::Enum(spellings), .. }, _)) => spellings.len() == count,
        _ => true,
    }
}

pub(super) const fn constant_is(members: &'static [Member], path: &[&str], expected: u64) -> bool {
    match find(members, path) {
        Some((Member { node: Node::ConstInteger(constant), .. }, _)) => *constant == expected,
        _ => true,
    }
}

pub(super) const fn max_items_is(
    members: &'static [Member],
    path: &[&str],
    expected: usize,
) -> bool {
    match find(members, path) {
        Some((Member { node: Node::List { max_items, .. }, .. }, _)) => *max_items == expected,
        _ => true,
    }
}

pub(super) const fn most_is(members: &'static [Member], path: &[&str], expected: u64) -> bool {
    match find(members, path) {
        Some((Member { node: Node::UpTo(most), .. }, _)) => *most == expected,
        Some((Member { node: Node::Counts { most, .. }, .. }, _)) => *most as u64 == expected,
        _ => true,
    }
}

pub(super) const fn text_is(members: &'static [Member], path: &[&str], expected: Text) -> bool {
    match find(members, path) {
        Some((Member { node: Node::Text(text) | Node::List { item: text, .. }, .. }, _)) => {
            *text as u8 == expected as u8
        }
        _ => true,
    }
}

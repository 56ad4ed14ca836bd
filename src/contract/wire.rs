//! How Rust types stand in the contract and on the wire.
//!
//! One rule: the member list of a struct is written once; its place in the contract, the comparison
//! with the schema and the encoding all follow from it, so none of them can forget a member.

use super::table::{Node, Text};
use super::tables::DIAGNOSTIC_CODES;
use super::{MAX_CLIENTS, MAX_COUNT};
use crate::json::{self, Node as Shown};
use std::collections::BTreeMap;

/// A value as a member of a payload.
pub(crate) trait Wire {
    /// Whether every payload has it.
    const REQUIRED: bool = true;

    /// Whether this payload has it.
    fn is_sent(&self) -> bool {
        true
    }

    /// Appends the value.
    fn write(&self, out: &mut String);

    /// The value as it is shown to people and their programs: objects have all members of the contract, in its
    /// order, and those that a payload omits are null.
    fn to_node(&self) -> Shown;

    /// Appends what `node` allows of the value.
    fn write_as(&self, _node: &Node, out: &mut String) {
        self.write(out);
    }
}

/// A type that alone says what it is in the contract; strings do not.
pub(super) trait Typed: Wire {
    /// Its node.
    const NODE: Node;
}

/// A [`Typed`] value that a payload omits when it is `None`. (Booleans are not: there `None` is null.)
pub(super) trait Omittable: Typed {}

impl<T: Omittable> Wire for Option<T> {
    const REQUIRED: bool = false;

    fn is_sent(&self) -> bool {
        self.is_some()
    }

    fn to_node(&self) -> Shown {
        self.as_ref().map(Wire::to_node).into()
    }

    fn write(&self, out: &mut String) {
        if let Some(value) = self {
            value.write(out);
        }
    }
}

impl<T: Omittable> Typed for Option<T> {
    const NODE: Node = T::NODE;
}

impl Wire for bool {
    fn to_node(&self) -> Shown {
        (*self).into()
    }

    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Typed for bool {
    const NODE: Node = Node::Boolean;
}

impl Wire for Option<bool> {
    fn to_node(&self) -> Shown {
        (*self).into()
    }

    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

impl Typed for Option<bool> {
    const NODE: Node = Node::NullableBoolean;
}

impl Wire for u64 {
    fn to_node(&self) -> Shown {
        (*self).into()
    }

    fn write(&self, out: &mut String) {
        let mut rest = (*self).min(MAX_COUNT);
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.extend(digits[start..].iter().map(|&digit| char::from(digit)));
    }

    fn write_as(&self, node: &Node, out: &mut String) {
        match node {
            Node::UpTo(most) => (*self).min(*most).write(out),
            _ => self.write(out),
        }
    }
}

impl Typed for u64 {
    const NODE: Node = Node::Count;
}

impl Omittable for u64 {}

/// Counts by code.
impl Wire for BTreeMap<String, u64> {
    fn to_node(&self) -> Shown {
        let counts =
            DIAGNOSTIC_CODES.iter().filter_map(|code| Some((*code, (*self.get(*code)?).into())));
        Shown::Object(counts.collect())
    }

    fn write(&self, out: &mut String) {
        write_counts(self.iter(), out);
    }

    fn write_as(&self, node: &Node, out: &mut String) {
        match node {
            Node::Counts { most, .. } => write_counts(self.iter().take(*most), out),
            _ => self.write(out),
        }
    }
}

fn write_counts<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>, out: &mut String) {
    out.push('{');
    for (i, (key, count)) in counts.enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::write_str(out, key);
        out.push(':');
        count.write(out);
    }
    out.push('}');
}

/// Strings; what they may hold is said at the member: `as Version`.
pub(super) trait Strings: Wire {
    /// They are a list of such strings.
    const MANY: bool = false;
}

impl Wire for String {
    fn to_node(&self) -> Shown {
        self.as_str().into()
    }

    fn write(&self, out: &mut String) {
        json::write_str(out, self);
    }
}

impl Strings for String {}

impl Wire for Option<String> {
    const REQUIRED: bool = false;

    fn to_node(&self) -> Shown {
        self.as_deref().into()
    }

    fn is_sent(&self) -> bool {
        self.is_some()
    }

    fn write(&self, out: &mut String) {
        if let Some(text) = self {
            text.write(out);
        }
    }
}

impl Strings for Option<String> {}

impl Wire for Vec<String> {
    fn to_node(&self) -> Shown {
        Shown::List(self.iter().map(|text| text.as_str().into()).collect())
    }

    fn write(&self, out: &mut String) {
        out.push('[');
        for (i, text) in self.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            text.write(out);
        }
        out.push(']');
    }
}

impl Strings for Vec<String> {
    const MANY: bool = true;
}

/// The node of strings of the shape `text`.
pub(super) const fn strings_node(many: bool, text: Text) -> Node {
    if many { Node::List { max_items: MAX_CLIENTS, item: text } } else { Node::Text(text) }
}

/// Declares a closed object of the contract: a plain struct whose public fields are its members, in
/// wire order. `at` is its JSON pointer in the schema; `const` lines are members that are always the
/// same and therefore no fields; `as` names the shape of strings, `where` gives the node of a type that
/// does not say it alone.
macro_rules! wire_object {
    (@node $type:ty) => { <$type as Typed>::NODE };
    (@node $type:ty, $text:ident) => {
        strings_node(<$type as Strings>::MANY, Text::$text)
    };
    (@node $type:ty, = $node:expr) => { $node };
    (@write $value:expr, $out:ident) => { Wire::write(&$value, $out) };
    (@write $value:expr, $out:ident, $node:expr) => { Wire::write_as(&$value, &$node, $out) };
    (
        at $at:literal;
        $(const $constant:ident = $number:expr;)*
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])*
                pub $field:ident: $type:ty $(as $text:ident)? $(where $node:expr)?,)+
        }
    ) => {
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)+ }

        impl $name {
            const MEMBERS: &'static [Member] = &[
                $(Member {
                    name: stringify!($constant),
                    required: true,
                    node: Node::ConstInteger($number),
                },)*
                $(Member {
                    name: stringify!($field),
                    required: <$type as Wire>::REQUIRED,
                    node: wire_object!(@node $type $(, $text)? $(, = $node)?),
                },)+
            ];
        }

        $(const _: () = assert!(
            contains(POINTERS, concat!($at, "/properties/", stringify!($field))),
            concat!(
                $at, "/properties/", stringify!($field), ": `", stringify!($name),
                "` has this field, src/contract/heartbeat-v4.json has not"
            )
        );)+

        impl Wire for $name {
            fn write(&self, out: &mut String) {
                out.push('{');
                $(
                    out.push_str(concat!("\"", stringify!($constant), "\":"));
                    Wire::write(&$number, out);
                    out.push(',');
                )*
                $(if Wire::is_sent(&self.$field) {
                    out.push_str(concat!("\"", stringify!($field), "\":"));
                    wire_object!(@write self.$field, out $(, $node)?);
                    out.push(',');
                })+
                if out.ends_with(',') {
                    out.pop();
                }
                out.push('}');
            }

            fn to_node(&self) -> $crate::json::Node {
                $crate::json::Node::Object(vec![$((stringify!($field), self.$field.to_node()),)+])
            }
        }

        impl Typed for $name {
            const NODE: Node = Node::Object($name::MEMBERS);
        }

        impl Omittable for $name {}
    };
}
pub(super) use wire_object;

/// Declares an object of counts, and the enum of what it counts: each member is named once.
macro_rules! wire_counts {
    (
        at $at:literal;
        $(#[$meta:meta])*
        pub struct $name:ident;
        $(#[$key_meta:meta])*
        pub enum $key:ident {
            $($(#[$field_meta:meta])* $variant:ident = $field:ident,)+
        }
    ) => {
        wire_object! {
            at $at;
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
            pub struct $name { $($(#[$field_meta])* pub $field: u64,)+ }
        }

        $(#[$key_meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $key { $($(#[$field_meta])* $variant,)+ }

        impl $key {
            /// All of them, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in the contract.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)+
                }
            }
        }

        impl $name {
            /// The count of `key`.
            pub const fn of(&mut self, key: $key) -> &mut u64 {
                match key {
                    $($key::$variant => &mut self.$field,)+
                }
            }
        }
    };
}
pub(super) use wire_counts;

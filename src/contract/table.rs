//! The shape of the tables that `build.rs` generates from the schema; the gate walks them.

/// One node of the contract.
#[derive(Debug)]
pub enum Node {
    /// A closed object.
    Object(&'static [Member]),
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// Exactly this integer.
    ConstInteger(u64),
    /// `true` or `false`.
    Boolean,
    /// `true`, `false` or `null`.
    NullableBoolean,
    /// An integer >= 0, spelled without fraction or exponent.
    Count,
    /// An integer from 0 to this one, spelled in the same way.
    UpTo(u64),
    /// A closed object of counts, none of which is required.
    Counts {
        /// Its keys, sorted.
        keys: &'static [&'static str],
        /// The most members it may have.
        most: usize,
    },
    /// A string of a known shape.
    Text(Text),
    /// An array of unique strings.
    List {
        /// The most items it may have.
        max_items: usize,
        /// The shape of every item.
        item: Text,
    },
}

/// One member of a closed object.
#[derive(Debug)]
pub struct Member {
    /// The key, exactly.
    pub name: &'static str,
    /// Whether every payload has it.
    pub required: bool,
    /// What its value is.
    pub node: Node,
}

/// The shapes of strings, one for each pattern in the schema's `$defs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// RFC 4122 UUID, any case.
    Uuid,
    /// Semantic version with a leading `v`.
    Version,
    /// As [`Text::Version`], or empty.
    OptionalVersion,
    /// RFC 3339 UTC, whole seconds.
    Timestamp,
    /// A canonical client name.
    ClientName,
    /// A [`Text::Timestamp`] at midnight.
    Day,
    /// The name of a product.
    ProductName,
    /// The version of a product.
    ProductVersion,
}

//! Writes a [`Contract`] as Rust: the tables, and the asserts that compare them with what is written
//! by hand.

use crate::schema::{Contract, Member, Pattern, Shape};
use std::fmt::Write as _;

/// Collects the asserts; paths are the names from the root to a member, as `compare.rs` walks them.
#[derive(Default)]
struct Asserts {
    rust: String,
    pointers: Vec<String>,
}

impl Asserts {
    fn push(&mut self, condition: &str, pointer: &str, what: &str) {
        // The message is a format string: braces of the schema must not be read as its arguments.
        let message = format!("{pointer}: {what}").replace('{', "{{").replace('}', "}}");
        let _ = writeln!(self.rust, "const _: () = assert!(compare::{condition}, {message:?});");
    }

    fn members(&mut self, members: &[Member], path: &[&str]) {
        for (i, member) in members.iter().enumerate() {
            let path = [path, &[member.name.as_str()]].concat();
            self.pointers.push(member.pointer.clone());
            self.member(member, i, &path);
        }
    }

    fn member(&mut self, member: &Member, index: usize, path: &[&str]) {
        let Member { pointer, required, shape, .. } = member;
        let at = format!("HAND, &{path:?}");
        let sent = if *required { "required" } else { "not required" };
        self.push(
            &format!("has({at})"),
            pointer,
            "the schema has this field, src/contract/payload.rs has not",
        );
        self.push(
            &format!("stands_at({at}, {index})"),
            pointer,
            "the fields stand in another order in src/contract/payload.rs",
        );
        self.push(
            &format!("required_is({at}, {required})"),
            pointer,
            &format!("{sent} in the schema, which src/contract/payload.rs contradicts"),
        );
        let kind = shape.kind();
        self.push(
            &format!("kind_is({at}, {kind:?})"),
            pointer,
            &format!("{kind} in the schema, but of another type in src/contract/payload.rs"),
        );
        self.details(shape, pointer, &at, path);
    }

    fn details(&mut self, shape: &Shape, pointer: &str, at: &str, path: &[&str]) {
        match shape {
            Shape::Object(members) => self.members(members, path),
            Shape::Enum(spellings) => {
                for (i, spelling) in spellings.iter().enumerate() {
                    self.push(
                        &format!("spells({at}, {i}, {spelling:?})"),
                        &format!("{pointer}/enum/{i}"),
                        &format!("{spelling:?} is not what src/contract/terms.rs has here"),
                    );
                }
                self.push(
                    &format!("has_spellings({at}, {})", spellings.len()),
                    &format!("{pointer}/enum"),
                    "src/contract/terms.rs has another number of values",
                );
            }
            Shape::ConstInteger(constant) => self.push(
                &format!("constant_is({at}, {constant})"),
                &format!("{pointer}/const"),
                &format!("{constant} in the schema, another number in src/contract"),
            ),
            Shape::UpTo(most) => self.push(
                &format!("most_is({at}, {most})"),
                &format!("{pointer}/maximum"),
                &format!("{most} in the schema, another limit in src/contract/mod.rs"),
            ),
            Shape::CodeCounts(most) => self.push(
                &format!("most_is({at}, {most})"),
                "/$defs/code_counts/maxProperties",
                &format!("{most} in the schema, another limit in src/contract/mod.rs"),
            ),
            Shape::Text(variant) => self.push(
                &format!("text_is({at}, Text::{variant})"),
                &format!("{pointer}/$ref"),
                &format!("Text::{variant} in the schema, another in src/contract/payload.rs"),
            ),
            Shape::List { max_items, item } => {
                self.push(
                    &format!("max_items_is({at}, {max_items})"),
                    &format!("{pointer}/maxItems"),
                    &format!("{max_items} in the schema, another limit in src/contract/mod.rs"),
                );
                self.push(
                    &format!("text_is({at}, Text::{item})"),
                    &format!("{pointer}/items/$ref"),
                    &format!("Text::{item} in the schema, another in src/contract/payload.rs"),
                );
            }
            Shape::Boolean | Shape::NullableBoolean | Shape::Count | Shape::Code => {}
        }
    }
}

impl Shape {
    /// The word of `compare::kind` for this shape.
    pub fn kind(&self) -> &'static str {
        match self {
            Shape::Object(_) => "object",
            Shape::Enum(_) | Shape::Code => "enum",
            Shape::ConstInteger(_) => "constant",
            Shape::Boolean => "boolean",
            Shape::NullableBoolean => "boolean or null",
            Shape::Count => "count",
            Shape::UpTo(_) => "bounded count",
            Shape::CodeCounts(_) => "counts by code",
            Shape::Text(_) => "text",
            Shape::List { .. } => "list",
        }
    }

    fn to_rust(&self) -> String {
        match self {
            Shape::Object(members) => format!("Node::Object({})", table(members)),
            Shape::Enum(spellings) => format!("Node::Enum(&{spellings:?})"),
            Shape::ConstInteger(constant) => format!("Node::ConstInteger({constant})"),
            Shape::Boolean => "Node::Boolean".to_owned(),
            Shape::NullableBoolean => "Node::NullableBoolean".to_owned(),
            Shape::Count => "Node::Count".to_owned(),
            Shape::UpTo(most) => format!("Node::UpTo({most})"),
            Shape::Code => "Node::Enum(DIAGNOSTIC_CODES)".to_owned(),
            Shape::CodeCounts(most) => {
                format!("Node::Counts {{ keys: DIAGNOSTIC_CODES, most: {most} }}")
            }
            Shape::Text(variant) => format!("Node::Text(Text::{variant})"),
            Shape::List { max_items, item } => {
                format!("Node::List {{ max_items: {max_items}, item: Text::{item} }}")
            }
        }
    }
}

fn table(members: &[Member]) -> String {
    let mut rust = String::from("&[\n");
    for Member { name, required, shape, .. } in members {
        let node = shape.to_rust();
        let _ = writeln!(rust, "Member {{ name: {name:?}, required: {required}, node: {node} }},");
    }
    rust.push(']');
    rust
}

/// What stands in one version of the contract and not in the other.
pub struct Difference {
    pub pointer: String,
    pub what: String,
}

/// The Rust text of `$OUT_DIR/contract.rs`: both versions as tables; the asserts that compare what is sent
/// (`new`) with what is written by hand; and one failing assert for every difference that there should
/// not be.
pub fn rust(old: &Contract, new: &Contract, added: &[&str], differences: &[Difference]) -> String {
    let mut asserts = Asserts::default();
    asserts.members(&new.members, &[]);
    for Pattern { name, variant, pattern } in &new.patterns {
        asserts.push(
            &format!("same(Text::{variant}.pattern(), {pattern:?})"),
            &format!("/$defs/{name}/pattern"),
            &format!("differs from Text::{variant}.pattern() in src/contract/shapes.rs"),
        );
    }
    for Difference { pointer, what } in differences {
        asserts.push("same(\"\", \"a difference\")", pointer, what);
    }
    format!(
        "/// Heartbeat v3 as a table, in the order of the schema.\n\
         pub static V3: Node = Node::Object({});\n\
         /// Heartbeat v4 as a table, in the order of the schema.\n\
         pub static V4: Node = Node::Object({});\n\
         /// The JSON pointer of every member in the schema of v4.\n\
         pub const POINTERS: &[&str] = &{:?};\n\
         /// The members that v4 has and v3 has not: their JSON pointers in the schema of v4.\n\
         pub const ADDED_IN_V4: &[&str] = &{added:?};\n\
         /// The closed catalog of codes, sorted.\n\
         pub const DIAGNOSTIC_CODES: &[&str] = &{:?};\n{}",
        table(&old.members),
        table(&new.members),
        asserts.pointers,
        new.codes,
        asserts.rust
    )
}

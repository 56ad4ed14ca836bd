//! Compares two versions of the contract.
//!
//! One rule: a receiver of v3 reads a heartbeat v4 without its new members, so v4 is v3 with the members of
//! [`ADDED`] and with [`NARROWED`] ones, and nothing else. What is not named here and differs is one
//! [`Difference`]; `src/contract/payload.rs` is compared with v4, and so with v3.

use crate::schema::{Contract, Member, Shape};
use crate::tables::Difference;

/// The members that v4 has and v3 has not: JSON pointers in the schema of v4.
pub const ADDED: [&str; 8] = [
    "/properties/product",
    "/properties/agent_env",
    "/properties/activation/properties/first_real_tool_call_ever",
    "/properties/carried_over",
    "/properties/days_since_install",
    "/properties/active_days_30d",
    "/properties/previous_shutdown",
    "/properties/diagnostics",
];

/// Members that are required in v4 only, and hold less there: what they hold in both.
const NARROWED: [(&str, &str, &str); 1] =
    [("/properties/anonymous_id_created_at", "Timestamp", "Day")];

/// What differs and should not, in the order of v3; then what v4 has too many or too few.
pub fn differences(old: &Contract, new: &Contract) -> Vec<Difference> {
    let mut found = Found::default();
    found.constant(&old.members, 3);
    found.members(&old.members, &new.members);
    for pattern in &old.patterns {
        let pointer = format!("/$defs/{}/pattern", pattern.name);
        match new.patterns.iter().find(|other| other.name == pattern.name) {
            Some(other) if other.pattern == pattern.pattern => {}
            _ => found.push(&pointer, "v3 and v4 differ"),
        }
    }
    for pointer in ADDED {
        if !found.added.iter().any(|added| added == pointer) {
            found.push(pointer, "build/versions.rs says that v4 added it, but v4 has it not");
        }
    }
    found.differences
}

#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
    /// The members of [`ADDED`] that were met.
    added: Vec<String>,
}

impl Found {
    fn push(&mut self, pointer: &str, what: &str) {
        self.differences.push(Difference { pointer: pointer.to_owned(), what: what.to_owned() });
    }

    /// `schema_version` is what the name of the file says; that of v4 is compared with the code.
    fn constant(&mut self, members: &[Member], version: u64) {
        let is = |member: &Member| matches!(member.shape, Shape::ConstInteger(it) if it == version);
        if !members.iter().any(|member| member.name == "schema_version" && is(member)) {
            self.push("/properties/schema_version/const", &format!("must be {version}"));
        }
    }

    fn members(&mut self, old: &[Member], new: &[Member]) {
        for member in new.iter().filter(|m| !old.iter().any(|other| other.name == m.name)) {
            if ADDED.contains(&member.pointer.as_str()) {
                self.added.push(member.pointer.clone());
            } else {
                let what = "v4 has this field, v3 has not, and build/versions.rs does not say that \
                            v4 added it";
                self.push(&member.pointer, what);
            }
        }
        let common: Vec<&Member> =
            new.iter().filter(|m| old.iter().any(|other| other.name == m.name)).collect();
        let mut position = 0;
        for member in old {
            let Some(at) = common.iter().position(|other| other.name == member.name) else {
                self.push(&member.pointer, "v3 has this field, v4 has not");
                continue;
            };
            if at != position {
                self.push(&member.pointer, "the fields stand in another order in v4");
            }
            position = at + 1;
            self.member(member, common[at]);
        }
    }

    fn member(&mut self, old: &Member, new: &Member) {
        let pointer = &old.pointer;
        let narrowed = NARROWED.iter().find(|(narrowed, ..)| narrowed == pointer);
        if let Some((_, wide, narrow)) = narrowed {
            let as_said = matches!(old.shape, Shape::Text(it) if it == *wide)
                && matches!(new.shape, Shape::Text(it) if it == *narrow)
                && !old.required
                && new.required;
            if !as_said {
                self.push(pointer, "build/versions.rs says another thing about v3 and v4 here");
            }
            return;
        }
        if old.required != new.required {
            let sent = if old.required { "required" } else { "not required" };
            self.push(pointer, &format!("{sent} in v3, which v4 contradicts"));
        }
        let kind = old.shape.kind();
        if kind != new.shape.kind() {
            self.push(pointer, &format!("{kind} in v3, but of another type in v4"));
            return;
        }
        match (&old.shape, &new.shape) {
            (Shape::Object(old), Shape::Object(new)) => self.members(old, new),
            (Shape::Enum(old), Shape::Enum(new)) => {
                if let Some(at) = old.iter().zip(new).position(|(old, new)| old != new) {
                    self.push(&format!("{pointer}/enum/{at}"), "v3 and v4 spell it differently");
                } else if old.len() != new.len() {
                    self.push(&format!("{pointer}/enum"), "v3 and v4 differ in number");
                }
            }
            (Shape::UpTo(old), Shape::UpTo(new)) if old != new => {
                self.push(&format!("{pointer}/maximum"), "v3 and v4 differ");
            }
            (Shape::Text(old), Shape::Text(new)) if old != new => {
                self.push(&format!("{pointer}/$ref"), "v3 and v4 differ");
            }
            (
                Shape::List { max_items, item },
                Shape::List { max_items: other_max, item: other_item },
            ) => {
                if max_items != other_max {
                    self.push(&format!("{pointer}/maxItems"), "v3 and v4 differ");
                }
                if item != other_item {
                    self.push(&format!("{pointer}/items/$ref"), "v3 and v4 differ");
                }
            }
            _ => {}
        }
    }
}

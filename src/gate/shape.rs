//! Layer 1: the closed contract.
//!
//! One rule: what the compiled tables do not name is refused. Nothing here is wider than the schema;
//! it is narrower where the schema cannot say it: no JSON escapes in keys and strings (our encoder
//! never writes one, so an escape is somebody else's spelling), integers up to [`MAX_COUNT`] (where our
//! encoder saturates), no `..` in client names, no product name that is no name of a file; with `own`, the
//! version that is sent, the order and the compactness of our encoder.

use crate::contract::table::{Member, Node, Text};
use crate::contract::{self, MAX_COUNT, SCHEMA_VERSION, client_name};
use crate::json::{Data, Value};

use super::leaks::LeakKind;
use super::{Own, Refusal, RefusalRule, product};

/// Judges a free string.
pub(super) type Scan<'a> = &'a dyn Fn(&str) -> Option<LeakKind>;

/// Compares `value` with the version of the contract that it names.
pub(super) fn check(value: &Value<'_>, own: Option<&Own>, scan: Scan<'_>) -> Result<(), Refusal> {
    let root = named_contract(value, own.is_some(), None)?;
    Walk { own, scan, passing: None }.node(root, value, &Place::Root)
}

/// What passes though the contract does not know it, and how often it did: where nothing of it is kept.
pub(super) trait Passing {
    /// A version after those of the contract; whether it passes as the newest of them.
    fn version(&self, version: u64) -> bool;
    /// A member that is not one of the contract.
    fn member(&self) -> bool;
    /// A text that is not one of an enum's.
    fn value(&self) -> bool;
    /// A code that is not in the catalog.
    fn code(&self) -> bool;
}

/// As [`check`], for a reader that keeps nothing of what is `passing`.
#[cfg(feature = "collector")]
pub(super) fn check_passing(
    value: &Value<'_>,
    scan: Scan<'_>,
    passing: &dyn Passing,
) -> Result<(), Refusal> {
    let root = named_contract(value, false, Some(passing))?;
    Walk { own: None, scan, passing: Some(passing) }.node(root, value, &Place::Root)
}

/// The contract that `schema_version` names; what is about to be sent has only one.
fn named_contract(
    value: &Value<'_>,
    sent: bool,
    passing: Option<&dyn Passing>,
) -> Result<&'static Node, Refusal> {
    if !matches!(value.data, Data::Object(_)) {
        return Err(Place::Root.refusal("not an object"));
    }
    let at = Place::Member(&Place::Root, "schema_version");
    let Some(version) = value.get("schema_version") else {
        return Err(at.refusal("required, but missing"));
    };
    let version = match version.data {
        Data::Number(text) => text.parse().ok(),
        _ => None,
    };
    let later = |version| {
        let passing = passing.filter(|_| cfg!(feature = "collector"))?;
        let is_later = version > SCHEMA_VERSION && passing.version(version);
        is_later.then(|| contract::schema(SCHEMA_VERSION)).flatten()
    };
    let named = version.and_then(|version| contract::schema(version).or_else(|| later(version)));
    match named {
        Some(schema) if !sent || schema.version == SCHEMA_VERSION => Ok(schema.root),
        _ if sent => Err(at.refusal(format!("not the integer {SCHEMA_VERSION}"))),
        _ => Err(at.refusal("not the version of a known contract")),
    }
}

struct Walk<'a> {
    own: Option<&'a Own>,
    scan: Scan<'a>,
    /// `None` where the contract is closed: on a client, always.
    passing: Option<&'a dyn Passing>,
}

/// Where the walk is. A link of a list that lives on the stack: a pointer is written only when
/// something is refused.
enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'static str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn pointer(&self) -> String {
        match self {
            Place::Root => String::new(),
            Place::Member(parent, name) => {
                parent.pointer() + "/" + &name.replace('~', "~0").replace('/', "~1")
            }
            Place::Item(parent, index) => parent.pointer() + "/" + &index.to_string(),
        }
    }

    fn refusal(&self, detail: impl Into<String>) -> Refusal {
        Refusal { rule: RefusalRule::Shape, field: self.pointer(), detail: detail.into() }
    }

    fn refuse(&self, detail: impl Into<String>) -> Result<(), Refusal> {
        Err(self.refusal(detail))
    }

    fn refuse_by(&self, rule: RefusalRule, detail: impl Into<String>) -> Result<(), Refusal> {
        Err(Refusal { rule, ..self.refusal(detail) })
    }
}

impl Walk<'_> {
    /// Whether something unknown passes.
    fn passes(&self, asked: impl FnOnce(&dyn Passing) -> bool) -> bool {
        // A build without a collector has none of it.
        cfg!(feature = "collector") && self.passing.is_some_and(asked)
    }

    fn node(&self, node: &Node, value: &Value<'_>, at: &Place<'_>) -> Result<(), Refusal> {
        match node {
            Node::Object(members) => self.object(members, value, at),
            Node::Enum(spellings) => match plain_text(value, at) {
                Ok(text) if spellings.contains(&text) => Ok(()),
                _ if value.as_str().is_some_and(|text| !spellings.contains(&text))
                    && self.passes(|passing| passing.value()) =>
                {
                    Ok(())
                }
                Ok(_) => at.refuse("not one of the values of the contract"),
                Err(refusal) => Err(refusal),
            },
            Node::ConstInteger(expected) => match value.data {
                Data::Number(text) if text.parse() == Ok(*expected) => Ok(()),
                // The only one is the version, which chose the contract.
                Data::Number(text)
                    if self.passes(|passing| text.parse().is_ok_and(|is| passing.version(is))) =>
                {
                    Ok(())
                }
                _ => at.refuse(format!("not the integer {expected}")),
            },
            Node::Boolean => match value.data {
                Data::Bool(_) => Ok(()),
                _ => at.refuse("not a boolean"),
            },
            Node::NullableBoolean => match value.data {
                Data::Bool(_) | Data::Null => Ok(()),
                _ => at.refuse("neither a boolean nor null"),
            },
            Node::Count => count(value, MAX_COUNT, at),
            Node::UpTo(most) => count(value, *most, at),
            Node::Counts { keys, most } => self.counts(keys, *most, value, at),
            Node::Text(shape) => self.text(*shape, value, at),
            Node::List { max_items, item } => self.list(*max_items, *item, value, at),
        }
    }

    fn object(
        &self,
        members: &'static [Member],
        value: &Value<'_>,
        at: &Place<'_>,
    ) -> Result<(), Refusal> {
        let Data::Object(found) = &value.data else { return at.refuse("not an object") };
        let mut required_found = 0;
        let mut expected = 0;
        for (position, member) in found.iter().enumerate() {
            // Our own payloads come in the order of the contract: mostly the next one is the one.
            let known = (expected..members.len())
                .chain(0..expected)
                .find(|&index| members[index].name == member.key);
            let Some(index) = known else {
                if self.passes(|passing| passing.member()) {
                    continue;
                }
                return at.refuse(format!("unknown member at position {}", position + 1));
            };
            if self.own.is_some() && index < expected {
                return Place::Member(at, members[index].name)
                    .refuse("not in the order of the contract");
            }
            expected = index + 1;
            let known = &members[index];
            let here = Place::Member(at, known.name);
            if member.key_span.len() != known.name.len() + 2 {
                return here.refuse("its key is spelled with escapes");
            }
            required_found += usize::from(known.required);
            self.node(&known.node, &member.value, &here)?;
        }
        if required_found < members.iter().filter(|member| member.required).count() {
            let absent = |member: &&Member| {
                member.required && !found.iter().any(|given| given.key == member.name)
            };
            if let Some(missing) = members.iter().find(absent) {
                return Place::Member(at, missing.name).refuse("required, but missing");
            }
        }
        Ok(())
    }

    /// An object of counts: any of `keys`, but not more than `most` of them.
    fn counts(
        &self,
        keys: &'static [&'static str],
        most: usize,
        value: &Value<'_>,
        at: &Place<'_>,
    ) -> Result<(), Refusal> {
        let Data::Object(found) = &value.data else { return at.refuse("not an object") };
        if found.len() > most {
            return at.refuse(format!("more than {most} members"));
        }
        let mut expected = 0;
        for (position, member) in found.iter().enumerate() {
            let Ok(index) = keys.binary_search(&member.key.as_ref()) else {
                if self.passes(|passing| passing.code()) {
                    count(&member.value, MAX_COUNT, at)?;
                    continue;
                }
                return at.refuse(format!("unknown member at position {}", position + 1));
            };
            let here = Place::Member(at, keys[index]);
            if self.own.is_some() && index < expected {
                return here.refuse("not in the order of the contract");
            }
            expected = index + 1;
            if member.key_span.len() != keys[index].len() + 2 {
                return here.refuse("its key is spelled with escapes");
            }
            count(&member.value, MAX_COUNT, &here)?;
        }
        Ok(())
    }

    fn list(
        &self,
        max_items: usize,
        shape: Text,
        value: &Value<'_>,
        at: &Place<'_>,
    ) -> Result<(), Refusal> {
        let Data::Array(items) = &value.data else { return at.refuse("not an array") };
        if items.len() > max_items {
            return at.refuse(format!("more than {max_items} items"));
        }
        for (index, item) in items.iter().enumerate() {
            let here = Place::Item(at, index);
            self.text(shape, item, &here)?;
            if items.iter().take(index).any(|earlier| earlier.as_str() == item.as_str()) {
                return here.refuse("repeats an earlier item");
            }
        }
        Ok(())
    }

    fn text(&self, shape: Text, value: &Value<'_>, at: &Place<'_>) -> Result<(), Refusal> {
        if shape == Text::ClientName {
            return self.client_name(value, at);
        }
        let text = plain_text(value, at)?;
        if !shape.matches(text) {
            return at.refuse(match shape {
                Text::Uuid => "not a UUID",
                Text::Version => "not a release version",
                Text::OptionalVersion => "neither empty nor a release version",
                Text::Timestamp => "not a UTC time of whole seconds",
                Text::ClientName => "not a canonical client name",
                Text::Day => "not midnight of a UTC day",
                Text::ProductName => "not the name of a product",
                Text::ProductVersion => "not the version of a product",
            });
        }
        let leak = match shape {
            Text::ProductName => product::leak_in_name(text),
            Text::ProductVersion => product::leak_in_version(text),
            _ => None,
        };
        if let Some(kind) = leak {
            return at.refuse_by(RefusalRule::Leak, kind.to_string());
        }
        match self.own {
            Some(own) if trusted(own, at) != Some(text) => {
                at.refuse("not the value that this install vouches for")
            }
            _ => Ok(()),
        }
    }

    /// The only string of the contract that another program chooses. What it decodes to is scanned before its spelling is
    /// judged, so that an escaped secret is reported as what it is.
    fn client_name(&self, value: &Value<'_>, at: &Place<'_>) -> Result<(), Refusal> {
        let Some(text) = value.as_str() else { return at.refuse("not a string") };
        if !client_name::is_canonical(text) {
            return at.refuse("not a canonical client name");
        }
        if !client_name::is_known(text)
            && let Some(kind) = (self.scan)(text)
        {
            return at.refuse_by(RefusalRule::Leak, kind.to_string());
        }
        plain_text(value, at).map(drop)
    }
}

/// The text of a string that is spelled without escapes.
fn plain_text<'v>(value: &'v Value<'_>, at: &Place<'_>) -> Result<&'v str, Refusal> {
    match value.as_str() {
        None => Err(at.refusal("not a string")),
        Some(text) if value.span.len() != text.len() + 2 => Err(at.refusal("spelled with escapes")),
        Some(text) => Ok(text),
    }
}

/// An integer from 0 to `most` as our encoder writes it.
fn count(value: &Value<'_>, most: u64, at: &Place<'_>) -> Result<(), Refusal> {
    match value.data {
        Data::Number(text) if !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            at.refuse("not an integer >= 0 spelled with digits only")
        }
        Data::Number(text) => match text.parse::<u64>() {
            Ok(number) if number <= most => Ok(()),
            _ if most < MAX_COUNT => at.refuse(format!("more than {most}")),
            _ => at.refuse("more than any counter holds"),
        },
        _ => at.refuse("not a number"),
    }
}

/// What the string at this place must be. A place without a trusted value is refused: a new member
/// of such a shape has to be added here.
fn trusted<'o>(own: &'o Own, at: &Place<'_>) -> Option<&'o str> {
    let Place::Member(parent, name) = at else { return None };
    match (parent, *name) {
        (Place::Root, name) => trusted_member(own, name),
        (Place::Member(Place::Root, "product"), "name") => Some(&own.product.name),
        (Place::Member(Place::Root, "product"), "version") => Some(&own.product.version),
        _ => None,
    }
}

fn trusted_member<'o>(own: &'o Own, name: &str) -> Option<&'o str> {
    match name {
        "anonymous_id" => Some(&own.anonymous_id),
        "anonymous_id_created_at" => Some(&own.anonymous_id_created_at),
        "version" | "current_version" => Some(&own.version),
        "previous_version" => own.previous_version.as_deref(),
        "timestamp" => Some(&own.timestamp),
        _ => None,
    }
}

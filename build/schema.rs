//! Reads the schema into a [`Contract`].
//!
//! One rule: what is not understood completely is refused.

use crate::json::{self, Data, Value};

/// The string shapes: the name under `$defs` and the variant of `Text` that implements it.
pub const SHAPES: [(&str, &str); 5] = [
    ("uuid", "Uuid"),
    ("version", "Version"),
    ("optional_version", "OptionalVersion"),
    ("timestamp", "Timestamp"),
    ("client_name", "ClientName"),
];

/// What is wrong with the schema, and where.
pub struct Problem {
    /// JSON pointer.
    pub pointer: String,
    /// Byte offset in the schema.
    pub at: usize,
    pub what: String,
}

fn problem<T>(value: &Value<'_>, pointer: &str, what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { pointer: pointer.to_owned(), at: value.span.start, what: what.into() })
}

/// `text` as a message shows it.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    json::write_str(&mut out, text);
    out
}

/// What the schema says.
pub struct Contract {
    pub members: Vec<Member>,
    /// Name under `$defs`, pattern; in the order of [`SHAPES`].
    pub patterns: Vec<(String, String)>,
}

pub struct Member {
    pub name: String,
    pub pointer: String,
    pub required: bool,
    pub description: String,
    pub shape: Shape,
}

pub enum Shape {
    Object(Vec<Member>),
    Enum(Vec<String>),
    ConstInteger(u64),
    Boolean,
    NullableBoolean,
    Count,
    Text(&'static str),
    List { max_items: u64, item: &'static str },
}

const OBJECT: &[&str] = &["description", "type", "additionalProperties", "required", "properties"];

impl Contract {
    pub fn read(schema: &Value<'_>) -> Result<Contract, Problem> {
        const HEAD: [&str; 4] = ["$schema", "$id", "title", "$defs"];
        keywords(schema, "", &[OBJECT, &HEAD].concat())?;
        let dialect = text(schema, "", "$schema")?;
        if dialect != "https://json-schema.org/draft/2020-12/schema" {
            return problem(schema, "/$schema", "must name JSON Schema 2020-12");
        }
        let patterns = patterns(schema)?;
        Ok(Contract { members: object(schema, "")?, patterns })
    }
}

/// Refuses every keyword that is not in `known`.
fn keywords(value: &Value<'_>, pointer: &str, known: &[&str]) -> Result<(), Problem> {
    let Some(members) = value.members() else {
        return problem(value, pointer, "must be an object");
    };
    match members.iter().find(|m| !known.contains(&m.key.as_ref())) {
        None => Ok(()),
        Some(m) => problem(
            &m.value,
            &format!("{pointer}/{}", m.key.replace('~', "~0").replace('/', "~1")),
            format!("the keyword {} is not implemented here by build.rs", quoted(&m.key)),
        ),
    }
}

fn text<'a>(value: &'a Value<'_>, pointer: &str, key: &str) -> Result<&'a str, Problem> {
    match value.get(key).and_then(Value::as_str) {
        Some(text) if !text.is_empty() && !text.contains('\n') => Ok(text),
        _ => problem(value, &format!("{pointer}/{key}"), "must be a string of one line"),
    }
}

fn strings(value: &Value<'_>, pointer: &str) -> Result<Vec<String>, Problem> {
    let mut texts: Vec<String> = Vec::new();
    for (i, item) in value.items().unwrap_or_default().iter().enumerate() {
        match item.as_str() {
            Some(text) if !texts.iter().any(|t| t == text) => texts.push(text.to_owned()),
            _ => return problem(item, &format!("{pointer}/{i}"), "must be a string, named once"),
        }
    }
    if texts.is_empty() { problem(value, pointer, "must name at least one") } else { Ok(texts) }
}

fn patterns(schema: &Value<'_>) -> Result<Vec<(String, String)>, Problem> {
    let Some(defs) = schema.get("$defs") else {
        return problem(schema, "/$defs", "is missing");
    };
    let names: Vec<&str> = SHAPES.iter().map(|(name, _)| *name).collect();
    keywords(defs, "/$defs", &names)?;
    let mut patterns = Vec::new();
    for name in names {
        let pointer = format!("/$defs/{name}");
        let Some(def) = defs.get(name) else { return problem(defs, &pointer, "is missing") };
        keywords(def, &pointer, &["description", "type", "pattern"])?;
        text(def, &pointer, "description")?;
        if def.get("type").and_then(Value::as_str) != Some("string") {
            return problem(def, &format!("{pointer}/type"), "must be \"string\"");
        }
        let pattern = text(def, &pointer, "pattern")?;
        if !(pattern.starts_with('^') && pattern.ends_with('$')) {
            let what = "must begin with ^ and end with $: it shall pin the whole string";
            return problem(def, &format!("{pointer}/pattern"), what);
        }
        patterns.push((name.to_owned(), pattern.to_owned()));
    }
    Ok(patterns)
}

fn object(value: &Value<'_>, pointer: &str) -> Result<Vec<Member>, Problem> {
    if value.get("type").and_then(Value::as_str) != Some("object") {
        return problem(value, &format!("{pointer}/type"), "must be \"object\"");
    }
    if value.get("additionalProperties").and_then(Value::as_bool) != Some(false) {
        let what = "must be false: every object of the contract is closed";
        return problem(value, &format!("{pointer}/additionalProperties"), what);
    }
    let Some(properties) = value.get("properties").and_then(Value::members) else {
        return problem(value, &format!("{pointer}/properties"), "must be an object");
    };
    let mut required = match value.get("required") {
        Some(list) => strings(list, &format!("{pointer}/required"))?,
        None => return problem(value, &format!("{pointer}/required"), "is missing"),
    };
    let mut members = Vec::new();
    for property in properties {
        let (name, value) = (property.key.as_ref(), &property.value);
        let pointer = format!("{pointer}/properties/{name}");
        let spelled = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(spelled) {
            return problem(value, &pointer, "must be spelled in lower case, digits and _");
        }
        let shape = shape(value, &pointer)?;
        members.push(Member {
            name: name.to_owned(),
            required: required.iter().any(|r| r == name),
            description: text(value, &pointer, "description")?.to_owned(),
            shape,
            pointer,
        });
        required.retain(|r| r != name);
    }
    match required.first() {
        None => Ok(members),
        Some(name) => problem(
            value,
            &format!("{pointer}/required"),
            format!("names {}, which is not in {pointer}/properties", quoted(name)),
        ),
    }
}

fn shape(value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
    if value.get("$ref").is_some() {
        keywords(value, pointer, &["description", "$ref"])?;
        return Ok(Shape::Text(reference(value, pointer)?));
    }
    if let Some(spellings) = value.get("enum") {
        keywords(value, pointer, &["description", "type", "enum"])?;
        if text(value, pointer, "type")? != "string" {
            return problem(value, &format!("{pointer}/type"), "must be \"string\" for an enum");
        }
        return Ok(Shape::Enum(strings(spellings, &format!("{pointer}/enum"))?));
    }
    match value.get("type").map(|t| &t.data) {
        Some(Data::String(kind)) => match kind.as_ref() {
            "object" => {
                keywords(value, pointer, OBJECT)?;
                Ok(Shape::Object(object(value, pointer)?))
            }
            "array" => list(value, pointer),
            "boolean" => {
                keywords(value, pointer, &["description", "type"])?;
                Ok(Shape::Boolean)
            }
            "integer" => integer(value, pointer),
            "string" => {
                let what = "a string needs an enum, or a $ref to a shape of $defs: free text is \
                            never sent";
                problem(value, &format!("{pointer}/type"), what)
            }
            _ => problem(value, &format!("{pointer}/type"), "is not implemented by build.rs"),
        },
        Some(Data::Array(kinds))
            if kinds.iter().filter_map(Value::as_str).eq(["boolean", "null"]) =>
        {
            keywords(value, pointer, &["description", "type"])?;
            Ok(Shape::NullableBoolean)
        }
        _ => problem(value, &format!("{pointer}/type"), "is not implemented by build.rs"),
    }
}

fn reference(value: &Value<'_>, pointer: &str) -> Result<&'static str, Problem> {
    let target = text(value, pointer, "$ref")?;
    match SHAPES.iter().find(|(name, _)| target.strip_prefix("#/$defs/") == Some(name)) {
        Some((_, variant)) => Ok(variant),
        None => problem(
            value,
            &format!("{pointer}/$ref"),
            format!("{} is no string shape of $defs", quoted(target)),
        ),
    }
}

fn list(value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
    keywords(value, pointer, &["description", "type", "items", "maxItems", "uniqueItems"])?;
    if value.get("uniqueItems").and_then(Value::as_bool) != Some(true) {
        return problem(value, &format!("{pointer}/uniqueItems"), "must be true");
    }
    let Some(max_items) = value.get("maxItems").and_then(Value::as_u64) else {
        return problem(value, &format!("{pointer}/maxItems"), "must be an integer >= 0");
    };
    let items = format!("{pointer}/items");
    let Some(item) = value.get("items") else { return problem(value, &items, "is missing") };
    keywords(item, &items, &["$ref"])?;
    Ok(Shape::List { max_items, item: reference(item, &items)? })
}

fn integer(value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
    if let Some(constant) = value.get("const") {
        keywords(value, pointer, &["description", "type", "const"])?;
        return match constant.as_u64() {
            Some(constant) => Ok(Shape::ConstInteger(constant)),
            None => problem(value, &format!("{pointer}/const"), "must be an integer >= 0"),
        };
    }
    keywords(value, pointer, &["description", "type", "minimum"])?;
    match value.get("minimum").and_then(Value::as_u64) {
        Some(0) => Ok(Shape::Count),
        _ => problem(value, &format!("{pointer}/minimum"), "must be 0: integers are counts"),
    }
}

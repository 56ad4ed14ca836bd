//! Reads the schema into a [`Contract`].
//!
//! One rule: what is not understood completely is refused.

use crate::json::{self, Data, Value};

/// The string shapes: the name under `$defs` and the variant of `Text` that implements it.
pub const SHAPES: [(&str, &str); 8] = [
    ("uuid", "Uuid"),
    ("version", "Version"),
    ("optional_version", "OptionalVersion"),
    ("timestamp", "Timestamp"),
    ("client_name", "ClientName"),
    ("day", "Day"),
    ("product_name", "ProductName"),
    ("product_version", "ProductVersion"),
];

/// The closed catalog of codes under `$defs`, and the object of counts whose keys they are.
const CODES: &str = "diagnostic_code";
const CODE_COUNTS: &str = "code_counts";

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
    /// Name under `$defs`, variant, pattern: those that the schema has, in the order of [`SHAPES`].
    pub patterns: Vec<Pattern>,
    /// The codes, sorted; none in a contract without diagnostics.
    pub codes: Vec<String>,
}

pub struct Pattern {
    pub name: &'static str,
    pub variant: &'static str,
    pub pattern: String,
}

pub struct Member {
    pub name: String,
    pub pointer: String,
    pub required: bool,
    pub shape: Shape,
}

pub enum Shape {
    Object(Vec<Member>),
    Enum(Vec<String>),
    ConstInteger(u64),
    Boolean,
    NullableBoolean,
    Count,
    UpTo(u64),
    Text(&'static str),
    /// One of the codes of the contract.
    Code,
    /// Counts by code, at most so many.
    CodeCounts(u64),
    List {
        max_items: u64,
        item: &'static str,
    },
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
        let Some(defs) = schema.get("$defs") else {
            return problem(schema, "/$defs", "is missing");
        };
        let shapes = SHAPES.iter().map(|(name, _)| *name);
        keywords(defs, "/$defs", &shapes.chain([CODES, CODE_COUNTS]).collect::<Vec<_>>())?;
        let codes = codes(defs)?;
        let most_codes = code_counts(defs, &codes)?;
        let members = Reader { defs, most_codes }.object(schema, "")?;
        Ok(Contract { members, patterns: patterns(defs)?, codes })
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

fn patterns(defs: &Value<'_>) -> Result<Vec<Pattern>, Problem> {
    let mut patterns = Vec::new();
    for (name, variant) in SHAPES {
        let Some(def) = defs.get(name) else { continue };
        let pointer = format!("/$defs/{name}");
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
        patterns.push(Pattern { name, variant, pattern: pattern.to_owned() });
    }
    Ok(patterns)
}

/// The closed catalog; sorted, because the encoder writes keys in this order.
fn codes(defs: &Value<'_>) -> Result<Vec<String>, Problem> {
    let Some(def) = defs.get(CODES) else { return Ok(Vec::new()) };
    let pointer = format!("/$defs/{CODES}");
    text(def, &pointer, "description")?;
    let Shape::Enum(codes) = enumeration(def, &pointer)? else {
        return problem(def, &format!("{pointer}/enum"), "is missing");
    };
    match codes.iter().zip(codes.iter().skip(1)).position(|(code, next)| code > next) {
        None => Ok(codes),
        Some(at) => problem(def, &format!("{pointer}/enum/{}", at + 1), "must be sorted"),
    }
}

/// How many codes one object of counts may have; its keys are the codes, all of them in their order.
fn code_counts(defs: &Value<'_>, codes: &[String]) -> Result<Option<u64>, Problem> {
    let Some(def) = defs.get(CODE_COUNTS) else { return Ok(None) };
    let pointer = format!("/$defs/{CODE_COUNTS}");
    let known = ["description", "type", "additionalProperties", "maxProperties", "properties"];
    keywords(def, &pointer, &known)?;
    text(def, &pointer, "description")?;
    closed(def, &pointer)?;
    let Some(most) = def.get("maxProperties").and_then(Value::as_u64) else {
        return problem(def, &format!("{pointer}/maxProperties"), "must be an integer >= 0");
    };
    let properties = def.get("properties").and_then(Value::members).unwrap_or_default();
    for (i, code) in codes.iter().enumerate() {
        let pointer = format!("{pointer}/properties/{code}");
        let Some(property) = properties.get(i).filter(|property| property.key == *code) else {
            let what = format!("must stand at position {}, as in /$defs/{CODES}/enum", i + 1);
            return problem(def, &pointer, what);
        };
        keywords(&property.value, &pointer, &["type", "minimum"])?;
        let Shape::Count = integer(&property.value, &pointer)? else {
            return problem(&property.value, &pointer, "must be a count");
        };
    }
    match properties.get(codes.len()) {
        None => Ok(Some(most)),
        Some(more) => problem(
            &more.value,
            &format!("{pointer}/properties/{}", more.key),
            format!("is not in /$defs/{CODES}/enum"),
        ),
    }
}

/// Refuses an object that is not closed.
fn closed(value: &Value<'_>, pointer: &str) -> Result<(), Problem> {
    if value.get("type").and_then(Value::as_str) != Some("object") {
        return problem(value, &format!("{pointer}/type"), "must be \"object\"");
    }
    if value.get("additionalProperties").and_then(Value::as_bool) != Some(false) {
        let what = "must be false: every object of the contract is closed";
        return problem(value, &format!("{pointer}/additionalProperties"), what);
    }
    Ok(())
}

fn enumeration(value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
    keywords(value, pointer, &["description", "type", "enum"])?;
    if text(value, pointer, "type")? != "string" {
        return problem(value, &format!("{pointer}/type"), "must be \"string\" for an enum");
    }
    let pointer = format!("{pointer}/enum");
    match value.get("enum") {
        Some(spellings) => Ok(Shape::Enum(strings(spellings, &pointer)?)),
        None => problem(value, &pointer, "is missing"),
    }
}

/// Reads members, whose `$ref`s lead to `defs`.
struct Reader<'a> {
    defs: &'a Value<'a>,
    /// `maxProperties` of [`CODE_COUNTS`].
    most_codes: Option<u64>,
}

impl Reader<'_> {
    fn object(&self, value: &Value<'_>, pointer: &str) -> Result<Vec<Member>, Problem> {
        closed(value, pointer)?;
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
            let shape = self.shape(value, &pointer)?;
            // For people: docs/payload.md is made of the descriptions, the program needs none.
            text(value, &pointer, "description")?;
            members.push(Member {
                name: name.to_owned(),
                required: required.iter().any(|r| r == name),
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

    fn shape(&self, value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
        if value.get("$ref").is_some() {
            keywords(value, pointer, &["description", "$ref"])?;
            return self.reference(value, pointer);
        }
        if value.get("enum").is_some() {
            return enumeration(value, pointer);
        }
        match value.get("type").map(|t| &t.data) {
            Some(Data::String(kind)) => match kind.as_ref() {
                "object" => {
                    keywords(value, pointer, OBJECT)?;
                    Ok(Shape::Object(self.object(value, pointer)?))
                }
                "array" => self.list(value, pointer),
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

    fn reference(&self, value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
        let target = text(value, pointer, "$ref")?;
        let name = target.strip_prefix("#/$defs/").filter(|name| self.defs.get(name).is_some());
        let shape = match (name, self.most_codes) {
            (Some(CODES), _) => Some(Shape::Code),
            (Some(CODE_COUNTS), Some(most)) => Some(Shape::CodeCounts(most)),
            (Some(name), _) => SHAPES
                .iter()
                .find(|(shape, _)| *shape == name)
                .map(|(_, variant)| Shape::Text(variant)),
            (None, _) => None,
        };
        match shape {
            Some(shape) => Ok(shape),
            None => problem(
                value,
                &format!("{pointer}/$ref"),
                format!("{} is no shape of $defs", quoted(target)),
            ),
        }
    }

    fn list(&self, value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
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
        match self.reference(item, &items)? {
            Shape::Text(item) => Ok(Shape::List { max_items, item }),
            _ => problem(item, &format!("{items}/$ref"), "must be a string with a pattern"),
        }
    }
}

fn integer(value: &Value<'_>, pointer: &str) -> Result<Shape, Problem> {
    if let Some(constant) = value.get("const") {
        keywords(value, pointer, &["description", "type", "const"])?;
        return match constant.as_u64() {
            Some(constant) => Ok(Shape::ConstInteger(constant)),
            None => problem(value, &format!("{pointer}/const"), "must be an integer >= 0"),
        };
    }
    keywords(value, pointer, &["description", "type", "minimum", "maximum"])?;
    if value.get("minimum").and_then(Value::as_u64) != Some(0) {
        return problem(value, &format!("{pointer}/minimum"), "must be 0: integers are counts");
    }
    match value.get("maximum").map(Value::as_u64) {
        None => Ok(Shape::Count),
        Some(Some(most)) => Ok(Shape::UpTo(most)),
        Some(None) => problem(value, &format!("{pointer}/maximum"), "must be an integer >= 0"),
    }
}

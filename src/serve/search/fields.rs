//! What of a tool is searched, in fields that count differently, up to a bound.

use super::ToolText;
use serde_json::{Map, Value};

/// Bytes of a server's name, a tool's name, and a title that are searched, each.
pub const NAME_BOUND: usize = 256;
/// Bytes of a description that are searched.
pub const DESCRIPTION_BOUND: usize = 8 * 1024;
/// Bytes of all parameters' names and descriptions together that are searched.
pub const PARAMETERS_BOUND: usize = 8 * 1024;
/// Schemas of one tool that are visited, and how deep.
const SCHEMAS: usize = 512;
const DEPTH: usize = 6;
/// The first sentence of a description says what the tool does; the rest says how.
const LEAD_BOUND: usize = 256;

/// The fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Server,
    Name,
    Title,
    Lead,
    Description,
    ParameterName,
    ParameterText,
}

/// How many there are.
pub const FIELDS: usize = 7;

/// Calls `each` with the texts of `tool`. Its schema is read for that, and only then.
pub fn read(tool: &ToolText<'_>, mut each: impl FnMut(Field, &str)) {
    each(Field::Server, bounded(tool.server, NAME_BOUND));
    each(Field::Name, bounded(tool.name, NAME_BOUND));
    each(Field::Title, bounded(tool.title.unwrap_or_default(), NAME_BOUND));
    let description = bounded(tool.description.unwrap_or_default(), DESCRIPTION_BOUND);
    let (lead, rest) = lead(description.trim_start());
    each(Field::Lead, lead);
    each(Field::Description, rest);
    let mut parameters = Parameters { each, bytes: PARAMETERS_BOUND, schemas: SCHEMAS };
    if let Ok(Value::Object(schema)) = serde_json::from_str(tool.input_schema) {
        parameters.properties(&schema, DEPTH);
    }
}

/// The first sentence, and what follows it.
fn lead(description: &str) -> (&str, &str) {
    let first = bounded(description, LEAD_BOUND);
    let end = first.find(". ").into_iter().chain(first.find('\n')).min();
    description.split_at(end.unwrap_or(first.len()))
}

/// The beginning of `text`, at most `bound` bytes, in whole characters.
pub fn bounded(text: &str, bound: usize) -> &str {
    let mut end = text.len().min(bound);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Walks a schema for names and descriptions of parameters.
struct Parameters<F> {
    each: F,
    /// What may still be read.
    bytes: usize,
    schemas: usize,
}

impl<F: FnMut(Field, &str)> Parameters<F> {
    fn text(&mut self, field: Field, text: &str) {
        let text = bounded(text, self.bytes);
        self.bytes -= text.len();
        (self.each)(field, text);
    }

    fn properties(&mut self, schema: &Map<String, Value>, depth: usize) {
        let Some(Value::Object(properties)) = schema.get("properties") else { return };
        for (name, property) in properties {
            if self.bytes == 0 || self.schemas == 0 {
                return;
            }
            self.text(Field::ParameterName, name);
            self.schema(property, depth);
        }
    }

    fn schema(&mut self, schema: &Value, depth: usize) {
        let Value::Object(schema) = schema else { return };
        if depth == 0 || self.schemas == 0 {
            return;
        }
        self.schemas -= 1;
        if let Some(Value::String(description)) = schema.get("description") {
            self.text(Field::ParameterText, description);
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            for value in values.iter().filter_map(Value::as_str) {
                if self.bytes == 0 {
                    return;
                }
                self.text(Field::ParameterText, value);
            }
        }
        self.properties(schema, depth - 1);
        match schema.get("items") {
            // One schema for each position: an older draft.
            Some(Value::Array(items)) => self.each_of(items, depth),
            Some(items) => self.schema(items, depth - 1),
            None => {}
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            if let Some(Value::Array(choices)) = schema.get(choice) {
                self.each_of(choices, depth);
            }
        }
    }

    fn each_of(&mut self, schemas: &[Value], depth: usize) {
        for schema in schemas {
            if self.schemas == 0 {
                return;
            }
            self.schema(schema, depth - 1);
        }
    }
}

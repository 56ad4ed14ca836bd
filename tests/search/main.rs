//! The tool search: what it promises, and how often it is right about real tools.

mod promises;
mod relevance;

use mcpproxy::serve::search::{SearchIndex, ToolText};

/// A tool with its texts.
#[derive(Clone, Debug, Default)]
struct Tool {
    server: String,
    name: String,
    title: Option<String>,
    description: Option<String>,
    /// JSON.
    input_schema: String,
}

impl Tool {
    fn new(server: &str, name: &str, description: &str) -> Self {
        let description = Some(description.to_owned());
        Self { server: server.to_owned(), name: name.to_owned(), description, ..Self::default() }
    }

    fn text(&self) -> ToolText<'_> {
        ToolText {
            server: &self.server,
            name: &self.name,
            title: self.title.as_deref(),
            description: self.description.as_deref(),
            input_schema: &self.input_schema,
        }
    }
}

/// `server:tool` of the tools that `index` finds.
fn found(index: &SearchIndex, tools: &[Tool], query: &str, limit: usize) -> Vec<String> {
    let hits = index.search(query, limit).into_iter().map(|hit| &tools[hit.position]);
    hits.map(|tool| format!("{}:{}", tool.server, tool.name)).collect()
}

fn index(tools: &[Tool]) -> SearchIndex {
    SearchIndex::new(tools.iter().map(Tool::text))
}

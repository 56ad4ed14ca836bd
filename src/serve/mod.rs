//! The gateway: many MCP servers behind one, its status API and its page.

pub mod search;

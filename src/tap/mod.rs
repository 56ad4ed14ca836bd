//! `tap`: a transparent wrapper around one stdio MCP server.

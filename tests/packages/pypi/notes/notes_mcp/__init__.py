"""A maintainer's package: each entry point is one line. The endpoint is the collector of a test."""

import os

import mcpproxy_tap

TOLD = {
    "product": "notes-mcp",
    "version": "1.4.0",
    "endpoint": os.environ.get("NOTES_MCP_ENDPOINT", "http://127.0.0.1:9"),
}


def main():
    """A server on the Python SDK."""
    mcpproxy_tap.run("notes_mcp.server", **TOLD)


def fast():
    """A server on fastmcp, started by its function."""
    mcpproxy_tap.run("notes_mcp.fast:main", **TOLD)


def facts():
    """What is no MCP server, but says how it was started."""
    mcpproxy_tap.run("notes_mcp.facts", **TOLD)


def function():
    """The same by its function."""
    mcpproxy_tap.run("notes_mcp.facts:main", **TOLD)

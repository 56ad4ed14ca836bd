"""An MCP server on the Python SDK."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("notes")
notes = []


@server.tool()
def add_note(text: str) -> str:
    """Keeps a note."""
    notes.append(text)
    return f"noted: {text}"


if __name__ == "__main__":
    server.run()

"""An MCP server on fastmcp."""

from fastmcp import FastMCP

server = FastMCP("notes")


@server.tool
def add_note(text: str) -> str:
    """Keeps a note."""
    return f"noted: {text}"


def main():
    server.run(show_banner=False)

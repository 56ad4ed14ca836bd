"""A FastMCP server with a discovery tool, as gateways offer it: out of an index of 120 tools
`retrieve_tools` answers with the few that match, and says how many there are in the index. The same
object comes as `structuredContent` and as the text block (FastMCP sends both)."""

from fastmcp import FastMCP

INDEXED = 120

server = FastMCP("tool-index")


@server.tool
def retrieve_tools(query: str, limit: int = 5) -> dict:
    """Find the tools that fit the query."""
    tools = [{"name": f"{query}_{number}", "score": 1.0 / number} for number in range(1, limit + 1)]
    return {"tools": tools, "total": len(tools), "total_indexed_tools": INDEXED}


@server.tool
def shout(text: str) -> str:
    """An ordinary tool: answers in capitals."""
    return text.upper()


if __name__ == "__main__":
    server.run(show_banner=False)

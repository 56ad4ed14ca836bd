"""An MCP server over streamable HTTP on fastmcp, counted by ``mcpproxy record``. Prints its address.

    python over_http.py ENDPOINT
"""

import socket
import sys
import threading

from fastmcp import FastMCP
from fastmcp.server.middleware import Middleware
from mcpproxy_tap.record import Recorder

recorder = Recorder(product="notes-mcp", version="1.4.0", endpoint=sys.argv[1])
TOOLS = ["add_note", "list_notes", "find_note"]


class Counted(Middleware):
    """This server listens on loopback: every client is local."""

    def __init__(self):
        self.session = recorder.session(local=True)

    async def on_initialize(self, context, call_next):
        params = getattr(context.message, "params", context.message)
        info = getattr(params, "client_info", None) or getattr(params, "clientInfo", None)
        self.session.client_seen(info.name if info else "")
        answer = await call_next(context)
        self.session.server_connected()
        return answer

    async def on_call_tool(self, context, call_next):
        if context.message.name == "retrieve_tools":
            answer = await call_next(context)
            self.session.discovery(returned=1, indexed=len(TOOLS))
            return answer
        try:
            answer = await call_next(context)
        except BaseException:
            self.session.call(ok=False)
            raise
        self.session.call(ok=True)
        return answer


server = FastMCP("notes-mcp", middleware=[Counted()])


@server.tool
def retrieve_tools() -> str:
    """Finds tools."""
    return TOOLS[0]


@server.tool
def add_note() -> str:
    """Adds a note."""
    return "noted"


def end_with_input():
    import os

    sys.stdin.read()
    recorder.close()
    os._exit(0)


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
threading.Thread(target=end_with_input, daemon=True).start()
print(f"http://127.0.0.1:{port}/mcp", flush=True)
server.run(transport="http", host="127.0.0.1", port=port, show_banner=False)

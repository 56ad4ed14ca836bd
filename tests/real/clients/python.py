"""A client on the real Python SDK (`mcp` 2.x).

    python python.py SESSION COMMAND [ARG...]

SESSION is JSON: {"name": client name, "calls": [[tool, arguments], ...], "mode": "auto" (ask with
`server/discover`, the SDK's default), "legacy" (handshake) or a protocol version such as "2026-07-28"
(neither: the first request is the first message)}. Starts COMMAND as the SDK does by default: with
HOME LOGNAME PATH SHELL TERM USER and nothing else. Lists the tools, makes the calls, closes, and
prints one JSON line with what came back.
"""

import asyncio
import json
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import Implementation


async def main():
    session, command, *args = sys.argv[1:]
    session = json.loads(session)
    info = Implementation(name=session["name"], version="1.0.0") if "name" in session else None
    server = StdioServerParameters(command=command, args=args)
    async with Client(server, client_info=info, mode=session.get("mode", "auto")) as client:
        tools = (await client.list_tools()).tools
        results = [
            (await client.call_tool(tool, arguments)).model_dump(mode="json", by_alias=True, exclude_none=True)
            for tool, arguments in session.get("calls", [])
        ]
    print(json.dumps({"tools": [tool.name for tool in tools], "results": results}))


asyncio.run(main())

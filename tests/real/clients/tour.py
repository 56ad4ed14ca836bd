"""One tour through a server on the real Python clients.

    python tour.py SESSION

SESSION is as for tour.cjs, but for "sdk": "mcp" (the Python SDK) or "fastmcp" (its client), and "mode":
"auto", "legacy" or a protocol version. Prints what tour.cjs prints.
"""

import json
import sys

import anyio
import fastmcp
from fastmcp.client.transports import StdioTransport
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation, PromptReference, ResourceTemplateReference

SESSION = json.loads(sys.argv[1])
IS_FASTMCP = SESSION["sdk"] == "fastmcp"


def client():
    info = Implementation(name=SESSION["name"], version="1.0.0")
    mode = SESSION.get("mode", "auto")
    if IS_FASTMCP:
        target = SESSION.get("url")
        if target is None:
            command, *args = SESSION["command"]
            target = StdioTransport(command=command, args=args, keep_alive=False)
        return fastmcp.Client(target, client_info=info, mode=mode)
    target = SESSION.get("url")
    if target is None:
        command, *args = SESSION["command"]
        target = StdioServerParameters(command=command, args=args)
    return Client(target, client_info=info, mode=mode)


async def call(host, tool, arguments, options=None):
    options = options or {}
    outcome = {}
    steps = []

    async def progress(done, total, message):
        steps.append([done, total])

    extra = {}
    if options.get("progress"):
        extra["progress_handler" if IS_FASTMCP else "progress_callback"] = progress
        outcome["progress"] = steps
    run = host.call_tool_mcp if IS_FASTMCP else host.call_tool
    with anyio.move_on_after(options["cancel"] / 1000 if "cancel" in options else None):
        outcome["result"] = plain(await run(tool, arguments, **extra))
        return outcome
    outcome["cancelled"] = True
    # The notification leaves before the connection is closed.
    await anyio.sleep(0.3)
    return outcome


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def reference(ref):
    kind = PromptReference if ref["type"] == "ref/prompt" else ResourceTemplateReference
    return kind.model_validate(ref)


async def take(host, step, *args):
    suffix = "_mcp" if IS_FASTMCP else ""
    method = lambda name: getattr(host, name + suffix)
    match step:
        case "settle":
            for _ in range(200):
                if plain(await method("list_prompts")())["prompts"]:
                    return {}
                await anyio.sleep(0.2)
            raise ValueError("there are still no prompts")
        case "tools":
            return {"result": plain(await method("list_tools")())}
        case "prompts":
            return {"result": plain(await method("list_prompts")())}
        case "resources":
            return {"result": plain(await method("list_resources")())}
        case "templates":
            return {"result": plain(await method("list_resource_templates")())}
        case "call":
            return await call(host, *args)
        case "prompt":
            return {"result": plain(await method("get_prompt")(*args))}
        case "read":
            return {"result": plain(await method("read_resource")(*args))}
        case "complete":
            return {"result": plain(await method("complete")(reference(args[0]), args[1]))}
    raise ValueError(f"no such step: {step}")


async def main():
    outcomes = []
    async with client() as host:
        for step in SESSION["steps"]:
            try:
                outcomes.append(await take(host, *step))
            except MCPError as error:
                data = error.error
                outcomes.append({"error": {"code": data.code, "message": data.message, "data": data.data}})
    print(json.dumps(outcomes))


anyio.run(main)

"""A stdio server with the resources that the conformance suite asks a server for by their addresses.
Handshake era, without any SDK.

    python3 -S fixtures.py
"""

import json
import sys

TEXT, BINARY, TEMPLATE = "test://static-text", "test://static-binary", "test://template/{id}/data"


def read(uri):
    if uri == TEXT:
        return {"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."}
    if uri == BINARY:
        return {"uri": uri, "mimeType": "image/png", "blob": "iVBORw0KGgo="}
    identifier = uri.removeprefix("test://template/").removesuffix("/data")
    text = json.dumps({"id": identifier, "templateTest": True, "data": f"Data for ID: {identifier}"})
    return {"uri": uri, "mimeType": "application/json", "text": text}


def answer(method, params):
    match method:
        case "initialize":
            info = {"name": "fixtures", "version": "1"}
            return {"protocolVersion": "2025-06-18", "capabilities": {"resources": {}}, "serverInfo": info}
        case "ping":
            return {}
        case "resources/list":
            return {"resources": [{"uri": uri, "name": uri.removeprefix("test://")} for uri in (TEXT, BINARY)]}
        case "resources/templates/list":
            return {"resourceTemplates": [{"uriTemplate": TEMPLATE, "name": "data"}]}
        case "resources/read":
            return {"contents": [read(params["uri"])]}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = answer(message["method"], message.get("params", {}))
    said = {"error": {"code": -32601, "message": "Method not found"}} if result is None else {"result": result}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **said}), flush=True)

"""A stdio server of the handshake era without any SDK: its answers are exactly what is written here, so
that a test can see whether they arrive as they left.

    python3 -S plain.py LOG

Appends every message it gets to LOG. Tools: one for each entry of ANSWERS; `refuse`, which answers with a
JSON-RPC error; `wait`, which answers only when it is told that the call was cancelled, and then nothing.
"""

import json
import sys
import threading

ANSWERS = {
    "numbers": {
        "content": [{"type": "text", "text": "1.0 is not 1"}],
        "structuredContent": {
            "float": 1.0, "large": 18446744073709551615, "negative": -9007199254740993, "tiny": 5e-324,
            "nothing": None, "empty": {}, "list": [[], ""], "z": 1, "a": 2,
        },
    },
    "blocks": {
        "content": [
            {"type": "text", "text": "\u2028 \u0000 \U0001f980 </script>", "annotations": {"audience": ["user"], "priority": 0.5}},
            {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"},
            {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"},
            {"type": "resource_link", "uri": "file:///a%20b?c#d", "name": "a b", "description": "a link", "mimeType": "text/plain", "size": 3},
            {"type": "resource", "resource": {"uri": "plain://text", "mimeType": "text/plain", "text": "embedded"}},
            {"type": "resource", "resource": {"uri": "plain://blob", "blob": "AAAA"}},
        ],
        "_meta": {"example.org/kept": {"a": [1, None]}},
    },
    "failed": {"content": [{"type": "text", "text": "the disk is full"}], "isError": True, "structuredContent": {"code": 28}},
    "fine": {"content": [], "isError": False},
}
REFUSAL = {"code": -32042, "message": "not before noon", "data": {"at": "12:00", "why": [None, 1.5]}}
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in [*ANSWERS, "refuse", "wait"]]
CAPABILITIES = {"tools": {}}

lock = threading.Lock()


def send(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def answer(message):
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message:
        return
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": CAPABILITIES, "serverInfo": {"name": "plain", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": TOOLS}
    elif method == "ping":
        result = {}
    elif method == "tools/call" and params["name"] in ANSWERS:
        result = ANSWERS[params["name"]]
    elif method == "tools/call" and params["name"] == "refuse":
        return send({"id": message["id"], "error": REFUSAL})
    elif method == "tools/call" and params["name"] == "wait":
        return
    else:
        return send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})
    send({"id": message["id"], "result": result})


with open(sys.argv[1], "a", encoding="utf-8") as log:
    for line in sys.stdin:
        log.write(line)
        log.flush()
        answer(json.loads(line))

"""The users' switch: ``--mcpproxy-telemetry status|on|off|show|forget`` as the first argument of a server.

One rule: it speaks in the product's name, and works whatever the environment says.
"""

from __future__ import annotations

import os
import sys
from typing import List

from . import _binary

SWITCH = "--mcpproxy-telemetry"
_COMMANDS = {"status": "status", "on": "enable", "off": "disable", "show": "show-payload", "forget": "forget"}
_USAGE = 2


def run(product: str, words: List[str]) -> int:
    """Becomes the command of the binary; returns an exit code when it cannot."""
    command = _COMMANDS.get(words[0]) if words else None
    if command is None:
        return _complain(f"{SWITCH} needs one of {', '.join(_COMMANDS)}", _USAGE)
    binary, reason = _binary.find()
    if binary is not None:
        line = [binary, "telemetry", command, f"--product={product}", *words[1:]]
        reason = _binary.become(line, os.environ)
    return _complain(f"{reason}, so nothing is counted or sent; DO_NOT_TRACK=1 objects everywhere", 1)


def _complain(text: str, code: int) -> int:
    if sys.stderr is not None:
        print(f"mcpproxy_tap: {text}", file=sys.stderr)
    return code

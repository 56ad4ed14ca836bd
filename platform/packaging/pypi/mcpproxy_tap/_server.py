"""The server, run in this process.

One rule: the launcher that has no tap and the child behind one run it by the same lines.
"""

from __future__ import annotations

import sys
from typing import NoReturn, Set

_served: Set[str] = set()


def is_served(server: str) -> bool:
    """Whether this process is this server already."""
    return server in _served


def is_any_served() -> bool:
    """Whether this process is the server of a launcher already."""
    return bool(_served)


def serve(server: str) -> NoReturn:
    """Runs a module as ``python -m`` does, or calls a function as a console script does."""
    _served.add(server)
    module, _, name = server.partition(":")
    if not name:
        import runpy

        runpy.run_module(module, run_name="__main__", alter_sys=True)
        sys.exit(0)
    import importlib

    function = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    sys.exit(function())  # type: ignore[operator]
